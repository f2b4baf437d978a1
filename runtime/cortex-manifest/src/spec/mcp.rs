//! How the tool appears to clients that speak the Model Context Protocol.

use serde::Serialize;
use serde_json::Value;

use super::field::text_of;
use super::parameter::Parameter;
use crate::error::Problems;
use crate::input::InputSchema;
use crate::located::{Located, Position};
use crate::raw::{RawAsk, RawMcp, RawPublish, RawResultForm};
use crate::rule::Rule;
use crate::uri::UriTemplate;

/// How the tool appears to clients of the Model Context Protocol. The default is a tool whose result is a value and that
/// asks for nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Mcp {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    pub publish: Publish,
    pub result: ResultForm,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<InputSchema>,
    /// What the tool may ask the client for, each once.
    pub ask: Vec<Ask>,
}

/// What a tool is offered as.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Publish {
    #[default]
    Tool,
    /// Its result is the messages of a prompt.
    Prompt,
    /// Its result is the contents of a resource. Every parameter of the address is one of the tool's, and the tool
    /// requires no others.
    Resource {
        uri: UriTemplate,
        #[serde(skip_serializing_if = "Option::is_none")]
        mime_type: Option<String>,
    },
}

/// How a result is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ResultForm {
    /// Any JSON.
    #[default]
    Value,
    /// An object of the protocol's own.
    Content,
}

/// What a tool may ask the client for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Ask {
    Elicitation,
    Sampling,
    Roots,
}

impl Ask {
    pub fn as_str(self) -> &'static str {
        match self {
            Ask::Elicitation => "elicitation",
            Ask::Sampling => "sampling",
            Ask::Roots => "roots",
        }
    }
}

impl Mcp {
    pub(super) fn is_default(&self) -> bool {
        *self == Mcp::default()
    }

    pub(super) fn from_raw(raw: Located<RawMcp>, parameters: &[Parameter], problems: &mut Problems) -> Mcp {
        let Located { value: raw, at } = raw;
        let title = raw.title.as_ref().and_then(|text| text_of("title", text, problems));
        let mime_type = raw.mime_type.as_ref().and_then(|text| text_of("mime_type", text, problems));
        let is_resource = matches!(raw.publish.as_ref().map(|publish| publish.value), Some(RawPublish::Resource));
        for (field, written) in [("uri", &raw.uri), ("mime_type", &raw.mime_type)] {
            if let Some(written) = written.as_ref().filter(|_| !is_resource) {
                problems.add(written.at, Rule::OnlyForResource { field });
            }
        }
        let publish = match raw.publish.map(|publish| publish.value) {
            None | Some(RawPublish::Tool) => Publish::Tool,
            Some(RawPublish::Prompt) => Publish::Prompt,
            Some(RawPublish::Resource) => match resource_uri(raw.uri, at, parameters, problems) {
                Some(uri) => Publish::Resource { uri, mime_type },
                None => Publish::Tool,
            },
        };
        let output_schema = raw.output_schema.and_then(|schema| output_schema(schema, &publish, problems));
        let mut ask = Vec::new();
        let result = raw.result.map(|result| result.value);
        for wanted in raw.ask.unwrap_or_default() {
            if !matches!(result, Some(RawResultForm::Content)) {
                problems.add(wanted.at, Rule::AskWithoutContent);
            }
            let wanted = match wanted.value {
                RawAsk::Elicitation => Ask::Elicitation,
                RawAsk::Sampling => Ask::Sampling,
                RawAsk::Roots => Ask::Roots,
            };
            if !ask.contains(&wanted) {
                ask.push(wanted);
            }
        }
        let result = match result {
            None | Some(RawResultForm::Value) => ResultForm::Value,
            Some(RawResultForm::Content) => ResultForm::Content,
        };
        Mcp { title, publish, result, output_schema, ask }
    }
}

/// The address of a resource, held against the tool's parameters.
fn resource_uri(
    uri: Option<Located<String>>,
    at: Position,
    parameters: &[Parameter],
    problems: &mut Problems,
) -> Option<UriTemplate> {
    let Some(uri) = uri else {
        problems.add(at, Rule::MissingField { field: "uri", inside: "`mcp` of a resource" });
        return None;
    };
    let template = problems.check(uri.at, UriTemplate::new(&uri.value).map_err(Rule::Uri))?;
    let knows = |name: &str| parameters.iter().any(|parameter| parameter.name.as_str() == name);
    for name in template.parameters().filter(|name| !knows(name)) {
        problems.add(uri.at, Rule::UriParameter { parameter: name.to_owned() });
    }
    let stands = |name: &str| template.parameters().any(|parameter| parameter == name);
    for parameter in parameters.iter().filter(|parameter| parameter.required && !stands(parameter.name.as_str())) {
        problems.add(uri.at, Rule::UriLacksParameter { parameter: parameter.name.to_string() });
    }
    Some(template)
}

fn output_schema(
    schema: Located<serde_json::Map<String, Value>>,
    publish: &Publish,
    problems: &mut Problems,
) -> Option<InputSchema> {
    if *publish != Publish::Tool {
        problems.add(schema.at, Rule::OutputSchemaOfNoTool);
        return None;
    }
    let compiled = InputSchema::from_json_schema(Value::Object(schema.value));
    problems.check(schema.at, compiled.map_err(|error| Rule::OutputSchema { detail: with_cause(&error) }))
}

fn with_cause(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}
