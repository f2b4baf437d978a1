//! The original system's routes, fields and statuses: a client that was written for it works unchanged. What only a
//! container has is refused, not ignored.

mod relics;

use std::collections::BTreeMap;
use std::time::Duration;

use axum::extract::State;
use cortex_runtime::{CallOptions, Caller, Cancelling, Execution, ExecutionId, Overrides, Record, Status};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::body::{Answer, JsonBody, Named, blocking};
use super::v1::owned;
use crate::auth::{Identity, Scope};
use crate::problem::Problem;
use crate::state::{ServerState, require, require_tool};
use crate::timestamp::rfc3339;

pub(super) fn routes() -> OpenApiRouter<ServerState> {
    OpenApiRouter::new()
        .routes(routes!(execute))
        .routes(routes!(get_execution))
        .routes(routes!(get_logs))
        .routes(routes!(cancel))
        .routes(routes!(build_tool))
        .routes(routes!(tool_exists))
        .routes(routes!(list_stats))
        .routes(routes!(get_stats))
        .routes(routes!(cleanup_session))
        .routes(routes!(cleanup_networks))
        .merge(relics::routes())
}

/// Limits of one call. Those that are higher than the tool's own change nothing.
#[derive(Debug, Default, Deserialize, ToSchema)]
struct ResourceLimits {
    #[schema(minimum = 64, maximum = 8192)]
    memory_mb: Option<u64>,
    /// Calls share this machine's processors by turns; fuel bounds their work.
    #[schema(minimum = 0.1, maximum = 8.0)]
    cpu_limit: Option<f64>,
    #[schema(minimum = 1, maximum = 3600)]
    timeout_seconds: Option<u64>,
    /// A tool has no disk of its own.
    #[schema(minimum = 100, maximum = 10240)]
    disk_mb: Option<u64>,
}

#[derive(Debug, Deserialize, ToSchema)]
struct ToolExecutionRequest {
    #[schema(min_length = 1)]
    tool_name: String,
    session_id: String,
    #[serde(default)]
    #[schema(value_type = Object)]
    parameters: Map<String, Value>,
    /// Refused: what runs is what the tool's manifest says.
    image: Option<String>,
    /// Refused, as `image`.
    dockerfile: Option<String>,
    /// Refused, as `image`.
    build_context: Option<String>,
    #[serde(default)]
    resource_limits: ResourceLimits,
    /// Variables that the tool sees in this call.
    #[serde(default)]
    environment: BTreeMap<String, String>,
    /// Refused unless empty: folders are what manifests ask for and operators grant.
    #[serde(default)]
    volumes: BTreeMap<String, String>,
    /// `bridge` for the network that the tool was granted, `none` for none.
    #[serde(default = "bridge")]
    network_mode: String,
    /// A sandbox is gone after its call in any case.
    #[serde(default = "yes")]
    #[expect(dead_code, reason = "clients send it, and nothing is ever left to clean up")]
    cleanup: bool,
}

fn bridge() -> String {
    "bridge".into()
}

fn yes() -> bool {
    true
}

#[derive(Debug, Serialize, ToSchema)]
struct ToolExecutionResult {
    #[schema(pattern = "^exec_[0-9a-f]{16}$")]
    execution_id: String,
    tool_name: String,
    session_id: String,
    /// `pending`, `running`, `success`, `failed`, `timeout` or `cancelled`.
    status: &'static str,
    started_at: String,
    completed_at: Option<String>,
    exit_code: Option<i32>,
    stdout: String,
    stderr: String,
    #[schema(value_type = Option<Value>)]
    result: Option<Value>,
    container_id: Option<String>,
    execution_time_seconds: Option<f64>,
    memory_used_mb: Option<f64>,
    error: Option<String>,
}

/// The original system knows no call whose process died.
fn status_word(status: Status) -> &'static str {
    match status {
        Status::Interrupted => Status::Failed.as_str(),
        status => status.as_str(),
    }
}

/// The original's: 124 for a call whose time was over, 137 for one that was killed.
fn exit_code(status: Status, said: Option<i32>) -> Option<i32> {
    match status {
        Status::Pending | Status::Running => None,
        Status::Success => Some(0),
        Status::Timeout => Some(124),
        Status::Cancelled | Status::Interrupted => Some(137),
        Status::Failed => Some(said.filter(|code| *code != 0).unwrap_or(1)),
    }
}

