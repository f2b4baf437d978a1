//! One process for one call after another: the author's promise that a call leaves nothing behind in it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bollard::container::LogOutput;
use cortex_sandbox::{Contract, Egress, Outcome, Usage};
use futures_util::StreamExt;
use tokio::sync::Mutex;
use tokio::time::Instant as Moment;

use crate::call::{End, Order, Waiting, classify, micros, start};
use crate::capture::Capture;
use crate::container::Used;
use crate::engine::Engine;
use crate::error::DockerError;
use crate::forwarder::Forwarders;
use crate::shape::Shape;

/// How long a process waits for the next call.
const IDLE: Duration = Duration::from_mins(5);

/// How often the engine is asked what the process uses: asking takes longer than a call.
const LOOK: Duration = Duration::from_millis(500);

/// The process of one tool, if it runs.
#[derive(Default)]
pub(crate) struct Reuse(Mutex<Option<Serving>>);

struct Serving {
    shape: Shape,
    waiting: Waiting,
    last_call: Instant,
    looked: Option<(Instant, Used)>,
}

impl Reuse {
    /// Sends a call to the process, which is started when there is none. One call at a time: the others wait.
    pub(crate) async fn call(
        &self,
        engine: &Arc<Engine>,
        forwarders: &Arc<Forwarders>,
        shape: &Shape,
        tool: &str,
        order: &Order<'_>,
    ) -> Result<Outcome, DockerError> {
        let mut process = self.0.lock().await;
        // Whatever goes wrong from here on, the process is not used again: it is out of the lock until the call went well.
        let mut serving = match process.take().filter(|serving| serving.shape == *shape) {
            Some(serving) => serving,
            None => Serving {
                shape: shape.clone(),
                waiting: start(engine, forwarders, shape, tool, serve_argument(order.contract)).await?,
                last_call: Instant::now(),
                looked: None,
            },
        };
        if let (Some(lease), Some(egress)) = (&serving.waiting.container.lease, order.egress) {
            lease.open(egress.clone());
        }
        let fed = Instant::now();
        let mut capture = order.capture(false);
        let deadline = Moment::from_std(fed + order.limits.timeout);
        let end = tokio::time::timeout_at(deadline, exchange(&mut serving, order, &mut capture)).await;
        if let Some(lease) = &serving.waiting.container.lease {
            lease.close();
        }
        let end = match end {
            Ok(end) => end?,
            Err(_) => End::Deadline,
        };
        let before = serving.looked.map_or(Used::default(), |(_, used)| used);
        let well = matches!(end, End::Exited { code: 0, .. });
        // A process that goes on is only looked at now and then.
        if serving.looked.is_none_or(|(at, _)| at.elapsed() > LOOK) || !well {
            serving.looked = serving.waiting.container.used().await.map(|used| (Instant::now(), used));
        }
        let used = serving.looked.map_or(before, |(_, used)| used);
        let mut outcome = classify(end, capture, order);
        outcome.usage = Usage {
            memory_peak_bytes: used.memory_peak_bytes,
            cpu_us: used.cpu_us.saturating_sub(before.cpu_us),
            wall_us: micros(order.began.elapsed()),
            instantiate_us: micros(fed - order.began),
            http_requests: order.egress.map_or(0, Egress::requests),
            ..Usage::default()
        };
        if well {
            serving.last_call = Instant::now();
            *process = Some(serving);
        }
        Ok(outcome)
    }

    /// Ends the process if it waits for calls that do not come; in any case with `at_once`.
    pub(crate) fn reap(&self, at_once: bool) {
        // One that is being called is not idle.
        let Ok(mut process) = self.0.try_lock() else { return };
        if process.as_ref().is_some_and(|serving| at_once || serving.last_call.elapsed() > IDLE) {
            process.take();
        }
    }
}

/// What tells our own runners to go on; a program of the author's that reads lines needs no telling.
fn serve_argument(contract: Contract) -> Vec<String> {
    match contract {
        Contract::Command => Vec::new(),
        Contract::Tool | Contract::Functions => vec!["--serve".into()],
    }
}

async fn exchange(serving: &mut Serving, order: &Order<'_>, capture: &mut Capture) -> Result<End, DockerError> {
    let Waiting { container, attached } = &mut serving.waiting;
    // One that has ended says so when it is read from.
    let _either_way = attached.feed_line(order.input).await;
    while !capture.is_answered() {
        match attached.output.next().await {
            Some(Ok(LogOutput::StdOut { message } | LogOutput::Console { message })) => {
                if capture.stdout(&message).is_err() {
                    return Ok(End::TooLarge);
                }
            }
            Some(Ok(LogOutput::StdErr { message })) => capture.stderr(&message),
            Some(Ok(LogOutput::StdIn { .. })) => {}
            Some(Err(_)) | None => {
                let ended = container.ended().await?;
                // It had a call to answer and did not, whatever it says itself.
                let code = if ended.exit_code == 0 { 1 } else { ended.exit_code };
                return Ok(End::Exited { code, out_of_memory: ended.out_of_memory });
            }
        }
    }
    Ok(End::Exited { code: 0, out_of_memory: false })
}
