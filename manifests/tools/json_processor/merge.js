const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

/** JSON Merge Patch, RFC 7396: objects are merged name by name, `null` takes a name away, anything else replaces. */
export function merge(target, patch) {
  if (!isObject(patch)) return patch;
  const result = new Map(isObject(target) ? Object.entries(target) : []);
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) result.delete(name);
    else result.set(name, merge(result.get(name), value));
  }
  return Object.fromEntries(result);
}
