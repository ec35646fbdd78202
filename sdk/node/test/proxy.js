// Between a client and its daemon: passes everything on, until a test cuts the connection or holds the answers back.
import net from "node:net";
import { FrameReader } from "../src/frame.js";

export class Proxy {
  connections = 0;
  kinds = []; // of the frames that clients sent
  #pairs = new Set();
  #deaf = false;
  #refusing = false;

  static async start(path, daemon) {
    const proxy = new Proxy();
    proxy.server = net.createServer((client) => proxy.#join(client, daemon));
    await new Promise((resolve) => proxy.server.listen(path, resolve));
    return proxy;
  }

  #join(client, daemon) {
    if (this.#refusing) return client.destroy();
    ++this.connections;
    const there = net.connect(daemon);
    const pair = [client, there];
    this.#pairs.add(pair);
    const frames = new FrameReader();
    frames.bodyBytesMax = 1 << 24;
    client.on("data", (bytes) => {
      there.write(bytes);
      frames.push(bytes);
      for (let frame; (frame = frames.next()) !== undefined; ) this.kinds.push(frame.kind);
    });
    there.on("data", (bytes) => this.#deaf || client.write(bytes));
    for (const [one, other] of [pair, [...pair].reverse()]) {
      one.on("error", () => {});
      one.on("close", () => {
        other.destroy();
        this.#pairs.delete(pair);
      });
    }
  }

  /** From now on what the daemon says is lost. */
  deafen() {
    this.#deaf = true;
  }

  cut() {
    this.#deaf = false;
    for (const [client] of this.#pairs) client.destroy();
  }

  refuse(refusing) {
    this.#refusing = refusing;
  }

  async stop() {
    this.cut();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
