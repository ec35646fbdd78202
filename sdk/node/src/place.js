// Where the daemon's socket is (docs/protocol.md, section 1), and whether to trust who made it.
import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import { Disconnected } from "./errors.js";

const addressBytesMax = 107;

function standardPath(environment) {
  if (environment.XDG_RUNTIME_DIR) return path.join(environment.XDG_RUNTIME_DIR, "warmpool", "warmpool.sock");
  const uid = process.getuid();
  return uid === 0 ? "/run/warmpool/warmpool.sock" : `/tmp/warmpool-${uid}/warmpool.sock`;
}

// Node cannot ask the kernel who is at the other end (SO_PEERCRED). What it can ask is as good: in a directory that belongs to
// this user or root, and that nobody else may write to, nobody else can have put a socket.
function requireTrusted(socket) {
  const directory = path.dirname(socket);
  let stat;
  try {
    stat = fs.lstatSync(directory);
  } catch {
    return; // there is none: connecting says so
  }
  const trusted = [0, process.getuid()].includes(stat.uid) && stat.isDirectory() && (stat.mode & 0o022) === 0;
  if (!trusted) {
    throw new Disconnected(`${directory} is not a directory that only this user or root may write to; name the socket to use it all the same`);
  }
}

export function placeOf(socket, environment = process.env) {
  const named = socket ?? (environment.WARMPOOL_SOCKET || undefined);
  if (named === undefined) return { path: standardPath(environment), named: false };
  return { path: path.resolve(named), named: true };
}

function connected(address) {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ path: address, allowHalfOpen: true });
    socket.once("connect", () => {
      socket.off("error", reject);
      resolve(socket);
    });
    socket.once("error", reject);
  });
}

/** A connected socket. A path that is too long for an address goes through its opened directory. */
export async function dial(place) {
  if (!place.named) requireTrusted(place.path);
  let directory;
  try {
    if (Buffer.byteLength(place.path) <= addressBytesMax) return await connected(place.path);
    directory = fs.openSync(path.dirname(place.path), fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
    return await connected(`/proc/self/fd/${directory}/${path.basename(place.path)}`);
  } catch (error) {
    throw new Disconnected(`cannot connect to ${place.path} (${error.code}); start one with: warmpoold, or name its socket`, error.code);
  } finally {
    if (directory !== undefined) fs.closeSync(directory);
  }
}
