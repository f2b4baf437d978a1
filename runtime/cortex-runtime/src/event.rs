//! What happens to calls, for those who watch.

use std::sync::Arc;

use crate::execution::Execution;
use crate::flight::Flight;

/// How many events a watcher may lag behind before it misses some.
pub(crate) const EVENTS: usize = 1_024;

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// A call has begun that takes its time. Calls that end at once are only heard of when they have ended.
    Began(Arc<Flight>),
    /// A call has ended.
    Ended(Arc<Execution>),
    /// The files of a tool have changed.
    Reloaded(Reloaded),
}

/// A tool whose files have changed.
#[derive(Clone, Debug)]
pub struct Reloaded {
    /// As it was called.
    pub tool: String,
    /// Why calls go on with the version before; `None` if they go to the new one.
    pub error: Option<String>,
}
