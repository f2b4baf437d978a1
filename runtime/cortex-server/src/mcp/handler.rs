//! The protocol's methods, each a few lines over the catalogue and the runtime.

// Clients of earlier revisions use what the newest one deprecates, and this server serves them.
#![expect(deprecated, reason = "subscriptions and log levels of earlier revisions are served as well")]

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use cortex_runtime::{Parameter, ParameterType, Publish};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CancelTaskParams, CompleteRequestParams, CompleteResult, CompletionInfo,
    ErrorData, GetPromptRequestParams, GetPromptResponse, GetTaskParams, GetTaskResult, Implementation,
    ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult, ListToolsResult, LoggingLevel,
    PaginatedRequestParams, ReadResourceRequestParams, ReadResourceResponse, Reference,
    ResourceUpdatedNotificationParam, ServerCapabilities, ServerConfig, SetLevelRequestParams, SubscribeRequestParams,
    SubscriptionFilter, Tool, UnsubscribeRequestParams, UpdateTaskParams,
};
use rmcp::service::{NotificationContext, Peer, RequestContext, RoleServer, SubscriptionContext};
use rmcp::{ServerHandler, model::CacheScope};
use serde_json::{Map, Value, json};
use tokio::sync::broadcast;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::call::{Reply, Request, is_stateless, unknown};
use super::catalogue::{Catalogue, Published};
use super::change::Change;
use super::report::Wanted;
use super::{Shared, identity, page};
use crate::auth::Scope;

/// How long a client may keep a list without asking again. It hears of changes before that.
const LIST_TTL_MS: u64 = 60_000;

const INSTRUCTIONS: &str = "Each tool call runs in a fresh sandbox, under limits, with the access that the tool's manifest \
                            asks for and the operator grants. An error result says what was broken and what to do about it.";

/// One client's view of the server.
pub(super) struct Handler {
    shared: Arc<Shared>,
    /// The addresses that a client of an earlier revision subscribed to.
    subscribed: Arc<Mutex<HashSet<String>>>,
    /// The lines of logs that a client of an earlier revision gets: at least this bad.
    log_level: Mutex<LoggingLevel>,
    /// Cancelled when the client is gone.
    gone: CancellationToken,
    _gone: DropGuard,
}

impl Handler {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let gone = CancellationToken::new();
        let log_level = Mutex::new(LoggingLevel::Info);
        Self { shared, subscribed: Arc::default(), log_level, _gone: gone.clone().drop_guard(), gone }
    }

    fn catalogue(&self) -> Arc<Catalogue> {
        self.shared.watched.catalogue()
    }

    /// A client of the newest revision says with each request what it wants to hear.
    fn wanted(&self, context: &RequestContext<RoleServer>) -> Wanted {
        let log = if is_stateless(context) {
            context.meta.log_level()
        } else {
            Some(*self.log_level.lock().unwrap_or_else(PoisonError::into_inner))
        };
        Wanted { progress: context.meta.get_progress_token(), log }
    }

    /// What has this name, now or after another look.
    async fn find<T>(&self, find: impl Fn(&Catalogue) -> Option<T>) -> Option<T> {
        match find(&self.catalogue()) {
            Some(found) => Some(found),
            None => find(&*self.shared.watched.looked_again().await),
        }
    }
}

