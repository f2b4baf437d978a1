// `export default (args) => result`, asynchronous or not, as `cortex:tool/handler`.
import { document, failure, functionOf } from "./answer.js";
import "./globals.js";
import "./process.js";
import program from "./source.js";

// The module is evaluated once, while the component is built; its function is called in every call.
const run = functionOf(program);

export const handler = {
  async invoke(input) {
    let result;
    try {
      result = await run(JSON.parse(input));
    } catch (error) {
      throw { payload: failure("exception", error) };
    }
    try {
      return document(result);
    } catch (error) {
      throw { payload: failure("invalid_result", error) };
    }
  },
};
