// What programs expect of every JavaScript engine and QuickJS leaves to its host. Evaluated while the component is built:
// nothing here may call the host before a call does.
import stdout from "wasi:cli/stdout@0.2.12";
import stderr from "wasi:cli/stderr@0.2.12";
import random from "wasi:random/random@0.2.12";
import clock from "wasi:clocks/monotonic-clock@0.2.12";
import { inspect } from "./inspect.js";

export class TextEncoder {
  encoding = "utf-8";
  encode(text = "") {
    const escaped = encodeURIComponent(String(text).toWellFormed());
    const bytes = [];
    for (let i = 0; i < escaped.length; i++) {
      if (escaped[i] === "%") {
        bytes.push(parseInt(escaped.slice(i + 1, i + 3), 16));
        i += 2;
      } else {
        bytes.push(escaped.charCodeAt(i));
      }
    }
    return new Uint8Array(bytes);
  }
}

export class TextDecoder {
  encoding = "utf-8";
  constructor(label = "utf-8") {
    if (!/^utf-?8$/i.test(label)) throw new RangeError(`the encoding "${label}" is not supported`);
  }
  decode(input = new Uint8Array()) {
    const bytes = ArrayBuffer.isView(input)
      ? new Uint8Array(input.buffer, input.byteOffset, input.byteLength)
      : new Uint8Array(input);
    let text = "";
    for (let i = 0; i < bytes.length; ) {
      const first = bytes[i];
      const length = first < 0x80 ? 1 : first >= 0xc2 && first < 0xe0 ? 2 : (first & 0xf0) === 0xe0 ? 3 : first >= 0xf0 && first < 0xf5 ? 4 : 0;
      let code = length === 1 ? first : first & (0xff >> (length + 1));
      let read = 1;
      while (read < length && (bytes[i + read] & 0xc0) === 0x80) code = (code << 6) | (bytes[i + read++] & 0x3f);
      const least = [0, 0, 0x80, 0x800, 0x10000][length];
      const valid = length > 0 && read === length && code >= least && code < 0x110000 && (code & 0x1ff800) !== 0xd800;
      text += valid ? String.fromCodePoint(code) : "\ufffd";
      i += read;
    }
    return text;
  }
}

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
  if (typeof first !== "string") return values.map(inspect).join(" ") + "\n";
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
  log: say, info: say, debug: say, error: warn, warn, trace: warn, dir: say, table: say,
  assert: (holds, ...values) => holds || warn("Assertion failed", ...values),
  group: say, groupEnd() {}, time() {}, timeEnd() {}, count() {},
};

// The engine's own generator was seeded while the component was built, and would give every call the same numbers. This one
// (xoshiro128**, https://prng.di.unimi.it/) takes its seed at its first use in a call.
let state = null;
const rotate = (x, by) => (x << by) | (x >>> (32 - by));
function next() {
  state ??= new Uint32Array(new Uint8Array(random.getRandomBytes(16)).buffer);
  const result = Math.imul(rotate(Math.imul(state[1], 5), 7), 9) >>> 0;
  const shifted = state[1] << 9;
  state[2] ^= state[0];
  state[3] ^= state[1];
  state[1] ^= state[2];
  state[0] ^= state[3];
  state[2] ^= shifted;
  state[3] = rotate(state[3], 11);
  return result;
}
Math.random = () => ((next() >>> 5) * 0x4000000 + (next() >>> 6)) / 0x20000000000000;

const crypto = {
  getRandomValues(array) {
    const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
    bytes.set(random.getRandomBytes(bytes.length));
    return array;
  },
  randomUUID() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    return hex.replace(/(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
  },
};

const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
function btoa(text) {
  let out = "";
  for (let i = 0; i < text.length; i += 3) {
    const [a, b, c] = [0, 1, 2].map((by) => text.charCodeAt(i + by));
    if (a > 255 || b > 255 || c > 255) throw new RangeError("a character does not fit into a byte");
    const bits = (a << 16) | ((b || 0) << 8) | (c || 0);
    out += BASE64[bits >> 18] + BASE64[(bits >> 12) & 63];
    out += (i + 1 < text.length ? BASE64[(bits >> 6) & 63] : "=") + (i + 2 < text.length ? BASE64[bits & 63] : "=");
  }
  return out;
}
function atob(text) {
  const clean = String(text).replace(/[\t\n\f\r ]/g, "").replace(/={1,2}$/, "");
  if (/[^A-Za-z0-9+/]/.test(clean) || clean.length % 4 === 1) throw new RangeError("not base64");
  let out = "", bits = 0, held = 0;
  for (const character of clean) {
    bits = (bits << 6) | BASE64.indexOf(character);
    held += 6;
    if (held >= 8) {
      held -= 8;
      out += String.fromCharCode((bits >> held) & 255);
    }
  }
  return out;
}

// Named by the modules of Node below, which only need the names.
const absent = (name) => ({ [name]: class { constructor() { throw new Error(`${name} is not available in this engine`); } } })[name];
const [Blob, File] = [absent("Blob"), absent("File")];

const performance = { now: () => Number(clock.now()) / 1e6, timeOrigin: 0 };
globalThis.global = globalThis;
Object.assign(globalThis, { console, TextEncoder, TextDecoder, crypto, btoa, atob, performance, Blob, File });
