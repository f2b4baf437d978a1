//! A tool whose image is ready: what its containers look like, and its calls.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use cortex_manifest::{Access, ByteSize, HostPart, MilliCpu, ToolSpec};
use cortex_sandbox::{Contract, Egress, Ending, Failure, Grants, Limits, Observer, Outcome, SecretPlace};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::call::{ARGUMENT_BYTES_MAX, Order, run, start};
use crate::engine::Engine;
use crate::error::DockerError;
use crate::forwarder::Forwarders;
use crate::recipe::Recipe;
use crate::reuse::Reuse;
use crate::shape::{Bind, SECRETS, Shape};
use crate::warm::Warm;

const LAUNCHER: &str = include_str!("../glue/launch.sh");

/// What a tool gets that says nothing: bytes in `/tmp`, and thousandths of a core.
const DISK_BYTES: u64 = 64 << 20;
const CPU_MILLIS: u64 = 1000;

/// A tool that runs in containers.
#[derive(Clone)]
pub struct ContainerTool(Arc<Inner>);

pub(crate) struct Inner {
    engine: Arc<Engine>,
    forwarders: Arc<Forwarders>,
    /// Containers at the same time, of all tools together.
    slots: Arc<Semaphore>,
    name: String,
    image: String,
    digest: Arc<str>,
    contract: Contract,
    /// What is started; `None` for what the image says itself.
    words: Option<Vec<String>>,
    launched: bool,
    folder: PathBuf,
    spec: ToolSpec,
    cached: bool,
    warm: Option<Arc<Warm>>,
    reuse: Option<Reuse>,
}

/// What a backend gives each of its tools.
pub(crate) struct Shared {
    pub(crate) engine: Arc<Engine>,
    pub(crate) forwarders: Arc<Forwarders>,
    pub(crate) slots: Arc<Semaphore>,
    /// Whether this process lives long enough for containers to wait in it.
    pub(crate) keeps: bool,
}

impl ContainerTool {
    pub(crate) fn new(
        shared: Shared,
        spec: &ToolSpec,
        folder: &Path,
        recipe: &Recipe,
        image: String,
        digest: &str,
        cached: bool,
    ) -> Self {
        let implementation = &spec.implementation;
        let warm = shared.keeps && implementation.warm > 0;
        Self(Arc::new(Inner {
            name: spec.name.to_string(),
            image,
            digest: digest.into(),
            contract: recipe.contract,
            words: recipe.entrypoint.clone(),
            launched: recipe.launcher && !implementation.reuse,
            folder: folder.to_owned(),
            spec: spec.clone(),
            cached,
            warm: warm.then(|| Arc::new(Warm::new(implementation.warm.into()))),
            reuse: implementation.reuse.then(Reuse::default),
            engine: shared.engine,
            forwarders: shared.forwarders,
            slots: shared.slots,
        }))
    }

    /// How the tool sees a call.
    pub fn contract(&self) -> Contract {
        self.0.contract
    }

    /// The digest of what its image was built from.
    pub fn digest(&self) -> &Arc<str> {
        &self.0.digest
    }

    /// Whether nothing had to be built.
    pub fn was_cached(&self) -> bool {
        self.0.cached
    }

    pub(crate) fn downgrade(&self) -> std::sync::Weak<Inner> {
        Arc::downgrade(&self.0)
    }

    /// Calls the tool. Every end is an outcome. `observer` hears what it writes besides its result, line by line; its requests
    /// go on with the trace of `traceparent`. Dropping the future kills the container.
    pub async fn call(
        &self,
        input: &Value,
        limits: &Limits,
        grants: &Arc<Grants>,
        observer: Option<&Arc<dyn Observer>>,
        traceparent: Option<&str>,
    ) -> Outcome {
        let began = Instant::now();
        let input = input.to_string();
        if input.len() > limits.input_bytes {
            return Outcome::of_too_large_input(input.len(), limits);
        }
        let (inner, limits, grants) = (Arc::clone(&self.0), limits.clone(), Arc::clone(grants));
        let (observer, traceparent) = (observer.map(Arc::clone), traceparent.map(ToOwned::to_owned));
        let task =
            async move { inner.call(began, &input, &limits, &grants, observer.as_ref(), traceparent.as_deref()).await };
        let mut task = Abandoned(self.0.engine.tasks.spawn_on(task, &self.0.engine.handle));
        match (&mut task.0).await {
            Ok(outcome) => outcome,
            Err(error) => {
                let failure = Failure::new(Ending::BackendUnavailable.as_str(), format!("the call broke off: {error}"));
                Outcome::failed(Ending::BackendUnavailable, failure)
            }
        }
    }
}

/// A call whose caller may go away: then its container goes as well.
struct Abandoned(JoinHandle<Outcome>);

