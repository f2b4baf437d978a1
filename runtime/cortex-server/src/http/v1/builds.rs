//! Builds: started, listed, followed.

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::too_many_builds;
use crate::auth::{Identity, Scope};
use crate::builds::Build;
use crate::http::body::{Answer, JsonBody, Named, ServerSentEvent, blocking};
use crate::problem::Problem;
use crate::state::{ServerState, require, require_tool};

pub(super) fn routes() -> OpenApiRouter<ServerState> {
    OpenApiRouter::new().routes(routes!(start, list)).routes(routes!(get)).routes(routes!(follow))
}

/// A build to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct BuildRequest {
    /// The tool's name.
    #[schema(min_length = 1)]
    tool: String,
    /// Build even what is there already.
    #[serde(default)]
    force: bool,
}

/// The builds that are known.
#[derive(Debug, Serialize, ToSchema)]
struct BuildList {
    builds: Vec<Build>,
}

/// Starts a build. One that goes on for the same tool is answered instead, unless it is forced.
#[utoipa::path(post, path = "/v1/builds", tag = "builds", request_body = BuildRequest, responses(
    (status = ACCEPTED, description = "It has begun.", body = Build),
))]
async fn start(
    State(state): State<ServerState>,
    identity: Identity,
    JsonBody(request): JsonBody<BuildRequest>,
) -> Result<Response, Problem> {
    require_tool(&identity, Scope::Build, &request.tool)?;
    let (runtime, tool) = (state.runtime().clone(), request.tool.clone());
    blocking(move || runtime.tool(&tool).map(drop)).await?;
    let job = state.builds().start(&request.tool, request.force).ok_or_else(too_many_builds)?;
    Ok((StatusCode::ACCEPTED, Answer(job.now())).into_response())
}

/// The builds of the caller's tools, the latest first.
#[utoipa::path(get, path = "/v1/builds", tag = "builds", responses(
    (status = OK, description = "The last hundred, and those that go on.", body = BuildList),
))]
async fn list(State(state): State<ServerState>, identity: Identity) -> Result<Answer<BuildList>, Problem> {
    require(&identity, Scope::Call)?;
    let all = state.builds().all().into_iter().filter(|job| identity.may_use(&job.tool));
    Ok(Answer(BuildList { builds: all.map(|job| job.now()).collect() }))
}

fn find(state: &ServerState, identity: &Identity, id: &str) -> Result<std::sync::Arc<crate::builds::Job>, Problem> {
    require(identity, Scope::Call)?;
    let found = state.builds().get(id).filter(|job| identity.may_use(&job.tool));
    found.ok_or_else(|| Problem::not_found("unknown_build", "there is no such build, or it was long ago"))
}

/// One build.
#[utoipa::path(get, path = "/v1/builds/{build_id}", tag = "builds", params(("build_id" = String, Path)), responses(
    (status = OK, description = "How it stands.", body = Build),
))]
async fn get(State(state): State<ServerState>, identity: Identity, Named(id): Named) -> Result<Answer<Build>, Problem> {
    Ok(Answer(find(&state, &identity, &id)?.now()))
}

/// Follows a build: server-sent events `build`, each with all of it, until it is over.
#[utoipa::path(get, path = "/v1/builds/{build_id}/events", tag = "builds", params(
    ("build_id" = String, Path),
), responses((status = OK, description = "The events.", body = ServerSentEvent, content_type = "text/event-stream")))]
async fn follow(State(state): State<ServerState>, identity: Identity, Named(id): Named) -> Result<Response, Problem> {
    let job = find(&state, &identity, &id)?;
    let mut changes = job.follow();
    changes.mark_changed();
    let events = stream::unfold(Some(changes), async |changes: Option<watch::Receiver<Build>>| {
        let mut changes = changes?;
        changes.changed().await.ok()?;
        let build = changes.borrow_and_update().clone();
        let event = Event::default().event("build").data(serde_json::to_string(&build).unwrap_or_default());
        let next = (!build.status.is_final()).then_some(changes);
        Some((Ok::<_, std::convert::Infallible>(event), next))
    });
    // The job is held while it is followed: it is what sends.
    let held = futures_util::StreamExt::inspect(events, move |_| {
        let _ = &job;
    });
    Ok(Sse::new(held).keep_alive(KeepAlive::default()).into_response())
}
