//! The standard key-value store: the original's operations over the state that the sandbox keeps for a tool.

use cortex_tool::Error;
use cortex_tool::host::state;
use serde::{Deserialize, Serialize};

/// What the tool is asked.
#[derive(Debug, Deserialize)]
pub struct Input {
    /// What to do.
    pub operation: Operation,
    /// The key, for all but `list_keys`.
    pub key: Option<String>,
    /// The value to set.
    pub value: Option<String>,
}

/// What can be done.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Sets a value.
    SetValue,
    /// Tells a value.
    GetValue,
    /// Removes a value.
    DeleteValue,
    /// Tells all keys.
    ListKeys,
}

/// The answer. What an operation has nothing to say about is left out.
#[derive(Debug, Default, Serialize)]
pub struct Output {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keys: Option<Vec<String>>,
}

cortex_tool::export!(run);

/// Does one operation.
pub fn run(input: Input) -> Result<Output, Error> {
    let done = Output { status: "success", ..Output::default() };
    if let Operation::ListKeys = input.operation {
        return Ok(Output { keys: Some(state::keys()?), ..done });
    }
    let key = input.key.ok_or_else(|| missing("key"))?;
    match input.operation {
        Operation::SetValue => {
            let value = input.value.ok_or_else(|| missing("value"))?;
            state::set(&key, value.as_bytes())?;
            Ok(Output { key: Some(key), ..done })
        }
        Operation::GetValue => {
            let value =
                state::get(&key)?.ok_or_else(|| Error::new("not_found", format!("there is no value for `{key}`")))?;
            Ok(Output { key: Some(key), value: Some(String::from_utf8_lossy(&value).into_owned()), ..done })
        }
        Operation::DeleteValue => {
            let deleted = state::get(&key)?.is_some();
            state::delete(&key)?;
            Ok(Output { key: Some(key), deleted: Some(deleted), ..done })
        }
        Operation::ListKeys => Ok(done),
    }
}

fn missing(name: &str) -> Error {
    Error::new("missing_parameter", format!("the operation needs `{name}`"))
}
