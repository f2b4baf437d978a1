//! Requests' bodies and queries, read within their bounds. What is wrong with one is a problem with a code.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

use crate::auth::Identity;
use crate::problem::Problem;
use crate::state::ServerState;

/// How long a client may take for its body. Whoever sends it byte by byte holds a connection and nothing else.
const PATIENCE: Duration = Duration::from_secs(30);

/// A JSON document that the client sent.
#[derive(Debug)]
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<ServerState> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &ServerState) -> Result<Self, Problem> {
        let bytes = read(request, state).await?;
        let document = if bytes.is_empty() { b"{}".as_slice() } else { &bytes };
        let value = serde_json::from_slice(document).map_err(|error| {
            let status = if error.is_data() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::BAD_REQUEST };
            Problem::new(status, "invalid_body", format!("the body is not what is wanted here: {error}"))
                .hinted("`/openapi.json` says what is wanted")
        })?;
        Ok(Self(value))
    }
}

async fn read(request: Request, state: &ServerState) -> Result<Bytes, Problem> {
    let limit = state.settings().body_bytes;
    let too_large = || {
        let detail = format!("the body has more than {limit} bytes");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
    };
    check_type(request.headers())?;
    let length = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let collected = tokio::time::timeout(PATIENCE, Limited::new(request.into_body(), limit).collect()).await;
    let Ok(collected) = collected else {
        return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "body_too_slow", "the body did not come in time"));
    };
    match collected {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
        Err(_) => Err(Problem::bad_request("the body broke off")),
    }
}

/// A page of another site can send a form's types without asking first, but not this one.
fn check_type(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(kind) = headers.get(CONTENT_TYPE) else {
        return if headers.get(CONTENT_LENGTH).is_none_or(|length| length == "0") {
            Ok(())
        } else {
            Err(unsupported("the body has no `Content-Type`"))
        };
    };
    let kind = kind.to_str().unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(unsupported(&format!("the body is `{}`", essence.chars().take(100).collect::<String>())))
}

fn unsupported(detail: &str) -> Problem {
    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_body", detail).hinted("send `application/json`")
}

/// What follows the `?`.
#[derive(Debug)]
pub(crate) struct Asked<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<ServerState> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &ServerState) -> Result<Self, Problem> {
        let query = Query::try_from_uri(&parts.uri);
        query.map(|Query(asked)| Self(asked)).map_err(|error| Problem::bad_request(error.body_text()))
    }
}

/// A part of the path.
#[derive(Debug)]
pub(crate) struct Named(pub(crate) String);

impl FromRequestParts<ServerState> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &ServerState) -> Result<Self, Problem> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(name)) => Ok(Self(name)),
            Err(error) => Err(Problem::bad_request(error.body_text())),
        }
    }
}

impl FromRequestParts<ServerState> for Identity {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &ServerState) -> Result<Self, Problem> {
        // The guard has put it there; without the guard nobody is let in.
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Problem::unauthorized("nobody is known here"))
    }
}

/// One event of a stream.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ServerSentEvent {
    /// Which kind of event it is.
    event: String,
    /// A JSON document.
    data: String,
}

/// A JSON document as an answer.
#[derive(Debug)]
pub(crate) struct Answer<T>(pub(crate) T);

impl<T: Serialize> IntoResponse for Answer<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response(),
            Err(error) => Problem::internal(&error).into_response(),
        }
    }
}

/// Does what blocks on a thread of its own.
pub(crate) async fn blocking<T: Send + 'static>(
    action: impl FnOnce() -> Result<T, cortex_runtime::RuntimeError> + Send + 'static,
) -> Result<T, Problem> {
    let done = tokio::task::spawn_blocking(action).await.map_err(|error| Problem::internal(&error))?;
    done.map_err(Problem::from)
}
