// What a payload or result is (docs/protocol.md, section 8), and what it is in JavaScript:
// bytes <-> Uint8Array, utf8 <-> string, json and msgpack <-> any value.
import { decode, encode } from "@msgpack/msgpack";
import { contents } from "./words.js";

const empty = Buffer.alloc(0);

/** A value that shall travel as this content, where the choice by its type is not what is meant. */
export class WithContent {
  constructor(content, value) {
    numberOf(content);
    this.content = content;
    this.value = value;
  }
}

export function withContent(content, value) {
  return new WithContent(content, value);
}

function numberOf(content) {
  const number = contents.indexOf(content);
  if (number < 0) throw new TypeError(`a content is one of ${contents.join(", ")}, not ${content}`);
  return number;
}

function isBytes(value) {
  return value instanceof Uint8Array;
}

function asBuffer(bytes) {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function contentOf(value) {
  if (value === undefined || isBytes(value) || value instanceof ArrayBuffer) return "bytes";
  return typeof value === "string" ? "utf8" : "json";
}

function bytesOf(content, value) {
  if (isBytes(value)) return asBuffer(value); // whoever has bytes has encoded them
  if (value instanceof ArrayBuffer) return Buffer.from(value);
  if (content === "json") {
    const text = JSON.stringify(value);
    if (text === undefined) throw new TypeError(`a ${typeof value} cannot be JSON`);
    return Buffer.from(text);
  }
  if (content === "msgpack") return asBuffer(encode(value));
  if (value === undefined) return empty;
  if (typeof value !== "string") throw new TypeError(`the content ${content} takes a text or bytes, not a ${typeof value}`);
  return Buffer.from(value);
}

/** A value's bytes and the number of its content. */
export function pack(value, content) {
  if (value instanceof WithContent) return pack(value.value, value.content);
  const name = content ?? contentOf(value);
  return { number: numberOf(name), bytes: bytesOf(name, value) };
}

/** The value of a payload; bytes as they are where they are not what their content says. */
export function unpack(number, bytes) {
  try {
    switch (contents[number]) {
      case "utf8": return bytes.toString("utf8");
      case "json": return JSON.parse(bytes.toString("utf8"));
      case "msgpack": return decode(bytes);
      default: return bytes;
    }
  } catch {
    return bytes;
  }
}
