//! `implementation.runtime` in its two shapes: a language's name, or an image.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::StrDeserializer;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};

use crate::raw::RawRuntime;

/// `python3`, or `ruby:3.3-slim`. No language's name has a colon or a slash, and an image that has neither would be `:latest`,
/// which is another one every week.
#[derive(Debug)]
pub(crate) enum RawRunsOn {
    Runtime(RawRuntime),
    Image(String),
}

impl<'de> Deserialize<'de> for RawRunsOn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Shape;

        impl Visitor<'_> for Shape {
            type Value = RawRunsOn;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("the name of a runtime or an image such as `ruby:3.3-slim`")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<RawRunsOn, E> {
                if text.contains([':', '/']) {
                    return Ok(RawRunsOn::Image(text.to_owned()));
                }
                RawRuntime::deserialize(StrDeserializer::new(text)).map(RawRunsOn::Runtime)
            }
        }

        deserializer.deserialize_str(Shape)
    }
}

impl JsonSchema for RawRunsOn {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("RunsOn")
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let runtime = generator.subschema_for::<RawRuntime>();
        json_schema!({ "anyOf": [runtime, { "type": "string", "pattern": "[:/]" }] })
    }
}
