// `log` of "cortex:tool".
import * as logging from "wasi:logging/logging@0.1.0-draft";

const LEVELS = ["trace", "debug", "info", "warn", "error", "critical"];

/** Writes a line into the record of the call. */
export function log(level, message, context = "") {
  if (!LEVELS.includes(level)) throw new RangeError(`"${level}" is no level; there are ${LEVELS.join(", ")}`);
  logging.log(level, String(context), String(message));
}
