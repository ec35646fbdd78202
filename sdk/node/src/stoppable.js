// An async generator waits in its turn: return() is heard only when the next() before it has ended, which may be never.

/** The generator, but `stop` is called by return() and throw() first: it makes a next() that waits end. */
export function stoppable(generator, stop) {
  return {
    next: () => generator.next(),
    return(value) {
      stop();
      return generator.return(value);
    },
    throw(error) {
      stop();
      return generator.throw(error);
    },
    [Symbol.asyncIterator]() {
      return this;
    },
    async [Symbol.asyncDispose ?? Symbol.for("nodejs.asyncDispose")]() {
      await this.return();
    },
  };
}
