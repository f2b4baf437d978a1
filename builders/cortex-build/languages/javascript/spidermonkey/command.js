// An unmodified Node-style program as `wasi:cli/run`. The engine runs what it leaves to run before the call ends.
import { exitWithCode } from "wasi:cli/exit@0.2.12";
import { told } from "./answer.js";
import { idle, writeError } from "./globals.js";
import process, { leave } from "./process.js";
import program from "./source.js";

export const run = {
  async run() {
    process.argv = ["node", ...process.arguments()];
    const module = { exports: {} };
    try {
      await program(module, module.exports);
      await idle();
    } catch (error) {
      writeError(told(error));
      exitWithCode(1);
    }
    leave("exit", process.exitCode ?? 0);
    if (process.exitCode) exitWithCode(Number(process.exitCode) & 0xff);
  },
};
