// What a submit may wish, and how it is told (docs/protocol.md, section 5). What the daemon would take for a broken protocol, and hang
// up on all that is asked, is refused here; ranges are its own affair.
import { nanoseconds } from "./frame.js";
import { durabilities } from "./words.js";

const typeBytesMax = 255;
const tenantBytesMax = 255;
const labelBytesMax = 255;
const labelsMax = 32;

export function checkType(type) {
  if (typeof type !== "string" || type === "" || type.includes("\0") || Buffer.byteLength(type) > typeBytesMax) {
    throw new TypeError(`a task type is a text of 1 to ${typeBytesMax} bytes without NUL, not ${show(type)}`);
  }
}

function show(value) {
  return typeof value === "string" ? JSON.stringify(value.slice(0, 100)) : String(value);
}

function number(value, name) {
  const fits = typeof value === "bigint" ? BigInt.asUintN(64, value) === value : Number.isSafeInteger(value) && value >= 0;
  if (!fits) throw new TypeError(`${name} is a whole number from 0, not ${show(value)}`);
  return value;
}

function text(value, name, bytesMax = Infinity) {
  if (typeof value !== "string" || value.includes("\0")) throw new TypeError(`${name} is a text without NUL, not ${show(value)}`);
  if (Buffer.byteLength(value) > bytesMax) throw new RangeError(`${name} has at most ${bytesMax} bytes, not ${Buffer.byteLength(value)}`);
  return value;
}

function labels(value) {
  if (!Array.isArray(value)) throw new TypeError(`labels are a list of texts, not ${show(value)}`);
  if (value.length > labelsMax) throw new RangeError(`a task has at most ${labelsMax} labels, not ${value.length}`);
  return value.map((each) => text(each, "a label", labelBytesMax));
}

function durability(value) {
  const place = durabilities.indexOf(value);
  if (place < 0) throw new TypeError(`a durability is one of ${durabilities.join(", ")}, not ${show(value)}`);
  return place;
}

const wishes = [
  ["priority", number], ["timeout", nanoseconds], ["deadline", nanoseconds], ["expiry", nanoseconds], ["retries", number],
  ["delay", nanoseconds], ["runAt", (value, name) => nanoseconds(Number(value), name)], ["key", text],
  ["tenant", (value, name) => text(value, name, tenantBytesMax)], ["labels", labels], ["durability", durability], ["crashesMax", number],
];
const reconnectUse = 1; // of a key that only serves to submit again

/** The names of all wishes. */
export const wishNames = wishes.map(([name]) => name);

/** The meta of a submit. Throws TypeError or RangeError for what no submit can have. */
export function wishesOf(options, autoKey) {
  const meta = wishes.map(([name, told]) => {
    const value = name === "key" ? autoKey ?? options.key : options[name];
    return value === undefined || value === null ? null : told(value, name);
  });
  return autoKey === undefined ? meta : [...meta, reconnectUse];
}
