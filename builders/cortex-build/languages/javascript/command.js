// An unmodified Node-style program as `wasi:cli/run`. Its text is a function here, which every call runs once.
import exit from "wasi:cli/exit@0.2.12";
import { writeError } from "./globals.js";
import process from "./process.js";
import program from "./source.js";

export const run = {
  run() {
    process.argv = ["node", ...process.arguments()];
    const module = { exports: {} };
    try {
      program(module, module.exports);
    } catch (error) {
      const text = error instanceof Error ? `${error.name}: ${error.message}\n${error.stack ?? ""}` : `Uncaught ${String(error)}\n`;
      writeError(text);
      exit.exitWithCode(1);
    }
    if (process.exitCode) exit.exitWithCode(Number(process.exitCode) & 0xff);
  },
};
