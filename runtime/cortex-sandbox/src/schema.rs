//! JSON Schema (2020-12) of the WIT types of a function. `json` converts values by the same rules.

use serde_json::{Map, Value, json};
use wasmtime::component::Type;
use wasmtime::component::types::ComponentFunc;

/// Room for the schemas of a component.
///
/// The threat: WIT types name one another, so a few hundred bytes of them (`type b = tuple<a, a>`, and so on) stand for a
/// schema of gigabytes. What has no room is not written out, and cannot be called.
#[derive(Debug)]
pub(crate) struct Room {
    bytes: usize,
}

impl Room {
    /// For all functions of a component: some 50,000 types.
    const BYTES: usize = 8 << 20;

    /// About what a schema takes besides its names.
    const NODE_BYTES: usize = 128;

    pub(crate) fn new() -> Self {
        Self { bytes: Self::BYTES }
    }

    /// Takes the room of a function's schemas. `false` if there is not enough, and then nothing is taken.
    pub(crate) fn take(&mut self, function: &ComponentFunc) -> bool {
        let mut left = self.bytes;
        let enough = function.params().all(|(name, ty)| fits(name, Some(&ty), &mut left))
            && function.results().all(|ty| fits("", Some(&ty), &mut left));
        if enough {
            self.bytes = left;
        }
        enough
    }
}

/// Takes the room of a type and its name. Stops where there is none left: how deep a type is, the engine bounds, but not how
/// often it is repeated.
fn fits(name: &str, ty: Option<&Type>, left: &mut usize) -> bool {
    let Some(rest) = left.checked_sub(Room::NODE_BYTES + name.len()) else { return false };
    *left = rest;
    match ty {
        Some(Type::List(list)) => fits("", Some(&list.ty()), left),
        Some(Type::Option(option)) => fits("", Some(&option.ty()), left),
        Some(Type::Tuple(tuple)) => tuple.types().all(|ty| fits("", Some(&ty), left)),
        Some(Type::Record(record)) => record.fields().all(|field| fits(field.name, Some(&field.ty), left)),
        Some(Type::Variant(variant)) => variant.cases().all(|case| fits(case.name, case.ty.as_ref(), left)),
        Some(Type::Result(result)) => [result.ok(), result.err()].iter().all(|ty| fits("", ty.as_ref(), left)),
        Some(Type::Enum(names)) => names.names().all(|name| fits(name, None, left)),
        Some(Type::Flags(flags)) => flags.names().all(|name| fits(name, None, left)),
        _ => true,
    }
}

/// The schema of the object that holds a function's parameters by name.
pub(crate) fn of_parameters(function: &ComponentFunc) -> Value {
    let fields = function.params().map(|(name, ty)| (name.to_owned(), ty));
    let mut schema = object(fields);
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    schema
}

/// The schema of what a function returns. The error of an outermost `result` is no part of it: it ends the call as a
/// tool error.
pub(crate) fn of_result(function: &ComponentFunc) -> Option<Value> {
    match function.results().next()? {
        Type::Result(result) => result.ok().as_ref().map(of),
        ty => Some(of(&ty)),
    }
}

/// Why a function cannot be called with JSON, if it cannot.
pub(crate) fn unsupported(function: &ComponentFunc) -> Option<String> {
    let parameters = function.params().map(|(name, ty)| (format!("parameter `{name}`"), ty));
    let results = function.results().map(|ty| ("result".to_owned(), ty));
    parameters.chain(results).find_map(|(place, ty)| {
        let found = foreign_to_json(&ty)?;
        Some(format!("the {place} holds a {found}, which JSON cannot carry"))
    })
}

fn foreign_to_json(ty: &Type) -> Option<&'static str> {
    match ty {
        Type::Bool
        | Type::S8
        | Type::U8
        | Type::S16
        | Type::U16
        | Type::S32
        | Type::U32
        | Type::S64
        | Type::U64
        | Type::Float32
        | Type::Float64
        | Type::Char
        | Type::String
        | Type::Enum(_)
        | Type::Flags(_) => None,
        Type::List(list) => foreign_to_json(&list.ty()),
        Type::Option(option) => foreign_to_json(&option.ty()),
        Type::Tuple(tuple) => tuple.types().find_map(|ty| foreign_to_json(&ty)),
        Type::Record(record) => record.fields().find_map(|field| foreign_to_json(&field.ty)),
        Type::Variant(variant) => variant.cases().filter_map(|case| case.ty).find_map(|ty| foreign_to_json(&ty)),
        Type::Result(result) => [result.ok(), result.err()].into_iter().flatten().find_map(|ty| foreign_to_json(&ty)),
        Type::Own(_) | Type::Borrow(_) => Some("resource"),
        Type::Future(_) => Some("future"),
        Type::Stream(_) => Some("stream"),
        Type::ErrorContext => Some("error-context"),
        Type::Map(_) => Some("map"),
        Type::FixedLengthList(_) => Some("list of fixed length"),
    }
}

