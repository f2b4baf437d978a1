// `progress` and `secretExists` of "cortex:tool".
import * as host from "cortex:tool/host@0.1.0";

/** Tells whoever waits for the answer how far the call is: `done` of `total`, in a unit of the tool's own. */
export function progress(done, total = null, message = null) {
  host.progress(Number(done), total === null ? null : Number(total), message === null ? null : String(message));
}

/** Whether the tool was granted a secret of this name that has a value. The value stays with the host. */
export const secretExists = (name) => host.secretExists(String(name));
