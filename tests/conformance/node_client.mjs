// The program of docs/sdk.md (conformance) around the Node client: commands by lines on standard input, what becomes of them on
// standard output.
import readline from "node:readline";
import { connect, Refused, TaskError, withContent } from "../../sdk/node/src/index.js";

const options = {
  timeout_ms: "timeout", deadline_ms: "deadline", expiry_ms: "expiry", delay_ms: "delay", crashes_max: "crashesMax", auto_key: "autoKey",
  keep_result: "keepResult", cancel_on_disconnect: "cancelOnDisconnect",
};
let client;

function say(says, as = null, members = {}) {
  process.stdout.write(`${JSON.stringify({ says, as, ...members })}\n`);
}

function given(payload) {
  const [[kind, value]] = Object.entries(payload);
  if (kind === "hex") return Buffer.from(value, "hex");
  return kind === "packed" ? withContent("msgpack", value) : value;
}

function told(value) {
  if (typeof value === "string") return { text: value };
  return Buffer.isBuffer(value) ? { hex: value.toString("hex") } : { value };
}

function sayEnd(as, error) {
  if (error instanceof Refused) say("refused", as, { code: error.code, text: error.message, retry_after_ms: error.retryAfter });
  else if (error instanceof TaskError) say("settled", as, { verdict: error.verdict, cause: error.cause, payload: told(error.text) });
  else say("lost", as, { text: String(error?.message ?? error) });
}

async function follow(as, job, isNew) {
  try {
    const accepted = await job.accepted();
    if (isNew) say("accepted", as, { id: String(accepted), duplicate: job.duplicate });
    (async () => {
      for await (const { permille, text, partial } of job.progress()) {
        say("progressed", as, { permille, text });
        if (partial !== undefined) say("partial", as, { payload: told(partial) });
      }
    })();
    say("settled", as, { verdict: "done", cause: "done", payload: told(await job.result()) });
  } catch (error) {
    sayEnd(as, error);
  }
}

const commands = {
  async connect({ socket, reconnect_ms }) {
    client = undefined;
    try {
      client = await connect({ socket, reconnect: reconnect_ms });
      say("connected");
    } catch (error) {
      say("unconnected", null, { code: error.code, text: error.message });
    }
  },
  submit({ as, type, payload, options: wishes }) {
    const named = {};
    for (const [name, value] of Object.entries(wishes)) {
      if (name === "run_at_ms") named.runAt = new Date(value);
      else named[options[name] ?? name] = value;
    }
    follow(as, client.submit(type, given(payload), named), true);
  },
  await({ as, id }) {
    follow(as, client.job(BigInt(id)), false);
  },
  async cancel({ as, id }) {
    say("cancelled", as, await client.cancel(id));
  },
  async request({ as, verb, arguments: given }) {
    say("reply", as, { document: await client.request(verb, ...given) });
  },
  async close() {
    await client?.close();
    say("closed");
  },
};

for await (const line of readline.createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  Promise.resolve(commands[command.do](command)).catch((error) => sayEnd(command.as ?? null, error));
}
