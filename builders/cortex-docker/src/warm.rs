//! Containers that were started before they were needed, each for one call.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::{FutureExt, StreamExt};

use crate::call::{Waiting, start};
use crate::engine::Engine;
use crate::forwarder::Forwarders;
use crate::shape::Shape;

/// How long one waits for a call before it is ended: its memory is somebody's.
const IDLE: Duration = Duration::from_mins(5);

/// The waiting containers of one tool.
#[derive(Default)]
pub(crate) struct Warm {
    size: usize,
    waiting: Mutex<VecDeque<(Shape, Waiting, Instant)>>,
    starting: AtomicUsize,
}

impl Warm {
    pub(crate) fn new(size: usize) -> Self {
        Self { size, ..Self::default() }
    }

    /// One that waits and is of this shape. A call with other limits than the tool's gets none.
    pub(crate) fn take(&self, shape: &Shape) -> Option<Waiting> {
        loop {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            let at = waiting.iter().position(|(of, ..)| of == shape)?;
            let (_, mut taken, _) = waiting.remove(at)?;
            // One that has written something, or ended, is not waiting.
            if taken.attached.output.next().now_or_never().is_none() {
                return Some(taken);
            }
        }
    }

    /// Starts as many as are missing, in the background.
    pub(crate) fn refill(
        self: &Arc<Self>,
        engine: &Arc<Engine>,
        forwarders: &Arc<Forwarders>,
        shape: &Shape,
        tool: &str,
    ) {
        let there = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).len();
        let missing = self.size.saturating_sub(there + self.starting.load(Ordering::Relaxed));
        for _ in 0..missing {
            self.starting.fetch_add(1, Ordering::Relaxed);
            let (warm, engine, forwarders) = (Arc::clone(self), Arc::clone(engine), Arc::clone(forwarders));
            let (shape, tool) = (shape.clone(), tool.to_owned());
            Arc::clone(&engine).spawn(async move {
                // One that cannot be started is started when it is needed, and the reason told then.
                if let Ok(started) = start(&engine, &forwarders, &shape, &tool, Vec::new()).await {
                    let mut waiting = warm.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                    if !engine.tasks.is_closed() {
                        waiting.push_back((shape, started, Instant::now()));
                    }
                }
                warm.starting.fetch_sub(1, Ordering::Relaxed);
            });
        }
    }

    /// Ends those that nobody has needed for long; all of them with `at_once`.
    pub(crate) fn reap(&self, at_once: bool) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|(.., since)| !at_once && since.elapsed() < IDLE);
    }
}
