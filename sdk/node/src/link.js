// One connection of a client, from hello to its end; and dialling again.
import { Channel, said } from "./channel.js";
import { Disconnected } from "./errors.js";
import { Holder } from "./holder.js";
import { at, numberAt, version } from "./frame.js";
import { dial } from "./place.js";
import { forClient } from "./rules.js";
import { Feature, Kind } from "./words.js";

const wanted = Feature.progress | Feature.events | Feature.partial;
const welcomeWaitMs = 10_000;
const redialMs = { first: 20, most: 1000 };
const brokenProtocol = (code) => code >= 501 && code !== 507; // 507: we were too slow, and may try again

export class Link {
  types = new Map();
  #channel;
  #holder;

  /**
   * Resolves when the daemon has said welcome. `takes`: frame(frame), end(error: Disconnected), drain(). `signal` ends the wait for it, and
   * `holder` has what keeps the process alive.
   */
  static async open(place, name, takes, { signal, holder = new Holder(true) } = {}) {
    const link = new Link();
    link.#holder = holder;
    const socket = await dial(place).catch((error) => {
      throw signal?.aborted ? signal.reason : error;
    });
    if (signal?.aborted) {
      socket.destroy();
      throw signal.reason;
    }
    await link.#greet(socket, place, name, takes, signal);
    return link;
  }

  #greet(socket, place, name, takes, signal) {
    return new Promise((resolve, reject) => {
      let error; // that the daemon sent
      let welcomed = false;
      const given = () => fail(signal.reason);
      const late = this.#holder.add(setTimeout(() => {
        fail(new Disconnected(`no welcome from ${place.path} within ${welcomeWaitMs / 1000} s; does the daemon hang, or is it stopped?`));
      }, welcomeWaitMs));
      const greeted = () => {
        signal?.removeEventListener("abort", given);
        this.#holder.delete(late);
        clearTimeout(late);
      };
      const fail = (why) => {
        greeted();
        this.destroy();
        welcomed ? takes.end(why) : reject(why);
      };
      signal?.addEventListener("abort", given, { once: true });
      this.#channel = new Channel(socket, socket, forClient, {
        frame: (frame) => {
          if (frame.kind === Kind.error) error = frame;
          else if (welcomed && frame.kind === Kind.welcome) fail(new Disconnected(`${place.path} said welcome twice`, 505));
          else if (welcomed) takes.frame(frame);
          else if (frame.kind === Kind.welcome && numberAt(frame, 0, version) !== version) {
            const text = `the daemon at ${place.path} speaks version ${numberAt(frame, 0)} of the protocol, which was not offered`;
            fail(new Disconnected(text, 502));
          } else if (frame.kind === Kind.welcome) {
            welcomed = true;
            greeted();
            this.#learn(frame);
            resolve();
          } else fail(new Disconnected(`${place.path} is no warmpool daemon: it sent a frame of kind ${frame.kind}`, 505));
        },
        end: (broken) => fail(ended(place, error, broken)),
        drain: () => welcomed && takes.drain?.(),
      });
      this.#holder.add(this.#channel);
      this.#channel.send({ kind: Kind.hello, meta: [0, version, version, wanted, name, process.pid] });
    });
  }

  #learn(welcome) {
    this.features = this.#channel.features = wanted & Number(BigInt.asUintN(31, BigInt(at(welcome, 1, 0))));
    this.frameBytesMax = this.#channel.bodyBytesMax = numberAt(welcome, 2);
    this.payloadBytesMax = numberAt(welcome, 3);
    this.inFlightMax = numberAt(welcome, 4);
    this.server = at(welcome, 6, "");
  }

  send(frame) {
    this.#channel.send(frame);
  }

  /** So much is not written yet that more would only be held in memory; takes.drain() says when that is over. */
  get full() {
    return this.#channel.full;
  }

  /** The number of a type on this connection, which the daemon is told first. */
  typeNumber(name) {
    let number = this.types.get(name);
    if (number === undefined) {
      // All numbers are taken: the last one is given again. Frames are handled in order.
      number = Math.min(this.types.size, 4095);
      for (const [other, its] of this.types) if (its === number) this.types.delete(other);
      this.types.set(name, number);
      this.#channel.send({ kind: Kind.typeName, type: number, meta: [name] });
    }
    return number;
  }

  pause() {
    this.#channel.pause();
  }

  resume() {
    this.#channel.resume();
  }

  /** What was sent is written first, where that takes no longer than this. */
  async close(withinMs) {
    this.#holder.delete(this.#channel);
    this.#channel.ref(); // or the process would end before
    await this.#channel.finish(withinMs);
    this.#channel.destroy();
  }

  destroy() {
    this.#holder.delete(this.#channel);
    this.#channel.destroy();
  }
}

function ended(place, error, broken) {
  if (error !== undefined) return new Disconnected(`the daemon says ${said(error)}`, numberAt(error, 0));
  if (broken?.name === "ProtocolError") return new Disconnected(broken.message, 501);
  return new Disconnected(`the connection to ${place.path} ended${broken?.code ? ` (${broken.code})` : ""}`);
}

/** Dials until somebody answers, for `forMs`; until `signal` is aborted. */
export async function redial(place, name, takes, forMs, { signal, holder = new Holder(true) }) {
  const end = performance.now() + forMs;
  let wait = redialMs.first;
  for (;;) {
    try {
      return await Link.open(place, name, takes, { signal, holder });
    } catch (error) {
      if (signal.aborted || performance.now() + wait >= end || brokenProtocol(error.code)) throw error;
    }
    await pause(wait, signal, holder);
    wait = Math.min(wait * 2, redialMs.most);
  }
}

function pause(ms, signal, holder) {
  return new Promise((resolve, reject) => {
    const given = () => over(() => reject(signal.reason));
    const timer = holder.add(setTimeout(() => over(resolve), ms));
    const over = (then) => {
      clearTimeout(timer);
      holder.delete(timer);
      signal.removeEventListener("abort", given);
      then();
    };
    signal.addEventListener("abort", given, { once: true });
  });
}

export function mayRedial(error) {
  return !brokenProtocol(error.code);
}
