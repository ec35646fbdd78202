// Frames (docs/protocol.md, section 2): a header of 32 bytes, a msgpack array, a payload. Task ids and tokens are 64 bits wide,
// so they are BigInt; times are nanoseconds on the wire and milliseconds here.
import { decode, encode } from "@msgpack/msgpack";
import { ProtocolError } from "./errors.js";

export const version = 1; // of the protocol
export const headerBytes = 32;
export const bodyBytesBeforeWelcome = 4096;
const empty = Buffer.alloc(0);

// The encoder makes floats of numbers above 32 bits when it may make u64 of BigInt, and the protocol knows no floats.
function plain(field) {
  if (field === undefined) return null;
  if (Array.isArray(field)) return field.map(plain);
  if (typeof field === "number") {
    if (!Number.isSafeInteger(field)) throw new RangeError(`${field} is no whole number`);
    return field > 0x7fffffff || field < 0 ? BigInt(field) : field;
  }
  return field;
}

export function encodeMeta(fields) {
  let count = fields.length;
  while (count > 0 && (fields[count - 1] === undefined || fields[count - 1] === null)) --count;
  if (count === 0) return empty;
  return encode(fields.slice(0, count).map(plain), { useBigInt64: true });
}

/** The bytes of a frame, in one or two pieces: a payload is not copied. */
export function encodeFrame({
  kind, flags = 0, id = 0n, token = 0n, round = 0, attempt = 0, type = 0, credits = 0, descriptors = 0, meta = [], payload = empty,
}) {
  const encoded = encodeMeta(meta);
  if (encoded.length > 0xffff) throw new RangeError(`the wishes of a frame have ${encoded.length} bytes, 65535 fit`);
  const head = Buffer.allocUnsafe(headerBytes + encoded.length);
  head.writeUInt32LE(encoded.length + payload.length, 0);
  head.writeUInt16LE(encoded.length, 4);
  head[6] = kind;
  head[7] = flags;
  head.writeBigUInt64LE(BigInt(id), 8);
  head.writeBigUInt64LE(BigInt(token), 16);
  head.writeUInt16LE(round, 24);
  head.writeUInt16LE(attempt, 26);
  head.writeUInt16LE(type, 28);
  head[30] = credits;
  head[31] = descriptors;
  head.set(encoded, headerBytes);
  return payload.length === 0 ? [head] : [head, payload];
}

function decodeFrame(bytes, bodyBytes, metaBytes) {
  let meta = [];
  if (metaBytes > 0) {
    try {
      meta = decode(bytes.subarray(headerBytes, headerBytes + metaBytes), { useBigInt64: true });
    } catch (error) {
      throw new ProtocolError(`a frame's meta is no msgpack: ${error.message}`);
    }
    if (!Array.isArray(meta)) throw new ProtocolError("a frame's meta is no array");
  }
  return {
    kind: bytes[6], flags: bytes[7], id: bytes.readBigUInt64LE(8), token: bytes.readBigUInt64LE(16), round: bytes.readUInt16LE(24),
    attempt: bytes.readUInt16LE(26), type: bytes.readUInt16LE(28), credits: bytes[30], descriptors: bytes[31], meta,
    payload: bytes.subarray(headerBytes + metaBytes, headerBytes + bodyBytes),
  };
}

/** Pieces of a stream in, frames out. A large frame is put together once, when all of it is there. */
export class FrameReader {
  bodyBytesMax = bodyBytesBeforeWelcome;
  #pieces = [];
  #bytes = 0;
  #wanted = headerBytes;

  push(piece) {
    this.#pieces.push(piece);
    this.#bytes += piece.length;
  }

  /** The next whole frame, or undefined. Throws ProtocolError for bytes that are no frame. */
  next() {
    if (this.#bytes < this.#wanted) return undefined;
    const bytes = this.#pieces.length === 1 ? this.#pieces[0] : Buffer.concat(this.#pieces, this.#bytes);
    this.#pieces = [bytes];
    const bodyBytes = bytes.readUInt32LE(0);
    const metaBytes = bytes.readUInt16LE(4);
    if (metaBytes > bodyBytes || bodyBytes > this.bodyBytesMax) {
      throw new ProtocolError(`a frame of ${bodyBytes} bytes with ${metaBytes} of meta; ${this.bodyBytesMax} are allowed`);
    }
    const frameBytes = headerBytes + bodyBytes;
    if (this.#bytes < frameBytes) {
      this.#wanted = frameBytes;
      return undefined;
    }
    this.#bytes -= frameBytes;
    this.#wanted = headerBytes;
    this.#pieces = this.#bytes > 0 ? [bytes.subarray(frameBytes)] : [];
    return decodeFrame(bytes, bodyBytes, metaBytes);
  }
}

/** A field of a frame's meta; one that is left out or nil has its default. */
export function at(frame, place, standard) {
  const value = frame.meta[place];
  return value === undefined || value === null ? standard : value;
}

/** The same for a number, whatever its width on the wire. */
export function numberAt(frame, place, standard = 0) {
  return Number(at(frame, place, standard));
}

const nanosecondsPerMillisecond = 1e6;

export function nanoseconds(ms, name) {
  if (ms === undefined || ms === null) return null;
  if (typeof ms !== "number" || !Number.isFinite(ms)) throw new TypeError(`${name} is a number of milliseconds, not ${ms}`);
  // Whole milliseconds first: a product beyond 2^53 is not exact.
  const whole = Math.trunc(ms);
  const exact = BigInt(whole) * 1000000n + BigInt(Math.round((ms - whole) * nanosecondsPerMillisecond));
  if (BigInt.asIntN(64, exact) !== exact) throw new RangeError(`${name} is at most 292 years, not ${ms} ms`);
  return exact;
}

export function millisecondsAt(frame, place) {
  return numberAt(frame, place) / nanosecondsPerMillisecond;
}
