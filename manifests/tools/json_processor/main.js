import { difference } from "./diff.js";
import { merge } from "./merge.js";
import { select } from "./path.js";
import { validate } from "./validate.js";

class InputError extends Error {
  code = "missing_parameter";
}

function need(args, name) {
  if (!(name in args)) throw new InputError(`the operation "${args.operation}" needs \`${name}\``);
  return args[name];
}

const operations = {
  get: (args) => select(args.data, need(args, "path")),
  merge: (args) => merge(args.data, need(args, "other")),
  diff: (args) => difference(args.data, need(args, "other")),
  validate(args) {
    const problems = validate(args.data, need(args, "schema"));
    return { valid: problems.length === 0, problems };
  },
};

export default (args) => ({ result: operations[args.operation](args) });
