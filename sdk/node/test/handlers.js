// The worker of the tests: each type shows one thing that handlers do.
import fs from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { FailedForGood, Held, RetryAfter, task, withContent } from "warmpool";

let running = 0;
let most = 0;

task("js.echo", (payload, ctx) => withContent(ctx.content, payload));
task("js.value", (payload) => payload);
task("js.nothing", () => {});
task("js.fail", async (times, ctx) => {
  if (ctx.failures < times) throw new Error(`failure ${ctx.failures + 1} of ${times}`);
  return "ok";
});
task("js.resume", (steps, ctx) => {
  const at = (ctx.restored?.at ?? 0) + 1;
  if (at === steps) return at;
  ctx.checkpoint({ at });
  throw new Error(`at ${at}`);
});
task("js.fatal", () => {
  throw new FailedForGood("no retry can help");
});
task("js.odd", (how) => {
  if (how === "null") throw Object.create(null);
  if (how === "getter") throw Object.defineProperty(new Error("x"), "stack", { get: () => { throw new Error("no"); } });
  if (how === "never") throw Object.assign(new RetryAfter(1), { ms: NaN });
  throw new RetryAfter(1e300);
});
task("js.later", (ms, ctx) => {
  if (ctx.failures === 0) throw new RetryAfter(ms, "busy");
  return "now";
});
task("js.held", (file) => {
  if (!fs.existsSync(file)) throw new Held("look at me");
  return "released";
});
task("js.sleep", async (ms, ctx) => {
  await delay(ms, undefined, { signal: ctx.signal });
  return "slept";
});
task("js.cause", async (file, ctx) => {
  const aborted = new Promise((resolve) => ctx.signal.addEventListener("abort", resolve));
  fs.writeFileSync(`${file}.begun`, "");
  await aborted;
  fs.writeFileSync(file, ctx.signal.reason.cause);
  ctx.signal.throwIfAborted();
});
task("other.*", (_, ctx) => `other: ${ctx.type}`);
task("other.r?d", (_, ctx) => `never: ${ctx.type}`);
task("other.blue", () => "exact");
task("+.?", (_, ctx) => `one: ${ctx.type}`);
task("js.month", { timeout: 30 * 86_400_000 }, async (_, ctx) => {
  await delay(50);
  return ctx.cancelled;
});
task("js.deaf", (file) => {
  fs.writeFileSync(file, String(process.pid));
  return new Promise(() => setInterval(() => {}, 1000));
});
task("js.hurry", { timeout: 30 }, async (_, ctx) => delay(60_000, undefined, { signal: ctx.signal }));
task("js.steps", async (steps, ctx) => {
  for (let step = 1; step <= steps; ++step) {
    ctx.progress(Math.round((1000 * step) / steps), `step ${step}`);
    await delay(120);
  }
  return "all";
});
task("js.ail", (value, ctx) => {
  ctx.gauge("queue", value);
  ctx.degraded("the small model");
});
task("js.heal", (_, ctx) => {
  ctx.gauge("queue", null);
  ctx.well();
});
task("js.flood", (reports, ctx) => {
  for (let report = 1; report <= reports; ++report) ctx.progress(report % 1000, `report ${report}`);
  return reports;
});
task("js.noise", (lines) => {
  const frame = Buffer.alloc(32, 0xff); // what would break the channel, were it there
  for (let line = 0; line < lines; ++line) {
    console.log(`out ${line}`);
    console.error(`err ${line}`);
    process.stdout.write(frame);
  }
  fs.writeSync(1, "straight to descriptor 1\n");
  return lines;
});
task("js.much", (name) => {
  process.stdout.write(`${`${name} goes on `.padEnd(999, ".")}\n`.repeat(200));
  process.stdout.write(`${name} ends\n`);
});
task("js.said", (text) => console.log(text));
task("js.shut", () => {
  process.stdout.end("x".repeat(1 << 20)); // a library's fault
  return "shut";
});
task("js.patient", async (pieces) => {
  let most = 0;
  for (let piece = 0; piece < pieces; ++piece) {
    await new Promise((resolve) => process.stdout.write(`${"z".repeat(2000)}\n`, resolve));
    most = Math.max(most, process.stdout.writableLength);
  }
  return most;
});
task("js.chat", async (name) => {
  for (let line = 0; line < 20; ++line) {
    process.stdout.write(`${name} `);
    await new Promise(setImmediate);
    process.stdout.write(`says ${line}\n`);
    console.error(`${name}${"!".repeat(line === 19 ? 5000 : line)}`);
  }
  process.stdout.write(`${name} has no end`);
  fs.writeSync(1, "around it\n");
});
task("js.late-words", (file) => {
  const timer = setInterval(() => {
    if (!fs.existsSync(file)) return;
    clearInterval(timer);
    process.stdout.write("said late");
  }, 5);
  process.stdout.write("in time, ");
});
task("js.forge", (id) => {
  process.stdout.write(`before \x1e${id.toString(16).padStart(16, "0")}\x1fgrüße\n`);
  for (let part = 0; part < 20; ++part) {
    process.stdout.write("y".repeat(5000));
    fs.writeSync(1, "of nobody\n");
  }
  process.stdout.write("\nafter it\n");
});
task("js.block", (ms) => {
  const end = performance.now() + ms;
  while (performance.now() < end);
  return "blocked";
});
task("js.overlap", async (ms) => {
  most = Math.max(most, ++running);
  await delay(ms);
  --running;
  return most;
});
task("js.workdir", async (_, ctx) => {
  const directory = await ctx.workdir();
  fs.writeFileSync(`${directory}/file`, "x");
  return directory;
});
task("js.about", (_, ctx) => ({
  task: String(ctx.task), round: ctx.round, attempt: ctx.attempt, token: String(ctx.token), type: ctx.type, timeout: ctx.timeout,
  left: ctx.deadline === undefined ? null : ctx.deadline - Date.now(), pid: process.pid, concurrency: process.env.WARMPOOL_CONCURRENCY,
}));
task("js.large", (bytes) => Buffer.alloc(bytes, 0x61));
task("js.die", () => process.exit(3));
task("js.late", () => {
  setTimeout(() => {
    throw new Error("outside of any handler");
  }, 1);
  return delay(60_000);
});
