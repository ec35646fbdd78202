// Words and numbers of docs/protocol.md, sections 3, 4, 6 and 8. test/frame.test.js compares them with that page.

export const Kind = Object.freeze({
  hello: 1, welcome: 2, error: 3, ping: 4, pong: 5, typeName: 6, stamps: 7,
  submit: 16, await: 17, cancel: 18, request: 19, received: 20,
  accepted: 32, refused: 33, settled: 34, reply: 35, progressed: 36, cancelled: 37, event: 38,
  assign: 48, cancelAttempt: 49, recall: 50, retire: 51, checkpointPlease: 52,
  done: 64, failed: 65, progress: 66, beat: 67, recalled: 68, leave: 69, report: 70, checkpoint: 71,
});

export const Feature = Object.freeze({
  credits: 1, recall: 2, cancel: 4, descriptors: 8, progress: 16, events: 32, page: 64, registered: 128, report: 256, directory: 512,
  checkpoint: 1024, large: 2048, partial: 4096, stamps: 8192, arena: 16384,
});

export const Flag = Object.freeze({
  wait: 16, cancelOnDisconnect: 32, keepResult: 64, progress: 128, // of submit; progress of await too
  now: 16, // of await
  keysOnly: 16, // of received
  duplicate: 16, relaxed: 32, memoryOnly: 64, // of accepted
  gap: 16, // of event
  returned: 16, // of recalled
  comeAgain: 16, // of retire
  degraded: 16, well: 32, // of report
});

export const checkpointBytesMax = 256 * 1024;
export const contents = Object.freeze(["bytes", "utf8", "json", "msgpack"]);
export const verdicts = Object.freeze(["done", "dead", "cancelled", "expired", "skipped"]);
export const causes = Object.freeze([
  "done", "failed", "failed-for-good", "retry-after", "held", "timeout", "crashed", "memory", "hung", "suspect", "recalled",
  "drained", "interrupted", "cancelled", "never-started", "deadline", "expired", "dropped",
]);
export const outcomes = Object.freeze(["done", "failed", "failed-for-good", "retry-after", "held"]);
export const states = Object.freeze([
  "recording", "ready", "delayed", "blocked", "held", "running", "done", "dead", "cancelled", "expired", "skipped",
]);
export const rungs = Object.freeze(["not-running", "frame", "term", "kill"]);
export const durabilities = Object.freeze(["full", "relaxed", "none"]);
export const verbs = Object.freeze([
  null, "status", "workers", "worker", "show", "ls", "dead-ls", "dead-retry", "dead-remove", "scale", "drain", "stop", "pause",
  "resume", "config", "types", "release", "events", "restart", "heartbeat", "log",
  "dead-export", "clean", "backup", "breakers", "breaker-open", "breaker-close", "alerts", "alerts-ack", "autopsy",
]);
