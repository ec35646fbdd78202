// The programs of examples/, each doing what its page says.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { eventually, here, Pool, source } from "./pool.js";

const timeout = 120_000;
const options = {
  size: 2,
  command: [process.execPath, path.join(here, "../src/main.js"), path.join(here, "../examples/pack.mjs")],
  types: ["file.*"],
};
const it = (name, body) => test(name, { timeout }, () => Pool.with(options, body));
const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

it("files are packed, and the digests are theirs", async (pool, client) => {
  const empty = pool.file("empty");
  fs.writeFileSync(empty, "");
  const noise = pool.file("noise");
  fs.writeFileSync(noise, randomBytes(3_000_000));
  const sources = [empty, noise, ...["README.md", "docs/protocol.md", "ipc/codec.cpp", "daemon/workers.cpp"].map((each) => path.join(source, each))];
  const results = await Promise.all(sources.map((each, index) => client.run("file.pack", { source: each, target: pool.file(`${index}.gz`), level: 1 })));
  for (const [index, result] of results.entries()) {
    const was = fs.readFileSync(sources[index]);
    const packed = fs.readFileSync(pool.file(`${index}.gz`));
    assert.ok(gunzipSync(packed).equals(was), sources[index]);
    assert.deepEqual(result, {
      target: pool.file(`${index}.gz`), bytes: was.length, sha256: sha256(was), packed_bytes: packed.length, packed_sha256: sha256(packed),
    });
  }
  assert.equal(fs.readdirSync(pool.directory).filter((each) => /\.gz./.test(each)).length, 0);
});

it("what no retry helps is a dead letter at once", async (pool, client) => {
  const target = pool.file("x.gz");
  for (const payload of [{ source: "/no/such/file", target }, { source: "/", target }, { source: process.execPath, target: "/no/folder/x.gz" },
    { source: process.execPath, target, level: 10 }, { source: 5 }, null]) {
    const error = await client.run("file.pack", payload, { retries: 3 }).then(() => assert.fail("done"), (why) => why);
    assert.deepEqual([error.verdict, error.failures], ["dead", 1], error.stack);
  }
  assert.ok(!fs.existsSync(target));
});

it("a cancel ends it and leaves nothing", async (pool, client) => {
  const endless = pool.file("large");
  fs.closeSync(fs.openSync(endless, "w"));
  fs.truncateSync(endless, 2 ** 36); // 64 GiB of nothing, which takes minutes
  const job = client.submit("file.pack", { source: endless, target: pool.file("large.gz"), level: 1 });
  await eventually(() => fs.readdirSync(pool.directory).some((each) => each.startsWith("large.gz.")), "it writes");
  await client.cancel(await job.accepted());
  await assert.rejects(job.result());
  await eventually(() => !fs.readdirSync(pool.directory).some((each) => each.startsWith("large.gz")), "what it wrote is gone");
});