impl ServerHandler for Handler {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_tool_list_changed()
            .enable_prompts()
            .enable_prompts_list_changed()
            .enable_resources()
            .enable_resources_subscribe()
            .enable_resources_list_changed()
            .enable_completions()
            .enable_logging()
            .enable_tasks()
            .build();
        ServerConfig::new(capabilities)
            .with_server_info(Implementation::new("cortex-wasm", env!("CARGO_PKG_VERSION")))
            .with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let catalogue = self.catalogue();
        let (tools, next) =
            self.page(&catalogue.tools, |tool| &tool.name, |name| catalogue.owner(name), request.as_ref(), &context)?;
        let mut result = ListToolsResult::with_all_items(tools);
        (result.next_cursor, result.ttl_ms, result.cache_scope) = (next, Some(LIST_TTL_MS), Some(CacheScope::Private));
        Ok(result)
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        let catalogue = self.catalogue();
        catalogue.tools.binary_search_by(|tool| (*tool.name).cmp(name)).ok().map(|index| catalogue.tools[index].clone())
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let name = &*request.name;
        let input = Value::Object(request.arguments.unwrap_or_default());
        let Some(published) = self.find(|catalogue| catalogue.tool(name).map(Arc::clone)).await else {
            return match &self.shared.options.meta_tools {
                Some(meta_tools) => {
                    // Searching shows every tool, and the others build.
                    identity::require(&identity::of(&context), Scope::Build, "tool", name)?;
                    meta_tools.call(name, &input, &self.shared).await.map(Into::into)
                }
                None => Err(unknown("tool", name, None)),
            };
        };
        let request = Request {
            method: "tools/call",
            published,
            input,
            answers: request.input_responses,
            sealed: request.request_state,
            wanted: self.wanted(&context),
        };
        Ok(Box::pin(self.shared.run(request, &context)).await?.into_tool_response())
    }

    async fn list_prompts(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        let catalogue = self.catalogue();
        let (prompts, next) =
            self.page(&catalogue.prompts, |prompt| &prompt.name, |name| name, request.as_ref(), &context)?;
        let mut result = ListPromptsResult::with_all_items(prompts);
        (result.next_cursor, result.ttl_ms, result.cache_scope) = (next, Some(LIST_TTL_MS), Some(CacheScope::Private));
        Ok(result)
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let name = &request.name;
        let published = self.find(|catalogue| catalogue.prompt(name).map(Arc::clone)).await;
        let published = published.ok_or_else(|| unknown("prompt", name, None))?;
        let summary = published.spec.summary.clone();
        let input = typed(request.arguments.unwrap_or_default(), published.spec.parameters());
        let (answers, sealed) = (request.input_responses, request.request_state);
        let request =
            Request { method: "prompts/get", published, input, answers, sealed, wanted: self.wanted(&context) };
        match Box::pin(self.shared.run(request, &context)).await? {
            Reply::Done(done) => {
                let prompt = done.into_prompt(&summary);
                Ok(prompt.map_err(|message| ErrorData::invalid_params(message, None))?.into())
            }
            Reply::Asks(questions) => Ok(questions.into()),
            Reply::Task(_) => Err(ErrorData::internal_error("only a call of a tool becomes a task", None)),
        }
    }

    async fn list_resources(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let catalogue = self.catalogue();
        let (resources, next) =
            self.page(&catalogue.resources, |resource| &resource.name, |name| name, request.as_ref(), &context)?;
        let mut result = ListResourcesResult::with_all_items(resources);
        (result.next_cursor, result.ttl_ms, result.cache_scope) = (next, Some(LIST_TTL_MS), Some(CacheScope::Private));
        Ok(result)
    }

    async fn list_resource_templates(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let catalogue = self.catalogue();
        let (templates, next) =
            self.page(&catalogue.templates, |template| &template.name, |name| name, request.as_ref(), &context)?;
        let mut result = ListResourceTemplatesResult::with_all_items(templates);
        (result.next_cursor, result.ttl_ms, result.cache_scope) = (next, Some(LIST_TTL_MS), Some(CacheScope::Private));
        Ok(result)
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let uri = &request.uri;
        let found = self.find(|catalogue| {
            let (published, values) = catalogue.resource(uri)?;
            let values = values.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
            Some((Arc::clone(published), values))
        });
        let Some((published, values)) = found.await else {
            return Err(ErrorData::resource_not_found(
                format!("Resource not found: {uri}"),
                Some(json!({ "uri": uri })),
            ));
        };
        let mime_type = match &published.spec.mcp.publish {
            Publish::Resource { mime_type, .. } => mime_type.clone(),
            Publish::Tool | Publish::Prompt => None,
        };
        let input = typed(values, published.spec.parameters());
        let (answers, sealed) = (request.input_responses, request.request_state);
        let request =
            Request { method: "resources/read", published, input, answers, sealed, wanted: self.wanted(&context) };
        match Box::pin(self.shared.run(request, &context)).await? {
            Reply::Done(done) => {
                let contents = done.into_resource(uri, mime_type.as_deref());
                let mut result = contents.map_err(|message| ErrorData::internal_error(message, None))?;
                // The next read runs the tool again, and may find something else.
                (result.ttl_ms, result.cache_scope) = (Some(0), Some(CacheScope::Private));
                Ok(result.into())
            }
            Reply::Asks(questions) => Ok(questions.into()),
            Reply::Task(_) => Err(ErrorData::internal_error("only a call of a tool becomes a task", None)),
        }
    }

    /// The values of an `enum`, and of a boolean, that begin with what was typed.
    async fn complete(
        &self,
        request: CompleteRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        let published: Option<Arc<Published>> = match &request.r#ref {
            Reference::Prompt(prompt) => self.find(|catalogue| catalogue.prompt(&prompt.name).map(Arc::clone)).await,
            Reference::Resource(resource) => {
                self.find(|catalogue| catalogue.template(&resource.uri).map(Arc::clone)).await
            }
            _ => None,
        };
        let published = published.ok_or_else(|| ErrorData::invalid_params("the reference leads to nothing", None))?;
        let argument = &request.argument;
        let parameter = published.spec.parameters().iter().find(|parameter| parameter.name.as_str() == argument.name);
        let matching: Vec<String> =
            parameter.map(choices).unwrap_or_default().into_iter().filter(|c| c.starts_with(&argument.value)).collect();
        let total = u32::try_from(matching.len()).ok();
        let has_more = matching.len() > CompletionInfo::MAX_VALUES;
        let values = matching.into_iter().take(CompletionInfo::MAX_VALUES).collect();
        let completion = CompletionInfo::with_pagination(values, total, has_more);
        Ok(CompleteResult::new(completion.map_err(|message| ErrorData::internal_error(message, None))?))
    }

    async fn set_level(
        &self,
        request: SetLevelRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        *self.log_level.lock().unwrap_or_else(PoisonError::into_inner) = request.level;
        Ok(())
    }

    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        Some(requested.clone())
    }

    /// Tells a client what changes, until it stops listening.
    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        let mut news = self.shared.watched.news();
        let sink = context.sink();
        let wants = |wanted: Option<bool>| wanted == Some(true);
        loop {
            let change = tokio::select! {
                () = context.cancelled() => return Ok(()),
                change = next(&mut news) => change,
            };
            let Some(change) = change else { return Ok(()) };
            let accepted = context.accepted();
            let mut sent = Ok(());
            if change.tools && wants(accepted.tools_list_changed) {
                sent = sent.and(sink.notify_tool_list_changed().await);
            }
            if change.prompts && wants(accepted.prompts_list_changed) {
                sent = sent.and(sink.notify_prompt_list_changed().await);
            }
            if change.resources && wants(accepted.resources_list_changed) {
                sent = sent.and(sink.notify_resource_list_changed().await);
            }
            let catalogue = self.catalogue();
            let updated =
                accepted.resource_subscriptions.iter().flatten().filter(|uri| change.touches(uri, &catalogue));
            for uri in updated {
                sent = sent.and(sink.notify_resource_updated(uri).await);
            }
            if sent.is_err() {
                // The stream is gone.
                return Ok(());
            }
        }
    }

    async fn subscribe(
        &self,
        request: SubscribeRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.subscribed.lock().unwrap_or_else(PoisonError::into_inner).insert(request.uri);
        Ok(())
    }

    async fn unsubscribe(
        &self,
        request: UnsubscribeRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.subscribed.lock().unwrap_or_else(PoisonError::into_inner).remove(&request.uri);
        Ok(())
    }

    /// A client of an earlier revision hears what changes from now on, without asking.
    async fn on_initialized(&self, context: NotificationContext<RoleServer>) {
        let (shared, subscribed, gone) = (Arc::clone(&self.shared), Arc::clone(&self.subscribed), self.gone.clone());
        tokio::spawn(async move {
            let mut news = shared.watched.news();
            loop {
                let change = tokio::select! {
                    () = gone.cancelled() => break,
                    change = next(&mut news) => change,
                };
                let Some(change) = change else { break };
                let subscribed: Vec<String> =
                    subscribed.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect();
                if tell(&change, &subscribed, &shared.watched.catalogue(), &context.peer).await.is_err() {
                    break;
                }
            }
        });
    }

    async fn get_task(
        &self,
        request: GetTaskParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<GetTaskResult, ErrorData> {
        Ok(GetTaskResult::new(self.shared.tasks.get_task(&request.task_id)?))
    }

    async fn update_task(
        &self,
        request: UpdateTaskParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.shared.tasks.update_task(&request.task_id, request.input_responses)
    }

    async fn cancel_task(
        &self,
        request: CancelTaskParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.shared.tasks.cancel_task(&request.task_id)
    }
}

