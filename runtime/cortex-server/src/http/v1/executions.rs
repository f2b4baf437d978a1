//! Executions: what was called, what came of it, what goes on.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use cortex_runtime::{Cancelling, ExecutionId, Filter, Record, Status, Summary};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::calls::UsageBody;
use super::owned;
use crate::auth::{Identity, Scope};
use crate::http::body::{Answer, Asked, Named, blocking};
use crate::problem::Problem;
use crate::state::{ServerState, require};

pub(super) fn routes() -> OpenApiRouter<ServerState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get)).routes(routes!(logs)).routes(routes!(cancel))
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// Of this tool only.
    tool: Option<String>,
    /// With this status only: `pending`, `running`, `success`, `failed`, `timeout`, `cancelled` or `interrupted`.
    status: Option<String>,
    /// Of this session only.
    session_id: Option<String>,
    /// Of this user only; with the scope `admin`.
    user: Option<String>,
    /// Older than this one: the `next` of the page before.
    before: Option<String>,
    /// How many, at most 1000; 50 if it is not said.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// An execution in a list.
#[derive(Debug, Serialize, ToSchema)]
struct SummaryBody {
    #[schema(pattern = "^exec_[0-9a-f]{16}$")]
    execution_id: String,
    tool: String,
    /// `pending`, `running`, `success`, `failed`, `timeout`, `cancelled` or `interrupted`.
    status: &'static str,
    /// How the call ended; `null` while it goes on.
    ending: Option<String>,
    session_id: Option<String>,
    user: Option<String>,
    started_at: String,
    usage: UsageBody,
    cached: bool,
}

impl From<Summary> for SummaryBody {
    fn from(summary: Summary) -> Self {
        Self {
            execution_id: summary.execution_id.to_string(),
            tool: summary.tool,
            status: summary.status.as_str(),
            ending: summary.ending,
            session_id: summary.caller.session.map(|session| session.to_string()),
            user: summary.caller.user.map(|user| user.to_string()),
            started_at: summary.started_at,
            usage: (&summary.usage).into(),
            cached: summary.cached,
        }
    }
}

/// All that was recorded of an execution.
#[derive(Debug, Serialize, ToSchema)]
struct RecordBody {
    #[serde(flatten)]
    summary: SummaryBody,
    component: Option<String>,
    contract: Option<String>,
    backend: Option<String>,
    engine: String,
    #[schema(value_type = Option<Object>)]
    error: Option<Value>,
    #[schema(value_type = Vec<Object>)]
    decisions: Value,
    #[schema(value_type = Option<Value>)]
    result: Option<Box<RawValue>>,
    stdout: String,
    stderr: String,
    #[schema(value_type = Vec<Object>)]
    log: Value,
}

fn list_of(value: Option<Value>) -> Value {
    value.filter(Value::is_array).unwrap_or_else(|| Value::Array(Vec::new()))
}

impl From<Record> for RecordBody {
    fn from(record: Record) -> Self {
        Self {
            summary: record.summary.into(),
            component: record.component,
            contract: record.contract,
            backend: record.backend,
            engine: record.engine,
            error: record.error,
            decisions: list_of(record.decisions),
            result: record.result,
            stdout: record.stdout,
            stderr: record.stderr,
            log: list_of(record.log),
        }
    }
}

/// Some executions, the latest first.
#[derive(Debug, Serialize, ToSchema)]
struct PageBody {
    executions: Vec<SummaryBody>,
    /// Where the next page begins, if there may be one.
    next: Option<String>,
}