#[expect(clippy::cast_precision_loss, reason = "the original counts in fractions of megabytes and seconds")]
fn usage(bytes: u64, micros: u64) -> (Option<f64>, Option<f64>) {
    (Some(micros as f64 / 1e6), Some(bytes as f64 / f64::from(1 << 20)))
}

impl From<&Execution> for ToolExecutionResult {
    fn from(execution: &Execution) -> Self {
        let result = execution.result.as_ref();
        let error = execution.error.as_deref();
        let (execution_time_seconds, memory_used_mb) =
            usage(execution.usage.memory_peak_bytes, execution.usage.wall_us);
        // What became the result was standard output first.
        let stdout = match result {
            Some(result) if execution.stdout.text.is_empty() => result.get().to_owned(),
            _ => execution.stdout.text.clone(),
        };
        Self {
            execution_id: execution.execution_id.to_string(),
            tool_name: execution.tool.to_string(),
            session_id: execution.caller.session.as_deref().unwrap_or_default().to_owned(),
            status: status_word(execution.status),
            started_at: rfc3339(execution.started_at),
            completed_at: Some(rfc3339(execution.started_at + Duration::from_micros(execution.usage.wall_us))),
            exit_code: exit_code(execution.status, error.and_then(|error| error.exit_code)),
            stdout,
            stderr: execution.stderr.text.clone(),
            result: result.and_then(|result| serde_json::from_str(result.get()).ok()),
            container_id: None,
            execution_time_seconds,
            memory_used_mb,
            error: error.map(|error| error.message.clone()),
        }
    }
}

impl From<Record> for ToolExecutionResult {
    fn from(record: Record) -> Self {
        let summary = record.summary;
        let over = summary.status.is_final();
        let error = record.error.unwrap_or_default();
        let (time, memory) = usage(summary.usage.memory_peak_bytes, summary.usage.wall_us);
        let stdout = match &record.result {
            Some(result) if record.stdout.is_empty() => result.get().to_owned(),
            _ => record.stdout,
        };
        let said = error["exit_code"].as_i64().and_then(|code| i32::try_from(code).ok());
        Self {
            execution_id: summary.execution_id.to_string(),
            tool_name: summary.tool,
            session_id: summary.caller.session.as_deref().unwrap_or_default().to_owned(),
            status: status_word(summary.status),
            completed_at: over
                .then(|| rfc3339(summary.execution_id.began_at() + Duration::from_micros(summary.usage.wall_us))),
            started_at: summary.started_at,
            exit_code: exit_code(summary.status, said),
            stdout,
            stderr: record.stderr,
            result: record.result.and_then(|result| serde_json::from_str(result.get()).ok()),
            container_id: None,
            execution_time_seconds: time.filter(|_| over),
            memory_used_mb: memory.filter(|_| over),
            error: error["message"].as_str().map(str::to_owned),
        }
    }
}

impl ToolExecutionRequest {
    /// Checks what was sent, in the bounds of the original.
    fn check(&self) -> Result<(), Problem> {
        let limits = &self.resource_limits;
        let wrong = |what: &str, from: f64, to: f64| {
            Err(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid_body",
                format!("`resource_limits.{what}` must be from {from} to {to}"),
            ))
        };
        if limits.memory_mb.is_some_and(|value| !(64..=8192).contains(&value)) {
            return wrong("memory_mb", 64.0, 8192.0);
        }
        if limits.cpu_limit.is_some_and(|value| !(0.1..=8.0).contains(&value)) {
            return wrong("cpu_limit", 0.1, 8.0);
        }
        if limits.timeout_seconds.is_some_and(|value| !(1..=3600).contains(&value)) {
            return wrong("timeout_seconds", 1.0, 3600.0);
        }
        if limits.disk_mb.is_some_and(|value| !(100..=10_240).contains(&value)) {
            return wrong("disk_mb", 100.0, 10_240.0);
        }
        let container = [
            (self.image.is_some(), "image", "what runs is what the tool's manifest says"),
            (self.dockerfile.is_some(), "dockerfile", "what runs is what the tool's manifest says"),
            (self.build_context.is_some(), "build_context", "what runs is what the tool's manifest says"),
            (!self.volumes.is_empty(), "volumes", "ask for folders under `permissions.filesystem` in the manifest"),
            (
                !["bridge", "none"].contains(&self.network_mode.as_str()),
                "network_mode",
                "`bridge` for the network that the tool was granted, `none` for none",
            ),
        ];
        for (given, field, hint) in container {
            if given {
                let detail = format!("`{field}` is a container's and has no meaning for a sandbox");
                return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "not_supported", detail).hinted(hint));
            }
        }
        Ok(())
    }

    /// The tool's own limits, or lower ones.
    fn overrides(&self, own: &cortex_runtime::Limits) -> Overrides {
        let limits = &self.resource_limits;
        Overrides {
            memory_bytes: limits.memory_mb.map(|mb| (mb << 20).min(own.memory_bytes)),
            timeout: limits.timeout_seconds.map(|seconds| Duration::from_secs(seconds).min(own.timeout)),
            ..Overrides::default()
        }
    }
}

