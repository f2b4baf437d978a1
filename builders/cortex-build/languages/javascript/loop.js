// The event loop. QuickJS runs a call from its start to its end and has no host that would run its jobs, so what waits is
// kept here: tasks in the order in which they were left, timers, and what the host tells us is ready (`wasi:io/poll`).
import * as clock from "host:clocks/monotonic-clock@0.2.11";
import * as poll from "host:io/poll@0.2.11";

const ticks = [];
const microtasks = [];
let immediates = [];
let timers = [];
let waiters = [];
let names = 0;
// While the component is built there is no host to ask: time stands still, and starts with the first call.
let started = false;

const now = () => (started ? clock.now() / 1e6 : 0);

/** A number as the host takes it where WIT says `u64`. */
export const u64 = Number;

/** To be called first in every call. */
export function start() {
  if (started) return;
  started = true;
  for (const timer of timers) timer.due += now();
}

export const building = () => !started;
export const enqueue = (task) => void microtasks.push(task);
export const nextTick = (task, ...values) => void ticks.push(() => task(...values));

/** Runs what was left to run, and what that leaves. */
export function drain() {
  for (;;) {
    const queue = ticks.length ? ticks : microtasks;
    if (!queue.length) return;
    // Emptied at once: taking the first of a long array moves all the others.
    for (const task of queue.splice(0)) {
      task();
      if (queue === microtasks && ticks.length) for (const tick of ticks.splice(0)) tick();
    }
  }
}

class Timer {
  #name = ++names;
  referenced = true;
  ref() {
    this.referenced = true;
    return this;
  }
  unref() {
    this.referenced = false;
    return this;
  }
  hasRef() {
    return this.referenced;
  }
  refresh() {
    this.due = now() + this.delay;
    if (!timers.includes(this)) timers.push(this);
    return this;
  }
  close() {
    clear(this);
  }
  [Symbol.toPrimitive]() {
    return this.#name;
  }
}

function timer(task, delay, values, repeats) {
  if (typeof task !== "function") throw new TypeError("the callback is not a function");
  delay = Math.max(1, Number(delay) || 0);
  const made = Object.assign(new Timer(), { task: () => task(...values), delay, repeats, due: now() + delay });
  timers.push(made);
  return made;
}
function clear(timer) {
  // A name in place of the timer itself, as browsers hand it out.
  timers = timers.filter((other) => other !== timer && Number(other) !== timer);
  immediates = immediates.filter((other) => other !== timer);
}

/** Resolves when the host says so. */
export const ready = (pollable) => new Promise((resolve) => waiters.push({ pollable, resolve }));

function runTimers() {
  const time = now();
  const due = timers.filter((timer) => timer.due <= time).sort((a, b) => a.due - b.due);
  for (const timer of due) {
    // An earlier one may have cleared it.
    if (!timers.includes(timer)) continue;
    if (timer.repeats) timer.due = time + timer.delay;
    else timers = timers.filter((other) => other !== timer);
    timer.task();
    drain();
  }
  return due.length > 0;
}

/** One round. False when nothing is left that could still happen. */
function turn() {
  drain();
  if (immediates.length) {
    for (const { task } of immediates.splice(0)) {
      task();
      drain();
    }
    return true;
  }
  if (runTimers()) return true;
  if (!waiters.length && !timers.some((timer) => timer.referenced)) return false;
  const pollables = waiters.map(({ pollable }) => pollable);
  const next = Math.min(...timers.map(({ due }) => due));
  if (next < Infinity) pollables.push(clock.subscribeDuration(Math.ceil(Math.max(0, next - now()) * 1e6)));
  const indexes = new Set(poll.poll(pollables));
  const woken = waiters.filter((_, index) => indexes.has(index));
  waiters = waiters.filter((waiter) => !woken.includes(waiter));
  if (next < Infinity) pollables.at(-1)[Symbol.dispose]();
  for (const { pollable, resolve } of woken) {
    pollable[Symbol.dispose]();
    resolve();
  }
  return true;
}

/** Runs until `done` says yes or nothing is left to run; whether it said yes. */
export function runUntil(done) {
  drain();
  while (!done()) if (!turn()) return done();
  return true;
}

export const setImmediate = (task, ...values) => {
  const immediate = { task: () => task(...values), ref: () => immediate, unref: () => immediate };
  immediates.push(immediate);
  return immediate;
};
Object.assign(globalThis, {
  setTimeout: (task, delay, ...values) => timer(task, delay, values, false),
  setInterval: (task, delay, ...values) => timer(task, delay, values, true),
  clearTimeout: clear,
  clearInterval: clear,
  setImmediate,
  clearImmediate: clear,
  queueMicrotask: enqueue,
});
