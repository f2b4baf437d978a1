//! One call, from its identity to its record.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::{Instant, SystemTime};

use cortex_build::BackendKind;
use cortex_sandbox::{Ending, Failure, Interrupt, Outcome};
use serde_json::Value;

use crate::backend::LoadFailure;
use crate::error::RuntimeError;
use crate::event::Event;
use crate::execution::{Begun, Execution};
use crate::flight::Flight;
use crate::identity::ExecutionId;
use crate::load::Ready;
use crate::runtime::{CallOptions, Inner, Runtime};
use crate::telemetry::Phases;

/// The backend on paper of a call that ended before its tool was found.
const UNKNOWN: BackendKind = BackendKind::Wasm;

/// A call that has its identity and does not run yet. Dropping it cancels it.
#[derive(Debug)]
pub struct CallHandle {
    runtime: Runtime,
    tool: String,
    options: CallOptions,
    going: Going,
}

impl Runtime {
    /// Begins a call: it is listed, and can be cancelled, from now on. [`CallHandle::run`] makes it.
    pub fn begin(&self, tool: &str, options: CallOptions) -> CallHandle {
        let going = Going::new(&self.0);
        going.flight(&self.0, tool, &options);
        CallHandle { runtime: self.clone(), tool: tool.to_owned(), options, going }
    }

    /// Calls a tool by name or path. `input` is a JSON object of its parameters. Every end of a call that found a tool
    /// is an [`Execution`], and is recorded.
    ///
    /// Must run on a tokio runtime with its timer enabled. Dropping the future stops the guest.
    pub async fn call(&self, tool: &str, input: &Value, options: CallOptions) -> Result<Arc<Execution>, RuntimeError> {
        let going = Going::new(&self.0);
        let call = Call { inner: &self.0, going: &going, tool, options: &options };
        call.run(input).await
    }
}

impl CallHandle {
    /// Which call it is.
    pub fn id(&self) -> ExecutionId {
        self.going.id
    }

    /// Waits until the call is in the record: from then on, whatever becomes of this process, the call is known.
    pub async fn recorded(&self) -> Result<(), RuntimeError> {
        self.runtime.flush().await
    }

    /// Makes the call. Dropping the future stops the guest.
    pub async fn run(self, input: &Value) -> Result<Arc<Execution>, RuntimeError> {
        let call = Call { inner: &self.runtime.0, going: &self.going, tool: &self.tool, options: &self.options };
        call.run(input).await
    }
}

/// What goes when a call's future goes, however it does.
#[derive(Debug)]
struct Going {
    id: ExecutionId,
    started_at: SystemTime,
    /// Set once the call takes its time.
    flight: OnceLock<InFlight>,
}

#[derive(Debug)]
struct InFlight {
    flight: Arc<Flight>,
    runtime: Runtime,
}

impl Going {
    fn new(inner: &Inner) -> Self {
        let started_at = SystemTime::now();
        Self { id: inner.identities.next(started_at), started_at, flight: OnceLock::new() }
    }

    /// Enters the call among those that take their time, once.
    fn flight(&self, inner: &Arc<Inner>, tool: &str, options: &CallOptions) -> &Arc<Flight> {
        let enter = || {
            let flight = Arc::new(Flight::new(self.id, tool.into(), self.started_at, options.caller.clone()));
            inner.flights.add(&flight);
            inner.recorder.began(&flight);
            inner.tell(|| Event::Began(Arc::clone(&flight)));
            InFlight { flight, runtime: Runtime(Arc::clone(inner)) }
        };
        &self.flight.get_or_init(enter).flight
    }

    fn land(&self, inner: &Inner) {
        if let Some(in_flight) = self.flight.get() {
            in_flight.flight.end();
            inner.flights.remove(self.id);
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if self.flight.has_ended() {
            return;
        }
        // The caller has gone in the middle of it.
        let (inner, flight) = (&self.runtime.0, &self.flight);
        let begun = Begun::unloaded(UNKNOWN, &flight.tool, flight.started_at, flight.caller.clone());
        let failure = Failure::new(Ending::Cancelled.as_str(), "the caller went away before the call had ended");
        let mut outcome = Outcome::failed(Ending::Cancelled, failure);
        let took = flight.started_at.elapsed().unwrap_or_default();
        outcome.usage.wall_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let execution = Arc::new(begun.end(flight.id, outcome));
        flight.end();
        inner.flights.remove(flight.id);
        inner.recorder.record(&execution);
        if let Some(telemetry) = &inner.telemetry {
            telemetry.end(&execution, &Phases::default());
        }
        inner.tell(|| Event::Ended(execution));
    }
}

#[derive(Clone, Copy)]
struct Call<'a> {
    inner: &'a Arc<Inner>,
    going: &'a Going,
    tool: &'a str,
    options: &'a CallOptions,
}

impl Interrupt for Call<'_> {
    /// Asked when the guest waits for the first time, and whenever it does: this is what makes a call one that takes its
    /// time.
    fn poll_interrupted(&self, cx: &mut Context<'_>) -> Poll<()> {
        let flight = self.going.flight(self.inner, self.tool, self.options);
        flight.run();
        flight.poll_stopped(cx)
    }
}

/// The call was stopped while it waited.
struct Stopped;