fn of(ty: &Type) -> Value {
    match ty {
        Type::Bool => json!({"type": "boolean"}),
        Type::S8 => integer(i8::MIN, i8::MAX),
        Type::U8 => integer(u8::MIN, u8::MAX),
        Type::S16 => integer(i16::MIN, i16::MAX),
        Type::U16 => integer(u16::MIN, u16::MAX),
        Type::S32 => integer(i32::MIN, i32::MAX),
        Type::U32 => integer(u32::MIN, u32::MAX),
        Type::S64 => integer(i64::MIN, i64::MAX),
        Type::U64 => integer(u64::MIN, u64::MAX),
        Type::Float32 | Type::Float64 => {
            json!({"anyOf": [{"type": "number"}, {"enum": ["NaN", "Infinity", "-Infinity"]}]})
        }
        Type::Char => json!({"type": "string", "minLength": 1, "maxLength": 1}),
        Type::String => json!({"type": "string"}),
        Type::List(list) => json!({"type": "array", "items": of(&list.ty())}),
        Type::Tuple(tuple) => {
            let items: Vec<Value> = tuple.types().map(|ty| of(&ty)).collect();
            let count = items.len();
            json!({"type": "array", "prefixItems": items, "items": false, "minItems": count})
        }
        Type::Record(record) => object(record.fields().map(|field| (field.name.to_owned(), field.ty))),
        Type::Option(option) => optional(&option.ty()),
        Type::Enum(names) => json!({"enum": names.names().collect::<Vec<_>>()}),
        Type::Flags(flags) => {
            json!({"type": "array", "items": {"enum": flags.names().collect::<Vec<_>>()}, "uniqueItems": true})
        }
        Type::Variant(variant) => {
            let cases: Vec<Value> = variant.cases().map(|case| tagged(case.name, case.ty.as_ref())).collect();
            json!({"oneOf": cases})
        }
        Type::Result(result) => {
            json!({"oneOf": [arm("ok", result.ok().as_ref()), arm("err", result.err().as_ref())]})
        }
        // Functions with these are reported as unsupported; nothing satisfies this schema.
        Type::Own(_)
        | Type::Borrow(_)
        | Type::Future(_)
        | Type::Stream(_)
        | Type::ErrorContext
        | Type::Map(_)
        | Type::FixedLengthList(_) => Value::Bool(false),
    }
}

fn integer(minimum: impl Into<Value>, maximum: impl Into<Value>) -> Value {
    json!({"type": "integer", "minimum": minimum.into(), "maximum": maximum.into()})
}

/// An object with one property a field. Fields of type `option` may be left out.
fn object(fields: impl Iterator<Item = (String, Type)>) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for (name, ty) in fields {
        if !matches!(ty, Type::Option(_)) {
            required.push(Value::from(name.clone()));
        }
        properties.insert(name, of(&ty));
    }
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}

/// `null` or the value; where the value can be `null` itself, it is wrapped as `{"some": value}`.
fn optional(inner: &Type) -> Value {
    let some = if matches!(inner, Type::Option(_)) { arm("some", Some(inner)) } else { of(inner) };
    json!({"anyOf": [{"type": "null"}, some]})
}

/// `{"tag": "name", "val": …}`, the form that jco and wassette use; `val` is absent for a case without payload.
fn tagged(name: &str, payload: Option<&Type>) -> Value {
    let mut schema = json!({
        "type": "object", "properties": {"tag": {"const": name}}, "required": ["tag"], "additionalProperties": false
    });
    if let Some(payload) = payload {
        schema["properties"]["val"] = of(payload);
        schema["required"] = json!(["tag", "val"]);
    }
    schema
}

/// `{"name": value}`, with `null` for an arm without payload.
fn arm(name: &str, payload: Option<&Type>) -> Value {
    let mut properties = Map::new();
    properties.insert(name.to_owned(), payload.map_or_else(|| json!({"type": "null"}), of));
    json!({"type": "object", "properties": properties, "required": [name], "additionalProperties": false})
}
