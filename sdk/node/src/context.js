// What a handler may know of its run, and do in it.
import fs from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { format } from "node:util";
import { pack, unpack } from "./content.js";
import { at, millisecondsAt, numberAt } from "./frame.js";
import { causes, checkpointBytesMax, contents, Flag } from "./words.js";

const progressIntervalMs = 100;
const progressTextBytesMax = 1024;
const partialBytesMax = 64 * 1024;
const reasonBytesMax = 255;
const gaugeName = /^[A-Za-z0-9_.-]{1,32}$/;

/** Why a handler's signal is aborted: `cause` is a word of docs/protocol.md, section 8. */
export class RunEnded extends Error {
  constructor(cause) {
    super(cause === "drained" ? "the worker was told to end" : `the run was ended: ${cause}`);
    this.cause = cause;
  }
  get name() {
    return "AbortError";
  }
}

// At most `most` bytes of UTF-8, without NUL, ending with a whole character.
export function cutText(text, most) {
  const bytes = Buffer.from(String(text).replaceAll("\0", "\ufffd"));
  if (bytes.length <= most) return bytes.toString();
  let end = most;
  while ((bytes[end] & 0xc0) === 0x80) --end;
  return bytes.toString("utf8", 0, end);
}

export class Context {
  #abort = new AbortController();
  #sendProgress;
  #sendReport;
  #partial; // the last that was given and not sent
  #latest; // a report that waits until it may be sent
  #due = 0;
  #timer;
  #directory;
  #sendCheckpoint;
  #wanted = false; // a checkpoint
  #watchers = []; // of that

  constructor(assign, type, sendProgress, sendReport = () => {}, sendCheckpoint = () => false, remains = { number: 0, bytes: Buffer.alloc(0) }) {
    this.task = assign.id;
    this.round = assign.round;
    this.attempt = assign.attempt;
    this.token = assign.token;
    this.type = type;
    this.bytes = assign.payload;
    this.content = contents[assign.flags & 3];
    this.failures = numberAt(assign, 2);
    this.crashes = numberAt(assign, 3);
    this.timeout = millisecondsAt(assign, 0) || undefined;
    /** Made by the daemon for this attempt alone; undefined where its class has no directory = "fresh". */
    this.directory = at(assign, 4, "") || undefined;
    const left = millisecondsAt(assign, 1) || Infinity;
    this.#sendProgress = sendProgress;
    this.#sendReport = sendReport;
    this.#sendCheckpoint = sendCheckpoint;
    /** What an earlier attempt of this task left with checkpoint(); undefined if none did. */
    this.restored = remains.bytes.length === 0 ? undefined : unpack(remains.number, remains.bytes);
    const ends = Date.now() + left;
    // Of the whole task, and of this run from when it begins.
    this.deadline = Number.isFinite(ends) ? ends : undefined;
  }

  /** Aborted when the daemon wants this run to end: a cancel, its time, the end of the worker. */
  get signal() {
    return this.#abort.signal;
  }

  get cancelled() {
    return this.signal.aborted;
  }

  /**
   * How much is done, 0 to 1000. Reports that come faster than ten a second are thinned; the last one always goes out. partial: what there
   * is of the result so far, a value as a result may be, at most 64 KiB, for who waits; each stands for the whole. Nobody keeps it.
   */
  progress(permille, text = "", { partial } = {}) {
    if (!(permille >= 0 && permille <= 1000)) throw new RangeError(`progress takes 0 to 1000 permille, not ${permille}`);
    if (partial !== undefined) {
      const packed = pack(partial);
      if (packed.bytes.length > partialBytesMax) {
        throw new RangeError(`the partial result has ${packed.bytes.length} bytes, at most ${partialBytesMax} are passed on; pass on a part`);
      }
      this.#partial = packed;
    }
    this.#latest = [Math.round(permille), cutText(text, progressTextBytesMax)];
    const wait = this.#due - performance.now();
    if (wait <= 0) this.#flush();
    else this.#timer ??= setTimeout(() => this.#flush(), wait);
  }

  /**
   * Leaves what the next attempt could go on from (its `restored`), should this one not finish: a value as a result may be, at most
   * 256 KiB; undefined takes the last one away. False: this daemon keeps none.
   */
  checkpoint(value) {
    const { number, bytes } = pack(value);
    if (bytes.length > checkpointBytesMax) {
      throw new RangeError(`the checkpoint has ${bytes.length} bytes, at most ${checkpointBytesMax} are kept; keep a path to the rest in it`);
    }
    this.#wanted = false;
    return this.#sendCheckpoint({ flags: number, payload: bytes });
  }

  /** The daemon asks for one, because a while has passed or this worker is to end: true until the next checkpoint(). */
  get checkpointWanted() {
    return this.#wanted;
  }

  /** Resolves when one is wanted, at once if it is. */
  whenCheckpointWanted() {
    return this.#wanted ? Promise.resolve() : new Promise((resolve) => this.#watchers.push(resolve));
  }

  /** A whole number about this worker, for people: stays until it is set again or taken away (null). At most 16 names. */
  gauge(name, value) {
    if (!gaugeName.test(name)) throw new RangeError(`a gauge's name is 1 to 32 of A-Z a-z 0-9 _ . -, not ${name}`);
    const isNumber = typeof value === "bigint" ? BigInt.asIntN(64, value) === value : Number.isSafeInteger(value);
    if (value !== null && !isNumber) throw new RangeError(`a gauge takes a whole number, or null, not ${value}`);
    this.#sendReport(`gauge ${name}`, { meta: [[`${name}=${value ?? ""}`]] });
  }

  /** This worker does less than it should: it is given tasks when no healthy one is free, until well() is called. */
  degraded(reason) {
    this.#sendReport("health", { flags: Flag.degraded, meta: [null, cutText(reason, reasonBytesMax)] });
  }

  /** It is degraded no more; also what an earlier task said. */
  well() {
    this.#sendReport("health", { flags: Flag.well });
  }

  /** A line to standard error, which the daemon keeps. */
  log(...values) {
    process.stderr.write(`${format(...values)}\n`);
  }

  /**
   * A directory for this run alone, removed after it: the daemon's, else one that is made now. With `directory = "kept"` of its class
   * that of its worker's place, which stays.
   */
  workdir() {
    const given = this.directory ?? process.env.WARMPOOL_DIRECTORY;
    if (given !== undefined) return Promise.resolve(given);
    this.#directory ??= fs.mkdtemp(path.join(os.tmpdir(), `warmpool-${this.task}-`));
    return this.#directory;
  }

  // --- For the worker ---

  begin() {
    if (this.timeout !== undefined) this.deadline = Math.min(this.deadline ?? Infinity, Date.now() + this.timeout);
  }

  end(cause) {
    if (!this.cancelled) this.#abort.abort(new RunEnded(cause));
  }

  ask() {
    this.#wanted = true;
    for (const watcher of this.#watchers.splice(0)) watcher();
  }

  endBy(causeNumber) {
    this.end(causes[causeNumber] ?? "cancelled");
  }

  /** What was reported and not sent goes out before the answer. */
  async close() {
    this.#flush();
    this.progress = () => {};
    if (this.#directory === undefined) return;
    try {
      await fs.rm(await this.#directory, { recursive: true, force: true });
    } catch (error) {
      this.log(`warmpool: ${error.message}`);
    }
  }

  #flush() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#latest === undefined) return;
    const latest = this.#latest;
    const partial = this.#partial;
    this.#latest = this.#partial = undefined;
    this.#due = performance.now() + progressIntervalMs;
    this.#sendProgress(latest, partial);
  }
}
