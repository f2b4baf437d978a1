//! What is wrong with an input, told so that an agent can mend it: where, which rule, what was seen.
//!
//! The text goes back to whoever sent the input, so the part of it that they control is bounded.

use std::fmt;

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{ErrorIterator, ValidationError};
use serde::Serialize;
use serde_json::{Map, Value};
use thiserror::Error;

use crate::quantity::shorten;
use crate::suggestion;

/// One wrong array can break a rule once for each of a million items.
const VIOLATIONS_MAX: usize = 16;

/// An input that breaks rules of its schema.
#[derive(Clone, Debug, PartialEq, Error, Serialize)]
#[error("{}", listing(violations))]
pub struct InvalidInput {
    /// Never empty.
    violations: Vec<Violation>,
}

/// One broken rule.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Violation {
    /// The JSON pointer of the value, empty for the input as a whole.
    pointer: String,
    rule: InputRule,
    /// The value, as JSON and shortened.
    seen: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

/// A rule that a value can break. Schemas of other origin have rules that no manifest can express; those are `Other`, by
/// the name of their keyword.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum InputRule {
    Type { allowed: Vec<String> },
    Required { name: String },
    UnknownName { name: String },
    Choice { allowed: Vec<Value> },
    Minimum { limit: Value },
    Maximum { limit: Value },
    Pattern { pattern: String },
    LengthMin { limit: u64 },
    LengthMax { limit: u64 },
    ItemsMin { limit: u64 },
    ItemsMax { limit: u64 },
    Other { keyword: String },
}

impl InvalidInput {
    pub(super) fn new(schema: &Value, errors: ErrorIterator<'_>) -> InvalidInput {
        let mut violations: Vec<Violation> = Vec::new();
        for error in errors {
            if violations.len() >= VIOLATIONS_MAX {
                break;
            }
            Violation::collect(schema, &error, &mut violations);
        }
        violations.truncate(VIOLATIONS_MAX);
        if violations.is_empty() {
            // The two passes of the validator disagree, which must not turn into an input that passes.
            violations.push(Violation::other("", "schema", String::new()));
        }
        InvalidInput { violations }
    }

    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// The first hint, if any rule has one.
    pub fn hint(&self) -> Option<&str> {
        self.violations.iter().find_map(Violation::hint)
    }

    pub(super) fn into_first(self) -> Violation {
        self.violations.into_iter().next().unwrap_or_else(|| Violation::other("", "schema", String::new()))
    }
}

impl Violation {
    pub fn pointer(&self) -> &str {
        &self.pointer
    }

    pub fn rule(&self) -> &InputRule {
        &self.rule
    }

    pub fn seen(&self) -> &str {
        &self.seen
    }

    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    fn other(pointer: &str, keyword: &str, seen: String) -> Violation {
        Violation {
            pointer: pointer.to_owned(),
            rule: InputRule::Other { keyword: keyword.to_owned() },
            seen,
            hint: None,
        }
    }

    /// One error of the validator is several violations when it names several unknown properties.
    fn collect(schema: &Value, error: &ValidationError<'_>, violations: &mut Vec<Violation>) {
        let pointer = error.instance_path().as_str();
        let seen = preview(error.instance());
        if let ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } = error.kind()
        {
            let known = known_names(schema, error);
            for name in unexpected.iter().take(VIOLATIONS_MAX) {
                let value = error.instance().get(name).map(preview).unwrap_or_default();
                let hint = suggestion::hint(name, known.iter().copied());
                let rule = InputRule::UnknownName { name: shorten(name) };
                violations.push(Violation { pointer: pointer.to_owned(), rule, seen: value, hint });
            }
            return;
        }
        let rule = InputRule::of(error.kind());
        let hint = match (&rule, error.instance().as_ref()) {
            (InputRule::Choice { allowed }, Value::String(written)) => {
                suggestion::nearest(written, allowed.iter().filter_map(Value::as_str))
                    .map(|name| format!("did you mean `{name}`?"))
            }
            (InputRule::Required { name }, _) => Some(what_to_give(schema, error, name)),
            _ => None,
        };
        violations.push(Violation { pointer: pointer.to_owned(), rule, seen, hint });
    }
}

