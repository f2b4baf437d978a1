// An unmodified Node-style program as `wasi:cli/run`. Its text is a function here, which every call runs once.
import * as exit from "wasi:cli/exit@0.2.12";
import { told } from "./answer.js";
import { runUntil, start, unhandled, writeError } from "./globals.js";
import process, { leave } from "./process.js";
import program from "./source.js";

/** Runs the program and everything that it left to run. A module that waits at its top level returns a promise. */
function finish() {
  const module = { exports: {} };
  let over = true;
  const waits = program(module, module.exports);
  if (typeof waits?.then === "function") {
    over = false;
    waits.then(() => (over = true));
  }
  do {
    runUntil(() => unhandled.size > 0);
    for (const [promise, reason] of unhandled) {
      unhandled.delete(promise);
      if (!leave("unhandledRejection", reason, promise)) throw reason;
    }
  } while (leave("beforeExit", process.exitCode ?? 0));
  if (!over) {
    writeError("Warning: Detected unsettled top-level await\n");
    process.exitCode = 13;
  }
}

export const run = {
  run() {
    start();
    process.argv = ["node", ...process.arguments()];
    try {
      finish();
    } catch (error) {
      if (!leave("uncaughtException", error)) {
        writeError(told(error));
        process.exitCode = 1;
      }
    }
    leave("exit", process.exitCode ?? 0);
    if (process.exitCode) exit.exitWithCode(Number(process.exitCode) & 0xff);
  },
};
