//! How many calls run, and how many wait for their turn.
//!
//! The threat is one caller, or one tool, that sends more than the machine can do. Running calls are bounded, waiting ones
//! are bounded for each tool and in all, and what goes beyond is refused at once: a caller that hears no can come back,
//! one that waits without end cannot. Tools take turns, so a tool with a thousand waiting calls does not keep another
//! tool's only one waiting.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot};

use crate::error::RuntimeError;

/// How many calls may run and wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueLimits {
    /// Calls that run at the same time.
    pub running: usize,
    /// Calls of one tool that wait for their turn.
    pub waiting_each: usize,
    /// Calls of all tools that wait for their turn.
    pub waiting: usize,
}

impl Default for QueueLimits {
    /// As many running calls as the pool of sandboxes has places. A waiting call holds its input and little else: some
    /// 10 KB with its connection, so ten thousand of them take 100 MB.
    fn default() -> Self {
        Self { running: 1_000, waiting_each: 10_000, waiting: 20_000 }
    }
}

/// How full the gate is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueUsage {
    /// Calls that run now.
    pub running: usize,
    /// Calls that wait now.
    pub waiting: usize,
    /// Whether no call is let in any more.
    pub draining: bool,
    /// How many there may be.
    pub limits: QueueLimits,
}

#[derive(Debug)]
pub(crate) struct Gate {
    limits: QueueLimits,
    state: Mutex<State>,
    /// Told when the last call has left.
    empty: Notify,
}

#[derive(Debug)]
struct State {
    running: usize,
    waiting: usize,
    draining: bool,
    queues: HashMap<Arc<str>, Queue>,
    /// Tools with waiting calls, the next one first.
    turns: VecDeque<Arc<str>>,
    /// How fast calls end: what a refused caller is told to wait for.
    ended: u64,
    since: Instant,
}

/// The waiting calls of one tool.
#[derive(Debug, Default)]
struct Queue {
    calls: VecDeque<oneshot::Sender<()>>,
    /// Those of them whose callers are still there.
    waiting: usize,
}

/// The right to run. Dropping it gives the place to the next.
#[derive(Debug)]
pub(crate) struct Place<'a>(&'a Gate);

/// A place in the queue, which goes when the caller does.
struct Ticket<'a> {
    gate: &'a Gate,
    tool: Arc<str>,
    turn: oneshot::Receiver<()>,
    taken: bool,
}

impl Gate {
    pub(crate) fn new(limits: QueueLimits) -> Self {
        let state = State {
            running: 0,
            waiting: 0,
            draining: false,
            queues: HashMap::new(),
            turns: VecDeque::new(),
            ended: 0,
            since: Instant::now(),
        };
        Self { limits, state: Mutex::new(state), empty: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place, if one is free and nobody waits for it.
    pub(crate) fn try_enter(&self) -> Option<Place<'_>> {
        let mut state = self.lock();
        if state.draining || state.waiting > 0 || state.running >= self.limits.running {
            return None;
        }
        state.running += 1;
        Some(Place(self))
    }

    /// Waits for a place, or says why there will be none.
    pub(crate) async fn enter(&self, tool: &str) -> Result<Place<'_>, RuntimeError> {
        let mut ticket = match self.take_ticket(tool)? {
            Ok(place) => return Ok(place),
            Err(ticket) => ticket,
        };
        let called = (&mut ticket.turn).await;
        if called.is_err() {
            return Err(RuntimeError::Draining);
        }
        ticket.taken = true;
        Ok(Place(self))
    }

    fn take_ticket(&self, tool: &str) -> Result<Result<Place<'_>, Ticket<'_>>, RuntimeError> {
        let mut state = self.lock();
        if state.draining {
            return Err(RuntimeError::Draining);
        }
        if state.waiting == 0 && state.running < self.limits.running {
            state.running += 1;
            return Ok(Ok(Place(self)));
        }
        let mine = state.queues.get(tool).map_or(0, |queue| queue.waiting);
        if mine >= self.limits.waiting_each || state.waiting >= self.limits.waiting {
            return Err(RuntimeError::Overloaded { waiting: state.waiting, retry_after: state.patience() });
        }
        let (sender, turn) = oneshot::channel();
        let tool: Arc<str> = tool.into();
        if !state.queues.contains_key(&tool) {
            state.turns.push_back(Arc::clone(&tool));
        }
        let queue = state.queues.entry(Arc::clone(&tool)).or_default();
        queue.calls.push_back(sender);
        queue.waiting += 1;
        state.waiting += 1;
        Ok(Err(Ticket { gate: self, tool, turn, taken: false }))
    }

    pub(crate) fn usage(&self) -> QueueUsage {
        let state = self.lock();
        QueueUsage { running: state.running, waiting: state.waiting, draining: state.draining, limits: self.limits }
    }

    /// Lets nobody in any more, and sends those away that wait.
    pub(crate) fn drain(&self) {
        let mut state = self.lock();
        state.draining = true;
        state.queues.clear();
        state.turns.clear();
        state.waiting = 0;
    }

    /// Waits until no call runs.
    pub(crate) async fn emptied(&self) {
        loop {
            let emptied = self.empty.notified();
            if self.lock().running == 0 {
                return;
            }
            emptied.await;
        }
    }

