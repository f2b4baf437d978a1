//! The one way to call a tool: validate, load, invoke, record.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::SystemTime;

use cortex_build::{BackendKind, Plan, Progress, Silent, Workshop, plan};
use cortex_docker::{DockerBackend, DockerSettings};
use cortex_manifest::{InputSchema, InvalidInput};
use cortex_sandbox::{
    Allocation, CacheUsage, CompiledCache, DEFAULT_CACHE_BYTES, Ending, Failure, LimitError, LimitSource, Limits,
    Outcome, Overrides, Sandbox,
};
use serde_json::Value;

use crate::backend::{LoadFailure, Prepared, SandboxBackend};
use crate::backends::Backends;
use crate::error::RuntimeError;
use crate::execution::{Begun, Execution, ExecutionId};
use crate::load::{Ready, ReadyTools};
use crate::policy::{Operator, Permit, Policy};
use crate::recorder::Recorder;
use crate::reference::ToolReference;
use crate::registry::{Listed, Registry, Tool, ToolSource};
use crate::secrets::Secrets;

/// Where things are and what is allowed. The runtime looks nowhere else.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The folder for components, compiled code, toolchains and the record of executions.
    pub home: PathBuf,
    /// Folders with tools, in the order in which a name is looked up. The standard tools come last.
    pub manifests: Vec<PathBuf>,
    /// For one call or for many.
    pub allocation: Allocation,
    /// The most that a manifest may ask for.
    pub ceiling: Limits,
    /// What the operator grants.
    pub policy: Policy,
    /// The operator's own variables: what tools may ask for by name, and secrets.
    pub environment: BTreeMap<String, String>,
    /// How much compiled code is kept on disk.
    pub cache_bytes: u64,
    /// The container engine, and what images are made of. Its home is this one.
    pub docker: DockerSettings,
    /// Never fetch anything.
    pub offline: bool,
}

impl Settings {
    /// For a process that makes many calls, with the standard tools only.
    pub fn new(home: impl Into<PathBuf>) -> Self {
        Self {
            home: home.into(),
            manifests: Vec::new(),
            allocation: Allocation::Pooled { calls: 1000 },
            ceiling: Limits::CEILING,
            policy: Policy::default(),
            environment: BTreeMap::new(),
            cache_bytes: DEFAULT_CACHE_BYTES,
            docker: DockerSettings::default(),
            offline: false,
        }
    }
}

/// What a caller may say about one call.
#[derive(Clone, Default)]
pub struct CallOptions {
    /// Limits below the tool's own.
    pub limits: Overrides,
    /// The same clocks and randomness as in every other call with this seed.
    pub deterministic: Option<u64>,
    /// Hears what a first call builds.
    pub progress: Option<Arc<dyn Progress>>,
}

impl std::fmt::Debug for CallOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CallOptions")
            .field("limits", &self.limits)
            .field("deterministic", &self.deterministic)
            .finish_non_exhaustive()
    }
}

/// Tools by name, and a record of every call. Cheap to clone; make one for a process.
#[derive(Clone)]
pub struct Runtime(Arc<Inner>);

struct Inner {
    registry: Registry,
    backends: Backends,
    ready: ReadyTools,
    recorder: Recorder,
    operator: Operator,
    last_id: AtomicU64,
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runtime").field("registry", &self.0.registry).finish_non_exhaustive()
    }
}

