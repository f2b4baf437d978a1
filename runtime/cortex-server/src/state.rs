//! What all of a server's routes share.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

use cortex_runtime::{Runtime, Target, ToolReference};

use crate::auth::{Identity, Scope};
use crate::builds::Builds;
use crate::metrics::Metrics;
use crate::problem::Problem;
use crate::settings::ServerSettings;
use crate::timestamp::rfc3339;

/// The runtime, and what a server knows besides. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ServerState(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    runtime: Runtime,
    settings: ServerSettings,
    metrics: Arc<Metrics>,
    builds: Builds,
    relics: Mutex<BTreeMap<String, RelicStart>>,
    started: Instant,
}

/// Who asked this server for a relic, and when.
#[derive(Clone, Debug)]
pub(crate) struct RelicStart {
    pub(crate) session: String,
    pub(crate) at: String,
}

impl ServerState {
    /// Over a runtime whose telemetry are these metrics.
    pub fn new(runtime: Runtime, settings: ServerSettings, metrics: Arc<Metrics>) -> Self {
        let builds = Builds::new(runtime.clone(), Arc::clone(&metrics));
        Self(Arc::new(Inner { runtime, settings, metrics, builds, relics: Mutex::default(), started: Instant::now() }))
    }

    /// The one way to call tools.
    pub fn runtime(&self) -> &Runtime {
        &self.0.runtime
    }

    /// What the server was started with.
    pub fn settings(&self) -> &ServerSettings {
        &self.0.settings
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    pub(crate) fn builds(&self) -> &Builds {
        &self.0.builds
    }

    fn relics(&self) -> MutexGuard<'_, BTreeMap<String, RelicStart>> {
        self.0.relics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A relic was asked for. One that runs already stays whose it was.
    pub(crate) fn relic_started(&self, relic: &str, session: String) -> RelicStart {
        let start = || RelicStart { session, at: rfc3339(SystemTime::now()) };
        self.relics().entry(relic.to_owned()).or_insert_with(start).clone()
    }

    pub(crate) fn relic_start(&self, relic: &str) -> Option<RelicStart> {
        self.relics().get(relic).cloned()
    }

    pub(crate) fn relic_stopped(&self, relic: &str) {
        self.relics().remove(relic);
    }

    pub(crate) fn started(&self) -> Instant {
        self.0.started
    }
}

/// Refuses what a token is not good for.
pub(crate) fn require(identity: &Identity, scope: Scope) -> Result<(), Problem> {
    if identity.may(scope) {
        return Ok(());
    }
    let word = match scope {
        Scope::Call => "call",
        Scope::Build => "build",
        Scope::Admin => "admin",
    };
    Err(Problem::forbidden(format!("the token is not good for `{word}`")))
}

/// Refuses tools that are none of the caller's. Whoever reaches the server names tools and never paths: a path would let
/// it read and build whatever lies on this machine.
pub(crate) fn require_tool(identity: &Identity, scope: Scope, tool: &str) -> Result<(), Problem> {
    require(identity, scope)?;
    let is_name = matches!(ToolReference::from(tool).target, Target::Name(_));
    if !is_name || !identity.may_use(tool) {
        let name: String = tool.chars().take(100).collect();
        return Err(Problem::not_found("unknown_tool", format!("there is no tool `{name}`"))
            .hinted("`GET /v1/tools` lists the tools there are"));
    }
    Ok(())
}
