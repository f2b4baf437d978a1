//! What a tool takes, and the JSON Schema that says so to machines.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Number, Value, json};

use crate::error::Problems;
use crate::input::{InputSchema, is_backtracking_pattern};
use crate::located::{Located, Position};
use crate::name::ParameterName;
use crate::quantity::shorten;
use crate::raw::{RawParameter, RawParameterType, RawValidation};
use crate::rule::Rule;

/// One value that a tool takes. Its default and its choices satisfy its own rules.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Parameter {
    pub name: ParameterName,
    #[serde(rename = "type")]
    pub kind: ParameterType,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub required: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// Empty when every value of the type is allowed.
    #[serde(rename = "enum", skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<Value>,
    pub validation: Validation,
}

/// What kind of value a parameter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ParameterType {
    String,
    Integer,
    Number,
    Boolean,
    Object,
    Array,
}

/// Rules beyond the type. Only those that apply to the type are set.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Validation {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_length: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_length: Option<u64>,
}

impl ParameterType {
    pub fn as_str(self) -> &'static str {
        match self {
            ParameterType::String => "string",
            ParameterType::Integer => "integer",
            ParameterType::Number => "number",
            ParameterType::Boolean => "boolean",
            ParameterType::Object => "object",
            ParameterType::Array => "array",
        }
    }

    /// As JSON Schema reads it: `2.0` is an integer.
    fn holds(self, value: &Value) -> bool {
        match self {
            ParameterType::String => value.is_string(),
            ParameterType::Integer => {
                value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|n| n.fract() == 0.0)
            }
            ParameterType::Number => value.is_number(),
            ParameterType::Boolean => value.is_boolean(),
            ParameterType::Object => value.is_object(),
            ParameterType::Array => value.is_array(),
        }
    }

    /// The keys of `validation` that mean something for this type.
    fn validation_keys(self) -> &'static [&'static str] {
        match self {
            ParameterType::String => &["pattern", "min_length", "max_length"],
            ParameterType::Integer | ParameterType::Number => &["min", "max"],
            ParameterType::Array => &["min_length", "max_length"],
            ParameterType::Boolean | ParameterType::Object => &[],
        }
    }
}

impl From<RawParameterType> for ParameterType {
    fn from(raw: RawParameterType) -> ParameterType {
        match raw {
            RawParameterType::String => ParameterType::String,
            RawParameterType::Integer => ParameterType::Integer,
            RawParameterType::Number => ParameterType::Number,
            RawParameterType::Boolean => ParameterType::Boolean,
            RawParameterType::Object => ParameterType::Object,
            RawParameterType::Array => ParameterType::Array,
        }
    }
}

impl Parameter {
    /// The JSON Schema of the value.
    pub fn json_schema(&self) -> Value {
        let mut schema = Map::new();
        schema.insert("type".into(), self.kind.as_str().into());
        if let Some(description) = &self.description {
            schema.insert("description".into(), description.as_str().into());
        }
        if !self.choices.is_empty() {
            schema.insert("enum".into(), self.choices.clone().into());
        }
        let rules = &self.validation;
        let (shortest, longest) =
            if self.kind == ParameterType::Array { ("minItems", "maxItems") } else { ("minLength", "maxLength") };
        let entries = [
            ("minimum", rules.min.clone().map(Value::Number)),
            ("maximum", rules.max.clone().map(Value::Number)),
            ("pattern", rules.pattern.clone().map(Value::String)),
            (shortest, rules.min_length.map(Value::from)),
            (longest, rules.max_length.map(Value::from)),
            ("default", self.default.clone()),
        ];
        schema.extend(entries.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))));
        Value::Object(schema)
    }

    fn from_raw(raw: Located<RawParameter>, problems: &mut Problems) -> Option<Parameter> {
        const INSIDE: &str = "an entry of `parameters`";
        let Located { value: raw, at } = raw;
        if raw.name.is_none() {
            problems.add(at, Rule::MissingField { field: "name", inside: INSIDE });
        }
        if raw.kind.is_none() {
            problems.add(at, Rule::MissingField { field: "type", inside: INSIDE });
        }
        let name =
            raw.name.and_then(|text| problems.check(text.at, ParameterName::new(text.value).map_err(Rule::Name)))?;
        let kind = ParameterType::from(raw.kind?);
        let choices = check_choices(&name, kind, raw.choices, problems);
        let validation = raw.validation.map(|raw| Validation::from_raw(raw, &name, kind, problems)).unwrap_or_default();
        let mut parameter = Parameter {
            name,
            kind,
            description: raw.description,
            required: raw.required.unwrap_or(false),
            default: None,
            choices,
            validation,
        };
        if let Some(default) = raw.default {
            parameter.check_default(&default, problems);
            parameter.default = Some(default.value);
        }
        Some(parameter)
    }

    fn check_default(&self, default: &Located<Value>, problems: &mut Problems) {
        let mut properties = Map::new();
        properties.insert(self.name.to_string(), self.json_schema());
        // The pattern has been checked, so a schema that does not compile has been reported already.
        let Ok(schema) = InputSchema::of_parameters(properties, Vec::new()) else { return };
        if let Some(violation) = schema.first_violation(&json!({ self.name.as_str(): default.value })) {
            let parameter = self.name.to_string();
            problems.add(default.at, Rule::Default { parameter, violation: Box::new(violation) });
        }
    }
}

