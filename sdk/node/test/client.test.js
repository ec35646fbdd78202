// What a client can ask, and what becomes of it when the connection breaks.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { connect, Disconnected, Refused, TaskAborted, TaskError, Unknown, WarmpoolError } from "warmpool";
import { Request } from "../src/asks.js";
import { dial } from "../src/place.js";
import { Kind, verbs } from "../src/words.js";
import { eventually, here, Pool } from "./pool.js";
import { Proxy } from "./proxy.js";

const timeout = 120_000;
const it = (name, options, body) => test(name, { timeout }, () => Pool.with(options, body));

/** A test with a second client, whose connection can be cut. */
const cutting = (name, options, body) =>
  it(name, options, async (pool) => {
    const proxy = await Proxy.start(pool.file("proxy.sock"), pool.file("warmpool.sock"));
    try {
      await body(pool, await pool.connect({ socket: pool.file("proxy.sock") }), proxy);
    } finally {
      await proxy.stop();
    }
  });

async function errorOf(promise, kind) {
  const error = await promise.then((value) => assert.fail(`done with ${JSON.stringify(value)}`), (why) => why);
  assert.ok(error instanceof kind && error instanceof WarmpoolError, error.stack);
  return error;
}

const closeWaitMs = 5000;

/** Timers of this length do not run out meanwhile. */
async function withoutTimers(ms, body) {
  const real = globalThis.setTimeout;
  globalThis.setTimeout = (act, wait, ...args) => (wait === ms ? real(() => {}, wait) : real(act, wait, ...args));
  try {
    return await body();
  } finally {
    globalThis.setTimeout = real;
  }
}

async function collect(source) {
  const items = [];
  for await (const item of source) items.push(item);
  return items;
}

const runs = (pool, job) => eventually(async () => (await pool.client.show(await job.accepted())).state === "running", "it runs");
const accepted = async (pool) => (await pool.client.status()).tasks.accepted;
const range = (count) => [...Array(count).keys()];

it("map keeps the order, in a window", { size: 2 }, async (pool, client) => {
  assert.deepEqual(await collect(client.map("js.value", range(300), { inFlight: 16 })), range(300));
  const waits = [200, 0, 0, 0];
  const indexes = (await collect(client.mapSettled("js.sleep", waits, { ordered: false }))).map(({ index }) => index);
  assert.equal(indexes.at(-1), 0);
  let taken = 0;
  const endless = (async function* () {
    for (;;) yield taken++;
  })();
  for await (const value of client.map("js.value", endless, { inFlight: 5 })) if (value === 9) break;
  assert.ok(taken <= 16, `${taken} were taken`);
});

it("map yields what is there while its source is quiet, and notices errors and aborts", { retries: 0 }, async (pool, client) => {
  const quiet = async function* (payloads) {
    yield* payloads;
    await new Promise(() => {});
  };
  for (const ordered of [true, false]) {
    const source = client.map("js.value", quiet([1, 2]), { ordered });
    assert.deepEqual([(await source.next()).value, (await source.next()).value], [1, 2]);
    const wait = source.next();
    assert.equal((await source.return()).done, true);
    assert.equal((await wait).done, true);
  }
  await errorOf(collect(client.map("js.fatal", quiet([1]))), TaskError);
  const abort = new AbortController();
  const aborted = client.mapSettled("js.sleep", quiet([0, 60_000]), { signal: abort.signal });
  assert.equal((await aborted.next()).value.value, "slept");
  const next = aborted.next();
  abort.abort();
  assert.ok((await next).value.error instanceof TaskAborted);
  await errorOf(aborted.next(), TaskAborted); // it does not say that this was all
  await errorOf(client.map("js.value", quiet([]), { signal: AbortSignal.timeout(1) }).next(), TaskAborted);
  await errorOf(client.map("js.value", [1], { signal: abort.signal }).next(), TaskAborted);
  const failing = (async function* () {
    yield 1;
    throw new RangeError("of the source");
  })();
  await assert.rejects(collect(client.map("js.sleep", failing)), /of the source/);
});

