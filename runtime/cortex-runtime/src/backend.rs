//! What runs a tool. Nothing above this module knows which backend ran.

use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use cortex_build::{BackendKind, BuildError, Origin, Progress, StoredComponent, Trust, Workshop, sha256};
use cortex_docker::{ApiTool, ContainerTool, DockerError};
use cortex_sandbox::{
    CacheError, Call, CompiledCache, Component, Contract, Ending, Failure, Function, Interrupt, Outcome, Sandbox,
    SandboxError,
};
use serde_json::Value;

use crate::policy::Policy;
use crate::registry::{Tool, ToolSource};
use crate::standard::StandardTool;

/// Makes tools ready to run.
pub(crate) trait Backend: Send + Sync {
    /// Builds and loads a tool, as far as that is not done. Blocks, from under a millisecond to minutes.
    fn load(&self, tool: &Tool, function: Option<&str>, progress: &dyn Progress) -> Result<Runnable, LoadFailure>;
}

/// Why a tool could not be made ready: an ending for every call of it.
#[derive(Clone, Debug)]
pub(crate) struct LoadFailure {
    pub(crate) backend: BackendKind,
    pub(crate) ending: Ending,
    pub(crate) failure: Box<Failure>,
    /// Why a container could do what the sandbox cannot, where it could.
    pub(crate) container: Option<String>,
}

/// Runs components in this process.
#[derive(Debug)]
pub(crate) struct SandboxBackend {
    pub(crate) sandbox: Sandbox,
    pub(crate) cache: CompiledCache,
    pub(crate) workshop: Workshop,
    /// Says whose sources may be built.
    pub(crate) policy: Policy,
}

/// A tool that is ready to run. A type and no trait: the future of a call through a trait object would be allocated, which
/// costs more than everything else that a call does before it reaches the sandbox.
#[expect(
    clippy::large_enum_variant,
    reason = "a component is what most calls are of, and has no time for one more pointer"
)]
pub(crate) enum Runnable {
    /// In this process's sandbox.
    Component(RunnableComponent),
    /// In containers.
    Container(ContainerTool),
    /// Elsewhere, behind an HTTP endpoint.
    Api(ApiTool),
}

pub(crate) struct RunnableComponent {
    sandbox: Sandbox,
    component: Component,
    function: Option<Function>,
    digest: Arc<str>,
    cached: bool,
}

impl SandboxBackend {
    /// Builds a tool and compiles it for this machine. `force` builds what is there already.
    pub(crate) fn prepare(
        &self,
        tool: &Tool,
        force: bool,
        trust: Trust,
        progress: &dyn Progress,
    ) -> Result<Prepared, LoadFailure> {
        let (source, nothing_built) = self.component(tool, force, trust, progress)?;
        let (component, nothing_compiled) = self.compile(&source, progress)?;
        Ok(Prepared {
            backend: BackendKind::Wasm,
            digest: source.digest().to_owned(),
            contract: component.contract(),
            functions: component.functions().to_vec(),
            imports: component.imports().to_vec(),
            built: !nothing_built,
            compiled: !nothing_compiled,
        })
    }

    /// The digest of a tool's component, if there is one already. Builds nothing.
    pub(crate) fn built(&self, tool: &Tool) -> Result<Option<String>, BuildError> {
        match &tool.source {
            ToolSource::Folder { root, manifest } => {
                Ok(self.workshop.built(&tool.spec, root, manifest)?.map(|built| built.component.digest))
            }
            ToolSource::Standard | ToolSource::Component(_) => self
                .find_component(tool, false, self.policy.trust(tool), &cortex_build::Silent)
                .map(|(found, _)| Some(found.digest().to_owned())),
        }
    }

    fn compile(&self, source: &ComponentSource, progress: &dyn Progress) -> Result<(Component, bool), LoadFailure> {
        let read = || {
            progress.step("compiling for this machine");
            source.read()
        };
        Ok(if source.is_foreign() {
            self.cache.load_foreign(&self.sandbox, source.digest(), read)?
        } else {
            self.cache.load(&self.sandbox, source.digest(), read)?
        })
    }