/// Calls a tool and waits for its end, whatever it is.
#[utoipa::path(post, path = "/containers/tool/execute", tag = "original", request_body = ToolExecutionRequest,
    responses((status = OK, description = "The call has ended.", body = ToolExecutionResult)))]
async fn execute(
    State(state): State<ServerState>,
    identity: Identity,
    JsonBody(request): JsonBody<ToolExecutionRequest>,
) -> Result<Answer<ToolExecutionResult>, Problem> {
    require_tool(&identity, Scope::Call, &request.tool_name)?;
    request.check()?;
    let (runtime, tool) = (state.runtime().clone(), request.tool_name.clone());
    let own = blocking(move || runtime.limits(&runtime.tool(&tool)?)).await?;
    let options = CallOptions {
        limits: request.overrides(&own),
        caller: Caller { session: Some(request.session_id.as_str().into()), user: identity.user.clone() },
        durable: true,
        environment: request.environment,
        no_network: request.network_mode == "none",
        ..CallOptions::default()
    };
    let input = Value::Object(request.parameters);
    let execution = state.runtime().call(&request.tool_name, &input, options).await?;
    Ok(Answer(ToolExecutionResult::from(&*execution)))
}

async fn find(state: &ServerState, identity: &Identity, id: &str) -> Result<Record, Problem> {
    require(identity, Scope::Call)?;
    let id: ExecutionId = id.parse()?;
    owned(state, identity, id).await
}

/// What is known of a call.
#[utoipa::path(get, path = "/containers/tool/{execution_id}", tag = "original", params(
    ("execution_id" = String, Path),
), responses((status = OK, description = "The call.", body = ToolExecutionResult)))]
async fn get_execution(
    State(state): State<ServerState>,
    identity: Identity,
    Named(id): Named,
) -> Result<Answer<ToolExecutionResult>, Problem> {
    Ok(Answer(find(&state, &identity, &id).await?.into()))
}

#[derive(Debug, Serialize, ToSchema)]
struct ExecutionLogs {
    execution_id: String,
    stdout: String,
    stderr: String,
}

/// What a call has written.
#[utoipa::path(get, path = "/containers/tool/{execution_id}/logs", tag = "original", params(
    ("execution_id" = String, Path),
), responses((status = OK, description = "Its output.", body = ExecutionLogs)))]
async fn get_logs(
    State(state): State<ServerState>,
    identity: Identity,
    Named(id): Named,
) -> Result<Answer<ExecutionLogs>, Problem> {
    let result = ToolExecutionResult::from(find(&state, &identity, &id).await?);
    let ToolExecutionResult { execution_id, stdout, stderr, .. } = result;
    Ok(Answer(ExecutionLogs { execution_id, stdout, stderr }))
}

#[derive(Debug, Serialize, ToSchema)]
struct Cancelled {
    status: &'static str,
    execution_id: String,
}

