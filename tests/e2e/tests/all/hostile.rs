//! Guests that try to break out, or to take the host down. Each is met by a call of a tool as anybody would make it, and each
//! test says how the call ended and what its record says. After every attack the same process answers another call.
//!
//! A test of an attack says in its documentation what the attack is and how it ends, as `Attack: …` and `Ends: …`. The table in
//! `runtime/SECURITY.md` is made of those lines, wherever in these tests they stand; an ending in code must be one that the
//! test names.

use std::sync::Arc;
use std::time::Duration;

use cortex_runtime::{CallOptions, Ending, Execution, Overrides, Settings, Status};
use guest_artifacts as guests;
use serde_json::{Value, json};

use crate::host::{Tools, said};

mod abi;
mod bombs;
mod cancelled;
mod computes;
mod files;
mod network;
mod records;
mod secrets;
mod takes;
mod tool;
mod traces;

use {
    abi as hostile_abi, bombs as hostile_catches, bombs as hostile_types, computes as hostile_computes,
    files as hostile_files, takes as hostile_handles, takes as hostile_host, tool as hostile_tool,
    traces as hostile_traces,
};

macro_rules! assert_test_exists {
    ($name:ident) => {
        #[expect(unused_imports, reason = "only here to make sure that it exists")]
        use self::$name as _;
    };
}
guest_artifacts::foreach_hostile!(assert_test_exists);

/// Enough for every guest to get going, and for an attack to be over soon.
const LITTLE: &str = "fuel: 50M, timeout: 1h, memory: 32M, output: 64K";

/// What a record of a call with an output of 64 KiB may take: result, standard output and standard error, invalid bytes
/// replaced by three, and a few kilobytes of message and hint.
const RECORD_BYTES: usize = 3 * 3 * (64 << 10);

/// What the guests of this suite are told.
const PARAMETERS: &[(&str, &str)] =
    &[("attack", "string"), ("count", "integer"), ("bytes", "integer"), ("steps", "array"), ("times", "integer")];

/// What `contract_tool_answers` is told as well.
const SAYS: &[(&str, &str)] = &[
    ("code", "string"),
    ("message", "string"),
    ("data", "string"),
    ("stdout", "string"),
    ("stderr", "string"),
    ("panic", "string"),
];

/// A runtime with one hostile tool, `attack`, and one that is none.
struct Arena(Tools);

impl Arena {
    fn new(guest: &str, resources: &str, sections: &str) -> Self {
        Self::with(guest, resources, sections, |settings| settings)
    }

    fn with(guest: &str, resources: &str, sections: &str, change: impl FnOnce(Settings) -> Settings) -> Self {
        let tools = Tools::with(change);
        // Components of the other contracts have parameters of their own.
        let parameters = match guest {
            guests::HOSTILE_HOST | guests::HOSTILE_FILES | guests::HOSTILE_TOOL => PARAMETERS,
            guests::CONTRACT_TOOL_ANSWERS => SAYS,
            _ => &[],
        };
        tools.add("attack", guest, parameters, resources, sections);
        tools.add("honest", guests::CONTRACT_TOOL_ANSWERS, &[("text", "string")], "", "");
        Self(tools)
    }

    fn call(&self, tool: &str, input: Value) -> Arc<Execution> {
        self.call_with(tool, input, CallOptions::default())
    }

    /// Calls the hostile tool, looks at what is recorded of it, and calls the other one.
    fn call_with(&self, tool: &str, input: Value, options: CallOptions) -> Arc<Execution> {
        let execution = self.0.call_with(tool, input, options);
        let record = serde_json::to_string(&*execution).unwrap();
        assert!(record.len() <= RECORD_BYTES, "{tool}: a record of {} bytes: {}", record.len(), &record[..2000]);
        let honest = self.0.call("honest", json!({"text": "still here"}));
        assert_eq!(honest.ending, Ending::Success, "{tool}: {honest:?}");
        execution
    }
}

/// Calls a guest that has little, as `attack`.
fn attack(guest: &str, input: Value) -> Arc<Execution> {
    Arena::new(guest, LITTLE, "").call("attack", input)
}

/// Options of a call whose time is over almost at once.
fn hurried() -> CallOptions {
    let limits = Overrides { timeout: Some(Duration::from_millis(30)), ..Overrides::default() };
    CallOptions { limits, ..CallOptions::default() }
}

/// What the record says of a call that failed: its ending, in its own words.
fn assert_ended(execution: &Execution, ending: Ending, words: &str) {
    let said = said(execution);
    assert_eq!(execution.ending, ending, "{said}");
    assert!(said.contains(words), "{said}");
    let expected = match ending {
        Ending::DeadlineExceeded => Status::Timeout,
        _ => Status::Failed,
    };
    assert_eq!(execution.status, expected);
    assert!(!said.lines().next().unwrap_or_default().is_empty() && said.len() < 16 << 10, "{} bytes", said.len());
}

/// The answer of a guest whose attack came to nothing.
fn answer(execution: &Execution) -> Value {
    assert_eq!(execution.ending, Ending::Success, "{execution:?}");
    serde_json::from_str(execution.result.as_ref().expect("an answer").get()).unwrap()
}
