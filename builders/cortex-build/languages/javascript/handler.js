// `export default (args) => result`, asynchronous or not, as `cortex:tool/handler`.
import { document, failure, functionOf, told } from "./answer.js";
import { runUntil, start, unhandled, writeError } from "./globals.js";
import { drain } from "./loop.js";
import "./process.js";
import program from "./source.js";

// The module is evaluated once, while the component is built; its function is called in every call.
const run = functionOf(program);
drain();

/** What a promise becomes; anything else is itself. */
function settled(value) {
  if (typeof value?.then !== "function") return value;
  let outcome;
  value.then(
    (result) => (outcome = { result }),
    (error) => (outcome = { error }),
  );
  if (!runUntil(() => outcome !== undefined)) throw new Error("the function waits for something that never happens");
  if ("error" in outcome) throw outcome.error;
  return outcome.result;
}

export const handler = {
  invoke(input) {
    start();
    let result;
    try {
      result = settled(run(JSON.parse(input)));
    } catch (error) {
      throw failure("exception", error);
    }
    for (const reason of unhandled.values()) writeError(`a rejected promise was not handled: ${told(reason)}`);
    try {
      return document(result);
    } catch (error) {
      throw failure("invalid_result", error);
    }
  },
};
