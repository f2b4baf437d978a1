//! A compiled JSON Schema (2020-12) with the defaults that it fills in.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use jsonschema::{Draft, PatternOptions, Validator};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};
use thiserror::Error;

use super::violation::{InvalidInput, Violation};

/// The JSON Schema dialect of every schema that is built here.
pub(crate) const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The compiled form of one pattern. The default of the regex crate is 10 MiB, which a manifest of 1 MiB could ask for
/// thousands of times over.
const PATTERN_BYTES_MAX: usize = 256 * 1024;

/// Compiling recurses over the schema, and a few thousand levels overflow the stack, which ends the process. The JSON parser
/// stops at 128 levels; this holds for schemas that were put together by a program as well.
const NESTING_MAX: usize = 128;

/// Why a JSON document is no schema that can be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum InvalidSchema {
    #[error("the JSON Schema is nested more than {limit} levels deep")]
    TooDeep { limit: usize },
    /// It is no JSON Schema, or it refers to something outside itself.
    #[error("the JSON Schema cannot be used{}", pointer_suffix(pointer))]
    Unusable {
        /// The place in the schema.
        pointer: String,
        #[source]
        source: Box<jsonschema::ValidationError<'static>>,
    },
}

fn pointer_suffix(pointer: &str) -> String {
    if pointer.is_empty() { String::new() } else { format!(" at `{pointer}`") }
}

/// What a tool takes. Cloning is cheap, and all clones share the compiled form.
#[derive(Clone)]
pub struct InputSchema(Arc<Compiled>);

struct Compiled {
    schema: Value,
    validator: Validator,
    /// The properties with defaults, at the top level only: a default further down belongs to a value that the caller gave.
    defaults: Vec<(String, Value)>,
}

impl InputSchema {
    /// Compiles a JSON Schema. References to other documents are refused, never fetched.
    pub fn from_json_schema(schema: Value) -> Result<InputSchema, InvalidSchema> {
        Self::compile(schema, Draft::Draft202012)
    }

    /// Compiles the schema of parameters. What they say means the same in draft 7, whose schema of schemas is one document
    /// and not eight: it compiles in a fraction of the time, which a process of one call spends for nothing else.
    pub(crate) fn of_parameters(
        properties: Map<String, Value>,
        required: Vec<String>,
    ) -> Result<InputSchema, InvalidSchema> {
        Self::compile(object_schema(properties, required), Draft::Draft7)
    }

    fn compile(schema: Value, draft: Draft) -> Result<InputSchema, InvalidSchema> {
        if !is_within_depth(&schema, NESTING_MAX) {
            return Err(InvalidSchema::TooDeep { limit: NESTING_MAX });
        }
        let validator = jsonschema::options()
            .with_draft(draft)
            .with_pattern_options(
                PatternOptions::regex().size_limit(PATTERN_BYTES_MAX).dfa_size_limit(PATTERN_BYTES_MAX),
            )
            .build(&schema)
            .map_err(|error| InvalidSchema::Unusable {
                pointer: error.instance_path().as_str().to_owned(),
                source: Box::new(error),
            })?;
        let defaults = schema
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .filter_map(|(name, property)| Some((name.clone(), property.get("default")?.clone())))
            .collect();
        Ok(InputSchema(Arc::new(Compiled { schema, validator, defaults })))
    }

    /// The schema of a tool that takes nothing.
    #[expect(clippy::missing_panics_doc, reason = "the schema is fixed, and a test compiles it")]
    pub fn empty() -> InputSchema {
        InputSchema::of_parameters(Map::new(), Vec::new()).expect("an object without properties is a valid schema")
    }

    /// The input with the defaults filled in that it lacks, checked. Copied only when it lacks one.
    pub fn apply<'a>(&self, input: &'a Value) -> Result<Cow<'a, Value>, InvalidInput> {
        let mut input = Cow::Borrowed(input);
        for (name, default) in &self.0.defaults {
            if input.as_object().is_some_and(|given| !given.contains_key(name)) {
                input.to_mut()[name.as_str()] = default.clone();
            }
        }
        self.check(&input)?;
        Ok(input)
    }

    /// Checks the input as it is.
    pub fn check(&self, input: &Value) -> Result<(), InvalidInput> {
        // The yes-or-no answer takes a fraction of the time that collecting errors does, and almost every call passes.
        if self.0.validator.is_valid(input) {
            return Ok(());
        }
        Err(InvalidInput::new(&self.0.schema, self.0.validator.iter_errors(input)))
    }

    /// The first rule that a value breaks, for a manifest that is checked against itself.
    pub(crate) fn first_violation(&self, value: &Value) -> Option<Violation> {
        self.check(value).err().map(InvalidInput::into_first)
    }

    /// The schema as JSON, for people, agents and protocols.
    pub fn as_json(&self) -> &Value {
        &self.0.schema
    }
}

/// Walks with a list instead of the stack: that is the point.
fn is_within_depth(value: &Value, depth_max: usize) -> bool {
    let mut pending = vec![(value, 0)];
    while let Some((value, depth)) = pending.pop() {
        if depth > depth_max {
            return false;
        }
        match value {
            Value::Array(items) => pending.extend(items.iter().map(|item| (item, depth + 1))),
            Value::Object(entries) => pending.extend(entries.values().map(|entry| (entry, depth + 1))),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    true
}

/// Whether a pattern that cannot be used would be one for an engine that backtracks. Only asked to explain an error.
pub(crate) fn is_backtracking_pattern(pattern: &str) -> bool {
    let engine = PatternOptions::fancy_regex().size_limit(PATTERN_BYTES_MAX).dfa_size_limit(PATTERN_BYTES_MAX);
    jsonschema::options().with_pattern_options(engine).build(&json!({ "pattern": pattern })).is_ok()
}

/// An object that holds these properties and no others.
pub(super) fn object_schema(properties: Map<String, Value>, required: Vec<String>) -> Value {
    let mut schema = Map::new();
    schema.insert("$schema".to_owned(), DIALECT.into());
    schema.insert("type".to_owned(), "object".into());
    schema.insert("properties".to_owned(), properties.into());
    if !required.is_empty() {
        schema.insert("required".to_owned(), required.into());
    }
    schema.insert("additionalProperties".to_owned(), false.into());
    schema.into()
}

impl fmt::Debug for InputSchema {
    /// The compiled form is large and says nothing that the schema does not.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("InputSchema").field(&self.0.schema).finish()
    }
}

impl PartialEq for InputSchema {
    fn eq(&self, other: &InputSchema) -> bool {
        self.0.schema == other.0.schema
    }
}

impl Serialize for InputSchema {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.schema.serialize(serializer)
    }
}

#[cfg(test)]
mod tests;
