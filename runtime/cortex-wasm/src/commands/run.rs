//! `cortex-wasm run`

use std::sync::Arc;

use cortex_runtime::{CallOptions, Ending, Execution, Observer, Runtime};

use super::block_on;
use crate::args::{Format, Run};
use crate::exit_status::ExitStatus;
use crate::printer::Printer;
use crate::{failure, input};

pub(super) fn execute(run: &Run, runtime: &Runtime, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let mut value = input::read(run.input.as_deref())?;
    let reporter = printer.progress();
    let options = CallOptions {
        limits: run.limits.overrides()?,
        deterministic: run.deterministic,
        // What it says is part of the document, for programs.
        observer: match run.reading.format {
            Format::Text => Some(Arc::clone(&reporter) as Arc<dyn Observer>),
            Format::Json => None,
        },
        progress: Some(Arc::clone(&reporter) as _),
        ..CallOptions::default()
    };
    let execution = block_on(async {
        if !run.set.is_empty() {
            let schema = runtime.input_schema(&run.tool, options.progress.clone()).await?;
            input::set(&mut value, &run.set, schema.as_json())?;
        }
        anyhow::Ok(runtime.call(&run.tool, &value, options).await?)
    })??;
    let told = reporter.told();
    drop(reporter);
    match run.reading.format {
        Format::Json => printer.json(&*execution)?,
        Format::Text => print_text(&execution, told, printer),
    }
    Ok(ExitStatus::of(&execution))
}

/// The result is data. What the tool wrote besides, as far as it was not told while it ran, and why it failed, is for the
/// person.
fn print_text(execution: &Execution, told: [usize; 2], printer: &Printer) {
    for (logged, told) in [&execution.stdout, &execution.stderr].into_iter().zip(told) {
        let lines: Vec<&str> = logged.text.trim_end().lines().skip(told).collect();
        if !lines.is_empty() {
            printer.note(&lines.join("\n"));
        }
        if logged.dropped_bytes > 0 {
            printer.warning(&format!("{} more bytes of output were dropped", logged.dropped_bytes));
        }
    }
    if let Some(result) = &execution.result {
        printer.data(result.get());
    }
    if let Some(error) = &execution.error {
        failure::compiler_said(error.details.as_ref(), printer);
        let message = match execution.ending {
            Ending::ToolError if error.code == execution.ending.as_str() => error.message.clone(),
            Ending::ToolError => format!("{} ({})", error.message, error.code),
            ending => format!("{ending}: {}", error.message),
        };
        printer.error(&message, error.hint.as_deref());
    }
}
