// Events of the pool (docs/protocol.md, "Events"): a connection that follows them ends with the iteration, because the protocol
// has no other end of following.
import { refusedBy } from "./asks.js";
import { Feature, Kind, verbs } from "./words.js";
import { Disconnected } from "./errors.js";
import { Link, mayRedial, redial } from "./link.js";

const verb = verbs.indexOf("events");

const itemsMax = 10_000; // read and not taken

// What is not taken is not read: the daemon bounds what waits for a slow listener, and tells it how many are missing.
class Queue {
  #items = [];
  #wake;
  link; // that is read from

  put(item) {
    this.#items.push(item);
    if (this.#items.length === itemsMax) this.link?.pause();
    this.#wake?.();
  }

  async next() {
    while (this.#items.length === 0) await new Promise((resolve) => (this.#wake = resolve));
    if (this.#items.length === itemsMax >> 1) this.link?.resume();
    return this.#items.shift();
  }
}

/** Documents as the daemon sends them; `gap: true` where something is missing. `after`: those with a higher number. */
export async function* events({ place, name, redialMs }, { after, types, follow = true } = {}) {
  const queue = new Queue();
  const takes = { frame: (frame) => queue.put({ frame }), end: (error) => queue.put({ error }) };
  let last = after === undefined ? undefined : BigInt(after);
  let link = await Link.open(place, name, takes);
  try {
    for (;;) {
      if (!(link.features & Feature.events)) throw new Disconnected("this daemon tells no events; update it");
      queue.link = link;
      link.send({ kind: Kind.request, token: 1n, meta: [verb, follow, last, types] });
      for (;;) {
        const { frame, error } = await queue.next();
        if (error !== undefined) {
          link = undefined;
          if (redialMs <= 0 || !mayRedial(error)) throw error;
          break;
        }
        if (frame.kind === Kind.reply) return;
        if (frame.kind === Kind.refused) throw refusedBy(frame);
        last = frame.id;
        const event = JSON.parse(frame.payload.toString("utf8"));
        yield event.event === "gap" ? { ...event, gap: true } : event;
      }
      link = await redial(place, name, takes, redialMs, { signal: new AbortController().signal });
    }
  } finally {
    link?.destroy();
  }
}