impl Runtime {
    /// Starts the engine and the recorder. Creates `home`, readable by its owner alone.
    pub fn new(settings: Settings) -> Result<Self, RuntimeError> {
        create_home(&settings.home)?;
        let sandbox = Sandbox::new(settings.allocation)?;
        let cache = CompiledCache::new(&sandbox, settings.home.join("compiled"), settings.cache_bytes);
        let workshop = Workshop::new(&settings.home, settings.offline);
        let docker = DockerSettings { home: settings.home.clone(), offline: settings.offline, ..settings.docker };
        // A process of one call has nothing for a container to wait for.
        let keeps = matches!(settings.allocation, Allocation::Pooled { .. });
        let recorder = Recorder::start(settings.home.join("executions.db"))?;
        let mut seed = [0; 8];
        getrandom::fill(&mut seed).map_err(|error| RuntimeError::Io(std::io::Error::other(error)))?;
        Ok(Self(Arc::new(Inner {
            registry: Registry::new(settings.manifests),
            backends: Backends { sandbox: SandboxBackend { sandbox, cache, workshop }, bases: docker.bases.clone(), docker: DockerBackend::new(docker, keeps) },
            ready: ReadyTools::new(),
            recorder,
            operator: Operator {
                policy: settings.policy,
                environment: settings.environment,
                secrets: Secrets::new(&settings.home),
                ceiling: settings.ceiling,
            },
            last_id: AtomicU64::new(ExecutionId::first(u64::from_le_bytes(seed)).as_u64()),
        })))
    }

    /// Calls a tool by name or path. `input` is a JSON object of its parameters. Every end of a call that found a tool
    /// is an [`Execution`], and is recorded.
    ///
    /// Must run on a tokio runtime with its timer enabled. Dropping the future stops the guest.
    pub async fn call(&self, tool: &str, input: &Value, options: CallOptions) -> Result<Arc<Execution>, RuntimeError> {
        let started_at = SystemTime::now();
        let (begun, outcome) = match self.ready(tool, options.progress.clone()).await? {
            Ok((ready, cached)) => {
                let begun = Begun {
                    tool: Arc::clone(&ready.reference),
                    started_at,
                    backend: ready.runnable.backend(),
                    contract: Some(ready.runnable.contract()),
                    component: Some(Arc::clone(ready.runnable.digest())),
                    cached,
                };
                (begun, self.0.invoke(&ready, input, &options).await)
            }
            Err(failed) => {
                let backend = failed.backend;
                let begun =
                    Begun { tool: tool.into(), started_at, backend, contract: None, component: None, cached: false };
                (begun, Outcome::failed(failed.ending, failed.failure))
            }
        };
        let execution = Arc::new(begun.end(ExecutionId::next(&self.0.last_id, started_at), outcome));
        self.0.recorder.record(&execution);
        Ok(execution)
    }

    async fn ready(
        &self,
        tool: &str,
        progress: Option<Arc<dyn Progress>>,
    ) -> Result<Result<(Arc<Ready>, bool), LoadFailure>, RuntimeError> {
        if let Some(ready) = self.0.ready.get(tool) {
            return Ok(Ok((ready, true)));
        }
        let (inner, tool) = (Arc::clone(&self.0), tool.to_owned());
        let load = move || {
            let progress: &dyn Progress = progress.as_deref().unwrap_or(&Silent);
            inner.ready.load(&inner.registry, &inner.backends, &inner.operator, &tool, progress)
        };
        // Building and compiling block; other calls go on meanwhile.
        tokio::task::spawn_blocking(load).await.map_err(|error| RuntimeError::Io(std::io::Error::other(error)))?
    }

    /// Finds a tool and reads its manifest, without building anything.
    pub fn tool(&self, tool: &str) -> Result<Tool, RuntimeError> {
        self.0.registry.find(&ToolReference::from(tool))
    }

    /// What a tool takes. A component without a manifest is loaded to find out.
    pub async fn input_schema(
        &self,
        tool: &str,
        progress: Option<Arc<dyn Progress>>,
    ) -> Result<InputSchema, RuntimeError> {
        let (ready, _) = self.ready(tool, progress).await??;
        Ok(ready.schema.clone())
    }

    /// Every tool there is, sorted by name, with the manifests that are not valid.
    pub fn tools(&self) -> Result<Vec<Listed>, RuntimeError> {
        self.0.registry.list()
    }

    /// Which backend and builder a tool would get, and why.
    pub fn plan(&self, tool: &str) -> Result<Plan, RuntimeError> {
        let tool = self.tool(tool)?;
        let folder = match &tool.source {
            ToolSource::Folder { root, .. } => Some(root.as_path()),
            ToolSource::Standard | ToolSource::Component(_) => None,
        };
        Ok(plan(&tool.spec, folder))
    }

