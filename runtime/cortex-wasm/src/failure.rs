//! Errors for the person or the program reading. What a tool did wrong is no error here but an execution.

use cortex_runtime::{BuildError, RuntimeError};
use cortex_server::{ClientError, ServerError, TokenError};
use serde_json::json;

use crate::args::Format;
use crate::exit_status::ExitStatus;
use crate::printer::Printer;

/// Prints an error with its causes and its hint, and says how the program ends.
pub(crate) fn report(error: &anyhow::Error, format: Format, printer: &Printer) -> ExitStatus {
    let runtime = error.downcast_ref::<RuntimeError>();
    let build = error.downcast_ref::<BuildError>();
    let other = if build.is_some() { (ExitStatus::Build, "build_failed") } else { (ExitStatus::Usage, "usage") };
    let (status, code) = runtime.map_or(other, classify);
    let hint = runtime
        .and_then(RuntimeError::hint)
        .or_else(|| build.and_then(BuildError::hint))
        .or_else(|| error.downcast_ref::<ServerError>()?.hint())
        .or_else(|| error.downcast_ref::<TokenError>()?.hint())
        .or_else(|| error.downcast_ref::<ClientError>()?.hint());
    match format {
        Format::Json => {
            let error = json!({"code": code, "message": format!("{error:#}"), "hint": hint});
            printer.data(&json!({ "error": error }).to_string());
        }
        Format::Text => {
            if let Some(stderr) = build.and_then(BuildError::stderr) {
                printer.fenced(stderr);
            }
            print_text(error, runtime, hint.as_deref(), printer);
        }
    }
    status
}

fn print_text(error: &anyhow::Error, runtime: Option<&RuntimeError>, hint: Option<&str>, printer: &Printer) {
    match runtime {
        Some(RuntimeError::Manifest(manifest)) => printer.error_text(&manifest.report().to_string()),
        Some(RuntimeError::NotReady { failure, .. }) => {
            compiler_said(failure.details.as_ref(), printer);
            printer.error(&failure.message, hint);
        }
        Some(RuntimeError::Docker(docker)) => {
            docker.log().into_iter().for_each(|log| printer.fenced(log));
            printer.error(&format!("{error:#}"), hint);
        }
        _ => printer.error(&format!("{error:#}"), hint),
    }
}

/// A compiler's own words come before our summary of them.
pub(crate) fn compiler_said(details: Option<&serde_json::Value>, printer: &Printer) {
    if let Some(stderr) = details.and_then(|details| details["stderr"].as_str()) {
        printer.fenced(stderr);
    }
}

fn classify(error: &RuntimeError) -> (ExitStatus, &'static str) {
    let status = match error {
        RuntimeError::UnknownTool { .. }
        | RuntimeError::UnknownRelic { .. }
        | RuntimeError::NoTool { .. }
        | RuntimeError::Manifest(_) => ExitStatus::Manifest,
        RuntimeError::Limit(_) => ExitStatus::Denied,
        RuntimeError::Docker(docker) if docker.is_unavailable() => ExitStatus::Internal,
        RuntimeError::Docker(_) => ExitStatus::Build,
        RuntimeError::NotReady { ending, .. } => ExitStatus::of_ending(*ending),
        // What is left is this machine's: the engine, the disk, the database.
        _ => ExitStatus::Internal,
    };
    (status, error.code())
}
