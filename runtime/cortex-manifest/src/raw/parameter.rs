//! One entry of `parameters` as it was written.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Number, Value};

use crate::located::Located;

/// One value that the tool takes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Parameter")]
pub(crate) struct RawParameter {
    /// The key of the value in the input: letters, digits, `_`, `-` and `.`, at most 64.
    ///
    /// ```yaml
    /// name: max_results
    /// ```
    #[schemars(required, regex(pattern = "^[A-Za-z0-9_.-]{1,64}$"))]
    pub(crate) name: Option<Located<String>>,
    /// What kind of value it is.
    ///
    /// ```yaml
    /// type: integer
    /// ```
    #[serde(rename = "type")]
    #[schemars(required)]
    pub(crate) kind: Option<RawParameterType>,
    /// What the value means, for people and agents.
    ///
    /// ```yaml
    /// description: How many results to return.
    /// ```
    pub(crate) description: Option<String>,
    /// Whether a call must give the value. Absent means `false`, as the original's documentation says; its code said
    /// `true`, so write it out where it matters. A required parameter may have a default: the default then counts as given.
    ///
    /// ```yaml
    /// required: true
    /// ```
    pub(crate) required: Option<bool>,
    /// The value of a call that does not give one. `null` is the same as no default.
    ///
    /// ```yaml
    /// default: 5
    /// ```
    pub(crate) default: Option<Located<Value>>,
    /// The only values allowed.
    ///
    /// ```yaml
    /// enum: [get_os, get_cpu, get_memory]
    /// ```
    #[serde(rename = "enum")]
    #[schemars(length(min = 1))]
    pub(crate) choices: Option<Located<Vec<Located<Value>>>>,
    /// Rules for the value beyond its type.
    ///
    /// ```yaml
    /// validation: { min: 1, max: 20 }
    /// ```
    pub(crate) validation: Option<RawValidation>,
}

/// What kind of value a parameter is.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "ParameterType")]
pub(crate) enum RawParameterType {
    String,
    Integer,
    Number,
    Boolean,
    Object,
    Array,
}

/// Rules for a value beyond its type.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Validation")]
pub(crate) struct RawValidation {
    /// The smallest number allowed. For `integer` and `number`.
    ///
    /// ```yaml
    /// min: 1
    /// ```
    pub(crate) min: Option<Located<Number>>,
    /// The largest number allowed. For `integer` and `number`.
    ///
    /// ```yaml
    /// max: 20
    /// ```
    pub(crate) max: Option<Located<Number>>,
    /// A regular expression that the text must contain a match of; write `^` and `$` to match all of it. For `string`.
    /// Look-around and back-references are not available: matching takes time in proportion to the text, always.
    ///
    /// ```yaml
    /// pattern: "^[a-z]+$"
    /// ```
    #[schemars(extend("format" = "regex"))]
    pub(crate) pattern: Option<Located<String>>,
    /// The fewest characters of a `string`, or items of an `array`.
    ///
    /// ```yaml
    /// min_length: 1
    /// ```
    pub(crate) min_length: Option<Located<u64>>,
    /// The most characters of a `string`, or items of an `array`.
    ///
    /// ```yaml
    /// max_length: 400
    /// ```
    pub(crate) max_length: Option<Located<u64>>,
}
