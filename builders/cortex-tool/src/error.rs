//! Why a tool could not answer: the WIT record `tool-error`.

use serde::Serialize;
use std::fmt;

/// Why a tool could not answer: the host reports it as the tool's error, told apart from a trap and from bad input.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::error_impl_error, reason = "authors write `cortex_tool::Error`, as they write `std::io::Error`")]
pub struct Error {
    /// A stable, lower-case word that programs may test, such as `division_by_zero`.
    pub code: String,
    /// One sentence for the person or agent reading.
    pub message: String,
    /// A JSON document that stands in place of the result; [`Error::with_data`] writes it.
    pub data: Option<String>,
}

impl Error {
    /// An error without data.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), data: None }
    }

    /// Adds the document that stands in place of the result.
    ///
    /// Data that does not serialize is a mistake in the tool, and its `invalid_output` takes the place of this error.
    #[must_use]
    pub fn with_data(self, data: &impl Serialize) -> Self {
        match serde_json::to_string(data) {
            Ok(data) => Self { data: Some(data), ..self },
            Err(error) => Self::new("invalid_output", error.to_string()),
        }
    }

    /// Replaces the code: `text.parse().map_err(Error::from)?` knows the message, the tool knows what it means.
    #[must_use]
    pub fn with_code(self, code: impl Into<String>) -> Self {
        Self { code: code.into(), ..self }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// The code of an error that the tool gave no code of its own.
const UNCLASSIFIED: &str = "failed";

impl From<String> for Error {
    fn from(message: String) -> Self {
        Self::new(UNCLASSIFIED, message)
    }
}

impl From<&str> for Error {
    fn from(message: &str) -> Self {
        Self::new(UNCLASSIFIED, message)
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::new("invalid_json", error.to_string())
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::new("io_error", error.to_string())
    }
}

/// Lets `run` return `Result<_, Box<dyn std::error::Error>>`, so that `?` takes any error. One that was an [`Error`] all along
/// keeps its code.
impl From<Box<dyn std::error::Error>> for Error {
    fn from(error: Box<dyn std::error::Error>) -> Self {
        match error.downcast::<Self>() {
            Ok(error) => *error,
            Err(error) => Self::new(UNCLASSIFIED, error.to_string()),
        }
    }
}