it("map takes promises, says at once what it cannot take, and a payload that cannot travel is its own item", {}, async (pool, client) => {
  assert.deepEqual(await collect(client.map("js.value", [Promise.resolve(1), 2, Promise.resolve(3)])), [1, 2, 3]);
  const items = await collect(client.mapSettled("js.value", [1, 2n, 3]));
  assert.deepEqual(items.map(({ value, error }) => error?.name ?? value), [1, "TypeError", 3]);
  assert.throws(() => client.map("js.value", 5), /something to iterate over/);
  assert.throws(() => client.map("js.value", [], { inFlight: 0 }), /inFlight/);
  assert.throws(() => client.map("js.value", [], { wait: false }), /wait: false/);
  assert.throws(() => client.mapSettled("js.value", [], { prioriti: 1 }), /mapSettled has no option prioriti; there are: .*inFlight/);
  for (const wrong of [{ labels: "a" }, { content: "xml" }, { timeout: "5s" }, { signal: "now" }]) {
    assert.throws(() => client.mapSettled("js.value", [], wrong), TypeError);
  }
  assert.throws(() => client.mapSettled("", []), /a task type is a text/);
});

it("what is left of a map is given up after a while where the daemon hangs", {}, async (pool, client) => {
  const source = client.map("js.sleep", [0, 60_000, 60_000]);
  assert.equal((await source.next()).value, "slept");
  pool.process.kill("SIGSTOP");
  try {
    await source.return();
  } finally {
    pool.process.kill("SIGCONT");
  }
  await eventually(async () => (await client.status()).tasks.cancelled === 2, "they are cancelled when it goes on");
});

it("map throws what fails and cancels the rest; mapSettled goes on", { retries: 0 }, async (pool, client) => {
  const source = client.map("js.fail", [0, 1, ...Array(10).fill(0)], { ordered: true });
  assert.equal((await source.next()).value, "ok");
  await errorOf(source.next(), TaskError);
  assert.equal((await source.next()).done, true);
  const items = await collect(client.mapSettled("js.fail", [0, 1, 0]));
  assert.deepEqual(items.map(({ value, error }) => value ?? error.cause), ["ok", "failed", "ok"]);
  const stopped = client.map("js.sleep", [0, 60_000, 60_000]);
  assert.equal((await stopped.next()).value, "slept");
  await stopped.return();
  const { tasks } = await client.status();
  assert.deepEqual([tasks.running, tasks.waiting], [0, 0]);
});

it("an AbortSignal cancels, whenever it comes", {}, async (pool, client) => {
  const abort = new AbortController();
  const running = client.submit("js.sleep", 60_000, { signal: abort.signal });
  const waiting = client.submit("js.sleep", 60_000, { signal: abort.signal });
  const elsewhere = client.submit("js.value", 1);
  await runs(pool, running);
  const unsent = client.submit("js.sleep", 60_000, { signal: abort.signal });
  abort.abort(new Error("enough"));
  for (const job of [running, waiting, unsent]) {
    const error = await errorOf(job.result(), TaskAborted);
    assert.deepEqual([error.name, error.id, error.reason.message], ["AbortError", job.id, "enough"]);
    assert.equal(error.cause, abort.signal.reason);
  }
  assert.equal(await elsewhere.result(), 1);
  const never = client.submit("js.value", 1, { signal: abort.signal });
  assert.match((await errorOf(never.result(), TaskAborted)).message, /given up before it was accepted: enough/);
  assert.equal(await accepted(pool), 4);
  await eventually(async () => (await client.status()).tasks.cancelled === 3, "they are cancelled in the background");
  const done = new AbortController();
  assert.equal(await client.run("js.value", 2, { signal: done.signal }), 2);
  done.abort(); // too late, and nobody minds
  const late = await errorOf(client.run("js.sleep", 60_000, { signal: AbortSignal.timeout(1) }), TaskAborted);
  assert.deepEqual([late.name, late.reason.name], ["TimeoutError", "TimeoutError"]);
  assert.throws(() => client.submit("js.value", 1, { signal: abort }), /signal is an AbortSignal/);
});

it("a signal ends the wait for somebody else's task, and not the task", {}, async (pool, client) => {
  const id = await client.submit("js.sleep", 300, { wait: false }).accepted();
  const abort = new AbortController();
  const watched = (await pool.connect()).job(id, { signal: abort.signal });
  abort.abort();
  assert.equal((await errorOf(watched.settled(), TaskAborted)).id, id);
  assert.equal(await client.job(id).result(), "slept");
  assert.throws(() => client.job(id, { sinal: abort.signal }), /no option sinal/);
});