/// Stops a call.
#[utoipa::path(post, path = "/containers/tool/{execution_id}/cancel", tag = "original", params(
    ("execution_id" = String, Path),
), responses((status = OK, description = "It was asked to stop.", body = Cancelled)))]
async fn cancel(
    State(state): State<ServerState>,
    identity: Identity,
    Named(id): Named,
) -> Result<Answer<Cancelled>, Problem> {
    let detail = || format!("Could not cancel execution: {id} (not found or not running)");
    let refused = |_| Problem::new(StatusCode::BAD_REQUEST, "not_running", detail());
    let found = find(&state, &identity, &id).await.map_err(refused)?.summary.execution_id;
    let executions = state.runtime().executions();
    match blocking(move || executions.cancel(found)).await? {
        Cancelling::Asked => Ok(Answer(Cancelled { status: "cancelled", execution_id: id })),
        Cancelling::Ended(_) | Cancelling::Unknown => Err(refused(Problem::bad_request(""))),
    }
}

#[derive(Debug, Deserialize, ToSchema)]
struct BuildToolRequest {
    #[schema(min_length = 1)]
    tool_name: String,
    #[serde(default)]
    force_rebuild: bool,
}

#[derive(Debug, Serialize, ToSchema)]
struct BuildToolResponse {
    tool_name: String,
    /// The digest of what was built.
    image_tag: String,
    status: &'static str,
    message: Option<String>,
}

/// Builds a tool and waits for it.
#[utoipa::path(post, path = "/containers/build/tool", tag = "original", request_body = BuildToolRequest,
    responses((status = OK, description = "The tool is ready to run.", body = BuildToolResponse)))]
async fn build_tool(
    State(state): State<ServerState>,
    identity: Identity,
    JsonBody(request): JsonBody<BuildToolRequest>,
) -> Result<Answer<BuildToolResponse>, Problem> {
    require_tool(&identity, Scope::Build, &request.tool_name)?;
    let (runtime, tool) = (state.runtime().clone(), request.tool_name.clone());
    blocking(move || runtime.tool(&tool).map(drop)).await?;
    let job = state.builds().start(&request.tool_name, request.force_rebuild).ok_or_else(super::v1::too_many_builds)?;
    let mut changes = job.follow();
    // The sender lives as long as the job, which is held here.
    let _ = changes.wait_for(|build| build.status.is_final()).await;
    let build = job.now();
    let Some(image_tag) = build.component else {
        let why = build.error.unwrap_or_default();
        let detail = format!("Failed to build tool {}: {why}", request.tool_name);
        return Err(Problem::new(StatusCode::FAILED_DEPENDENCY, "build_failed", detail));
    };
    let message = if build.built == Some(true) { "built" } else { "built before" };
    let (tool_name, message) = (request.tool_name, Some(message.to_owned()));
    Ok(Answer(BuildToolResponse { tool_name, image_tag, status: "success", message }))
}

#[derive(Debug, Serialize, ToSchema)]
struct ToolExists {
    tool_name: String,
    image_tag: String,
    exists: bool,
}

/// Whether a tool is built.
#[utoipa::path(get, path = "/containers/build/tool/{tool_name}/exists", tag = "original", params(
    ("tool_name" = String, Path),
), responses((status = OK, description = "Whether it is.", body = ToolExists)))]
async fn tool_exists(
    State(state): State<ServerState>,
    identity: Identity,
    Named(tool_name): Named,
) -> Result<Answer<ToolExists>, Problem> {
    let known = require_tool(&identity, Scope::Call, &tool_name);
    require(&identity, Scope::Call)?;
    let (runtime, tool) = (state.runtime().clone(), tool_name.clone());
    let digest = match known {
        Ok(()) => tokio::task::spawn_blocking(move || runtime.built(&tool).ok().flatten()).await.ok().flatten(),
        Err(_) => None,
    };
    let (exists, image_tag) = (digest.is_some(), digest.unwrap_or_default());
    Ok(Answer(ToolExists { tool_name, image_tag, exists }))
}

/// A call that goes on, in the words of containers.
#[derive(Debug, Serialize, ToSchema)]
struct ContainerStats {
    container_id: String,
    name: String,
    status: &'static str,
    running: bool,
    cpu_percent: f64,
    memory_used_mb: f64,
    memory_limit_mb: f64,
    memory_percent: f64,
    network_rx_mb: f64,
    network_tx_mb: f64,
    disk_read_mb: f64,
    disk_write_mb: f64,
    created_at: Option<String>,
    started_at: Option<String>,
}

