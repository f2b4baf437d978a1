//! Relics: services of the original system that run in containers. This server runs none, and says so.

use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::{Identity, Scope};
use crate::http::body::{Answer, Asked, JsonBody, Named};
use crate::problem::Problem;
use crate::state::{ServerState, require};

pub(super) fn routes() -> OpenApiRouter<ServerState> {
    OpenApiRouter::new().routes(routes!(start)).routes(routes!(list)).routes(routes!(get, delete)).routes(routes!(stop))
}

#[derive(Debug, Deserialize, ToSchema)]
struct RelicStartRequest {
    relic_name: String,
    session_id: String,
}

/// A relic that runs.
#[derive(Debug, Serialize, ToSchema)]
struct RelicInfo {
    relic_id: String,
    relic_name: String,
    session_id: String,
    status: String,
    started_at: String,
    container_id: String,
    container_name: String,
    internal_url: Option<String>,
    healthy: bool,
}

#[derive(Debug, Deserialize, IntoParams)]
struct OfSession {
    /// Only those of this session.
    session_id: Option<String>,
}

fn unknown(id: &str) -> Problem {
    let id: String = id.chars().take(100).collect();
    Problem::not_found("unknown_relic", format!("Relic not found: {id}"))
}

/// Refused: relics are services in containers.
#[utoipa::path(post, path = "/containers/relic/start", tag = "original", request_body = RelicStartRequest, responses(
    (status = OK, description = "Never.", body = RelicInfo),
))]
async fn start(
    identity: Identity,
    JsonBody(request): JsonBody<RelicStartRequest>,
) -> Result<Answer<RelicInfo>, Problem> {
    require(&identity, Scope::Build)?;
    let RelicStartRequest { relic_name, session_id } = request;
    tracing::info!(relic_name, session_id, "a relic was asked for");
    let detail = "Failed to start relic: this server runs tools, and no services in containers";
    Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "not_supported", detail))
}

/// The relics that run: none.
#[utoipa::path(get, path = "/containers/relic", tag = "original", params(OfSession), responses(
    (status = OK, description = "The relics.", body = [RelicInfo]),
))]
async fn list(identity: Identity, Asked(of): Asked<OfSession>) -> Result<Answer<Vec<RelicInfo>>, Problem> {
    require(&identity, Scope::Call)?;
    tracing::debug!(of.session_id, "relics were listed");
    Ok(Answer(Vec::new()))
}

/// A relic by its id.
#[utoipa::path(get, path = "/containers/relic/{relic_id}", tag = "original", params(("relic_id" = String, Path)),
    responses((status = OK, description = "The relic.", body = RelicInfo)))]
async fn get(identity: Identity, Named(id): Named) -> Result<Answer<RelicInfo>, Problem> {
    require(&identity, Scope::Call)?;
    Err(unknown(&id))
}

/// Stops a relic.
#[utoipa::path(post, path = "/containers/relic/{relic_id}/stop", tag = "original", params(
    ("relic_id" = String, Path),
), responses((status = OK, description = "It was stopped.")))]
async fn stop(identity: Identity, Named(id): Named) -> Result<StatusCode, Problem> {
    require(&identity, Scope::Build)?;
    Err(unknown(&id))
}

/// Stops a relic.
#[utoipa::path(delete, path = "/containers/relic/{relic_id}", tag = "original", params(
    ("relic_id" = String, Path),
), responses((status = OK, description = "It was stopped.")))]
async fn delete(identity: Identity, Named(id): Named) -> Result<StatusCode, Problem> {
    require(&identity, Scope::Build)?;
    Err(unknown(&id))
}
