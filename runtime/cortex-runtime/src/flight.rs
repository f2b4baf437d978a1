//! Calls that have begun and not ended: what they are, and how one of them is stopped.
//!
//! Most calls end before their guest waits for anything. They never come here, so that a call of some microseconds does
//! not pay for what only long calls need.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::SystemTime;

use crate::execution::{Caller, Status};
use crate::identity::ExecutionId;

/// A call that has begun and not ended.
#[derive(Debug)]
pub struct Flight {
    /// Which call it is.
    pub id: ExecutionId,
    /// The tool as it was named by the caller.
    pub tool: Arc<str>,
    /// When the call began.
    pub started_at: SystemTime,
    /// Who called.
    pub caller: Caller,
    running: AtomicBool,
    ended: AtomicBool,
    stop: Mutex<Stop>,
}

#[derive(Debug, Default)]
struct Stop {
    asked: bool,
    waker: Option<Waker>,
}

impl Flight {
    pub(crate) fn new(id: ExecutionId, tool: Arc<str>, started_at: SystemTime, caller: Caller) -> Self {
        let (running, ended) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { id, tool, started_at, caller, running, ended, stop: Mutex::default() }
    }

    /// `Running` once the tool itself runs, `Pending` while the call waits for its turn or for a build.
    pub fn status(&self) -> Status {
        if self.running.load(Ordering::Relaxed) { Status::Running } else { Status::Pending }
    }

    pub(crate) fn run(&self) {
        self.running.store(true, Ordering::Relaxed);
    }

    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    /// Asks the call to stop. It ends as soon as its guest can be interrupted, within some 10 ms.
    pub fn cancel(&self) {
        let mut stop = self.lock();
        stop.asked = true;
        if let Some(waker) = stop.waker.take() {
            waker.wake();
        }
    }

    /// Ready once the call was asked to stop.
    pub(crate) fn poll_stopped(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut stop = self.lock();
        if stop.asked {
            return Poll::Ready(());
        }
        match &mut stop.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    fn lock(&self) -> MutexGuard<'_, Stop> {
        self.stop.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All of this process.
#[derive(Debug, Default)]
pub(crate) struct Flights(Mutex<HashMap<ExecutionId, Arc<Flight>>>);

impl Flights {
    fn lock(&self) -> MutexGuard<'_, HashMap<ExecutionId, Arc<Flight>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, flight: &Arc<Flight>) {
        self.lock().insert(flight.id, Arc::clone(flight));
    }

    pub(crate) fn remove(&self, id: ExecutionId) {
        self.lock().remove(&id);
    }

    pub(crate) fn get(&self, id: ExecutionId) -> Option<Arc<Flight>> {
        self.lock().get(&id).map(Arc::clone)
    }

    /// The latest first.
    pub(crate) fn all(&self) -> Vec<Arc<Flight>> {
        let mut all: Vec<_> = self.lock().values().map(Arc::clone).collect();
        all.sort_by_key(|flight| std::cmp::Reverse(flight.id));
        all
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }
}
