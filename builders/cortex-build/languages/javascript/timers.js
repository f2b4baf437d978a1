// `timers` and `timers/promises` of Node.
const later = (timer) => (delay, value, options) =>
  new Promise((resolve, reject) => {
    const { signal } = options ?? {};
    if (signal?.aborted) return reject(signal.reason);
    timer(() => resolve(value), delay);
    signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
export const promises = {
  setTimeout: later((task, delay) => globalThis.setTimeout(task, delay)),
  setImmediate: (value) => later((task) => globalThis.setImmediate(task))(0, value),
  scheduler: { wait: later((task, delay) => globalThis.setTimeout(task, delay)) },
};
export const { setTimeout, setInterval, clearTimeout, clearInterval, setImmediate, clearImmediate } = globalThis;
export default { promises, setTimeout, setInterval, clearTimeout, clearInterval, setImmediate, clearImmediate };
