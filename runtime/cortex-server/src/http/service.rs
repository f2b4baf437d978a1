//! Whether the server is there, and its figures.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::body::Answer;
use crate::auth::{Identity, Scope};
use crate::problem::Problem;
use crate::state::{ServerState, require};

pub(super) fn routes() -> OpenApiRouter<ServerState> {
    OpenApiRouter::new().routes(routes!(health)).routes(routes!(metrics))
}

/// How the server is, in the original system's words.
#[derive(Debug, Serialize, ToSchema)]
struct Health {
    /// `healthy`, `draining` or `degraded`.
    status: &'static str,
    /// Which service this is.
    service: &'static str,
    /// Its version.
    version: &'static str,
    /// Whether executions are recorded: `connected` or `disconnected`.
    database: &'static str,
}

/// Whether the server takes calls.
#[utoipa::path(get, path = "/health", tag = "service", responses(
    (status = OK, description = "It does.", body = Health),
    (status = SERVICE_UNAVAILABLE, description = "It does not.", body = Health),
))]
async fn health(State(state): State<ServerState>) -> Response {
    let runtime = state.runtime();
    let recording = runtime.is_recording();
    let draining = runtime.queue().is_some_and(|queue| queue.draining);
    let status = match (recording, draining) {
        (true, false) => "healthy",
        (_, true) => "draining",
        (false, false) => "degraded",
    };
    let database = if recording { "connected" } else { "disconnected" };
    let health = Health { status, service: "cortex-wasm", version: env!("CARGO_PKG_VERSION"), database };
    let code = if status == "healthy" { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, Answer(health)).into_response()
}

/// The server's figures in the text format of Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "service", responses(
    (status = OK, description = "The figures.", body = String, content_type = "text/plain"),
))]
async fn metrics(State(state): State<ServerState>, identity: Identity) -> Result<Response, Problem> {
    require(&identity, Scope::Admin)?;
    let text = tokio::task::spawn_blocking(move || state.metrics().prometheus(state.runtime()));
    let text = text.await.map_err(|error| Problem::internal(&error))?;
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    Ok(([(CONTENT_TYPE, kind)], text).into_response())
}
