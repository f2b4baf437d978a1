//! One call: a fresh store and instance, the call under its limits, and the outcome classified by type.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use serde_json::Value;
use serde_json::value::RawValue;
use wasmtime::component::{ResourceTableError, Val};
use wasmtime::{PoolConcurrencyLimitError, Store, Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;
use wasmtime_wasi_http::FieldMapError;

use crate::bindings::exports::cortex::tool::handler::ToolError;
use crate::component::{Component, Contract, Entry, Function};
use crate::ending::{Captured, Decision, Ending, Failure, Outcome, Usage};
use crate::engine::Sandbox;
use crate::guest::{Grants, Guest, Program, Refusal};
use crate::json;
use crate::limits::{DeadlineExceeded, LimitReached, Limits, MemoryExceeded, limit_reached};
use crate::logging::Observer;
use crate::network::{Account, Egress, FirstRefusal};
use crate::output::OutputExceeded;
use crate::secret::{Secret, redacted};

/// What may stop a call from outside.
pub trait Interrupt: Send + Sync {
    /// Asked whenever the guest waits for something, or has computed for a tick. `Ready` stops it; otherwise the waker is
    /// to be woken when it shall be asked again.
    fn poll_interrupted(&self, cx: &mut Context<'_>) -> Poll<()>;
}

/// One call of a component.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    /// The tool's name: what a command sees as its own.
    pub name: &'a str,
    /// Which function to call, for a component with the `functions` contract.
    pub function: Option<&'a Function>,
    /// A JSON object, already valid under the tool's schema.
    pub input: &'a Value,
    /// What the call may use.
    pub limits: &'a Limits,
    /// What the call may reach.
    pub grants: &'a Arc<Grants>,
    /// The same clocks and randomness as in every other call with this seed; `None` for the host's own.
    pub seed: Option<u64>,
    /// Hears what the tool says while it runs.
    pub observer: Option<&'a Arc<dyn Observer>>,
    /// Who may stop the call.
    pub interrupt: Option<&'a dyn Interrupt>,
    /// The W3C `traceparent` that the guest's requests carry.
    pub traceparent: Option<&'a str>,
}

impl<'a> Call<'a> {
    /// A call of a component that is a tool, and nothing besides.
    pub fn new(name: &'a str, input: &'a Value, limits: &'a Limits, grants: &'a Arc<Grants>) -> Self {
        Self {
            name,
            function: None,
            input,
            limits,
            grants,
            seed: None,
            observer: None,
            interrupt: None,
            traceparent: None,
        }
    }
}

impl std::fmt::Debug for Call<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Call").field("name", &self.name).field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// The error by which a guest is stopped from outside.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the call was cancelled")]
struct Interrupted;

/// What came back from the guest, before it is known whether it is any good.
enum Returned {
    Json(String),
    ToolError(ToolError),
    /// The exit code of a command; its result is on standard output.
    Exit(i32),
    Value(Value),
    ErrorValue(Value),
    BadArguments(json::ConversionError),
}

/// How many things that a tool was not granted are told of when it fails.
const REFUSALS_TOLD: usize = 8;

/// The longest error message that is kept from a guest. Agents read it; the rest is in the logs.
const MESSAGE_BYTES: usize = 4096;

/// The longest code of an error, and the longest name of a function in a backtrace: words, not texts.
const WORD_BYTES: usize = 128;

/// How deep a result may be nested. Readers of JSON give up there, this program's own included, or run out of stack.
const RESULT_DEPTH: usize = 127;

