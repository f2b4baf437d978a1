//! Calls: waited for, begun and left, or followed as they go.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use cortex_runtime::{CallOptions, Caller, Ending, Execution, LogLine, Observer, Overrides, Progress, ToolProgress};
use futures_util::{Stream, StreamExt, stream};
use http::header::LOCATION;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::{Identity, Scope};
use crate::http::body::{Answer, Asked, JsonBody, Named, ServerSentEvent, blocking};
use crate::problem::{Problem, status_of};
use crate::state::{ServerState, require_tool};
use crate::timestamp::rfc3339;

/// How many lines and steps a client that reads slowly may lag behind. Further ones are left out, and counted.
const BACKLOG: usize = 1_000;

/// How often a stream says that it is still there, by which a dead client is found.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

pub(super) fn routes() -> OpenApiRouter<ServerState> {
    OpenApiRouter::new().routes(routes!(call))
}

/// A call.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CallRequest {
    /// The tool's parameters.
    #[serde(default)]
    #[schema(value_type = Object)]
    input: Map<String, Value>,
    /// Groups calls that belong together.
    #[schema(max_length = 200)]
    session_id: Option<String>,
    /// Limits below the tool's own.
    #[serde(default)]
    limits: CallLimits,
    /// The same clocks and randomness as in every other call with this seed.
    deterministic: Option<u64>,
}

/// Limits of one call. Higher ones than the tool's own are refused.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CallLimits {
    #[schema(minimum = 1)]
    fuel: Option<u64>,
    #[schema(minimum = 1)]
    memory_bytes: Option<u64>,
    #[schema(minimum = 1)]
    timeout_ms: Option<u64>,
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct How {
    /// `false`: do not wait for the end. The answer is 202 and where to ask.
    wait: Option<bool>,
    /// `true`: follow the call by server-sent events `begin`, `step`, `log`, `progress` and `end`.
    stream: Option<bool>,
}

/// An execution.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Execution)]
pub(super) struct ExecutionBody<'a> {
    #[schema(pattern = "^exec_[0-9a-f]{16}$")]
    execution_id: String,
    #[schema(value_type = String)]
    tool: &'a str,
    /// `success`, `failed`, `timeout` or `cancelled`.
    status: &'static str,
    /// How the call ended, in one word.
    ending: &'static str,
    #[schema(value_type = Option<String>)]
    session_id: Option<&'a str>,
    #[schema(value_type = Option<String>)]
    user: Option<&'a str>,
    /// The JSON document that the tool answered with.
    #[schema(value_type = Option<Value>)]
    result: Option<&'a RawValue>,
    /// Why it failed.
    #[schema(value_type = Option<Object>)]
    error: Option<Value>,
    usage: UsageBody,
    /// What the tool wanted to reach, and whether it was granted.
    #[schema(value_type = Vec<Object>)]
    decisions: Value,
    #[schema(value_type = String)]
    stdout: &'a str,
    #[schema(value_type = String)]
    stderr: &'a str,
    /// Lines that the tool logged.
    #[schema(value_type = Vec<Object>)]
    log: &'a [LogLine],
    /// Nothing was built or compiled for this call.
    cached: bool,
    #[schema(value_type = Option<String>)]
    component: Option<&'a str>,
    started_at: String,
}

/// What a call used.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(super) struct UsageBody {
    fuel: u64,
    memory_peak_bytes: u64,
    wall_us: u64,
    instantiate_us: u64,
    http_requests: u64,
}

impl From<&cortex_runtime::Usage> for UsageBody {
    fn from(usage: &cortex_runtime::Usage) -> Self {
        Self {
            fuel: usage.fuel,
            memory_peak_bytes: usage.memory_peak_bytes,
            wall_us: usage.wall_us,
            instantiate_us: usage.instantiate_us,
            http_requests: usage.http_requests,
        }
    }
}