it("somebody else's task is awaited once, however often that is begun, and close does not wait for it", { in_flight_max: 16 }, async (pool, client) => {
  const id = await client.submit("js.sleep", 60_000, { wait: false }).accepted();
  const other = await pool.connect();
  for (const _ of range(20)) await errorOf(other.job(id, { signal: AbortSignal.timeout(1) }).result(), TaskAborted);
  await other.submit("js.value", 1, { wait: false }).accepted();
  const left = errorOf(other.job(id).result(), Disconnected);
  await errorOf(other.job(id, { signal: AbortSignal.timeout(1) }).result(), TaskAborted);
  await withoutTimers(closeWaitMs, () => other.close());
  await left;
  assert.equal((await client.show(id)).state, "running");
  const both = [client.job(id), client.job(id, { progress: false }), client.job(id)].map((job) => job.settled());
  await client.cancel(id);
  assert.deepEqual((await Promise.all(both)).map(({ verdict }) => verdict), ["cancelled", "cancelled", "cancelled"]);
});

cutting("who gave up to wait for somebody else's task does not wait for it on another connection", {}, async (pool, client, proxy) => {
  const id = await pool.client.submit("js.sleep", 60_000, { wait: false }).accepted();
  const abort = new AbortController();
  const jobs = [client.job(id), client.job(id, { progress: false, signal: abort.signal })];
  abort.abort();
  await errorOf(jobs[1].settled(), TaskAborted);
  await client.status();
  proxy.cut();
  await client.cancel(id);
  assert.equal((await jobs[0].settled()).verdict, "cancelled");
  assert.equal(proxy.kinds.filter((kind) => kind === Kind.await).length, 3);
});

cutting("an abort ends the wait while the daemon is away, and nothing of it is sent again", {}, async (pool, client, proxy) => {
  const abort = new AbortController();
  const running = client.submit("js.sleep", 60_000, { signal: abort.signal });
  await runs(pool, running);
  proxy.refuse(true);
  proxy.cut();
  await eventually(() => client.server === undefined, "the connection is gone");
  const unsent = [client.submit("js.value", 1, { signal: abort.signal }), client.submit("js.value", 2, { signal: abort.signal, autoKey: false })];
  abort.abort(new Error("enough"));
  for (const job of [running, ...unsent]) assert.equal((await errorOf(job.result(), TaskAborted)).reason.message, "enough");
  proxy.refuse(false);
  assert.equal(await client.run("js.value", 3), 3);
  await eventually(async () => (await pool.client.show(running.id)).state === "cancelled", "its cancel came later");
  assert.equal(await accepted(pool), 2);
});

cutting("a task that is given up before its acceptance is cancelled with it, and not submitted twice", {}, async (pool, client, proxy) => {
  const abort = new AbortController();
  const held = client.submit("js.sleep", 60_000, { signal: abort.signal });
  abort.abort();
  await errorOf(held.result(), TaskAborted);
  await eventually(async () => (await pool.client.status()).tasks.cancelled === 1, "it is cancelled");
  proxy.deafen();
  const again = new AbortController();
  const lost = client.submit("js.sleep", 1, { signal: again.signal });
  await eventually(async () => (await accepted(pool)) === 2, "the daemon has it");
  again.abort();
  await errorOf(lost.accepted(), TaskAborted);
  proxy.cut();
  assert.equal(await client.run("js.value", 3), 3);
  assert.deepEqual([await accepted(pool), (await pool.client.status()).tasks.duplicates], [3, 0]);
});

it("an abort and a close end what waits for a daemon that hangs", {}, async (pool, client) => {
  const other = await pool.connect();
  const abort = new AbortController();
  const running = client.submit("js.sleep", 60_000, { signal: abort.signal });
  await runs(pool, running);
  pool.process.kill("SIGSTOP");
  try {
    const unaccepted = client.submit("js.value", 1, { signal: abort.signal });
    const large = other.submit("js.value", Buffer.alloc(1_000_000)); // more than the socket takes
    abort.abort();
    for (const job of [running, unaccepted]) await errorOf(job.result(), TaskAborted);
    await other.close();
    await errorOf(large.result(), Disconnected);
  } finally {
    pool.process.kill("SIGCONT");
  }
  await eventually(async () => (await client.show(running.id)).state === "cancelled", "the daemon hears of it when it goes on");
  await eventually(async () => (await client.status()).tasks.running === 0, "nothing is left");
});

it("what a daemon does not read is not written into memory", {}, async (pool, client) => {
  pool.process.kill("SIGSTOP");
  let jobs;
  try {
    jobs = range(40).map((number) => client.submit("js.value", Buffer.alloc(500_000, number)));
    await new Promise(setImmediate);
    assert.ok(jobs.filter(({ sent }) => sent).length < 10, "most of them wait");
  } finally {
    pool.process.kill("SIGCONT");
  }
  for (const [number, job] of jobs.entries()) assert.equal((await job.result())[0], number);
});

