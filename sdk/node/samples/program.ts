// A program that uses what index.d.ts has; test/types.test.js has it checked. What must not be said is marked so.
import {
  connect, Disconnected, FailedForGood, Held, Refused, RetryAfter, run, Status, task, TaskAborted, TaskError, types, Unknown, withContent,
  type Client, type Context, type EndCause, type Item, type RunEnded,
} from "warmpool";

interface Resize {
  from: string;
  width: number;
}

task("resize", { timeout: 30_000 }, async ({ from, width }: Resize, ctx) => {
  if (!(width > 0)) throw new FailedForGood("width is a number above 0");
  if (ctx.failures > 3) throw new Held("look at me");
  if (from === "") throw new RetryAfter(1000, "later");
  ctx.progress(100, "decoded");
  ctx.checkpoint({ width });
  ctx.gauge("queue", 1n);
  ctx.signal.addEventListener("abort", () => ctx.log(ctx.signal.reason.cause === "hung"));
  const reason: RunEnded = ctx.signal.reason;
  const token: bigint = ctx.token;
  await fetch("http://localhost", { signal: ctx.signal });
  return withContent("msgpack", { width, cause: reason.cause, token: String(token), bytes: ctx.bytes.length, at: ctx.restored?.at });
});
task("image.*", (payload: string, ctx: Context) => `${payload}: ${ctx.type}`);
// @ts-expect-error a timeout is a number
task("resize", { timeout: "30s" }, () => {});
// @ts-expect-error there is no such cause
task("resize", (_: unknown, ctx) => ctx.signal.reason.cause === "tired");

async function main(pool: Client): Promise<void> {
  const { width } = await pool.run<Resize>("resize", { from: "a", width: 2 }, { signal: AbortSignal.timeout(1000), priority: 5 });
  const job = pool.submit<number>("resize", Buffer.alloc(width), { runAt: new Date(), labels: ["a"], durability: "none" });
  const id: bigint = await job.accepted();
  for await (const { permille, text } of job.progress()) console.log(permille + 1, text.length);
  const settled = await pool.job<number>(id, { signal: job.signal }).settled();
  const cause: EndCause = settled.cause;
  console.log(cause, settled.value?.toFixed());
  for await (const value of pool.map<string>("resize", [1, 2], { inFlight: 3 })) console.log(value.length);
  for await (const item of pool.mapSettled<number, string>("resize", [1, 2], { ordered: false })) told(item);
  for await (const event of pool.events({ types: "worker-*", signal: AbortSignal.timeout(10) })) console.log(event.number, event.gap);
  await using other = await connect({ socket: "/run/warmpool.sock", reconnect: Infinity });
  console.log((await other.cancel(id)).rung, (await other.status()).tasks, await other.request("breakers"));
  // @ts-expect-error map gives results, which wait: false does not
  pool.map("resize", [1], { wait: false });
  // @ts-expect-error there is no such option
  pool.submit("resize", 1, { prioriti: 5 });
}

function told(item: Item<number, string>): string {
  return item.error === undefined ? `${item.payload.toFixed()} ${item.value.length}` : item.error.message;
}

function why(error: unknown): unknown {
  if (error instanceof TaskAborted) return [error.id, error.reason];
  if (error instanceof TaskError) return [error.verdict, error.cause, error.text.length];
  if (error instanceof Refused) return error.retryAfter + error.code;
  return error instanceof Unknown ? error.code : error instanceof Disconnected;
}

main(await connect()).catch(why);
const status: number = await run({ exit: false, closing: () => {}, join: { workerClass: "own", concurrency: types().length } });
process.exit(status === Status.retired ? 0 : 1);
