// Loads a peer from Node. Reads `echo BYTES OUTSTANDING SECONDS` lines, answers each with a line of JSON. Each answer
// is checked.
//
//   node_host.mjs ADAPTER WORKERS [ADDRESS]
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const [adapter, workersText, address] = process.argv.slice(2);
const workers = Number(workersText);
const ID_BYTES = 16;

// Each gives a function from a payload to a promise of what came back.
const ADAPTERS = {
  async "jest-worker"() {
    const { Worker } = (await import("jest-worker")).default;
    const pool = new Worker(here("echo_module.cjs"), { numWorkers: workers, exposedMethods: ["echo"], enableWorkerThreads: false });
    return (payload) => pool.echo(payload);
  },
  async workerpool() {
    const workerpool = (await import("workerpool")).default;
    const pool = workerpool.pool(here("workerpool_worker.cjs"),
      { minWorkers: workers, maxWorkers: workers, workerType: "process", forkOpts: { serialization: "advanced" } });
    return (payload) => pool.exec("echo", [payload]);
  },
  async piscina() {
    const { Piscina } = await import("piscina");
    const pool = new Piscina({ filename: here("echo_module.cjs"), minThreads: workers, maxThreads: workers });
    return (payload) => pool.run(payload);
  },
  async bullmq() {
    const { Queue, QueueEvents } = await import("bullmq");
    const connection = { path: address, maxRetriesPerRequest: null };
    const queue = new Queue("echo", { connection });
    const events = new QueueEvents("echo", { connection });
    events.setMaxListeners(0);
    await events.waitUntilReady();
    return async (payload) => {
      const job = await queue.add("echo", payload.toString("latin1"), { removeOnComplete: { count: 5000 } });
      return Buffer.from(await job.waitUntilFinished(events), "latin1");
    };
  },
  async warmpool() {
    const { connect } = await import("../../../sdk/node/src/index.js");
    const pool = await connect({ socket: address });
    return (payload) => pool.run("echo", payload);
  },
};

function payloadOf(number, rest) {
  return Buffer.concat([Buffer.from(number.toString(16).padStart(ID_BYTES, "0"), "latin1"), rest]);
}

function check(payload, answer) {
  const bytes = Buffer.from(answer.buffer, answer.byteOffset, answer.byteLength);
  if (!bytes.equals(payload)) throw new Error("an answer that is not its task's");
}

async function run(echo, size, outstanding, seconds) {
  const rest = Buffer.alloc(Math.max(size, ID_BYTES) - ID_BYTES, "x");
  const begun = performance.now(), until = begun + seconds * 1000, took = [];
  let next = 0;
  const chain = async () => {
    while (performance.now() < until) {
      const payload = payloadOf(next++, rest), at = performance.now();
      check(payload, await echo(payload));
      took.push(performance.now() - at);
    }
  };
  await Promise.all(Array.from({ length: outstanding }, chain));
  const elapsed = (performance.now() - begun) / 1000;
  took.sort((a, b) => a - b);
  const part = (share) => (took.length ? took[Math.floor(share * (took.length - 1))] * 1000 : 0);
  return { tasks: took.length, seconds: elapsed, p50_us: part(0.5), p99_us: part(0.99) };
}

const echo = await ADAPTERS[adapter]();
for await (const line of createInterface({ input: process.stdin })) {
  const [, size, outstanding, seconds] = line.split(" ");
  console.log(JSON.stringify(await run(echo, Number(size), Number(outstanding), Number(seconds))));
}
process.exit(0);
