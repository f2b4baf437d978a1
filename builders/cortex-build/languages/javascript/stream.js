// Bodies: a stream of bytes that is read once, by a reader, by `for await`, or whole. As much of `ReadableStream` as
// programs use that did not make it.
export class Stream {
  used = false;
  locked = false;
  #pull;
  #close;
  #over = false;

  /** `pull` gives the next bytes or null at the end; `close` is for who stops before. */
  constructor(pull, close) {
    this.#pull = pull;
    this.#close = close;
  }
  static of(bytes) {
    let left = bytes;
    const take = async () => {
      const taken = left;
      left = null;
      return taken?.length ? taken : null;
    };
    return new Stream(take, () => {});
  }
  async next() {
    this.used = true;
    if (this.#over) return { done: true, value: undefined };
    const value = await this.#pull();
    if (value !== null) return { done: false, value };
    this.#over = true;
    return { done: true, value: undefined };
  }
  async collect() {
    const parts = [];
    for await (const part of this) parts.push(part);
    const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
    let at = 0;
    for (const part of parts) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }
  async cancel() {
    this.used = true;
    if (!this.#over) this.#close();
    this.#over = true;
  }
  getReader() {
    if (this.locked) throw new TypeError("ReadableStream is locked");
    this.locked = true;
    const release = () => void (this.locked = false);
    return { read: () => this.next(), cancel: () => this.cancel(), releaseLock: release, closed: new Promise(() => {}) };
  }
  [Symbol.asyncIterator]() {
    const stop = async () => {
      await this.cancel();
      return { done: true, value: undefined };
    };
    return { next: () => this.next(), return: stop, [Symbol.asyncIterator]() { return this; } };
  }
  values() {
    return this[Symbol.asyncIterator]();
  }
  /** A second stream of what this one has not yet given; both see everything. */
  fork() {
    if (this.used) throw new TypeError("Body has already been consumed.");
    const pull = this.#pull;
    const queues = [[], []];
    const take = (mine, other) => async () => {
      if (queues[mine].length) return queues[mine].shift();
      const part = await pull();
      queues[other].push(part);
      return part;
    };
    this.#pull = take(0, 1);
    return new Stream(take(1, 0), () => {});
  }
  tee() {
    return [this, this.fork()];
  }
}
