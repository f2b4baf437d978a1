//! The record of one call: what a caller gets and what is kept.

use std::sync::Arc;
use std::time::SystemTime;

use cortex_build::BackendKind;
use cortex_sandbox::{Captured, Contract, Decision, ENGINE_VERSION, Ending, Failure, LogLine, Outcome, Usage};
use serde::Serialize;
use serde_json::value::RawValue;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::identity::ExecutionId;

/// One call of a tool, from its start to its end.
#[derive(Debug, Serialize)]
pub struct Execution {
    /// Which call this was.
    pub execution_id: ExecutionId,
    /// The tool as it was named by the caller.
    pub tool: Arc<str>,
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
    pub error: Option<Box<Failure>>,
    /// What the call used.
    pub usage: Usage,
    /// What the tool wanted to reach, and whether it was granted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub decisions: Vec<Decision>,
    /// What the tool wrote into the record, in its order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<LogLine>,
    /// Standard output, unless it became the result.
    pub stdout: Captured,
    /// Standard error.
    pub stderr: Captured,
    /// Whether the tool was ready to run: nothing was built and nothing compiled for this call.
    pub cached: bool,
    /// The digest of the component that ran.
    pub component: Option<Arc<str>>,
    /// The engine that ran it. Fuel is comparable only between equal versions.
    pub engine: &'static str,
    /// When the call began.
    #[serde(serialize_with = "rfc3339")]
    pub started_at: SystemTime,
    /// Who called.
    #[serde(flatten)]
    pub caller: Caller,
}

/// Who called, as far as the caller said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub struct Caller {
    /// Groups calls that belong together.
    #[serde(rename = "session_id", skip_serializing_if = "Option::is_none")]
    pub session: Option<Arc<str>>,
    /// Whose token it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<Arc<str>>,
}

/// The original system's word for how a call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The call waits for its turn, or for the tool to be built.
    Pending,
    /// The tool runs.
    Running,
    /// The tool answered.
    Success,
    /// The tool, or what it takes to run it, failed.
    Failed,
    /// Its time was over.
    Timeout,
    /// The caller gave up.
    Cancelled,
    /// The process that ran the call ended before the call did.
    Interrupted,
}

impl Status {
    const ALL: [Self; 7] =
        [Self::Pending, Self::Running, Self::Success, Self::Failed, Self::Timeout, Self::Cancelled, Self::Interrupted];

    /// The name used in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Success => "success",
            Self::Failed => "failed",
            Self::Timeout => "timeout",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
        }
    }

    /// The status of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }

    /// Whether the call is over.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Pending | Self::Running)
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
            | Ending::LimitExceeded
            | Ending::Trap
            | Ending::BuildFailed
            | Ending::BackendUnavailable => Self::Failed,
        }
    }
}

/// What is known of a call before it ends.
#[derive(Debug)]
pub(crate) struct Begun {
    pub(crate) tool: Arc<str>,
    pub(crate) started_at: SystemTime,
    pub(crate) backend: BackendKind,
    pub(crate) contract: Option<Contract>,
    pub(crate) component: Option<Arc<str>>,
    pub(crate) cached: bool,
    pub(crate) caller: Caller,
}

impl Begun {
    /// Of a tool that was never loaded.
    pub(crate) fn unloaded(backend: BackendKind, tool: &Arc<str>, started_at: SystemTime, caller: Caller) -> Self {
        Self { tool: Arc::clone(tool), started_at, backend, contract: None, component: None, cached: false, caller }
    }

    pub(crate) fn end(self, execution_id: ExecutionId, outcome: Outcome) -> Execution {
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
            decisions: outcome.decisions,
            log: outcome.log,
            stdout: outcome.stdout,
            stderr: outcome.stderr,
            cached: self.cached,
            component: self.component,
            engine: if self.backend == BackendKind::Wasm { ENGINE_VERSION } else { self.backend.as_str() },
            started_at: self.started_at,
            caller: self.caller,
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
