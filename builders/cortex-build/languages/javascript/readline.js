// `readline` over standard input, line by line.
import { setImmediate } from "./loop.js";
import { writeOut } from "./output.js";
import { readInput } from "./process.js";
import { TextDecoder } from "./text.js";

class Interface {
  #lines;
  #listeners = { line: [], close: [] };
  #flows = false;
  #closed = false;
  get #left() {
    if (!this.#lines) {
      const text = new TextDecoder().decode(readInput());
      this.#lines = text.split(/\r?\n/);
      if (this.#lines.at(-1) === "") this.#lines.pop();
    }
    return this.#lines;
  }
  #emit(event, ...values) {
    for (const listener of [...this.#listeners[event]]) listener(...values);
  }
  on(event, listener) {
    this.#listeners[event]?.push(listener);
    if (event === "line" && !this.#flows) {
      this.#flows = true;
      setImmediate(() => {
        while (!this.#closed && this.#left.length) this.#emit("line", this.#left.shift());
        this.close();
      });
    }
    return this;
  }
  once(event, listener) {
    return this.on(event, listener);
  }
  question(query, options, answer = options) {
    writeOut(query);
    setImmediate(() => (this.#left.length ? answer(this.#left.shift()) : this.close()));
  }
  setPrompt() {}
  prompt() {}
  close() {
    if (this.#closed) return;
    this.#closed = true;
    this.#emit("close");
  }
  async *[Symbol.asyncIterator]() {
    while (!this.#closed && this.#left.length) yield this.#left.shift();
  }
}
export const createInterface = () => new Interface();
export default { createInterface, Interface };
