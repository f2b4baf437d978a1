//! One request of a client: a call of a tool, or several where the tool has questions.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use cortex_runtime::{CallOptions, Execution, Runtime, RuntimeError};
use rmcp::ErrorData;
use rmcp::model::{
    CallToolResponse, ClientCapabilities, CreateTaskResult, InputRequiredResult, InputResponses, ProtocolVersion,
};
use rmcp::service::{RequestContext, RoleServer};
use rmcp::task_manager::{TaskContext, TaskExit, TaskFuture, TaskOptions};
use serde_json::{Map, Value};

use super::answer::{Answer, Done, Questions};
use super::ask;
use super::catalogue::Published;
use super::report::Wanted;
use super::{Shared, identity};
use crate::auth::Scope;

/// How long a client waits for a result that knows what a task is. Most calls end long before.
const TASK_AFTER: Duration = Duration::from_secs(2);

/// How long the result of a task is kept, beyond the time that the tool itself may take.
const TASK_KEPT: Duration = Duration::from_hours(1);

/// What a client asks for.
#[derive(Debug)]
pub(super) struct Request {
    /// The protocol's method, such as `tools/call`.
    pub(super) method: &'static str,
    pub(super) published: Arc<Published>,
    /// The tool's parameters.
    pub(super) input: Value,
    /// The client's answers to the tool's questions, on a second call.
    pub(super) answers: Option<InputResponses>,
    /// What the tool remembered, on a second call.
    pub(super) sealed: Option<String>,
    /// What the client wants to hear meanwhile.
    pub(super) wanted: Wanted,
}

/// What became of a request.
#[derive(Debug)]
pub(super) enum Reply {
    Done(Done),
    /// The client has to answer questions first.
    Asks(InputRequiredResult),
    /// It takes long, and goes on without the client.
    Task(CreateTaskResult),
}

impl Reply {
    pub(super) fn into_tool_response(self) -> CallToolResponse {
        match self {
            Self::Done(done) => done.into_tool_result().into(),
            Self::Asks(questions) => questions.into(),
            Self::Task(task) => task.into(),
        }
    }
}

/// What is known of the rounds of questions so far.
#[derive(Debug, Default)]
struct Round {
    answers: Option<Map<String, Value>>,
    state: Option<Value>,
}

impl Shared {
    /// Runs the call, and stops it when the client gives up: dropping the future of a call stops the guest.
    pub(super) async fn run(&self, request: Request, context: &RequestContext<RoleServer>) -> Result<Reply, ErrorData> {
        tokio::select! {
            biased;
            // Nobody reads this: a client that gave up ignores the response.
            () = context.ct.cancelled() => Err(ErrorData::internal_error("the client cancelled the request", None)),
            reply = self.rounds(request, context) => reply,
        }
    }

    async fn rounds(&self, request: Request, context: &RequestContext<RoleServer>) -> Result<Reply, ErrorData> {
        let Request { method, published, input, answers, sealed, wanted } = request;
        let identity = identity::of(context);
        if !(identity.may(Scope::Call) && identity.may_use(&published.tool)) {
            // As if there was none, by the name that was asked for.
            return Err(unknown("tool", &published.name, None));
        }
        let client = context.client_capabilities();
        let client = client.as_ref();
        let is_stateless = is_stateless(context);
        let bound_to = ask::bound_to(method, &published.name, &input);
        let mut round = Round {
            state: sealed.map(|sealed| self.states.open(&sealed, &bound_to)).transpose()?,
            answers: answers.map(|answers| answers.into_iter().collect()),
        };
        let may_be_task =
            method == "tools/call" && is_stateless && client.is_some_and(ClientCapabilities::supports_tasks);
        for _ in 0..ask::ROUNDS_MAX {
            let mut options =
                CallOptions { context: round.context(&published, client), ..identity::options(&identity, context) };
            let reporter = wanted.reporter(&published.name, context).map(|(ears, reporter)| {
                (options.observer, options.progress) = (Some(ears.observer), Some(ears.progress));
                reporter
            });
            let execution = if may_be_task {
                let mut call =
                    Box::pin(owned_call(self.runtime.clone(), Arc::clone(&published), input.clone(), options));
                let waiting = tokio::time::timeout(TASK_AFTER, &mut call);
                let waited = match reporter {
                    Some(reporter) => reporter.during(waiting).await,
                    None => waiting.await,
                };
                let Ok(execution) = waited else {
                    let rest = Rest {
                        published,
                        input,
                        client: client.cloned(),
                        options: identity::options(&identity, context),
                    };
                    return Ok(Reply::Task(self.continue_as_task(call, rest)));
                };
                execution
            } else {
                // On the heap: it is large, and what waits for it is moved about.
                let call = Box::pin(self.runtime.call(&published.reference, &input, options));
                match reporter {
                    Some(reporter) => reporter.during(call).await,
                    None => call.await,
                }
            };
            let questions = match answer_of(execution, &published)? {
                Answer::Done(done) => return Ok(Reply::Done(*done)),
                Answer::Asks(questions) => questions,
            };
            if let Some(refused) = refused(&questions, &published) {
                return Ok(Reply::Done(refused));
            }
            if let Some(missing) = ask::missing(&questions, client) {
                if is_stateless {
                    return Err(ErrorData::missing_required_client_capability(missing));
                }
                let missing = serde_json::to_string(&missing).unwrap_or_default();
                let message =
                    format!("the tool has questions, and the client declared no capability for them: {missing}");
                return Ok(Reply::Done(Done::failed(message)));
            }
            if is_stateless {
                let sealed = questions.state.map(|state| self.states.seal(&state, &bound_to)).transpose()?;
                return Ok(Reply::Asks(InputRequiredResult::new(Some(questions.requests), sealed)));
            }
            round.state.clone_from(&questions.state);
            round.answers = match ask::ask(questions, &context.peer).await {
                Ok(answers) => Some(answers),
                Err(error) => return Ok(Reply::Done(Done::failed(format!("the client did not answer: {error}")))),
            };
        }
        Ok(Reply::Done(Done::failed(format!("the tool still asked after {} rounds of questions", ask::ROUNDS_MAX))))
    }

