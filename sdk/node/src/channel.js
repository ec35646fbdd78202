// A connection that speaks frames. What is sent within one turn of the event loop goes out in one write.
import { at, encodeFrame, FrameReader } from "./frame.js";
import { check } from "./rules.js";
import { Kind } from "./words.js";

const unsentBytesMax = 256 * 1024;

export class Channel {
  #readable;
  #writable;
  #reader = new FrameReader();
  #corked = false;
  #over = false;
  #kept = new Map(); // by key: see offer()
  #takes;
  #rules;
  /** Those that were agreed. */
  features = 0;

  /**
   * A socket, or one stream for each direction. `takes.frame(frame)` is called for each frame but pings, `takes.end(error)` once,
   * when nothing more will come: with what went wrong, or without; `takes.drain()` when there is room again that was not.
   * `rules`: what may come.
   */
  constructor(readable, writable, rules, takes) {
    this.#rules = rules;
    this.#readable = readable;
    this.#writable = writable;
    this.#takes = takes;
    readable.on("data", (piece) => this.#read(piece));
    readable.on("end", () => this.#end());
    for (const stream of new Set([readable, writable])) {
      stream.on("error", (error) => this.#end(error));
      stream.on("close", () => this.#end());
    }
    writable.on("drain", () => {
      this.#flush();
      takes.drain?.();
    });
  }

  /** More waits to be written than should: the other end does not read. Nothing is lost by a send, but all is held in memory. */
  get full() {
    return this.#writable.writableLength > unsentBytesMax;
  }

  get bodyBytesMax() {
    return this.#reader.bodyBytesMax;
  }
  set bodyBytesMax(bytes) {
    this.#reader.bodyBytesMax = bytes;
  }

  send(frame) {
    if (this.#over) return;
    this.#flush();
    const pieces = encodeFrame(frame); // before the cork: it throws for what fits in no frame
    if (!this.#corked) {
      this.#corked = true;
      this.#writable.cork();
      setImmediate(() => {
        this.#corked = false;
        this.#writable.uncork();
      });
    }
    for (const piece of pieces) this.#writable.write(piece);
  }

  /** The same, but while there is no room only the last frame of each key is kept. Order: whatever is sent later goes out later. */
  offer(key, frame) {
    if (!this.full) return this.send(frame);
    this.#kept.delete(key);
    this.#kept.set(key, frame);
  }

  #flush() {
    if (this.#kept.size === 0) return;
    const kept = [...this.#kept.values()];
    this.#kept.clear();
    for (const frame of kept) this.send(frame);
  }

  /** Resolves when all that was sent is written, or cannot be; or after `withinMs`, where the other end does not read. */
  finish(withinMs) {
    if (this.#over) return Promise.resolve();
    this.#flush();
    return new Promise((resolve) => {
      const late = withinMs === undefined ? undefined : setTimeout(resolve, withinMs);
      const finished = () => {
        clearTimeout(late);
        resolve();
      };
      this.#writable.on("close", finished);
      this.#writable.on("error", finished);
      this.#writable.end(finished);
    });
  }

  destroy() {
    this.#over = true;
    this.#readable.destroy();
    this.#writable.destroy();
  }

  /** Nothing more is read until resume(). */
  pause() {
    this.#readable.pause();
  }

  resume() {
    this.#readable.resume();
  }

  ref() {
    for (const stream of new Set([this.#readable, this.#writable])) stream.ref();
  }

  unref() {
    for (const stream of new Set([this.#readable, this.#writable])) stream.unref();
  }

  #read(piece) {
    if (this.#over) return;
    this.#reader.push(piece);
    let frame;
    try {
      while (!this.#over && (frame = this.#reader.next()) !== undefined) {
        check(frame, this.#rules, this.features);
        if (frame.kind === Kind.ping) this.send({ kind: Kind.pong, token: frame.token });
        else this.#takes.frame(frame);
      }
    } catch (error) {
      this.#end(error);
    }
  }

  #end(error) {
    if (this.#over) return;
    this.destroy();
    this.#takes.end(error);
  }
}

/** What an error frame says, for people. */
export function said(frame) {
  return `${Number(at(frame, 0, 0))}: ${at(frame, 1, "")}`;
}
