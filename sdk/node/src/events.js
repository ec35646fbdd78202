// Events of the pool (docs/protocol.md, "Events"): a connection that follows them ends with the iteration, because the protocol
// has no other end of following.
import { checkedSignal, forget, onceAborted } from "./aborts.js";
import { refusedBy } from "./asks.js";
import { Disconnected } from "./errors.js";
import { Link, mayRedial, redial } from "./link.js";
import { onlyOptions } from "./options.js";
import { stoppable } from "./stoppable.js";
import { Feature, Kind, verbs } from "./words.js";

const verb = verbs.indexOf("events");

const itemsMax = 10_000; // read and not taken

// What is not taken is not read: the daemon bounds what waits for a slow listener, and tells it how many are missing.
class Queue {
  #items = [];
  #wake;
  link; // that is read from
  ended = false; // from outside

  put(item) {
    this.#items.push(item);
    if (this.#items.length === itemsMax) this.link?.pause();
    this.#wake?.();
  }

  end() {
    this.ended = true;
    this.#wake?.();
  }

  /** Undefined at the end. */
  async next() {
    while (this.#items.length === 0 && !this.ended) await new Promise((resolve) => (this.#wake = resolve));
    if (this.ended) return undefined;
    if (this.#items.length === itemsMax >> 1) this.link?.resume();
    return this.#items.shift();
  }
}

/**
 * Documents as the daemon sends them; `gap: true` where something is missing. `after`: those with a higher number. It is ended by
 * return(), also while a next() waits, by `signal` (whose reason is thrown), and by the end of its client.
 */
export function events(client, options = {}) {
  onlyOptions("events", options, ["after", "types", "follow", "signal"]);
  const { after, types, follow = true, signal } = options;
  checkedSignal(signal);
  const ended = new AbortController();
  const end = () => ended.abort(new Disconnected("the iteration was ended"));
  const last = after === undefined ? undefined : BigInt(after);
  const names = Array.isArray(types) ? types.join(",") : types;
  return stoppable(followed(client, { last, types: names, follow, signal, ended: ended.signal, end }), end);
}

async function* followed({ place, name, redialMs, closed }, { last, types, follow, signal, ended, end }) {
  if (closed.aborted) throw closed.reason;
  signal?.throwIfAborted();
  const queue = new Queue();
  const takes = { frame: (frame) => queue.put({ frame }), end: (error) => queue.put({ error }) };
  const sources = [closed, ...(signal === undefined ? [] : [signal])];
  for (const source of sources) onceAborted(source, queue, end);
  ended.addEventListener("abort", () => queue.end(), { once: true });
  let link;
  try {
    link = await Link.open(place, name, takes, { signal: ended });
    for (;;) {
      if (!(link.features & Feature.events)) throw new Disconnected("this daemon tells no events; update it");
      queue.link = link;
      link.send({ kind: Kind.request, token: 1n, meta: [verb, follow, last, types] });
      for (;;) {
        const { frame, error } = (await queue.next()) ?? {};
        if (queue.ended) break;
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
      if (queue.ended) break;
      link = await redial(place, name, takes, redialMs, { signal: ended });
    }
    signal?.throwIfAborted();
  } catch (error) {
    if (error !== ended.reason) throw error; // also one that throw() brought
    signal?.throwIfAborted();
  } finally {
    for (const source of sources) forget(source, queue);
    link?.destroy();
  }
}
