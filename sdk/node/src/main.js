#!/usr/bin/env node
// warmpool-node MODULE...: a worker of the tasks that these modules define.
import path from "node:path";
import { pathToFileURL } from "node:url";
import { run, types } from "./worker.js";

const modules = process.argv.slice(2);
if (modules.length === 0 || modules[0] === "--help") {
  console.log("usage: warmpool-node MODULE...\n\nA worker of the tasks that these modules define; name it in the `command` of a class.");
  process.exit(modules.length === 0 ? 2 : 0);
}
for (const module of modules) {
  // A path, or the name of a package.
  await import(/^[./]|\.[cm]?js$/.test(module) ? pathToFileURL(path.resolve(module)).href : module);
}
if (types().length === 0) {
  process.stderr.write(`warmpool-node: no task in ${modules.join(", ")}; define one with task()\n`);
  process.exit(2);
}
await run({ name: path.basename(modules[0]) });
