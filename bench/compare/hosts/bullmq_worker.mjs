// bullmq_worker.mjs REDIS
import { Worker } from "bullmq";

new Worker("echo", async (job) => job.data, { connection: { path: process.argv[2], maxRetriesPerRequest: null }, concurrency: 1 });
