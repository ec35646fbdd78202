// What handlers print while several tasks are in hand, told apart: each piece that is known to be of a task goes out between two
// marks (docs/protocol.md, section 1), in whole lines, so that those of several do not run into each other. Whose a piece is, is
// known from the asynchronous context in which it was written. What a program that a handler starts writes has no marks.
import { AsyncLocalStorage } from "node:async_hooks";
import { Writable } from "node:stream";

const pipeBytes = 4096; // that one write puts into a pipe as one
const lineFeed = 10;
const none = Buffer.alloc(0);
const nobody = mark(0n);
const recordBytesMax = pipeBytes - 2 * nobody.length;
const unendedBytesMax = 16 * 1024; // of a line that has not ended: more than the daemon keeps of one
const opens = "\x1e"; // a mark
const pictureBytes = Buffer.from("\u241e").toString("latin1"); // of it, as the daemon shows it

const running = new AsyncLocalStorage();
const writes = new Map(); // of the streams that are divided: how they write

function mark(id) {
  return Buffer.from(`\x1e${id.toString(16).padStart(16, "0")}\x1f`);
}

/** From here on process.stdout and process.stderr mark what is written within a task. Once. */
export function divide() {
  for (const stream of [process.stdout, process.stderr]) {
    writes.set(stream, stream.write.bind(stream));
    stream.write = (chunk, encoding, done) => written(stream, chunk, encoding, done);
  }
}

/** Calls the handler of a task. */
export function within(id, handler) {
  return writes.size === 0 ? handler() : running.run({ id, unended: new Map(), ended: false }, handler);
}

/** Of a task, in whose context this is called: what has no end leaves. Order: before its answer. */
export function endOutput() {
  const task = running.getStore();
  if (task === undefined) return;
  for (const [stream, rest] of task.unended) say(stream, task, rest);
  task.unended.clear();
  task.ended = true;
}

/**
 * Resolves when all that was printed is out of this process, or after so long where nobody reads it; undefined where it is out already.
 * Pipes take 64 KiB at once, and Node holds the rest: what leaves after the answer would be taken for the next task's.
 */
export function unwritten(withinMs) {
  const late = [process.stdout, process.stderr].filter((stream) => stream.writableLength > 0 && !stream.writableEnded && !stream.destroyed);
  if (late.length === 0) return undefined;
  const leaves = late.map((stream) => new Promise((resolve) => Writable.prototype.write.call(stream, "", resolve)));
  let timer;
  const tooLate = new Promise((resolve) => (timer = setTimeout(resolve, withinMs)));
  return Promise.race([Promise.all(leaves), tooLate]).finally(() => clearTimeout(timer));
}

function written(stream, chunk, encoding, done) {
  const task = running.getStore();
  if (task === undefined) return writes.get(stream)(chunk, encoding, done);
  if (typeof encoding === "function") [encoding, done] = [undefined, encoding];
  const bytes = withoutMarks(typeof chunk === "string" ? Buffer.from(chunk, encoding) : Buffer.from(chunk));
  const held = task.unended.get(stream) ?? none;
  const begins = held.length < unendedBytesMax ? 0 : bytes.includes(lineFeed) ? bytes.indexOf(lineFeed) : bytes.length;
  const whole = Buffer.concat([held, bytes.subarray(begins)]);
  const ends = task.ended ? whole.length : whole.lastIndexOf(lineFeed) + 1; // nobody would flush what it still holds
  task.unended.set(stream, whole.subarray(ends, ends + unendedBytesMax));
  return say(stream, task, whole.subarray(0, ends), typeof done === "function" ? done : undefined);
}

// What is printed is no mark, whatever it looks like.
function withoutMarks(bytes) {
  return bytes.includes(opens) ? Buffer.from(bytes.toString("latin1").replaceAll(opens, pictureBytes), "latin1") : bytes;
}

function say(stream, task, lines, done) {
  let goesOn = !stream.writableNeedDrain;
  if (lines.length === 0 && done !== undefined) process.nextTick(done); // it waits for its line's end
  while (lines.length > 0) {
    const count = lines.length <= recordBytesMax ? lines.length
      : lines.lastIndexOf(lineFeed, recordBytesMax - 1) + 1 || lines.indexOf(lineFeed) + 1 || lines.length;
    const record = Buffer.concat([mark(task.id), lines.subarray(0, count), nobody]);
    lines = lines.subarray(count);
    goesOn = writes.get(stream)(record, lines.length === 0 ? done : undefined);
  }
  return goesOn;
}
