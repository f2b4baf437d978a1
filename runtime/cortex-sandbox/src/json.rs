//! JSON to WIT values and back, by the rules of `schema`.

use serde_json::{Map, Number, Value};
use wasmtime::component::types::ComponentFunc;
use wasmtime::component::{Type, Val};

/// A JSON value that does not fit its WIT type. `pointer` says where, as a JSON pointer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{pointer}`: expected {expected}, got `{got}`")]
pub struct ConversionError {
    /// Where in the input.
    pub pointer: String,
    /// What the WIT type wants.
    pub expected: String,
    /// The value seen, shortened.
    pub got: String,
}

type Result<T> = std::result::Result<T, ConversionError>;

/// The arguments of a function, in its parameters' order, from an object of its parameters by name.
pub(crate) fn to_arguments(function: &ComponentFunc, input: &Value) -> Result<Vec<Val>> {
    let path = Path::ROOT;
    fields(function.params(), input, &path)?.into_iter().map(|(_, value)| Ok(value)).collect()
}

/// The same object after its values have been arguments: numbers in their shortest form, options that were left out `null`.
pub(crate) fn round_trip(function: &ComponentFunc, input: &Value) -> Result<Value> {
    let values = to_arguments(function, input)?;
    let named = function.params().zip(&values).map(|((name, ty), value)| (name.to_owned(), from_val(&ty, value)));
    Ok(Value::Object(named.collect()))
}

/// Where a conversion is, as a list that lives on the stack: only errors pay for the text.
#[derive(Clone, Copy)]
struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    name: &'a str,
}

impl<'a> Path<'a> {
    const ROOT: Path<'static> = Path { parent: None, name: "" };

    fn child(&'a self, name: &'a str) -> Path<'a> {
        Path { parent: Some(self), name }
    }

    fn pointer(&self) -> String {
        match self.parent {
            None => String::new(),
            Some(parent) => format!("{}/{}", parent.pointer(), self.name.replace('~', "~0").replace('/', "~1")),
        }
    }

    fn error(&self, expected: impl Into<String>, got: &Value) -> ConversionError {
        let mut got = got.to_string();
        if let Some((cut, _)) = got.char_indices().nth(80) {
            got.truncate(cut);
            got.push('…');
        }
        ConversionError { pointer: self.pointer(), expected: expected.into(), got }
    }
}

fn to_val(ty: &Type, json: &Value, path: &Path<'_>) -> Result<Val> {
    Ok(match ty {
        Type::Bool => Val::Bool(json.as_bool().ok_or_else(|| path.error("a boolean", json))?),
        Type::S8 => Val::S8(signed(json, path, "s8")?),
        Type::S16 => Val::S16(signed(json, path, "s16")?),
        Type::S32 => Val::S32(signed(json, path, "s32")?),
        Type::S64 => Val::S64(signed(json, path, "s64")?),
        Type::U8 => Val::U8(unsigned(json, path, "u8")?),
        Type::U16 => Val::U16(unsigned(json, path, "u16")?),
        Type::U32 => Val::U32(unsigned(json, path, "u32")?),
        Type::U64 => Val::U64(unsigned(json, path, "u64")?),
        #[expect(clippy::cast_possible_truncation, reason = "an f32 parameter takes the nearest f32")]
        Type::Float32 => Val::Float32(float(json, path)? as f32),
        Type::Float64 => Val::Float64(float(json, path)?),
        Type::Char => Val::Char(character(json, path)?),
        Type::String => Val::String(string(json, path)?.to_owned()),
        Type::List(list) => {
            let ty = list.ty();
            Val::List(elements(array(json, path)?, std::iter::repeat(ty), path)?)
        }
        Type::Tuple(tuple) => {
            let items = array(json, path)?;
            if items.len() != tuple.types().len() {
                return Err(path.error(format!("an array of {} elements", tuple.types().len()), json));
            }
            Val::Tuple(elements(items, tuple.types(), path)?)
        }
        Type::Record(record) => Val::Record(fields(record.fields().map(|f| (f.name, f.ty)), json, path)?),
        Type::Option(option) => Val::Option(some(&option.ty(), json, path)?),
        Type::Enum(names) => {
            let name = string(json, path)?;
            if !names.names().any(|known| known == name) {
                return Err(path.error(one_of(names.names()), json));
            }
            Val::Enum(name.to_owned())
        }
        Type::Flags(flags) => {
            let mut set = Vec::new();
            for (at, flag) in array(json, path)?.iter().enumerate() {
                let at = at.to_string();
                let path = path.child(&at);
                let name = string(flag, &path)?;
                if !flags.names().any(|known| known == name) {
                    return Err(path.error(one_of(flags.names()), flag));
                }
                set.push(name.to_owned());
            }
            Val::Flags(set)
        }
        Type::Variant(variant) => {
            let tag = json.get("tag").and_then(Value::as_str);
            let tag = tag.ok_or_else(|| path.error("an object with a `tag`", json))?;
            let Some(case) = variant.cases().find(|case| case.name == tag) else {
                return Err(path.error(one_of(variant.cases().map(|case| case.name)), &json["tag"]));
            };
            let object = json.as_object().ok_or_else(|| path.error("an object", json))?;
            only_keys(object, &["tag", "val"], path)?;
            Val::Variant(tag.to_owned(), payload(case.ty.as_ref(), object.get("val"), json, &path.child("val"))?)
        }
        Type::Result(result) => {
            let object = json.as_object().filter(|object| object.len() == 1);
            let arm = object.and_then(|object| object.iter().next());
            match arm {
                Some((name, value)) if name == "ok" => {
                    Val::Result(Ok(payload(result.ok().as_ref(), Some(value), json, &path.child("ok"))?))
                }
                Some((name, value)) if name == "err" => {
                    Val::Result(Err(payload(result.err().as_ref(), Some(value), json, &path.child("err"))?))
                }
                _ => return Err(path.error("an object with one key, `ok` or `err`", json)),
            }
        }
        Type::Own(_)
        | Type::Borrow(_)
        | Type::Future(_)
        | Type::Stream(_)
        | Type::ErrorContext
        | Type::Map(_)
        | Type::FixedLengthList(_) => return Err(path.error("a type that JSON can carry", json)),
    })
}

