//! From what became of a call to what the client is told.

use std::collections::BTreeMap;

use cortex_runtime::{Ending, Execution, Failure, ResultForm, ToolSpec};
use rmcp::model::{
    CallToolResult, ContentBlock, GetPromptResult, InputRequest, MetaObject, PromptMessage, ReadResourceResult,
    ResourceContents, Role,
};
use serde::Deserialize;
use serde_json::Value;

/// Where in `_meta` of a result the call's identity stands: `cortex-wasm executions show` tells the rest.
const EXECUTION_ID: &str = "cortex-wasm/execution_id";
/// Where in `_meta` of a result stands how the call ended.
const ENDING: &str = "cortex-wasm/ending";

/// What a tool answered, read as its manifest says.
#[derive(Debug)]
pub(super) enum Answer {
    /// It needs something from the client before it can go on.
    Asks(Questions),
    /// It is done, well or badly.
    Done(Box<Done>),
}

/// What a tool needs from the client.
#[derive(Debug)]
pub(super) struct Questions {
    pub(super) requests: BTreeMap<String, InputRequest>,
    /// What the tool wants back with the answers.
    pub(super) state: Option<Value>,
}

/// The end of a call.
#[derive(Debug)]
pub(super) struct Done {
    content: Parts,
    /// What went wrong, for the reader.
    failure: Option<String>,
    meta: MetaObject,
}

/// The object that a tool with `result: content` answers with.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Parts {
    #[serde(rename = "content")]
    blocks: Option<Vec<ContentBlock>>,
    #[serde(default, deserialize_with = "present")]
    structured_content: Option<Value>,
    #[serde(default)]
    is_error: bool,
    description: Option<String>,
    messages: Option<Vec<PromptMessage>>,
    #[serde(rename = "contents")]
    resource: Option<Vec<ResourceContents>>,
    input_requests: Option<BTreeMap<String, InputRequest>>,
    request_state: Option<Value>,
}

/// `null` is a value as well.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl Answer {
    pub(super) fn of(execution: &Execution, spec: &ToolSpec) -> Self {
        let mut meta = MetaObject::new();
        meta.0.insert(EXECUTION_ID.into(), execution.execution_id.to_string().into());
        if execution.ending != Ending::Success {
            meta.0.insert(ENDING.into(), execution.ending.as_str().into());
        }
        let result = execution.result.as_ref().map(|result| result.get());
        if let Some(failure) = &execution.error {
            // A tool that failed may have answered as well.
            let structured_content = result.and_then(|result| serde_json::from_str(result).ok());
            let content = Parts { structured_content, ..Parts::default() };
            return Self::Done(Box::new(Done { content, failure: Some(text_of(failure)), meta }));
        }
        let result = result.unwrap_or("null");
        match read(result, spec) {
            Ok(Parts { input_requests: Some(requests), request_state: state, .. }) => {
                Self::Asks(Questions { requests, state })
            }
            Ok(content) => Self::Done(Box::new(Done { content, failure: None, meta })),
            Err(problem) => {
                meta.0.insert(ENDING.into(), Ending::InvalidOutput.as_str().into());
                Self::Done(Box::new(Done { content: Parts::default(), failure: Some(problem), meta }))
            }
        }
    }
}

impl Done {
    /// An end that is not the tool's doing.
    pub(super) fn failed(message: String) -> Self {
        Self { content: Parts::default(), failure: Some(message), meta: MetaObject::new() }
    }

    pub(super) fn into_tool_result(self) -> CallToolResult {
        let Self { content, failure, meta } = self;
        let mut result = match failure {
            Some(message) => CallToolResult::error(vec![ContentBlock::text(message)]),
            None if content.is_error => CallToolResult::error(Vec::new()),
            None => CallToolResult::success(Vec::new()),
        };
        if result.content.is_empty() {
            result.content = content.blocks.unwrap_or_else(|| {
                // Clients that know nothing of structured content read the text.
                content.structured_content.as_ref().map(text_of_value).map(ContentBlock::text).into_iter().collect()
            });
        }
        result.structured_content = content.structured_content;
        result.meta = Some(meta);
        result
    }

    /// The messages of a prompt, or why there are none.
    pub(super) fn into_prompt(self, summary: &str) -> Result<GetPromptResult, String> {
        let Self { content, failure, meta } = self;
        if let Some(message) = failure {
            return Err(message);
        }
        let messages = match (content.messages, content.structured_content) {
            (Some(messages), _) => messages,
            (None, Some(value)) => vec![PromptMessage::new_text(Role::User, text_of_value(&value))],
            (None, None) => return Err("a prompt with `result: content` answers with `messages`".into()),
        };
        let description = content.description.unwrap_or_else(|| summary.to_owned());
        let mut result = GetPromptResult::new(messages).with_description(description);
        result.meta = Some(meta);
        Ok(result)
    }

    /// The contents of a resource, or why there are none.
    pub(super) fn into_resource(self, uri: &str, mime_type: Option<&str>) -> Result<ReadResourceResult, String> {
        let Self { content, failure, meta } = self;
        if let Some(message) = failure {
            return Err(message);
        }
        let contents = match (content.resource, content.structured_content) {
            (Some(contents), _) => contents,
            (None, Some(value)) => {
                let plain = if value.is_string() { "text/plain" } else { "application/json" };
                let text = ResourceContents::text(text_of_value(&value), uri);
                vec![text.with_mime_type(mime_type.unwrap_or(plain))]
            }
            (None, None) => return Err("a resource with `result: content` answers with `contents`".into()),
        };
        let mut result = ReadResourceResult::new(contents);
        result.meta = Some(meta);
        Ok(result)
    }
}

fn read(result: &str, spec: &ToolSpec) -> Result<Parts, String> {
    let content = match spec.mcp.result {
        ResultForm::Content => serde_json::from_str(result).map_err(|error| {
            format!(
                "the tool's result is no object of the protocol, although its manifest says `result: content`: {error}"
            )
        })?,
        ResultForm::Value => {
            let value =
                serde_json::from_str(result).map_err(|error| format!("the tool's result is no JSON: {error}"))?;
            Parts { structured_content: Some(value), ..Parts::default() }
        }
    };
    if let Some(schema) = &spec.mcp.output_schema
        && content.input_requests.is_none()
        && !content.is_error
    {
        let value = content.structured_content.as_ref().unwrap_or(&Value::Null);
        schema.check(value).map_err(|violated| format!("the tool's result breaks its `output_schema`: {violated}"))?;
    }
    Ok(content)
}

/// Text as it is, everything else as JSON.
fn text_of_value(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// What went wrong and what to do about it, in words: models read them.
fn text_of(failure: &Failure) -> String {
    match &failure.hint {
        Some(hint) => format!("{}\n\nhint: {hint}", failure.message),
        None => failure.message.clone(),
    }
}
