// index.d.ts is written by hand: its names are those that src/ has, no more and no less.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { test } from "node:test";
import * as warmpool from "warmpool";
import { Context } from "../src/context.js";
import { Job } from "../src/job.js";
import { causes } from "../src/words.js";
import { here } from "./pool.js";

const types = fs.readFileSync(path.join(here, "../index.d.ts"), "utf8");

/** Names of the members that a class or interface declares. */
function declared(name) {
  const [, body] = types.match(new RegExp(`(?:class|interface) ${name}(?:<[^>]*>)?(?: extends \\w+)? \\{([\\s\\S]*?)\\n\\}`));
  const members = [...body.matchAll(/^ {2}(?:readonly )?(\w+)\??(?:<[^(]*>)?[(:]/gm)].map(([, member]) => member);
  return new Set(members.filter((member) => member !== "constructor"));
}

const members = (prototype) => Object.getOwnPropertyNames(prototype).filter((name) => name !== "constructor");
const sorted = (names) => [...names].sort();

test("what is exported is declared, and the other way round", () => {
  const values = [...types.matchAll(/^export (?:declare )?(?:function|class|const) (\w+)/gm)].map(([, name]) => name);
  assert.deepEqual(sorted(new Set(values)), sorted(Object.keys(warmpool)));
});

test("a client has the declared members", () => {
  const inner = ["open", "abandon", "cancelQuietly", "sendAgain", "received"];
  assert.deepEqual(sorted(declared("Client")), sorted(members(warmpool.Client.prototype).filter((name) => !inner.includes(name))));
});

test("a job has the declared members", () => {
  const inner = ["frame", "again", "take", "fail", "isLast", "abort", "over", "cancels", "flags"];
  const made = ["id", "duplicate", "durability"];
  assert.deepEqual(sorted(declared("Job")), sorted([...members(Job.prototype).filter((name) => !inner.includes(name)), ...made]));
});

test("a context has the declared members", () => {
  const inner = ["begin", "end", "endBy", "ask", "close"];
  const assign = { id: 1n, round: 1, attempt: 1, token: 1n, payload: Buffer.alloc(0), flags: 0, meta: [] };
  const context = new Context(assign, "t", () => {});
  const all = [...Object.keys(context), ...members(Context.prototype)].filter((name) => !inner.includes(name));
  assert.deepEqual(sorted(declared("Context")), sorted(all));
});

const compiler = path.join(here, "../node_modules/typescript/bin/tsc");
const skip = fs.existsSync(compiler) ? false : "no typescript in node_modules; install it with: npm --prefix sdk/node ci";

test("a program in TypeScript is checked, and what is wrong in it is found", { skip }, () => {
  const options = ["--noEmit", "--strict", "--target", "es2022", "--lib", "es2022", "--module", "nodenext", "--types", "node"];
  const of = { encoding: "utf8", timeout: 120_000, cwd: path.join(here, "..") };  // where types are looked for
  const said = spawnSync(process.execPath, [compiler, ...options, "samples/program.ts"], of);
  assert.deepEqual([said.status, said.stdout], [0, ""], said.stderr);
});

test("the causes of an end are those of the protocol", () => {
  const named = (declaration) => [...types.split(declaration)[1].split(";")[0].matchAll(/"([a-z-]+)"/g)].map(([, name]) => name);
  assert.deepEqual(named("export type EndCause ="), causes);
  assert.deepEqual(named('readonly name: "AbortError";').filter((cause) => !causes.includes(cause)), []);
});