fn signed<T: TryFrom<i64>>(json: &Value, path: &Path<'_>, name: &str) -> Result<T> {
    let value = json.as_i64().or_else(|| whole(json)).and_then(|value| T::try_from(value).ok());
    value.ok_or_else(|| path.error(format!("an integer that fits {name}"), json))
}

fn unsigned<T: TryFrom<u64>>(json: &Value, path: &Path<'_>, name: &str) -> Result<T> {
    let value = json.as_u64().or_else(|| u64::try_from(whole(json)?).ok()).and_then(|value| T::try_from(value).ok());
    value.ok_or_else(|| path.error(format!("an integer that fits {name}"), json))
}

/// To JSON Schema `3.0` is an integer, as far as a number with a point says every integer.
fn whole(json: &Value) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let value = json.as_f64().filter(|value| value.fract() == 0.0 && value.abs() <= EXACT)?;
    #[expect(clippy::cast_possible_truncation, reason = "it is whole and small enough")]
    Some(value as i64)
}

fn float(json: &Value, path: &Path<'_>) -> Result<f64> {
    match json {
        Value::Number(number) => number.as_f64(),
        Value::String(name) if name == "NaN" => Some(f64::NAN),
        Value::String(name) if name == "Infinity" => Some(f64::INFINITY),
        Value::String(name) if name == "-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    }
    .ok_or_else(|| path.error("a number", json))
}

fn character(json: &Value, path: &Path<'_>) -> Result<char> {
    let mut characters = json.as_str().unwrap_or_default().chars();
    match (characters.next(), characters.next()) {
        (Some(only), None) => Ok(only),
        _ => Err(path.error("a string of one character", json)),
    }
}

fn string<'j>(json: &'j Value, path: &Path<'_>) -> Result<&'j str> {
    json.as_str().ok_or_else(|| path.error("a string", json))
}

fn array<'j>(json: &'j Value, path: &Path<'_>) -> Result<&'j Vec<Value>> {
    json.as_array().ok_or_else(|| path.error("an array", json))
}

fn elements(items: &[Value], types: impl Iterator<Item = Type>, path: &Path<'_>) -> Result<Vec<Val>> {
    let convert = |(at, (item, ty)): (usize, (&Value, Type))| to_val(&ty, item, &path.child(&at.to_string()));
    items.iter().zip(types).enumerate().map(convert).collect()
}

fn fields<'t>(
    types: impl Iterator<Item = (&'t str, Type)>,
    json: &Value,
    path: &Path<'_>,
) -> Result<Vec<(String, Val)>> {
    let object = json.as_object().ok_or_else(|| path.error("an object", json))?;
    let mut values = Vec::new();
    let mut given = 0;
    for (name, ty) in types {
        let value = match object.get(name) {
            Some(value) => {
                given += 1;
                to_val(&ty, value, &path.child(name))?
            }
            None if matches!(ty, Type::Option(_)) => Val::Option(None),
            None => return Err(path.error(format!("an object with `{name}`"), json)),
        };
        values.push((name.to_owned(), value));
    }
    // Not every key with every name: a record may have thousands of fields.
    if object.len() > given {
        let names: Vec<&str> = values.iter().map(|(name, _)| name.as_str()).collect();
        only_keys(object, &names, path)?;
    }
    Ok(values)
}

fn only_keys(object: &Map<String, Value>, known: &[&str], path: &Path<'_>) -> Result<()> {
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => Err(path.error(one_of(known.iter().copied()), &Value::from(key.as_str()))),
    }
}

