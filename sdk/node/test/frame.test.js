// The words and frames of this package against docs/protocol.md.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { PassThrough, Writable } from "node:stream";
import { test } from "node:test";
import { Channel } from "../src/channel.js";
import { encodeFrame, FrameReader, nanoseconds } from "../src/frame.js";
import { pack, unpack, withContent } from "../src/content.js";
import { cutText } from "../src/context.js";
import { forWorker } from "../src/rules.js";
import * as words from "../src/words.js";
import { source } from "./pool.js";

const { Kind } = words;
const page = fs.readFileSync(path.join(source, "docs/protocol.md"), "utf8");
const examples = new Map(
  [...page.matchAll(/```hex (\S+)\n([\s\S]*?)```/g)].map(([, name, text]) => [name, Buffer.from(text.replace(/#.*/g, "").replace(/\s/g, ""), "hex")]),
);

/** Rows of the page's first table below a heading, without its head. */
function tableBelow(heading) {
  const lines = page.split(`${heading}\n`)[1].split("\n");
  const end = lines.findIndex((line) => line.startsWith("#"));
  return lines.slice(0, end).filter((line) => line.startsWith("|")).slice(2).map((row) => row.slice(1, -1).split("|").map((cell) => cell.trim()));
}

const camel = (name) => name.replace(/-(.)/g, (_, letter) => letter.toUpperCase());
const encoded = (frame) => Buffer.concat(encodeFrame(frame));

function framesOf(pieces, bodyBytesMax = 4096) {
  const reader = new FrameReader();
  reader.bodyBytesMax = bodyBytesMax;
  const frames = [];
  for (const piece of pieces) {
    reader.push(piece);
    for (let frame; (frame = reader.next()) !== undefined; ) frames.push(frame);
  }
  return frames;
}

test("the words are those of the page", () => {
  assert.deepEqual(words.Kind, Object.fromEntries(tableBelow("## 4. Kinds").map(([number, name]) => [camel(name), Number(number)])));
  assert.deepEqual(words.Feature, Object.fromEntries(tableBelow("## 3. Features").map(([bit, name]) => [camel(name), Number(bit)])));
  for (const [heading, list] of [
    ["### Content", words.contents], ["### Verdict", words.verdicts], ["### End cause", words.causes], ["### Outcome", words.outcomes],
    ["### Task state", words.states], ["### Rung", words.rungs], ["### Durability", words.durabilities],
  ]) {
    assert.deepEqual(list, tableBelow(heading).map(([, name]) => name), heading);
  }
  assert.deepEqual(words.verbs.slice(1), tableBelow("## 6. Requests").map(([, name]) => name));
});

test("what is made is what the page shows", () => {
  const id = 0x30000000011n;
  for (const [name, frame] of Object.entries({
    "hello-client": { kind: 1, meta: [0, 1, 1, 16, "example", 4711] },
    "submit-plain": { kind: 16, flags: 17, token: 7n, meta: [undefined, null], payload: Buffer.from("/etc/hostname") },
    "failed-retry-after": {
      kind: 65, flags: 1, id, token: 0x1122334455667788n, round: 1, attempt: 2, type: 95, meta: [3, nanoseconds(60_000)], payload: Buffer.from("busy"),
    },
  })) {
    assert.deepEqual(encoded(frame), examples.get(name), name);
  }
});

test("every example is read and made again, in whatever pieces it comes", () => {
  assert.ok(examples.size > 10);
  const all = Buffer.concat([...examples.values()]);
  for (const size of [1, 31, 33, all.length]) {
    const pieces = Array.from({ length: Math.ceil(all.length / size) }, (_, place) => all.subarray(place * size, (place + 1) * size));
    const frames = framesOf(pieces);
    assert.equal(frames.length, examples.size);
    // Numbers of any width are the same number: what the page writes wide is made as narrow as it is.
    for (const [place, name] of [...examples.keys()].entries()) {
      const again = framesOf([encoded(frames[place])])[0];
      const comparable = (frame) => ({ ...frame, meta: frame.meta.map((field) => (typeof field === "bigint" ? Number(field) : field)) });
      assert.deepEqual(comparable(again), comparable(frames[place]), name);
    }
  }
});

test("bytes that are no frame are refused", () => {
  const head = (bodyBytes, metaBytes) => {
    const bytes = Buffer.alloc(32 + Math.min(bodyBytes, 64));
    bytes.writeUInt32LE(bodyBytes, 0);
    bytes.writeUInt16LE(metaBytes, 4);
    return bytes;
  };
  assert.throws(() => framesOf([head(4097, 0)]), /4097 bytes/);
  assert.throws(() => framesOf([head(1, 2)]), /with 2 of meta/);
  assert.throws(() => framesOf([head(1, 1)]), /no array/);
  assert.throws(() => framesOf([Buffer.concat([head(1, 1).subarray(0, 32), Buffer.from([0x92])])]), /no msgpack/);
});

test("no float is ever written, and times are exact", () => {
  for (const number of [0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 2 ** 53 - 1, -1, -(2 ** 40)]) {
    const [frame] = framesOf([encoded({ kind: 19, meta: [number] })]);
    assert.equal(Number(frame.meta[0]), number);
    assert.ok(![0xca, 0xcb].includes(encoded({ kind: 19, meta: [number] })[33]), `${number} became a float`);
  }
  assert.throws(() => encoded({ kind: 19, meta: [0.5] }), RangeError);
  assert.equal(nanoseconds(1.5), 1_500_000n);
  assert.equal(nanoseconds(315_360_000_001), 315_360_000_001_000_000n);
  assert.throws(() => nanoseconds("5s", "timeout"), /timeout is a number of milliseconds/);
});

test("values travel as what they are", () => {
  for (const value of [Buffer.from([0, 255]), "text", { a: [1, null] }, 7, null, true]) {
    const { number, bytes } = pack(value);
    assert.deepEqual(unpack(number, bytes), value);
  }
  const packed = pack(withContent("msgpack", { a: 1n === 1n }));
  assert.equal(words.contents[packed.number], "msgpack");
  assert.deepEqual(unpack(packed.number, packed.bytes), { a: true });
  assert.deepEqual(unpack(2, Buffer.from("{")), Buffer.from("{"));
  assert.throws(() => pack("x", "xml"), /one of bytes, utf8, json, msgpack/);
  assert.throws(() => pack(() => {}), /cannot be JSON/);
  assert.equal(cutText("a\0€€", 5), "a\ufffd");
});

test("while nobody reads only the last of what replaces each other is kept, and order is", async () => {
  const written = [];
  let release;
  const writable = new Writable({
    write(chunk, encoding, done) {
      written.push(chunk);
      release = done;
    },
  });
  const channel = new Channel(new PassThrough(), writable, forWorker, { frame() {}, end() {} });
  const progress = (id, permille) => channel.offer(`progress ${id}`, { kind: Kind.progress, id: BigInt(id), meta: [permille] });
  channel.send({ kind: Kind.done, id: 9n, payload: Buffer.alloc(300 * 1024) });
  for (let permille = 1; permille <= 500; ++permille) for (const id of [1, 2]) progress(id, permille);
  channel.send({ kind: Kind.done, id: 1n });
  progress(2, 1000);
  assert.ok(writable.writableLength < 301 * 1024, `${writable.writableLength} bytes wait`);
  const finished = channel.finish();
  for (let over = false; !over; await new Promise(setImmediate)) {
    over = writable.writableFinished;
    const go = release;
    release = undefined;
    go?.();
  }
  await finished;
  const reader = new FrameReader();
  reader.bodyBytesMax = 1 << 20;
  for (const chunk of written) reader.push(chunk);
  const frames = [];
  for (let frame; (frame = reader.next()) !== undefined; ) frames.push([frame.kind, Number(frame.id), ...frame.meta]);
  assert.deepEqual(frames, [[Kind.done, 9], [Kind.progress, 1, 500], [Kind.progress, 2, 500], [Kind.done, 1], [Kind.progress, 2, 1000]]);
});
