//! Tools: which there are, what they take, what they may do, how they are built.

use axum::extract::State;
use cortex_runtime::{Listed, Permit, Tool, ToolSource};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::{Identity, Scope};
use crate::http::body::{Answer, Asked, Named, blocking};
use crate::problem::Problem;
use crate::state::{ServerState, require, require_tool};

pub(super) fn routes() -> OpenApiRouter<ServerState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get)).routes(routes!(schema)).routes(routes!(plan))
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Search {
    /// Words that a tool's name, summary or tags must all contain.
    search: Option<String>,
}

/// A tool in a list.
#[derive(Debug, Serialize, ToSchema)]
struct ToolSummary {
    name: String,
    summary: Option<String>,
    tags: Vec<String>,
    /// `standard` for one that is part of the program, `folder` for one of the manifests folders.
    source: Option<&'static str>,
    /// What is wrong with its manifest.
    error: Option<String>,
}

/// The tools there are.
#[derive(Debug, Serialize, ToSchema)]
struct Tools {
    tools: Vec<ToolSummary>,
}

/// A tool.
#[derive(Debug, Serialize, ToSchema)]
struct ToolBody {
    name: String,
    summary: String,
    description: Option<String>,
    tags: Vec<String>,
    source: &'static str,
    /// What it takes, as JSON Schema.
    #[schema(value_type = Object)]
    input_schema: Value,
    /// What its manifest asks for, and whether it gets it.
    permits: Vec<PermitBody>,
    /// The limits of its calls.
    limits: LimitsBody,
    /// Inputs that show what it does.
    #[schema(value_type = Vec<Object>)]
    examples: Value,
}

/// Something that a tool asks for.
#[derive(Debug, Serialize, ToSchema)]
struct PermitBody {
    /// `network`, `filesystem`, `environment`, `secrets`, `state`, `host` or `relics`.
    capability: &'static str,
    target: String,
    granted: bool,
    /// Who said so.
    because: String,
    /// What would allow it, if it was refused.
    allow: Option<String>,
    /// The same in plain words.
    words: String,
}

/// Limits of calls.
#[derive(Debug, Serialize, ToSchema)]
struct LimitsBody {
    fuel: u64,
    timeout_ms: u64,
    memory_bytes: u64,
    output_bytes: u64,
    input_bytes: u64,
}

impl From<Permit> for PermitBody {
    fn from(permit: Permit) -> Self {
        let Permit { capability, target, granted, because, allow, exposed } = permit;
        let what = match (capability, exposed) {
            ("network", _) => format!("send requests to {target}"),
            ("filesystem", _) => format!("open files in {target}"),
            ("environment", _) => format!("read the variable {target}"),
            ("secrets", true) => format!("read the secret {target}"),
            ("secrets", false) => format!("have its requests carry the secret {target}, without seeing it"),
            ("state", _) => "keep values of its own from call to call".to_owned(),
            (other, _) => format!("use {other} {target}"),
        };
        let words = if granted { format!("May {what}.") } else { format!("Asks to {what}, and may not.") };
        Self { capability, target, granted, because, allow, words }
    }
}

fn source(source: &ToolSource) -> &'static str {
    match source {
        ToolSource::Standard => "standard",
        ToolSource::Folder { .. } | ToolSource::Component(_) => "folder",
    }
}

impl From<Listed> for ToolSummary {
    fn from(listed: Listed) -> Self {
        let Listed { name, tool, .. } = listed;
        match tool {
            Ok(tool) => Self {
                name,
                summary: Some(tool.spec.summary),
                tags: tool.spec.tags,
                source: Some(source(&tool.source)),
                error: None,
            },
            Err(error) => Self { name, summary: None, tags: Vec::new(), source: None, error: Some(error.to_string()) },
        }
    }
}

impl ToolSummary {
    fn fits(&self, words: &[String]) -> bool {
        let text = format!("{} {} {}", self.name, self.summary.as_deref().unwrap_or_default(), self.tags.join(" "));
        let text = text.to_lowercase();
        words.iter().all(|word| text.contains(word))
    }
}

