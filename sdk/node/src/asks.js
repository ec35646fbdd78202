// What a client has asked and has no last answer to yet. An ask knows its frame and what its answers mean, so that it can be asked
// again on another connection:
//   frame(link)     what is sent; on a later connection too, when again() says so
//   take(frame)     an answer; true: it was the last
//   again()         may it be sent again, although it may have been handled?
//   fail(error)     there will be no answer
//   isLast(frame)   is this answer the last? For an ask that has failed, and whose answers mean nothing any more
//   overtakes       does it go before tasks that wait to be sent?
import { Disconnected, ProtocolError, Refused, Unknown } from "./errors.js";
import { at, millisecondsAt, numberAt } from "./frame.js";
import { Kind, rungs, states, verbs } from "./words.js";

export function refusedBy(frame) {
  return new Refused(numberAt(frame, 0), at(frame, 1, ""), millisecondsAt(frame, 2));
}

class Ask {
  sent = false;
  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }

  again() {
    return true;
  }

  get overtakes() {
    return this.again();
  }

  fail(error) {
    this.reject(error);
  }

  isLast() {
    return true;
  }

  // What cannot be read fails this ask alone.
  #give(frame) {
    try {
      this.resolve(this.valueOf(frame));
    } catch (error) {
      this.reject(new ProtocolError(`the daemon's reply is no document: ${error.message}`));
    }
  }

  take(frame) {
    if (frame.kind === Kind.refused) this.reject(refusedBy(frame));
    else this.#give(frame);
    return true;
  }
}

/** Of a task that somebody submitted, for all jobs that want to know of it. */
export class Await {
  sent = false;
  overtakes = false;
  #flags;
  #jobs = new Set();
  #progressed; // the last report, for who comes later

  static keyOf({ id, flags }) {
    return `${id} ${flags}`;
  }

  constructor(job) {
    this.id = job.id;
    this.#flags = job.flags;
    this.key = Await.keyOf(job);
  }

  join(job) {
    this.#jobs.add(job);
    if (this.#progressed !== undefined) job.take(this.#progressed);
  }

  /** True: nobody waits for it any more. */
  leave(job) {
    return this.#jobs.delete(job) && this.#jobs.size === 0;
  }

  frame() {
    return { kind: Kind.await, id: this.id, flags: this.#flags };
  }

  again() {
    return this.#jobs.size > 0;
  }

  take(frame) {
    if (frame.kind === Kind.progressed) this.#progressed = frame;
    for (const job of this.#jobs) job.take(frame);
    return this.isLast(frame);
  }

  fail(error) {
    for (const job of this.#jobs) job.fail(error);
  }

  isLast({ kind }) {
    return kind === Kind.settled || kind === Kind.refused;
  }
}

export class Cancel extends Ask {
  constructor(id) {
    super();
    this.id = id;
  }

  frame() {
    return { kind: Kind.cancel, id: this.id };
  }

  valueOf(frame) {
    return { rung: rungs[numberAt(frame, 0)], state: states[numberAt(frame, 1, 8)] };
  }
}

// Those that change nothing: all others are not asked twice.
const reading = new Set([
  "status", "workers", "worker", "show", "ls", "dead-ls", "dead-export", "config", "types", "log", "breakers", "alerts", "autopsy",
]);

export class Request extends Ask {
  constructor(verb, args, payload) {
    super();
    this.verb = verb;
    this.args = args;
    this.payload = payload;
    this.verbNumber = verbs.indexOf(verb);
    if (this.verbNumber < 1) throw new TypeError(`there is no verb ${verb}; there are ${verbs.slice(1).join(", ")}`);
  }

  frame() {
    return { kind: Kind.request, meta: [this.verbNumber, ...this.args], payload: this.payload };
  }

  again() {
    return reading.has(this.verb);
  }

  fail(error) {
    if (!this.sent || this.again() || !(error instanceof Disconnected)) return this.reject(error);
    this.reject(new Unknown(`${error.message}; whether ${this.verb} was done is not known`, error.code));
  }

  valueOf(frame) {
    return JSON.parse(frame.payload.toString("utf8"));
  }
}
