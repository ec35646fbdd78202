// Loads a pool out of Node. Arguments: adapter, workers, what the adapter needs. Reads "echo BYTES OUTSTANDING SECONDS", answers with a line of
// JSON. Each answer is compared with its payload.
import { createInterface } from "node:readline";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const require = createRequire(import.meta.url);
const place = (name) => fileURLToPath(new URL(name, import.meta.url));
const [adapter, workersText, address] = process.argv.slice(2);
const workers = Number(workersText);
const same = (result, payload) => Buffer.compare(Buffer.from(result.buffer ?? result, result.byteOffset ?? 0, result.byteLength), payload) === 0;

const adapters = {
  async warmpool() {
    const { connect } = await import(new URL("../../../sdk/node/src/index.js", import.meta.url));
    const pool = await connect({ socket: address });
    return (payload) => pool.run("echo", payload);
  },
  async "jest-worker"() {
    const { Worker } = require("jest-worker");
    const pool = new Worker(place("echo_pool.cjs"), { numWorkers: workers, exposedMethods: ["echo"], forkOptions: { serialization: "advanced" } });
    return (payload) => pool.echo(payload);
  },
  async workerpool() {
    const pool = require("workerpool").pool(place("echo_pool.cjs"), {
      workerType: "process", minWorkers: workers, maxWorkers: workers,
      forkOpts: { serialization: "advanced", env: { ...process.env, COMPARE_POOL: "workerpool" } },
    });
    return (payload) => pool.exec("echo", [payload]);
  },
  async tinypool() {
    const { default: Tinypool } = await import("tinypool");
    const pool = new Tinypool({ runtime: "child_process", filename: place("echo_pool.cjs"), minThreads: workers, maxThreads: workers, serialization: "advanced" });
    return (payload) => pool.run(payload);
  },
  async piscina() {
    const { Piscina } = require("piscina");
    const pool = new Piscina({ filename: place("echo_pool.cjs"), minThreads: workers, maxThreads: workers, concurrentTasksPerWorker: 1 });
    return (payload) => pool.run(payload);
  },
  async bullmq() {
    const { Queue, QueueEvents } = require("bullmq");
    const connection = { path: address, maxRetriesPerRequest: null };
    const queue = new Queue("jobs", { connection });
    const events = new QueueEvents("jobs", { connection });
    events.setMaxListeners(0);
    queue.setMaxListeners(0);
    await events.waitUntilReady();
    return async (payload) => {
      const job = await queue.add("echo", payload.toString("latin1"), { removeOnComplete: true });
      return Buffer.from(await job.waitUntilFinished(events), "latin1");
    };
  },
};

async function load(echo, bytes, outstanding, seconds) {
  const took = [];
  let number = 0;
  const begun = performance.now();
  const until = begun + seconds * 1000;
  const one = async () => {
    while (performance.now() < until) {
      const payload = Buffer.alloc(Math.max(16, bytes), "x");
      payload.write((number++).toString(16).padStart(16, "0"), "latin1");
      const from = performance.now();
      const result = await echo(payload);
      took.push((performance.now() - from) * 1000);
      if (!same(result, payload)) throw new Error("a wrong answer");
    }
  };
  await Promise.all(Array.from({ length: outstanding }, one));
  const elapsed = (performance.now() - begun) / 1000;
  took.sort((a, b) => a - b);
  const part = (share) => took[Math.floor(share * (took.length - 1))];
  return { tasks: took.length, seconds: elapsed, p50_us: part(0.5), p99_us: part(0.99) };
}

const echo = await adapters[adapter]();
for await (const line of createInterface({ input: process.stdin })) {
  const [, bytes, outstanding, seconds] = line.split(" ").map(Number);
  process.stdout.write(JSON.stringify(await load(echo, bytes, outstanding, seconds)) + "\n");
}
process.exit(0);
