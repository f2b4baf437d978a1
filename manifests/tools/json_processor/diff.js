const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
const escape = (name) => String(name).replace(/~/g, "~0").replace(/\//g, "~1");

function equal(a, b) {
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((item, i) => equal(item, b[i]));
  if (!isObject(a) || !isObject(b)) return a === b;
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => Object.hasOwn(b, name) && equal(a[name], b[name]));
}

/** The operations of a JSON Patch (RFC 6902) that make `after` of `before`. */
export function difference(before, after, path = "") {
  if (equal(before, after)) return [];
  if (isObject(before) && isObject(after)) {
    const gone = Object.keys(before).filter((name) => !Object.hasOwn(after, name));
    return [
      ...gone.map((name) => ({ op: "remove", path: `${path}/${escape(name)}` })),
      ...Object.entries(after).flatMap(([name, value]) => {
        const place = `${path}/${escape(name)}`;
        return Object.hasOwn(before, name) ? difference(before[name], value, place) : [{ op: "add", path: place, value }];
      }),
    ];
  }
  if (Array.isArray(before) && Array.isArray(after)) {
    const shared = Math.min(before.length, after.length);
    const operations = [];
    for (let i = 0; i < shared; i++) operations.push(...difference(before[i], after[i], `${path}/${i}`));
    // From the end, so that the places of those before stay right.
    for (let i = before.length; i-- > shared; ) operations.push({ op: "remove", path: `${path}/${i}` });
    for (let i = shared; i < after.length; i++) operations.push({ op: "add", path: `${path}/-`, value: after[i] });
    return operations;
  }
  return [{ op: "replace", path, value: after }];
}
