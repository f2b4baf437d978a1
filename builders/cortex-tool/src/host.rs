//! What the host offers a tool besides WASI: a log, word of how far it is, and values that outlive the call.
//!
//! Only what a tool calls becomes an import of its component, so a tool that calls nothing here asks the host for nothing.
//! The log and the progress are free; [`state`] needs `permissions: { state: true }` in the manifest.
//!
//! On other targets than WebAssembly there is no host: what is said is dropped, and there is no state.

use std::fmt;

/// How bad a line of the log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Level {
    /// Values of variables, and where the program is.
    Trace,
    /// For whoever looks for a mistake.
    Debug,
    /// For whoever watches.
    Info,
    /// Something may go wrong.
    Warn,
    /// Something went wrong.
    Error,
    /// Nothing works any more.
    Critical,
}

/// Writes a line into the record of the call. `context` groups lines, and may be empty.
pub fn log(level: Level, context: &str, message: &str) {
    imports::log(level, context, message);
}

/// Tells whoever waits for the answer how far the call is: `done` of `total`, in a unit of your own.
pub fn progress(done: f64, total: Option<f64>, message: Option<&str>) {
    imports::progress(done, total, message);
}

/// Whether the tool was granted a secret of this name that has a value. The value stays with the host, which puts it into
/// the tool's requests.
pub fn secret_exists(name: &str) -> bool {
    imports::secret_exists(name)
}

/// Why a value was not read or kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateError {
    /// The manifest does not ask for state, or the operator does not grant it.
    NotGranted,
    /// A limit, named in the message, or a failure of the host.
    Failed(String),
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotGranted => "the tool was granted no state",
            Self::Failed(message) => message,
        })
    }
}

impl std::error::Error for StateError {}

impl From<StateError> for crate::Error {
    fn from(error: StateError) -> Self {
        Self::new("state", error.to_string())
    }
}

/// Values of the tool's own, which outlive its calls. Each function is a transaction.
pub mod state {
    use std::time::Duration;

    use super::{StateError, imports};

    /// The value of a key.
    pub fn get(key: &str) -> Result<Option<Vec<u8>>, StateError> {
        imports::get(key)
    }

    /// Sets a value.
    pub fn set(key: &str, value: &[u8]) -> Result<(), StateError> {
        imports::set(key, value)
    }

    /// Sets a value that is gone after a time: it is not found, not listed, and takes no room. An increment leaves that as it
    /// is; whatever else sets the key keeps it for good.
    pub fn set_for(key: &str, value: &[u8], time: Duration) -> Result<(), StateError> {
        imports::set_for(key, value, u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
    }

    /// Removes a value, if it is there.
    pub fn delete(key: &str) -> Result<(), StateError> {
        imports::delete(key)
    }

    /// All keys, in their order.
    pub fn keys() -> Result<Vec<String>, StateError> {
        imports::keys()
    }

    /// Adds to a number, which is 0 if there is none, and returns it. It is kept as its decimal digits.
    pub fn increment(key: &str, delta: u64) -> Result<u64, StateError> {
        imports::increment(key, delta)
    }

    /// Sets a key to `value` (or removes it) if it is `expected` now (or not there), and says whether it did.
    pub fn compare_and_swap(key: &str, expected: Option<&[u8]>, value: Option<&[u8]>) -> Result<bool, StateError> {
        imports::compare_and_swap(key, expected, value)
    }
}

#[cfg(target_family = "wasm")]
#[expect(unsafe_code, reason = "the canonical ABI passes pointers")]
mod imports;

/// Where there is no host.
#[cfg(not(target_family = "wasm"))]
mod imports {
    use super::{Level, StateError};

    pub(super) fn log(_: Level, _: &str, _: &str) {}

    pub(super) fn progress(_: f64, _: Option<f64>, _: Option<&str>) {}

    pub(super) fn secret_exists(_: &str) -> bool {
        false
    }

    pub(super) fn get(_: &str) -> Result<Option<Vec<u8>>, StateError> {
        Err(StateError::NotGranted)
    }

    pub(super) fn set(_: &str, _: &[u8]) -> Result<(), StateError> {
        Err(StateError::NotGranted)
    }

    pub(super) fn set_for(_: &str, _: &[u8], _: u64) -> Result<(), StateError> {
        Err(StateError::NotGranted)
    }

    pub(super) fn delete(_: &str) -> Result<(), StateError> {
        Err(StateError::NotGranted)
    }

    pub(super) fn keys() -> Result<Vec<String>, StateError> {
        Err(StateError::NotGranted)
    }

    pub(super) fn increment(_: &str, _: u64) -> Result<u64, StateError> {
        Err(StateError::NotGranted)
    }

    pub(super) fn compare_and_swap(_: &str, _: Option<&[u8]>, _: Option<&[u8]>) -> Result<bool, StateError> {
        Err(StateError::NotGranted)
    }
}
