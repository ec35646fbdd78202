// A client: asks for tasks, and dials again when the connection breaks.
//
// Every ask (asks.js, job.js) stays in a table until its last answer, so that all of them can be asked again on another
// connection. While nothing is asked the connection does not keep the process alive.
import { onceAborted } from "./aborts.js";
import { Await, Cancel, Request } from "./asks.js";
import { pack } from "./content.js";
import { cutText } from "./context.js";
import { Disconnected, Refused } from "./errors.js";
import { nanoseconds } from "./frame.js";
import { events } from "./events.js";
import { Holder } from "./holder.js";
import { Job } from "./job.js";
import { Link, mayRedial, redial } from "./link.js";
import { map, mapSettled } from "./map.js";
import { onlyOptions } from "./options.js";
import { placeOf } from "./place.js";
import { contents, Flag, Kind } from "./words.js";

const nameBytesMax = 255;
const receivedAtOnce = 256;
const receivedWaitMs = 20;
const inFlightSpare = { least: 1, most: 8 }; // of what may be in flight: tasks do not keep cancels and questions out
const closeWaitMs = 5000; // for cancels that are on their way, and where the daemon does not read
const quietMs = 5000; // for so long what is done in the background keeps the process alive
const frameSlack = 65_536; // by so much a payload may be too long for the daemon to refuse it; beyond it ends the connection

/** Resolves with a Client that the daemon has welcomed. */
export async function connect(options = {}) {
  onlyOptions("connect", options, ["socket", "name", "reconnect"]);
  const { socket, name = "node", reconnect = 30_000 } = options;
  const redialMs = reconnect === false ? 0 : reconnect;
  if (!(typeof redialMs === "number" && redialMs >= 0)) throw new TypeError(`reconnect is a number of milliseconds from 0, or false, not ${reconnect}`);
  const client = new Client(placeOf(socket), cutText(name, nameBytesMax), redialMs);
  await client.open();
  return client;
}

export class Client {
  #place;
  #name;
  #redialMs;
  #link;
  #asks = new Map(); // by request number: no last answer yet
  #background = new Set(); // of these, those that no longer keep the process alive
  #awaits = new Map(); // of these, those that jobs of one task share, by their keys
  #unheard = new Map(); // by request number, once it is closed: the daemon still answers, and nobody waits for that
  #next = 1;
  #urgent = new Set(); // not sent, because too much is in flight or unwritten: what does not wait behind tasks
  #backlog = new Set(); // and all else
  #inFlight = 0;
  #received = [];
  #keysReceived = [];
  #receivedTimer;
  #closed; // why
  #closing; // until what close() waits for is done
  #ended = new AbortController(); // by close()
  #idle = () => {}; // nothing is in the table any more
  #holder = new Holder(true);

  constructor(place, name, redialMs) {
    this.#place = place;
    this.#name = name;
    this.#redialMs = redialMs;
  }

  async open() {
    this.#use(await Link.open(this.#place, this.#name, this.#takes(), { holder: this.#holder }));
  }

  /** Name and version of the daemon, and what it takes. */
  get server() {
    return this.#link?.server;
  }
  get payloadBytesMax() {
    return this.#link?.payloadBytesMax;
  }
  get closed() {
    return this.#closed !== undefined;
  }

  /** Queues a task; what becomes of it is asked of the Job. */
  submit(type, payload, options = {}) {
    return this.#begin(Job.submitted(this, type, payload, options));
  }

  /** The result of one task. */
  run(type, payload, options) {
    return this.submit(type, payload, options).result();
  }

  /** The results of a task for each payload, in their order (or as they come, with ordered: false). */
  map(type, payloads, options) {
    return map(this, type, payloads, options);
  }

  /** The same, but nothing is thrown for a task that is not done: {index, payload, value} or {index, payload, error}. */
  mapSettled(type, payloads, options) {
    return mapSettled(this, type, payloads, options);
  }

  /** A task that somebody submitted. Its `signal` ends the wait, and not the task. */
  job(id, options) {
    return this.#begin(Job.awaited(this, id, options));
  }

  cancel(id) {
    return this.#ask(new Cancel(BigInt(id))).promise;
  }

  /** Any verb of docs/protocol.md, section 6, with its arguments in their order. */
  async request(verb, ...args) {
    return this.#ask(new Request(verb, args)).promise;
  }

