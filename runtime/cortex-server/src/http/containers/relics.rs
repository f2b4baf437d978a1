//! Relics: the original's routes over the services in containers that the manifests describe.
//!
//! Of a name there is one on this machine, whoever started it, so its name is its id. Tools reach it under that name.

use cortex_runtime::{Container, RelicState, Runtime, RuntimeError, Silent};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use axum::extract::State;

use crate::auth::{Identity, Scope};
use crate::http::body::{Answer, Asked, JsonBody, Named, blocking};
use crate::problem::Problem;
use crate::state::{RelicStart, ServerState, require};

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
    /// Who asked this server for it; none for one that was started in another way.
    session_id: Option<String>,
    /// What the engine says, such as `running`.
    status: String,
    started_at: Option<String>,
    container_id: Option<String>,
    container_name: Option<String>,
    /// Where tools reach it that were granted it.
    internal_url: Option<String>,
    /// A relic that is not healthy is not started.
    healthy: bool,
}

impl RelicInfo {
    fn new(state: RelicState, containers: &[Container], started: Option<RelicStart>) -> Self {
        let container = containers.iter().find(|container| is_of(container, &state.name));
        let (session_id, started_at) = started.map(|start| (start.session, start.at)).unzip();
        Self {
            relic_id: state.name.clone(),
            session_id,
            started_at,
            container_id: container.map(|container| container.id.clone()),
            container_name: container.map(|container| container.name.clone()),
            internal_url: state.ports.keys().next().map(|port| format!("http://{}:{port}", state.name)),
            healthy: state.status == "running",
            relic_name: state.name,
            status: state.status,
        }
    }
}

fn is_of(container: &Container, relic: &str) -> bool {
    container.kind == "relic" && container.runs == relic
}

#[derive(Debug, Deserialize, IntoParams)]
struct OfSession {
    /// Only those of this session.
    session_id: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct RelicStopped {
    relic_id: String,
    status: &'static str,
}

/// Starts a relic and those that it depends on, and waits until they are healthy.
#[utoipa::path(post, path = "/containers/relic/start", tag = "original", request_body = RelicStartRequest, responses(
    (status = OK, description = "It runs.", body = RelicInfo),
))]
async fn start(
    State(state): State<ServerState>,
    identity: Identity,
    JsonBody(request): JsonBody<RelicStartRequest>,
) -> Result<Answer<RelicInfo>, Problem> {
    require(&identity, Scope::Build)?;
    let RelicStartRequest { relic_name, session_id } = request;
    let (runtime, name) = (state.runtime().clone(), relic_name.clone());
    let (relic, containers) = blocking(move || {
        let relic = runtime.start_relic(&name, &Silent)?;
        Ok((relic, runtime.containers()?))
    })
    .await?;
    tracing::info!(target: "audit", relic_name, session_id, user = identity.user.as_deref(), "a relic was started");
    let started = state.relic_started(&relic_name, session_id);
    Ok(Answer(RelicInfo::new(relic, &containers, Some(started))))
}

/// The relics that run.
#[utoipa::path(get, path = "/containers/relic", tag = "original", params(OfSession), responses(
    (status = OK, description = "The relics.", body = [RelicInfo]),
))]
async fn list(
    State(state): State<ServerState>,
    identity: Identity,
    Asked(of): Asked<OfSession>,
) -> Result<Answer<Vec<RelicInfo>>, Problem> {
    require(&identity, Scope::Call)?;
    let runtime = state.runtime().clone();
    let (relics, containers) = blocking(move || running(&runtime)).await?;
    let infos = relics.into_iter().map(|relic| {
        let started = state.relic_start(&relic.name);
        RelicInfo::new(relic, &containers, started)
    });
    let of_session = |info: &RelicInfo| of.session_id.is_none() || info.session_id == of.session_id;
    Ok(Answer(infos.filter(of_session).collect()))
}

/// The relics that have a container, and all containers. Where no engine answers, nothing runs.
fn running(runtime: &Runtime) -> Result<(Vec<RelicState>, Vec<Container>), RuntimeError> {
    let containers = match runtime.containers() {
        Ok(containers) => containers,
        Err(RuntimeError::Docker(error)) if error.is_unavailable() => Vec::new(),
        Err(error) => return Err(error),
    };
    let mut relics = Vec::new();
    for container in containers.iter().filter(|container| container.kind == "relic") {
        match runtime.relic(&container.runs) {
            Ok(relic) => relics.push(relic),
            // Its manifest is in no folder of this server.
            Err(RuntimeError::UnknownRelic { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok((relics, containers))
}

/// A relic by its id, which is its name.
#[utoipa::path(get, path = "/containers/relic/{relic_id}", tag = "original", params(("relic_id" = String, Path)),
    responses((status = OK, description = "The relic.", body = RelicInfo)))]
async fn get(
    State(state): State<ServerState>,
    identity: Identity,
    Named(id): Named,
) -> Result<Answer<RelicInfo>, Problem> {
    require(&identity, Scope::Call)?;
    let started = state.relic_start(&id);
    let runtime = state.runtime().clone();
    let (relic, containers) = blocking(move || {
        let relic = runtime.relic(&id)?;
        Ok((relic, runtime.containers()?))
    })
    .await?;
    Ok(Answer(RelicInfo::new(relic, &containers, started)))
}

/// Stops a relic. What it kept stays.
#[utoipa::path(post, path = "/containers/relic/{relic_id}/stop", tag = "original", params(
    ("relic_id" = String, Path),
), responses((status = OK, description = "It was stopped.", body = RelicStopped)))]
async fn stop(state: State<ServerState>, identity: Identity, id: Named) -> Result<Answer<RelicStopped>, Problem> {
    end(state, identity, id, false).await
}

/// Stops a relic and removes what it kept.
#[utoipa::path(delete, path = "/containers/relic/{relic_id}", tag = "original", params(
    ("relic_id" = String, Path),
), responses((status = OK, description = "It was removed.", body = RelicStopped)))]
async fn delete(state: State<ServerState>, identity: Identity, id: Named) -> Result<Answer<RelicStopped>, Problem> {
    end(state, identity, id, true).await
}

async fn end(
    State(state): State<ServerState>,
    identity: Identity,
    Named(id): Named,
    volumes: bool,
) -> Result<Answer<RelicStopped>, Problem> {
    require(&identity, Scope::Build)?;
    let (runtime, name) = (state.runtime().clone(), id.clone());
    let ran = blocking(move || {
        runtime.relic_source(&name)?;
        runtime.stop_relic(&name, volumes)
    })
    .await?;
    if !ran {
        return Err(Problem::new(
            StatusCode::NOT_FOUND,
            "unknown_relic",
            format!("Relic not found: {id} does not run"),
        ));
    }
    state.relic_stopped(&id);
    tracing::info!(target: "audit", relic = id, user = identity.user.as_deref(), volumes, "a relic was stopped");
    Ok(Answer(RelicStopped { relic_id: id, status: "stopped" }))
}
