// `process`, as far as a program in a sandbox can have one.
import * as environment from "wasi:cli/environment@0.2.12";
import * as exit from "wasi:cli/exit@0.2.12";
import * as stdin from "wasi:cli/stdin@0.2.12";
import * as clock from "host:clocks/monotonic-clock@0.2.11";
import { nextTick, setImmediate, u64 } from "./loop.js";
import { writeError, writeOut } from "./output.js";
import { TextDecoder } from "./text.js";

/** All of standard input. */
export function readInput() {
  const stream = stdin.getStdin();
  const parts = [];
  try {
    for (;;) parts.push(Uint8Array.from(stream.blockingRead(u64(65536))));
  } catch (end) {
    // The stream's end is its error `closed`.
    if ((end?.payload ?? end?.val ?? end)?.tag !== "closed") throw end;
  }
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

// The input is there from the start: whoever listens hears all of it at once, and then its end.
let text = false;
let flowing = false;
let unread = null;
const listeners = {};
const emit = (event, ...values) => {
  for (const listener of [...(listeners[event] ?? [])]) listener.apply(input, values);
};
const read = () => {
  const bytes = readInput();
  return text ? new TextDecoder().decode(bytes) : Object.assign(bytes, { toString: () => new TextDecoder().decode(bytes) });
};
const input = {
  fd: 0,
  isTTY: false,
  readable: true,
  setEncoding() {
    text = true;
    return input;
  },
  resume() {
    if (flowing) return input;
    flowing = true;
    setImmediate(() => {
      unread = read();
      if (unread.length) emit("data", unread);
      if (unread.length) emit("readable");
      unread = null;
      emit("readable");
      emit("end");
      emit("close");
    });
    return input;
  },
  pause: () => input,
  unref: () => input,
  ref: () => input,
  read() {
    const all = unread;
    unread = null;
    return all;
  },
  on(event, listener) {
    (listeners[event] ??= []).push(listener);
    return event === "data" || event === "readable" || event === "end" ? input.resume() : input;
  },
  once(event, listener) {
    const once = (...values) => {
      input.off(event, once);
      listener.apply(input, values);
    };
    return input.on(event, once);
  },
  off(event, listener) {
    listeners[event] = (listeners[event] ?? []).filter((known) => known !== listener);
    return input;
  },
  async *[Symbol.asyncIterator]() {
    const all = read();
    if (all.length) yield all;
  },
};
input.addListener = input.on;
input.removeListener = input.off;
function output(write, fd) {
  const stream = {
    fd,
    isTTY: false,
    writable: true,
    write(data, ...rest) {
      write(data);
      rest.find((value) => typeof value === "function")?.();
      return true;
    },
    end(data, ...rest) {
      if (data !== undefined) stream.write(data, ...rest);
    },
    on: () => stream,
    once: () => stream,
  };
  return stream;
}

// What a program does at its end: `exit`, `beforeExit`, `uncaughtException` and the like.
const leaving = {};
/** Calls each listener once; whether there was one. */
export function leave(event, ...values) {
  const known = leaving[event] ?? [];
  leaving[event] = [];
  for (const listener of known) listener(...values);
  return known.length > 0;
}

const hrtime = () => {
  const now = Number(clock.now());
  return [Math.floor(now / 1e9), now % 1e9];
};
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
    process.exitCode = code;
    leave("exit", Number(code));
    exit.exitWithCode(Number(process.exitCode) & 0xff);
  },
  cwd: () => "/",
  nextTick,
  uptime: () => Number(clock.now()) / 1e9,
  hrtime: Object.assign(hrtime, { bigint: () => BigInt(clock.now()) }),
  memoryUsage: () => ({ rss: 0, heapTotal: 0, heapUsed: 0, external: 0 }),
  emitWarning: (text) => writeError(`${text}\n`),
  on(event, listener) {
    (leaving[event] ??= []).push(listener);
    return process;
  },
  once: (event, listener) => process.on(event, listener),
  off: () => process,
};
globalThis.process = process;
export default process;