impl Drop for Abandoned {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Inner {
    async fn call(
        &self,
        began: Instant,
        input: &str,
        limits: &Limits,
        grants: &Arc<Grants>,
        observer: Option<&Arc<dyn Observer>>,
        traceparent: Option<&str>,
    ) -> Outcome {
        let shape = self.shape(limits, grants);
        let egress = shape.network.then(|| Egress::new(grants, limits.http).traced(traceparent));
        let order = Order {
            input,
            contract: self.contract,
            launched: self.launched,
            secrets: &shape.secrets,
            limits,
            egress: egress.as_ref(),
            grants,
            observer,
            began,
        };
        let outcome = match self.run(&shape, &order).await {
            Ok(outcome) => outcome,
            Err(error) => unavailable(&error),
        };
        outcome.settled(egress.as_ref(), grants)
    }

    async fn run(&self, shape: &Shape, order: &Order<'_>) -> Result<Outcome, DockerError> {
        if !shape.secrets.is_empty() && !self.launched {
            return Err(DockerError::Layout {
                tool: self.name.clone(),
                problem: "secrets can be given to a generated image only, and to a fresh process".into(),
                hint: "let requests carry them instead of `expose: true`".into(),
            });
        }
        let _slot = self.slots.acquire().await;
        if let Some(reuse) = &self.reuse {
            return reuse.call(&self.engine, &self.forwarders, shape, &self.name, order).await;
        }
        let waiting = self.warm.as_ref().and_then(|warm| warm.take(shape));
        if let Some(warm) = &self.warm {
            warm.refill(&self.engine, &self.forwarders, shape, &self.name);
        }
        let waiting = if let Some(waiting) = waiting {
            waiting
        } else {
            let argument = !self.launched && order.input.len() < ARGUMENT_BYTES_MAX;
            let command = if argument { vec![order.input.to_owned()] } else { Vec::new() };
            start(&self.engine, &self.forwarders, shape, &self.name, command).await?
        };
        run(waiting, order).await
    }

    fn shape(&self, limits: &Limits, grants: &Grants) -> Shape {
        let resources = &self.spec.implementation.resources;
        let refused = |capability: &str, target: &str| {
            let mut decisions = grants.refused.iter().map(|refusal| &refusal.decision);
            decisions.any(|decision| decision.capability == capability && decision.target == target)
        };
        let permissions = &self.spec.permissions;
        let mut folders = Vec::new();
        for folder in &permissions.filesystem {
            if !refused("filesystem", &format!("{} at {}", folder.host.as_str(), folder.guest.as_str())) {
                folders.push(Bind {
                    host: absolute(&self.folder.join(folder.host.as_path())),
                    guest: folder.guest.as_str().to_owned(),
                    writable: folder.access != Access::Read,
                });
            }
        }
        let mut environment: Vec<String> =
            grants.environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
        for part in permissions.host.iter().filter(|part| !refused("host", part.as_str())) {
            let name = part.as_str();
            folders.push(Bind { host: format!("/{name}"), guest: format!("/host/{name}"), writable: false });
            environment.push(match part {
                HostPart::Proc => "HOST_PROC=/host/proc".into(),
                HostPart::Sys => "HOST_SYS=/host/sys".into(),
            });
        }
        let exposed = grants.secrets.iter().filter(|secret| secret.place == SecretPlace::Exposed);
        let secrets: Vec<(String, String)> =
            exposed.map(|secret| (secret.name.clone(), secret.value.clone())).collect();
        environment.extend(secrets.iter().map(|(name, _)| format!("{name}_FILE={SECRETS}/{name}")));
        let entrypoint = match (&self.words, self.launched) {
            (Some(words), true) => {
                let launcher = ["sh", "-c", LAUNCHER, "sh"].map(ToOwned::to_owned);
                Some(launcher.into_iter().chain(words.iter().cloned()).collect())
            }
            (words, _) => words.clone(),
        };
        Shape {
            image: self.image.clone(),
            entrypoint,
            environment,
            folders,
            secrets,
            memory_bytes: limits.memory_bytes,
            // Files in `/tmp` are memory of the container as well: a full one must not look like a hungry program.
            disk_bytes: resources.disk_bytes.map_or(DISK_BYTES, ByteSize::bytes).min(limits.memory_bytes / 2),
            cpu_millis: resources.cpu_millis.map_or(CPU_MILLIS, MilliCpu::millis),
            network: !grants.network.is_empty() || !grants.services.is_empty(),
        }
    }

    /// Ends what waits too long, or everything.
    pub(crate) fn reap(&self, at_once: bool) {
        if let Some(warm) = &self.warm {
            warm.reap(at_once);
        }
        if let Some(reuse) = &self.reuse {
            reuse.reap(at_once);
        }
    }
}

fn absolute(path: &Path) -> String {
    let path = fs_err::canonicalize(path).or_else(|_| std::path::absolute(path));
    path.map_or_else(|_| String::new(), |path| path.display().to_string())
}

/// A call that the engine did not let happen.
fn unavailable(error: &DockerError) -> Outcome {
    let mut message = error.to_string();
    if let Some(cause) = std::error::Error::source(error) {
        message = format!("{message}: {cause}");
    }
    let mut failure = Failure::new(Ending::BackendUnavailable.as_str(), message);
    failure.hint = error.hint();
    Outcome::failed(Ending::BackendUnavailable, failure)
}

impl std::fmt::Debug for ContainerTool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ContainerTool").field("image", &self.0.image).finish_non_exhaustive()
    }
}
