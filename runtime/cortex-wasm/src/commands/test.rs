//! `cortex-wasm test`

use cortex_runtime::{CallOptions, CheckReport, Runtime};

use super::{block_on, selected};
use crate::args::{Format, Test};
use crate::exit_status::ExitStatus;
use crate::failure;
use crate::printer::Printer;

pub(super) fn execute(test: &Test, runtime: &Runtime, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let mut status = ExitStatus::Success;
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for tool in selected(&test.selection, runtime)? {
        let options = CallOptions { progress: Some(printer.progress()), ..CallOptions::default() };
        let report = match block_on(runtime.check(&tool, options))? {
            Ok(report) => report,
            Err(error) => {
                failed += 1;
                status = failure::report(&error.into(), test.reading.format, printer);
                continue;
            }
        };
        for check in &report.checks {
            match check.passed {
                Some(true) => passed += 1,
                Some(false) => failed += 1,
                None => skipped += 1,
            }
        }
        match test.reading.format {
            Format::Text => print_text(&report, printer),
            Format::Json => printer.data(&serde_json::to_string(&report)?),
        }
    }
    if test.reading.format == Format::Text {
        printer.data(&format!("{passed} passed, {failed} failed, {skipped} skipped"));
    }
    Ok(if failed > 0 && status == ExitStatus::Success { ExitStatus::Tool(1) } else { status })
}

fn print_text(report: &CheckReport, printer: &Printer) {
    if report.checks.is_empty() {
        printer.data(&format!("{}: nothing to test: no health check and no examples", report.tool));
    }
    for check in &report.checks {
        let word = match check.passed {
            Some(true) => "ok",
            Some(false) => "FAILED",
            None => "skipped",
        };
        let problem = check.problem.as_ref().map_or(String::new(), |problem| format!("\n  {problem}"));
        printer.data(&format!("{}: {} ... {word}{problem}", report.tool, check.name));
    }
}
