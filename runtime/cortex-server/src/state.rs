//! What all of a server's routes share.

use std::sync::Arc;
use std::time::Instant;

use cortex_runtime::{Runtime, Target, ToolReference};

use crate::auth::{Identity, Scope};
use crate::builds::Builds;
use crate::metrics::Metrics;
use crate::problem::Problem;
use crate::settings::ServerSettings;

/// The runtime, and what a server knows besides. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ServerState(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    runtime: Runtime,
    settings: ServerSettings,
    metrics: Arc<Metrics>,
    builds: Builds,
    started: Instant,
}

impl ServerState {
    /// Over a runtime whose telemetry are these metrics.
    pub fn new(runtime: Runtime, settings: ServerSettings, metrics: Arc<Metrics>) -> Self {
        let builds = Builds::new(runtime.clone(), Arc::clone(&metrics));
        Self(Arc::new(Inner { runtime, settings, metrics, builds, started: Instant::now() }))
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
