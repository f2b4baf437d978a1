//! An entry of `permissions.network` in its two shapes: a text, or a text and methods.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::located::Located;

/// `https://api.example.com`, or `{ url: "https://api.example.com", methods: [GET] }`.
#[derive(Debug)]
pub(crate) enum RawNetworkRule {
    Server(String),
    Methods(RawNetworkMethods),
}

/// A server, and what may be done there.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NetworkMethods")]
pub(crate) struct RawNetworkMethods {
    /// The server: `[scheme://]host[:port][/path]`.
    ///
    /// ```yaml
    /// url: https://api.example.com/v1
    /// ```
    #[schemars(required)]
    pub(crate) url: Option<Located<String>>,
    /// The methods of the requests. Absent means all.
    ///
    /// ```yaml
    /// methods: [GET, HEAD]
    /// ```
    pub(crate) methods: Option<Located<Vec<RawMethod>>>,
}

/// What a request does.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
#[schemars(rename = "Method")]
pub(crate) enum RawMethod {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
    Options,
}

impl<'de> Deserialize<'de> for RawNetworkRule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Shape;

        impl<'de> Visitor<'de> for Shape {
            type Value = RawNetworkRule;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a string or a mapping with `url` and `methods`")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<RawNetworkRule, E> {
                Ok(RawNetworkRule::Server(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<RawNetworkRule, A::Error> {
                RawNetworkMethods::deserialize(MapAccessDeserializer::new(entries)).map(RawNetworkRule::Methods)
            }
        }

        deserializer.deserialize_any(Shape)
    }
}

impl JsonSchema for RawNetworkRule {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("NetworkRule")
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let methods = generator.subschema_for::<RawNetworkMethods>();
        json_schema!({ "anyOf": [{ "type": "string" }, methods] })
    }
}
