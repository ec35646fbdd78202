// A worker: says which types it handles, then serves the daemon that started it.
//
// The event loop is the worker: while a handler awaits, recalls, cancels and pings are answered;
// while one computes, nothing is, and nobody is wronged by that, because silence alone never ends a
// worker that has a task. Runs begin on a turn of the loop of their own (setImmediate), so that
// what the daemon has sent meanwhile (a recall, a cancel) is read before each.
import { Channel, said } from "./channel.js";
import { pack, unpack } from "./content.js";
import { Context, cutText } from "./context.js";
import { Disconnected, Failed } from "./errors.js";
import { at, millisecondsAt, nanoseconds, numberAt, version } from "./frame.js";
import { givenChannel, NoChannel } from "./given_channel.js";
import { onlyOptions } from "./options.js";
import { divide, endOutput, unwritten, within } from "./output.js";
import { dial, placeOf } from "./place.js";
import { Registry } from "./registry.js";
import { forWorker } from "./rules.js";
import { after, atMost } from "./timer.js";
import { checkType } from "./wishes.js";
import { Feature, Flag, Kind } from "./words.js";

/** What run() resolves with, and what the process ends with. */
export const Status = Object.freeze({ retired: 0, noChannel: 2, daemonGone: 69, protocol: 76 });

const errorBytesMax = 64 * 1024;
const creditsMax = 64;
const joinWaitMs = { first: 100, most: 5000 }; // between two attempts to join
const endWaitMs = 1000; // within the daemon's term_grace [3 s]
const outputWaitMs = 5000; // for a daemon that does not read what was printed before an answer
const typesMax = 64; // of a worker that joins
const handlers = new Registry();

/**
 * Order: before run(). A type that is handled already gets the new handler. A type may hold * and
 * ?, as `types` of a class: an exact one goes first, then the one that was made first.
 */
export function task(type, options, handler) {
  if (typeof options === "function") [options, handler] = [{}, options];
  if (typeof type !== "string" || type === "") {
    throw new TypeError("task takes the name of a type, options and a handler");
  }
  checkType(type);
  if (typeof handler !== "function") throw new TypeError(`the handler of ${type} is no function`);
  onlyOptions(`task ${type}`, options, ["timeout"]);
  const { timeout } = options ?? {};
  if (timeout !== undefined && !(typeof timeout === "number" && timeout > 0)) {
    throw new RangeError(`timeout is a number of milliseconds above 0, not ${timeout}`);
  }
  handlers.set(type, { timeout, handler });
  return handler;
}

export function types() {
  return handlers.types;
}

const toldToEnd = "the worker was told to end";
const leftAlone = "the daemon closed the channel without retiring this worker";

class Attempt {
  constructor(assign, type, sendProgress, sendReport, sendCheckpoint) {
    this.assign = assign;
    this.key = keyOf(assign);
    const bytes = assign.payload.length - numberAt(assign, 5);
    const left = { number: numberAt(assign, 6), bytes: assign.payload.subarray(bytes) };
    assign.payload = assign.payload.subarray(0, bytes);
    const progress = (meta, partial) => sendProgress(this, meta, partial);
    const checkpoint = (fields) => sendCheckpoint(this, fields);
    this.context = new Context(assign, type, progress, sendReport, checkpoint, left);
  }

  answer(kind, fields) {
    const { id, token, round, attempt } = this.assign;
    return { kind, id, token, round, attempt, ...fields };
  }
}

function keyOf(frame) {
  return `${frame.token}/${frame.id}/${frame.round}/${frame.attempt}`;
}

class Worker {
  #given;
  #channel;
  #known;
  #resolve;
  #types = new Map();
  #waiting = [];
  #running = new Map();
  #wanted;
  #features = 0;
  #resultBytesMax = 0;
  #welcomed = false;
  #retiring = false;
  #terminating = false;
  #pumpDue = false;
  #beats;
  #late; // at its end by SIGTERM
  #status; // once it is known
  #closing;
  #gone = false; // the daemon, of a worker that joined by itself
  /** Whether another daemon may take it: this one ended, or said so. */
  again = false;
  get welcomed() {
    return this.#welcomed;
  }

