//! `cortex-wasm executions`, over the file or a server.

use anyhow::{Context, bail};
use cortex_runtime::{Cancelling, ExecutionId, Executions, Filter, Status};
use cortex_server::Client;
use serde_json::Value;

use super::block_on;
use crate::args::{ExecutionsAction, ExecutionsArgs, Format};
use crate::environment;
use crate::exit_status::ExitStatus;
use crate::printer::Printer;

/// Where executions are looked up.
enum Source {
    File(Executions),
    Server(Client),
}

pub(super) fn execute(args: &ExecutionsArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let source = match &args.server {
        Some(server) => Source::Server(Client::new(server, environment::token())?),
        None => Source::File(Executions::of_home(&environment::home()?)),
    };
    let format = args.reading().format;
    match &args.action {
        ExecutionsAction::List { tool, status, session, user, before, limit, .. } => {
            let wanted =
                [("tool", tool), ("status", status), ("session_id", session), ("user", user), ("before", before)];
            let page = source.list(&wanted, *limit)?;
            if format == Format::Json {
                printer.json(&page)?;
                return Ok(ExitStatus::Success);
            }
            for execution in page["executions"].as_array().into_iter().flatten() {
                printer.data(&line(execution));
            }
            if let Some(next) = page["next"].as_str() {
                printer.note(&format!("older ones: `--before {next}`"));
            }
        }
        ExecutionsAction::Show { id, .. } => {
            let record = source.get(id)?;
            match format {
                Format::Json => printer.json(&record)?,
                Format::Text => show(&record, printer),
            }
        }
        ExecutionsAction::Logs { id, .. } => {
            let record = source.get(id)?;
            match format {
                Format::Json => printer.json(&serde_json::json!({
                    "stdout": record["stdout"], "stderr": record["stderr"], "log": record["log"],
                }))?,
                Format::Text => logs(&record, printer),
            }
        }
        ExecutionsAction::Cancel { id, .. } => {
            source.cancel(id)?;
            match format {
                Format::Json => printer.json(&serde_json::json!({ "execution_id": id, "status": "cancelling" }))?,
                Format::Text => printer.note(&format!("`{id}` was asked to stop")),
            }
        }
    }
    Ok(ExitStatus::Success)
}

impl Source {
    fn list(&self, wanted: &[(&str, &Option<String>)], limit: u16) -> anyhow::Result<Value> {
        let get = |name: &str| wanted.iter().find(|(known, _)| *known == name).and_then(|(_, value)| (*value).clone());
        match self {
            Self::File(executions) => {
                let status = get("status").map(|name| {
                    Status::from_name(&name).with_context(|| format!("`{name}` is none of the words for a status"))
                });
                let filter = Filter {
                    tool: get("tool"),
                    status: status.transpose()?,
                    session: get("session_id"),
                    user: get("user"),
                    before: get("before").map(|id| id.parse::<ExecutionId>()).transpose()?,
                };
                Ok(serde_json::to_value(executions.list(&filter, limit.into())?)?)
            }
            Self::Server(client) => {
                let mut path = format!("/v1/executions?limit={limit}");
                for (name, value) in wanted {
                    if let Some(value) = value {
                        path.extend(["&", name, "=", &escaped(value)]);
                    }
                }
                Ok(block_on(client.get(&path))??)
            }
        }
    }

    fn get(&self, id: &str) -> anyhow::Result<Value> {
        let parsed: ExecutionId = id.parse()?;
        match self {
            Self::File(executions) => {
                let record = executions.get(parsed)?.with_context(|| format!("there is no execution `{id}`"))?;
                Ok(serde_json::to_value(record)?)
            }
            Self::Server(client) => Ok(block_on(client.get(&format!("/v1/executions/{id}")))??),
        }
    }

    fn cancel(&self, id: &str) -> anyhow::Result<()> {
        let parsed: ExecutionId = id.parse()?;
        match self {
            Self::File(executions) => match executions.cancel(parsed)? {
                Cancelling::Asked => Ok(()),
                Cancelling::Ended(status) => bail!("`{id}` has ended already: {}", status.as_str()),
                Cancelling::Unknown => bail!("there is no execution `{id}`"),
            },
            Self::Server(client) => {
                block_on(client.post(&format!("/v1/executions/{id}/cancel")))??;
                Ok(())
            }
        }
    }
}

/// A value of a query.
fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

fn word<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or("-")
}

fn line(execution: &Value) -> String {
    let milliseconds = execution["usage"]["wall_us"].as_f64().unwrap_or_default() / 1000.0;
    format!(
        "{}  {}  {:<11}  {milliseconds:>9.1} ms  {}",
        word(execution, "execution_id"),
        word(execution, "started_at").get(..19).unwrap_or_default(),
        word(execution, "status"),
        word(execution, "tool"),
    )
}

fn show(record: &Value, printer: &Printer) {
    for name in ["execution_id", "tool", "status", "ending", "started_at", "session_id", "user", "component", "engine"]
    {
        if let Some(text) = record[name].as_str() {
            printer.data(&format!("{name:<13} {text}"));
        }
    }
    let usage = &record["usage"];
    let milliseconds = usage["wall_us"].as_f64().unwrap_or_default() / 1000.0;
    let memory = usage["memory_peak_bytes"].as_u64().unwrap_or_default() >> 10;
    let requests = usage["http_requests"].as_u64().unwrap_or_default();
    let fuel = usage["fuel"].as_u64().unwrap_or_default();
    let used = format!("{milliseconds:.1} ms, {memory} KiB, fuel {fuel}, {requests} requests");
    printer.data(&format!("{:<13} {used}", "usage"));
    for name in ["result", "error", "decisions"] {
        if !record[name].is_null() {
            printer.data(&format!("{name:<13} {}", record[name]));
        }
    }
}

fn logs(record: &Value, printer: &Printer) {
    for name in ["stdout", "stderr"] {
        if let Some(text) = record[name].as_str().filter(|text| !text.is_empty()) {
            printer.data(text.trim_end());
        }
    }
    for entry in record["log"].as_array().into_iter().flatten() {
        printer.data(&format!("[{}] {}", word(entry, "level"), word(entry, "message")));
    }
}
