//! One call in a container: started or taken from those that wait, fed, read, classified.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bollard::container::LogOutput;
use cortex_sandbox::{Contract, Egress, Ending, Failure, Grants, Limits, Observer, Outcome, Usage};
use futures_util::StreamExt;
use tokio::io::AsyncWriteExt;
use tokio::time::Instant as Moment;

use crate::capture::Capture;
use crate::container::{Attached, Container, Used};
use crate::engine::Engine;
use crate::error::DockerError;
use crate::forwarder::Forwarders;
use crate::owner::Kind;
use crate::shape::Shape;

/// How often a call that goes on is looked at: what engines report of memory is of the moment.
const LOOK: Duration = Duration::from_millis(250);

/// The longest argument that Linux takes. A longer input is on standard input only.
pub(crate) const ARGUMENT_BYTES_MAX: usize = 128 << 10;

/// A container that runs and has not been given its input.
pub(crate) struct Waiting {
    pub(crate) container: Container,
    pub(crate) attached: Attached,
}

/// How a call in a container ended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    /// The program ended, or the function answered.
    Exited { code: i32, out_of_memory: bool },
    /// Its time was over.
    Deadline,
    /// Its result was too large.
    TooLarge,
}

/// Starts a container of a shape. `command` is what the program gets as arguments, where no launcher hands them over.
pub(crate) async fn start(
    engine: &Arc<Engine>,
    forwarders: &Arc<Forwarders>,
    shape: &Shape,
    tool: &str,
    command: Vec<String>,
) -> Result<Waiting, DockerError> {
    let lease = if shape.network { Some(Box::new(forwarders.lease(engine).await?)) } else { None };
    let network = lease.as_ref().map_or_else(|| "none".to_owned(), |lease| lease.network());
    let body = shape.body(&network, command, engine.owner.labels(Kind::Tool, tool));
    let container = Container::create(engine, body, lease).await?;
    let attached = container.start().await?;
    Ok(Waiting { container, attached })
}

/// Everything about one call but its container.
pub(crate) struct Order<'a> {
    pub(crate) input: &'a str,
    pub(crate) contract: Contract,
    /// Whether the launcher waits for the input.
    pub(crate) launched: bool,
    pub(crate) secrets: &'a [(String, String)],
    pub(crate) limits: &'a Limits,
    pub(crate) egress: Option<&'a Egress>,
    pub(crate) grants: &'a Grants,
    /// Hears what the tool writes while it runs.
    pub(crate) observer: Option<&'a Arc<dyn Observer>>,
    pub(crate) began: Instant,
}

impl Order<'_> {
    /// What its container writes. `launched`: the launcher says when the program has ended.
    pub(crate) fn capture(&self, launched: bool) -> Capture {
        let capture = Capture::new(self.limits.output_bytes, self.contract, launched);
        capture.heard_by(self.observer, self.limits, self.grants)
    }
}

/// Runs a call in a container that waits for it.
pub(crate) async fn run(mut waiting: Waiting, order: &Order<'_>) -> Result<Outcome, DockerError> {
    let Waiting { container, attached } = &mut waiting;
    if let (Some(lease), Some(egress)) = (&container.lease, order.egress) {
        lease.open(egress.clone());
    }
    let fed = Instant::now();
    let mut capture = order.capture(order.launched);
    let used = Mutex::new(Used::default());
    let end = {
        let deadline = Moment::from_std(fed + order.limits.timeout);
        let timed = tokio::time::timeout_at(deadline, exchange(container, attached, order, &mut capture, &used)).await;
        match timed {
            Ok(end) => end?,
            Err(_) => End::Deadline,
        }
    };
    let used = used.into_inner().unwrap_or_else(PoisonError::into_inner).and(container.used().await);
    let usage = Usage {
        memory_peak_bytes: used.memory_peak_bytes,
        cpu_us: used.cpu_us,
        wall_us: micros(order.began.elapsed()),
        instantiate_us: micros(fed - order.began),
        http_requests: order.egress.map_or(0, Egress::requests),
        ..Usage::default()
    };
    let end = match end {
        // The kernel's word about memory comes with the container's end.
        End::Exited { code: code @ 137, out_of_memory: false } => {
            let _tells_the_launcher_to_end = attached.input.shutdown().await;
            let out_of_memory = container.ended().await?.out_of_memory || used.refused_memory;
            End::Exited { code, out_of_memory }
        }
        end => end,
    };
    let mut outcome = classify(end, capture, order);
    outcome.usage = usage;
    Ok(outcome)
}