impl<'a> From<&'a Execution> for ExecutionBody<'a> {
    fn from(execution: &'a Execution) -> Self {
        Self {
            execution_id: execution.execution_id.to_string(),
            tool: &execution.tool,
            status: execution.status.as_str(),
            ending: execution.ending.as_str(),
            session_id: execution.caller.session.as_deref(),
            user: execution.caller.user.as_deref(),
            result: execution.result.as_deref(),
            error: execution.error.as_ref().and_then(|error| serde_json::to_value(error).ok()),
            usage: (&execution.usage).into(),
            decisions: serde_json::to_value(&execution.decisions).unwrap_or_default(),
            stdout: &execution.stdout.text,
            stderr: &execution.stderr.text,
            log: &execution.log,
            cached: execution.cached,
            component: execution.component.as_deref(),
            started_at: rfc3339(execution.started_at),
        }
    }
}

/// A call that has begun.
#[derive(Debug, Serialize, ToSchema)]
struct Begun {
    #[schema(pattern = "^exec_[0-9a-f]{16}$")]
    execution_id: String,
    /// `pending` or `running`.
    status: &'static str,
}

/// Calls a tool.
///
/// The answer of a call that did not succeed is a problem whose `code` is its ending, and which has the execution.
#[utoipa::path(post, path = "/v1/tools/{name}/calls", tag = "calls", params(
    ("name" = String, Path, description = "The tool; `#function` selects one of several."), How,
), request_body = CallRequest, responses(
    (status = OK, description = "The call has succeeded, or is followed.", content(
        (ExecutionBody = "application/json"), (ServerSentEvent = "text/event-stream"),
    )),
    (status = ACCEPTED, description = "The call has begun.", body = Begun),
))]
async fn call(
    State(state): State<ServerState>,
    identity: Identity,
    Named(tool): Named,
    Asked(how): Asked<How>,
    headers: HeaderMap,
    JsonBody(request): JsonBody<CallRequest>,
) -> Result<Response, Problem> {
    require_tool(&identity, Scope::Call, &tool)?;
    if request.session_id.as_ref().is_some_and(|id| id.len() > 200) {
        return Err(Problem::bad_request("`session_id` has more than 200 bytes"));
    }
    let options = options(&identity, &headers, &request);
    let input = Value::Object(request.input);
    match (how.stream.unwrap_or(false), how.wait.unwrap_or(true)) {
        (true, _) => follow(&state, tool, input, options).await,
        (false, false) => begin(&state, tool, input, options).await,
        (false, true) => {
            let execution = state.runtime().call(&tool, &input, options).await?;
            if execution.ending == Ending::Success {
                Ok(Answer(ExecutionBody::from(&*execution)).into_response())
            } else {
                Err(Problem::of_execution(&execution))
            }
        }
    }
}

fn options(identity: &Identity, headers: &HeaderMap, request: &CallRequest) -> CallOptions {
    let traceparent = headers.get("traceparent").and_then(|value| value.to_str().ok());
    CallOptions {
        limits: Overrides {
            fuel: request.limits.fuel,
            memory_bytes: request.limits.memory_bytes,
            timeout: request.limits.timeout_ms.map(Duration::from_millis),
            ..Overrides::default()
        },
        deterministic: request.deterministic,
        caller: Caller { session: request.session_id.as_deref().map(Into::into), user: identity.user.clone() },
        durable: true,
        traceparent: traceparent.map(str::to_owned),
        ..CallOptions::default()
    }
}

/// Whoever is told the identity of a call that goes on finds it in the record, whatever becomes of this process.
async fn begin(state: &ServerState, tool: String, input: Value, options: CallOptions) -> Result<Response, Problem> {
    let (runtime, name) = (state.runtime().clone(), tool.clone());
    blocking(move || runtime.tool(&name).map(drop)).await?;
    let call = state.runtime().begin(&tool, options);
    call.recorded().await?;
    let id = call.id().to_string();
    tokio::spawn(async move {
        // It is in the record, whatever it is.
        let _ = call.run(&input).await;
    });
    let location = HeaderValue::try_from(format!("/v1/executions/{id}")).map_err(|error| Problem::internal(&error))?;
    let body = Answer(Begun { execution_id: id, status: "pending" });
    Ok((StatusCode::ACCEPTED, [(LOCATION, location)], body).into_response())
}

