// SpiderMonkey brings its own web APIs and event loop. That loop ends with the function that was called, so for programs,
// which leave things to happen, what has not happened yet is counted.
import "./output.js";

export { writeError, writeOut } from "./output.js";
globalThis.global = globalThis;

let pending = 0;
let wake = () => {};
const begin = () => void pending++;
const end = () => {
  pending--;
  wake();
};

const { setTimeout: once, setInterval: repeat, clearTimeout, clearInterval } = globalThis;
const waiting = new Set();
const forget = (clear) => (timer) => {
  if (waiting.delete(timer)) end();
  clear(timer);
};
globalThis.setTimeout = (task, ...values) => {
  const timer = once(() => {
    try {
      task(...values.slice(1));
    } finally {
      if (waiting.delete(timer)) end();
    }
  }, values[0] ?? 0);
  waiting.add(timer);
  begin();
  return timer;
};
globalThis.setInterval = (...values) => {
  const timer = repeat(...values);
  waiting.add(timer);
  begin();
  return timer;
};
globalThis.clearTimeout = forget(clearTimeout);
globalThis.clearInterval = forget(clearInterval);

/** Counts the promises that a function returns. */
function count(object, name) {
  const original = object?.[name];
  if (typeof original !== "function") return;
  object[name] = function (...values) {
    const result = original.apply(this, values);
    if (typeof result?.then === "function") {
      begin();
      result.then(end, end);
    }
    return result;
  };
}
count(globalThis, "fetch");
for (const kind of ["Request", "Response", "Blob"]) {
  for (const name of ["arrayBuffer", "blob", "bytes", "formData", "json", "text"]) count(globalThis[kind]?.prototype, name);
}
count(globalThis.ReadableStreamDefaultReader?.prototype, "read");
const subtle = globalThis.crypto?.subtle;
for (const name of Object.getOwnPropertyNames(Object.getPrototypeOf(subtle ?? {}))) {
  if (name !== "constructor" && typeof subtle?.[name] === "function") count(Object.getPrototypeOf(subtle), name);
}

/** Waits until nothing is left to happen. */
export async function idle() {
  do {
    if (pending) await new Promise((resolve) => (wake = resolve));
    // What just happened may have led to more.
    await new Promise((resolve) => once(resolve, 0));
  } while (pending);
}
