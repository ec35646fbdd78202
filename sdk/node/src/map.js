// Many tasks: a window of them in flight, results in the order of their payloads or as they come.

class Window {
  #open = new Map(); // index -> {job, item: once it has one}
  #finished = []; // indexes, as they come
  #wake;

  get size() {
    return this.#open.size;
  }

  start(client, type, index, payload, options) {
    const job = client.submit(type, payload, options);
    const entry = { job };
    this.#open.set(index, entry);
    const finish = (item) => {
      entry.item = item;
      this.#finished.push(index);
      this.#wake?.();
    };
    job.result().then((value) => finish({ index, payload, value }), (error) => finish({ index, payload, error }));
  }

  async next(ordered) {
    for (;;) {
      const index = ordered ? this.#open.keys().next().value : this.#finished[0];
      const item = this.#open.get(index)?.item;
      if (item !== undefined) {
        this.#finished.splice(this.#finished.indexOf(index), 1);
        this.#open.delete(index);
        return item;
      }
      await new Promise((resolve) => (this.#wake = resolve));
    }
  }

  async cancelAll() {
    for (const { job, item } of this.#open.values()) if (item === undefined) job.cancel().catch(() => {});
    while (this.#open.size > 0) await this.next(false);
  }
}

async function* itemsOf(client, type, payloads, { inFlight = 64, ordered = true, ...options } = {}) {
  if (!(Number.isInteger(inFlight) && inFlight > 0)) throw new RangeError(`inFlight is a whole number from 1, not ${inFlight}`);
  const source = (payloads[Symbol.asyncIterator] ?? payloads[Symbol.iterator]).call(payloads);
  const window = new Window();
  let index = 0;
  let ended = false;
  try {
    for (;;) {
      while (!ended && window.size < inFlight) {
        const next = await source.next();
        if (next.done) ended = true;
        else window.start(client, type, index++, next.value, options);
      }
      if (window.size === 0) return;
      yield await window.next(ordered);
    }
  } finally {
    // Whoever has stopped to listen does not want the rest.
    if (!ended) await source.return?.();
    await window.cancelAll();
  }
}

export function mapSettled(client, type, payloads, options) {
  return itemsOf(client, type, payloads, options);
}

export async function* map(client, type, payloads, options) {
  for await (const item of itemsOf(client, type, payloads, options)) {
    if (item.error !== undefined) throw item.error;
    yield item.value;
  }
}