for (const [in_flight_max, tasks] of [[16, 14], [4, 3]]) {
  it(`cancels and questions go before tasks that wait to be sent: ${in_flight_max} in flight`, { in_flight_max }, async (pool, client) => {
    const jobs = range(40).map(() => client.submit("js.sleep", 60_000));
    await runs(pool, jobs[0]);
    assert.equal((await client.status()).tasks.accepted, tasks);
    for (const job of jobs) assert.equal((await job.cancel()).state, "cancelled");
    for (const job of jobs) assert.equal((await job.settled()).verdict, "cancelled");
  });
}

it("one at a time may be in flight", { in_flight_max: 1 }, async (pool, client) => {
  assert.deepEqual(await Promise.all(range(5).map((number) => client.run("js.value", number))), range(5));
});

it("close waits for the cancels of what was aborted", {}, async (pool, client) => {
  const other = await pool.connect();
  const abort = new AbortController();
  const jobs = [other.submit("js.sleep", 60_000, { signal: abort.signal })];
  await jobs[0].accepted();
  jobs.push(other.submit("js.sleep", 60_000, { signal: abort.signal }));
  abort.abort();
  await other.close();
  for (const job of jobs) await errorOf(job.result(), TaskAborted);
  const { tasks } = await client.status();
  assert.deepEqual([tasks.running, tasks.waiting, tasks.cancelled], [0, 0, 2]);
});

it("what close gave up leaves its place to the cancels that close waits for", { in_flight_max: 8, cancel_grace: "1h" }, async (pool, client) => {
  const other = await pool.connect();
  const deaf = other.submit("js.deaf", pool.file("pid"), { retries: 0 });
  await deaf.accepted(); // it may run before its id has come
  const given = await eventually(() => fs.existsSync(pool.file("pid")) && Number(fs.readFileSync(pool.file("pid"), "utf8")), "it runs");
  const abort = new AbortController();
  const jobs = [abort.signal, ...Array(4)].map((signal) => other.submit("js.sleep", 60_000, { signal }));
  const cancels = [errorOf(other.cancel(deaf.id), Disconnected), errorOf(other.cancel(deaf.id), Disconnected)]; // which take long
  for (const job of jobs) await job.accepted();
  abort.abort();
  await withoutTimers(closeWaitMs, async () => {
    const closed = other.close();
    await Promise.all(cancels);
    process.kill(given, "SIGKILL");
    await closed;
  });
  assert.equal((await client.status()).tasks.cancelled, 2);
});

cutting("what settles while it closes is acknowledged", {}, async (pool, client, proxy) => {
  const abort = new AbortController();
  const job = client.submit("js.sleep", 60_000, { signal: abort.signal });
  await job.accepted();
  abort.abort();
  await client.close();
  await eventually(() => proxy.kinds.includes(Kind.received), "the daemon is told");
});

it("what the daemon refuses says why", { tasks_max: 100 }, async (pool, client) => {
  assert.equal((await errorOf(client.run("no-such"), Refused)).code, 201);
  assert.equal((await errorOf(client.run("js.value", 1, { priority: 101 }), Refused)).code, 202);
  assert.equal((await errorOf(client.run("js.value", 1, { timeout: -1 }), Refused)).code, 203);
  const payload = Buffer.alloc(client.payloadBytesMax + 1);
  assert.equal((await errorOf(client.run("js.value", payload), Refused)).code, 205);
  const far = Buffer.alloc(client.payloadBytesMax + (1 << 20));
  assert.equal((await errorOf(client.run("js.value", far), Refused)).code, 205);
  assert.equal((await errorOf(client.job(1).result(), Refused)).code, 301);
  assert.equal((await errorOf(client.worker("nobody"), Refused)).code, 302);
  assert.throws(() => client.submit("js.value", 1, { prioriti: 1 }), /no option prioriti/);
  assert.throws(() => client.submit("js.value", 1, { timeout: "5s" }), /number of milliseconds/);
  // None of these reaches the daemon, which would hang up on all that is open.
  for (const [wish, wrong] of Object.entries({
    priority: -1, retries: "3", crashesMax: 1.5, key: 5, tenant: "t".repeat(256), labels: "a", durability: "most", runAt: "noon", delay: 1e300,
  })) {
    assert.throws(() => client.submit("js.value", 1, { [wish]: wrong }), (error) => error instanceof TypeError || error instanceof RangeError, wish);
  }
  for (const labels of [Array(33).fill("a"), ["a\0"], [5], ["l".repeat(256)]]) assert.throws(() => client.submit("js.value", 1, { labels }), /label/);
  for (const type of [undefined, "", 5, "t\0", "t".repeat(256)]) assert.throws(() => client.submit(type, 1), /a task type is a text/);
  await assert.rejects(connect({ socket: pool.file("warmpool.sock"), reconnect: "5s" }), /reconnect is a number/);
  await assert.rejects(connect({ sockt: pool.file("warmpool.sock") }), /no option sockt/);
  assert.equal(await (await pool.connect({ name: "n".repeat(300) })).run("js.value", 1), 1);
  await assert.rejects(client.request("dance"), /no verb dance/);
  assert.equal(await client.run("js.value", "still here"), "still here");
});

