// What programs expect of every JavaScript engine and QuickJS leaves to its host. Evaluated while the component is built:
// nothing here may call the host before a call does.
import "./promise.js";
import "./output.js";
import * as random from "wasi:random/random@0.2.12";
import * as clock from "host:clocks/monotonic-clock@0.2.11";
import { TextDecoder, TextEncoder } from "./text.js";

export { runUntil, start } from "./loop.js";
export { writeError, writeOut } from "./output.js";
export { unhandled } from "./promise.js";
export { TextDecoder, TextEncoder };

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
Object.assign(globalThis, { TextEncoder, TextDecoder, crypto, btoa, atob, performance, Blob, File });
