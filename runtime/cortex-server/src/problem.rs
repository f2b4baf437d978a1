//! Errors as `application/problem+json` (RFC 9457). The one place where an error or an ending becomes an HTTP status.

use std::borrow::Cow;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use cortex_runtime::{Ending, Execution, NoExecutionId, RuntimeError};
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// An error that a client sees.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    code: Cow<'static, str>,
    detail: String,
    hint: Option<String>,
    retry_after: Option<Duration>,
    execution: Option<Box<Value>>,
}

/// How it is written.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemBody<'a> {
    /// Always `about:blank`: the `code` says what it is.
    #[serde(rename = "type")]
    #[schema(value_type = String, example = "about:blank")]
    kind: &'static str,
    /// The words of the HTTP status.
    #[schema(value_type = String)]
    title: &'a str,
    /// The HTTP status.
    status: u16,
    /// The rule that was broken and the value seen.
    #[schema(value_type = String)]
    detail: &'a str,
    /// A stable word: the ending of a call, or what kept it from being one.
    #[schema(value_type = String, example = "invalid_input")]
    code: &'a str,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    hint: Option<&'a str>,
    /// The execution, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Value>)]
    execution: Option<&'a Value>,
}

impl Problem {
    /// A problem with a code of its own.
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        let code = Cow::Borrowed(code);
        Self { status, code, detail: detail.into(), hint: None, retry_after: None, execution: None }
    }

    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", detail)
    }

    pub(crate) fn not_found(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, detail)
    }

    pub(crate) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    pub(crate) fn unauthorized(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", detail).hinted("send `Authorization: Bearer <token>`")
    }

    /// What is told of an error that is this machine's own. The cause is in the log.
    pub(crate) fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error, "a request failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "this server failed; its log says why")
    }

    #[must_use]
    pub(crate) fn hinted(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    #[must_use]
    pub(crate) fn retry_in_secs(mut self, seconds: u64) -> Self {
        self.retry_after = Some(Duration::from_secs(seconds));
        self
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// An execution that did not succeed.
    pub(crate) fn of_execution(execution: &Execution) -> Self {
        let error = execution.error.as_deref();
        let ending = execution.ending;
        Self {
            status: status_of(ending),
            code: Cow::Borrowed(ending.as_str()),
            detail: error.map_or_else(|| ending.to_string(), |error| error.message.clone()),
            hint: error.and_then(|error| error.hint.clone()),
            retry_after: None,
            execution: serde_json::to_value(execution).ok().map(Box::new),
        }
    }

    pub(crate) fn body(&self) -> Value {
        let body = ProblemBody {
            kind: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: &self.detail,
            code: &self.code,
            hint: self.hint.as_deref(),
            execution: self.execution.as_deref(),
        };
        serde_json::to_value(body).unwrap_or_default()
    }
}

/// The HTTP status of a call that ended so. What a tool did is the request's affair (4xx), what crashed or took too long
/// behind this server is a gateway's (502, 504).
pub(crate) fn status_of(ending: Ending) -> StatusCode {
    match ending {
        Ending::Success => StatusCode::OK,
        Ending::InvalidInput => StatusCode::BAD_REQUEST,
        Ending::Denied => StatusCode::FORBIDDEN,
        Ending::Cancelled => StatusCode::CONFLICT,
        Ending::ToolError
        | Ending::OutOfFuel
        | Ending::MemoryExceeded
        | Ending::OutputExceeded
        | Ending::LimitExceeded => StatusCode::UNPROCESSABLE_ENTITY,
        Ending::BuildFailed => StatusCode::FAILED_DEPENDENCY,
        Ending::InvalidOutput | Ending::Trap => StatusCode::BAD_GATEWAY,
        Ending::BackendUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        Ending::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
    }
}

impl From<RuntimeError> for Problem {
    fn from(error: RuntimeError) -> Self {
        let status = match &error {
            RuntimeError::UnknownTool { .. } | RuntimeError::UnknownRelic { .. } | RuntimeError::NoTool { .. } => {
                StatusCode::NOT_FOUND
            }
            RuntimeError::Manifest(_) => StatusCode::UNPROCESSABLE_ENTITY,
            RuntimeError::Limit(_) => StatusCode::FORBIDDEN,
            RuntimeError::NotReady { ending, .. } => status_of(*ending),
            RuntimeError::Docker(error) if error.is_unavailable() => status_of(Ending::BackendUnavailable),
            RuntimeError::Docker(_) => status_of(Ending::BuildFailed),
            RuntimeError::Overloaded { .. } => StatusCode::TOO_MANY_REQUESTS,
            RuntimeError::Draining => StatusCode::SERVICE_UNAVAILABLE,
            RuntimeError::NotRecorded { .. } => StatusCode::INTERNAL_SERVER_ERROR,
            _ => return Self::internal(&error),
        };
        let retry_after = match &error {
            RuntimeError::Overloaded { retry_after, .. } => Some(*retry_after),
            RuntimeError::Draining => Some(Duration::from_secs(5)),
            _ => None,
        };
        let hint = error.hint();
        Self { hint, retry_after, ..Self::new(status, error.code(), error.to_string()) }
    }
}

impl From<NoExecutionId> for Problem {
    fn from(error: NoExecutionId) -> Self {
        Self::not_found("unknown_execution", error.to_string())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.body().to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(retry_after) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(retry_after.as_secs().max(1)));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