it("wishes arrive", { retries: 0 }, async (pool, client) => {
  const job = client.submit("js.value", 1, {
    priority: 3, timeout: 5000, delay: 20, labels: ["a", "b"], tenant: "t", key: "k", durability: "relaxed", crashesMax: 2, retries: 4,
  });
  const row = await client.show(await job.accepted());
  assert.deepEqual([row.tenant, row.key, row.labels], ["t", "k", ["a", "b"]]);
  assert.equal(await job.result(), 1);
  assert.equal(job.durability, "relaxed");
  const same = client.submit("js.value", 1, { tenant: "t", key: "k" });
  assert.equal(await same.accepted(), job.id);
  assert.equal(same.duplicate, true);
  assert.equal((await errorOf(client.run("js.value", 2, { tenant: "t", key: "k" }), Refused)).code, 206);
  const later = client.submit("js.value", 1, { runAt: new Date(Date.now() + 3_600_000), wait: false });
  const id = await later.accepted();
  assert.equal((await client.show(id)).state, "delayed");
  assert.throws(() => later.settled(), /wait: false/);
  assert.deepEqual(await client.cancel(id), { rung: "not-running", state: "cancelled" });
  assert.equal((await client.job(id).settled()).verdict, "cancelled");
});

it("a task is awaited by another client", {}, async (pool, client) => {
  const other = await pool.connect();
  const job = other.submit("js.steps", 3, { wait: false });
  const watched = client.job(await job.accepted());
  const reports = await collect(watched.progress());
  assert.equal(reports.at(-1).permille, 1000);
  assert.equal(await watched.result(), "all");
});

it("verbs", { size: 2 }, async (pool, client) => {
  assert.deepEqual(await client.scale({ class: "node", to: 1 }), { schema: 1, before: 2, after: 1 });
  assert.equal((await client.config()).options.some(({ name }) => name === "tasks_max"), true);
  assert.equal((await client.types()).classes[0].name, "node");
  await client.pause({ type: "js.value" });
  const job = client.submit("js.value", 1, { keepResult: true });
  await job.accepted();
  await client.resume({ type: "js.value" });
  assert.equal(await job.result(), 1);
  const dead = await client.submit("js.fatal").settled();
  assert.deepEqual((await client.deadLs()).tasks.map(({ id }) => BigInt(id)), [dead.id]);
  assert.equal((await client.deadLs({ cause: "crashed" })).tasks.length, 0);
  assert.equal((await client.deadExport({ text: "no retry", older: 0 })).letters.length, 1);
  assert.throws(() => client.deadRetry({ typ: "js.fatal" }), /no filter typ/);
  assert.equal((await client.deadRetry({ tasks: [dead.id] })).retried, 1);
  assert.equal((await client.job(dead.id).settled()).round, 2);
  assert.throws(() => client.deadRetry({ payload: 1 }), /for one dead letter/);
  assert.throws(() => client.deadRetry({ tasks: [dead.id], content: "json" }), /give that too/);
  assert.equal((await client.deadRetry({ tasks: [dead.id], payload: { mended: true } })).retried, 1);
  assert.equal((await client.job(dead.id).settled()).round, 3);
  assert.deepEqual((await client.deadExport()).letters[0].payload.text, '{"mended":true}');
  assert.equal((await client.deadRemove({ type: "js.fatal" })).removed, 1);
  assert.ok(Array.isArray((await client.ls({ type: "js.value" })).tasks));
  const { last } = await client.log({ slot: "node-0", limit: 5, after: 0 });
  assert.deepEqual((await client.log({ slot: "node-0", after: last })).lines, []);
  assert.ok("health_score" in (await client.worker("node-0", { sizes: true })));
  await client.backup(pool.file("copy"));
  assert.ok(fs.existsSync(pool.file("copy")));
  assert.ok((await client.clean({ older: 0, state: "done" })).removed >= 1);
  await client.drain();
  assert.equal((await errorOf(client.run("js.value", 1), Refused)).code, 103);
  await client.drain(false);
  assert.equal(await client.run("js.value", 2), 2);
});