fn check_choices(
    parameter: &ParameterName,
    kind: ParameterType,
    raw: Option<Located<Vec<Located<Value>>>>,
    problems: &mut Problems,
) -> Vec<Value> {
    let Some(Located { value: raw, at }) = raw else { return Vec::new() };
    if raw.is_empty() {
        problems.add(at, Rule::EmptyEnum { parameter: parameter.to_string() });
    }
    let mut choices = Vec::new();
    for choice in raw {
        if kind.holds(&choice.value) {
            choices.push(choice.value);
        } else {
            let value = shorten(&choice.value.to_string());
            problems.add(choice.at, Rule::EnumType { parameter: parameter.to_string(), value, kind: kind.as_str() });
        }
    }
    choices
}

impl Validation {
    fn from_raw(raw: RawValidation, name: &ParameterName, kind: ParameterType, problems: &mut Problems) -> Validation {
        let known = kind.validation_keys();
        let mut refuse = |key: &'static str, at: Option<Position>| {
            if let Some(at) = at
                && !known.contains(&key)
            {
                let parameter = name.to_string();
                problems.add(at, Rule::ValidationKey { parameter, key, kind: kind.as_str(), known: known.to_vec() });
            }
        };
        refuse("min", raw.min.as_ref().map(|l| l.at));
        refuse("max", raw.max.as_ref().map(|l| l.at));
        refuse("pattern", raw.pattern.as_ref().map(|l| l.at));
        refuse("min_length", raw.min_length.as_ref().map(|l| l.at));
        refuse("max_length", raw.max_length.as_ref().map(|l| l.at));
        if let (Some(min), Some(max)) = (&raw.min, &raw.max)
            && min.value.as_f64() > max.value.as_f64()
        {
            problems.add(min.at, crossed(name, ("min", &min.value), ("max", &max.value)));
        }
        if let (Some(min), Some(max)) = (&raw.min_length, &raw.max_length)
            && min.value > max.value
        {
            problems.add(min.at, crossed(name, ("min_length", &min.value), ("max_length", &max.value)));
        }
        let pattern = raw.pattern.and_then(|pattern| {
            problems.check(pattern.at, check_pattern(name, &pattern.value))?;
            Some(pattern.value)
        });
        Validation {
            min: raw.min.map(|l| l.value),
            max: raw.max.map(|l| l.value),
            pattern,
            min_length: raw.min_length.map(|l| l.value),
            max_length: raw.max_length.map(|l| l.value),
        }
    }
}

fn check_pattern(name: &ParameterName, pattern: &str) -> Result<(), Rule> {
    if InputSchema::from_json_schema(json!({ "pattern": pattern })).is_ok() {
        return Ok(());
    }
    let (parameter, shown) = (name.to_string(), shorten(pattern));
    Err(if is_backtracking_pattern(pattern) {
        Rule::PatternNotLinear { parameter, pattern: shown }
    } else {
        Rule::Pattern { parameter, pattern: shown }
    })
}

fn crossed(
    name: &ParameterName,
    (low_key, low): (&'static str, &dyn ToString),
    (high_key, high): (&'static str, &dyn ToString),
) -> Rule {
    Rule::BoundsCrossed { parameter: name.to_string(), low_key, low: low.to_string(), high_key, high: high.to_string() }
}

/// No tool of the original has ten. Each parameter may hold a pattern, so this times the size of a pattern is the memory
/// that a stranger's manifest can claim.
const PARAMETERS_MAX: usize = 128;

/// All parameters, in their order, each name once.
pub(super) fn parameters_from_raw(raw: Vec<Located<RawParameter>>, problems: &mut Problems) -> Vec<Parameter> {
    if let Some(first_beyond) = raw.get(PARAMETERS_MAX) {
        problems.add(first_beyond.at, Rule::TooManyParameters { count: raw.len(), limit: PARAMETERS_MAX });
        return Vec::new();
    }
    let mut first_lines: BTreeMap<ParameterName, u32> = BTreeMap::new();
    let mut parameters = Vec::new();
    for entry in raw {
        let at = entry.value.name.as_ref().map_or(entry.at, |name| name.at);
        let Some(parameter) = Parameter::from_raw(entry, problems) else { continue };
        if let Some(&first_line) = first_lines.get(&parameter.name) {
            problems.add(at, Rule::DuplicateParameter { name: parameter.name.to_string(), first_line });
        } else {
            first_lines.insert(parameter.name.clone(), at.line);
            parameters.push(parameter);
        }
    }
    parameters
}

/// The schema of all parameters together. `None` when a pattern or a bound that was reported keeps it from compiling.
pub(super) fn input_schema(parameters: &[Parameter]) -> Option<InputSchema> {
    let properties = parameters.iter().map(|one| (one.name.to_string(), one.json_schema())).collect();
    let required = parameters.iter().filter(|one| one.required).map(|one| one.name.to_string()).collect();
    InputSchema::of_parameters(properties, required).ok()
}