/// What a client hears of its call.
enum Heard {
    Step(String),
    Log(LogLine),
    Progress(ToolProgress),
    End(Box<Result<Arc<Execution>, Problem>>),
}

/// Hands on what a tool and its build say, without ever waiting for the client.
struct Teller {
    heard: mpsc::Sender<Heard>,
    left_out: AtomicUsize,
}

impl Teller {
    fn tell(&self, heard: Heard) {
        if self.heard.try_send(heard).is_err() {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Observer for Teller {
    fn log(&self, line: &LogLine) {
        self.tell(Heard::Log(line.clone()));
    }

    fn progress(&self, progress: &ToolProgress) {
        self.tell(Heard::Progress(progress.clone()));
    }
}

impl Progress for Teller {
    fn step(&self, line: &str) {
        self.tell(Heard::Step(line.to_owned()));
    }
}

/// The stream owns the call: when the client goes, the guest is stopped.
async fn follow(state: &ServerState, tool: String, input: Value, options: CallOptions) -> Result<Response, Problem> {
    let (runtime, name) = (state.runtime().clone(), tool.clone());
    blocking(move || runtime.tool(&name).map(drop)).await?;
    let (sender, heard) = mpsc::channel(BACKLOG);
    let teller = Arc::new(Teller { heard: sender.clone(), left_out: AtomicUsize::new(0) });
    let (observer, progress): (Arc<dyn Observer>, Arc<dyn Progress>) =
        (Arc::clone(&teller) as Arc<dyn Observer>, Arc::clone(&teller) as Arc<dyn Progress>);
    let options = CallOptions { observer: Some(observer), progress: Some(progress), ..options };
    let call = state.runtime().begin(&tool, options);
    let id = call.id().to_string();
    let running = AbortOnDropHandle::new(tokio::spawn(async move {
        let ended = call.run(&input).await.map_err(Problem::from);
        // Nobody hears it whose client has gone.
        let _ = sender.send(Heard::End(Box::new(ended))).await;
    }));
    let begin = Event::default().event("begin").data(json!({ "execution_id": id, "tool": tool }).to_string());
    let events = stream::once(std::future::ready(begin)).chain(events(heard, teller, running));
    let events = events.map(Ok::<_, std::convert::Infallible>);
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

fn events(
    heard: mpsc::Receiver<Heard>,
    teller: Arc<Teller>,
    running: AbortOnDropHandle<()>,
) -> impl Stream<Item = Event> {
    stream::unfold((heard, Some(running), false), move |(mut heard, running, over)| {
        let teller = Arc::clone(&teller);
        async move {
            if over {
                return None;
            }
            let next = heard.recv().await?;
            let (name, data, over) = match next {
                Heard::Step(line) => ("step", json!({ "message": line }).to_string(), false),
                Heard::Log(line) => ("log", serde_json::to_string(&line).unwrap_or_default(), false),
                Heard::Progress(progress) => {
                    let ToolProgress { done, total, message } = progress;
                    ("progress", json!({ "done": done, "total": total, "message": message }).to_string(), false)
                }
                Heard::End(ended) => ("end", end(&ended, teller.left_out.load(Ordering::Relaxed)), true),
            };
            Some((Event::default().event(name).data(data), (heard, running, over)))
        }
    })
}

/// The execution, or the problem that kept it from being one; with the status that it would have had as an answer.
fn end(ended: &Result<Arc<Execution>, Problem>, left_out: usize) -> String {
    let end = match ended {
        Ok(execution) => json!({
            "http_status": status_of(execution.ending).as_u16(),
            "execution": serde_json::to_value(ExecutionBody::from(&**execution)).unwrap_or_default(),
            "left_out": left_out,
        }),
        Err(problem) => json!({ "http_status": problem.status().as_u16(), "problem": problem.body() }),
    };
    end.to_string()
}