it("events are followed, over a connection of their own", {}, async (pool, client) => {
  const events = client.events({ types: "task-*" });
  let begun = false;
  const first = events.next().finally(() => (begun = true));
  await eventually(async () => (await client.run("js.value", 1)) === 1 && begun, "the daemon tells"); // it has begun to listen
  const seen = [(await first).value];
  const last = client.submit("js.value", 2);
  await last.result();
  for await (const event of events) {
    seen.push(event);
    if (event.event === "task-completed" && BigInt(event.task) === last.id) break;
  }
  assert.ok(seen.every(({ number, event }) => Number.isInteger(number) && event.startsWith("task-")));
  const remembered = await collect(client.events({ follow: false, after: seen[0].number - 1, types: "task-completed" }));
  assert.deepEqual(BigInt(remembered.at(-1).task), last.id);
  assert.equal((await errorOf(collect(client.events({ types: "no-such" })), Refused)).code, 208);
  for (const follow of [true, false]) {
    const thrown = client.events({ after: 0, follow });
    await thrown.next();
    await assert.rejects(thrown.throw(new Error("of who iterates")), /of who iterates/);
  }
});

cutting("events end from outside: by return(), a signal, the end of the client", {}, async (pool, client, proxy) => {
  const abort = new AbortController();
  const [returned, aborted, closed, away] = [{}, { signal: abort.signal }, {}, {}].map((options) => client.events({ types: "alert-*", ...options }));
  const waits = [returned, aborted, closed].map((events) => events.next());
  await eventually(() => proxy.connections === 4, "they listen");
  assert.deepEqual([await returned.return(), await waits[0]], [{ done: true, value: undefined }, { done: true, value: undefined }]);
  abort.abort(new Error("enough"));
  await assert.rejects(waits[1], /enough/);
  await assert.rejects(client.events({ signal: abort.signal }).next(), /enough/);
  proxy.refuse(true);
  await errorOf(away.next(), Disconnected);
  proxy.cut(); // the last one dials again
  await client.close();
  assert.deepEqual(await waits[2], { done: true, value: undefined });
  await errorOf(client.events().next(), Disconnected);
  assert.throws(() => client.events({ type: "x" }), /no option type/);
});

it("events end while the daemon hangs", {}, async (pool, client) => {
  pool.process.kill("SIGSTOP");
  try {
    const events = client.events();
    const wait = events.next();
    await events.return();
    assert.equal((await wait).done, true);
  } finally {
    pool.process.kill("SIGCONT");
  }
});

test("a verb that changes something is not asked twice", () => {
  const once = verbs.slice(1).filter((verb) => !new Request(verb, []).again());
  assert.deepEqual(once.sort(), [
    "alerts-ack", "backup", "breaker-close", "breaker-open", "clean", "dead-remove", "dead-retry", "drain", "events", "heartbeat",
    "pause", "release", "restart", "resume", "scale", "stop",
  ]);
});

it("a listener that takes none for long holds a bounded number, and misses none that it is not told of", { events_max: 30_000 }, async (pool, client) => {
  const events = client.events({ types: "type-*" });
  let begun = false;
  const first = events.next().finally(() => (begun = true));
  const toggle = () => Promise.all([client.pause({ type: "js.value" }), client.resume({ type: "js.value" })]);
  await eventually(async () => (await toggle(), begun), "it has begun");
  await first;
  await Promise.all(Array.from({ length: 7000 }, toggle));
  for (let seen = 0; seen < 14_000; ) {
    const { value } = await events.next();
    seen += value.missed ?? 1;
  }
  await events.return();
});

cutting("a submit whose acceptance was lost is the same task", {}, async (pool, client, proxy) => {
  proxy.deafen();
  const job = client.submit("js.sleep", 200);
  await eventually(async () => (await accepted(pool)) === 1, "the daemon has it");
  proxy.cut();
  assert.equal(await job.result(), "slept");
  assert.equal(job.duplicate, true);
  assert.deepEqual([await accepted(pool), (await pool.client.status()).tasks.duplicates, proxy.connections], [1, 1, 2]);
});