impl Handler {
    /// A page of those that the client may use. `owner` says which tool a name belongs to.
    fn page<'a, T: Clone>(
        &self,
        all: &'a [T],
        key: impl Fn(&T) -> &str,
        owner: impl Fn(&'a str) -> &'a str,
        request: Option<&PaginatedRequestParams>,
        context: &RequestContext<RoleServer>,
    ) -> Result<(Vec<T>, Option<String>), ErrorData> {
        let identity = identity::of(context);
        let mine: Vec<T> = all.iter().filter(|entry| identity.may_use(owner(key(entry)))).cloned().collect();
        page::of(&mine, key, request, self.shared.options.page_size)
    }
}

/// The next news. `None` when there will be none.
async fn next(news: &mut broadcast::Receiver<Arc<Change>>) -> Option<Arc<Change>> {
    match news.recv().await {
        Ok(change) => Some(change),
        Err(broadcast::error::RecvError::Lagged(_)) => Some(Arc::new(Change::of_everything())),
        Err(broadcast::error::RecvError::Closed) => None,
    }
}

/// Tells a client of an earlier revision. An error when it is gone.
async fn tell(
    change: &Change,
    subscribed: &[String],
    catalogue: &Catalogue,
    peer: &Peer<RoleServer>,
) -> Result<(), rmcp::ServiceError> {
    if change.tools {
        peer.notify_tool_list_changed().await?;
    }
    if change.prompts {
        peer.notify_prompt_list_changed().await?;
    }
    if change.resources {
        peer.notify_resource_list_changed().await?;
    }
    for uri in subscribed.iter().filter(|uri| change.touches(uri, catalogue)) {
        peer.notify_resource_updated(ResourceUpdatedNotificationParam::new(uri)).await?;
    }
    Ok(())
}

/// Values as the parameters want them: a prompt's arguments and the parts of an address are always text.
fn typed(mut values: Map<String, Value>, parameters: &[Parameter]) -> Value {
    for parameter in parameters.iter().filter(|parameter| parameter.kind != ParameterType::String) {
        if let Some(value) = values.get_mut(parameter.name.as_str())
            && let Some(read) = value.as_str().and_then(|text| serde_json::from_str(text).ok())
        {
            *value = read;
        }
    }
    Value::Object(values)
}

/// The values that a parameter can have, as text, where they are few.
fn choices(parameter: &Parameter) -> Vec<String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match parameter.kind {
        ParameterType::Boolean if parameter.choices.is_empty() => vec!["true".into(), "false".into()],
        _ => parameter.choices.iter().map(text).collect(),
    }
}
