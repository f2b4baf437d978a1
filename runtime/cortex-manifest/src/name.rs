//! Names that other systems see: of tools, parameters, variables and headers.
//!
//! A tool's name becomes a folder, an image tag, an MCP tool name and part of a URL, so its alphabet is what all of those allow.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use thiserror::Error;

use crate::quantity::shorten;

/// Why a text is no name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidName {
    #[error("{what} is empty")]
    Empty { what: &'static str },
    #[error("{what} `{name}` has {characters} characters, more than {limit}")]
    TooLong { what: &'static str, name: String, characters: usize, limit: usize },
    #[error("{what} `{name}` starts with `{character}`, not with {allowed}")]
    Start { what: &'static str, name: String, character: String, allowed: &'static str },
    #[error("{what} `{name}` contains `{character}`, which is none of {allowed}")]
    Character { what: &'static str, name: String, character: String, allowed: &'static str },
}

/// What one kind of name may look like.
struct Alphabet {
    what: &'static str,
    characters_max: usize,
    start: fn(char) -> bool,
    start_allowed: &'static str,
    rest: fn(char) -> bool,
    rest_allowed: &'static str,
}

impl Alphabet {
    fn check(&self, name: &str) -> Result<(), InvalidName> {
        let what = self.what;
        let characters = name.chars().count();
        if characters > self.characters_max {
            let limit = self.characters_max;
            return Err(InvalidName::TooLong { what, name: shorten(name), characters, limit });
        }
        let mut rest = name.chars();
        let first = rest.next().ok_or(InvalidName::Empty { what })?;
        if !(self.start)(first) {
            let (character, allowed) = (shorten(first.encode_utf8(&mut [0; 4])), self.start_allowed);
            return Err(InvalidName::Start { what, name: shorten(name), character, allowed });
        }
        if let Some(wrong) = rest.find(|c| !(self.rest)(*c)) {
            let (character, allowed) = (shorten(wrong.encode_utf8(&mut [0; 4])), self.rest_allowed);
            return Err(InvalidName::Character { what, name: shorten(name), character, allowed });
        }
        Ok(())
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $alphabet:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            pub fn new(name: impl Into<String>) -> Result<Self, InvalidName> {
                let name = name.into();
                $alphabet.check(&name)?;
                Ok(Self(name))
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;

            fn from_str(name: &str) -> Result<Self, InvalidName> {
                Self::new(name)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
    };
}

name! {
    /// The name a tool is called by.
    ToolName, Alphabet {
        what: "the tool name",
        characters_max: 64,
        start: |c| c.is_ascii_lowercase(),
        start_allowed: "a lower-case letter",
        rest: |c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-'),
        rest_allowed: "lower-case letters, digits, `_` and `-`",
    }
}

name! {
    /// The key of a parameter in a call's input. The alphabet is the one that model providers accept for properties.
    ParameterName, Alphabet {
        what: "the parameter name",
        characters_max: 64,
        start: |c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'),
        start_allowed: "a letter, a digit, `_`, `-` or `.`",
        rest: |c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'),
        rest_allowed: "letters, digits, `_`, `-` and `.`",
    }
}

name! {
    /// The name of an environment variable or a secret.
    VariableName, Alphabet {
        what: "the variable name",
        characters_max: 128,
        start: |c| c.is_ascii_alphabetic() || c == '_',
        start_allowed: "a letter or `_`",
        rest: |c| c.is_ascii_alphanumeric() || c == '_',
        rest_allowed: "letters, digits and `_`",
    }
}

name! {
    /// The name of an HTTP header (the tokens of RFC 9110).
    HeaderName, Alphabet {
        what: "the header name",
        characters_max: 128,
        start: is_token,
        start_allowed: "a letter, a digit or one of `!#$%&'*+-.^_|~`",
        rest: is_token,
        rest_allowed: "letters, digits and `!#$%&'*+-.^_|~`",
    }
}

name! {
    /// The name of a query parameter: what needs no escaping in a URL.
    QueryName, Alphabet {
        what: "the query parameter",
        characters_max: 128,
        start: |c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '~'),
        start_allowed: "a letter, a digit or one of `-._~`",
        rest: |c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '~'),
        rest_allowed: "letters, digits and `-._~`",
    }
}

fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || matches!(c, '!' | '#' | '$' | '%' | '&' | '\'' | '*' | '+' | '-' | '.' | '^' | '_' | '`' | '|' | '~')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tool_names_are_what_folders_images_and_urls_allow() {
        for name in ["calculator", "web_search", "sys-info", "a", "a1"] {
            assert_eq!(ToolName::new(name).map(|name| name.to_string()), Ok(name.to_owned()));
        }
        assert_eq!(ToolName::new(""), Err(InvalidName::Empty { what: "the tool name" }));
        assert!(matches!(ToolName::new("a".repeat(65)), Err(InvalidName::TooLong { characters: 65, .. })));
        assert!(ToolName::new("a".repeat(64)).is_ok());
        for name in ["Calculator", "1st", "_a", "-a", " a"] {
            assert!(matches!(ToolName::new(name), Err(InvalidName::Start { .. })), "{name}");
        }
        for name in ["web search", "a/b", "a..b", "aB", "a\n", "caf\u{e9}"] {
            assert!(matches!(ToolName::new(name), Err(InvalidName::Character { .. })), "{name}");
        }
    }
}
