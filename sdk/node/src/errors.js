// What can go wrong, as classes: a program tells them apart with instanceof, and reads the members.

export class WarmpoolError extends Error {
  get name() {
    return this.constructor.name;
  }
}

/** The daemon did not do it: `code` (docs/protocol.md, section 7) says why. The task never ran. */
export class Refused extends WarmpoolError {
  constructor(code, text, retryAfter = 0) {
    super(`${code}: ${text}`);
    this.code = code;
    this.retryAfter = retryAfter; // ms; 0: trying again makes no sense
  }
}

/** A task that settled otherwise than done. */
export class TaskError extends WarmpoolError {
  constructor(settled, options) {
    const said = settled.error ? `: ${settled.error}` : "";
    super(`task ${settled.id} is ${settled.verdict} (${settled.cause})${said}`, options);
    Object.assign(this, {
      id: settled.id, verdict: settled.verdict, cause: settled.cause, round: settled.round, attempt: settled.attempt,
      failures: settled.failures, crashes: settled.crashes, text: settled.error,
    });
  }
}

/**
 * An AbortSignal has ended the wait for a task. That of a submit has it cancelled too, in the background and later than this: what
 * becomes of it is not known here. `reason` is the signal's; `id` the task's, where it was accepted.
 */
export class TaskAborted extends WarmpoolError {
  constructor(id, reason) {
    const which = id === undefined ? "the task was given up before it was accepted" : `task ${id} was given up`;
    super(`${which}: ${reason?.message ?? reason}`, { cause: reason });
    this.id = id;
    this.reason = reason;
  }
  get name() {
    return this.reason?.name === "TimeoutError" ? "TimeoutError" : "AbortError"; // what programs look for
  }
}

/** There is no connection (any more), and what was asked has no answer. */
export class Disconnected extends WarmpoolError {
  constructor(text, code) {
    super(text);
    if (code !== undefined) this.code = code;
  }
}

/** The connection ended before the answer, and asking again could do it twice. */
export class Unknown extends Disconnected {}

/** The peer broke docs/protocol.md. */
export class ProtocolError extends WarmpoolError {}

// --- What a handler throws ---

/** The task has failed and may be tried again, within its retries; as any other error does, but without its stack. */
export class Failed extends WarmpoolError {
  get outcome() {
    return 1;
  }
}

/** No retry can help: a dead letter at once. */
export class FailedForGood extends Failed {
  get outcome() {
    return 2;
  }
}

const retryMsMax = 3660 * 86_400_000; // the longest time there is

/** The task has failed, and is tried again after `ms`, at most ten years. */
export class RetryAfter extends Failed {
  constructor(ms, text = "try again later") {
    super(text);
    if (!(Number.isFinite(ms) && ms >= 0)) throw new RangeError(`RetryAfter takes milliseconds from 0, not ${ms}`);
    this.ms = Math.min(ms, retryMsMax);
  }
  get outcome() {
    return 3;
  }
}

/** The task waits until a person releases it. */
export class Held extends Failed {
  get outcome() {
    return 4;
  }
}
