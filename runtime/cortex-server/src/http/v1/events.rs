//! What happens on the server, as it happens: for the console, and for whoever wants to watch.

use std::convert::Infallible;

use axum::extract::State;
use axum::response::sse::{Event as Sent, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use cortex_runtime::{Caller, Event};
use futures_util::stream;
use serde_json::json;
use tokio::sync::broadcast::error::RecvError;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::{Identity, Scope};
use crate::http::body::ServerSentEvent;
use crate::problem::Problem;
use crate::state::{ServerState, require};
use crate::timestamp::rfc3339;

pub(super) fn routes() -> OpenApiRouter<ServerState> {
    OpenApiRouter::new().routes(routes!(events))
}

/// Server-sent events: `began` and `ended` of the caller's calls, `reloaded` of changed tools, `builds` when any build has
/// changed, `missed` when the client was too slow for some.
#[utoipa::path(get, path = "/v1/events", tag = "service", responses(
    (status = OK, description = "The events.", body = ServerSentEvent, content_type = "text/event-stream"),
))]
async fn events(State(state): State<ServerState>, identity: Identity) -> Result<Response, Problem> {
    require(&identity, Scope::Call)?;
    let (calls, builds) = (state.runtime().events(), state.builds().changes());
    let events = stream::unfold((calls, builds, identity), async |(mut calls, mut builds, identity)| {
        loop {
            let sent = tokio::select! {
                event = calls.recv() => match event {
                    Ok(event) => told(&event, &identity),
                    Err(RecvError::Lagged(count)) => Some(sent("missed", &json!({ "count": count }))),
                    Err(RecvError::Closed) => return None,
                },
                changed = builds.changed() => {
                    changed.ok()?;
                    Some(sent("builds", &json!({})))
                }
            };
            if let Some(sent) = sent {
                return Some((Ok::<_, Infallible>(sent), (calls, builds, identity)));
            }
        }
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()).into_response())
}

fn told(event: &Event, identity: &Identity) -> Option<Sent> {
    let mine = |caller: &Caller| identity.may(Scope::Admin) || caller.user == identity.user;
    match event {
        Event::Began(flight) if mine(&flight.caller) => Some(sent(
            "began",
            &json!({
                "execution_id": flight.id, "tool": flight.tool, "status": flight.status().as_str(),
                "started_at": rfc3339(flight.started_at),
            }),
        )),
        Event::Ended(execution) if mine(&execution.caller) => Some(sent(
            "ended",
            &json!({
                "execution_id": execution.execution_id, "tool": execution.tool,
                "status": execution.status.as_str(), "ending": execution.ending.as_str(),
            }),
        )),
        Event::Reloaded(reloaded) if identity.may_use(&reloaded.tool) => {
            Some(sent("reloaded", &json!({ "tool": reloaded.tool, "error": reloaded.error })))
        }
        Event::Began(_) | Event::Ended(_) | Event::Reloaded(_) => None,
    }
}

fn sent(name: &str, data: &serde_json::Value) -> Sent {
    Sent::default().event(name).data(data.to_string())
}
