//! Secrets that requests of a guest carry without the guest ever seeing them.
//!
//! The value goes into a request after it was checked and is masked wherever it could come back: in what a server answers,
//! in what the tool prints and returns, and in what went wrong.

use std::fmt;

use http::header::{HeaderName, HeaderValue};

use crate::network::HostRule;

/// A secret, and where it goes.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    /// The operator's name for it.
    pub name: String,
    /// The value. At least [`Secret::BYTES_MIN`] long: shorter ones could not be masked without masking innocent text.
    pub value: String,
    /// How a request carries it.
    pub place: SecretPlace,
    /// The only servers that get it. Meaningless for an exposed secret.
    pub hosts: Vec<HostRule>,
}

/// How a request carries a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretPlace {
    /// The whole value of this header.
    Header(String),
    /// `Authorization: Bearer` and the value.
    Bearer,
    /// The value of this parameter of the query.
    Query(String),
    /// No request carries it: the guest has it as a variable.
    Exposed,
}

impl Secret {
    /// The shortest value.
    pub const BYTES_MIN: usize = 6;

    /// The header that carries it.
    pub(crate) fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        let (name, value) = match &self.place {
            SecretPlace::Header(name) => (HeaderName::try_from(name.as_str()).ok()?, self.value.clone()),
            SecretPlace::Bearer => (http::header::AUTHORIZATION, format!("Bearer {}", self.value)),
            SecretPlace::Query(_) | SecretPlace::Exposed => return None,
        };
        let mut value = HeaderValue::try_from(value).ok()?;
        value.set_sensitive(true);
        Some((name, value))
    }

    /// The value as it may stand in text: plain, in JSON, in a URL.
    fn forms(&self) -> [String; 4] {
        let json = serde_json::Value::String(self.value.clone()).to_string();
        let json = &json[1..json.len() - 1];
        // As Python writes JSON, and whoever else keeps to ASCII.
        let ascii = json.chars().fold(String::with_capacity(json.len()), |mut text, c| {
            if c.is_ascii() {
                text.push(c);
            } else {
                text.extend(c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
            }
            text
        });
        [self.value.clone(), json.to_owned(), ascii, percent_encoded(&self.value)]
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret").field("name", &self.name).field("place", &self.place).finish_non_exhaustive()
    }
}

/// Everything but what needs no escaping in a URL.
pub(crate) fn percent_encoded(text: &str) -> String {
    use std::fmt::Write;
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _cannot_fail = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

/// Replaces secrets in text by their names. `None` if there are none.
pub(crate) fn redacted(text: &str, secrets: &[Secret]) -> Option<String> {
    let mut changed: Option<String> = None;
    for secret in secrets {
        for form in secret.forms() {
            let current = changed.as_deref().unwrap_or(text);
            if current.contains(&form) {
                changed = Some(current.replace(&form, &format!("[secret {}]", secret.name)));
            }
        }
    }
    changed
}

/// Masks secrets in a stream of bytes, also where they are cut in two. Lengths stay as they are: servers announce them.
#[derive(Debug)]
pub(crate) struct Mask {
    needles: Vec<Vec<u8>>,
    held: Vec<u8>,
}

impl Mask {
    /// `None` if there is nothing to mask.
    pub(crate) fn new(secrets: &[Secret]) -> Option<Self> {
        Self::of(secrets.iter().filter(|secret| secret.place != SecretPlace::Exposed))
    }

    /// The same for what people read, where the tool's own secrets are masked as well.
    pub(crate) fn of_all(secrets: &[Secret]) -> Option<Self> {
        Self::of(secrets.iter())
    }

    fn of<'a>(secrets: impl Iterator<Item = &'a Secret>) -> Option<Self> {
        let mut needles: Vec<Vec<u8>> = secrets.flat_map(Secret::forms).map(String::into_bytes).collect();
        needles.sort_by_key(|needle| std::cmp::Reverse(needle.len()));
        needles.dedup();
        (!needles.is_empty()).then(|| Self { needles, held: Vec::new() })
    }

    /// Takes the next bytes, and gives those that are no longer needed to recognise a secret.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.held.extend_from_slice(bytes);
        self.cover();
        let held = self.needles.iter().map(|needle| begun(&self.held, needle)).max().unwrap_or(0);
        let ready = self.held.len() - held;
        self.held.drain(..ready).collect()
    }

    /// What is left when the stream ends.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }

    fn cover(&mut self) {
        for needle in &self.needles {
            let mut from = 0;
            while let Some(at) = find(&self.held[from..], needle) {
                self.held[from + at..from + at + needle.len()].fill(b'*');
                from += at + needle.len();
            }
        }
    }
}

fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}

/// How many of the last bytes could be the beginning of the needle.
fn begun(bytes: &[u8], needle: &[u8]) -> usize {
    let longest = needle.len().saturating_sub(1).min(bytes.len());
    (1..=longest).rev().find(|length| bytes.ends_with(&needle[..*length])).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{Mask, Secret, SecretPlace, redacted};

    fn secret(value: &str) -> Secret {
        Secret { name: "KEY".into(), value: value.into(), place: SecretPlace::Bearer, hosts: Vec::new() }
    }

    #[test]
    fn a_secret_is_masked_wherever_the_stream_is_cut() {
        let text = b"before s3cret/\"value after s3cre s3cret%2F%22value";
        for cut in 0..=text.len() {
            let mut mask = Mask::new(&[secret("s3cret/\"value")]).unwrap();
            let mut out = mask.feed(&text[..cut]);
            out.extend(mask.feed(&text[cut..]));
            out.extend(mask.finish());
            let shown = String::from_utf8(out).unwrap();
            assert_eq!(shown, format!("before {} after s3cre {}", "*".repeat(13), "*".repeat(17)), "{cut}");
        }
    }

    #[test]
    fn a_secret_in_text_is_named_instead() {
        let secrets = [secret("s3cret\"value")];
        assert_eq!(redacted(r#"{"a": "s3cret\"value"}"#, &secrets).unwrap(), r#"{"a": "[secret KEY]"}"#);
        assert_eq!(redacted("nothing", &secrets), None);
    }
}
