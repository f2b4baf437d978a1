//! What a server measures of calls: told by the runtime, so that no way of calling is missed.

use std::time::Duration;

use crate::execution::Execution;

/// Hears of every call. Its methods run on the call path and must not block.
pub trait Telemetry: Send + Sync {
    /// A call begins. `parent` is the W3C `traceparent` that the caller named. What is returned lives as long as the call.
    fn begin(&self, tool: &str, parent: Option<&str>) -> Option<Box<dyn CallSpan>>;

    /// A call has ended.
    fn end(&self, execution: &Execution, phases: &Phases);
}

/// A call in a trace.
pub trait CallSpan: Send + Sync {
    /// What the guest's own requests carry, so that other systems' spans come below this one.
    fn traceparent(&self) -> Option<String>;

    /// The call has ended. Not called for one that was given up.
    fn end(self: Box<Self>, execution: &Execution, phases: &Phases);
}

/// How long the parts of a call took that come before the sandbox, each from the end of the one before.
#[derive(Clone, Copy, Debug, Default)]
pub struct Phases {
    /// Finding the tool, and on a first call building and compiling it.
    pub load: Duration,
    /// Waiting for its turn.
    pub queue: Duration,
    /// Checking the input and filling in defaults.
    pub validate: Duration,
}
