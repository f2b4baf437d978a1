//! Tools about tools, for an agent that is allowed to look for, build and write tools. Off unless the operator asks.
//!
//! A tool that an agent writes is built and run like any other. What it can do is bounded twice: it may ask for nothing (a
//! manifest asks, and in the operator's own folder asking is granting), and building it must run nothing of it outside a
//! sandbox (a Rust crate's build script would).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cortex_runtime::{BuilderKind, Permissions, RuntimeError, Silent, ToolSpec};
use fs_err as fs;
use rmcp::ErrorData;
use rmcp::model::{CallToolResult, ContentBlock, JsonObject, Tool, ToolAnnotations};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Shared;
use super::call::unknown;

/// The most files of a new tool, and the most bytes in all of them: far more than a tool has, far less than a disk.
const FILES_MAX: usize = 64;
const FILES_BYTES_MAX: usize = 1 << 20;

/// The most that a search finds.
const FOUND_MAX: usize = 20;

/// Languages whose builders run nothing of the tool's own on this machine.
const LANGUAGES: &[BuilderKind] = &[BuilderKind::JavaScript, BuilderKind::TypeScript, BuilderKind::Python];

/// `search_tools`, `build_tool` and `create_tool`.
#[derive(Clone, Debug)]
pub struct MetaTools {
    /// The folder that new tools are written into. It must be one of the runtime's manifests folders.
    pub folder: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Search {
    query: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Build {
    tool: String,
    #[serde(default)]
    force: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Create {
    files: std::collections::BTreeMap<String, String>,
}

/// Why a meta-tool failed: words for the model.
struct Refused(String);

impl From<std::io::Error> for Refused {
    fn from(error: std::io::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<RuntimeError> for Refused {
    fn from(error: RuntimeError) -> Self {
        let hint = error.hint().map(|hint| format!("\n\nhint: {hint}")).unwrap_or_default();
        Self(format!("{error}{hint}"))
    }
}

impl MetaTools {
    pub(super) fn tools() -> Vec<Tool> {
        let text = |description: &str| json!({ "type": "string", "description": description });
        let search = json!({ "query": text("Words that the tool's name, summary or tags hold.") });
        let build = json!({
            "tool": text("The tool's name."),
            "force": { "type": "boolean", "description": "Build even what is there already.", "default": false },
        });
        let create = json!({ "files": {
            "type": "object",
            "description": "The tool's files by their path in its folder, among them `tool.yml` and the source, such as \
                            `main.js` with `export default ({ name }) => ({ greeting: name })`, or `main.py` with \
                            `def run(args): return {\"greeting\": args[\"name\"]}`. What the function returns is the result. \
                            `tool.yml` has `kind: Tool`, `version: \"1.0\"`, `name`, `summary`, `implementation: { entrypoint: \
                            main.js }` and `parameters: [{ name, type, description, required }]`.",
            "additionalProperties": { "type": "string" },
        }});
        let annotations = || ToolAnnotations::new().open_world(false);
        vec![
            tool("build_tool", "Builds a tool, and says what went wrong if it does not build.", &build, &["tool"])
                .with_annotations(annotations().read_only(false).destructive(false).idempotent(true)),
            tool(
                "create_tool",
                "Writes a new tool and builds it. It may ask for no permissions; the operator can add them.",
                &create,
                &["files"],
            )
            .with_annotations(annotations().read_only(false).destructive(false)),
            tool("search_tools", "Finds tools by words.", &search, &["query"])
                .with_annotations(annotations().read_only(true).idempotent(true)),
        ]
    }

    pub(super) async fn call(
        &self,
        name: &str,
        input: &Value,
        shared: &Arc<Shared>,
    ) -> Result<CallToolResult, ErrorData> {
        let result = match name {
            "search_tools" => Ok(search(&parse(input)?, shared)),
            "build_tool" => build(&parse(input)?, shared).await,
            "create_tool" => self.create(parse(input)?, shared).await,
            _ => return Err(unknown("tool", name, None)),
        };
        Ok(match result {
            Ok(value) => CallToolResult::structured(value),
            Err(Refused(message)) => CallToolResult::error(vec![ContentBlock::text(message)]),
        })
    }

    async fn create(&self, create: Create, shared: &Arc<Shared>) -> Result<Value, Refused> {
        let folder = self.folder.clone();
        let written = tokio::task::spawn_blocking(move || write(&folder, &create)).await;
        let name = written.map_err(|error| Refused(error.to_string()))??;
        let catalogue = shared.watched.read_again().await?;
        if catalogue.tool(&name).is_none() {
            return Err(Refused(format!("`{name}` was written, and another tool of this name is found before it")));
        }
        let built = build(&Build { tool: name.clone(), force: false }, shared).await?;
        Ok(json!({ "tool": name, "built": built }))
    }
}

fn tool(name: &'static str, description: &'static str, properties: &Value, required: &[&str]) -> Tool {
    let schema =
        json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false });
    let schema: JsonObject = schema.as_object().cloned().unwrap_or_default();
    Tool::new(name, description, schema)
}

fn parse<T: for<'de> Deserialize<'de>>(input: &Value) -> Result<T, ErrorData> {
    T::deserialize(input).map_err(|error| ErrorData::invalid_params(error.to_string(), None))
}

/// Tools that hold every word, those first that hold them in the name.
fn search(search: &Search, shared: &Shared) -> Value {
    let words: Vec<String> = search.query.to_lowercase().split_whitespace().map(str::to_owned).collect();
    let catalogue = shared.watched.catalogue();
    let mut found = Vec::new();
    for tool in &catalogue.tools {
        let tags = catalogue.tool(&tool.name).map(|published| published.spec.tags.join(" ")).unwrap_or_default();
        let description = tool.description.as_deref().unwrap_or_default();
        let text = format!("{} {description} {tags}", tool.name).to_lowercase();
        if words.iter().all(|word| text.contains(word)) {
            let in_name = words.iter().filter(|word| tool.name.contains(word.as_str())).count();
            let entry = json!({
                "name": tool.name, "title": tool.title, "description": description, "inputSchema": *tool.input_schema,
            });
            found.push((in_name, entry));
        }
    }
    found.sort_by_key(|(in_name, _)| std::cmp::Reverse(*in_name));
    let total = found.len();
    let tools: Vec<Value> = found.into_iter().take(FOUND_MAX).map(|(_, entry)| entry).collect();
    json!({ "tools": tools, "total": total })
}

async fn build(build: &Build, shared: &Arc<Shared>) -> Result<Value, Refused> {
    if shared.watched.catalogue().tool(&build.tool).is_none() {
        return Err(Refused(format!("there is no tool `{}`", build.tool)));
    }
    let (runtime, tool, force) = (shared.runtime.clone(), build.tool.clone(), build.force);
    let prepared = tokio::task::spawn_blocking(move || runtime.build(&tool, force, &Silent)).await;
    let prepared = prepared.map_err(|error| Refused(error.to_string()))??;
    Ok(json!({ "digest": prepared.digest, "built": prepared.built, "compiled": prepared.compiled }))
}

/// Writes the tool beside its place and moves it there, so that nobody finds half of it.
fn write(folder: &Path, create: &Create) -> Result<String, Refused> {
    let bytes: usize = create.files.values().map(String::len).sum();
    if create.files.len() > FILES_MAX || bytes > FILES_BYTES_MAX {
        let count = create.files.len();
        return Err(Refused(format!("{count} files of {bytes} bytes are more than {FILES_MAX} of {FILES_BYTES_MAX}")));
    }
    let manifest = create.files.get("tool.yml").ok_or_else(|| Refused("`files` holds no `tool.yml`".into()))?;
    let spec = ToolSpec::parse(Path::new("tool.yml"), manifest).map_err(|error| Refused(error.report().to_string()))?;
    let name = spec.name.as_str();
    refuse_what_asks(&spec)?;
    let root = folder.join(name);
    if root.exists() {
        return Err(Refused(format!("there is a tool `{name}` already\n\nhint: choose another name")));
    }
    fs::create_dir_all(folder)?;
    let stage = tempfile::Builder::new().prefix(".new-").tempdir_in(folder)?;
    for (path, text) in &create.files {
        let path = cortex_runtime::ManifestPath::new(path).map_err(|error| Refused(error.to_string()))?;
        let file = stage.path().join(path.as_str());
        if let Some(parent) = file.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(file, text)?;
    }
    let plan = cortex_runtime::plan(&spec, Some(stage.path()));
    if !plan.builder.is_some_and(|builder| LANGUAGES.contains(&builder)) {
        return Err(Refused("a new tool is written in JavaScript, TypeScript or Python".into()));
    }
    fs::rename(stage.keep(), &root)?;
    Ok(name.to_owned())
}

fn refuse_what_asks(spec: &ToolSpec) -> Result<(), Refused> {
    let environment = &spec.environment;
    let asks = spec.permissions != Permissions::default()
        || !environment.secrets.is_empty()
        || !environment.env_files.is_empty()
        || spec.implementation.build.build_command.is_some()
        || spec.implementation.build.dockerfile.is_some();
    if asks {
        let what = "`permissions`, `environment.secrets`, `environment.env_file`, `build_command` and `dockerfile`";
        return Err(Refused(format!("a tool that an agent writes may not have {what}\n\nhint: leave them out")));
    }
    Ok(())
}
