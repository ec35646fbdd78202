// What keeps the process alive while something is asked, and only then: sockets and timers.
export class Holder {
  #things = new Set();
  #holds;

  constructor(holds) {
    this.#holds = holds;
  }

  add(thing) {
    this.#things.add(thing);
    this.#tell(thing);
    return thing;
  }

  delete(thing) {
    this.#things.delete(thing);
  }

  set(holds) {
    if (holds === this.#holds) return;
    this.#holds = holds;
    for (const thing of this.#things) this.#tell(thing);
  }

  #tell(thing) {
    this.#holds ? thing.ref() : thing.unref();
  }
}