impl Call<'_> {
    async fn run(self, input: &Value) -> Result<Arc<Execution>, RuntimeError> {
        let telemetry = self.inner.telemetry.as_deref();
        let span = telemetry.and_then(|telemetry| telemetry.begin(self.tool, self.options.traceparent.as_deref()));
        let traceparent = span.as_ref().and_then(|span| span.traceparent());
        let mut clock = Clock { on: telemetry.is_some(), phases: Phases::default(), since: None };
        clock.start();
        let (begun, outcome) = match self.load().await {
            Ok(loaded) => {
                clock.phases.load = clock.lap();
                match loaded.map_err(|error| self.refused(error))? {
                    Ok((ready, cached)) => {
                        let outcome = self.take_turn(&ready, input, traceparent.as_deref(), &mut clock).await;
                        (self.begun(&ready, cached), outcome.map_err(|error| self.refused(error))?)
                    }
                    Err(failed) => (self.unloaded(failed.backend), Outcome::failed(failed.ending, failed.failure)),
                }
            }
            Err(Stopped) => (self.unloaded(UNKNOWN), stopped()),
        };
        let execution = Arc::new(begun.end(self.going.id, outcome));
        self.going.land(self.inner);
        let written = if self.options.durable {
            Some(self.inner.recorder.record_and_tell(&execution))
        } else {
            self.inner.recorder.record(&execution);
            None
        };
        if let Some(telemetry) = telemetry {
            telemetry.end(&execution, &clock.phases);
            if let Some(span) = span {
                span.end(&execution, &clock.phases);
            }
        }
        self.inner.tell(|| Event::Ended(Arc::clone(&execution)));
        if let Some(written) = written {
            written.await.map_err(|_| RuntimeError::NotRecorded { id: execution.execution_id })?;
        }
        Ok(execution)
    }

    /// There will be no execution. A call that was listed already ends in the record with the reason.
    fn refused(self, error: RuntimeError) -> RuntimeError {
        if self.going.flight.get().is_some() {
            let failure = Failure { hint: error.hint(), ..Failure::new(error.code(), error.to_string()) };
            let outcome = Outcome::failed(Ending::BackendUnavailable, failure);
            let execution = Arc::new(self.unloaded(UNKNOWN).end(self.going.id, outcome));
            self.going.land(self.inner);
            self.inner.recorder.record(&execution);
            self.inner.tell(|| Event::Ended(execution));
        }
        error
    }

    /// The tool, ready to run.
    async fn load(self) -> Result<Result<Result<(Arc<Ready>, bool), LoadFailure>, RuntimeError>, Stopped> {
        match self.inner.ready.get(self.tool) {
            Some(ready) => Ok(Ok(Ok((ready, true)))),
            None => self.or_stopped(self.inner.load(self.tool, self.options.progress.clone())).await,
        }
    }

    /// Waits for its turn, if there is a queue, and makes the call.
    async fn take_turn(
        self,
        ready: &Ready,
        input: &Value,
        traceparent: Option<&str>,
        clock: &mut Clock,
    ) -> Result<Outcome, RuntimeError> {
        let _place = match &self.inner.gate {
            None => None,
            Some(gate) => match gate.try_enter() {
                Some(place) => Some(place),
                None => match self.or_stopped(gate.enter(self.tool)).await {
                    Ok(place) => Some(place?),
                    Err(Stopped) => return Ok(stopped()),
                },
            },
        };
        clock.phases.queue = clock.lap();
        Ok(self.inner.invoke(ready, input, self.options, &self, traceparent, clock).await)
    }

    /// Waits for something before the tool runs, unless the call is stopped.
    async fn or_stopped<T>(self, future: impl Future<Output = T>) -> Result<T, Stopped> {
        let mut future = pin!(future);
        let poll = |cx: &mut Context<'_>| match future.as_mut().poll(cx) {
            Poll::Ready(value) => Poll::Ready(Ok(value)),
            Poll::Pending => {
                self.going.flight(self.inner, self.tool, self.options).poll_stopped(cx).map(|()| Err(Stopped))
            }
        };
        std::future::poll_fn(poll).await
    }

    fn begun(self, ready: &Ready, cached: bool) -> Begun {
        Begun {
            tool: Arc::clone(&ready.reference),
            started_at: self.going.started_at,
            backend: ready.runnable.backend(),
            contract: Some(ready.runnable.contract()),
            component: Some(Arc::clone(ready.runnable.digest())),
            cached,
            caller: self.options.caller.clone(),
        }
    }

    fn unloaded(self, backend: BackendKind) -> Begun {
        let caller = self.options.caller.clone();
        Begun::unloaded(backend, &self.tool.into(), self.going.started_at, caller)
    }
}

fn stopped() -> Outcome {
    let failure = Failure::new(Ending::Cancelled.as_str(), "the call was cancelled before the tool ran");
    Outcome::failed(Ending::Cancelled, failure)
}

/// Looks at the time only when somebody wants to know.
pub(crate) struct Clock {
    on: bool,
    pub(crate) phases: Phases,
    since: Option<Instant>,
}

impl Clock {
    fn start(&mut self) {
        self.since = self.on.then(Instant::now);
    }

    /// The time since the last lap.
    pub(crate) fn lap(&mut self) -> std::time::Duration {
        let Some(since) = self.since else { return std::time::Duration::ZERO };
        let now = Instant::now();
        self.since = Some(now);
        now - since
    }
}