/// The tools that the caller may use.
#[utoipa::path(get, path = "/v1/tools", tag = "tools", params(Search), responses(
    (status = OK, description = "The tools, sorted by name.", body = Tools),
))]
async fn list(
    State(state): State<ServerState>,
    identity: Identity,
    Asked(Search { search }): Asked<Search>,
) -> Result<Answer<Tools>, Problem> {
    require(&identity, Scope::Call)?;
    let runtime = state.runtime().clone();
    let all = blocking(move || runtime.tools()).await?;
    let words: Vec<String> = search.unwrap_or_default().to_lowercase().split_whitespace().map(str::to_owned).collect();
    let mine = all.into_iter().filter(|listed| identity.may_use(&listed.name)).map(ToolSummary::from);
    Ok(Answer(Tools { tools: mine.filter(|tool| tool.fits(&words)).collect() }))
}

/// A tool that the caller may use, by its name.
async fn find(state: &ServerState, identity: &Identity, name: &str) -> Result<Tool, Problem> {
    require_tool(identity, Scope::Call, name)?;
    let (runtime, name) = (state.runtime().clone(), name.to_owned());
    blocking(move || runtime.tool(&name)).await
}

/// What a tool is, takes and may do.
#[utoipa::path(get, path = "/v1/tools/{name}", tag = "tools", params(("name" = String, Path)), responses(
    (status = OK, description = "The tool.", body = ToolBody),
))]
async fn get(
    State(state): State<ServerState>,
    identity: Identity,
    Named(name): Named,
) -> Result<Answer<ToolBody>, Problem> {
    let tool = find(&state, &identity, &name).await?;
    let input_schema = tool.spec.input_schema().as_json().clone();
    let runtime = state.runtime().clone();
    let (tool, permits, limits) = blocking(move || {
        let (permits, limits) = (runtime.permits(&tool)?, runtime.limits(&tool)?);
        Ok((tool, permits, limits))
    })
    .await?;
    let timeout_ms = u64::try_from(limits.timeout.as_millis()).unwrap_or(u64::MAX);
    let spec = tool.spec;
    let examples = spec
        .examples
        .iter()
        .map(|example| json!({ "description": example.description, "input": example.input, "output": example.output }));
    Ok(Answer(ToolBody {
        name: spec.name.to_string(),
        examples: examples.collect(),
        summary: spec.summary,
        description: spec.description,
        tags: spec.tags,
        source: source(&tool.source),
        input_schema,
        permits: permits.into_iter().map(PermitBody::from).collect(),
        limits: LimitsBody {
            fuel: limits.fuel,
            timeout_ms,
            memory_bytes: limits.memory_bytes,
            output_bytes: limits.output_bytes as u64,
            input_bytes: limits.input_bytes as u64,
        },
    }))
}

/// What a tool takes, as JSON Schema. A component without a manifest is loaded to find out.
#[utoipa::path(get, path = "/v1/tools/{name}/schema", tag = "tools", params(("name" = String, Path)), responses(
    (status = OK, description = "A JSON Schema.", body = Object),
))]
async fn schema(
    State(state): State<ServerState>,
    identity: Identity,
    Named(name): Named,
) -> Result<Answer<Value>, Problem> {
    let tool = find(&state, &identity, &name).await?;
    if name.contains('#') {
        return Ok(Answer(state.runtime().input_schema(&name, None).await?.as_json().clone()));
    }
    Ok(Answer(tool.spec.input_schema().as_json().clone()))
}

/// How a tool would be built and run, and why.
#[utoipa::path(get, path = "/v1/tools/{name}/plan", tag = "tools", params(("name" = String, Path)), responses(
    (status = OK, description = "The plan.", body = Object),
))]
async fn plan(
    State(state): State<ServerState>,
    identity: Identity,
    Named(name): Named,
) -> Result<Answer<Value>, Problem> {
    require_tool(&identity, Scope::Call, &name)?;
    let runtime = state.runtime().clone();
    let plan = blocking(move || runtime.plan(&name)).await?;
    Ok(Answer(serde_json::to_value(plan).map_err(|error| Problem::internal(&error))?))
}