impl Sandbox {
    /// Calls a component in a fresh instance. Every end of a call, good or bad, is an [`Outcome`].
    ///
    /// Must run on a tokio runtime with its timer enabled. Dropping the future stops the guest at its next epoch tick.
    pub async fn invoke(&self, component: &Component, call: Call<'_>) -> Outcome {
        let started = Instant::now();
        let text = call.input.to_string();
        if text.len() > call.limits.input_bytes {
            return too_large_input(text.len(), call.limits);
        }
        let program = match component.contract() {
            Contract::Command => Some(Program { name: call.name.to_owned(), input: text.clone() }),
            Contract::Tool | Contract::Functions => None,
        };
        let mut store = Store::new(&self.engine, Guest::new(&call, program));
        let mut instantiated = started;
        let ran = match call.limits.apply(&mut store, component.contract(), started) {
            Ok(()) => {
                let run = pin!(run(component, &mut store, &call, &text, &mut instantiated));
                let run = interruptible(run, call.interrupt);
                // Epochs stop a guest that computes; a timer stops one that waits in the host.
                if component.isolated {
                    run.await
                } else {
                    let timed = tokio::time::timeout_at((started + call.limits.timeout).into(), run).await;
                    timed.unwrap_or_else(|_| Err(DeadlineExceeded { timeout: call.limits.timeout }.into()))
                }
            }
            Err(error) => Err(error),
        };
        finish(&mut store, &call, ran, started, instantiated)
    }
}

/// Runs a guest until it is done or stopped from outside.
fn interruptible<T>(
    mut run: Pin<&mut impl Future<Output = wasmtime::Result<T>>>,
    interrupt: Option<&dyn Interrupt>,
) -> impl Future<Output = wasmtime::Result<T>> {
    std::future::poll_fn(move |cx| match (run.as_mut().poll(cx), interrupt) {
        (Poll::Pending, Some(interrupt)) => interrupt.poll_interrupted(cx).map(|()| Err(Interrupted.into())),
        (polled, _) => polled,
    })
}

/// Every future around this one is moved with all that it holds, at each level once a call. So what only some calls need and
/// is large, as the futures of `instantiate_async` are, is boxed.
async fn run(
    component: &Component,
    store: &mut Store<Guest>,
    call: &Call<'_>,
    input: &str,
    instantiated: &mut Instant,
) -> wasmtime::Result<Returned> {
    match &component.entry {
        Entry::Tool(tool) => {
            let tool = if component.starts_quietly.load(Ordering::Relaxed) {
                // No code of the guest runs, so there is nothing to yield from, and no need of a stack for it.
                tool.instantiate(&mut *store)?
            } else {
                let instance = Box::pin(tool.instantiate_async(&mut *store)).await?;
                let quiet = component.isolated && store.get_fuel()? == call.limits.fuel;
                component.starts_quietly.store(quiet, Ordering::Relaxed);
                instance
            };
            *instantiated = Instant::now();
            let answer = tool.cortex_tool_handler().call_invoke(&mut *store, input).await?;
            Ok(match answer {
                Ok(json) => Returned::Json(json),
                Err(error) => Returned::ToolError(error),
            })
        }
        Entry::Command(command) => {
            let command = Box::pin(command.instantiate_async(&mut *store)).await?;
            *instantiated = Instant::now();
            match command.wasi_cli_run().call_run(&mut *store).await {
                Ok(Ok(())) => Ok(Returned::Exit(0)),
                Ok(Err(())) => Ok(Returned::Exit(1)),
                Err(error) => match error.downcast_ref::<I32Exit>() {
                    Some(exit) => Ok(Returned::Exit(exit.0)),
                    None => Err(error),
                },
            }
        }
        Entry::Functions(pre) => {
            let Some(function) = call.function else { return Ok(no_function()) };
            let arguments = match json::to_arguments(&function.ty, call.input) {
                Ok(arguments) => arguments,
                Err(error) => return Ok(Returned::BadArguments(error)),
            };
            let instance = Box::pin(pre.instantiate_async(&mut *store)).await?;
            *instantiated = Instant::now();
            let Some(callee) = instance.get_func(&mut *store, function.index) else { return Ok(no_function()) };
            let mut results = vec![Val::Bool(false); function.ty.results().len()];
            callee.call_async(&mut *store, &arguments, &mut results).await?;
            Ok(returned_values(function, &results))
        }
    }
}

