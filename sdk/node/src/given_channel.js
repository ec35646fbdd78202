// The channel that a daemon hands to its worker (docs/protocol.md, section 1): a socket by its number, or two FIFOs by their names.
import fs from "node:fs";
import net from "node:net";

const byHand =
  "is not set: a worker is started by the daemon, which hands it a channel. Name this program in the `command` of a class; see docs/worker.md";

export class NoChannel extends Error {}

function wholeNumber(name, environment, most) {
  const text = environment[name];
  if (text === undefined || text === "") throw new NoChannel(`${name} ${byHand}`);
  if (!/^[0-9]{1,20}$/.test(text) || BigInt(text) > most) {
    throw new NoChannel(`${name}=${text} is no whole number to ${most}; it is set by the daemon`);
  }
  return BigInt(text);
}

function smallNumber(name, environment, standard) {
  if (environment[name] === undefined) return standard;
  const number = Number(wholeNumber(name, environment, 64n));
  if (number < 1) throw new NoChannel(`${name}=${environment[name]} is no whole number from 1 to 64`);
  return number;
}

// The stream's descriptor is close-on-exec: Node marks what it has inherited when it starts.
function socketOf(environment) {
  const fd = Number(wholeNumber("WARMPOOL_CHANNEL", environment, 0x3fffffffn));
  let stat;
  try {
    stat = fs.fstatSync(fd);
  } catch (error) {
    throw new NoChannel(
      `WARMPOOL_CHANNEL=${fd} is no open descriptor (${error.code}); a program between the daemon and this worker closed it`,
    );
  }
  if (!stat.isSocket()) throw new NoChannel(`WARMPOOL_CHANNEL=${fd} is no socket; it must be the channel that the daemon made`);
  const socket = new net.Socket({ fd, readable: true, writable: true, allowHalfOpen: true });
  return { readable: socket, writable: socket, fifos: false };
}

function fifoOf(name, environment, mode) {
  const path = environment[name];
  if (!path) throw new NoChannel(`${name} ${byHand}`);
  const { O_NOFOLLOW, O_NONBLOCK } = fs.constants;
  let fd;
  try {
    fd = fs.openSync(path, mode | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    throw new NoChannel(`${name}=${path}: ${error.code}; it must be the FIFO that the daemon made, and that daemon must be alive`);
  }
  const stat = fs.fstatSync(fd);
  if (!stat.isFIFO() || stat.uid !== process.geteuid()) {
    fs.closeSync(fd);
    throw new NoChannel(`${name}=${path} is no FIFO of this user`);
  }
  return fd;
}

function fifosOf(environment) {
  const readable = new net.Socket({ fd: fifoOf("WARMPOOL_FIFO_IN", environment, fs.constants.O_RDONLY), readable: true, writable: false });
  const writable = new net.Socket({ fd: fifoOf("WARMPOOL_FIFO_OUT", environment, fs.constants.O_WRONLY), readable: false, writable: true });
  return { readable, writable, fifos: true };
}

/** Takes it out of the environment too: a program that a handler starts has neither the channel nor its secret. */
export function givenChannel(environment = process.env) {
  const worker = wholeNumber("WARMPOOL_WORKER", environment, 0xffffffffffffffffn);
  const token = wholeNumber("WARMPOOL_TOKEN", environment, 0xffffffffffffffffn);
  const concurrency = smallNumber("WARMPOOL_CONCURRENCY", environment, 1);
  const credits = smallNumber("WARMPOOL_CREDITS", environment, 64);
  const overFifos = environment.WARMPOOL_FIFO_IN !== undefined || environment.WARMPOOL_FIFO_OUT !== undefined;
  const channel = overFifos ? fifosOf(environment) : socketOf(environment);
  const marks = environment.WARMPOOL_OUTPUT === "marks";
  for (const name of ["WARMPOOL_CHANNEL", "WARMPOOL_FIFO_IN", "WARMPOOL_FIFO_OUT", "WARMPOOL_TOKEN", "WARMPOOL_OUTPUT"]) delete environment[name];
  return { worker, token, concurrency, credits, marks, ...channel };
}