    /// The component of a tool: of the standard tools, of a file, or built. Also says whether nothing was built.
    fn component(
        &self,
        tool: &Tool,
        force: bool,
        trust: Trust,
        progress: &dyn Progress,
    ) -> Result<(ComponentSource, bool), LoadFailure> {
        self.find_component(tool, force, trust, progress).map_err(|error| LoadFailure::building(tool, &error))
    }

    fn find_component(
        &self,
        tool: &Tool,
        force: bool,
        trust: Trust,
        progress: &dyn Progress,
    ) -> Result<(ComponentSource, bool), BuildError> {
        match &tool.source {
            ToolSource::Standard => {
                let standard = StandardTool::find(tool.spec.name.as_str());
                let found = standard.and_then(|standard| Some((standard, standard.lock()?)));
                let (standard, lock) = found.ok_or_else(|| BuildError::Layout {
                    tool: tool.spec.name.to_string(),
                    problem: "this program was built without its component".into(),
                    hint: "run `cargo xtask artefacts` and build again".into(),
                })?;
                Ok((ComponentSource::Standard { digest: lock.component, bytes: standard.component }, true))
            }
            ToolSource::Component(path) => {
                let digest = sha256(&fs_err::read(path)?);
                let stored = StoredComponent { digest, path: path.clone(), toolchain: "none".into() };
                Ok((ComponentSource::Foreign(stored), true))
            }
            ToolSource::Folder { root, manifest } => {
                let built = self.workshop.trusting(trust).build(&tool.spec, root, manifest, force, progress)?;
                Ok(match built.origin {
                    // It lay beside its source, and came with it.
                    Origin::Shipped => (ComponentSource::Foreign(built.component), true),
                    Origin::Store => (ComponentSource::Stored(built.component), true),
                    Origin::Built => (ComponentSource::Stored(built.component), false),
                })
            }
        }
    }
}

/// What is known of a tool that was made ready.
#[derive(Debug)]
pub struct Prepared {
    /// What it was made ready for.
    pub backend: BackendKind,
    /// The component's digest, or that of what an image is made of.
    pub digest: String,
    /// How the component sees a call.
    pub contract: Contract,
    /// The functions of a component that is no tool by itself.
    pub functions: Vec<Function>,
    /// The interfaces of the host that it can call.
    pub imports: Vec<String>,
    /// Whether its source was built now.
    pub built: bool,
    /// Whether it was compiled for this machine now.
    pub compiled: bool,
}

impl Prepared {
    /// Of what has no functions to choose from and nothing to compile.
    pub(crate) fn of_runnable(runnable: &Runnable) -> Self {
        Self {
            backend: runnable.backend(),
            digest: runnable.digest().to_string(),
            contract: runnable.contract(),
            functions: Vec::new(),
            imports: Vec::new(),
            built: !runnable.was_cached(),
            compiled: false,
        }
    }
}

/// A component whose digest is known before its bytes are read.
#[derive(Debug)]
enum ComponentSource {
    Standard {
        digest: String,
        bytes: &'static [u8],
    },
    Stored(StoredComponent),
    /// Nobody here has built it.
    Foreign(StoredComponent),
}

impl ComponentSource {
    fn digest(&self) -> &str {
        match self {
            Self::Standard { digest, .. } => digest,
            Self::Stored(stored) | Self::Foreign(stored) => &stored.digest,
        }
    }

    fn is_foreign(&self) -> bool {
        matches!(self, Self::Foreign(_))
    }

    fn read(&self) -> std::io::Result<Vec<u8>> {
        match self {
            Self::Standard { bytes, .. } => Ok(bytes.to_vec()),
            Self::Stored(stored) | Self::Foreign(stored) => stored.read().map_err(std::io::Error::other),
        }
    }
}

impl Backend for SandboxBackend {
    fn load(&self, tool: &Tool, function: Option<&str>, progress: &dyn Progress) -> Result<Runnable, LoadFailure> {
        let (source, nothing_built) = self.component(tool, false, self.policy.trust(tool), progress)?;
        let (component, nothing_compiled) = self.compile(&source, progress)?;
        let function = choose_function(&component, function)?;
        let cached = nothing_built && nothing_compiled;
        let digest = source.digest().into();
        Ok(Runnable::Component(RunnableComponent {
            sandbox: self.sandbox.clone(),
            component,
            function,
            digest,
            cached,
        }))
    }
}

