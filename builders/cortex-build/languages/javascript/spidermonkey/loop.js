// What of Node's event loop the engine's own has by other names.
export const nextTick = (task, ...values) => queueMicrotask(() => task(...values));
export const setImmediate = (task, ...values) => setTimeout(() => task(...values), 0);
Object.assign(globalThis, { setImmediate, clearImmediate: (timer) => clearTimeout(timer) });
/** A number as the host takes it where WIT says `u64`. */
export const u64 = BigInt;
