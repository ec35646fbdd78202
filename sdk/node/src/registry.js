// The handlers of a program, by the types that they are for.

const wildcards = /[*?]/;
const special = /[.+^${}()|[\]\\]/g;

export class Registry {
  #exact = new Map(); // in the order in which they were made, patterns too
  #patterns = new Map(); // pattern -> what it matches

  set(type, known) {
    this.#exact.set(type, known);
    if (!wildcards.test(type)) return;
    const text = type.replace(special, "\\$&").replaceAll("*", ".*").replaceAll("?", ".");
    this.#patterns.set(type, new RegExp(`^${text}$`, "su"));
  }

  get types() {
    return [...this.#exact.keys()];
  }

  /** An exact name goes first, then the pattern that was made first. */
  find(type) {
    const exact = this.#exact.get(type);
    if (exact !== undefined) return exact;
    for (const [pattern, matches] of this.#patterns) if (matches.test(type)) return this.#exact.get(pattern);
    return undefined;
  }
}
