// The part of JSON Schema 2020-12 that describes data: types, bounds, names, choices. A keyword that is not known here is an
// error and no silent yes.

class SchemaError extends Error {
  code = "bad_schema";
}

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
const typeOf = (value) => (value === null ? "null" : Array.isArray(value) ? "array" : typeof value);
const isType = (value, type) => (type === "integer" ? Number.isInteger(value) : typeOf(value) === type);
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
const length = (text) => [...text].length;

const bound = (applies, measure, holds, words) => (value, limit) =>
  !applies(value) || holds(measure(value), limit) ? [] : [`is ${measure(value)}, ${words} ${limit}`];
const number = (value) => typeof value === "number";
const text = (value) => typeof value === "string";
const least = (a, b) => a >= b;
const most = (a, b) => a <= b;

const rules = {
  type: (value, types) =>
    [types].flat().some((type) => isType(value, type)) ? [] : [`is of type ${typeOf(value)}, not ${[types].flat().join(" or ")}`],
  enum: (value, allowed) => (allowed.some((each) => same(each, value)) ? [] : [`is not one of ${JSON.stringify(allowed)}`]),
  const: (value, only) => (same(value, only) ? [] : [`is not ${JSON.stringify(only)}`]),
  minimum: bound(number, (n) => n, least, "below"),
  maximum: bound(number, (n) => n, most, "above"),
  exclusiveMinimum: bound(number, (n) => n, (a, b) => a > b, "not above"),
  exclusiveMaximum: bound(number, (n) => n, (a, b) => a < b, "not below"),
  multipleOf: (value, step) => (!number(value) || Number.isInteger(value / step) ? [] : [`is no multiple of ${step}`]),
  minLength: bound(text, length, least, "characters, fewer than"),
  maxLength: bound(text, length, most, "characters, more than"),
  pattern: (value, pattern) => (!text(value) || new RegExp(pattern, "u").test(value) ? [] : [`does not match ${pattern}`]),
  minItems: bound(Array.isArray, (list) => list.length, least, "items, fewer than"),
  maxItems: bound(Array.isArray, (list) => list.length, most, "items, more than"),
  uniqueItems: (value, wanted) =>
    !wanted || !Array.isArray(value) || new Set(value.map((item) => JSON.stringify(item))).size === value.length
      ? []
      : ["has equal items"],
  required: (value, names) =>
    isObject(value) ? names.filter((name) => !Object.hasOwn(value, name)).map((name) => `lacks \`${name}\``) : [],
};

const annotations = new Set(["$schema", "$id", "title", "description", "default", "examples", "$comment", "format", "deprecated"]);
const structure = new Set(["properties", "additionalProperties", "items", "allOf", "anyOf", "oneOf", "not"]);

/** Everything that is wrong with a value, each with its place as a JSON pointer. */
export function validate(value, schema, path = "") {
  if (schema === true) return [];
  if (schema === false) return [{ path, problem: "is not allowed" }];
  if (!isObject(schema)) throw new SchemaError("a schema is an object, true or false");
  const problems = [];
  for (const [keyword, rule] of Object.entries(schema)) {
    if (rules[keyword]) problems.push(...rules[keyword](value, rule).map((problem) => ({ path, problem })));
    else if (!annotations.has(keyword) && !structure.has(keyword)) throw new SchemaError(`the keyword \`${keyword}\` is not supported`);
  }
  if (isObject(value)) {
    for (const [name, item] of Object.entries(value)) {
      const known = schema.properties && Object.hasOwn(schema.properties, name);
      const rule = known ? schema.properties[name] : (schema.additionalProperties ?? true);
      problems.push(...validate(item, rule, `${path}/${name.replace(/~/g, "~0").replace(/\//g, "~1")}`));
    }
  }
  if (Array.isArray(value) && schema.items !== undefined) {
    value.forEach((item, i) => problems.push(...validate(item, schema.items, `${path}/${i}`)));
  }
  const holds = (each) => validate(value, each, path).length === 0;
  for (const each of schema.allOf ?? []) problems.push(...validate(value, each, path));
  if (schema.anyOf && !schema.anyOf.some(holds)) problems.push({ path, problem: "matches none of `anyOf`" });
  if (schema.oneOf && schema.oneOf.filter(holds).length !== 1) problems.push({ path, problem: "does not match exactly one of `oneOf`" });
  if (schema.not !== undefined && holds(schema.not)) problems.push({ path, problem: "matches `not`" });
  return problems;
}
