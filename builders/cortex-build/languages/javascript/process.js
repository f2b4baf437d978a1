// `process`, as far as a program in a sandbox can have one.
import environment from "wasi:cli/environment@0.2.12";
import exit from "wasi:cli/exit@0.2.12";
import stdin from "wasi:cli/stdin@0.2.12";
import clock from "wasi:clocks/monotonic-clock@0.2.12";
import { TextDecoder, writeError, writeOut } from "./globals.js";

/** All of standard input. */
export function readInput() {
  const stream = stdin.getStdin();
  const parts = [];
  try {
    for (;;) parts.push(...stream.blockingRead(65536));
  } catch (end) {
    // The stream's end is its error `closed`.
    if (end?.tag !== "closed" && end?.payload?.tag !== "closed" && end?.val?.tag !== "closed") throw end;
  }
  return new Uint8Array(parts);
}

const listeners = {};
const input = {
  fd: 0,
  isTTY: false,
  setEncoding() {
    return input;
  },
  resume() {
    return input;
  },
  // The input is there from the start: whoever listens for data hears all of it at once, and the end when it listens for that.
  on(event, listener) {
    (listeners[event] ??= []).push(listener);
    if (event === "end" || event === "close") {
      if (listeners.data && !input.given) {
        input.given = true;
        const text = new TextDecoder().decode(readInput());
        for (const each of listeners.data) each(text);
      }
      listener();
    }
    return input;
  },
};
const output = (write, fd) => ({
  fd,
  isTTY: false,
  write(data) {
    write(data);
    return true;
  },
  end(data) {
    if (data !== undefined) write(data);
  },
});

const process = {
  argv: [],
  arguments: () => environment.getArguments(),
  exitCode: undefined,
  platform: "wasi",
  arch: "wasm32",
  version: "v20.0.0",
  versions: { node: "20.0.0" },
  pid: 1,
  stdin: input,
  stdout: output(writeOut, 1),
  stderr: output(writeError, 2),
  get env() {
    return Object.fromEntries(environment.getEnvironment());
  },
  exit(code = process.exitCode ?? 0) {
    exit.exitWithCode(Number(code) & 0xff);
  },
  cwd: () => "/",
  nextTick: (task, ...values) => Promise.resolve().then(() => task(...values)),
  uptime: () => Number(clock.now()) / 1e9,
  hrtime: Object.assign(() => [Math.floor(clock.now() / 1e9), clock.now() % 1e9], { bigint: () => BigInt(clock.now()) }),
  memoryUsage: () => ({ rss: 0, heapTotal: 0, heapUsed: 0, external: 0 }),
  on: () => process,
  once: () => process,
};
globalThis.process = process;
export default process;
