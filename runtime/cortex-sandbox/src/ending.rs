//! How a call ended, as data. Exit codes, HTTP status and MCP results are each derived from [`Ending`] in one place.

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::logging::LogLine;
use crate::network::RequestSpan;

/// How a call ended. Classified by the type of what happened, never by the text of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The tool answered with valid JSON.
    Success,
    /// The tool ran to its end and reported that it failed.
    ToolError,
    /// The input broke the tool's schema; the tool was not started.
    InvalidInput,
    /// The tool claimed success, and what it returned is not JSON.
    InvalidOutput,
    /// The tool used up its fuel.
    OutOfFuel,
    /// The tool asked for more memory, tables or instances than it may have.
    MemoryExceeded,
    /// The tool was still running, or waiting on the host, when its time was over.
    DeadlineExceeded,
    /// The result is larger than the tool may return.
    OutputExceeded,
    /// The tool needs something that it was not granted.
    Denied,
    /// The tool needs more than it may have of something else: requests, files, values, handles, random bytes. The
    /// error's `details.limit` is its name, as in `implementation.resources`.
    LimitExceeded,
    /// The tool crashed: `unreachable`, out of bounds, stack overflow.
    Trap,
    /// The caller gave up.
    Cancelled,
    /// The tool's source or component could not be turned into something to run.
    BuildFailed,
    /// The plan names a backend that this process does not have, or what is behind it has failed.
    BackendUnavailable,
}

impl Ending {
    /// The name used in JSON, such as `out_of_fuel`. Stable: clients test it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::ToolError => "tool_error",
            Self::InvalidInput => "invalid_input",
            Self::InvalidOutput => "invalid_output",
            Self::OutOfFuel => "out_of_fuel",
            Self::MemoryExceeded => "memory_exceeded",
            Self::DeadlineExceeded => "deadline_exceeded",
            Self::OutputExceeded => "output_exceeded",
            Self::Denied => "denied",
            Self::LimitExceeded => "limit_exceeded",
            Self::Trap => "trap",
            Self::Cancelled => "cancelled",
            Self::BuildFailed => "build_failed",
            Self::BackendUnavailable => "backend_unavailable",
        }
    }
}

impl std::fmt::Display for Ending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What went wrong, for the person or agent reading.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Failure {
    /// A stable word: the tool's own for a tool error, otherwise the name of the ending.
    pub code: String,
    /// The rule that was broken and the value seen.
    pub message: String,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The exit code of a command that did not end with zero.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// More about the failure, in a form for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<Value>,
}

impl Failure {
    /// A failure with a code and a message and nothing else.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), hint: None, exit_code: None, details: None }
    }

    /// The same failure with advice on what to do next.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// What a call used, in the units that its limits are set in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Fuel: about one unit for one WebAssembly instruction. Comparable only within one engine version.
    pub fuel: u64,
    /// The largest sum of all linear memories and tables, in bytes.
    pub memory_peak_bytes: u64,
    /// Time from the start of instantiation to the end of the call, in microseconds.
    pub wall_us: u64,
    /// The part of `wall_us` before the tool's own code could run, in microseconds.
    pub instantiate_us: u64,
    /// HTTP requests, refused ones included.
    pub http_requests: u64,
    /// Bytes of the bodies of all requests.
    #[serde(skip_serializing_if = "is_zero")]
    pub http_sent_bytes: u64,
    /// Bytes of the bodies of all answers.
    #[serde(skip_serializing_if = "is_zero")]
    pub http_received_bytes: u64,
    /// Bytes written to files.
    #[serde(skip_serializing_if = "is_zero")]
    pub file_bytes: u64,
    /// Files, folders and links that were created.
    #[serde(skip_serializing_if = "is_zero")]
    pub files_created: u64,
    /// Random bytes that the tool was given.
    #[serde(skip_serializing_if = "is_zero")]
    pub random_bytes: u64,
    /// Bytes of the tool's state that were read and written.
    #[serde(skip_serializing_if = "is_zero")]
    pub state_bytes: u64,
    /// Processor time of a container, in microseconds. The sandbox counts fuel.
    #[serde(skip_serializing_if = "is_zero")]
    pub cpu_us: u64,
}

/// What only some tools use is left out of the others' records.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Whether something that a tool wanted was granted: one line of the audit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// Which capability, such as `network`.
    pub capability: &'static str,
    /// What the tool wanted, without anything that may be secret.
    pub target: String,
    /// Whether it got it.
    pub allowed: bool,
    /// The rule that allowed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// For traces: the request that went out. The record does without it.
    #[serde(skip)]
    pub request: Option<RequestSpan>,
}

/// Text that a tool wrote to standard output or standard error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Captured {
    /// What was kept. Invalid UTF-8 is replaced.
    pub text: String,
    /// Bytes that were written past the limit and thrown away.
    pub dropped_bytes: u64,
}

impl Serialize for Captured {
    /// A string; a truncated one ends in a line that says how much is missing.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.dropped_bytes == 0 {
            return serializer.serialize_str(&self.text);
        }
        serializer.collect_str(&format_args!("{}\n[truncated: {} more bytes]", self.text, self.dropped_bytes))
    }
}

/// Everything that is known after a call.
#[derive(Debug)]
pub struct Outcome {
    /// How the call ended.
    pub ending: Ending,
    /// The JSON document that the tool answered with. A tool that failed may have answered as well.
    pub result: Option<Box<RawValue>>,
    /// What went wrong; `None` on success.
    pub error: Option<Box<Failure>>,
    /// Standard output; empty for a command whose output became `result`.
    pub stdout: Captured,
    /// Standard error.
    pub stderr: Captured,
    /// What the call used.
    pub usage: Usage,
    /// What the tool wanted to reach, in the order in which it did.
    pub decisions: Vec<Decision>,
    /// What the tool wrote into the record, in its order.
    pub log: Vec<LogLine>,
}

impl Outcome {
    /// The outcome of a call that failed before or outside the guest.
    pub fn failed(ending: Ending, failure: impl Into<Box<Failure>>) -> Self {
        Self {
            ending,
            result: None,
            error: Some(failure.into()),
            stdout: Captured::default(),
            stderr: Captured::default(),
            usage: Usage::default(),
            decisions: Vec::new(),
            log: Vec::new(),
        }
    }
}
