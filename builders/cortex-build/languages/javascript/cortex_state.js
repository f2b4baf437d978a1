// `state` of "cortex:tool": values of the tool's own, which outlive its calls. Each function is a transaction.
import * as host from "cortex:tool/host@0.1.0";
import * as atomics from "wasi:keyvalue/atomics@0.2.0-draft";
import * as store from "wasi:keyvalue/store@0.2.0-draft";
import { TextDecoder, TextEncoder } from "./text.js";
import { u64 } from "./loop.js";

/** Why a value was not read or kept. */
class StateError extends Error {
  name = "StateError";
  code = "state";
}

/** Calls the host, and throws what it says went wrong. */
function within(work) {
  try {
    return work();
  } catch (error) {
    const said = error?.payload;
    if (said === undefined) throw error;
    const message = typeof said === "string" ? said : said.val;
    throw new StateError(message ?? "the tool was granted no state");
  }
}

// Opened once in a call: each call has an instance of its own.
let opened;
const withBucket = (work) => within(() => work((opened ??= store.open("default"))));

function bytes(value) {
  if (value === null || value === undefined) return null;
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  if (typeof value === "string") return new TextEncoder().encode(value);
  throw new TypeError(`a value is a text or bytes, not a ${typeof value}; JSON.stringify makes a text of it`);
}

function some(value) {
  const given = bytes(value);
  if (given === null) throw new TypeError("there is no value to set; `delete` removes a key");
  return given;
}

const found = (key) => withBucket((bucket) => bucket.get(String(key))) ?? null;

export const state = {
  /** The value of a key as a text, or null. */
  get(key) {
    const value = found(key);
    return value && new TextDecoder().decode(Uint8Array.from(value));
  },
  /** The value of a key as bytes, or null. */
  getBytes(key) {
    const value = found(key);
    return value && Uint8Array.from(value);
  },
  /** Sets a key to a text or bytes, which is gone after `ttl` seconds if there is one. */
  set(key, value, { ttl } = {}) {
    const given = some(value);
    if (ttl === undefined) withBucket((bucket) => bucket.set(String(key), given));
    else within(() => host.setFor(String(key), given, u64(Math.max(0, Math.round(ttl * 1000)))));
  },
  /** Removes a key, if it is there. */
  delete(key) {
    withBucket((bucket) => bucket.delete(String(key)));
  },
  /** All keys, in their order. */
  list() {
    const keys = [];
    for (let cursor = null; ; ) {
      const page = withBucket((bucket) => bucket.listKeys(cursor));
      keys.push(...page.keys);
      cursor = page.cursor ?? null;
      if (cursor === null) return keys;
    }
  },
  /** Adds to a number, which is 0 if there is none, and returns it. It is kept as its decimal digits. */
  increment(key, delta = 1) {
    return Number(withBucket((bucket) => atomics.increment(bucket, String(key), u64(delta))));
  },
  /** Sets a key to `value` (null removes it) if it is `expected` now (null: not there), and says whether it did. */
  swap(key, expected, value) {
    return within(() => host.compareAndSwap(String(key), bytes(expected), bytes(value)));
  },
};
