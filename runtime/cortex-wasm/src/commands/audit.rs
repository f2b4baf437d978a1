//! `cortex-wasm audit`

use cortex_runtime::Runtime;

use super::policy;
use crate::args::{Format, Tool};
use crate::exit_status::ExitStatus;
use crate::printer::Printer;

pub(super) fn execute(args: &Tool, runtime: &Runtime, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let audit = runtime.audit(&args.tool, &*printer.progress())?;
    match args.reading.format {
        Format::Json => printer.json(&audit)?,
        Format::Text => {
            if audit.imports.is_empty() {
                printer.data("imports  nothing: it computes, and reaches nothing outside of itself");
            }
            for import in &audit.imports {
                printer.data(&format!("imports  {}: {}", import.interface, import.means));
            }
            policy::print(&audit.permits, printer);
            for warning in &audit.warnings {
                printer.data(&format!("warning  {warning}"));
            }
        }
    }
    Ok(ExitStatus::Success)
}
