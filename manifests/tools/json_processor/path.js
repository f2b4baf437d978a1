// Paths in the manner of jq: `.a.b[0]`, `.["a key"]`, `[-1]`, `[1:3]`, `.items[].name`. `[]` and slices give arrays.

class PathError extends Error {
  code = "bad_path";
}

const STEP = /\.?\["((?:[^"\\]|\\.)*)"\]|\.?\[(-?\d*):(-?\d*)\]|\.?\[(-?\d+)\]|\.?(\[\])|\.([A-Za-z_$][\w$]*)|(\.)$/y;

function steps(path) {
  const found = [];
  for (STEP.lastIndex = 0; STEP.lastIndex < path.length; ) {
    const at = STEP.lastIndex;
    const match = STEP.exec(path);
    if (!match) throw new PathError(`the path is not understood from character ${at + 1}: ${path.slice(at)}`);
    const [, quoted, from, to, index, all, name] = match;
    if (quoted !== undefined) found.push({ name: JSON.parse(`"${quoted}"`) });
    else if (from !== undefined) found.push({ from: from && Number(from), to: to && Number(to) });
    else if (index !== undefined) found.push({ index: Number(index) });
    else if (all) found.push({ all });
    else if (name !== undefined) found.push({ name });
  }
  return found;
}

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

/** What a path leads to; `null` where there is nothing. */
export function select(data, path) {
  let values = [data];
  let several = false;
  for (const step of steps(path)) {
    if (step.all) {
      several = true;
      values = values.flatMap((value) => (Array.isArray(value) ? value : isObject(value) ? Object.values(value) : []));
    } else {
      values = values.map((value) => {
        if (step.name !== undefined) return isObject(value) && Object.hasOwn(value, step.name) ? value[step.name] : null;
        if (!Array.isArray(value)) return null;
        if (step.index !== undefined) return value.at(step.index) ?? null;
        return value.slice(step.from === "" ? undefined : step.from, step.to === "" ? undefined : step.to);
      });
    }
  }
  return several ? values : values[0];
}
