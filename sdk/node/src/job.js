// A task as its client sees it.
import { randomUUID } from "node:crypto";
import { checkedSignal, forget } from "./aborts.js";
import { pack, unpack, withContent } from "./content.js";
import { refusedBy } from "./asks.js";
import { Disconnected, TaskAborted, TaskError, Unknown } from "./errors.js";
import { at, numberAt } from "./frame.js";
import { onlyOptions } from "./options.js";
import { checkType, wishesOf, wishNames } from "./wishes.js";
import { causes, Flag, Kind, verdicts } from "./words.js";

const noSuchTask = 301;
const droppedCause = "dropped"; // its client left, and that was to cancel it

/** The names of all options of a submit. */
export const submitOptions = [
  ...wishNames, "content", "wait", "cancelOnDisconnect", "keepResult", "progress", "autoKey", "signal",
];

/** Throws for what no submit can have, whatever its payload. */
export function checkSubmit(type, options) {
  checkType(type);
  wishesOf(options);
  checkedSignal(options.signal);
  if (options.content !== undefined) withContent(options.content);
}

// A promise that nobody has to look at.
function quiet() {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  made.promise.catch(() => {});
  return made;
}

const partialOf = (frame) => (frame.payload.length > 0 || frame.flags !== 0 ? { partial: unpack(frame.flags & 3, frame.payload) } : {});

/** Of a submit, which is an ask (asks.js); or of an id that is known, with an Await that it may share. */
export class Job {
  /** Of the task; undefined until it is accepted. */
  id;
  /** Was the key known, so that this is a task of before? */
  duplicate = false;
  /** How the daemon keeps it ("full", "relaxed" or "none": in memory); undefined until it is accepted. */
  durability;

  sent = false;
  overtakes = false;
  #client;
  #accepted = quiet();
  #settled = quiet();
  #submit; // {type, payload, flags, wishes, keyed, autoKey}
  #flags;
  #signal;
  #last; // progress that nobody has looked at yet
  #watchers = new Set();
  #over = false;
  #aborted = false;

