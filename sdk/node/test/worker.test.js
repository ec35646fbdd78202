// What a worker does with each frame that a daemon sends, and with what handlers do. WARMPOOL_TEST_CHANNEL=fifo: over FIFOs.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { Refused, task, TaskError } from "warmpool";
import { nanoseconds } from "../src/frame.js";
import { after, atMost } from "../src/timer.js";
import { bin, channel, eventually, here, Pool } from "./pool.js";

const timeout = 120_000;
const it = (name, options, body) => test(name, { timeout }, () => Pool.with(options, body));

async function errorOf(promise) {
  const error = await promise.then((value) => assert.fail(`done with ${value}`), (why) => why);
  assert.ok(error instanceof TaskError, error.stack);
  return error;
}

it("a handler takes and gives values of every content", {}, async (pool, client) => {
  for (const [value, content] of [[Buffer.from([0, 255, 10]), "bytes"], ["grüße", "utf8"], [{ a: [1, null] }, "json"], [{ b: 2 }, "msgpack"]]) {
    assert.deepEqual(await client.run("js.echo", value, { content }), value);
  }
  assert.equal(await client.run("js.nothing"), null);
  assert.deepEqual(await client.run("js.value", undefined), Buffer.alloc(0));
});

it("an attempt goes on where the one before left off", {}, async (pool, client) => {
  assert.equal(await client.run("js.resume", 3, { retries: 5 }), 3);
});

it("failures are told apart", { retries: 3 }, async (pool, client) => {
  assert.equal(await client.run("js.fail", 2), "ok");
  const spent = await errorOf(client.run("js.fail", 9, { retries: 1 }));
  assert.deepEqual([spent.verdict, spent.cause, spent.failures], ["dead", "failed", 2]);
  assert.match(spent.text, /^Error: failure 2 of 9\n +at .*handlers\.js/);
  const fatal = await errorOf(client.run("js.fatal"));
  assert.deepEqual([fatal.cause, fatal.failures, fatal.text], ["failed-for-good", 1, "no retry can help"]);
  assert.equal(await client.run("js.later", 20), "now");
  const unknown = await errorOf(client.run("js.no-such"));
  assert.equal(unknown.cause, "failed-for-good");
  assert.match(unknown.text, /does not handle the type js\.no-such/);
});

it("what is thrown may be odd", {}, async (pool, client) => {
  for (const how of ["null", "getter", "never"]) {
    const odd = await errorOf(client.run("js.odd", how, { retries: 0 }));
    assert.deepEqual([odd.cause, odd.text], ["failed", "what the handler threw cannot be told"]);
  }
  const job = client.submit("js.odd", "ever", { retries: 1 });
  const id = await job.accepted();
  await eventually(async () => (await client.show(id)).state === "delayed", "it waits");
  await job.cancel();
});

it("a held task waits until a person releases it", {}, async (pool, client) => {
  const job = client.submit("js.held", pool.file("released"));
  const id = await job.accepted();
  await eventually(async () => (await client.show(id)).state === "held", "it is held");
  fs.writeFileSync(pool.file("released"), "");
  await client.release(id);
  assert.equal(await job.result(), "released");
});

it("a cancel aborts the signal, with its cause", {}, async (pool, client) => {
  // A run that ends before its handler has begun aborts nothing: the times leave a slow machine room.
  for (const [options, cause] of [[{}, "cancelled"], [{ timeout: 2000, retries: 0 }, "timeout"], [{ deadline: 2000 }, "deadline"]]) {
    const file = pool.file(cause);
    const job = client.submit("js.cause", file, options);
    await eventually(() => fs.existsSync(`${file}.begun`), "its handler has begun");
    if (cause === "cancelled") assert.deepEqual(await job.cancel(), { rung: "frame", state: "cancelled" });
    const settled = await job.settled();
    assert.equal(settled.cause, cause);
    assert.equal(fs.readFileSync(file, "utf8"), cause);
  }
  assert.deepEqual(pool.exits(), []);
});

it("a handler that does not heed it is ended with its worker", { cancel_grace: "20ms", term_grace: "5s" }, async (pool, client) => {
  const file = pool.file("pid");
  const job = client.submit("js.deaf", file, { retries: 0 });
  await eventually(() => fs.existsSync(file), "it runs");
  assert.deepEqual(await job.cancel(), { rung: "term", state: "cancelled" });
  assert.equal(await client.run("js.value", "next"), "next");
});

