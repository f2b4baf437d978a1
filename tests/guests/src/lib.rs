//! What every command does with its input.

use std::fmt::Display;

use serde_json::Value;

/// The input of a command: its first argument.
pub fn input() -> Value {
    let argument = std::env::args().nth(1).expect("a command is called with its input as the first argument");
    serde_json::from_str(&argument).expect("the input is JSON")
}

/// A whole number of the input.
pub fn number(input: &Value, name: &str) -> u64 {
    input[name].as_u64().unwrap_or_else(|| panic!("the input has no whole number `{name}`"))
}

/// A text of the input, if it is there.
pub fn text<'a>(input: &'a Value, name: &str) -> Option<&'a str> {
    input[name].as_str()
}

/// Ends the program with a message in its standard error unless something failed, as it should.
pub fn must_fail<T, E: Display>(what: &str, result: Result<T, E>) -> String {
    match result {
        Ok(_) => panic!("{what} worked"),
        Err(error) => error.to_string(),
    }
}
