// Types of this package; test/types.test.js compares their names with what src/ has.

// --- Values ---

export type Content = "bytes" | "utf8" | "json" | "msgpack";
/** A value that shall travel as this content. Without it bytes are bytes, a string is utf8, all else is json. */
export function withContent(content: Content, value: unknown): WithContent;
export interface WithContent {
  readonly content: Content;
  readonly value: unknown;
}

// --- Workers ---

export interface TaskOptions {
  /** Milliseconds, above 0, after which the handler's signal is aborted. What ends a handler that does not heed it is the task's own timeout. */
  timeout?: number;
}
export type Handler<Payload = any> = (payload: Payload, ctx: Context) => unknown;

/**
 * Order: before run(). A type that is handled already gets the new handler. It may hold * and ?, as `types` of a class: an exact one goes
 * first, then the one that was made first.
 */
export function task<H extends Handler>(type: string, handler: H): H;
export function task<H extends Handler>(type: string, options: TaskOptions, handler: H): H;
export function types(): string[];

/** Why an attempt ended (docs/protocol.md, section 8). */
export type EndCause =
  | "done" | "failed" | "failed-for-good" | "retry-after" | "held" | "timeout" | "crashed" | "memory" | "hung" | "suspect" | "recalled"
  | "drained" | "interrupted" | "cancelled" | "never-started" | "deadline" | "expired" | "dropped";
/**
 * Why a handler's signal is aborted: somebody cancelled the task; its time or that of `task()` is over; the task's whole time is; it
 * made no progress for `progress_timeout`; its client left, and that was to cancel it; SIGTERM; the daemon ended (of a worker that joined).
 */
export interface RunEnded extends Error {
  readonly name: "AbortError";
  readonly cause: "cancelled" | "timeout" | "deadline" | "hung" | "dropped" | "drained" | "interrupted";
}
export interface RunSignal extends AbortSignal {
  /** Once it is aborted. */
  readonly reason: RunEnded;
}

/** What a handler may know of its run, and do in it. */
export interface Context {
  readonly task: bigint;
  readonly round: number;
  readonly attempt: number;
  /** A fencing token: what lies beyond warmpool can refuse a run whose token is not the one it saw last for (task, round). */
  readonly token: bigint;
  readonly type: string;
  /** The payload as it came, and what it was said to be. */
  readonly bytes: Buffer;
  readonly content: Content;
  /** Charged in this round so far. */
  readonly failures: number;
  readonly crashes: number;
  /** Milliseconds of this run. */
  readonly timeout: number | undefined;
  /** As of Date.now(): the end of the timeout or of the whole task's time, whichever is first. */
  readonly deadline: number | undefined;
  /** Aborted when this run shall end. */
  readonly signal: RunSignal;
  readonly cancelled: boolean;
  /** How much is done, 0 to 1000. Reports that come faster than ten a second are thinned; the last one always goes out. */
  /** partial: what there is of the result so far, at most 64 KiB, for who waits; each stands for the whole. */
  progress(permille: number, text?: string, more?: { partial?: unknown }): void;
  /**
   * Leaves what the next attempt could go on from (its `restored`), should this one not finish: a value as a result may be, at most
   * 256 KiB; undefined takes the last one away. False: this daemon keeps none.
   */
  checkpoint(value: unknown): boolean;
  /** What an earlier attempt of this task left with checkpoint(); undefined if none did. */
  readonly restored: any;
  /** The daemon asks for one, because a while has passed or this worker is to end: true until the next checkpoint(). */
  readonly checkpointWanted: boolean;
  /** Resolves when one is wanted, at once if it is. */
  whenCheckpointWanted(): Promise<void>;
  /** A whole number about this worker, for people: stays until it is set again or taken away (null). At most 16 names. */
  gauge(name: string, value: number | bigint | null): void;
  /** This worker does less than it should: it is given tasks when no healthy one is free, until well() is called. */
  degraded(reason: string): void;
  /** It is degraded no more; also what an earlier task said. */
  well(): void;
  /** A line to standard error, which the daemon keeps. */
  log(...values: unknown[]): void;
  /** A directory for this run alone, removed after it; with `directory = "kept"` of its class that of its worker's place, which stays. */
  workdir(): Promise<string>;
  /** Made by the daemon for this attempt alone; undefined where its class has no `directory = "fresh"`. */
  readonly directory: string | undefined;
}

