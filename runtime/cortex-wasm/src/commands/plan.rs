//! `cortex-wasm plan`

use cortex_runtime::{Plan, Runtime};

use super::policy;
use crate::args::{Format, Tool};
use crate::exit_status::ExitStatus;
use crate::printer::Printer;

pub(super) fn execute(args: &Tool, runtime: &Runtime, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let plan = runtime.plan(&args.tool)?;
    let permits = runtime.permits(&runtime.tool(&args.tool)?)?;
    match args.reading.format {
        Format::Json => {
            let mut json = serde_json::to_value(&plan)?;
            json["permits"] = serde_json::to_value(&permits)?;
            printer.json(&json)?;
        }
        Format::Text => {
            print_text(&plan, printer);
            policy::print(&permits, printer);
        }
    }
    Ok(ExitStatus::Success)
}

fn print_text(plan: &Plan, printer: &Printer) {
    printer.data(&format!("tool     {}", plan.tool));
    printer.data(&format!("backend  {}", plan.backend.as_str()));
    if let Some(builder) = plan.builder {
        printer.data(&format!("builder  {}", builder.as_str()));
    }
    for reason in &plan.reasons {
        printer.data(&format!("because  {}", reason.because));
        if let Some(change) = &reason.change {
            printer.data(&format!("         to change it: {change}"));
        }
    }
    if let Some(blocked) = &plan.blocked {
        printer.data(&format!("blocked  {}", blocked.because));
        if let Some(change) = &blocked.change {
            printer.data(&format!("         {change}"));
        }
    }
}