/// The runtime resolves the function before it calls; this is what a caller of the library sees that did not.
fn no_function() -> Returned {
    let error = json::ConversionError {
        pointer: String::new(),
        expected: "the name of one of the component's functions".into(),
        got: "none".into(),
    };
    Returned::BadArguments(error)
}

/// The error of an outermost `result` ends the call as a tool error, as it does in the `tool` contract.
fn returned_values(function: &Function, results: &[Val]) -> Returned {
    use wasmtime::component::Type;
    match (function.ty.results().next(), results.first()) {
        (Some(Type::Result(result)), Some(Val::Result(value))) => {
            let convert = |ty: Option<Type>, value: &Option<Box<Val>>| match (ty, value) {
                (Some(ty), Some(value)) => json::from_val(&ty, value),
                _ => Value::Null,
            };
            match value {
                Ok(value) => Returned::Value(convert(result.ok(), value)),
                Err(value) => Returned::ErrorValue(convert(result.err(), value)),
            }
        }
        (Some(ty), Some(value)) => Returned::Value(json::from_val(&ty, value)),
        _ => Returned::Value(Value::Null),
    }
}

fn finish(
    store: &mut Store<Guest>,
    call: &Call<'_>,
    ran: wasmtime::Result<Returned>,
    started: Instant,
    instantiated: Instant,
) -> Outcome {
    let fuel = call.limits.fuel.saturating_sub(store.get_fuel().unwrap_or_default());
    let guest = store.data_mut();
    let account = guest.account();
    let (file_bytes, files_created) = guest.files.as_ref().map_or((0, 0), |files| files.quota.used());
    let usage = Usage {
        fuel,
        memory_peak_bytes: guest.limiter.used_bytes(),
        wall_us: micros(started.elapsed()),
        instantiate_us: micros(instantiated - started),
        http_requests: account.requests,
        http_sent_bytes: account.sent_bytes,
        http_received_bytes: account.received_bytes,
        file_bytes,
        files_created,
        random_bytes: guest.usage.random_bytes,
        state_bytes: guest.usage.state_bytes,
        cpu_us: 0,
    };
    let wrote_text = guest.wrote_text();
    let log = guest.take_log();
    let (stdout, stderr) = guest.output();
    let mut outcome = match ran {
        Ok(Returned::Exit(0)) if !wrote_text => {
            let message = "the result is not UTF-8, as JSON is";
            Outcome { stdout, ..hinted(Ending::InvalidOutput, message, "encode bytes, for instance as Base64") }
        }
        Ok(returned) => answered(returned, stdout, &stderr, call.limits),
        Err(error) => {
            let outcome = stopped(&error, call.limits, store.hostcall_fuel(), instantiated == started);
            Outcome { stdout, ..outcome }
        }
    };
    outcome.stderr = stderr;
    outcome.usage = usage;
    outcome.log = log;
    settle(outcome, account, store.data().grants())
}

/// What an outcome becomes by what was granted: refusals are named, secrets are taken out.
fn settle(mut outcome: Outcome, account: Account, grants: &Grants) -> Outcome {
    if let (Ending::Trap, Some(failure)) = (outcome.ending, &mut outcome.error) {
        let words = |line: &str| format!("the tool's last words: {}", shortened(line.to_owned(), MESSAGE_BYTES));
        failure.hint = last_line(&outcome.stderr.text).map(words);
    }
    outcome.decisions = account.decisions;
    if let Some(refusal) = account.refusal {
        outcome = refused_by_grants(outcome, refusal);
    }
    if !grants.refused.is_empty() {
        not_granted(&mut outcome, &grants.refused);
    }
    if !grants.secrets.is_empty() {
        redact(&mut outcome, &grants.secrets);
    }
    outcome
}

/// What a function answered that is called in a process of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A JSON document.
    Result(String),
    /// An error as in the `tool` contract.
    Error {
        /// A word that programs test.
        code: String,
        /// What went wrong.
        message: String,
        /// A JSON document in place of the result.
        data: Option<String>,
    },
}