  constructor(given, known, { name, closing }) {
    this.#given = given;
    this.#known = known;
    this.#closing = closing;
    if (given.marks) divide();
    this.#channel = new Channel(given.readable, given.writable, forWorker, {
      frame: (frame) => this.#take(frame),
      end: (error) => this.#ended(error),
    });
    this.#wanted = Feature.credits | Feature.cancel | Feature.progress | Feature.report |
      Feature.directory | Feature.checkpoint | Feature.partial | (given.fifos ? 0 : Feature.recall);
    if (given.joins) this.#wanted |= Feature.registered;
    const meta = [1, version, version, this.#wanted, cutText(name, 255), process.pid];
    if (given.joins) meta.push(given.workerClass, known.types, given.concurrency);
    const { worker: id, token, credits } = given;
    this.#channel.send({ kind: Kind.hello, id, token, credits, meta });
  }

  async run() {
    const terminate = () => (this.#given.joins ? this.#leave() : this.#terminate());
    process.on("SIGTERM", terminate);
    const status = await new Promise((resolve) => (this.#resolve = resolve));
    clearInterval(this.#beats);
    clearTimeout(this.#late);
    for (const { context } of this.#running.values()) context.end("drained");
    try {
      await this.#closing?.();
    } catch (error) {
      say(`closing failed: ${error?.stack ?? error}`);
    }
    await this.#channel.finish();
    this.#channel.destroy();
    process.off("SIGTERM", terminate);
    return status;
  }

  #take(frame) {
    if (this.#status !== undefined || this.#gone) return;
    switch (frame.kind) {
      case Kind.welcome: return this.#welcome(frame);
      case Kind.error:
        this.again = numberAt(frame, 0, 0) >= 100 && numberAt(frame, 0, 0) < 200;
        return this.#finish(Status.protocol, `the daemon says ${said(frame)}`);
      case Kind.typeName: return void this.#types.set(frame.type, at(frame, 0, ""));
      case Kind.assign: return this.#assigned(frame);
      case Kind.cancelAttempt: return this.#cancel(frame);
      case Kind.recall: return this.#recall(frame);
      case Kind.checkpointPlease: return this.#running.get(keyOf(frame))?.context.ask();
      case Kind.retire:
        this.#retiring = true;
        this.again = (frame.flags & Flag.comeAgain) !== 0;
        return this.#finishWhenIdle();
      case Kind.pong: return undefined;
      default: return this.#broken(`the daemon sent a frame of kind ${frame.kind}`);
    }
  }

  #welcome(frame) {
    if (this.#welcomed) return this.#broken("the daemon said welcome twice");
    const spoken = numberAt(frame, 0, version);
    if (spoken !== version) {
      const text = `the daemon speaks version ${spoken} of the protocol, which was not offered`;
      return this.#broken(text);
    }
    this.#welcomed = true;
    const agreed = Number(BigInt.asUintN(31, BigInt(at(frame, 1, 0))));
    this.#features = this.#channel.features = this.#wanted & agreed;
    this.#channel.bodyBytesMax = numberAt(frame, 2);
    this.#resultBytesMax = numberAt(frame, 7) || this.#channel.bodyBytesMax;
    const interval = millisecondsAt(frame, 5);
    const beat = () => this.#channel.full || this.#channel.send({ kind: Kind.beat });
    if (interval > 0) this.#beats = setInterval(beat, atMost(interval));
  }

  #assigned(frame) {
    const type = this.#types.get(frame.type);
    if (!this.#welcomed || type === undefined) {
      return this.#broken("the daemon assigned a task of a type that it had not named");
    }
    const { credits } = this.#given;
    if (this.#waiting.length + this.#running.size >= credits) {
      return this.#broken(`the daemon assigned beyond the credits of hello (${credits})`);
    }
    if (numberAt(frame, 5) > frame.payload.length) {
      return this.#broken("the daemon assigned a checkpoint that is longer than its payload");
    }
    const attempt = this.#attemptOf(frame, type);
    if (this.#terminating && !this.#given.joins) return this.#refuse(attempt, toldToEnd);
    this.#waiting.push(attempt);
    this.#pumpSoon();
  }

  #attemptOf(frame, type) {
    const offer = (key, answer) => this.#channel.offer(key, answer);
    const progress = (from, meta, partial) => {
      if (!(this.#features & Feature.progress)) return;
      const has = partial !== undefined && (this.#features & Feature.partial) !== 0;
      const beside = has ? { flags: partial.number, payload: partial.bytes } : {};
      // The latest of each stands for those before it; one without a part replaces none with it.
      const about = `${has ? "partial" : "progress"} ${from.key}`;
      offer(about, from.answer(Kind.progress, { meta, ...beside }));
    };
    const report = (about, fields) => {
      if (this.#features & Feature.report) offer(about, { kind: Kind.report, ...fields });
    };
    const checkpoint = (from, fields) => {
      const keeps = (this.#features & Feature.checkpoint) !== 0;
      if (keeps) offer(`checkpoint ${from.key}`, from.answer(Kind.checkpoint, fields));
      return keeps;
    };
    return new Attempt(frame, type, progress, report, checkpoint);
  }

  #pumpSoon() {
    if (this.#pumpDue) return;
    this.#pumpDue = true;
    setImmediate(() => {
      this.#pumpDue = false;
      if (this.#waiting.length === 0 || this.#running.size >= this.#given.concurrency) return;
      const attempt = this.#waiting.shift();
      this.#running.set(attempt.key, attempt);
      this.#execute(attempt);
      const goesOn = this.#waiting.length > 0 && this.#running.size < this.#given.concurrency;
      if (goesOn) this.#pumpSoon();
    });
  }

  async #execute(attempt) {
    const begun = performance.now();
    const fields = await within(attempt.assign.id, async () => {
      const answer = await this.#answerOf(attempt);
      endOutput();
      return answer;
    });
    fields.type = Math.min(Math.round((performance.now() - begun) * 1000), 65535);
    await attempt.context.close();
    // What a worker that joined prints does not go to the daemon, and perhaps nobody reads it.
    if (!this.#given.joins) await unwritten(outputWaitMs);
    if (!this.#running.delete(attempt.key)) return; // answered in its place
    this.#channel.send(attempt.answer(fields.kind, fields));
    if (this.#waiting.length > 0) this.#pumpSoon();
    this.#finishWhenIdle();
  }

  async #answerOf({ assign, context }) {
    const known = this.#known.find(context.type);
    if (known === undefined) {
      const only = cutText(this.#known.types.join(", "), 1000);
      return this.#failure(2, `this worker does not handle the type ${context.type}, ` +
        `only ${only}; correct \`types\` of its class, or its program`);
    }
    context.begin();
    const { timeout } = known;
    const callOff = timeout === undefined ? () => {} : after(timeout, () => context.end("timeout"));
    try {
      const result = await known.handler(unpack(assign.flags & 3, assign.payload), context);
      const { number, bytes } = pack(result === undefined ? null : result);
      if (bytes.length > this.#resultBytesMax) {
        return this.#failure(2, `the result has ${bytes.length} bytes, ` +
          `allowed are ${this.#resultBytesMax}; return a path instead, or raise result_bytes_max`);
      }
      return { kind: Kind.done, flags: number, payload: bytes };
    } catch (error) {
      return this.#thrown(error, context);
    } finally {
      callOff();
    }
  }

  // Always an answer, whatever a handler has thrown: an attempt without one ends with its worker.
  #thrown(error, context) {
    try {
      return this.#told(error, context);
    } catch {
      return this.#failure(1, "what the handler threw cannot be told");
    }
  }

  // Of an error that was meant its text is all; the stack of another tells where.
  #told(error, context) {
    if (error instanceof Failed) return this.#failure(error.outcome, error.message, error.ms);
    if (context.cancelled && error?.name === "AbortError") {
      return this.#failure(1, context.signal.reason.message);
    }
    return this.#failure(1, error instanceof Error ? error.stack : String(error));
  }

  #failure(outcome, text, ms) {
    return {
      kind: Kind.failed, flags: 1, meta: [outcome, nanoseconds(ms, "ms")],
      payload: Buffer.from(cutText(text, Math.min(errorBytesMax, this.#resultBytesMax))),
    };
  }

  #refuse(attempt, message) {
    const fields = this.#failure(1, message);
    this.#channel.send(attempt.answer(fields.kind, fields));
  }

  #takeWaiting(frame) {
    const place = this.#waiting.findIndex((attempt) => attempt.key === keyOf(frame));
    return place < 0 ? undefined : this.#waiting.splice(place, 1)[0];
  }

  #cancel(frame) {
    const waiting = this.#takeWaiting(frame);
    if (waiting !== undefined) this.#refuse(waiting, "cancelled before it started");
    else this.#running.get(keyOf(frame))?.context.endBy(numberAt(frame, 0, 13));
    this.#finishWhenIdle();
  }

  #recall(frame) {
    const waiting = this.#takeWaiting(frame);
    const { id, token, round, attempt } = frame;
    const flags = waiting === undefined ? 0 : Flag.returned;
    this.#channel.send({ kind: Kind.recalled, id, token, round, attempt, flags });
    this.#finishWhenIdle();
  }

  // SIGTERM: end now. Handlers that heed their signal answer themselves; for the others it is done.
  #terminate() {
    if (this.#terminating) return;
    this.#terminating = true;
    for (const attempt of this.#waiting.splice(0)) this.#refuse(attempt, toldToEnd);
    for (const { context } of this.#running.values()) context.end("drained");
    this.#late = setTimeout(() => {
      for (const attempt of this.#running.values()) {
        this.#refuse(attempt, `${toldToEnd}, and the handler did not heed it`);
      }
      this.#running.clear();
      this.#finishWhenIdle();
    }, endWaitMs);
    this.#finishWhenIdle();
  }

  // SIGTERM to one that joined by itself: it finishes what it has; the daemon says when all is.
  #leave() {
    if (this.#terminating) return;
    this.#terminating = true;
    if (this.#features & Feature.registered) this.#channel.send({ kind: Kind.leave });
    else if (!this.#gone) this.#finish(Status.retired);
  }

  // The next daemon may not give to others what still runs here: it is told, and waited for.
  #lost(error) {
    this.#gone = this.again = true;
    this.#waiting = [];
    for (const { context } of this.#running.values()) context.end("interrupted");
    if (error?.name === "ProtocolError") this.again = false;
    this.#finishWhenIdle();
  }

  #finishWhenIdle() {
    if (this.#gone && this.#running.size === 0) {
      const why = this.#given.waits && this.again ? undefined : leftAlone;
      return this.#finish(this.again ? Status.daemonGone : Status.protocol, why);
    }
    const ending = this.#retiring || (this.#terminating && !this.#given.joins);
    const isIdle = this.#running.size === 0 && this.#waiting.length === 0;
    if (ending && isIdle) this.#finish(Status.retired);
  }

  #ended(error) {
    const isExpected = this.#retiring && this.#running.size === 0;
    if (this.#given.joins && !isExpected) return this.#lost(error);
    if (this.#retiring || this.#terminating) return this.#finish(Status.retired);
    if (error?.name === "ProtocolError") return this.#broken(error.message);
    return this.#finish(Status.daemonGone, leftAlone);
  }

  #broken(why) {
    return this.#finish(Status.protocol, why);
  }

  #finish(status, why) {
    if (this.#status !== undefined) return;
    this.#status = status;
    if (why !== undefined) (this.#given.say ?? say)(why);
    this.#resolve(status);
  }
}

function say(text) {
  process.stderr.write(`warmpool worker: ${text}\n`);
}

/**
 * Joins a daemon that did not start this process, and the next one when that ends (unless
 * `reconnect` is false). SIGTERM: finishes what is in hand and leaves.
 */
async function join(joining, options) {
  onlyOptions("join", joining, ["socket", "workerClass", "concurrency", "reconnect"]);
  const { socket, workerClass = "joined", concurrency = 1, reconnect = true } = joining;
  if (!Number.isInteger(concurrency) || concurrency < 1 || concurrency > creditsMax) {
    throw new TypeError(`concurrency is a whole number from 1 to ${creditsMax}`);
  }
  const count = handlers.types.length;
  if (count > typesMax) {
    throw new RangeError(`a worker that joins says at most ${typesMax} types, not ${count}; ` +
      "use patterns, as image.*");
  }
  const place = placeOf(socket);
  let told = false;
  let wake = () => {};
  // Each new reason once, however often it is met while it tries again.
  let last = "";
  const sayNew = (text) => {
    if (text !== last) say(text);
    last = text;
  };
  const terminate = () => {
    told = true;
    wake();
  };
  process.on("SIGTERM", terminate);
  try {
    for (let first = true, wait = joinWaitMs.first; ; first = false) {
      const begun = performance.now();
      let status = Status.daemonGone;
      let again = !first;
      try {
        const stream = await dial(place);
        const given = {
          worker: 0n, token: 0n, credits: creditsMax, concurrency, joins: true, workerClass,
          readable: stream, writable: stream, fifos: false, say: sayNew, waits: reconnect,
        };
        const worker = new Worker(given, handlers, { name: options.name });
        status = await worker.run();
        again = worker.again;
        if (worker.welcomed) last = "";
        if (worker.welcomed && again && reconnect && !told) {
          sayNew("the daemon has ended; waiting for the next");
        }
      } catch (error) {
        if (!(error instanceof Disconnected)) throw error;
        sayNew(error.message);
      }
      if (told) return Status.retired;
      if (!again || !reconnect) return status;
      if (performance.now() - begun > joinWaitMs.most) wait = joinWaitMs.first;
      const waited = wait;
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, waited);
        wake = () => (clearTimeout(timer), resolve());
      });
      if (told) return Status.retired;
      wait = Math.min(2 * wait, joinWaitMs.most);
    }
  } finally {
    process.off("SIGTERM", terminate);
    await options.closing?.();
  }
}

/**
 * Serves until retired, told to end by SIGTERM, or left by the daemon; then ends the process
 * (`exit: false`: resolves with the status instead). `closing` is called before, when all is
 * answered, for what handlers keep open.
 */
export async function run(options = {}) {
  onlyOptions("run", options, ["name", "closing", "exit", "join"]);
  const { name = "node", closing, exit = true, join: joining } = options;
  let status;
  try {
    status = await (joining !== undefined
      ? join(joining, { name, closing })
      : new Worker(givenChannel(), handlers, { name, closing }).run());
  } catch (error) {
    if (!(error instanceof NoChannel)) throw error;
    say(error.message);
    status = Status.noChannel;
  }
  if (exit) {
    await unwritten(endWaitMs);
    process.exit(status);
  }
  return status;
}