/// Executions, the latest first.
#[utoipa::path(get, path = "/v1/executions", tag = "executions", params(Wanted), responses(
    (status = OK, description = "A page of them.", body = PageBody),
))]
async fn list(
    State(state): State<ServerState>,
    identity: Identity,
    Asked(wanted): Asked<Wanted>,
) -> Result<Answer<PageBody>, Problem> {
    require(&identity, Scope::Call)?;
    let status = wanted.status.map(|name| {
        let unknown = || Problem::bad_request("`status` is none of the words for how a call stands");
        Status::from_name(&name).ok_or_else(unknown)
    });
    let limit = wanted.limit.unwrap_or(50);
    if !(1..=1000).contains(&limit) {
        return Err(Problem::bad_request("`limit` is from 1 to 1000"));
    }
    let before = wanted.before.map(|before| before.parse::<ExecutionId>());
    let before = before.transpose().map_err(|error| Problem::bad_request(error.to_string()))?;
    // Everybody sees what is theirs.
    let own = identity.user.as_deref().map(str::to_owned);
    let user = if identity.may(Scope::Admin) { wanted.user } else { own };
    let filter = Filter { tool: wanted.tool, status: status.transpose()?, session: wanted.session_id, user, before };
    state.runtime().flush().await?;
    let executions = state.runtime().executions();
    let page = blocking(move || executions.list(&filter, limit)).await?;
    let next = page.next.map(|next| next.to_string());
    Ok(Answer(PageBody { executions: page.executions.into_iter().map(Into::into).collect(), next }))
}

/// One execution.
#[utoipa::path(get, path = "/v1/executions/{execution_id}", tag = "executions", params(
    ("execution_id" = String, Path),
), responses((status = OK, description = "All that was recorded of it.", body = RecordBody)))]
async fn get(
    State(state): State<ServerState>,
    identity: Identity,
    Named(id): Named,
) -> Result<Answer<RecordBody>, Problem> {
    require(&identity, Scope::Call)?;
    Ok(Answer(owned(&state, &identity, id.parse()?).await?.into()))
}

/// What a tool has written.
#[derive(Debug, Serialize, ToSchema)]
struct LogsBody {
    stdout: String,
    stderr: String,
    /// Lines that it logged.
    #[schema(value_type = Vec<Object>)]
    log: Value,
}

/// What a tool has written in one execution.
#[utoipa::path(get, path = "/v1/executions/{execution_id}/logs", tag = "executions", params(
    ("execution_id" = String, Path),
), responses((status = OK, description = "Its output.", body = LogsBody)))]
async fn logs(
    State(state): State<ServerState>,
    identity: Identity,
    Named(id): Named,
) -> Result<Answer<LogsBody>, Problem> {
    require(&identity, Scope::Call)?;
    let record = owned(&state, &identity, id.parse()?).await?;
    Ok(Answer(LogsBody { stdout: record.stdout, stderr: record.stderr, log: list_of(record.log) }))
}

/// What came of it.
#[derive(Debug, Serialize, ToSchema)]
struct CancelBody {
    execution_id: String,
    /// `cancelling`: it ends within moments.
    status: &'static str,
}

/// Stops a call that goes on.
#[utoipa::path(post, path = "/v1/executions/{execution_id}/cancel", tag = "executions", params(
    ("execution_id" = String, Path),
), responses((status = ACCEPTED, description = "It was asked to stop.", body = CancelBody)))]
async fn cancel(State(state): State<ServerState>, identity: Identity, Named(id): Named) -> Result<Response, Problem> {
    require(&identity, Scope::Call)?;
    let found = owned(&state, &identity, id.parse()?).await?.summary.execution_id;
    let executions = state.runtime().executions();
    match blocking(move || executions.cancel(found)).await? {
        Cancelling::Asked => {
            let body = CancelBody { execution_id: id, status: "cancelling" };
            Ok((StatusCode::ACCEPTED, Answer(body)).into_response())
        }
        Cancelling::Ended(status) => {
            let detail = format!("the call has ended already: {}", status.as_str());
            Err(Problem::new(StatusCode::CONFLICT, "not_running", detail))
        }
        Cancelling::Unknown => Err(Problem::not_found("unknown_execution", format!("Execution not found: {id}"))),
    }
}
