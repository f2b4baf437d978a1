//! One container, from its name to its removal.
//!
//! A container has its name before the engine is asked for it, and whoever holds a [`Container`] owns it: when it is dropped,
//! for whatever reason, the container is killed and removed on the engine's thread.

use std::fmt::Write;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bollard::container::{AttachContainerResults, LogOutput};
use bollard::models::ContainerCreateBody;
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, CreateContainerOptionsBuilder, StatsOptionsBuilder, WaitContainerOptionsBuilder,
};
use futures_util::{Stream, StreamExt};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use crate::engine::{Engine, PATIENCE};
use crate::error::{DockerError, asked, is_missing};
use crate::forwarder::Lease;
use crate::sweep;
use crate::usage;

/// A container that is removed when this is dropped.
pub(crate) struct Container {
    engine: Arc<Engine>,
    pub(crate) name: String,
    /// The engine's name for it, which the kernel's files have as well.
    id: String,
    /// The forwarder whose loopback it shares. Nobody else may have it before this container is gone.
    pub(crate) lease: Option<Box<Lease>>,
}

/// The ends of a container's streams.
pub(crate) struct Attached {
    pub(crate) input: Pin<Box<dyn AsyncWrite + Send>>,
    pub(crate) output: Pin<Box<dyn Stream<Item = Result<LogOutput, bollard::errors::Error>> + Send>>,
}

/// What a container used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Used {
    pub(crate) memory_peak_bytes: u64,
    pub(crate) cpu_us: u64,
    /// Whether memory was refused.
    pub(crate) refused_memory: bool,
}

/// How a container ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended {
    pub(crate) exit_code: i32,
    pub(crate) out_of_memory: bool,
}

impl Ended {
    /// Somebody else has removed it, as `cortex-wasm stop` does: it was killed, and there is nobody left to say so.
    const REMOVED: Self = Self { exit_code: 137, out_of_memory: false };
}

impl Container {
    /// Creates a container. It does not run yet.
    pub(crate) async fn create(
        engine: &Arc<Engine>,
        body: ContainerCreateBody,
        lease: Option<Box<Lease>>,
    ) -> Result<Self, DockerError> {
        let mut container = Self { engine: Arc::clone(engine), name: engine.next_name(), id: String::new(), lease };
        let options = CreateContainerOptionsBuilder::new().name(&container.name).build();
        container.id = within("create a container", engine.docker.create_container(Some(options), body)).await?.id;
        Ok(container)
    }

    /// Connects to the streams and starts it. Nothing that it writes can be missed.
    pub(crate) async fn start(&self) -> Result<Attached, DockerError> {
        let options = AttachContainerOptionsBuilder::new().stdin(true).stdout(true).stderr(true).stream(true).build();
        let docker = &self.engine.docker;
        let attached = within("attach to a container", docker.attach_container(&self.name, Some(options))).await?;
        let AttachContainerResults { input, output } = attached;
        within("start a container", docker.start_container(&self.name, None)).await?;
        Ok(Attached { input, output })
    }

    /// What it has used so far: from the kernel's own files where the engine is on this machine, since engines collect theirs
    /// only once a second.
    pub(crate) async fn used(&self) -> Option<Used> {
        if let Some(used) = usage::of(&self.id) {
            return Some(used);
        }
        let options = StatsOptionsBuilder::new().stream(false).one_shot(true).build();
        let mut stats = std::pin::pin!(self.engine.docker.stats(&self.name, Some(options)));
        let stats = timeout(Duration::from_secs(2), stats.next()).await.ok()??.ok()?;
        let memory = stats.memory_stats.unwrap_or_default();
        let cpu = stats.cpu_stats.and_then(|cpu| cpu.cpu_usage?.total_usage).unwrap_or_default();
        let detail = |name: &str| memory.stats.as_ref().and_then(|stats| stats.get(name)).copied().unwrap_or_default();
        // Files that the kernel keeps in memory for as long as nobody needs it are not the tool's.
        let now = memory.usage.unwrap_or_default().saturating_sub(detail("inactive_file"));
        Some(Used {
            memory_peak_bytes: memory.max_usage.unwrap_or(now),
            cpu_us: cpu / 1000,
            refused_memory: memory.failcnt.is_some_and(|failures| failures > 0),
        })
    }

