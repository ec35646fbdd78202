// A worker that packs files, with nothing but what Node brings along: gzip and SHA-256 in one pass, in bounded memory.
//
//   warmpool submit file.pack '{"source":"/var/log/big.log","target":"/srv/packed/big.log.gz"}' --content json --wait
//
// Each file is read once: its bytes go through the digest and into gzip, what comes out through a second digest into the target.
import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { rename, rm, stat } from "node:fs/promises";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { FailedForGood, task } from "warmpool";

const noRetryHelps = new Set(["ENOENT", "EISDIR", "ENOTDIR", "EACCES"]);

/** Passes bytes on, counts them, digests them, and tells of each piece. */
class Digest extends Transform {
  bytes = 0;
  #hash = createHash("sha256");

  constructor(passed = () => {}) {
    super();
    this.passed = passed;
  }

  _transform(piece, encoding, done) {
    this.#hash.update(piece);
    this.bytes += piece.length;
    this.passed(this.bytes);
    done(null, piece);
  }

  hex() {
    return this.#hash.digest("hex");
  }
}

async function sizeOf(source) {
  const found = await stat(source);
  if (!found.isFile()) throw new FailedForGood(`${source} is no regular file`);
  return found.size;
}

task("file.pack", async (payload, ctx) => {
  const { source, target, level = 6 } = payload ?? {};
  if (typeof source !== "string" || typeof target !== "string") throw new FailedForGood("source and target are paths");
  if (!Number.isInteger(level) || level < 1 || level > 9) throw new FailedForGood("level is a number from 1 to 9");
  // Of its own for each attempt, so that one that was given up cannot write into what the next one makes.
  const unfinished = `${target}.${ctx.task}-${ctx.round}-${ctx.attempt}`;
  try {
    const size = await sizeOf(source);
    const read = new Digest((bytes) => ctx.progress(Math.min(1000, Math.floor((bytes * 1000) / size)), source));
    const written = new Digest();
    await pipeline(createReadStream(source), read, createGzip({ level }), written, createWriteStream(unfinished, { flags: "wx" }), {
      signal: ctx.signal, // a cancel ends the streams, and with them their descriptors
    });
    await rename(unfinished, target); // whoever looks sees no file, or all of it
    return { target, bytes: read.bytes, sha256: read.hex(), packed_bytes: written.bytes, packed_sha256: written.hex() };
  } catch (error) {
    if (noRetryHelps.has(error.code)) throw new FailedForGood(error.message);
    throw error;
  } finally {
    await rm(unfinished, { force: true });
  }
});