/// Feeds the input and reads until the program has ended.
async fn exchange(
    container: &Container,
    attached: &mut Attached,
    order: &Order<'_>,
    capture: &mut Capture,
    used: &Mutex<Used>,
) -> Result<End, DockerError> {
    let Attached { input, output } = attached;
    let mut feeding = std::pin::pin!(Attached::feed(input, order.launched.then_some(order.secrets), order.input));
    let mut fed = false;
    // Beside the reading: the engine takes its time to say what a container uses.
    let mut looking = std::pin::pin!(look(container, used));
    loop {
        tokio::select! {
            // A program that does not read its input has ended or does not want it.
            _either_way = &mut feeding, if !fed => fed = true,
            piece = output.next() => match piece {
                Some(Ok(LogOutput::StdOut { message } | LogOutput::Console { message })) => {
                    if capture.stdout(&message).is_err() {
                        return Ok(End::TooLarge);
                    }
                }
                Some(Ok(LogOutput::StdErr { message })) => capture.stderr(&message),
                Some(Ok(LogOutput::StdIn { .. })) => {}
                Some(Err(_)) | None => break,
            },
            () = &mut looking => {}
        }
        if let Some(code) = capture.exit_code() {
            return Ok(End::Exited { code, out_of_memory: false });
        }
    }
    let ended = container.ended().await?;
    Ok(End::Exited { code: ended.exit_code, out_of_memory: ended.out_of_memory })
}

/// Keeps the most that a container was seen to use. Does not end by itself.
async fn look(container: &Container, used: &Mutex<Used>) {
    loop {
        tokio::time::sleep(LOOK).await;
        let now = container.used().await;
        let mut used = used.lock().unwrap_or_else(PoisonError::into_inner);
        *used = used.and(now);
    }
}

/// The same endings as in the sandbox.
pub(crate) fn classify(end: End, capture: Capture, order: &Order<'_>) -> Outcome {
    let limits = order.limits;
    let (answer, stdout, stderr) = capture.finish();
    let stopped = match end {
        End::Deadline => {
            let message = format!("still running after {:?}", limits.timeout);
            Outcome::stopped_by(Ending::DeadlineExceeded, message, "timeout")
        }
        End::TooLarge => Outcome::of_too_large_result(limits),
        End::Exited { out_of_memory: true, code } if code != 0 => {
            let message = format!("needed more than {} bytes of memory", limits.memory_bytes);
            Outcome::stopped_by(Ending::MemoryExceeded, message, "memory")
        }
        End::Exited { code, .. } => match (order.contract, answer) {
            (Contract::Command, _) => match crash(code) {
                Some(signal) => {
                    Outcome::failed(Ending::Trap, Failure::new(Ending::Trap.as_str(), format!("crashed: {signal}")))
                }
                None => return Outcome::of_program(code, stdout, stderr),
            },
            (_, Some(answer)) => return Outcome::of_answer(answer, stdout, stderr, limits),
            (_, None) => match crash(code) {
                Some(signal) => {
                    Outcome::failed(Ending::Trap, Failure::new(Ending::Trap.as_str(), format!("crashed: {signal}")))
                }
                None if code != 0 => return Outcome::of_program(code, stdout, stderr),
                None => {
                    let failure =
                        Failure::new(Ending::InvalidOutput.as_str(), "ended before the function had answered");
                    Outcome::failed(
                        Ending::InvalidOutput,
                        failure.with_hint("return from the function instead of ending the process"),
                    )
                }
            },
        },
    };
    Outcome { stdout, stderr, ..stopped }
}

/// Signals by which the machine ends a program that went wrong.
fn crash(code: i32) -> Option<&'static str> {
    match code {
        132 => Some("illegal instruction"),
        134 => Some("aborted"),
        135 => Some("bus error"),
        136 => Some("arithmetic error"),
        139 => Some("segmentation fault"),
        159 => Some("a system call that is not allowed"),
        _ => None,
    }
}

pub(crate) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
