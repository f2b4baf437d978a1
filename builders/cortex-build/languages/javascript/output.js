// What programs write: standard output and error, and `console` over them.
import * as stderr from "wasi:cli/stderr@0.2.12";
import * as stdout from "wasi:cli/stdout@0.2.12";
import { inspect } from "./inspect.js";
import { TextEncoder } from "./text.js";

const encoder = new TextEncoder();

/** Writes a text or bytes; a stream takes 4096 bytes at a time. */
function write(stream, data) {
  const bytes = typeof data === "string" ? encoder.encode(data) : data;
  for (let at = 0; at < bytes.length; at += 4096) stream.blockingWriteAndFlush(bytes.subarray(at, at + 4096));
}
export const writeOut = (data) => write(stdout.getStdout(), data);
export const writeError = (data) => write(stderr.getStderr(), data);

const line = (values) => {
  const [first, ...rest] = values;
  if (typeof first !== "string") {
    return values.map((value) => (typeof value === "string" ? value : inspect(value))).join(" ") + "\n";
  }
  const text = first.replace(/%[sdifoOj%]/g, (format) => {
    if (format === "%%") return "%";
    if (rest.length === 0) return format;
    const value = rest.shift();
    if (format === "%j") return JSON.stringify(value);
    if (format === "%d" || format === "%f") return String(Number(value));
    if (format === "%i") return String(Math.trunc(Number(value)));
    return format === "%s" && typeof value === "string" ? value : inspect(value);
  });
  return [text, ...rest.map((value) => (typeof value === "string" ? value : inspect(value)))].join(" ") + "\n";
};
const say = (...values) => writeOut(line(values));
const warn = (...values) => writeError(line(values));
const console = {
  log: say, info: say, debug: say, error: warn, warn, trace: warn, dir: (value) => say(value), table: (value) => say(value),
  assert: (holds, ...values) => holds || warn("Assertion failed", ...values),
  group: say, groupEnd() {}, time() {}, timeEnd() {}, count() {},
};
globalThis.console = console;