    fn leave(&self) {
        let mut state = self.lock();
        state.ended += 1;
        if !state.call_next() {
            state.running -= 1;
            if state.running == 0 && state.draining {
                drop(state);
                self.empty.notify_waiters();
            }
        }
    }
}

impl State {
    /// Gives a place that became free to the next tool's next call. `false` when nobody waits.
    fn call_next(&mut self) -> bool {
        while let Some(tool) = self.turns.pop_front() {
            let Some(queue) = self.queues.get_mut(&tool) else { continue };
            // Whoever has gone meanwhile does not take the place, and is not counted any more.
            let called = std::iter::from_fn(|| queue.calls.pop_front()).any(|next| next.send(()).is_ok());
            queue.waiting -= usize::from(called);
            self.waiting -= usize::from(called);
            if queue.calls.is_empty() {
                self.queues.remove(&tool);
            } else {
                self.turns.push_back(tool);
            }
            if called {
                return true;
            }
        }
        false
    }

    /// A caller has gone that waited.
    fn gone(&mut self, tool: &str) {
        let Some(queue) = self.queues.get_mut(tool) else { return };
        queue.waiting -= 1;
        self.waiting -= 1;
        // Callers that come and go must not fill memory while nothing moves.
        if queue.calls.len() > 2 * queue.waiting + 16 {
            queue.calls.retain(|call| !call.is_closed());
        }
    }

    /// How long it takes until those that wait now have had their turn, as fast as it went so far.
    fn patience(&mut self) -> Duration {
        let elapsed = self.since.elapsed();
        let each = elapsed.checked_div(u32::try_from(self.ended).unwrap_or(u32::MAX)).unwrap_or(Duration::from_secs(1));
        if elapsed > Duration::from_mins(1) {
            (self.ended, self.since) = (0, Instant::now());
        }
        let waiting = u32::try_from(self.waiting).unwrap_or(u32::MAX);
        (each.saturating_mul(waiting)).clamp(Duration::from_secs(1), Duration::from_mins(1))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.leave();
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        if self.taken {
            return;
        }
        let mut state = self.gate.lock();
        // Nobody calls it from here on: callers hold the same lock.
        self.turn.close();
        if self.turn.try_recv().is_ok() {
            // Called, and left before it was told: the place goes on to the next.
            drop(state);
            self.gate.leave();
        } else if !state.draining {
            state.gone(&self.tool);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::{Pin, pin};
    use std::task::{Context, Poll, Waker};

    use super::{Gate, Place, QueueLimits};
    use crate::error::RuntimeError;

    const SMALL: QueueLimits = QueueLimits { running: 1, waiting_each: 2, waiting: 3 };

    fn poll<'a>(
        future: Pin<&mut impl Future<Output = Result<Place<'a>, RuntimeError>>>,
    ) -> Option<Result<Place<'a>, RuntimeError>> {
        match future.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(entered) => Some(entered),
            Poll::Pending => None,
        }
    }

    #[test]
    fn tools_take_turns_and_the_gone_are_passed_over() {
        let gate = Gate::new(SMALL);
        let first = gate.try_enter().unwrap();
        let mut busy = pin!(gate.enter("busy"));
        let mut gone = Box::pin(gate.enter("busy"));
        let mut rare = pin!(gate.enter("rare"));
        assert!(poll(busy.as_mut()).is_none() && poll(gone.as_mut()).is_none() && poll(rare.as_mut()).is_none());
        drop(gone);
        drop(first);
        let second = poll(busy.as_mut()).unwrap().unwrap();
        assert!(poll(rare.as_mut()).is_none());
        drop(second);
        let third = poll(rare.as_mut()).unwrap().unwrap();
        drop(third);
        assert_eq!((gate.usage().running, gate.usage().waiting), (0, 0));
    }

    #[test]
    fn a_full_queue_refuses_at_once_and_a_draining_gate_sends_everybody_away() {
        let gate = Gate::new(SMALL);
        let running = gate.try_enter().unwrap();
        let (mut first, mut second) = (pin!(gate.enter("a")), pin!(gate.enter("a")));
        let (mut third, mut other) = (pin!(gate.enter("a")), pin!(gate.enter("b")));
        assert!(poll(first.as_mut()).is_none() && poll(second.as_mut()).is_none());
        assert!(matches!(poll(third.as_mut()), Some(Err(RuntimeError::Overloaded { waiting: 2, .. }))));
        assert!(poll(other.as_mut()).is_none());
        let mut last = pin!(gate.enter("c"));
        assert!(matches!(poll(last.as_mut()), Some(Err(RuntimeError::Overloaded { waiting: 3, .. }))));
        gate.drain();
        assert!(matches!(poll(first.as_mut()), Some(Err(RuntimeError::Draining))));
        assert!(gate.try_enter().is_none());
        drop(running);
        assert_eq!(gate.usage().running, 0);
    }

    #[test]
    fn a_place_that_was_given_to_somebody_who_left_is_not_lost() {
        let gate = Gate::new(SMALL);
        let running = gate.try_enter().unwrap();
        let mut called = Box::pin(gate.enter("a"));
        assert!(poll(called.as_mut()).is_none());
        drop(running);
        assert_eq!(gate.usage().running, 1, "it was handed over");
        drop(called);
        assert_eq!(gate.usage().running, 0);
    }
}
