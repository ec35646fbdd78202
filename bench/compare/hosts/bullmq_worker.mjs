// A worker of BullMQ. Argument: the socket of Redis.
import { createRequire } from "node:module";
const require = createRequire(import.meta.url);
const { Worker } = require("bullmq");

new Worker("jobs", async (job) => job.data, { connection: { path: process.argv[2], maxRetriesPerRequest: null }, concurrency: 1 });
