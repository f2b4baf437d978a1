//! `cortex-wasm build`

use cortex_runtime::{Prepared, Runtime};
use serde_json::{Value, json};

use super::selected;
use crate::args::{Build, Format, Target};
use crate::exit_status::ExitStatus;
use crate::failure;
use crate::printer::Printer;

/// One tool that fails does not keep the others from being built.
pub(super) fn execute(build: &Build, runtime: &Runtime, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let mut status = ExitStatus::Success;
    for tool in selected(&build.selection, runtime)? {
        let progress = printer.progress();
        let prepared = runtime.build_for(&tool, build.backend.map(Target::kind), build.force, &*progress);
        drop(progress);
        match prepared {
            Ok(prepared) => print(&tool, &prepared, build.reading.format, printer),
            Err(error) => {
                status = failure::report(&error.into(), build.reading.format, printer);
            }
        }
    }
    Ok(status)
}

fn print(tool: &str, prepared: &Prepared, format: Format, printer: &Printer) {
    let how = match (prepared.built, prepared.compiled) {
        (true, _) => "built",
        (false, true) => "compiled",
        (false, false) => "up to date",
    };
    match format {
        Format::Text => printer.data(&format!("{tool}  {how}  {}", prepared.digest)),
        Format::Json => {
            let functions: Value = prepared.functions.iter().map(|function| function.name.as_str()).collect();
            let line = json!({
                "tool": tool, "component": prepared.digest, "contract": prepared.contract, "functions": functions,
                "built": prepared.built, "compiled": prepared.compiled, "backend": prepared.backend,
            });
            printer.data(&line.to_string());
        }
    }
}