    /// Lets a call go on that the client will ask for again.
    fn continue_as_task(&self, first: OwnedCall, rest: Rest) -> CreateTaskResult {
        let runtime = self.runtime.clone();
        let timeout =
            rest.published.spec.implementation.resources.timeout_ms.map(|timeout| -> Duration { timeout.duration() });
        let kept = TASK_KEPT + timeout.unwrap_or_default();
        let options = TaskOptions::new().with_ttl_ms(u64::try_from(kept.as_millis()).ok());
        let task = self.tasks.spawn(options, move |task| -> TaskFuture {
            Box::pin(async move {
                let cancelled = task.clone();
                tokio::select! {
                    biased;
                    () = cancelled.cancelled() => Err(TaskExit::Cancelled),
                    done = rest.run(first, runtime, task) => Ok(done?.into_tool_result()),
                }
            })
        });
        CreateTaskResult::new(task)
    }
}

/// A call that goes on without the request that began it.
type OwnedCall = Pin<Box<dyn Future<Output = Result<Arc<Execution>, RuntimeError>> + Send>>;

/// What a task needs for the rounds after its first call.
struct Rest {
    published: Arc<Published>,
    input: Value,
    client: Option<ClientCapabilities>,
    options: CallOptions,
}

impl Rest {
    async fn run(self, first: OwnedCall, runtime: Runtime, task: TaskContext) -> Result<Done, TaskExit> {
        let Self { published, input, client, options } = self;
        let mut execution = first.await;
        for round in 1..=ask::ROUNDS_MAX {
            let questions = match answer_of(execution, &published)? {
                Answer::Done(done) => return Ok(*done),
                Answer::Asks(questions) => questions,
            };
            if let Some(refused) = refused(&questions, &published) {
                return Ok(refused);
            }
            if let Some(missing) = ask::missing(&questions, client.as_ref()) {
                return Err(TaskExit::Error(ErrorData::missing_required_client_capability(missing)));
            }
            let mut answers = Map::new();
            for (key, question) in questions.requests {
                // A task's keys are used once.
                let answer = task.request_input(format!("{key}-{round}"), question).await?;
                answers.insert(key, answer);
            }
            let round = Round { answers: Some(answers), state: questions.state };
            let options = CallOptions { context: round.context(&published, client.as_ref()), ..options.clone() };
            execution = runtime.call(&published.reference, &input, options).await;
        }
        Ok(Done::failed(format!("the tool still asked after {} rounds of questions", ask::ROUNDS_MAX)))
    }
}

impl Round {
    /// Only a tool that may ask is told about the client.
    fn context(&self, published: &Published, client: Option<&ClientCapabilities>) -> Option<Value> {
        let asks = !published.spec.mcp.ask.is_empty();
        asks.then(|| ask::context(client, self.answers.as_ref(), self.state.as_ref()))
    }
}

async fn owned_call(
    runtime: Runtime,
    published: Arc<Published>,
    input: Value,
    options: CallOptions,
) -> Result<Arc<Execution>, RuntimeError> {
    runtime.call(&published.reference, &input, options).await
}

/// Whether the client speaks a revision whose requests stand on their own.
pub(super) fn is_stateless(context: &RequestContext<RoleServer>) -> bool {
    // Revisions are dates, so their order is that of their names.
    context.protocol_version().is_some_and(|version| version.as_str() >= ProtocolVersion::V_2026_07_28.as_str())
}

/// An operator's mistake is told to the model as well, which can choose another tool. Only what the client got wrong is an
/// error of the protocol.
fn answer_of(execution: Result<Arc<Execution>, RuntimeError>, published: &Published) -> Result<Answer, ErrorData> {
    match execution {
        Ok(execution) => Ok(Answer::of(&execution, &published.spec)),
        Err(error @ RuntimeError::UnknownTool { .. }) => Err(unknown("tool", &published.name, error.hint())),
        Err(error) => {
            tracing::error!(tool = published.name, error = %error, "a call could not begin");
            let hint = error.hint().map(|hint| format!("\n\nhint: {hint}")).unwrap_or_default();
            Ok(Answer::Done(Box::new(Done::failed(format!("{error}{hint}")))))
        }
    }
}

fn refused(questions: &Questions, published: &Published) -> Option<Done> {
    let ask = ask::undeclared(questions, &published.spec)?.as_str();
    Some(Done::failed(format!(
        "the tool asks the client for {ask}, which its manifest does not mention\n\nhint: add `ask: [{ask}]` to `mcp`"
    )))
}

/// The error for a name that there is not.
pub(super) fn unknown(what: &str, name: &str, hint: Option<String>) -> ErrorData {
    let hint = hint.map(|hint| serde_json::json!({ "hint": hint }));
    ErrorData::invalid_params(format!("Unknown {what}: {name}"), hint)
}
