// `export default (args) => result` as `cortex:tool/handler`.
import { writeError } from "./globals.js";
import "./process.js";
import program from "./source.js";

// The module is evaluated once, while the component is built; its function is called in every call.
const module = { exports: {} };
program(module, module.exports);
const run = module.exports.default ?? module.exports;
if (typeof run !== "function") throw new TypeError("the default export is not a function");

function fail(code, error) {
  const known = error instanceof Error;
  writeError(known ? `${error.name}: ${error.message}\n${error.stack ?? ""}` : `${String(error)}\n`);
  const own = known && typeof error.code === "string" ? error.code : code;
  const data = error?.data === undefined ? null : JSON.stringify(error.data);
  throw { code: own, message: known ? `${error.name}: ${error.message}` : String(error), data };
}

export const handler = {
  invoke(input) {
    let result;
    try {
      result = run(JSON.parse(input));
      if (typeof result?.then === "function") throw new TypeError("the function is asynchronous; return the result itself");
    } catch (error) {
      fail("exception", error);
    }
    let text;
    try {
      text = JSON.stringify(result ?? null);
      if (text === undefined) throw new TypeError(`a ${typeof result} is not JSON`);
    } catch (error) {
      fail("invalid_result", error);
    }
    return text;
  },
};