/// For backends that run a tool elsewhere: the same rules, so that a tool ends in the same way wherever it ran.
impl Outcome {
    /// The outcome of a program that exited with `code`.
    pub fn of_program(code: i32, stdout: Captured, stderr: Captured) -> Self {
        let outcome = exited(code, stdout, &stderr);
        Self { stderr, ..outcome }
    }

    /// The outcome of a function's answer. What it wrote to its streams is a log.
    pub fn of_answer(answer: Answer, stdout: Captured, stderr: Captured, limits: &Limits) -> Self {
        let returned = match answer {
            Answer::Result(json) => Returned::Json(json),
            Answer::Error { code, message, data } => Returned::ToolError(ToolError { code, message, data }),
        };
        let outcome = answered(returned, stdout, &stderr, limits);
        Self { stderr, ..outcome }
    }

    /// A limit of the tool ended the call. `limit` is its name in `implementation.resources`.
    pub fn stopped_by(ending: Ending, message: impl Into<String>, limit: &str) -> Self {
        hinted(ending, message, format!("raise `implementation.resources.{limit}` in the manifest"))
    }

    /// The result is larger than it may be.
    pub fn of_too_large_result(limits: &Limits) -> Self {
        too_large_result(limits.output_bytes + 1, limits.output_bytes)
    }

    /// The input is larger than it may be.
    pub fn of_too_large_input(bytes: usize, limits: &Limits) -> Self {
        too_large_input(bytes, limits)
    }

    /// What becomes of the outcome by what was granted: refused requests are named, secrets are taken out.
    #[must_use]
    pub fn settled(self, egress: Option<&Egress>, grants: &Grants) -> Self {
        settle(self, egress.map(Egress::account).unwrap_or_default(), grants)
    }
}

/// What was asked for and not granted is part of the record; a tool that failed may have failed for it.
fn not_granted(outcome: &mut Outcome, refused: &[Refusal]) {
    outcome.decisions.extend(refused.iter().map(|refusal| refusal.decision.clone()));
    let failed = matches!(outcome.ending, Ending::ToolError | Ending::Trap | Ending::InvalidOutput);
    if let (true, Some(failure)) = (failed && !refused.is_empty(), &mut outcome.error) {
        // Which of them it was is the tool's to know.
        let lines = refused.iter().take(REFUSALS_TOLD).map(|Refusal { decision, hint }| {
            let Decision { capability, target, .. } = decision;
            format!("the tool was not granted {capability} `{target}`: {hint}")
        });
        failure.hint.get_or_insert_with(|| lines.collect::<Vec<_>>().join("\n"));
    }
}

/// Takes secrets out of everything that is shown or kept.
fn redact(outcome: &mut Outcome, secrets: &[Secret]) {
    let text = |text: &mut String| {
        if let Some(shown) = redacted(text, secrets) {
            *text = shown;
        }
    };
    text(&mut outcome.stdout.text);
    text(&mut outcome.stderr.text);
    for decision in &mut outcome.decisions {
        text(&mut decision.target);
        decision.reason.as_mut().map(text);
    }
    for line in &mut outcome.log {
        text(&mut line.context);
        text(&mut line.message);
    }
    if let Some(failure) = &mut outcome.error {
        text(&mut failure.code);
        text(&mut failure.message);
        failure.hint.as_mut().map(text);
        if let Some(shown) = failure.details.as_ref().and_then(|details| redacted(&details.to_string(), secrets)) {
            failure.details = serde_json::from_str(&shown).ok();
        }
    }
    if let Some(shown) = outcome.result.as_ref().and_then(|result| redacted(result.get(), secrets)) {
        // A secret that stood there as a number leaves no JSON behind.
        outcome.result = raw(shown.clone()).or_else(|_| raw(Value::String(shown).to_string())).ok();
    }
}

