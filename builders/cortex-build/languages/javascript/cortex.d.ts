// Types of the module "cortex:tool", which cortex-wasm puts into components. Copy it beside your source for your editor.
declare module "cortex:tool" {
  /** Writes a line into the record of the call. `context` groups lines. */
  export function log(
    level: "trace" | "debug" | "info" | "warn" | "error" | "critical",
    message: string,
    context?: string,
  ): void;
  /** Tells whoever waits for the answer how far the call is: `done` of `total`, in a unit of your own. */
  export function progress(done: number, total?: number | null, message?: string | null): void;
  /** Whether the tool was granted a secret of this name that has a value. The value stays with the host. */
  export function secretExists(name: string): boolean;

  type Value = string | ArrayBuffer | ArrayBufferView;
  /**
   * Values of the tool's own, which outlive its calls. Each function is a transaction, and throws an error with the code
   * `state` if the tool was granted none or a limit was hit.
   */
  export const state: {
    /** The value of a key as a text, or null. */
    get(key: string): string | null;
    /** The value of a key as bytes, or null. */
    getBytes(key: string): Uint8Array | null;
    /** Sets a key; the value is gone after `ttl` seconds if there is one. */
    set(key: string, value: Value, options?: { ttl?: number }): void;
    /** Removes a key, if it is there. */
    delete(key: string): void;
    /** All keys, in their order. */
    list(): string[];
    /** Adds to a number, which is 0 if there is none, and returns it. */
    increment(key: string, delta?: number): number;
    /** Sets a key to `value` (null removes it) if it is `expected` now (null: not there), and says whether it did. */
    swap(key: string, expected: Value | null, value: Value | null): boolean;
  };
}