impl InputRule {
    fn of(kind: &ValidationErrorKind) -> InputRule {
        match kind {
            ValidationErrorKind::Type { kind } => InputRule::Type {
                allowed: match kind {
                    TypeKind::Single(one) => vec![one.to_string()],
                    TypeKind::Multiple(several) => several.iter().map(|one| one.to_string()).collect(),
                },
            },
            ValidationErrorKind::Required { property } => {
                InputRule::Required { name: property.as_str().unwrap_or_default().to_owned() }
            }
            ValidationErrorKind::Enum { options } => {
                InputRule::Choice { allowed: options.as_array().cloned().unwrap_or_default() }
            }
            ValidationErrorKind::Constant { expected_value } => {
                InputRule::Choice { allowed: vec![expected_value.clone()] }
            }
            ValidationErrorKind::Minimum { limit } => InputRule::Minimum { limit: limit.clone() },
            ValidationErrorKind::Maximum { limit } => InputRule::Maximum { limit: limit.clone() },
            ValidationErrorKind::Pattern { pattern } => InputRule::Pattern { pattern: pattern.clone() },
            ValidationErrorKind::MinLength { limit } => InputRule::LengthMin { limit: *limit },
            ValidationErrorKind::MaxLength { limit } => InputRule::LengthMax { limit: *limit },
            ValidationErrorKind::MinItems { limit } => InputRule::ItemsMin { limit: *limit },
            ValidationErrorKind::MaxItems { limit } => InputRule::ItemsMax { limit: *limit },
            other => InputRule::Other { keyword: other.keyword().to_owned() },
        }
    }
}

/// The properties that an object may have that broke a rule. The error names the keyword; they are beside it.
fn properties<'a>(schema: &'a Value, error: &ValidationError<'_>) -> Option<&'a Map<String, Value>> {
    let keyword = error.schema_path().as_str();
    let object = keyword.rsplit_once('/').map_or("", |(object, _)| object);
    schema.pointer(object)?.get("properties")?.as_object()
}

fn known_names<'a>(schema: &'a Value, error: &ValidationError<'_>) -> Vec<&'a str> {
    properties(schema, error).map(|known| known.keys().map(String::as_str).collect()).unwrap_or_default()
}

/// What is missing, in the words of its schema.
fn what_to_give(schema: &Value, error: &ValidationError<'_>, name: &str) -> String {
    let property = properties(schema, error).and_then(|known| known.get(name));
    let word = |key: &str| property.and_then(|property| property.get(key)?.as_str());
    let mut hint = format!("give `{}`", shorten(name));
    if let Some(kind) = word("type") {
        hint = format!("{hint}, of type `{kind}`");
    }
    match word("description") {
        Some(description) => format!("{hint}: {}", shorten(description)),
        None => hint,
    }
}

/// A value as JSON. Containers are named, not shown: their text would be as long as the input.
fn preview(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("an array of {}", items.len()),
        Value::Object(entries) => format!("an object of {}", entries.len()),
        Value::String(text) => format!("\"{}\"", shorten(text)),
        scalar @ (Value::Null | Value::Bool(_) | Value::Number(_)) => scalar.to_string(),
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place =
            if self.pointer.is_empty() { "the input".to_owned() } else { format!("`{}`", shorten(&self.pointer)) };
        let seen = &self.seen;
        match &self.rule {
            InputRule::Type { allowed } => write!(formatter, "{place} is `{seen}`, not of type {}", quoted(allowed)),
            InputRule::Required { name } => write!(formatter, "{place} lacks `{name}`"),
            InputRule::UnknownName { name } => write!(formatter, "{place} has an unknown name `{name}`"),
            InputRule::Choice { allowed } => write!(formatter, "{place} is `{seen}`, not one of {}", choices(allowed)),
            InputRule::Minimum { limit } => write!(formatter, "{place} is `{seen}`, below {limit}"),
            InputRule::Maximum { limit } => write!(formatter, "{place} is `{seen}`, above {limit}"),
            InputRule::Pattern { pattern } => write!(formatter, "{place} is `{seen}`, without a match of `{pattern}`"),
            InputRule::LengthMin { limit } => write!(formatter, "{place} is `{seen}`, below the least length {limit}"),
            InputRule::LengthMax { limit } => {
                write!(formatter, "{place} is `{seen}`, above the greatest length {limit}")
            }
            InputRule::ItemsMin { limit } => write!(formatter, "{place} is {seen}, below the least number {limit}"),
            InputRule::ItemsMax { limit } => write!(formatter, "{place} is {seen}, above the greatest number {limit}"),
            InputRule::Other { keyword } => write!(formatter, "{place} is `{seen}`, against `{keyword}` of its schema"),
        }
    }
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" or ")
}

fn choices(allowed: &[Value]) -> String {
    const CHOICES_MAX: usize = 12;
    let mut shown: Vec<String> =
        allowed.iter().take(CHOICES_MAX).map(|value| format!("`{}`", preview(value))).collect();
    if allowed.len() > CHOICES_MAX {
        shown.push("…".to_owned());
    }
    shown.join(", ")
}

fn listing(violations: &[Violation]) -> String {
    violations.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