/// How many functions a hint lists.
const FUNCTIONS_NAMED: usize = 20;

/// The function to call, for a component that has several.
fn choose_function(component: &Component, wanted: Option<&str>) -> Result<Option<Function>, LoadFailure> {
    let fail = |message: String, hint: String| LoadFailure {
        backend: BackendKind::Wasm,
        ending: Ending::InvalidInput,
        failure: Box::new(Failure::new("unknown_function", message).with_hint(hint)),
        container: None,
    };
    if component.contract() != Contract::Functions {
        return match wanted {
            None => Ok(None),
            Some(name) => Err(fail(
                format!("the component answers calls as a whole, it has no function `{name}`"),
                "leave out what follows the `#`".into(),
            )),
        };
    }
    let callable = component.functions().iter().filter(|function| function.unsupported.is_none());
    let mut names: Vec<String> = callable.map(|function| format!("`{}`", function.name)).collect();
    if names.len() > FUNCTIONS_NAMED {
        let more = format!("and {} more", names.len() - FUNCTIONS_NAMED);
        names.truncate(FUNCTIONS_NAMED);
        names.push(more);
    }
    let hint = format!("append `#` and one of its functions: {}", names.join(", "));
    match (component.function(wanted), wanted) {
        (Some(Function { name, unsupported: Some(why), .. }), _) => {
            Err(fail(format!("the function `{name}` cannot be called: {why}"), hint))
        }
        (Some(function), _) => Ok(Some(function.clone())),
        (None, Some(name)) => Err(fail(format!("the component has no function `{name}`"), hint)),
        (None, None) => Err(fail("the component has several functions".into(), hint)),
    }
}

impl Runnable {
    /// What runs it.
    pub(crate) fn backend(&self) -> BackendKind {
        match self {
            Self::Component(_) => BackendKind::Wasm,
            Self::Container(_) => BackendKind::Docker,
            Self::Api(_) => BackendKind::Api,
        }
    }

    /// How the tool sees a call.
    pub(crate) fn contract(&self) -> Contract {
        match self {
            Self::Component(component) => component.component.contract(),
            Self::Container(container) => container.contract(),
            Self::Api(_) => Contract::Tool,
        }
    }

    /// The digest of what runs.
    pub(crate) fn digest(&self) -> &Arc<str> {
        match self {
            Self::Component(component) => &component.digest,
            Self::Container(container) => container.digest(),
            Self::Api(api) => api.digest(),
        }
    }

    /// What a tool without a manifest takes, as JSON Schema.
    pub(crate) fn input_schema(&self) -> Option<&Value> {
        match self {
            Self::Component(component) => component.function.as_ref().map(|function| &function.input_schema),
            Self::Container(_) | Self::Api(_) => None,
        }
    }

    /// Whether nothing had to be built or compiled.
    pub(crate) fn was_cached(&self) -> bool {
        match self {
            Self::Component(component) => component.cached,
            Self::Container(container) => container.was_cached(),
            Self::Api(_) => true,
        }
    }

    /// Calls the tool, whose function is known here. Every end is an outcome.
    pub(crate) async fn call(&self, call: Call<'_>) -> Outcome {
        let Call { input, limits, grants, interrupt, observer, traceparent, .. } = call;
        match self {
            Self::Component(RunnableComponent { sandbox, component, function, .. }) => {
                sandbox.invoke(component, Call { function: function.as_ref(), ..call }).await
            }
            Self::Container(_) | Self::Api(_) if call.seed.is_some() => not_deterministic(self.backend()),
            // Boxed: these take milliseconds, and the future of a call in the sandbox should not carry their size.
            Self::Container(container) => {
                Box::pin(or_cancelled(container.call(input, limits, grants, observer, traceparent), interrupt)).await
            }
            Self::Api(api) => Box::pin(or_cancelled(api.call(input, limits, grants, traceparent), interrupt)).await,
        }
    }
}