it("the timeout of a handler is its own", { retries: 0 }, async (pool, client) => {
  const error = await errorOf(client.run("js.hurry"));
  assert.deepEqual([error.cause, error.text], ["failed", "the run was ended: timeout"]);
  assert.deepEqual(pool.exits(), []);
});

it("the timeout of a handler may be longer than a timer of Node's", {}, async (pool, client) => {
  assert.equal(await client.run("js.month"), false);
});

test("after and its siblings take any time", async () => {
  let called = 0;
  const callOff = after(2 ** 31, () => ++called);
  after(Infinity, () => ++called)();
  await new Promise((resolve) => after(5, resolve));
  callOff();
  assert.equal(called, 0);
  assert.equal(atMost(2 ** 40), 2 ** 31 - 1);
});

const modules = ["promised", ...(process.features.require_module ? ["required"] : [])];
for (const module of modules) {
  const command = [process.execPath, path.join(here, "../src/main.js"), path.join(here, `../samples/${module}.cjs`)];
  it(`handlers may be in CommonJS: ${module}`, { command, types: ["cjs.*"] }, async (pool, client) => {
    assert.equal(await client.run(`cjs.${module}`, "hi"), "hi");
  });
}

it("a handler may be for a pattern; an exact one goes first, then the one made first", { types: ["js.*", "other.*", "+.*"] }, async (pool, client) => {
  const results = await Promise.all(["other.red", "other.blue", "+.x"].map((type) => client.run(type)));
  assert.deepEqual(results, ["other: other.red", "exact", "one: +.x"]);
  const none = await errorOf(client.run("+.xy", undefined, { retries: 0 }));
  assert.match(none.text, /does not handle the type \+\.xy, only js\.echo, /);
});

test("what task() cannot take it says", () => {
  assert.throws(() => task("", () => {}), /takes the name/);
  assert.throws(() => task("x".repeat(256), () => {}), /1 to 255 bytes/);
  assert.throws(() => task("x", { timout: 1 }, () => {}), /no option timout/);
  assert.throws(() => task("x", { timeout: 0 }, () => {}), /above 0/);
  assert.throws(() => task("x", {}), /no function/);
  assert.throws(() => nanoseconds(1e300, "delay"), /delay is at most 292 years/);
});

it("progress is reported, and the last report before the answer", {}, async (pool, client) => {
  const steps = [];
  for await (const { permille, text } of client.submit("js.steps", 4).progress()) steps.push([permille, text]);
  assert.deepEqual(steps.at(-1), [1000, "step 4"]);
  const job = client.submit("js.flood", 1005);
  const reports = [];
  for await (const { text } of job.progress()) reports.push(text);
  assert.equal(reports.at(-1), "report 1005");
  assert.ok(reports.length < 10, `${reports.length} reports`);
  assert.equal(await job.result(), 1005);
});

it("what a handler says of its worker is shown until it says otherwise", { size: 1 }, async (pool, client) => {
  const health = async () => (await client.worker("node-0")).health_score;
  await client.run("js.ail", -7);
  await eventually(async () => (await health()).gauges.queue === -7, "its gauge is shown");
  await eventually(async () => (await health()).degraded === "the small model", "it is degraded");
  await client.run("js.heal");
  await eventually(async () => (await health()).degraded === null && !("queue" in (await health()).gauges), "it is well");
});

it("what a handler prints is kept and is no part of the channel", {}, async (pool, client) => {
  const results = [];
  for await (const lines of client.map("js.noise", [300, 300, 3])) results.push(lines);
  assert.deepEqual(results, [300, 300, 3]);
  const kept = async () => JSON.stringify((await client.worker("node-0")).output);
  await eventually(async () => (await kept()).includes("straight to descriptor 1"), "the daemon has read it");
  assert.deepEqual(pool.exits(), []);
});

