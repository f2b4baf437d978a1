// How `console.log` shows a value: as Node does for plain data, in one line.
export function inspect(value, seen = []) {
  if (typeof value === "string") return seen.length ? `'${value.replace(/'/g, "\\'")}'` : value;
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "symbol") return value.toString();
  if (typeof value === "function") return `[Function: ${value.name || "(anonymous)"}]`;
  if (value === null || typeof value !== "object") return Object.is(value, -0) ? "-0" : String(value);
  if (value instanceof Error) return `${value.name}: ${value.message}\n${value.stack ?? ""}`.trimEnd();
  if (value instanceof Date) return value.toISOString();
  if (value instanceof RegExp) return String(value);
  if (seen.includes(value)) return "[Circular *1]";
  if (seen.length > 2) return Array.isArray(value) ? "[Array]" : "[Object]";
  const inner = [...seen, value];
  const list = (open, items, close) => (items.length ? `${open} ${items.join(", ")} ${close}` : open + close);
  if (Array.isArray(value)) return list("[", value.map((item) => inspect(item, inner)), "]");
  if (value instanceof Map) {
    const items = [...value].map(([key, item]) => `${inspect(key, inner)} => ${inspect(item, inner)}`);
    return `Map(${value.size}) ${list("{", items, "}")}`;
  }
  if (value instanceof Set) return `Set(${value.size}) ${list("{", [...value].map((item) => inspect(item, inner)), "}")}`;
  const key = (name) => (/^[A-Za-z_$][\w$]*$/.test(name) ? name : `'${name}'`);
  return list("{", Object.entries(value).map(([name, item]) => `${key(name)}: ${inspect(item, inner)}`), "}");
}