fn stats(state: &ServerState, identity: &Identity) -> Vec<ContainerStats> {
    let all = state.runtime().executions().in_flight().into_iter();
    let mine = all.filter(|flight| identity.may(Scope::Admin) || flight.caller.user == identity.user);
    let of = |flight: std::sync::Arc<cortex_runtime::Flight>| {
        let running = flight.status() == Status::Running;
        let started = Some(rfc3339(flight.started_at));
        ContainerStats {
            container_id: flight.id.to_string(),
            name: flight.tool.to_string(),
            status: if running { "running" } else { "created" },
            running,
            // A sandbox's usage is known when its call has ended.
            cpu_percent: 0.0,
            memory_used_mb: 0.0,
            memory_limit_mb: 0.0,
            memory_percent: 0.0,
            network_rx_mb: 0.0,
            network_tx_mb: 0.0,
            disk_read_mb: 0.0,
            disk_write_mb: 0.0,
            created_at: started.clone(),
            started_at: started,
        }
    };
    mine.map(of).collect()
}

/// The calls that go on.
#[utoipa::path(get, path = "/containers/stats", tag = "original", responses(
    (status = OK, description = "The calls.", body = [ContainerStats]),
))]
async fn list_stats(
    State(state): State<ServerState>,
    identity: Identity,
) -> Result<Answer<Vec<ContainerStats>>, Problem> {
    require(&identity, Scope::Call)?;
    Ok(Answer(stats(&state, &identity)))
}

/// One of them.
#[utoipa::path(get, path = "/containers/stats/{container_id}", tag = "original", params(
    ("container_id" = String, Path),
), responses((status = OK, description = "The call.", body = ContainerStats)))]
async fn get_stats(
    State(state): State<ServerState>,
    identity: Identity,
    Named(id): Named,
) -> Result<Answer<ContainerStats>, Problem> {
    require(&identity, Scope::Call)?;
    let found = stats(&state, &identity).into_iter().find(|stats| stats.container_id == id);
    let detail = || format!("Container not found or no stats available: {}", id.chars().take(100).collect::<String>());
    found.map(Answer).ok_or_else(|| Problem::not_found("unknown_execution", detail()))
}

#[derive(Debug, Deserialize, ToSchema)]
struct SessionCleanupRequest {
    session_id: String,
    /// Stops what runs.
    #[serde(default)]
    force: bool,
}

#[derive(Debug, Serialize, ToSchema)]
struct SessionCleanupResult {
    session_id: String,
    containers_removed: usize,
    networks_removed: usize,
    volumes_removed: usize,
    errors: Vec<String>,
}

/// Stops the calls of a session.
#[utoipa::path(post, path = "/containers/cleanup/session", tag = "original", request_body = SessionCleanupRequest,
    responses((status = OK, description = "What was done.", body = SessionCleanupResult)))]
async fn cleanup_session(
    State(state): State<ServerState>,
    identity: Identity,
    JsonBody(request): JsonBody<SessionCleanupRequest>,
) -> Result<Answer<SessionCleanupResult>, Problem> {
    require(&identity, Scope::Call)?;
    let executions = state.runtime().executions();
    let mut result = SessionCleanupResult {
        session_id: request.session_id,
        containers_removed: 0,
        networks_removed: 0,
        volumes_removed: 0,
        errors: Vec::new(),
    };
    for flight in executions.in_flight() {
        let mine = identity.may(Scope::Admin) || flight.caller.user == identity.user;
        if !mine || flight.caller.session.as_deref() != Some(result.session_id.as_str()) {
            continue;
        }
        if request.force {
            flight.cancel();
            result.containers_removed += 1;
        } else {
            result.errors.push(format!("{} runs; `force` stops it", flight.id));
        }
    }
    Ok(Answer(result))
}

#[derive(Debug, Serialize, ToSchema)]
struct NetworksRemoved {
    status: &'static str,
    networks_removed: usize,
}

/// Sandboxes have no networks of their own, so there is nothing to remove.
#[utoipa::path(post, path = "/containers/cleanup/all-networks", tag = "original", responses(
    (status = OK, description = "Nothing was there.", body = NetworksRemoved),
))]
async fn cleanup_networks(identity: Identity) -> Result<Answer<NetworksRemoved>, Problem> {
    require(&identity, Scope::Admin)?;
    Ok(Answer(NetworksRemoved { status: "completed", networks_removed: 0 }))
}