/// Waits for a call that runs elsewhere, unless it is stopped: then its future goes, and what runs elsewhere with it.
async fn or_cancelled(call: impl Future<Output = Outcome>, interrupt: Option<&dyn Interrupt>) -> Outcome {
    let mut call = pin!(call);
    let cancelled = || Failure::new(Ending::Cancelled.as_str(), "the call was cancelled");
    std::future::poll_fn(|cx| match (call.as_mut().poll(cx), interrupt) {
        (Poll::Pending, Some(interrupt)) => {
            interrupt.poll_interrupted(cx).map(|()| Outcome::failed(Ending::Cancelled, cancelled()))
        }
        (polled, _) => polled,
    })
    .await
}

/// Clocks and randomness are the host's everywhere but in the sandbox.
fn not_deterministic(backend: BackendKind) -> Outcome {
    let message = format!("a call on the backend `{}` cannot be deterministic", backend.as_str());
    let failure = Failure::new(Ending::InvalidInput.as_str(), message).with_hint("call it without a seed");
    Outcome::failed(Ending::InvalidInput, failure)
}

impl LoadFailure {
    /// A container, an image or an endpoint that could not be had.
    pub(crate) fn of_docker(tool: &Tool, backend: BackendKind, error: &DockerError) -> Self {
        let ending = if error.is_unavailable() { Ending::BackendUnavailable } else { Ending::BuildFailed };
        let mut failure = failure(ending, error, error.hint());
        let name = tool.spec.name.as_str();
        if !failure.message.contains(name) {
            failure.message = format!("`{name}` is not ready: {}", failure.message);
        }
        failure.details = error.log().map(|log| serde_json::json!({ "stderr": log }));
        Self { backend, ending, failure: Box::new(failure), container: None }
    }

    /// A function was named of something that has none.
    pub(crate) fn no_function(backend: BackendKind, function: &str) -> Self {
        let message = format!("the tool answers calls as a whole, it has no function `{function}`");
        let failure = Failure::new("unknown_function", message).with_hint("leave out what follows the `#`");
        Self { backend, ending: Ending::InvalidInput, failure: Box::new(failure), container: None }
    }

    pub(crate) fn building(tool: &Tool, error: &BuildError) -> Self {
        let ending = match error {
            BuildError::NotPossible { backend: BackendKind::Docker, .. } => Ending::BackendUnavailable,
            _ => Ending::BuildFailed,
        };
        let mut failure = failure(ending, error, error.hint());
        let name = tool.spec.name.as_str();
        if !failure.message.contains(name) {
            failure.message = format!("`{name}` was not built: {}", failure.message);
        }
        if let Some(stderr) = error.stderr() {
            failure.details = Some(serde_json::json!({ "stderr": stderr }));
        }
        let container = error.container_would_do();
        Self { backend: BackendKind::Wasm, ending, failure: Box::new(failure), container }
    }
}

impl From<CacheError> for LoadFailure {
    fn from(error: CacheError) -> Self {
        let (ending, hint) = match &error {
            CacheError::Sandbox(error @ SandboxError::Denied { .. }) => (Ending::Denied, error.hint()),
            CacheError::Sandbox(error) if error.limit().is_some() => (Ending::LimitExceeded, error.hint()),
            CacheError::Sandbox(error) => (Ending::BuildFailed, error.hint()),
            CacheError::Io { .. } => (Ending::BuildFailed, None),
        };
        let mut failure = failure(ending, &error, hint);
        if let CacheError::Sandbox(error) = &error {
            failure.details = error.limit().map(|limit| serde_json::json!({ "limit": limit }));
        }
        Self { backend: BackendKind::Wasm, ending, failure: Box::new(failure), container: None }
    }
}

/// An error with its causes, each said once.
fn failure(ending: Ending, error: &dyn std::error::Error, hint: Option<String>) -> Failure {
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !message.contains(&cause_text) {
            message = format!("{message}: {cause_text}");
        }
        source = cause.source();
    }
    Failure { hint, ..Failure::new(ending.as_str(), message) }
}