  status() {
    return this.request("status");
  }
  workers() {
    return this.request("workers");
  }
  /** With `sizes` its directories are walked. */
  worker(slot, { sizes } = {}) {
    return this.request("worker", slot, sizes);
  }
  show(id) {
    return this.request("show", BigInt(id));
  }
  ls({ state, type, limit, after } = {}) {
    return this.request("ls", state, type, limit, after);
  }
  /** Dead letters that fit all that is given: `older`: dead for so many milliseconds; `text`: in their error, key or labels. */
  deadLs({ limit, after, ...filter } = {}) {
    return this.request("dead-ls", filter.type, limit, after, ...restOf(filter));
  }
  /** The same, with their whole payloads. */
  deadExport({ limit, after, ...filter } = {}) {
    return this.request("dead-export", filter.type, limit, after, ...restOf(filter));
  }
  /** A new round for dead letters. With a `payload`, which is for one task, it has that and not what it had. */
  deadRetry({ tasks, payload, content, ...filter } = {}) {
    const args = [tasks?.map(BigInt), filter.type, ...restOf(filter)];
    if (payload === undefined && content === undefined) return this.request("dead-retry", ...args);
    if (payload === undefined) throw new TypeError("content says what another payload is: give that too");
    if (tasks?.length !== 1) throw new TypeError("another payload is for one dead letter: tasks has its id alone");
    const { number, bytes } = pack(payload, content);
    return this.#ask(new Request("dead-retry", [...args, contents[number]], bytes)).promise;
  }
  deadRemove({ tasks, ...filter } = {}) {
    return this.request("dead-remove", tasks?.map(BigInt), filter.type, ...restOf(filter));
  }
  /** Forgets what settled longer ago than `older` milliseconds. */
  clean({ older, state }) {
    return this.request("clean", nanoseconds(older, "older"), state);
  }
  /** A copy of the store in this file, which the daemon makes. */
  backup(file) {
    return this.request("backup", file);
  }
  /** One of `to`, `up` and `down`. */
  scale({ class: name, to, up, down }) {
    const modes = [to, up, down];
    const mode = modes.findIndex((number) => number !== undefined);
    if (mode < 0) throw new TypeError("scale takes one of to, up and down");
    return this.request("scale", name, mode, modes[mode]);
  }
  drain(on = true) {
    return this.request("drain", on);
  }
  stop({ now = false } = {}) {
    return this.request("stop", now);
  }
  pause({ type, class: name } = {}) {
    return this.request("pause", type, name);
  }
  resume({ type, class: name, all } = {}) {
    return this.request("resume", type, name, all);
  }
  config() {
    return this.request("config");
  }
  types() {
    return this.request("types");
  }
  release(id) {
    return this.request("release", BigInt(id));
  }
  restart({ slot, class: name } = {}) {
    return this.request("restart", slot, name);
  }
  /** Of one of `task` and `slot`. `after`: finished lines with a higher number alone; `last` of the reply is for the next call. */
  log({ task, slot, limit, after } = {}) {
    return this.request("log", task === undefined ? undefined : BigInt(task), slot, limit, after);
  }

