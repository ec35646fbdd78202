// A real daemon with Node workers, in a directory of its own; and what its tests ask of it.
import { spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { connect } from "warmpool";

export const here = path.dirname(fileURLToPath(import.meta.url));
export const source = path.resolve(here, "../../..");
export const bin = process.env.WARMPOOL_BIN_DIR ?? path.join(source, "build/release/bin");
export const channel = process.env.WARMPOOL_TEST_CHANNEL ?? "socket"; // or "fifo"
const deadlineMs = 60_000; // of anything that is waited for
const patienceMs = 270_000; // of a whole file; under the limit of ctest, so that the daemon is ended by us

const running = new Set();
process.on("exit", () => {
  for (const child of running) child.kill("SIGQUIT");
});
setTimeout(() => {
  console.error(`not done within ${patienceMs / 1000} s`);
  process.exit(1);
}, patienceMs).unref();

/** The first true value of the condition. */
export async function eventually(condition, what) {
  const end = performance.now() + deadlineMs;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (performance.now() > end) throw new Error(`not within ${deadlineMs / 1000} s: ${what}`);
    await delay(5);
  }
}

export class Pool {
  clients = [];

  static async start({ size = 1, concurrency = 1, credits = concurrency, command, types = ["js.*"], environment = [], directory = "none", ...options } = {}) {
    const pool = new Pool();
    pool.directory = fs.mkdtempSync(path.join(os.tmpdir(), "warmpool-node."));
    command ??= [process.execPath, path.join(here, "../src/main.js"), path.join(here, "handlers.js")];
    const lines = Object.entries(options).map(([name, value]) => `${name} = ${JSON.stringify(value)}`);
    lines.push(
      "[[class]]", 'name = "node"', `command = ${JSON.stringify(command)}`, `channel = "${channel}"`, `types = ${JSON.stringify(types)}`,
      `size = ${size}`, "size_min = 0", "size_max = 8", `concurrency = ${concurrency}`, `credits = ${credits}`,
      `environment = ${JSON.stringify(environment)}`, `directory = "${directory}"`,
    );
    fs.writeFileSync(pool.file("warmpool.toml"), `${lines.join("\n")}\n`);
    pool.#spawn();
    try {
      await pool.#listening();
      pool.client = await pool.connect();
      await pool.ready(size);
    } catch (error) {
      console.error(pool.log().slice(-8000));
      await pool.close();
      throw error;
    }
    return pool;
  }

  /** Runs a test with a pool that ends with it. */
  static async with(options, test) {
    const pool = await Pool.start(options);
    try {
      await test(pool, pool.client);
    } catch (error) {
      console.error(pool.log().slice(-8000));
      throw error;
    } finally {
      await pool.close();
    }
  }

  #spawn() {
    const log = fs.openSync(this.file("log"), "a");
    this.process = spawn(
      path.join(bin, "warmpoold"),
      ["--config", this.file("warmpool.toml"), "--runtime-dir", this.directory, "--log-level", "debug"],
      { stdio: ["ignore", log, log] },
    );
    fs.closeSync(log);
    running.add(this.process);
    this.ended = new Promise((resolve) => {
      this.process.once("exit", (code, signal) => {
        running.delete(this.process);
        resolve(code ?? signal);
      });
      this.process.once("error", resolve);
    });
  }

  async #listening(times = 1) {
    let over;
    this.ended.then((how) => (over = how));
    await eventually(() => over !== undefined || this.log().split("listening on").length > times, "the daemon listens");
    if (over !== undefined) throw new Error(`the daemon ended: ${over}`);
  }

  file(name) {
    return path.join(this.directory, name);
  }

  async connect(options) {
    this.clients.push(await connect({ socket: this.file("warmpool.sock"), ...options }));
    return this.clients.at(-1);
  }

  ready(count) {
    return eventually(async () => (await this.client.status()).workers.ready === count, `${count} workers are ready`);
  }

  /** Only of a class of one worker. */
  async worker() {
    return (await this.client.workers()).workers[0];
  }

  log() {
    return fs.readFileSync(this.file("log"), "utf8");
  }

  /** How each worker that has ended did so, as the daemon judges. */
  exits() {
    return [...this.log().matchAll(/worker-exited .*cause=(\S+) code=(\S+)/g)].map(([, cause, code]) => `${cause} ${code}`);
  }

  /** Ends the daemon as a crash does, and starts it again. */
  async crash() {
    this.process.kill("SIGKILL");
    await this.ended;
    this.#spawn();
    await this.#listening(2);
  }

  async stop() {
    this.process.kill("SIGTERM");
    return this.ended;
  }

  async close() {
    if (running.has(this.process)) {
      this.process.kill("SIGQUIT");
      await this.ended;
    }
    for (const client of this.clients) await client.close();
    fs.rmSync(this.directory, { recursive: true, force: true });
  }
}
