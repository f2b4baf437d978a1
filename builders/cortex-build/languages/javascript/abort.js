// Events and `AbortSignal`, as far as requests and timers use them.
class Event {
  constructor(type, init) {
    Object.assign(this, init, { type, target: null, defaultPrevented: false });
  }
  preventDefault() {
    this.defaultPrevented = true;
  }
}
class EventTarget {
  #listeners = [];
  addEventListener(type, listener, options) {
    if (this.#listeners.some((known) => known.type === type && known.listener === listener)) return;
    this.#listeners.push({ type, listener, once: Boolean(options?.once) });
  }
  removeEventListener(type, listener) {
    this.#listeners = this.#listeners.filter((known) => known.type !== type || known.listener !== listener);
  }
  dispatchEvent(event) {
    event.target = this;
    for (const { type, listener, once } of [...this.#listeners]) {
      if (type !== event.type) continue;
      if (once) this.removeEventListener(type, listener);
      if (typeof listener === "function") listener.call(this, event);
      else listener.handleEvent(event);
    }
    this[`on${event.type}`]?.(event);
    return !event.defaultPrevented;
  }
}
class DOMException extends Error {
  constructor(message = "", name = "Error") {
    super(message);
    Object.defineProperty(this, "name", { value: name });
  }
}

class AbortSignal extends EventTarget {
  aborted = false;
  reason = undefined;
  static abort(reason) {
    const controller = new AbortController();
    controller.abort(reason);
    return controller.signal;
  }
  static timeout(delay) {
    const controller = new AbortController();
    const reason = new DOMException("The operation was aborted due to timeout", "TimeoutError");
    setTimeout(() => controller.abort(reason), delay).unref();
    return controller.signal;
  }
  static any(signals) {
    const controller = new AbortController();
    for (const signal of signals) {
      if (signal.aborted) controller.abort(signal.reason);
      else signal.addEventListener("abort", () => controller.abort(signal.reason), { once: true });
    }
    return controller.signal;
  }
  throwIfAborted() {
    if (this.aborted) throw this.reason;
  }
}
class AbortController {
  signal = new AbortSignal();
  abort(reason = new DOMException("This operation was aborted", "AbortError")) {
    if (this.signal.aborted) return;
    Object.assign(this.signal, { aborted: true, reason });
    this.signal.dispatchEvent(new Event("abort"));
  }
}
Object.assign(globalThis, { Event, EventTarget, DOMException, AbortSignal, AbortController });
