//! Scalars that may be written as a number or as text with a unit.
//!
//! They keep the text exactly as it was written: `1.0` stays `1.0`, and what it means is decided in `spec`,
//! where a wrong one can be reported with its place and its rule.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

macro_rules! scalar {
    ($(#[$doc:meta])* $name:ident, $schema:tt) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Deserialize)]
        #[serde(transparent)]
        pub(crate) struct $name(pub(crate) String);

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                Cow::Borrowed(stringify!($name))
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}

scalar! {
    /// `64M`, `1.5G` or a number of bytes.
    RawSize, {
        "type": ["string", "integer"],
        "pattern": "^[0-9][0-9_]*(\\.[0-9]+)?\\s*([kKmMgGtT]([iI]?[bB])?|[kKmMgGtT][iI]|[bB])?$",
        "exclusiveMinimum": 0
    }
}

scalar! {
    /// `5`, `0.5`, `5s`, `500ms`, `2m` or `1h`. A bare number is seconds.
    RawDuration, {
        "type": ["string", "number"],
        "pattern": "^[0-9][0-9_]*(\\.[0-9]+)?\\s*(ms|s|m|h)?$",
        "exclusiveMinimum": 0
    }
}

scalar! {
    /// `0.5` or `"0.5"`.
    RawCpu, { "type": ["string", "number"], "pattern": "^[0-9]+(\\.[0-9]+)?$", "exclusiveMinimum": 0 }
}

scalar! {
    /// `2G`, `500M` or a plain number. A count, so units are powers of ten.
    RawCount, {
        "type": ["string", "integer"],
        "pattern": "^[0-9][0-9_]*(\\.[0-9]+)?\\s*[kKmMgGtT]?$",
        "exclusiveMinimum": 0
    }
}

scalar! {
    /// `"1.0"`. YAML reads a bare 1.0 as a number, and the original's loader accepted that.
    RawVersion, { "enum": ["1.0", 1.0] }
}

scalar! {
    /// Text, a number or a boolean; a tool always sees text.
    RawText, { "type": ["string", "number", "boolean"] }
}
