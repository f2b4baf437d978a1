//! The record of one call: what a caller gets and what is kept.

use std::time::SystemTime;

use cortex_build::BackendKind;
use cortex_sandbox::{Captured, Contract, ENGINE_VERSION, Ending, Failure, Outcome, Usage};
use serde::Serialize;
use serde_json::value::RawValue;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// One call of a tool, from its start to its end.
#[derive(Debug, Serialize)]
pub struct Execution {
    /// `exec_` and 16 hexadecimal digits.
    pub execution_id: String,
    /// The tool as it was named by the caller.
    pub tool: String,
    /// How the tool sees a call; `None` when it was never loaded.
    pub contract: Option<Contract>,
    /// What ran it.
    pub backend: BackendKind,
    /// The ending in the words of the original system.
    pub status: Status,
    /// How the call ended.
    pub ending: Ending,
    /// The JSON document that the tool answered with.
    pub result: Option<Box<RawValue>>,
    /// What went wrong; `None` on success.
    pub error: Option<Failure>,
    /// What the call used.
    pub usage: Usage,
    /// Standard output, unless it became the result.
    pub stdout: Captured,
    /// Standard error.
    pub stderr: Captured,
    /// Whether the tool was ready to run: nothing was built and nothing compiled for this call.
    pub cached: bool,
    /// The digest of the component that ran.
    pub component: Option<String>,
    /// The engine that ran it. Fuel is comparable only between equal versions.
    pub engine: &'static str,
    /// When the call began.
    #[serde(serialize_with = "rfc3339")]
    pub started_at: SystemTime,
}

/// The original system's word for how a call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The tool answered.
    Success,
    /// The tool, or what it takes to run it, failed.
    Failed,
    /// Its time was over.
    Timeout,
    /// The caller gave up.
    Cancelled,
}

impl Status {
    /// The name used in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failed => "failed",
            Self::Timeout => "timeout",
            Self::Cancelled => "cancelled",
        }
    }
}

impl From<Ending> for Status {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::Success => Self::Success,
            Ending::DeadlineExceeded => Self::Timeout,
            Ending::Cancelled => Self::Cancelled,
            Ending::ToolError
            | Ending::InvalidInput
            | Ending::InvalidOutput
            | Ending::OutOfFuel
            | Ending::MemoryExceeded
            | Ending::OutputExceeded
            | Ending::Denied
            | Ending::Trap
            | Ending::BuildFailed
            | Ending::BackendUnavailable => Self::Failed,
        }
    }
}

/// What is known of a call before it ends.
#[derive(Debug)]
pub(crate) struct Begun {
    pub(crate) tool: String,
    pub(crate) started_at: SystemTime,
    pub(crate) backend: BackendKind,
    pub(crate) contract: Option<Contract>,
    pub(crate) component: Option<String>,
    pub(crate) cached: bool,
}

impl Begun {
    pub(crate) fn end(self, execution_id: String, outcome: Outcome) -> Execution {
        Execution {
            execution_id,
            tool: self.tool,
            contract: self.contract,
            backend: self.backend,
            status: outcome.ending.into(),
            ending: outcome.ending,
            result: outcome.result,
            error: outcome.error,
            usage: outcome.usage,
            stdout: outcome.stdout,
            stderr: outcome.stderr,
            cached: self.cached,
            component: self.component,
            engine: ENGINE_VERSION,
            started_at: self.started_at,
        }
    }
}

/// A time as RFC 3339 in UTC, such as `2026-11-22T21:57:32.123456789Z`.
pub(crate) fn timestamp(time: SystemTime) -> String {
    OffsetDateTime::from(time).format(&Rfc3339).unwrap_or_default()
}

fn rfc3339<S: serde::Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&timestamp(*time))
}
