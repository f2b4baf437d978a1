//! Questions of a tool to the client: to the person at it, to its model, or for the folders that it works in.
//!
//! A client of revision 2026-07-28 gets the questions as the result and calls again with the answers. One of an earlier
//! revision is asked in the middle of its request. The tool sees no difference: it ends when it asks, and is called again.
//!
//! What the tool wants to remember until then travels through the client. It is signed, bound to the very call that it
//! belongs to, and expires, so that no client can make a tool believe something that the tool did not say.

use std::time::Duration;

use cortex_runtime::{Ask, ToolSpec};
use rmcp::ErrorData;
use rmcp::model::{
    ClientCapabilities, ClientResult, ElicitationCapability, InputRequest, RequestStateCodec, RootsCapabilities,
    SamplingCapability, SealOptions, ServerRequest,
};
use rmcp::service::{Peer, RoleServer, ServiceError};
use serde_json::{Map, Value, json};

use super::answer::Questions;

/// How long a client may take to answer.
const STATE_LIFETIME: Duration = Duration::from_hours(24);

/// The most rounds of questions within one request of an earlier revision. The client drives the rounds of a later one.
pub(super) const ROUNDS_MAX: usize = 16;

/// Signs what tools remember. The key lives as long as the process: a client that comes back after a restart begins anew.
pub(super) struct RequestStates(RequestStateCodec);

impl RequestStates {
    pub(super) fn new() -> Result<Self, getrandom::Error> {
        let mut key = [0; 32];
        getrandom::fill(&mut key)?;
        Ok(Self(RequestStateCodec::new_unchecked(key)))
    }

    pub(super) fn seal(&self, state: &Value, call: &[u8]) -> Result<String, ErrorData> {
        let options = SealOptions::new().associated_data(call).ttl(STATE_LIFETIME);
        let sealed = self.0.seal_json_with(state, &options);
        sealed.map_err(|error| ErrorData::internal_error(format!("the state cannot be kept: {error}"), None))
    }

    pub(super) fn open(&self, sealed: &str, call: &[u8]) -> Result<Value, ErrorData> {
        // Why it is refused would help only someone who is making one up.
        self.0.open_json_with(sealed, call).map_err(|_| {
            ErrorData::invalid_params("`requestState` is not one that this server gave out for this request", None)
        })
    }
}

/// What a call is bound to: the method, the name and the arguments.
pub(super) fn bound_to(method: &str, name: &str, input: &Value) -> Vec<u8> {
    format!("{method}\n{name}\n{input}").into_bytes()
}

/// The first question that the tool's manifest does not mention.
pub(super) fn undeclared(questions: &Questions, spec: &ToolSpec) -> Option<Ask> {
    questions.requests.values().map(kind_of).find(|ask| !spec.mcp.ask.contains(ask))
}

/// The capabilities that the client would need to answer and did not declare.
pub(super) fn missing(questions: &Questions, client: Option<&ClientCapabilities>) -> Option<ClientCapabilities> {
    let mut missing = ClientCapabilities::default();
    for ask in questions.requests.values().map(kind_of) {
        match ask {
            Ask::Elicitation if client.is_none_or(|client| client.elicitation.is_none()) => {
                missing.elicitation = Some(ElicitationCapability::default());
            }
            Ask::Sampling if client.is_none_or(|client| client.sampling.is_none()) => {
                missing.sampling = Some(SamplingCapability::default());
            }
            Ask::Roots if client.is_none_or(|client| client.roots.is_none()) => {
                missing.roots = Some(RootsCapabilities::default());
            }
            Ask::Elicitation | Ask::Sampling | Ask::Roots => {}
        }
    }
    (missing != ClientCapabilities::default()).then_some(missing)
}

fn kind_of(request: &InputRequest) -> Ask {
    match request {
        InputRequest::CreateMessage(_) => Ask::Sampling,
        InputRequest::ListRoots(_) => Ask::Roots,
        // The type may grow; what it grows by needs at least what the strictest needs.
        _ => Ask::Elicitation,
    }
}

/// Asks a client of an earlier revision, one question after the other.
pub(super) async fn ask(questions: Questions, peer: &Peer<RoleServer>) -> Result<Map<String, Value>, ServiceError> {
    let mut answers = Map::new();
    for (key, request) in questions.requests {
        let request = match request {
            InputRequest::CreateMessage(request) => ServerRequest::CreateMessageRequest(request),
            InputRequest::ListRoots(request) => ServerRequest::ListRootsRequest(request),
            InputRequest::Elicitation(request) => ServerRequest::ElicitRequest(request),
            _ => return Err(ServiceError::UnexpectedResponse),
        };
        let answer: ClientResult = peer.send_request(request).await?;
        answers.insert(key, serde_json::to_value(answer).unwrap_or_default());
    }
    Ok(answers)
}

/// What a tool that asks is told beside its parameters.
pub(super) fn context(
    client: Option<&ClientCapabilities>,
    answers: Option<&Map<String, Value>>,
    state: Option<&Value>,
) -> Value {
    let mut context = json!({ "clientCapabilities": client.cloned().unwrap_or_default() });
    if let Some(answers) = answers {
        context["inputResponses"] = Value::Object(answers.clone());
    }
    if let Some(state) = state {
        context["requestState"] = state.clone();
    }
    context
}
