//! Tools of `type: api`: an HTTP endpoint, called from the host under the rules that hold for every tool. No container.
//!
//! The input goes there as a JSON document by `POST`; the answer is the result. A status of 400 or above is a failure of the tool.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use cortex_manifest::{Entrypoint, ToolSpec};
use cortex_sandbox::{Answer, Captured, Egress, Ending, Failure, Grants, Limits, Outcome, Usage};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Request, Uri};
use http_body_util::{BodyExt, Full, Limited};
use serde_json::Value;

use crate::call::micros;
use crate::error::DockerError;

/// A tool that is an HTTP endpoint.
#[derive(Clone, Debug)]
pub struct ApiTool {
    address: Uri,
    digest: Arc<str>,
}

/// What became of a request.
enum Said {
    Answer(Answer),
    TooLarge,
    Failed(Failure),
}

impl ApiTool {
    /// Reads where the endpoint is. Calls nobody.
    pub fn new(spec: &ToolSpec) -> Result<Self, DockerError> {
        let problem = |problem: String| DockerError::Layout {
            tool: spec.name.to_string(),
            problem,
            hint: "write `entrypoint: https://…`, the address that takes calls".into(),
        };
        let Some(Entrypoint::Foreign(text)) = &spec.implementation.entrypoint else {
            return Err(problem("nothing says where its endpoint is".into()));
        };
        let address: Uri = text.parse().map_err(|_| problem(format!("`{text}` is no address")))?;
        if !matches!(address.scheme_str(), Some("http" | "https")) || address.host().is_none() {
            return Err(problem(format!("`{text}` is no address of HTTP")));
        }
        Ok(Self { digest: cortex_build::sha256(text.as_bytes()).into(), address })
    }

    /// The digest of its address: there is nothing else of it here.
    pub fn digest(&self) -> &Arc<str> {
        &self.digest
    }

    /// Calls the endpoint, as a part of the trace that `traceparent` names. Every end is an outcome.
    pub async fn call(
        &self,
        input: &Value,
        limits: &Limits,
        grants: &Arc<Grants>,
        traceparent: Option<&str>,
    ) -> Outcome {
        let began = Instant::now();
        let input = input.to_string();
        if input.len() > limits.input_bytes {
            return Outcome::of_too_large_input(input.len(), limits);
        }
        let egress = Egress::new(grants, limits.http).traced(traceparent);
        let said = tokio::time::timeout(limits.timeout, self.ask(input, limits, &egress)).await;
        let none = Captured::default;
        let mut outcome = match said {
            Ok(Said::Answer(answer)) => Outcome::of_answer(answer, none(), none(), limits),
            Ok(Said::TooLarge) => Outcome::of_too_large_result(limits),
            Ok(Said::Failed(failure)) => Outcome::failed(Ending::ToolError, failure),
            Err(_) => {
                let message = format!("still running after {:?}", limits.timeout);
                Outcome::stopped_by(Ending::DeadlineExceeded, message, "timeout")
            }
        };
        outcome.usage =
            Usage { wall_us: micros(began.elapsed()), http_requests: egress.requests(), ..Usage::default() };
        outcome.settled(Some(&egress), grants)
    }

    async fn ask(&self, input: String, limits: &Limits, egress: &Egress) -> Said {
        let request = Request::post(self.address.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json")
            .body(Full::new(Bytes::from(input)));
        let failed = |message: String| Said::Failed(Failure::new("unreachable", message));
        let Ok(request) = request else { return failed("its address cannot be asked".into()) };
        let response = match egress.send(request).await {
            Ok(response) => response,
            Err(refused) => return failed(format!("the endpoint did not answer: {refused}")),
        };
        let status = response.status();
        let body = match Limited::new(response.into_body(), limits.output_bytes).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) if error.is::<http_body_util::LengthLimitError>() => return Said::TooLarge,
            Err(error) => return failed(format!("the endpoint broke off: {error}")),
        };
        let text = String::from_utf8_lossy(&body).into_owned();
        if status.is_success() {
            return Said::Answer(Answer::Result(text));
        }
        let document: Option<Value> = serde_json::from_str(&text).ok();
        let words = document.as_ref().and_then(|document| {
            ["error", "message", "detail"].iter().find_map(|key| document.get(key)?.as_str()).map(ToOwned::to_owned)
        });
        let message = words.unwrap_or_else(|| format!("the endpoint answered {status}"));
        Said::Answer(Answer::Error { code: format!("http_{}", status.as_u16()), message, data: document.map(|_| text) })
    }
}
