// The handlers of docs/sdk.md (conformance), in JavaScript.
import { execFile, execFileSync } from "node:child_process";
import fs from "node:fs/promises";
import { promisify } from "node:util";
import { Failed, FailedForGood, Held, RetryAfter, task, withContent } from "../../sdk/node/src/index.js";

task("echo", (payload) => payload);
task("echo.msgpack", (payload) => withContent("msgpack", payload));
task("size", (payload) => String(Buffer.byteLength(payload)));
task("large", (payload) => "x".repeat(Number(payload)));
task("fail", (payload) => {
  throw new Failed(payload);
});
task("fail.long", (payload) => {
  throw new Failed("x".repeat(Number(payload)));
});
task("fatal", (payload) => {
  throw new FailedForGood(payload);
});
task("later", (payload) => {
  throw new RetryAfter(1500, payload);
});
task("held", (payload) => {
  throw new Held(payload);
});
task("throw", (payload) => {
  throw new RangeError(payload);
});
const lineOf = async (path) => {
  const gate = await fs.open(path);
  const { buffer, bytesRead } = await gate.read();
  await gate.close();
  return buffer.toString("utf8", 0, bytesRead).trim();
};
task("gate", (payload, ctx) => {
  ctx.progress(1, "begun");
  return lineOf(payload);
});
task("gate.reported", (payload, ctx) => {
  ctx.progress(1, "begun");
  ctx.progress(2, "at the gate");
  return lineOf(payload);
});
task("partial", (payload, ctx) => {
  ctx.progress(1, "begun", { partial: payload });
  return payload;
});
task("heed", async (payload, ctx) => {
  ctx.progress(1, "begun");
  await new Promise((resolve) => ctx.signal.addEventListener("abort", resolve));
  throw new Failed(`told to end: ${ctx.signal.reason.cause}`);
});
task("steps", (payload, ctx) => {
  for (let step = 1; step <= Number(payload); ++step) ctx.progress((1000 * step) / Number(payload), `step ${step}`);
  return payload;
});
task("report", (payload, ctx) => {
  ctx.gauge("queue", 17);
  ctx.gauge("queue", null);
  ctx.degraded("the small one");
  ctx.well();
  return payload;
});
task("checkpoint", (payload, ctx) => {
  const before = ctx.restored ?? "none";
  ctx.checkpoint(payload);
  return before;
});
task("checkpoint.large", (payload, ctx) => {
  try {
    ctx.checkpoint("x".repeat(Number(payload)));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return "refused";
  }
  return "left";
});
task("checkpoint.asked", async (payload, ctx) => {
  ctx.progress(1, "begun");
  await ctx.whenCheckpointWanted();
  ctx.checkpoint("asked");
  return ctx.checkpointWanted ? "wanted" : "left";
});
task("context", (payload, ctx) => ({
  task: String(ctx.task), round: ctx.round, attempt: ctx.attempt, type: ctx.type, timeout_ms: ctx.timeout ?? 0,
  token: String(ctx.token), failures: ctx.failures, crashes: ctx.crashes, directory: ctx.directory ?? "",
}));
task("print", () => {
  process.stdout.write("stray words");
  process.stderr.write("\0\0\0\0 no frame\n");
  execFileSync("sh", ["-c", "echo of a child"], { stdio: "inherit" });
  return "printed";
});
task("surroundings", async () => (await promisify(execFile)("sh", ["-c", "env; ls -l /proc/self/fd"])).stdout);