/// A tool hears that a request was refused, not why, and may do without it. One that fails after that has failed for it.
fn refused_by_grants(mut outcome: Outcome, refused: FirstRefusal) -> Outcome {
    let FirstRefusal { ending, failure: mut refusal } = refused;
    if !matches!(outcome.ending, Ending::ToolError | Ending::Trap | Ending::InvalidOutput) {
        return outcome;
    }
    if let Some(said) = outcome.error.take() {
        refusal.exit_code = said.exit_code;
        if let Some(Value::Object(details)) = &mut refusal.details {
            details.insert("tool_error".into(), Value::String(said.message));
        }
    }
    outcome.ending = ending;
    outcome.error = Some(Box::new(refusal));
    outcome
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn answered(returned: Returned, stdout: Captured, stderr: &Captured, limits: &Limits) -> Outcome {
    let outcome = match returned {
        Returned::Exit(code) => return exited(code, stdout, stderr),
        Returned::Json(json) => match check_size(json.len(), limits) {
            None => parsed(json, "return one JSON document"),
            Some(failed) => failed,
        },
        Returned::Value(value) => {
            let json = value.to_string();
            match check_size(json.len(), limits) {
                None => success(raw(json).ok()),
                Some(failed) => failed,
            }
        }
        Returned::ToolError(error) => {
            let data = error.data.as_ref().map_or(0, String::len);
            check_size(data, limits).unwrap_or_else(|| tool_error(error))
        }
        Returned::ErrorValue(value) => {
            let json = value.to_string();
            check_size(json.len(), limits).unwrap_or_else(|| {
                let mut outcome = failed(Ending::ToolError, said(&value).unwrap_or_else(|| json.clone()));
                outcome.result = raw(json).ok();
                outcome
            })
        }
        Returned::BadArguments(error) => failed(Ending::InvalidInput, error.to_string()),
    };
    Outcome { stdout, ..outcome }
}

fn success(result: Option<Box<RawValue>>) -> Outcome {
    Outcome {
        ending: Ending::Success,
        result,
        error: None,
        stdout: Captured::default(),
        stderr: Captured::default(),
        usage: Usage::default(),
        decisions: Vec::new(),
        log: Vec::new(),
    }
}

fn failed(ending: Ending, message: impl Into<String>) -> Outcome {
    Outcome::failed(ending, Failure::new(ending.as_str(), shortened(message.into(), MESSAGE_BYTES)))
}

fn shortened(mut text: String, bytes: usize) -> String {
    if text.len() > bytes {
        text.truncate(text.floor_char_boundary(bytes));
        text.push('…');
    }
    text
}

fn hinted(ending: Ending, message: impl Into<String>, hint: impl Into<String>) -> Outcome {
    let mut outcome = failed(ending, message);
    if let Some(failure) = &mut outcome.error {
        failure.hint = Some(hint.into());
    }
    outcome
}

fn raw(json: String) -> Result<Box<RawValue>, serde_json::Error> {
    RawValue::from_string(json)
}

fn parsed(json: String, hint: &str) -> Outcome {
    if depth(&json) > RESULT_DEPTH {
        let message = format!("the result is nested more than {RESULT_DEPTH} levels deep");
        return hinted(Ending::InvalidOutput, message, "return a flatter document");
    }
    match raw(json) {
        Ok(result) => success(Some(result)),
        Err(error) => hinted(Ending::InvalidOutput, format!("the result is not JSON: {error}"), hint),
    }
}

/// How deep a JSON document is nested. Right for every document that is JSON, which is all that it is asked about.
fn depth(json: &str) -> usize {
    let (mut depth, mut deepest, mut in_text, mut escaped) = (0_usize, 0, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_text,
            b'"' => in_text = !in_text,
            b'[' | b'{' if !in_text => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

fn check_size(bytes: usize, limits: &Limits) -> Option<Outcome> {
    (bytes > limits.output_bytes).then(|| too_large_result(bytes, limits.output_bytes))
}

fn too_large_result(bytes: usize, limit_bytes: usize) -> Outcome {
    hinted(
        Ending::OutputExceeded,
        format!("the result has at least {bytes} bytes, the limit is {limit_bytes}"),
        "return less, or raise `implementation.resources.output` in the manifest",
    )
}

fn too_large_input(bytes: usize, limits: &Limits) -> Outcome {
    let message = format!("the input has {bytes} bytes, the limit is {}", limits.input_bytes);
    let hint = "send less, or raise `implementation.resources.input` in the manifest";
    let mut outcome = hinted(Ending::InvalidInput, message, hint);
    if let Some(failure) = &mut outcome.error {
        failure.details = Some(serde_json::json!({ "limit": "input" }));
    }
    outcome
}

fn tool_error(error: ToolError) -> Outcome {
    let mut outcome = failed(Ending::ToolError, error.message);
    let failure = outcome.error.as_mut();
    if let Some(failure) = failure {
        failure.code = shortened(error.code, WORD_BYTES);
        let json = |data: &String| if depth(data) > RESULT_DEPTH { None } else { raw(data.clone()).ok() };
        if let Some(data) = error.data {
            match json(&data) {
                Some(result) => outcome.result = Some(result),
                None => failure.details = Some(Value::String(data)),
            }
        }
    }
    outcome
}

/// A command's standard output is its result, whether it worked or not. One that failed says why in its JSON (`error`
/// or `message`), else in the last line of standard error.
fn exited(code: i32, stdout: Captured, stderr: &Captured) -> Outcome {
    if code == 0 {
        if stdout.text.trim().is_empty() {
            return success(None);
        }
        let hint = "print one JSON document to standard output, and everything else to standard error";
        let outcome = parsed(stdout.text.clone(), hint);
        return if outcome.result.is_some() { outcome } else { Outcome { stdout, ..outcome } };
    }
    let value: Option<Value> = serde_json::from_str(&stdout.text).ok();
    let message = value.as_ref().and_then(said).or_else(|| last_line(&stderr.text).map(ToOwned::to_owned));
    let mut outcome = failed(Ending::ToolError, message.unwrap_or_else(|| format!("exited with code {code}")));
    if let Some(failure) = &mut outcome.error {
        failure.exit_code = Some(code);
    }
    match value {
        Some(_) => outcome.result = raw(stdout.text).ok(),
        None => outcome.stdout = stdout,
    }
    outcome
}

fn said(value: &Value) -> Option<String> {
    if let Value::String(message) = value {
        return Some(message.clone());
    }
    ["error", "message"].iter().find_map(|key| value.get(key)?.as_str()).map(ToOwned::to_owned)
}

fn last_line(text: &str) -> Option<&str> {
    // Rust ends a panic's message with a note about backtraces, and JavaScript an error's with its stack.
    let says = |line: &&str| !line.is_empty() && !line.starts_with("note: ") && !line.starts_with("at ");
    text.lines().map(str::trim).rfind(says)
}

/// The one place where an error of wasmtime becomes an ending, by type. `copied_bytes_max` is what one host call might copy.
fn stopped(error: &wasmtime::Error, limits: &Limits, copied_bytes_max: usize, instantiating: bool) -> Outcome {
    let raise = |name: &str| format!("raise `implementation.resources.{name}` in the manifest");
    if let Some(exceeded) = error.downcast_ref::<DeadlineExceeded>() {
        return hinted(Ending::DeadlineExceeded, exceeded.to_string(), raise("timeout"));
    }
    if let Some(exceeded) = error.downcast_ref::<MemoryExceeded>() {
        return hinted(Ending::MemoryExceeded, exceeded.to_string(), raise("memory"));
    }
    if let Some(exceeded) = error.downcast_ref::<OutputExceeded>() {
        return too_large_result(exceeded.limit_bytes + 1, exceeded.limit_bytes);
    }
    if let Some(interrupted) = error.downcast_ref::<Interrupted>() {
        return failed(Ending::Cancelled, interrupted.to_string());
    }
    if let Some(full) = error.downcast_ref::<PoolConcurrencyLimitError>() {
        return hinted(Ending::BackendUnavailable, full.to_string(), "make fewer calls at the same time");
    }
    if let Some(failure) = host_limit(error, limits).or_else(|| worded_limit(error, limits, copied_bytes_max)) {
        return Outcome::failed(Ending::LimitExceeded, failure);
    }
    let mut outcome = match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => {
            let message = format!("used up its {} units of fuel", limits.fuel);
            return hinted(Ending::OutOfFuel, message, raise("fuel"));
        }
        Some(trap) => failed(Ending::Trap, format!("crashed: {trap}")),
        None => refused_by_wasmtime(error, limits, instantiating),
    };
    if let (Some(backtrace), Some(failure)) = (error.downcast_ref::<WasmBacktrace>(), &mut outcome.error) {
        let names = backtrace.frames().iter().filter_map(|frame| frame.func_name());
        let names = names.map(|name| Value::from(shortened(name.to_owned(), WORD_BYTES)));
        failure.details = Some(serde_json::json!({ "backtrace": names.collect::<Vec<_>>() }));
    }
    outcome
}

/// A limit that ends a call, because the host call that reaches it has no way to say so.
fn host_limit(error: &wasmtime::Error, limits: &Limits) -> Option<Failure> {
    if let Some(LimitReached { name, message }) = error.downcast_ref() {
        return Some(limit_reached(name, message));
    }
    if let Some(too_much) = error.downcast_ref::<FieldMapError>() {
        let limit = limits.http.header_bytes;
        let message = format!("HTTP headers of more than {limit} bytes: the limit `http.headers` ({too_much})");
        return Some(limit_reached("http.headers", &message));
    }
    if let Some(ResourceTableError::Full) = error.downcast_ref::<ResourceTableError>() {
        return Some(handles_reached(limits));
    }
    None
}

/// wasmtime's words for a host call that copies more than it may.
const COPY_REFUSED: &str =
    "too much data is being copied between the host and the guest: fuel allocated for hostcalls has been exhausted";

/// Its words for one handle too many of a resource of the guest's own, made or lent.
const HANDLES_REFUSED: [&str; 2] = [
    "cannot allocate another handle: store handle limit exceeded",
    "cannot lend resource: store handle limit exceeded",
];

/// A limit that wasmtime itself watches and has no public type for. Here alone the whole text of an error decides; no guest
/// can write one, and the tests that reach these limits fail when wasmtime changes its words.
fn worded_limit(error: &wasmtime::Error, limits: &Limits, copied_bytes_max: usize) -> Option<Failure> {
    let words = error.root_cause().to_string();
    if words == COPY_REFUSED {
        let message = format!("one host call that copies more than {copied_bytes_max} bytes: the limit `copy`");
        return Some(limit_reached("copy", &message));
    }
    HANDLES_REFUSED.contains(&words.as_str()).then(|| handles_reached(limits))
}

fn handles_reached(limits: &Limits) -> Failure {
    limit_reached("handles", &format!("more than {} handles open at once: the limit `handles`", limits.handles))
}

/// What wasmtime refuses with an error of no type of ours. Its cause is one line; the backtrace around it is a detail.
fn refused_by_wasmtime(error: &wasmtime::Error, limits: &Limits, instantiating: bool) -> Outcome {
    let cause = error.root_cause();
    if instantiating {
        // The guest's own code had no part in it, so it is the component that asks for too much of something.
        let count = limits.instances;
        let message = format!("needs more than {count} core instances, memories or tables: {cause}");
        let mut outcome =
            hinted(Ending::MemoryExceeded, message, "raise `implementation.resources.instances` in the manifest");
        if let Some(failure) = &mut outcome.error {
            failure.details = Some(serde_json::json!({ "limit": "instances" }));
        }
        return outcome;
    }
    // Where the guest's code had returned, what it returned breaks the canonical ABI.
    failed(Ending::Trap, format!("crashed: {cause}"))
}