    /// The limits that a tool's calls have.
    pub fn limits(&self, tool: &Tool) -> Result<Limits, RuntimeError> {
        Ok(self.0.operator.decide(tool)?.limits?)
    }

    /// What a tool asks for, and whether it gets it.
    pub fn permits(&self, tool: &Tool) -> Result<Vec<Permit>, RuntimeError> {
        Ok(self.0.operator.decide(tool)?.permits)
    }

    /// The operator's policy.
    pub fn policy(&self) -> &Policy {
        &self.0.operator.policy
    }

    /// Builds a tool and compiles it for this machine. `force` builds what is there already. Blocks.
    pub fn build(&self, tool: &str, force: bool, progress: &dyn Progress) -> Result<Prepared, RuntimeError> {
        self.build_for(tool, None, force, progress)
    }

    /// The same for one backend, whichever the plan names. Blocks.
    pub fn build_for(
        &self,
        tool: &str,
        backend: Option<BackendKind>,
        force: bool,
        progress: &dyn Progress,
    ) -> Result<Prepared, RuntimeError> {
        let found = self.tool(tool)?;
        let backend = backend.unwrap_or_else(|| Backends::of(&found));
        Ok(self.0.backends.prepare(&found, backend, force, progress)?)
    }

    pub(crate) fn backends(&self) -> &Backends {
        &self.0.backends
    }

    /// Waits until every execution is written, if this is the last clone, and says whether recording failed.
    pub fn close(self) -> Result<(), RuntimeError> {
        Arc::into_inner(self.0).map_or(Ok(()), |mut inner| {
            inner.backends.docker.close();
            inner.recorder.close()
        })
    }

    /// What the cache of compiled code holds.
    pub fn cache_usage(&self) -> Result<CacheUsage, RuntimeError> {
        Ok(self.0.backends.sandbox.cache.usage()?)
    }

    /// Drops compiled code, the longest unused first, until at most `keep_bytes` are left. Returns the bytes freed.
    pub fn prune_cache(&self, keep_bytes: u64) -> Result<u64, RuntimeError> {
        Ok(self.0.backends.sandbox.cache.prune(keep_bytes)?)
    }
}

impl Inner {
    async fn invoke(&self, ready: &Ready, input: &Value, options: &CallOptions) -> Outcome {
        let overrides = &options.limits;
        let input = match ready.schema.apply(input) {
            Ok(input) => input,
            Err(invalid) => return invalid_input(&invalid),
        };
        let limits = match ready.limits.as_ref().map_err(Clone::clone).and_then(|limits| limits.lowered(overrides)) {
            Ok(limits) => limits,
            Err(error) => return refused(&error),
        };
        let mut outcome = ready
            .runnable
            .call(ready.tool.spec.name.as_str(), &input, &limits, &ready.grants, options.deterministic)
            .await;
        if let (Some(failure), Some(limit)) = (&mut outcome.error, overrides.limit_of(outcome.ending)) {
            failure.hint = Some(format!("this call was given its own limit: give it more {limit}, up to the tool's"));
        }
        outcome
    }
}

fn invalid_input(invalid: &InvalidInput) -> Outcome {
    let mut failure = Failure::new(Ending::InvalidInput.as_str(), invalid.to_string());
    failure.hint = invalid.hint().map(ToOwned::to_owned);
    failure.details = serde_json::to_value(invalid.violations()).ok();
    Outcome::failed(Ending::InvalidInput, failure)
}

fn refused(error: &LimitError) -> Outcome {
    let ending = match error.asker() {
        LimitSource::Manifest => Ending::Denied,
        LimitSource::Call => Ending::InvalidInput,
    };
    Outcome::failed(ending, Failure::new(ending.as_str(), error.to_string()).with_hint(error.hint()))
}

fn create_home(home: &std::path::Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(home)
}