  /** What happens in the pool, over a connection of its own that ends with the iteration, or with this client. */
  events(options) {
    return events({ place: this.#place, name: this.#name, redialMs: this.#redialMs, closed: this.#ended.signal }, options);
  }

  /**
   * What has no answer yet fails with Disconnected; tasks go on, but those with cancelOnDisconnect. Resolves when the cancels of
   * tasks whose signal was aborted are done and all is written; after 5 s at most.
   */
  close() {
    this.#closing ??= this.#close(new Disconnected("this client was closed"));
    return this.#closing;
  }

  async [Symbol.asyncDispose ?? Symbol.for("nodejs.asyncDispose")]() {
    await this.close();
  }

  // --- For jobs ---

  cancelQuietly(id) {
    const cancel = new Cancel(id);
    cancel.promise.catch(() => {}); // a task that has settled meanwhile needs none
    if (this.#closed !== undefined && this.#link === undefined) return;
    this.#put(cancel);
    this.#letGo(cancel);
  }

  /** The job is rejected at once; its task is cancelled as soon as that can be. */
  abandon(job, reason) {
    job.abort(reason);
    if (!job.cancels) return this.#leave(job);
    // Its answers are waited for: each has its place among those that may be in flight. Whatever was not sent never is.
    const inFlight = this.#isInFlight(job);
    if (job.id !== undefined) this.cancelQuietly(job.id);
    if (inFlight) this.#letGo(job);
    else this.#done(job);
  }

  /** A job that is still in the table, on the same connection. */
  sendAgain(job) {
    if (this.#link !== undefined) this.#transmit(job);
  }

  received(id, keysOnly) {
    const list = keysOnly ? this.#keysReceived : this.#received;
    list.push(id);
    if (list.length >= receivedAtOnce) return this.#flushReceived();
    this.#receivedTimer ??= setTimeout(() => this.#flushReceived(), receivedWaitMs).unref();
  }

  // --- Asks ---

  #ask(ask) {
    if (this.#closed !== undefined) {
      ask.fail(this.#closed);
      return ask;
    }
    return this.#put(ask);
  }

  #begin(job) {
    const { signal } = job;
    if (signal?.aborted) job.abort(signal.reason);
    else {
      job.cancels ? this.#ask(job) : this.#join(job);
      if (signal && !job.over) onceAborted(signal, job, (reason) => this.abandon(job, reason));
    }
    return job;
  }

  // The protocol has no end of an await but its task's. So all jobs of one task share one, also those that come after others have
  // given up: each would have its place among what may be in flight for as long as the task runs.
  #join(job) {
    if (this.#closed !== undefined) return job.fail(this.#closed);
    const key = Await.keyOf(job);
    const open = this.#awaits.get(key);
    const shared = open ?? new Await(job);
    shared.join(job);
    if (open === undefined) {
      this.#awaits.set(key, shared);
      this.#put(shared);
    } else if (this.#background.delete(shared)) {
      this.#hold();
    }
  }

  #leave(job) {
    const shared = this.#awaits.get(Await.keyOf(job));
    if (shared === undefined || !shared.leave(job)) return;
    if (!this.#isInFlight(shared)) return this.#done(shared);
    this.#background.add(shared);
    this.#hold();
  }

  #isInFlight(ask) {
    return this.#link !== undefined && this.#asks.has(ask.number) && !this.#queueOf(ask).has(ask);
  }

  #put(ask) {
    ask.number = this.#next++;
    this.#asks.set(ask.number, ask);
    this.#hold();
    if (this.#link === undefined) return ask; // sent when there is one again
    const waiting = this.#queueOf(ask);
    if (waiting.size > 0 || !this.#hasRoom(ask)) waiting.add(ask);
    else {
      ++this.#inFlight;
      this.#transmit(ask);
    }
    return ask;
  }

  #hasRoom(ask) {
    const most = this.#link.inFlightMax;
    const spare = Math.max(Math.min(inFlightSpare.most, most >> 3), inFlightSpare.least);
    return this.#inFlight < (ask.overtakes ? most : Math.max(most - spare, 1)) && !this.#link.full;
  }

  #queueOf(ask) {
    return ask.overtakes ? this.#urgent : this.#backlog;
  }

  #transmit(ask) {
    try {
      const frame = ask.frame(this.#link);
      const bytes = frame.payload?.length ?? 0;
      if (bytes > this.#link.payloadBytesMax + frameSlack) {
        throw new Refused(205, `the payload has ${bytes} bytes, allowed are ${this.#link.payloadBytesMax}; send a path instead, or raise payload_bytes_max`);
      }
      this.#link.send({ ...frame, token: BigInt(ask.number) });
      ask.sent = true;
    } catch (error) {
      ask.fail(error); // it fits in no frame
      this.#done(ask);
    }
  }

  #done(ask) {
    if (!this.#remove(ask)) return;
    const waiting = this.#queueOf(ask);
    const wasSent = waiting.size === 0 || !waiting.delete(ask);
    if (wasSent && this.#link !== undefined) {
      --this.#inFlight;
      if (this.#backlog.size > 0 || this.#urgent.size > 0) this.#sendBacklog();
    }
    this.#hold();
    if (this.#asks.size === 0) this.#idle();
  }

  #remove(ask) {
    this.#background.delete(ask);
    if (this.#awaits.get(ask.key) === ask) this.#awaits.delete(ask.key);
    return this.#asks.delete(ask.number);
  }

  // Nobody waits for its answer: it keeps the process alive for a moment, and not for as long as a daemon may hang.
  #letGo(ask) {
    ask.quiet = true;
    setTimeout(() => {
      if (!this.#asks.has(ask.number)) return;
      this.#background.add(ask);
      this.#hold();
    }, quietMs).unref();
  }

  #sendBacklog() {
    for (const waiting of [this.#urgent, this.#backlog]) {
      if (waiting.size === 0) continue;
      for (const ask of waiting) {
        if (this.#link === undefined || !this.#hasRoom(ask)) break;
        waiting.delete(ask);
        ++this.#inFlight;
        this.#transmit(ask);
      }
    }
  }

  #take(frame) {
    const number = Number(frame.token);
    const ask = this.#asks.get(number);
    if (ask !== undefined) {
      if (ask.take(frame)) this.#done(ask);
    } else if (this.#unheard.get(number)?.isLast(frame)) {
      this.#unheard.delete(number);
      --this.#inFlight;
      this.#sendBacklog();
    }
  }

  // --- The connection ---

  #takes() {
    return { frame: (frame) => this.#take(frame), end: (error) => this.#lost(error), drain: () => this.#sendBacklog() };
  }

  #use(link) {
    this.#link = link;
    this.#inFlight = 0;
    for (const ask of this.#asks.values()) this.#queueOf(ask).add(ask);
    this.#sendBacklog();
    this.#hold();
  }

  async #lost(error) {
    this.#link = undefined;
    this.#inFlight = 0;
    this.#urgent.clear();
    this.#backlog.clear();
    this.#unheard.clear();
    if (this.#closed !== undefined) return this.#failAll(this.#closed);
    for (const ask of [...this.#asks.values()]) {
      if (!ask.sent || ask.again()) continue;
      ask.fail(error);
      this.#done(ask);
    }
    try {
      if (this.#redialMs <= 0 || !mayRedial(error)) throw error;
      this.#hold();
      const link = await redial(this.#place, this.#name, this.#takes(), this.#redialMs, { signal: this.#ended.signal, holder: this.#holder });
      if (this.#closed === undefined) this.#use(link);
      else link.destroy();
    } catch (final) {
      const gaveUp = this.#redialMs > 0 && mayRedial(final) ? `; nobody came back within ${this.#redialMs / 1000} s: connect() again, or raise reconnect` : "";
      this.#closed ??= new Disconnected(`${final.message}${gaveUp}`, final.code);
      this.#failAll(this.#closed);
    }
  }

  async #close(error) {
    const wasOpen = this.#closed === undefined;
    this.#closed ??= error;
    this.#flushReceived();
    this.#ended.abort(error);
    this.#failAll(error, (ask) => !ask.quiet);
    if (!wasOpen || this.#link === undefined) return this.#failAll(error);
    const end = performance.now() + closeWaitMs;
    await this.#quiet();
    this.#flushReceived(); // of what has settled meanwhile
    const link = this.#link;
    this.#link = undefined;
    this.#unheard.clear();
    this.#failAll(error);
    await link?.close(Math.max(end - performance.now(), 0));
  }

  // Resolves when the cancels that are on their way are done.
  async #quiet() {
    if (this.#asks.size === 0) return;
    this.#sendBacklog();
    let late;
    await new Promise((resolve) => {
      this.#idle = resolve;
      late = setTimeout(resolve, closeWaitMs);
    });
    clearTimeout(late);
  }

  #failAll(error, which = () => true) {
    for (const ask of [...this.#asks.values()].filter(which)) {
      if (this.#isInFlight(ask)) this.#unheard.set(ask.number, ask); // its place is free when it is answered
      this.#remove(ask);
      this.#queueOf(ask).delete(ask);
      ask.fail(error);
    }
    if (this.#asks.size === 0) this.#idle();
    this.#hold();
  }

  #hold() {
    this.#holder.set(this.#asks.size > this.#background.size);
  }

  #flushReceived() {
    clearTimeout(this.#receivedTimer);
    this.#receivedTimer = undefined;
    for (const [ids, flags] of [[this.#received, 0], [this.#keysReceived, Flag.keysOnly]]) {
      if (ids.length === 0) continue;
      const payload = Buffer.allocUnsafe(ids.length * 8);
      ids.forEach((id, place) => payload.writeBigUInt64LE(id, place * 8));
      ids.length = 0;
      this.#link?.send({ kind: Kind.received, flags, payload });
    }
  }
}

// Arguments of the verbs about dead letters that follow the type.
function restOf({ type, cause, older, text, ...unknown }) {
  for (const name of Object.keys(unknown)) throw new TypeError(`dead letters have no filter ${name}; there are: type, cause, older, text`);
  return [cause, nanoseconds(older, "older"), text];
}
