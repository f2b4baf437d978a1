//! The record of one call: what a caller gets and what is kept.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use cortex_build::BackendKind;
use cortex_sandbox::{Captured, Contract, Decision, ENGINE_VERSION, Ending, Failure, Outcome, Usage};
use serde::Serialize;
use serde_json::value::RawValue;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

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
}

/// Which call an execution is: 64 bits, written `exec_` and 16 hexadecimal digits. Later calls have larger identities, so
/// that a database keeps them in order without an index of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExecutionId(u64);

/// Bits below the time that tell calls of the same microsecond apart. 51 bits of microseconds last until 2041.
const RANDOM_BITS: u32 = 13;

impl ExecutionId {
    /// The first identity of a process: its time, and random bits so that two processes differ.
    pub(crate) fn first(random: u64) -> Self {
        Self(Self::at(SystemTime::now()) | (random & ((1 << RANDOM_BITS) - 1)))
    }

    /// The identity after `last` for a call that begins at `now`. A step keeps the process's own random bits, unless calls
    /// come faster than microseconds.
    pub(crate) fn next(last: &AtomicU64, now: SystemTime) -> Self {
        let time = Self::at(now);
        let step = |last: u64| (time | (last & ((1 << RANDOM_BITS) - 1))).max(last + (1 << RANDOM_BITS));
        let mut seen = last.load(Ordering::Relaxed);
        loop {
            let next = step(seen);
            match last.compare_exchange_weak(seen, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Self(next),
                Err(other) => seen = other,
            }
        }
    }

    fn at(time: SystemTime) -> u64 {
        let micros = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_micros();
        // Cut, not saturated: after 2041 identities start again from the lowest.
        #[expect(clippy::cast_possible_truncation, reason = "the high bits are meant to go")]
        let micros = micros as u64;
        micros << RANDOM_BITS
    }

    pub(crate) fn as_u64(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ExecutionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exec_{:016x}", self.0)
    }
}

impl Serialize for ExecutionId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
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
    pub(crate) tool: Arc<str>,
    pub(crate) started_at: SystemTime,
    pub(crate) backend: BackendKind,
    pub(crate) contract: Option<Contract>,
    pub(crate) component: Option<Arc<str>>,
    pub(crate) cached: bool,
}

impl Begun {
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
            stdout: outcome.stdout,
            stderr: outcome.stderr,
            cached: self.cached,
            component: self.component,
            engine: if self.backend == BackendKind::Wasm { ENGINE_VERSION } else { self.backend.as_str() },
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::SystemTime;

    use super::ExecutionId;

    #[test]
    fn identities_grow_and_keep_the_process_apart() {
        let now = SystemTime::now();
        let last = AtomicU64::new(ExecutionId::first(5).as_u64());
        let (first, second) = (ExecutionId::next(&last, now), ExecutionId::next(&last, now));
        assert!(first < second);
        assert_eq!((first.as_u64() & 0x1fff, second.as_u64() & 0x1fff), (5, 5));
        assert_eq!(last.load(Ordering::Relaxed), second.as_u64());
        assert_eq!(first.to_string().len(), "exec_".len() + 16);
    }
}
