//! The one way to call a tool: validate, load, invoke, record.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use cortex_build::{BackendKind, Plan, Progress, Silent, Trust, Workshop, plan};
use cortex_docker::{DockerBackend, DockerSettings};
use cortex_manifest::{InputSchema, InvalidInput, StatePer};
use cortex_sandbox::{
    Allocation, CacheUsage, Call as SandboxCall, CompiledCache, CompilerProgram, DEFAULT_CACHE_BYTES, Ending, Failure,
    Interrupt, LimitError, LimitSource, Limits, Observer, Outcome, Overrides, Sandbox,
};
use serde_json::Value;
use tokio::sync::broadcast;

use crate::backend::{LoadFailure, Prepared, SandboxBackend};
use crate::backends::Backends;
use crate::call::Clock;
use crate::error::RuntimeError;
use crate::event::{EVENTS, Event, Reloaded};
use crate::execution::Caller;
use crate::executions::Executions;
use crate::flight::Flights;
use crate::gate::{Gate, QueueLimits, QueueUsage};
use crate::home::create_home;
use crate::identity::Identities;
use crate::limits::compile_limits;
use crate::load::{Ready, ReadyTools};
use crate::policy::{Operator, Permit, Policy};
use crate::recorder::{Recorder, Retention};
use crate::reference::ToolReference;
use crate::registry::{Listed, Registry, Tool, ToolSource};
use crate::secrets::Secrets;
use crate::state::States;
use crate::telemetry::Telemetry;

/// Where things are and what is allowed. The runtime looks nowhere else.
#[derive(Clone)]
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
    /// What compiles components that nobody built here; without one, this process does, and neither its time nor its memory
    /// is bounded.
    pub compiler: Option<CompilerProgram>,
    /// The container engine, and what images are made of. Its home is this one.
    pub docker: DockerSettings,
    /// Never fetch anything.
    pub offline: bool,
    /// How many calls run and wait; `None` lets them all in.
    pub queue: Option<QueueLimits>,
    /// How long executions are kept.
    pub retention: Retention,
    /// Hears of every call.
    pub telemetry: Option<Arc<dyn Telemetry>>,
    /// Whoever made the runtime calls [`Runtime::reload`] when tools' files change. Without that, the first call after a
    /// change looks, builds and waits.
    pub watched: bool,
}

impl std::fmt::Debug for Settings {
    /// Without the environment: it holds secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { home, manifests, allocation, queue, retention, .. } = self;
        let mut fields = f.debug_struct("Settings");
        fields.field("home", home).field("manifests", manifests).field("allocation", allocation);
        fields.field("queue", queue).field("retention", retention).finish_non_exhaustive()
    }
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
            compiler: None,
            docker: DockerSettings::default(),
            offline: false,
            queue: None,
            retention: Retention::default(),
            telemetry: None,
            watched: false,
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
    /// What the tool is told beside its parameters, under the key [`CONTEXT_KEY`] of its input. No parameter can have that
    /// name, so no schema covers it and no caller can pass it as one.
    pub context: Option<Value>,
    /// Hears what a first call builds.
    pub progress: Option<Arc<dyn Progress>>,
    /// Hears what the tool says while it runs.
    pub observer: Option<Arc<dyn Observer>>,
    /// Who calls, for the record.
    pub caller: Caller,
    /// The execution is in the record when the call returns. It costs one transaction, which is shared with all the calls
    /// that end at that moment.
    pub durable: bool,
    /// The W3C `traceparent` of what the call is a part of.
    pub traceparent: Option<String>,
    /// Variables that the tool sees besides its own, in this call only.
    pub environment: BTreeMap<String, String>,
    /// No network in this call, whatever was granted.
    pub no_network: bool,
}

/// Where in its input a tool finds [`CallOptions::context`].
pub const CONTEXT_KEY: &str = "$mcp";

impl std::fmt::Debug for CallOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CallOptions")
            .field("limits", &self.limits)
            .field("deterministic", &self.deterministic)
            .field("caller", &self.caller)
            .field("durable", &self.durable)
            .finish_non_exhaustive()
    }
}

