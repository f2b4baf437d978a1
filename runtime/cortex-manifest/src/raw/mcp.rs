//! The `mcp` section as it was written: how the tool appears to clients that speak the Model Context Protocol.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::located::Located;

/// How the tool appears to clients that speak the Model Context Protocol. Without it the tool is a tool, and its result
/// is a value.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Mcp")]
pub(crate) struct RawMcp {
    /// The name that people see.
    ///
    /// ```yaml
    /// title: Web search
    /// ```
    pub(crate) title: Option<Located<String>>,
    /// What the tool is offered as. Absent means `tool`. A `prompt` answers with the messages of a prompt, a `resource`
    /// with its contents; either way the same call runs in the same sandbox.
    ///
    /// ```yaml
    /// publish: prompt
    /// ```
    pub(crate) publish: Option<Located<RawPublish>>,
    /// The address of a resource. `{name}` stands for a parameter.
    ///
    /// ```yaml
    /// uri: notes://today/{topic}
    /// ```
    pub(crate) uri: Option<Located<String>>,
    /// What a resource holds.
    ///
    /// ```yaml
    /// mime_type: text/markdown
    /// ```
    pub(crate) mime_type: Option<Located<String>>,
    /// How the result is read. Absent means `value`: any JSON. `content` is an object of the protocol's own: `content`
    /// with text, images, audio and resources, `structuredContent`, `isError`; `messages` for a prompt; `contents` for a
    /// resource; `inputRequests` and `requestState` for a tool that asks.
    ///
    /// ```yaml
    /// result: content
    /// ```
    pub(crate) result: Option<Located<RawResultForm>>,
    /// The JSON Schema of the result. A result that does not fit it is an error of the tool.
    ///
    /// ```yaml
    /// output_schema: { type: object, properties: { sum: { type: number } }, required: [sum] }
    /// ```
    pub(crate) output_schema: Option<Located<Map<String, Value>>>,
    /// What the tool may ask the client for, by answering with `inputRequests`. It is then called again with the answers
    /// under the key `$mcp` of its input.
    ///
    /// ```yaml
    /// ask: [elicitation, sampling]
    /// ```
    pub(crate) ask: Option<Vec<Located<RawAsk>>>,
}

/// What a tool is offered as.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Publish")]
pub(crate) enum RawPublish {
    Tool,
    Prompt,
    Resource,
}

/// How a result is read.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "ResultForm")]
pub(crate) enum RawResultForm {
    Value,
    Content,
}

/// What a tool may ask the client for.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Ask")]
pub(crate) enum RawAsk {
    /// Words from the person at the client.
    Elicitation,
    /// An answer of the client's model.
    Sampling,
    /// The folders that the client works in.
    Roots,
}
