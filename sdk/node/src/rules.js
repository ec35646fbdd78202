// What a daemon's frames may hold (docs/protocol.md, sections 2, 4 and 5): anything else is a broken protocol, never ignored.
// fields: of the header. meta: a letter for each field, n a number, t a text. needs: a feature that must have been agreed.
import { ProtocolError } from "./errors.js";
import { Feature, Flag, Kind } from "./words.js";

const contentBits = 3;
const run = ["id", "token", "round", "attempt"];
const spareable = ["id", "token", "round", "attempt", "type", "credits", "descriptors"];

function rule({ fields = [], meta = "", payload = false, flags = 0, needs = 0 } = {}) {
  const spare = spareable.filter((field) => !fields.includes(field));
  return { spare, meta, payload, spareFlags: ~(flags | (payload ? contentBits : 0)), needs };
}

const either = [
  [Kind.welcome, rule({ fields: ["id", "descriptors"], meta: "nnnnnntn" })],
  [Kind.error, rule({ meta: "nt" })],
  [Kind.ping, rule({ fields: ["token"] })],
  [Kind.pong, rule({ fields: ["token"] })],
];

export const forWorker = new Map([
  ...either,
  [Kind.typeName, rule({ fields: ["type"], meta: "t" })],
  [Kind.assign, rule({ fields: [...run, "type"], meta: "nnnntnn", payload: true })],
  [Kind.cancelAttempt, rule({ fields: run, meta: "n", needs: Feature.cancel })],
  [Kind.recall, rule({ fields: run, needs: Feature.recall })],
  [Kind.retire, rule({ flags: Flag.comeAgain })],
  [Kind.checkpointPlease, rule({ fields: run, needs: Feature.checkpoint })],
]);

export const forClient = new Map([
  ...either,
  [Kind.accepted, rule({ fields: ["id", "token"], flags: Flag.duplicate | Flag.relaxed | Flag.memoryOnly })],
  [Kind.refused, rule({ fields: ["id", "token"], meta: "ntn" })],
  [Kind.settled, rule({ fields: run, meta: "nnnn", payload: true })],
  [Kind.reply, rule({ fields: ["token"], payload: true })],
  [Kind.progressed, rule({ fields: run, meta: "nt", payload: true, needs: Feature.progress })],
  [Kind.cancelled, rule({ fields: ["id", "token"], meta: "nn" })],
  [Kind.event, rule({ fields: ["id", "token"], payload: true, flags: Flag.gap, needs: Feature.events })],
]);

function fits(letter, value) {
  if (value === undefined || value === null) return true;
  if (letter === "t") return typeof value === "string" && !value.includes("\0");
  return typeof value === "bigint" ? value >= 0n : Number.isInteger(value) && value >= 0;
}

/** Throws ProtocolError. */
export function check(frame, rules, features) {
  const its = rules.get(frame.kind);
  if (its === undefined || (its.needs & ~features) !== 0) throw new ProtocolError(`a frame of kind ${frame.kind} is none that may come here`);
  const uses = (field) => frame[field] !== 0 && frame[field] !== 0n;
  if ((frame.flags & its.spareFlags) !== 0 || its.spare.some(uses) || (!its.payload && frame.payload.length > 0)) {
    throw new ProtocolError(`a frame of kind ${frame.kind} uses what its kind has not`);
  }
  if (frame.kind === Kind.progressed && (frame.payload.length > 0 || frame.flags !== 0) && (features & Feature.partial) === 0) {
    throw new ProtocolError("progressed has a payload, and the feature partial was not agreed");
  }
  if (frame.meta.length > its.meta.length || !frame.meta.every((value, place) => fits(its.meta[place], value))) {
    throw new ProtocolError(`the meta of a frame of kind ${frame.kind} is not what its kind has`);
  }
}
