//! What clients are told of a tool: its manifest in the protocol's words.

use std::sync::Arc;

use cortex_runtime::{Access, Function, Method, Parameter, Publish, ToolSpec, ToolState};
use rmcp::model::{JsonObject, Prompt, PromptArgument, Resource, ResourceTemplate, Tool, ToolAnnotations};
use serde_json::Value;

/// A tool as a tool, or one function of it: that one knows what it takes.
pub(super) fn tool(name: &str, spec: &ToolSpec, function: Option<&Function>, one_of_several: bool) -> Tool {
    let schema = function.map_or_else(|| spec.input_schema().as_json(), |function| &function.input_schema);
    let (title, description) = match function.filter(|_| one_of_several) {
        None => (title(spec), description(spec)),
        Some(Function { name, .. }) => {
            (format!("{}: {name}", title(spec)), format!("The function `{name}` of: {}", description(spec)))
        }
    };
    let mut tool = Tool::new(name.to_owned(), description, object(schema))
        .with_annotations(annotations(&title, spec))
        .with_title(title);
    tool.output_schema = spec.mcp.output_schema.as_ref().map(|schema| object(schema.as_json()));
    tool
}

/// A tool that is published as a prompt. Its parameters are the prompt's arguments.
pub(super) fn prompt(name: &str, spec: &ToolSpec) -> Prompt {
    let arguments: Vec<_> = spec.parameters().iter().map(argument).collect();
    let arguments = (!arguments.is_empty()).then_some(arguments);
    Prompt::new(name, Some(description(spec)), arguments).with_title(title(spec))
}

fn argument(parameter: &Parameter) -> PromptArgument {
    let argument = PromptArgument::new(parameter.name.as_str()).with_required(parameter.required);
    match &parameter.description {
        Some(description) => argument.with_description(description),
        None => argument,
    }
}

/// A tool that is published as a resource: as one, or as a template where its address has parameters.
pub(super) fn resource(name: &str, spec: &ToolSpec) -> Option<Result<Resource, ResourceTemplate>> {
    let Publish::Resource { uri, mime_type } = &spec.mcp.publish else { return None };
    if uri.parameters().next().is_none() {
        let mut resource = Resource::new(uri.as_str(), name);
        resource.title = Some(title(spec));
        resource.description = Some(description(spec));
        resource.mime_type.clone_from(mime_type);
        return Some(Ok(resource));
    }
    let mut template = ResourceTemplate::new(uri.as_str(), name);
    template.title = Some(title(spec));
    template.description = Some(description(spec));
    template.mime_type.clone_from(mime_type);
    Some(Err(template))
}

fn object(schema: &Value) -> Arc<JsonObject> {
    Arc::new(schema.as_object().cloned().unwrap_or_default())
}

/// The manifest's title, else the name as a person would write it: `web_search` is "Web search".
fn title(spec: &ToolSpec) -> String {
    if let Some(title) = &spec.mcp.title {
        return title.clone();
    }
    let words = spec.name.as_str().replace(['_', '-'], " ");
    let mut characters = words.chars();
    characters.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + characters.as_str())
}

/// Everything in the manifest that tells an agent when and how to use the tool.
fn description(spec: &ToolSpec) -> String {
    let mut text = spec.summary.trim().to_owned();
    if spec.state == ToolState::Deprecated {
        text = format!("Deprecated. {text}");
    }
    for (label, part) in [("", &spec.description), ("Returns: ", &spec.returns)] {
        if let Some(part) = part.as_deref().map(str::trim).filter(|part| !part.is_empty() && *part != spec.summary) {
            text = format!("{text}\n\n{label}{part}");
        }
    }
    text
}

/// What a tool can do follows from what it may touch: one that was granted nothing can change nothing.
fn annotations(title: &str, spec: &ToolSpec) -> ToolAnnotations {
    let permissions = &spec.permissions;
    let writes = permissions.filesystem.iter().any(|folder| folder.access != Access::Read);
    let safe = |method: &Method| matches!(method, Method::Get | Method::Head | Method::Options);
    // A rule without methods is one for all of them.
    let sends = permissions.network.iter().any(|rule| rule.methods().is_empty() || !rule.methods().iter().all(safe));
    let changes_something = writes || sends || permissions.state;
    let annotations = ToolAnnotations::with_title(title)
        .read_only(!changes_something)
        // What it keeps in its own store is its own.
        .destructive(writes || sends)
        .open_world(!permissions.network.is_empty());
    if changes_something { annotations } else { annotations.idempotent(true) }
}
