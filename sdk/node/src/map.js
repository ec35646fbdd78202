// Many tasks: a window of them in flight, results in the order of their payloads or as they come.
import { forget, onceAborted } from "./aborts.js";
import { TaskAborted } from "./errors.js";
import { checkSubmit, submitOptions } from "./job.js";
import { onlyOptions } from "./options.js";
import { stoppable } from "./stoppable.js";

const cancelWaitMs = 5000; // for the cancels of what is left; then they go on in the background

// What happens (a task settles, the source gives a payload, somebody aborts) only notes it and wakes the one that iterates: nothing
// of it waits for another.
class Flow {
  #client;
  #type;
  #options;
  #inFlight;
  #ordered;
  #source;
  #asked = false; // the source, which has not answered yet
  #ended = false; // nothing more comes of it
  #failure; // of it: {error}
  #index = 0;
  #open = new Map(); // index -> {job, item: once it has one}
  #finished = []; // indexes, as they come
  #stopped = false;
  #wake = () => {};

  constructor(what, client, type, payloads, given = {}) {
    onlyOptions(what, given, [...submitOptions, "inFlight", "ordered"]);
    const { inFlight = 64, ordered = true, ...options } = given;
    if (!(Number.isInteger(inFlight) && inFlight > 0)) throw new RangeError(`inFlight is a whole number from 1, not ${inFlight}`);
    if (options.wait === false) throw new TypeError("wait: false gives no results; submit such tasks");
    const iterate = payloads?.[Symbol.asyncIterator] ?? payloads?.[Symbol.iterator];
    if (typeof iterate !== "function") throw new TypeError(`payloads are something to iterate over, not ${payloads}`);
    checkSubmit(type, options); // or each item would fail by it
    [this.#client, this.#type, this.#options, this.#inFlight, this.#ordered] = [client, type, options, inFlight, ordered];
    this.#source = () => iterate.call(payloads);
  }

  async *items() {
    const { signal } = this.#options;
    if (signal && !signal.aborted) onceAborted(signal, this, () => this.#wake());
    this.#source = this.#source();
    try {
      while (!this.#stopped) {
        if (this.#failure !== undefined) throw this.#failure.error;
        if (!signal?.aborted) this.#pull();
        const item = this.#next();
        if (item !== undefined) yield item;
        else if (this.#failure === undefined && this.#open.size === 0 && (this.#ended || signal?.aborted)) {
          if (!this.#ended) throw new TaskAborted(undefined, signal.reason);
          return;
        } else if (this.#failure === undefined) await new Promise((resolve) => (this.#wake = resolve));
      }
    } finally {
      forget(signal, this);
      await this.#finish();
    }
  }

  stop() {
    this.#stopped = true;
    this.#wake();
  }

  #pull() {
    while (!this.#ended && !this.#asked && this.#open.size < this.#inFlight) {
      try {
        const next = this.#source.next();
        if (!this.#arrive(next)) this.#await(next);
      } catch (error) {
        this.#fail(error);
      }
    }
  }

  // An iterator that is not async gives at once, and may give promises.
  #arrive(next) {
    if (typeof next?.then === "function" || typeof next?.value?.then === "function") return false;
    if (next.done) this.#ended = true;
    else this.#start(next.value);
    return true;
  }

  async #await(next) {
    this.#asked = true;
    try {
      const { done, value } = await next;
      const given = done ? undefined : await value;
      this.#asked = false;
      if (!this.#stopped) this.#arrive({ done, value: given });
    } catch (error) {
      this.#asked = false;
      this.#fail(error);
    }
    this.#wake();
  }

  #fail(error) {
    this.#ended = true;
    this.#failure = { error };
  }

  #start(payload) {
    const index = this.#index++;
    const entry = {};
    this.#open.set(index, entry);
    const finish = (item) => {
      entry.item = { index, payload, ...item };
      this.#finished.push(index);
      this.#wake();
    };
    try {
      entry.job = this.#client.submit(this.#type, payload, this.#options);
    } catch (error) {
      return finish({ error });
    }
    entry.job.result().then((value) => finish({ value }), (error) => finish({ error }));
  }

  #next() {
    const index = this.#ordered ? this.#open.keys().next().value : this.#finished[0];
    const item = this.#open.get(index)?.item;
    if (item === undefined) return undefined;
    this.#finished.splice(this.#finished.indexOf(index), 1);
    this.#open.delete(index);
    return item;
  }

  // Whoever has stopped to listen does not want the rest.
  async #finish() {
    this.#stopped = true;
    const cancelled = this.#cancelAll();
    if (!this.#ended) {
      this.#ended = true;
      const closed = (async () => this.#source.return?.())();
      // One that waits for its next payload hears of it when that is there.
      if (this.#asked) closed.catch(() => {});
      else await closed;
    }
    await cancelled;
  }

  async #cancelAll() {
    const left = [...this.#open.values()].filter(({ item }) => item === undefined).map(({ job }) => job);
    if (left.length === 0) return;
    const cancels = left.map((job) => job.cancel().then(() => job.settled()).catch(() => {}));
    let late;
    await Promise.race([Promise.all(cancels), new Promise((resolve) => (late = setTimeout(resolve, cancelWaitMs)))]);
    clearTimeout(late);
    for (const job of left) if (!job.over) this.#client.abandon(job, new Error("the iteration was ended"));
  }
}

export function mapSettled(client, type, payloads, options) {
  const flow = new Flow("mapSettled", client, type, payloads, options);
  return stoppable(flow.items(), () => flow.stop());
}

export function map(client, type, payloads, options) {
  const flow = new Flow("map", client, type, payloads, options);
  return stoppable(values(flow), () => flow.stop());
}

async function* values(flow) {
  for await (const item of flow.items()) {
    if (item.error !== undefined) throw item.error;
    yield item.value;
  }
}