cutting("an accepted task is awaited by its id", {}, async (pool, client, proxy) => {
  const keyed = client.submit("js.sleep", 300);
  const bare = client.submit("js.sleep", 0, { autoKey: false });
  await Promise.all([keyed.accepted(), bare.accepted()]);
  const queued = pool.client.submit("js.value", 1);
  proxy.cut();
  const late = client.submit("js.value", "while there is no connection");
  assert.deepEqual(await Promise.all([keyed.result(), bare.result(), late.result(), queued.result()]), ["slept", "slept", "while there is no connection", 1]);
  assert.equal(await accepted(pool), 4);
});

cutting("what may have been done and cannot be asked again is unknown", {}, async (pool, client, proxy) => {
  proxy.deafen();
  const bare = client.submit("js.value", 1, { autoKey: false });
  const paused = client.pause({ type: "js.echo" });
  const status = client.status();
  await eventually(async () => (await accepted(pool)) === 1, "the daemon has it");
  proxy.cut();
  await errorOf(bare.result(), Unknown);
  await errorOf(bare.accepted(), Unknown);
  await errorOf(paused, Unknown);
  assert.equal((await status).schema, 1);
  assert.equal(await accepted(pool), 1);
});

cutting("a task that ends with its client is submitted anew", {}, async (pool, client, proxy) => {
  const job = client.submit("js.sleep", 400, { cancelOnDisconnect: true });
  const first = await job.accepted();
  await runs(pool, job);
  proxy.cut();
  assert.equal(await job.result(), "slept");
  assert.notEqual(job.id, first);
  assert.equal((await pool.client.show(first)).state, "cancelled");
});

cutting("a client gives up in its time, and says so", {}, async (pool, client, proxy) => {
  const impatient = await pool.connect({ socket: pool.file("proxy.sock"), reconnect: 100 });
  const never = await pool.connect({ socket: pool.file("proxy.sock"), reconnect: false });
  const jobs = [impatient, never].map((each) => each.submit("js.sleep", 60_000));
  for (const job of jobs) await job.accepted();
  proxy.refuse(true);
  proxy.cut();
  const errors = [];
  for (const job of jobs) errors.push(await errorOf(job.result(), Disconnected));
  assert.match(errors[0].message, /nobody came back within 0.1 s: connect\(\) again, or raise reconnect/);
  assert.doesNotMatch(errors[1].message, /raise reconnect/);
  await errorOf(impatient.status(), Disconnected);
  assert.equal(impatient.closed && never.closed, true);
  proxy.refuse(false);
  assert.equal(client.closed, false);
});

it("tasks outlive a crash of the daemon", {}, async (pool, client) => {
  const jobs = [client.submit("js.sleep", 300), ...range(20).map((number) => client.submit("js.value", number))];
  await Promise.all(jobs.map((job) => job.accepted()));
  await pool.crash();
  assert.deepEqual(await Promise.all(jobs.map((job) => job.result())), ["slept", ...range(20)]);
});

it("tasks that a daemon kept in memory alone are submitted anew", {}, async (pool, client) => {
  const job = client.submit("js.sleep", 300, { durability: "none" });
  await job.accepted();
  await pool.crash();
  assert.equal(await job.result(), "slept");
});

cutting("close ends it while it dials again, and nothing of it goes on", {}, async (pool, client, proxy) => {
  const job = client.submit("js.sleep", 60_000);
  await job.accepted();
  proxy.refuse(true);
  proxy.cut();
  await eventually(() => client.server === undefined, "the connection is gone");
  const late = client.submit("js.value", 1);
  await Promise.all([client.close(), client.close()]);
  for (const each of [job, late]) assert.match((await errorOf(each.result(), Disconnected)).message, /closed/);
  proxy.refuse(false);
  const before = proxy.connections;
  assert.equal(await (await pool.connect({ socket: pool.file("proxy.sock") })).run("js.value", 1), 1);
  assert.deepEqual([proxy.connections, await accepted(pool)], [before + 1, 2]);
});

it("one process may have clients of several pools, and one signal for all", {}, async (pool, client) => {
  await Pool.with({}, async (_, other) => {
    const warnings = [];
    const warn = (warning) => warnings.push(warning);
    process.on("warning", warn);
    const abort = new AbortController();
    const { signal } = abort;
    const values = await Promise.all(range(40).map((number) => (number % 2 ? client : other).run("js.value", number, { signal })));
    assert.deepEqual(values, range(40));
    const maps = await Promise.all(range(15).map((number) => collect((number % 2 ? client : other).map("js.value", [1, 2], { signal }))));
    assert.deepEqual(maps.flat(), range(15).flatMap(() => [1, 2]));
    const listening = range(15).map(() => client.events({ signal, types: "alert-*" }).next());
    const jobs = [client, other].map((each) => each.submit("js.sleep", 60_000, { signal }));
    for (const job of jobs) await job.accepted();
    abort.abort();
    for (const job of jobs) await errorOf(job.result(), TaskAborted);
    for (const next of listening) await assert.rejects(next, { name: "AbortError" });
    await new Promise(setImmediate);
    process.off("warning", warn);
    assert.deepEqual(warnings, []);
  });
});

