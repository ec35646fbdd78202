// Workers that people start themselves.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import path from "node:path";
import { test } from "node:test";
import { eventually, here, Pool } from "./pool.js";

const timeout = 120_000;
const nobodyElse = { size: 0, types: ["none"] };

// A worker whose parent is this test, which does not read what it prints, and that has joined; it ends with the body.
async function joined(pool, client, args, body) {
  const own = spawn(
    process.execPath,
    [path.join(here, "../src/main.js"), "--connect", "--socket", pool.file("warmpool.sock"), "--class", "own", ...args, path.join(here, "handlers.js")],
    { stdio: ["ignore", "pipe", "ignore"] },
  );
  const ended = new Promise((resolve) => own.once("exit", (code, signal) => resolve(code ?? signal)));
  try {
    await eventually(() => isThere(client, own.pid), "it joins");
    await body(own, ended);
  } finally {
    own.kill("SIGKILL");
    await ended;
  }
}

async function isThere(client, pid) {
  return (await client.workers()).workers.some((row) => row.registered && row.pid === pid);
}

test("it serves tasks and leaves at SIGTERM, with what it has finished", { timeout }, () =>
  Pool.with(nobodyElse, (pool, client) =>
    joined(pool, client, ["--concurrency", "2"], async (own, ended) => {
      assert.equal(await client.run("js.echo", "hi"), "hi");
      const running = client.submit("js.sleep", 300);
      await eventually(async () => (await client.status()).tasks.running === 1, "it runs");
      own.kill("SIGTERM");
      assert.equal(await running.result(), "slept");
      assert.equal(await ended, 0);
      await eventually(async () => !(await isThere(client, own.pid)), "its place goes with it");
    })));

test("it answers and leaves though nobody reads what it prints", { timeout }, () =>
  Pool.with(nobodyElse, (pool, client) =>
    joined(pool, client, [], async (own, ended) => {
      assert.equal(await client.run("js.said", "x".repeat(1_000_000)), null);
      own.kill("SIGTERM");
      assert.equal(await ended, 0);
    })));

test("it joins the next daemon", { timeout }, () =>
  Pool.with(nobodyElse, (pool, client) =>
    joined(pool, client, [], async (own) => {
      await pool.crash();
      const again = await pool.connect();
      await eventually(() => isThere(again, own.pid), "it joins again");
      assert.equal(await again.run("js.echo", "hi"), "hi");
    })));
