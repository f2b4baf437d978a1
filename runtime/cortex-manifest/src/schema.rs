//! The published JSON Schema of `tool.yml`, for editors.
//!
//! It is derived from the types that read the file, so it cannot name a field that does not exist or forget one that does.
//! It is the looser of the two: rules that span several fields are only checked by `ToolSpec::parse`.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use crate::raw::{RawManifest, RawPolicy, RawRelic};

/// The JSON Schema (2020-12) of a tool manifest.
pub fn manifest_schema() -> Value {
    schema_of::<RawManifest>()
}

/// The JSON Schema (2020-12) of a policy.
pub fn policy_schema() -> Value {
    schema_of::<RawPolicy>()
}

/// The JSON Schema (2020-12) of a relic's manifest.
pub fn relic_schema() -> Value {
    schema_of::<RawRelic>()
}

fn schema_of<T: JsonSchema>() -> Value {
    let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>();
    let Value::Object(mut published) = schema.to_value() else { return Value::Bool(true) };
    // Editors and people look at the head of the file to see what it is.
    let head = ["$schema", "title", "description"].map(|key| published.remove_entry(key));
    let mut ordered: Map<String, Value> = head.into_iter().flatten().collect();
    ordered.append(&mut published);
    Value::Object(ordered)
}