it("close ends what waits and leaves tasks be", {}, async (pool) => {
  const other = await pool.connect();
  const job = other.submit("js.sleep", 100);
  const id = await job.accepted();
  const result = errorOf(job.result(), Disconnected);
  await other.close();
  await other.close();
  assert.match((await result).message, /closed/);
  await errorOf(other.run("js.value", 1), Disconnected);
  assert.equal(await pool.client.job(id).result(), "slept");
});

it("a program ends when it has asked for nothing more", {}, async (pool) => {
  const script = `import { connect } from "warmpool"; const pool = await connect({ socket: ${JSON.stringify(pool.file("warmpool.sock"))} });
    console.log(await pool.run("js.value", 7)); pool.submit("js.value", 8);`;
  const said = spawnSync(process.execPath, ["--input-type=module", "-e", script], { cwd: path.join(here, ".."), encoding: "utf8", timeout: 30_000 });
  assert.deepEqual([said.status, said.stdout], [0, "7\n"], said.stderr);
});

it("a program that gave up what it asked of a daemon that hangs ends", {}, async (pool) => {
  const script = `import { connect } from "warmpool"; const pool = await connect({ socket: ${JSON.stringify(pool.file("warmpool.sock"))} });
    const abort = new AbortController();
    const first = pool.submit("js.sleep", 60_000, { signal: abort.signal });
    await first.accepted(); process.kill(${pool.process.pid}, "SIGSTOP");
    const second = pool.submit("js.value", 8, { signal: abort.signal });
    setTimeout(() => abort.abort(), 50);
    console.log((await Promise.allSettled([first.result(), second.result()])).map(({ reason }) => reason.name).join());`;
  const said = spawnSync(process.execPath, ["--input-type=module", "-e", script], { cwd: path.join(here, ".."), encoding: "utf8", timeout: 60_000 });
  pool.process.kill("SIGCONT");
  assert.deepEqual([said.status, said.stdout], [0, "AbortError,AbortError\n"], said.stderr);
});

cutting("a program that waits for nothing ends while it has no connection", {}, async (pool, client, proxy) => {
  const script = `import { connect } from "warmpool"; const pool = await connect({ socket: ${JSON.stringify(pool.file("proxy.sock"))}, reconnect: Infinity });
    console.log(await pool.run("js.value", 7)); process.stdin.once("data", () => process.stdin.destroy());`;
  const other = spawn(process.execPath, ["--input-type=module", "-e", script], { cwd: path.join(here, ".."), stdio: ["pipe", "pipe", "inherit"] });
  const ended = new Promise((resolve) => other.once("exit", (code, signal) => resolve(code ?? signal)));
  await new Promise((resolve) => other.stdout.once("data", resolve));
  proxy.refuse(true);
  proxy.cut();
  await eventually(() => client.server === undefined, "connections are gone");
  other.stdin.write("go\n");
  assert.equal(await ended, 0);
});

it("a path that is too long for an address is reached", {}, async (pool) => {
  const deep = path.join(pool.directory, "d".repeat(120));
  fs.mkdirSync(deep);
  fs.linkSync(pool.file("warmpool.sock"), path.join(deep, "warmpool.sock"));
  const client = await pool.connect({ socket: path.join(deep, "warmpool.sock") });
  assert.equal(await client.run("js.value", 1), 1);
});

test("a socket that nobody named is taken from nobody else", async () => {
  const directory = fs.mkdtempSync("/tmp/warmpool-node.");
  try {
    fs.mkdirSync(path.join(directory, "warmpool"));
    fs.chmodSync(path.join(directory, "warmpool"), 0o777);
    const place = { path: path.join(directory, "warmpool", "warmpool.sock"), named: false };
    await assert.rejects(dial(place), /only this user or root may write to/);
    fs.chmodSync(path.join(directory, "warmpool"), 0o700);
    await assert.rejects(dial(place), /ENOENT.*start one with: warmpoold/);
    await assert.rejects(connect({ socket: place.path }), Disconnected);
  } finally {
    fs.rmSync(directory, { recursive: true });
  }
});
