// `fs`, as far as standard input and output go: a program in a sandbox has no files.
import { writeError, writeOut } from "./output.js";
import { readInput } from "./process.js";
import { TextDecoder } from "./text.js";

const refuse = (path) => {
  throw Object.assign(new Error(`EACCES: permission denied, open '${path}'`), { code: "EACCES", path });
};
export function readFileSync(path, options) {
  if (path !== 0 && path !== "/dev/stdin") refuse(path);
  const bytes = readInput();
  const encoding = typeof options === "string" ? options : options?.encoding;
  if (encoding) return new TextDecoder(encoding).decode(bytes);
  bytes.toString = () => new TextDecoder().decode(bytes);
  return bytes;
}
export function writeFileSync(path, data) {
  if (path === 1 || path === "/dev/stdout") writeOut(data);
  else if (path === 2 || path === "/dev/stderr") writeError(data);
  else refuse(path);
}
export const writeSync = (path, data) => (writeFileSync(path, data), data.length);
export const existsSync = (path) => path === "/dev/stdin" || path === "/dev/stdout" || path === "/dev/stderr";
/** `fs/promises`: the same, answered later. */
export const promises = {
  readFile: async (path, options) => readFileSync(path, options),
  writeFile: async (path, data) => writeFileSync(path, data),
};
export default { promises, readFileSync, writeFileSync, writeSync, existsSync };
