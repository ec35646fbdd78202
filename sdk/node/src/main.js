#!/usr/bin/env node
// warmpool-node [OPTIONS] MODULE...: a worker of the tasks that these modules define.
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { run, types } from "./worker.js";

const usage = `usage: warmpool-node [--connect [OPTIONS]] MODULE...

A worker of the tasks that these modules define; name it in the \`command\` of a class, or start it yourself:
  --connect          join a daemon that runs and did not start this process
  --socket PATH      of that daemon (default: where clients look for it)
  --class NAME       the class that this is a worker of (default: joined)
  --concurrency N    tasks that it runs at once, 1 to 64 (default: 1)
  --once             end with the daemon instead of waiting for the next`;

function refuse(text) {
  process.stderr.write(`warmpool-node: ${text}\n`);
  process.exit(2);
}

function read() {
  const text = { type: "string" };
  const flag = { type: "boolean" };
  const options = { connect: flag, once: flag, help: flag, socket: text, class: text, concurrency: text };
  try {
    return parseArgs({ options, allowPositionals: true });
  } catch (error) {
    return refuse(error.message);
  }
}

const { values, positionals: modules } = read();
if (modules.length === 0 || values.help) {
  console.log(usage);
  process.exit(values.help ? 0 : 2);
}
for (const module of modules) {
  // A path, or the name of a package.
  const loaded = await import(/^[./]|\.[cm]?[jt]s$/.test(module) ? pathToFileURL(path.resolve(module)).href : module);
  await loaded.default; // where a module can only promise that its tasks are defined
}
if (types().length === 0) {
  refuse(`no task in ${modules.join(", ")}; define one with task() of this same package, ${fileURLToPath(new URL("..", import.meta.url))}`);
}
const concurrency = Number(values.concurrency ?? 1);
if (!(Number.isInteger(concurrency) && concurrency >= 1 && concurrency <= 64)) refuse("--concurrency takes a whole number from 1 to 64");
const join = values.connect
  ? { socket: values.socket, workerClass: values.class, concurrency, reconnect: !values.once }
  : undefined;
await run({ name: path.basename(modules[0]), join });
