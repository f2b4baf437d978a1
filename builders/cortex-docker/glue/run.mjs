// Calls the default export of a module, once with the first argument or standard input, or with `--serve` for every line of
// standard input. The answer follows a record separator: `+` and the result, or `-` and the error. What comes before it is the
// tool's log.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [, , entry, given] = process.argv;
process.argv.length = 2;

function failed(code, error) {
  const known = error instanceof Error;
  process.stderr.write(known ? `${error.stack ?? `${error.name}: ${error.message}`}\n` : `${String(error)}\n`);
  const own = known && typeof error.code === "string" ? error.code : code;
  const data = error?.data === undefined ? null : JSON.stringify(error.data);
  return "-" + JSON.stringify({ code: own, message: known ? `${error.name}: ${error.message}` : String(error), data });
}

async function call(run, text) {
  let result;
  try {
    result = await run(JSON.parse(text));
  } catch (error) {
    return failed("exception", error);
  }
  try {
    const json = JSON.stringify(result ?? null);
    if (json === undefined) throw new TypeError(`a ${typeof result} is not JSON`);
    return "+" + json;
  } catch (error) {
    return failed("invalid_result", error);
  }
}

const answer = (frame) => new Promise((done) => process.stdout.write(`\x1e${frame}\n`, done));

const module = await import(pathToFileURL(resolve(entry)).href);
const run = module.default?.default ?? module.default;
if (typeof run !== "function") throw new TypeError("the default export is not a function");
if (given === "--serve") {
  for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) await answer(await call(run, line));
} else {
  await answer(await call(run, given ?? readFileSync(0, "utf8")));
}
process.exit(0);
