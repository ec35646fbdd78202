// One listener for each signal, however many tasks it is given to: Node warns of many.
const watched = new WeakMap(); // signal -> Map(key -> what to do)

/** Order: the signal is not aborted yet. Until forget(), with the same key. */
export function onceAborted(signal, key, act) {
  let acts = watched.get(signal);
  if (acts === undefined) {
    acts = new Map();
    watched.set(signal, acts);
    signal.addEventListener("abort", () => {
      for (const each of [...acts.values()]) each(signal.reason);
      acts.clear();
    }, { once: true });
  }
  acts.set(key, act);
}

export function forget(signal, key) {
  if (signal !== undefined) watched.get(signal)?.delete(key);
}

export function checkedSignal(signal) {
  if (signal !== undefined && typeof signal?.addEventListener !== "function") throw new TypeError(`signal is an AbortSignal, not ${signal}`);
  return signal;
}
