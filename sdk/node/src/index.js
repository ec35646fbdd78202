export { Client, connect } from "./client.js";
export { withContent } from "./content.js";
export {
  Disconnected, Failed, FailedForGood, Held, ProtocolError, Refused, RetryAfter, TaskAborted, TaskError, Unknown, WarmpoolError,
} from "./errors.js";
export { run, Status, task, types } from "./worker.js";