  static submitted(client, type, payload, options) {
    onlyOptions("submit", options, submitOptions);
    checkType(type);
    const { number, bytes } = pack(payload, options.content);
    const wait = options.wait ?? true;
    const hasKey = options.key !== undefined && options.key !== null;
    const autoKey = !hasKey && (options.autoKey ?? true);
    const keyed = hasKey || autoKey;
    const job = new Job();
    job.#client = client;
    job.#flags = (options.progress ?? true) && wait ? Flag.progress : 0;
    job.#signal = checkedSignal(options.signal);
    const flags = number | job.#flags | (wait ? Flag.wait : 0) | (options.cancelOnDisconnect ? Flag.cancelOnDisconnect : 0) |
      (options.keepResult ? Flag.keepResult : 0);
    job.#submit = {
      type, payload: bytes, flags, wishes: wishesOf(options, autoKey ? randomUUID() : undefined), keyed, autoKey, wait,
      keepResult: options.keepResult ?? false, endsWithClient: (options.cancelOnDisconnect ?? false) && keyed,
    };
    return job;
  }

  static awaited(client, id, options = {}) {
    onlyOptions("job", options, ["progress", "signal"]);
    const { progress = true, signal } = options;
    const job = new Job();
    job.#client = client;
    job.id = BigInt(id);
    job.#accepted.resolve(job.id);
    job.#flags = progress ? Flag.progress : 0;
    job.#signal = checkedSignal(signal);
    return job;
  }

  get signal() {
    return this.#signal;
  }

  get flags() {
    return this.#flags;
  }

  /** Is there nothing more to come? */
  get over() {
    return this.#over;
  }

  /** Does whoever gives it up mean the task too? One that somebody else submitted goes on. */
  get cancels() {
    return this.#submit !== undefined;
  }

  /** Resolves with the task's id when the daemon has it; rejects with Refused. */
  accepted() {
    return this.#accepted.promise;
  }

  /** Resolves with what became of it, whatever that is. */
  settled() {
    this.#requireWait();
    return this.#settled.promise;
  }

  /** Resolves with the result; rejects with TaskError when the task is not done. */
  async result() {
    const settled = await this.settled();
    if (settled.verdict === "done") return settled.value;
    throw new TaskError(settled);
  }

  /** What its handler reports, from now on (and the last report before), until it has settled. */
  async *progress() {
    this.#requireWait();
    const queue = this.#last === undefined ? [] : [this.#last];
    let wake = () => {};
    const watcher = (report) => {
      if (report !== undefined) queue.push(report);
      wake();
    };
    this.#watchers.add(watcher);
    try {
      for (;;) {
        while (queue.length > 0) yield queue.shift();
        if (this.#over) return;
        await new Promise((resolve) => (wake = resolve));
      }
    } finally {
      this.#watchers.delete(watcher);
    }
  }

  /** Resolves when the cancel has taken effect. */
  async cancel() {
    return this.#client.cancel(await this.accepted());
  }

  // --- For the client ---

  frame(link) {
    // A task that ends with its client is a new one on another connection; its key makes it the same if it is not.
    const isKnown = this.id !== undefined && !this.#submit?.endsWithClient;
    if (isKnown) return { kind: Kind.await, id: this.id, flags: this.#flags };
    const { type, payload, flags, wishes } = this.#submit;
    return { kind: Kind.submit, flags, type: link.typeNumber(type), meta: wishes, payload };
  }

  again() {
    if (this.#aborted) return false;
    return this.id !== undefined || this.#submit.keyed;
  }

  isLast({ kind }) {
    return kind === Kind.settled || kind === Kind.refused || (kind === Kind.accepted && !this.#submit.wait);
  }

  take(frame) {
    switch (frame.kind) {
      case Kind.accepted: return this.#take(frame);
      case Kind.progressed:
        this.#report({ permille: numberAt(frame, 0), text: at(frame, 1, ""), ...partialOf(frame) });
        return false;
      case Kind.settled: return this.#settle(frame);
      case Kind.refused: return this.#refuse(frame);
      default: return false;
    }
  }

  fail(error) {
    const lost = this.sent && !this.#aborted && !this.again() && error instanceof Disconnected;
    this.#end(lost ? new Unknown(`${error.message}; whether the task was accepted is not known`, error.code) : error);
  }

  /** Nobody waits for it any more. What is still answered is taken: an acceptance means that there is something to cancel. */
  abort(reason) {
    this.#aborted = true;
    this.#end(new TaskAborted(this.id, reason));
  }

  #take(frame) {
    this.id = frame.id;
    this.duplicate = (frame.flags & Flag.duplicate) !== 0;
    this.durability = frame.flags & Flag.memoryOnly ? "none" : frame.flags & Flag.relaxed ? "relaxed" : "full";
    this.#accepted.resolve(frame.id);
    if (this.#aborted && this.cancels) this.#client.cancelQuietly(this.id);
    if (this.#submit.wait) return false;
    if (this.#submit.autoKey) this.#client.received(frame.id, true);
    this.#finish();
    return true;
  }

  #settle(frame) {
    const settled = {
      id: frame.id, verdict: verdicts[numberAt(frame, 0)], cause: causes[numberAt(frame, 1)], round: frame.round, attempt: frame.attempt,
      failures: numberAt(frame, 2), crashes: numberAt(frame, 3),
    };
    if (settled.verdict === "done") settled.value = unpack(frame.flags & 3, frame.payload);
    else settled.error = frame.payload.toString("utf8");
    if (settled.cause === droppedCause && this.#resubmits()) return false;
    if (this.#submit === undefined || this.#submit.keepResult) {
      if (this.#submit?.autoKey) this.#client.received(frame.id, true);
    } else {
      this.#client.received(frame.id, false);
    }
    this.#settled.resolve(settled);
    this.#finish();
    return true;
  }

  #refuse(frame) {
    const refused = refusedBy(frame);
    if (refused.code === noSuchTask && this.#resubmits()) return false;
    this.#end(refused);
    return true;
  }

  // The daemon has forgotten it (it keeps nothing over its own end), or took this client for gone.
  #resubmits() {
    if (this.#submit === undefined || !this.#submit.keyed || this.#aborted) return false;
    this.id = undefined;
    this.#client.sendAgain(this);
    return true;
  }

  #end(error) {
    this.#accepted.reject(error);
    this.#settled.reject(error);
    this.#finish();
  }

  #finish() {
    this.#over = true;
    forget(this.#signal, this);
    for (const watcher of this.#watchers) watcher();
  }

  #report(report) {
    this.#last = report;
    for (const watcher of this.#watchers) watcher(report);
  }

  #requireWait() {
    if (this.#submit !== undefined && !this.#submit.wait) {
      throw new TypeError("this task was submitted with wait: false; ask with client.job(id)");
    }
  }
}