for (const concurrency of [1, 4]) {
  it(`much that is printed is its task's to the end, ${concurrency} at once`, { concurrency, worker_output_bytes_max: "8MiB" }, async (pool, client) => {
    // More than a pipe takes at once, and less than what the daemon takes for a flood, of which it leaves pieces out.
    const logOf = async (type, payload) => {
      const job = client.submit(type, payload, { keepResult: true });
      await job.result();
      const { lines } = await client.log({ task: await job.accepted(), limit: 1024 });
      return lines.filter(({ stream, task }) => stream === "stdout" && task !== undefined).map(({ text }) => text.replaceAll(".", ""));
    };
    assert.deepEqual(await logOf("js.much", "ann"), [...Array(200).fill("ann goes on "), "ann ends"]);
    assert.deepEqual(await logOf("js.said", "bob"), ["bob"]);
  });
}

it("a handler that ends the standard output harms nobody", {}, async (pool, client) => {
  assert.equal(await client.run("js.shut"), "shut");
  assert.equal(await client.run("js.value", "next"), "next");
  assert.deepEqual(pool.exits(), []);
});

it("who waits for the callback of a write has no more than it in memory", { concurrency: 2 }, async (pool, client) => {
  const most = await client.run("js.patient", 500);
  assert.ok(most < 100_000, `${most} bytes`);
});

it("lines of several that run at once are told apart", { concurrency: 4, worker_output_bytes_max: "8MiB" }, async (pool, client) => {
  const names = ["ann", "bob", "cas", "dot", "eve", "fay"];
  const jobs = names.map((name) => client.submit("js.chat", name, { keepResult: true }));
  for (const [at, job] of jobs.entries()) {
    await job.result();
    const name = names[at];
    const lines = (await client.log({ task: await job.accepted(), limit: 1024 })).lines;
    const said = (stream) => lines.filter((line) => line.stream === stream && line.task !== undefined).map((line) => line.text);
    assert.ok(lines.some((line) => line.task === undefined && line.text === "around it"));
    assert.deepEqual(said("stdout"), [...Array(20).keys()].map((line) => `${name} says ${line}`).concat(`${name} has no end`));
    assert.deepEqual(said("stderr"), [...Array(20).keys()].map((line) => (name + "!".repeat(line === 19 ? 5000 : line)).slice(0, 4096)));
  }
});

it("what comes after the end without a line feed is not held for ever", { concurrency: 4 }, async (pool, client) => {
  await client.run("js.late-words", pool.file("later"));
  fs.writeFileSync(pool.file("later"), "");
  const said = async () => (await client.log({ slot: "node-0", limit: 1024 })).lines.map((line) => line.text).join("");
  await eventually(async () => (await said()).includes("in time, ") && (await said()).includes("said late"), "all of it is kept");
});

it("what is printed is no mark, and a long line is one", { concurrency: 4 }, async (pool, client) => {
  const other = client.submit("js.overlap", 0, { keepResult: true });
  await other.result();
  const id = await other.accepted();
  const forging = client.submit("js.forge", Number(id), { keepResult: true });
  await forging.result();
  const printed = async (task) => (await client.log({ task, limit: 1024 })).lines.filter((line) => line.task !== undefined).map((line) => line.text);
  await eventually(async () => (await printed(await forging.accepted())).includes("after it"), "the daemon has read it");
  assert.deepEqual(await printed(id), []);
  assert.deepEqual(await printed(await forging.accepted()),
    [`before \u241e${BigInt(id).toString(16).padStart(16, "0")}\u241fgrüße`, "y".repeat(4096), "after it"]);
});

it("as many run at once as the class says", { concurrency: 3 }, async (pool, client) => {
  const seen = [];
  for await (const most of client.map("js.overlap", Array(12).fill(100), { ordered: false })) seen.push(most);
  assert.equal(Math.max(...seen), 3);
});

it("one after the other where it says nothing, however many are in hand", { credits: 8 }, async (pool, client) => {
  const seen = [];
  for await (const most of client.map("js.overlap", Array(60).fill(0), { ordered: false })) seen.push(most);
  assert.deepEqual([seen.length, Math.max(...seen)], [60, 1]);
});

it("what was not begun is given back", { credits: 8, prefetch_budget: "1s", recall_after: "5ms" }, async (pool, client) => {
  for await (const _ of client.map("js.sleep", Array(40).fill(0))); // known to be short
  const slow = client.submit("js.sleep", 500);
  const jobs = Array.from({ length: 20 }, () => client.submit("js.sleep", 0));
  for (const job of [slow, ...jobs]) assert.equal(await job.result(), "slept");
  const { recalls } = (await client.status()).performance;
  assert.equal(recalls > 0, channel === "socket", `${recalls} recalls`);
  assert.deepEqual(pool.exits(), []);
});

