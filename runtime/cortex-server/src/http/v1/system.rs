//! The server's figures, and who the caller is.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::{Identity, Scope};
use crate::http::body::{Answer, blocking};
use crate::metrics::resident_bytes;
use crate::problem::Problem;
use crate::state::{ServerState, require};

pub(super) fn routes() -> OpenApiRouter<ServerState> {
    OpenApiRouter::new().routes(routes!(system))
}

/// The server's figures.
#[derive(Debug, Serialize, ToSchema)]
struct System {
    version: &'static str,
    engine: &'static str,
    uptime_seconds: u64,
    /// Whose token it is.
    user: Option<String>,
    /// What the token is good for.
    scopes: Vec<&'static str>,
    queue: Queue,
    /// Calls since the start.
    calls: u64,
    /// Those of them that did not succeed.
    failed: u64,
    resident_bytes: Option<u64>,
    /// Compiled code on disk.
    compiled_bytes: u64,
}

/// How full the server is.
#[derive(Debug, Serialize, ToSchema)]
struct Queue {
    running: usize,
    running_max: usize,
    waiting: usize,
    waiting_max: usize,
    draining: bool,
}

/// The server's figures, and who the caller is.
#[utoipa::path(get, path = "/v1/system", tag = "service", responses(
    (status = OK, description = "The figures.", body = System),
))]
async fn system(State(state): State<ServerState>, identity: Identity) -> Result<Answer<System>, Problem> {
    require(&identity, Scope::Call)?;
    let runtime = state.runtime().clone();
    let cache = blocking(move || runtime.cache_usage()).await?;
    let usage = state.runtime().queue();
    let queue =
        usage.map_or(Queue { running: 0, running_max: 0, waiting: 0, waiting_max: 0, draining: false }, |usage| {
            Queue {
                running: usage.running,
                running_max: usage.limits.running,
                waiting: usage.waiting,
                waiting_max: usage.limits.waiting,
                draining: usage.draining,
            }
        });
    let totals = state.metrics().totals();
    let scopes = [(Scope::Call, "call"), (Scope::Build, "build"), (Scope::Admin, "admin")];
    Ok(Answer(System {
        version: env!("CARGO_PKG_VERSION"),
        engine: cortex_runtime::ENGINE_VERSION,
        uptime_seconds: state.started().elapsed().as_secs(),
        user: identity.user.as_deref().map(str::to_owned),
        scopes: scopes.iter().filter(|(scope, _)| identity.may(*scope)).map(|(_, word)| *word).collect(),
        queue,
        calls: totals.calls,
        failed: totals.failed,
        resident_bytes: resident_bytes(),
        compiled_bytes: cache.bytes,
    }))
}