export interface RunOptions {
  /** For people. */
  name?: string;
  /** Called before the process ends, when all is answered. */
  closing?: () => unknown;
  /** End the process with the status (default), or resolve with it. */
  exit?: boolean;
  /** Join a daemon that did not start this process. */
  join?: JoinOptions;
}
export interface JoinOptions {
  /** Default: WARMPOOL_SOCKET, else where a daemon of this user puts it. */
  socket?: string;
  /** The class that this is a worker of ["joined"]. */
  workerClass?: string;
  /** Tasks that it runs at once, 1 to 64 [1]. */
  concurrency?: number;
  /** When the daemon ends, wait for it and join again [true]. */
  reconnect?: boolean;
}
export function run(options?: RunOptions): Promise<number>;
export const Status: Readonly<{ retired: 0; noChannel: 2; daemonGone: 69; protocol: 76 }>;

// --- Clients ---

export interface ConnectOptions {
  /** Default: WARMPOOL_SOCKET, else where a daemon of this user puts it. */
  socket?: string;
  name?: string;
  /** For how many milliseconds to dial again when the connection breaks [30,000]; Infinity: for ever; false: not at all. */
  reconnect?: number | false;
}
export function connect(options?: ConnectOptions): Promise<Client>;

/** Times are milliseconds. */
export interface SubmitOptions {
  /** 0 runs first, 100 last. */
  priority?: number;
  timeout?: number;
  deadline?: number;
  expiry?: number;
  retries?: number;
  delay?: number;
  runAt?: Date | number;
  /** The same key is the same task. */
  key?: string;
  tenant?: string;
  labels?: string[];
  durability?: "full" | "relaxed" | "none";
  crashesMax?: number;
  content?: Content;
  /** false: ask for the acceptance only. */
  wait?: boolean;
  cancelOnDisconnect?: boolean;
  keepResult?: boolean;
  /** false: do not ask for progress. */
  progress?: boolean;
  /** false: draw no random key where none is given; a task that may have been submitted when the connection breaks is Unknown then. */
  autoKey?: boolean;
  /** Ends the wait with TaskAborted, at once, and cancels the task in the background. */
  signal?: AbortSignal;
}
export interface MapOptions extends Omit<SubmitOptions, "wait"> {
  /** Tasks at once [64]. */
  inFlight?: number;
  /** false: as they come. */
  ordered?: boolean;
}
export type Verdict = "done" | "dead" | "cancelled" | "expired" | "skipped";
export interface Settled<Result = any> {
  id: bigint;
  verdict: Verdict;
  /** Of the last attempt. */
  cause: EndCause;
  round: number;
  attempt: number;
  failures: number;
  crashes: number;
  /** Of verdict done. */
  value?: Result;
  /** The last error, of any other. */
  error?: string;
}
export interface Progress {
  permille: number;
  text: string;
  /** What there is of the result so far, where this report has it: it stands for those before. */
  partial?: unknown;
}
export interface Cancelled {
  rung: "not-running" | "frame" | "term" | "kill";
  state: string;
}
export interface Job<Result = any> {
  readonly id: bigint | undefined;
  readonly duplicate: boolean;
  readonly durability: "full" | "relaxed" | "none" | undefined;
  readonly signal: AbortSignal | undefined;
  accepted(): Promise<bigint>;
  settled(): Promise<Settled<Result>>;
  result(): Promise<Result>;
  progress(): AsyncGenerator<Progress, void, void>;
  cancel(): Promise<Cancelled>;
}
export type Item<Payload, Result> =
  | { index: number; payload: Payload; value: Result; error?: undefined }
  | { index: number; payload: Payload; value?: undefined; error: Error };
export interface DeadFilter {
  type?: string;
  cause?: string;
  /** Milliseconds since it died. */
  older?: number;
  /** Somewhere in its error, key or labels. */
  text?: string;
}
export type Id = bigint | number | string;
export type Document = Record<string, any>;
export interface Event extends Document {
  number: number;
  time: string;
  event: string;
  gap?: true;
}

