// Promises whose jobs the loop runs. The engine's own leave theirs in a queue that nobody but its host can empty, and this
// host calls a function and takes what it returns. `async` functions become generators around these when they are bundled.
import { enqueue } from "./loop.js";

const PENDING = 0;
const FULFILLED = 1;
const REJECTED = 2;

/** What was rejected and nobody has asked about: the promises, with their reasons. */
export const unhandled = new Map();

class Promise {
  #state = PENDING;
  #value;
  #reactions = [];
  #handled = false;

  constructor(executor) {
    if (typeof executor !== "function") throw new TypeError(`Promise resolver ${String(executor)} is not a function`);
    const [resolve, reject] = Promise.#functions(this);
    try {
      executor(resolve, reject);
    } catch (error) {
      reject(error);
    }
  }

  /** The two functions of which the first call counts. */
  static #functions(promise) {
    let called = false;
    const once = (settle) => (value) => {
      if (called) return;
      called = true;
      settle(value);
    };
    return [once((value) => promise.#resolve(value)), once((reason) => promise.#settle(REJECTED, reason))];
  }

  #resolve(value) {
    if (value === this) return this.#settle(REJECTED, new TypeError("Chaining cycle detected for promise"));
    if (value === null || (typeof value !== "object" && typeof value !== "function")) {
      return this.#settle(FULFILLED, value);
    }
    let then;
    try {
      then = value.then;
    } catch (error) {
      return this.#settle(REJECTED, error);
    }
    if (typeof then !== "function") return this.#settle(FULFILLED, value);
    enqueue(() => {
      const [resolve, reject] = Promise.#functions(this);
      try {
        then.call(value, resolve, reject);
      } catch (error) {
        reject(error);
      }
    });
  }

  #settle(state, value) {
    this.#state = state;
    this.#value = value;
    if (state === REJECTED && !this.#handled) unhandled.set(this, value);
    for (const reaction of this.#reactions) enqueue(reaction);
    this.#reactions = [];
  }

  then(onFulfilled, onRejected) {
    const Species = this.constructor?.[Symbol.species] ?? Promise;
    const { promise, resolve, reject } = Promise.withResolvers.call(Species);
    const react = () => {
      const fulfilled = this.#state === FULFILLED;
      const handler = fulfilled ? onFulfilled : onRejected;
      if (typeof handler !== "function") return (fulfilled ? resolve : reject)(this.#value);
      let value;
      try {
        value = handler(this.#value);
      } catch (error) {
        return reject(error);
      }
      resolve(value);
    };
    this.#handled = true;
    unhandled.delete(this);
    if (this.#state === PENDING) this.#reactions.push(react);
    else enqueue(react);
    return promise;
  }
  catch(onRejected) {
    return this.then(undefined, onRejected);
  }
  finally(task) {
    if (typeof task !== "function") return this.then(task, task);
    const after = (then) => (value) => this.constructor.resolve(task()).then(() => then(value));
    const fail = (reason) => {
      throw reason;
    };
    return this.then(after((value) => value), after(fail));
  }

  static get [Symbol.species]() {
    return this;
  }
  static withResolvers() {
    let resolve, reject;
    const promise = new this((one, other) => {
      resolve = one;
      reject = other;
    });
    return { promise, resolve, reject };
  }
  static resolve(value) {
    return value instanceof Promise && value.constructor === this ? value : new this((resolve) => resolve(value));
  }
  static reject(reason) {
    return new this((_, reject) => reject(reason));
  }
  static try(task, ...values) {
    return new this((resolve) => resolve(task(...values)));
  }

  /** Waits for every value; `each` sees it with its index and leaves what the whole becomes. */
  static #each(Constructor, values, each, finish) {
    return new Constructor((resolve, reject) => {
      const results = [];
      let left = 1;
      const done = () => --left === 0 && finish(results, resolve, reject);
      let index = 0;
      for (const value of values) {
        const at = index++;
        left++;
        const put = (result) => {
          results[at] = result;
          done();
        };
        each(Constructor.resolve(value), put, resolve, reject);
      }
      done();
    });
  }
  static all(values) {
    const each = (promise, put, _, reject) => promise.then(put, reject);
    return Promise.#each(this, values, each, (results, resolve) => resolve(results));
  }
  static allSettled(values) {
    const each = (promise, put) =>
      promise.then(
        (value) => put({ status: "fulfilled", value }),
        (reason) => put({ status: "rejected", reason }),
      );
    return Promise.#each(this, values, each, (results, resolve) => resolve(results));
  }
  static any(values) {
    const each = (promise, put, resolve) => promise.then(resolve, put);
    const finish = (errors, _, reject) => reject(new AggregateError(errors, "All promises were rejected"));
    return Promise.#each(this, values, each, finish);
  }
  static race(values) {
    return new this((resolve, reject) => {
      for (const value of values) this.resolve(value).then(resolve, reject);
    });
  }
}
Object.defineProperty(Promise, "name", { value: "Promise" });
Object.defineProperty(Promise.prototype, Symbol.toStringTag, { value: "Promise", configurable: true });
globalThis.Promise = Promise;

// Of the engine's own functions, the only one that returns a promise of its own.
Array.fromAsync = async (items, map = (value) => value) => {
  const array = [];
  for await (const item of items) array.push(await map(item, array.length));
  return array;
};