fn some(inner: &Type, json: &Value, path: &Path<'_>) -> Result<Option<Box<Val>>> {
    if json.is_null() {
        return Ok(None);
    }
    if !matches!(inner, Type::Option(_)) {
        return Ok(Some(Box::new(to_val(inner, json, path)?)));
    }
    let wrapped = json.get("some").ok_or_else(|| path.error("`null` or an object with `some`", json))?;
    Ok(Some(Box::new(to_val(inner, wrapped, &path.child("some"))?)))
}

fn payload(ty: Option<&Type>, value: Option<&Value>, whole: &Value, path: &Path<'_>) -> Result<Option<Box<Val>>> {
    match (ty, value) {
        (Some(ty), Some(value)) => Ok(Some(Box::new(to_val(ty, value, path)?))),
        (None, None | Some(Value::Null)) => Ok(None),
        (Some(_), None) => Err(path.error("a value", whole)),
        (None, Some(value)) => Err(path.error("no value", value)),
    }
}

fn one_of<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    format!("one of {}", names.join(", "))
}

/// The JSON form of a value that a function returned. Functions that could return a resource are not called.
pub(crate) fn from_val(ty: &Type, value: &Val) -> Value {
    match value {
        Val::Bool(value) => Value::Bool(*value),
        Val::S8(value) => (*value).into(),
        Val::S16(value) => (*value).into(),
        Val::S32(value) => (*value).into(),
        Val::S64(value) => (*value).into(),
        Val::U8(value) => (*value).into(),
        Val::U16(value) => (*value).into(),
        Val::U32(value) => (*value).into(),
        Val::U64(value) => (*value).into(),
        Val::Float32(value) => from_float(f64::from(*value)),
        Val::Float64(value) => from_float(*value),
        Val::Char(value) => value.to_string().into(),
        Val::String(value) | Val::Enum(value) => value.as_str().into(),
        Val::List(items) | Val::FixedLengthList(items) => {
            let Type::List(list) = ty else { return Value::Null };
            let ty = list.ty();
            items.iter().map(|item| from_val(&ty, item)).collect()
        }
        Val::Tuple(items) => {
            let Type::Tuple(tuple) = ty else { return Value::Null };
            tuple.types().zip(items).map(|(ty, item)| from_val(&ty, item)).collect()
        }
        Val::Record(values) => {
            let Type::Record(record) = ty else { return Value::Null };
            let pairs = record.fields().zip(values).map(|(f, (name, value))| (name.clone(), from_val(&f.ty, value)));
            Value::Object(pairs.collect())
        }
        Val::Option(Some(value)) => {
            let Type::Option(option) = ty else { return Value::Null };
            let inner = from_val(&option.ty(), value);
            if matches!(option.ty(), Type::Option(_)) { object("some", inner) } else { inner }
        }
        Val::Variant(name, value) => {
            let Type::Variant(variant) = ty else { return Value::Null };
            let ty = variant.cases().find(|case| case.name == name).and_then(|case| case.ty);
            let mut object = Map::new();
            object.insert("tag".into(), name.as_str().into());
            if let (Some(ty), Some(value)) = (ty, value) {
                object.insert("val".into(), from_val(&ty, value));
            }
            Value::Object(object)
        }
        Val::Result(value) => {
            let Type::Result(result) = ty else { return Value::Null };
            let inner = |ty: Option<Type>, value: &Option<Box<Val>>| match (ty, value) {
                (Some(ty), Some(value)) => from_val(&ty, value),
                _ => Value::Null,
            };
            match value {
                Ok(value) => object("ok", inner(result.ok(), value)),
                Err(value) => object("err", inner(result.err(), value)),
            }
        }
        Val::Flags(names) => names.iter().map(String::as_str).collect(),
        Val::Option(None) | Val::Map(_) | Val::Resource(_) | Val::Future(_) | Val::Stream(_) | Val::ErrorContext(_) => {
            Value::Null
        }
    }
}

fn from_float(value: f64) -> Value {
    if value.is_nan() {
        return "NaN".into();
    }
    Number::from_f64(value).map_or_else(|| if value > 0.0 { "Infinity" } else { "-Infinity" }.into(), Value::Number)
}

fn object(key: &str, value: Value) -> Value {
    Value::Object(Map::from_iter([(key.to_owned(), value)]))
}