    /// Waits for its end, which its streams have told of.
    pub(crate) async fn ended(&self) -> Result<Ended, DockerError> {
        let options = WaitContainerOptionsBuilder::new().condition("not-running").build();
        let mut waiting = std::pin::pin!(self.engine.docker.wait_container(&self.name, Some(options)));
        let end = timeout(PATIENCE, waiting.next()).await;
        let end = end.map_err(|_| unanswered("say how a container ended"))?;
        let exit_code = match end {
            Some(Ok(end)) => end.status_code,
            Some(Err(bollard::errors::Error::DockerContainerWaitError { code, .. })) => code,
            Some(Err(error)) if is_missing(&error) => return Ok(Ended::REMOVED),
            Some(Err(error)) => return Err(asked("say how a container ended")(error)),
            None => 0,
        };
        let state = timeout(PATIENCE, self.engine.docker.inspect_container(&self.name, None)).await;
        let state = match state.map_err(|_| unanswered("say how a container ended"))? {
            Err(error) if is_missing(&error) => return Ok(Ended::REMOVED),
            state => state.map_err(asked("say how a container ended"))?,
        };
        let out_of_memory = state.state.and_then(|state| state.oom_killed).unwrap_or(false);
        Ok(Ended { exit_code: i32::try_from(exit_code).unwrap_or(-1), out_of_memory })
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let (engine, name, lease) = (Arc::clone(&self.engine), self.name.clone(), self.lease.take());
        if let Some(lease) = &lease {
            lease.close();
        }
        self.engine.spawn(async move {
            // What cannot be removed now is found by the next process; its forwarder goes with it.
            if !matches!(timeout(PATIENCE, sweep::remove(&engine, &name)).await, Ok(Ok(()))) {
                std::mem::forget(lease);
            }
        });
    }
}

impl Attached {
    /// Sends the input: to the launcher after secrets and its length, to a program as it is, with its end.
    pub(crate) async fn feed(
        sink: &mut Pin<Box<dyn AsyncWrite + Send>>,
        launcher: Option<&[(String, String)]>,
        input: &str,
    ) -> std::io::Result<()> {
        let Some(secrets) = launcher else {
            sink.write_all(input.as_bytes()).await?;
            return sink.shutdown().await;
        };
        for (name, value) in secrets {
            // Every byte as a number, so that none of them means anything to a shell.
            let value = value.bytes().fold(String::with_capacity(5 * value.len()), |mut text, byte| {
                let _cannot_fail = write!(text, "\\0{byte:o}");
                text
            });
            sink.write_all(format!("secret {name} {value}\n").as_bytes()).await?;
        }
        sink.write_all(format!("{}\n", input.len()).as_bytes()).await?;
        sink.write_all(input.as_bytes()).await?;
        sink.flush().await
    }

    /// Sends an input as a line.
    pub(crate) async fn feed_line(&mut self, input: &str) -> std::io::Result<()> {
        self.input.write_all(input.as_bytes()).await?;
        self.input.write_all(b"\n").await?;
        self.input.flush().await
    }
}

/// Asks the engine for something that takes it no longer than it may.
pub(crate) async fn within<T>(
    action: &'static str,
    request: impl Future<Output = Result<T, bollard::errors::Error>>,
) -> Result<T, DockerError> {
    timeout(PATIENCE, request).await.map_err(|_| unanswered(action))?.map_err(asked(action))
}

fn unanswered(action: &'static str) -> DockerError {
    DockerError::Unanswered { action, seconds: PATIENCE.as_secs() }
}

impl Used {
    /// The larger of two readings.
    pub(crate) fn and(self, other: Option<Self>) -> Self {
        let other = other.unwrap_or_default();
        Self {
            memory_peak_bytes: self.memory_peak_bytes.max(other.memory_peak_bytes),
            cpu_us: self.cpu_us.max(other.cpu_us),
            refused_memory: self.refused_memory || other.refused_memory,
        }
    }
}
