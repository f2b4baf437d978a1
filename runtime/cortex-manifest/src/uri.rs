//! Addresses of resources with places for parameters: `notes://today/{topic}`, the simplest form of RFC 6570.

use std::fmt;

use serde::{Serialize, Serializer};
use thiserror::Error;

/// The longest address. Long enough for every real one, short enough to hold many.
const BYTES_MAX: usize = 2048;

/// Why a text is no address of a resource.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidUri {
    #[error("`{uri}` begins with no scheme")]
    Scheme { uri: String },
    #[error("`{uri}` holds the character `{character}`, which an address cannot hold")]
    Character { uri: String, character: char },
    #[error("a `{{` or `}}` in `{uri}` has no counterpart, or nothing stands between them")]
    Braces { uri: String },
    #[error("`{name}` stands twice in `{uri}`")]
    Twice { uri: String, name: String },
    #[error("nothing separates the parameters `{first}` and `{second}` in `{uri}`")]
    Adjacent { uri: String, first: String, second: String },
    #[error("the address has {bytes} bytes, more than {limit}")]
    TooLong { bytes: usize, limit: usize },
}

/// The address of a resource, or of many that differ in the values of parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UriTemplate {
    text: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    Parameter(String),
}

impl UriTemplate {
    /// Reads an address such as `notes://today/{topic}`.
    pub fn new(text: &str) -> Result<UriTemplate, InvalidUri> {
        let uri = || text.chars().take(80).collect::<String>();
        if text.len() > BYTES_MAX {
            return Err(InvalidUri::TooLong { bytes: text.len(), limit: BYTES_MAX });
        }
        let scheme = text.split_once(':').map_or("", |(scheme, _)| scheme);
        let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
        if !is_scheme {
            return Err(InvalidUri::Scheme { uri: uri() });
        }
        if let Some(character) = text.chars().find(|c| !c.is_ascii_graphic() || matches!(c, '<' | '>' | '"' | '`')) {
            return Err(InvalidUri::Character { uri: uri(), character });
        }
        Ok(UriTemplate { text: text.to_owned(), parts: parts_of(text)? })
    }

    /// The names of the parameters, in the order in which they stand.
    pub fn parameters(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Parameter(name) => Some(name.as_str()),
            Part::Literal(_) => None,
        })
    }

    /// The values of the parameters in an address, if it is one of these. A value is never empty and ends at `/`, `?` or
    /// `#`; escapes (`%20`) are resolved.
    pub fn matches(&self, uri: &str) -> Option<Vec<(&str, String)>> {
        let (mut rest, mut values) = (uri, Vec::new());
        let mut parts = self.parts.iter().peekable();
        while let Some(part) = parts.next() {
            match part {
                Part::Literal(text) => rest = rest.strip_prefix(text.as_str())?,
                Part::Parameter(name) => {
                    let longest = rest.find(['/', '?', '#']).unwrap_or(rest.len());
                    let end = match parts.peek() {
                        Some(Part::Literal(next)) => rest.find(next.as_str()).filter(|end| *end <= longest)?,
                        Some(Part::Parameter(_)) | None => longest,
                    };
                    let (value, after) = rest.split_at(end);
                    values.push((name.as_str(), unescaped(value).filter(|value| !value.is_empty())?));
                    rest = after;
                }
            }
        }
        rest.is_empty().then_some(values)
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }
}

fn parts_of(text: &str) -> Result<Vec<Part>, InvalidUri> {
    let braces = || InvalidUri::Braces { uri: text.to_owned() };
    let (mut parts, mut rest): (Vec<Part>, &str) = (Vec::new(), text);
    while let Some(open) = rest.find(['{', '}']) {
        let (literal, after) = rest.split_at(open);
        let (name, after) = after.strip_prefix('{').and_then(|after| after.split_once('}')).ok_or_else(braces)?;
        if name.is_empty() || name.contains('{') {
            return Err(braces());
        }
        if !literal.is_empty() {
            parts.push(Part::Literal(literal.to_owned()));
        } else if let Some(Part::Parameter(first)) = parts.last() {
            let (first, second) = (first.clone(), name.to_owned());
            return Err(InvalidUri::Adjacent { uri: text.to_owned(), first, second });
        }
        if parts.contains(&Part::Parameter(name.to_owned())) {
            return Err(InvalidUri::Twice { uri: text.to_owned(), name: name.to_owned() });
        }
        parts.push(Part::Parameter(name.to_owned()));
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Part::Literal(rest.to_owned()));
    }
    Ok(parts)
}

/// `None` for an escape that is none, and for what is no UTF-8 afterwards.
fn unescaped(text: &str) -> Option<String> {
    if !text.contains('%') {
        return Some(text.to_owned());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first == b'%' {
            let digits = std::str::from_utf8(after.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok()
}

impl fmt::Display for UriTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for UriTemplate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::{InvalidUri, UriTemplate};

    #[test]
    fn an_address_gives_the_values_of_its_parameters() {
        let template = UriTemplate::new("notes://{user}/{topic}.md?page={page}").unwrap();
        assert_eq!(template.parameters().collect::<Vec<_>>(), ["user", "topic", "page"]);
        let values = template.matches("notes://ann/a%20b.md?page=2").unwrap();
        assert_eq!(values, [("user", "ann".to_owned()), ("topic", "a b".to_owned()), ("page", "2".to_owned())]);
        for other in ["notes://ann/a/b.md?page=2", "notes:///x.md?page=2", "notes://ann/x.md?page=", "notes://ann/x.md"]
        {
            assert_eq!(template.matches(other), None, "{other}");
        }
        assert_eq!(template.matches("notes://ann/%zz.md?page=2"), None);
    }

    #[test]
    fn an_address_without_parameters_is_itself_alone() {
        let template = UriTemplate::new("notes://today").unwrap();
        assert_eq!(template.matches("notes://today"), Some(Vec::new()));
        assert_eq!(template.matches("notes://today/"), None);
    }

    #[test]
    fn what_is_no_address_is_refused() {
        assert!(matches!(UriTemplate::new("today"), Err(InvalidUri::Scheme { .. })));
        assert!(matches!(UriTemplate::new("notes://a b"), Err(InvalidUri::Character { character: ' ', .. })));
        assert!(matches!(UriTemplate::new("notes://{a"), Err(InvalidUri::Braces { .. })));
        assert!(matches!(UriTemplate::new("notes://{}"), Err(InvalidUri::Braces { .. })));
        assert!(matches!(UriTemplate::new("notes://a}"), Err(InvalidUri::Braces { .. })));
        assert!(matches!(UriTemplate::new("notes://{a}/{a}"), Err(InvalidUri::Twice { .. })));
        assert!(matches!(UriTemplate::new("notes://{a}{b}"), Err(InvalidUri::Adjacent { .. })));
        assert!(matches!(UriTemplate::new(&format!("notes://{}", "x".repeat(4096))), Err(InvalidUri::TooLong { .. })));
    }
}
