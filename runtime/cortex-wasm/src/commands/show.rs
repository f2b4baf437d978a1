//! `cortex-wasm show`

use cortex_runtime::{Limits, Runtime, Tool};
use serde_json::{Value, json};

use super::{block_on, list};
use crate::args::{Format, Tool as ToolArgs};
use crate::exit_status::ExitStatus;
use crate::printer::Printer;

pub(super) fn execute(args: &ToolArgs, runtime: &Runtime, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let tool = runtime.tool(&args.tool)?;
    // A component without a manifest says itself what it takes, so it is loaded; a tool's manifest is enough.
    let functions = match tool.source {
        cortex_runtime::ToolSource::Component(_) => {
            block_on(async { runtime.build(&args.tool, false, &*printer.progress()) })??.functions
        }
        _ => Vec::new(),
    };
    let limits = runtime.limits(&tool)?;
    match args.reading.format {
        Format::Json => {
            let functions: Vec<Value> = functions.iter().map(function_json).collect();
            printer.json(&json!({
                "source": list::source(&tool.source),
                "spec": tool.spec,
                "input_schema": tool.spec.input_schema().as_json(),
                "functions": functions,
                "limits": limits_json(&limits),
            }))?;
        }
        Format::Text => {
            print_text(&tool, &limits, printer)?;
            for function in &functions {
                let problem = function.unsupported.as_ref().map_or(String::new(), |why| format!("  ({why})"));
                printer.data(&format!("function     {}{problem}", function.name));
                printer.data(&format!("             takes {}", function.input_schema));
            }
        }
    }
    Ok(ExitStatus::Success)
}

fn function_json(function: &cortex_runtime::Function) -> Value {
    json!({
        "name": function.name, "input_schema": function.input_schema, "output_schema": function.output_schema,
        "unsupported": function.unsupported,
    })
}

fn limits_json(limits: &Limits) -> Value {
    let Limits { http, files, state, .. } = limits;
    json!({
        "fuel": limits.fuel, "timeout_ms": limits.timeout.as_millis(), "memory_bytes": limits.memory_bytes,
        "output_bytes": limits.output_bytes, "input_bytes": limits.input_bytes, "instances": limits.instances,
        "handles": limits.handles, "hostcall_bytes": limits.hostcall_bytes, "random_bytes": limits.random_bytes,
        "log_lines": limits.log_lines, "disk_bytes": files.bytes,
        "files": { "created": files.created, "path_bytes": files.path_bytes, "listed": files.listed },
        "state": { "keys": state.keys, "size_bytes": state.bytes, "key_bytes": state.key_bytes },
        "http": {
            "requests": http.requests, "concurrent": http.concurrent, "request_bytes": http.request_bytes,
            "response_bytes": http.response_bytes, "header_bytes": http.header_bytes,
            "timeout_ms": http.timeout.as_millis(),
        },
    })
}

fn print_text(tool: &Tool, limits: &Limits, printer: &Printer) -> anyhow::Result<()> {
    let spec = &tool.spec;
    printer.data(&format!("name         {}", spec.name));
    printer.data(&format!("summary      {}", spec.summary));
    printer.data(&format!("source       {}", list::source(&tool.source)));
    for parameter in spec.parameters() {
        let required = if parameter.required { ", required" } else { "" };
        let kind = serde_json::to_value(parameter.kind)?;
        let description = parameter.description.as_deref().unwrap_or_default();
        let kind = kind.as_str().unwrap_or_default();
        printer.data(format!("parameter    {} ({kind}{required})  {description}", parameter.name).trim_end());
    }
    let megabytes = limits.memory_bytes >> 20;
    printer.data(&format!("limits       fuel {}, {megabytes} MiB of memory, {:?}", limits.fuel, limits.timeout));
    let asked = serde_json::to_value(&spec.permissions)?;
    printer.data(&format!("asks for     {}", asks_text(&asked)));
    Ok(())
}

/// What a manifest asks for, in one line.
fn asks_text(asked: &Value) -> String {
    let all = asked.as_object().into_iter().flatten();
    let some: Vec<String> = all
        .filter(|(_, value)| {
            !matches!(value, Value::Bool(false)) && value.as_array().is_none_or(|list| !list.is_empty())
        })
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    if some.is_empty() { "nothing".into() } else { some.join(", ") }
}