it("a handler that computes for long costs nobody anything", { heartbeat_interval: "100ms", unresponsive_after: "400ms", dead_after: "1s" }, async (pool, client) => {
  assert.equal(await client.run("js.block", 1500), "blocked");
  assert.deepEqual(pool.exits(), []);
});

it("an idle worker beats", { heartbeat_interval: "100ms", unresponsive_after: "400ms", dead_after: "1s" }, async (pool, client) => {
  const { pid } = await pool.worker();
  const beaten = (await pool.worker()).last_heartbeat;
  await eventually(async () => (await pool.worker()).last_heartbeat > beaten, "it has beaten");
  assert.equal((await pool.worker()).pid, pid);
});

it("a retired worker answers what it has and ends with 0", {}, async (pool, client) => {
  const job = client.submit("js.sleep", 300);
  await eventually(async () => (await client.show(await job.accepted())).state === "running", "it runs");
  await client.restart({ slot: "node-0" });
  assert.equal(await job.result(), "slept");
  await eventually(() => pool.exits().length === 1, "the old one is gone");
  assert.match(pool.exits()[0], / 0$/);
  assert.equal((await client.status()).performance.crashes, 0);
});

it("SIGTERM ends a worker, with an answer for what it has", { retries: 1 }, async (pool, client) => {
  const job = client.submit("js.sleep", 60_000, { retries: 0 });
  await eventually(async () => (await client.show(await job.accepted())).state === "running", "it runs");
  process.kill((await pool.worker()).pid, "SIGTERM");
  const error = await errorOf(job.result());
  assert.deepEqual([error.cause, error.crashes], ["failed", 0]);
  assert.match(error.text, /told to end/);
});

it("SIGTERM ends one that runs several, each with its answer", { concurrency: 4, retries: 0 }, async (pool, client) => {
  const jobs = Array.from({ length: 3 }, () => client.submit("js.sleep", 60_000));
  jobs.push(client.submit("js.deaf", pool.file("pid")));
  await eventually(async () => (await client.status()).tasks.running === 4, "they run");
  await eventually(() => fs.existsSync(pool.file("pid")), "the last one has begun");
  process.kill((await pool.worker()).pid, "SIGTERM");
  const errors = await Promise.all(jobs.map((job) => errorOf(job.result())));
  assert.ok(errors.every(({ cause, crashes, text }) => cause === "failed" && crashes === 0 && /told to end/.test(text)));
  assert.match(errors[3].text, /did not heed it/);
  await eventually(() => pool.exits().length === 1, "it is gone");
  assert.match(pool.exits()[0], / 0$/);
});

it("a death charges its task and no more", { size: 2 }, async (pool, client) => {
  const death = errorOf(client.run("js.die", undefined, { crashesMax: 0 }));
  const values = [];
  for await (const value of client.map("js.value", [...Array(50).keys()])) values.push(value);
  assert.deepEqual(values, [...Array(50).keys()]);
  assert.deepEqual([(await death).cause, (await death).crashes], ["crashed", 1]);
  const late = await errorOf(client.run("js.late", undefined, { crashesMax: 0 }));
  assert.equal(late.cause, "crashed");
  await eventually(() => pool.log().includes("outside of any handler") || pool.exits().length === 2, "the second death");
});

it("the context says what the daemon said", {}, async (pool, client) => {
  const job = client.submit("js.about", undefined, { timeout: 50_000, deadline: 40_000 });
  const about = await job.result();
  assert.equal(about.task, String(job.id));
  assert.deepEqual([about.round, about.attempt, about.type, about.timeout], [1, 1, "js.about", 50_000]);
  assert.ok(about.left > 0 && about.left <= 40_000, about.left);
  assert.equal(about.concurrency, "1");
  assert.equal(fs.existsSync(await client.run("js.workdir")), false);
});