export class Client {
  private constructor();
  readonly server: string | undefined;
  readonly payloadBytesMax: number | undefined;
  readonly closed: boolean;
  submit<Result = any>(type: string, payload?: unknown, options?: SubmitOptions): Job<Result>;
  run<Result = any>(type: string, payload?: unknown, options?: SubmitOptions): Promise<Result>;
  map<Result = any>(type: string, payloads: Iterable<unknown> | AsyncIterable<unknown>, options?: MapOptions): AsyncGenerator<Result, void, void>;
  mapSettled<Payload, Result = any>(
    type: string, payloads: Iterable<Payload> | AsyncIterable<Payload>, options?: MapOptions,
  ): AsyncGenerator<Item<Payload, Result>, void, void>;
  /** A task that somebody submitted. `signal` ends the wait, and not the task. */
  job<Result = any>(id: Id, options?: { progress?: boolean; signal?: AbortSignal }): Job<Result>;
  cancel(id: Id): Promise<Cancelled>;
  request(verb: string, ...args: unknown[]): Promise<Document>;
  status(): Promise<Document>;
  workers(): Promise<Document>;
  worker(slot: string, options?: { sizes?: boolean }): Promise<Document>;
  show(id: Id): Promise<Document>;
  ls(filter?: { state?: string; type?: string; limit?: number; after?: Id }): Promise<Document>;
  deadLs(filter?: DeadFilter & { limit?: number; after?: Id }): Promise<Document>;
  deadExport(filter?: DeadFilter & { limit?: number; after?: Id }): Promise<Document>;
  deadRetry(which?: DeadFilter & { tasks?: Id[]; payload?: any; content?: Content }): Promise<Document>;
  deadRemove(which?: DeadFilter & { tasks?: Id[] }): Promise<Document>;
  clean(what: { older: number; state?: string }): Promise<Document>;
  backup(file: string): Promise<Document>;
  scale(how: { class?: string; to?: number; up?: number; down?: number }): Promise<Document>;
  drain(on?: boolean): Promise<Document>;
  stop(how?: { now?: boolean }): Promise<Document>;
  pause(what?: { type?: string; class?: string }): Promise<Document>;
  resume(what?: { type?: string; class?: string; all?: boolean }): Promise<Document>;
  config(): Promise<Document>;
  types(): Promise<Document>;
  release(id: Id): Promise<Document>;
  restart(which?: { slot?: string; class?: string }): Promise<Document>;
  log(of: { task?: Id; slot?: string; limit?: number; after?: number }): Promise<Document>;
  /** Ended by return() also while a next() waits, by close(), and by `signal`, whose reason is thrown. */
  events(options?: { after?: Id; types?: string | string[]; follow?: boolean; signal?: AbortSignal }): AsyncGenerator<Event, void, void>;
  /**
   * What has no answer yet fails with Disconnected; tasks go on. Resolves when the cancels of tasks whose signal was aborted are done,
   * after 5 s at most.
   */
  close(): Promise<void>;
  /** close(), for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}

// --- Errors ---

export class WarmpoolError extends Error {}
/** The daemon did not do it; the task never ran. */
export class Refused extends WarmpoolError {
  readonly code: number;
  /** Milliseconds after which to try again; 0: trying again makes no sense. */
  readonly retryAfter: number;
}
export class TaskError extends WarmpoolError {
  readonly id: bigint;
  readonly verdict: Verdict;
  // "any", because Error has a member of this name
  readonly cause: any;
  readonly round: number;
  readonly attempt: number;
  readonly failures: number;
  readonly crashes: number;
  readonly text: string;
}
/**
 * An AbortSignal has ended the wait for a task. That of a submit has it cancelled too, in the background and later than this; that of
 * job() does not. No TaskError: there is no verdict. Its name is "AbortError", or "TimeoutError" where that is the reason's
 * (AbortSignal.timeout).
 */
export class TaskAborted extends WarmpoolError {
  /** Of the task, where it was accepted. */
  readonly id: bigint | undefined;
  /** The signal's. */
  readonly reason: any;
}
export class Disconnected extends WarmpoolError {
  readonly code?: number | string;
}
/** The connection ended before the answer, and asking again could do it twice. */
export class Unknown extends Disconnected {}
export class ProtocolError extends WarmpoolError {}
/** Thrown by a handler: the task may be tried again. */
export class Failed extends WarmpoolError {
  constructor(text: string);
}
/** Thrown by a handler: no retry can help. */
export class FailedForGood extends Failed {}
/** Thrown by a handler: to be tried again after so many milliseconds. */
export class RetryAfter extends Failed {
  constructor(ms: number, text?: string);
  readonly ms: number;
}
/** Thrown by a handler: the task waits until a person releases it. */
export class Held extends Failed {}
