//! Our own routes, below `/v1`.

mod builds;
mod calls;
mod events;
mod executions;
mod system;
mod tools;

use cortex_runtime::{ExecutionId, Record};
use http::StatusCode;
use utoipa_axum::router::OpenApiRouter;

use super::body::blocking;
use crate::auth::{Identity, Scope};
use crate::problem::Problem;
use crate::state::ServerState;

pub(super) fn routes() -> OpenApiRouter<ServerState> {
    OpenApiRouter::new()
        .merge(tools::routes())
        .merge(calls::routes())
        .merge(executions::routes())
        .merge(builds::routes())
        .merge(events::routes())
        .merge(system::routes())
}

/// An execution that the caller may see: its own, and all of them with the scope `admin`.
pub(super) async fn owned(state: &ServerState, identity: &Identity, id: ExecutionId) -> Result<Record, Problem> {
    let unknown = || Problem::not_found("unknown_execution", format!("Execution not found: {id}"));
    let executions = state.runtime().executions();
    let mut found = blocking(move || executions.get(id)).await?;
    if found.is_none() {
        // It may have ended a moment ago.
        state.runtime().flush().await?;
        let executions = state.runtime().executions();
        found = blocking(move || executions.get(id)).await?;
    }
    let record = found.ok_or_else(unknown)?;
    // What is somebody else's is not there: nobody learns which identities exist.
    let mine = identity.may(Scope::Admin) || record.summary.caller.user == identity.user;
    mine.then_some(record).ok_or_else(unknown)
}

pub(super) fn too_many_builds() -> Problem {
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "overloaded", "too many builds wait already").retry_in_secs(10)
}