it("an attempt has the daemon's directory where its class makes such", { directory: "fresh" }, async (pool, client) => {
  const [first, second] = [await client.run("js.workdir"), await client.run("js.workdir")];
  assert.notEqual(first, second);
  assert.equal(path.dirname(first), pool.file("state/directories/node/fresh"));
  await eventually(() => fs.readdirSync(path.dirname(first)).length === 0, "both are removed");
});

it("a place's own directory stays", { directory: "kept" }, async (pool, client) => {
  const directory = await client.run("js.workdir");
  assert.equal(directory, pool.file("state/directories/node/kept/node-0"));
  assert.deepEqual([await client.run("js.workdir"), fs.readdirSync(directory)], [directory, ["file"]]);
});

it("large payloads and results come whole; a result that is too large fails for good", { payload_bytes_max: "8MiB", result_bytes_max: "5MiB" }, async (pool, client) => {
  const payload = Buffer.alloc(5 << 20, "0123456789");
  assert.ok(payload.equals(await client.run("js.echo", payload)));
  const error = await errorOf(client.run("js.large", payload.length + 1));
  assert.deepEqual([error.cause, error.failures], ["failed-for-good", 1]);
  assert.match(error.text, /5242881 bytes/);
});

it("what no frame can have is refused, and says so", {}, async (pool, client) => {
  const file = pool.file("payload");
  const give = (bytes) => {
    fs.writeFileSync(file, Buffer.alloc(bytes, 0x61));
    return spawnSync(path.join(bin, "warmpool"), ["submit", "js.echo", "--payload-file", file, "--socket", pool.file("warmpool.sock")], { encoding: "utf8" });
  };
  const idOf = ({ stdout, stderr }) => BigInt((stdout.match(/accepted (\d+)/) ?? assert.fail(stderr))[1]);
  const large = await errorOf(client.job(idOf(give(17 << 20))).result());
  assert.deepEqual([large.cause, large.failures], ["failed-for-good", 1]);
  assert.match(large.text, /the payload is too large for a frame, and this worker's program does not take descriptors/);
  const refused = await client.run("js.echo", Buffer.alloc(17 << 20)).catch((error) => error);
  assert.ok(refused instanceof Refused && refused.code === 205, String(refused));
  assert.equal((await client.run("js.value", "next")), "next");
});

it("a worker whose daemon is gone ends", {}, async (pool, client) => {
  const { pid } = await pool.worker();
  client.submit("js.sleep", 60_000);
  await pool.stop().catch(() => {});
  await eventually(() => !fs.existsSync(`/proc/${pid}`), "the worker is gone");
});

test("what is printed and not read is waited for, but not for ever", async () => {
  const script = `import { unwritten } from ${JSON.stringify(path.join(here, "../src/output.js"))};
    process.stdout.write("x".repeat(1 << 20));
    await unwritten(1);
    process.exit(7);`;
  const printing = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  assert.equal(await new Promise((resolve) => printing.once("exit", resolve)), 7);
  printing.stdout.destroy();
});

test("a worker that nobody started says so", () => {
  const main = path.join(here, "../src/main.js");
  const by = (env) => spawnSync(process.execPath, [main, path.join(here, "handlers.js")], { env, encoding: "utf8", timeout: 30_000, stdio: ["ignore", "pipe", "pipe"] });
  const alone = by({});
  assert.deepEqual([alone.status, /WARMPOOL_WORKER is not set: a worker is started by the daemon/.test(alone.stderr)], [2, true], alone.stderr);
  const given = { WARMPOOL_WORKER: "1", WARMPOOL_TOKEN: "2" };
  assert.match(by({ ...given, WARMPOOL_CHANNEL: "99" }).stderr, /no open descriptor/);
  assert.match(by({ ...given, WARMPOOL_CHANNEL: "0" }).stderr, /is no socket/);
  assert.match(by({ ...given, WARMPOOL_FIFO_IN: "/nowhere", WARMPOOL_FIFO_OUT: "/nowhere" }).stderr, /ENOENT/);
  const none = spawnSync(process.execPath, [main, path.join(here, "proxy.js")], { encoding: "utf8", timeout: 30_000 });
  assert.match(none.stderr, /no task in .*proxy\.js; define one with task\(\) of this same package, /);
  const empty = spawnSync(process.execPath, [main], { encoding: "utf8", timeout: 30_000 });
  assert.deepEqual([empty.status, /usage/.test(empty.stdout)], [2, true]);
});
