// The handler of warmpool's Node workers.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { dirname, join } from "node:path";

// Beside main.js that runs it: the tree that is measured, and no installed one.
const { task } = await import(pathToFileURL(join(dirname(createRequire(import.meta.url).resolve(process.argv[1])), "index.js")));

task("echo", (payload) => payload);