/// Tools by name, and a record of every call. Cheap to clone; make one for a process.
#[derive(Clone)]
pub struct Runtime(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    registry: Registry,
    backends: Backends,
    pub(crate) ready: ReadyTools,
    operator: Operator,
    pub(crate) flights: Arc<Flights>,
    pub(crate) gate: Option<Gate>,
    pub(crate) telemetry: Option<Arc<dyn Telemetry>>,
    events: broadcast::Sender<Event>,
    // Before the identities: the number of this process is held until all is written.
    pub(crate) recorder: Recorder,
    pub(crate) identities: Identities,
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
        let cache = CompiledCache::new(&sandbox, settings.home.join("compiled"), settings.cache_bytes)
            .compiling_with(compile_limits(&settings.policy.spec().compile), settings.compiler);
        let workshop = Workshop::new(&settings.home, settings.offline);
        let docker = DockerSettings { home: settings.home.clone(), offline: settings.offline, ..settings.docker };
        // A process of one call has nothing for a container to wait for.
        let keeps = matches!(settings.allocation, Allocation::Pooled { .. });
        let backends = Backends {
            sandbox: SandboxBackend { sandbox, cache, workshop, policy: settings.policy.clone() },
            bases: docker.bases.clone(),
            docker: DockerBackend::new(docker, keeps),
        };
        let identities = Identities::claim(&settings.home)
            .map_err(|source| RuntimeError::Home { path: settings.home.clone(), source })?;
        let flights = Arc::new(Flights::default());
        let recorder =
            Recorder::start(&settings.home, identities.process()?, Arc::clone(&flights), settings.retention)?;
        Ok(Self(Arc::new(Inner {
            registry: Registry::new(settings.manifests),
            backends,
            ready: ReadyTools::new(settings.watched),
            operator: Operator {
                policy: settings.policy,
                environment: settings.environment,
                secrets: Secrets::new(&settings.home),
                states: States::new(&settings.home),
                home: settings.home.clone(),
                ceiling: settings.ceiling,
            },
            flights,
            gate: settings.queue.map(Gate::new),
            telemetry: settings.telemetry,
            events: broadcast::Sender::new(EVENTS),
            recorder,
            identities,
        })))
    }

    /// Waits until every execution that has ended, and every call that has begun, is in the record.
    pub async fn flush(&self) -> Result<(), RuntimeError> {
        let path = || self.0.recorder.path().to_owned();
        self.0.recorder.flush().await.map_err(|_| RuntimeError::RecordEnded { path: path() })
    }

    /// What is known of calls.
    pub fn executions(&self) -> Executions {
        Executions::of_process(self.0.recorder.path(), &self.0.flights)
    }

    /// What happens to calls from now on. Who lags behind misses some of it.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.0.events.subscribe()
    }

    /// How full the queue is, if there is one.
    pub fn queue(&self) -> Option<QueueUsage> {
        self.0.gate.as_ref().map(Gate::usage)
    }

    /// Whether executions are still recorded.
    pub fn is_recording(&self) -> bool {
        self.0.recorder.works()
    }

    /// Lets no call in any more, sends those away that wait for their turn, and waits until all others have ended. Those
    /// that have not when the time is over are cancelled. Returns how many were.
    pub async fn drain(&self, patience: Duration) -> usize {
        let Some(gate) = &self.0.gate else { return 0 };
        gate.drain();
        if tokio::time::timeout(patience, gate.emptied()).await.is_ok() {
            return 0;
        }
        let left = self.0.flights.all();
        for flight in &left {
            flight.cancel();
        }
        // A guest is stopped at its next tick.
        let _ = tokio::time::timeout(Duration::from_secs(5), gate.emptied()).await;
        left.len()
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
        if let Some(ready) = self.0.ready.get(tool) {
            return Ok(ready.schema.clone());
        }
        let (ready, _) = self.0.load(tool, progress).await??;
        Ok(ready.schema.clone())
    }

    /// The manifests folders, in the order in which a name is looked up.
    pub fn manifest_folders(&self) -> &[PathBuf] {
        self.0.registry.folders()
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
        self.build_for(tool, None, force, false, progress)
    }

    /// The same for one backend, whichever the plan names. `trust`: also a source that the policy does not trust. Blocks.
    pub fn build_for(
        &self,
        tool: &str,
        backend: Option<BackendKind>,
        force: bool,
        trust: bool,
        progress: &dyn Progress,
    ) -> Result<Prepared, RuntimeError> {
        let found = self.tool(tool)?;
        let trust = match self.0.operator.policy.trust(&found) {
            Trust::Untrusted if trust => Trust::ThisOnce,
            trust => trust,
        };
        Ok(self.0.backends.prepare(&found, backend, force, trust, progress)?)
    }

    pub(crate) fn manifests(&self) -> &[PathBuf] {
        self.0.registry.folders()
    }

    pub(crate) fn backends(&self) -> &Backends {
        &self.0.backends
    }

    /// The digest of a tool's component, if it is built. Builds nothing. Blocks.
    pub fn built(&self, tool: &str) -> Result<Option<String>, RuntimeError> {
        let found = self.tool(tool)?;
        self.0.backends.sandbox.built(&found).map_err(|error| LoadFailure::building(&found, &error).into())
    }

    /// Whoever should have called [`Runtime::reload`] cannot: calls look for changes themselves from now on.
    pub fn look_on_calls(&self) {
        self.0.ready.unwatched();
    }

    /// Looks at the files of all tools that are ready, and swaps those that have changed: calls go on with the old version
    /// until the new one is ready, and for good if it does not build. Calls in flight end with what they began with.
    /// Blocks, as long as builds take. Returns the tools that have changed, and whether they were swapped.
    pub fn reload(&self, progress: &dyn Progress) -> Vec<Reloaded> {
        let inner = &self.0;
        let changed = inner.ready.changed();
        let reload = |reference: String| {
            let loaded = inner.ready.load(&inner.registry, &inner.backends, &inner.operator, &reference, progress);
            let error = match loaded {
                Ok(Ok(_)) => None,
                Ok(Err(failed)) => Some(failed.failure.message),
                Err(error) => {
                    if matches!(error, RuntimeError::UnknownTool { .. } | RuntimeError::NoTool { .. }) {
                        inner.ready.forget(&reference);
                    }
                    Some(error.to_string())
                }
            };
            let reloaded = Reloaded { tool: reference, error };
            inner.tell(|| Event::Reloaded(reloaded.clone()));
            reloaded
        };
        changed.into_iter().map(reload).collect()
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
    /// Tells those who watch, if there are any.
    pub(crate) fn tell(&self, event: impl FnOnce() -> Event) {
        if self.events.receiver_count() > 0 {
            // The last one may just have gone.
            let _ = self.events.send(event());
        }
    }

    /// Makes a tool ready to run.
    pub(crate) async fn load(
        self: &Arc<Self>,
        tool: &str,
        progress: Option<Arc<dyn Progress>>,
    ) -> Result<Result<(Arc<Ready>, bool), LoadFailure>, RuntimeError> {
        let (inner, tool) = (Arc::clone(self), tool.to_owned());
        // Who waits for the same tool waits here, and takes no thread for it.
        let _only_one = inner.ready.turn(&tool).lock_owned().await;
        if let Some(ready) = inner.ready.get(&tool) {
            return Ok(Ok((ready, true)));
        }
        let load = move || {
            let progress: &dyn Progress = progress.as_deref().unwrap_or(&Silent);
            inner.ready.load(&inner.registry, &inner.backends, &inner.operator, &tool, progress)
        };
        // Building and compiling block; other calls go on meanwhile.
        tokio::task::spawn_blocking(load).await.map_err(|error| RuntimeError::Io(std::io::Error::other(error)))?
    }

    pub(crate) async fn invoke(
        &self,
        ready: &Ready,
        input: &Value,
        options: &CallOptions,
        interrupt: &dyn Interrupt,
        traceparent: Option<&str>,
        clock: &mut Clock,
    ) -> Outcome {
        let overrides = &options.limits;
        let mut input = match ready.schema.apply(input) {
            Ok(input) => input,
            Err(invalid) => return invalid_input(&invalid),
        };
        if let Some(context) = &options.context
            && input.is_object()
        {
            input.to_mut()[CONTEXT_KEY] = context.clone();
        }
        clock.phases.validate = clock.lap();
        let limits = match ready.limits.as_ref().map_err(Clone::clone).and_then(|limits| limits.lowered(overrides)) {
            Ok(limits) => limits,
            Err(error) => return refused(&error),
        };
        let mut grants = std::borrow::Cow::Borrowed(&ready.grants);
        let own_state = ready.grants.state.is_some() && ready.tool.spec.permissions.state_per != StatePer::Tool;
        if own_state {
            let Some(state) = self.operator.states.of_caller(&ready.tool, &options.caller) else { return no_session() };
            Arc::make_mut(grants.to_mut()).state = Some(state);
        }
        if options.no_network || !options.environment.is_empty() {
            let grants = Arc::make_mut(grants.to_mut());
            if options.no_network {
                grants.network.clear();
                grants.services.clear();
            }
            grants.environment.retain(|(name, _)| !options.environment.contains_key(name));
            grants.environment.extend(options.environment.clone());
        }
        let call = SandboxCall {
            name: ready.tool.spec.name.as_str(),
            function: None,
            input: &input,
            limits: &limits,
            grants: &grants,
            seed: options.deterministic,
            observer: options.observer.as_ref(),
            interrupt: Some(interrupt),
            traceparent,
        };
        let mut outcome = ready.runnable.call(call).await;
        if let Some(failure) = &mut outcome.error
            && let Some(limit) = overrides.limit_of(outcome.ending, failure)
        {
            let limit = if limit == "timeout" { "time" } else { &limit };
            failure.hint = Some(format!("this call was given its own limit: give it more {limit}, up to the tool's"));
        }
        outcome
    }
}

/// A tool that keeps values for each session has nowhere to keep those of none.
fn no_session() -> Outcome {
    let failure =
        Failure::new(Ending::InvalidInput.as_str(), "the tool keeps state for each session, and the call has none");
    Outcome::failed(Ending::InvalidInput, failure.with_hint("name a `session_id`"))
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
