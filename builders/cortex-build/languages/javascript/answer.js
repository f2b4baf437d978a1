// What a function returned or threw, as `cortex:tool/handler` passes it on.
import { writeError } from "./output.js";

/** As Node prints what nobody caught. */
export const told = (error) =>
  error instanceof Error ? `${error.name}: ${error.message}\n${error.stack ?? ""}` : `Uncaught ${String(error)}\n`;

/** The error of a call. Its stack goes into the log. */
export function failure(code, error) {
  writeError(told(error));
  for (let cause = error?.cause; cause instanceof Error; cause = cause.cause) writeError(`caused by ${told(cause)}`);
  const known = error instanceof Error;
  const own = known && typeof error.code === "string" ? error.code : code;
  const data = error?.data === undefined ? null : JSON.stringify(error.data);
  return { code: own, message: known ? `${error.name}: ${error.message}` : String(error), data };
}

/** The result of a call as JSON. */
export function document(result) {
  const text = JSON.stringify(result ?? null);
  if (text === undefined) throw new TypeError(`a ${typeof result} is not JSON`);
  return text;
}

/** The function of a module that was evaluated. */
export function functionOf(program) {
  const module = { exports: {} };
  program(module, module.exports);
  const run = module.exports.default ?? module.exports;
  if (typeof run !== "function") throw new TypeError("the default export is not a function");
  return run;
}
