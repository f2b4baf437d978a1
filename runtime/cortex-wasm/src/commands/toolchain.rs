//! `cortex-wasm toolchain`

use cortex_runtime::{BuilderKind, Toolchains, machine};
use serde_json::json;

use super::doctor::print_toolchains;
use crate::args::{Format, Global, Languages, Reading, Toolchain, ToolchainAction};
use crate::environment;
use crate::exit_status::ExitStatus;
use crate::failure;
use crate::printer::Printer;

pub(super) fn execute(args: &Toolchain, global: &Global, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let toolchains = Toolchains::new(environment::home()?, global.offline);
    match &args.action {
        ToolchainAction::List(reading) => list(*reading, &toolchains, printer),
        ToolchainAction::Install(languages) => Ok(install(languages, &toolchains, printer)),
        ToolchainAction::Remove(languages) => remove(languages, &toolchains, printer),
    }
}

fn list(reading: Reading, toolchains: &Toolchains, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let listed = toolchains.list(&machine());
    match reading.format {
        Format::Json => printer.json(&json!(listed))?,
        Format::Text => print_toolchains(&listed, printer),
    }
    Ok(ExitStatus::Success)
}

/// One language that cannot be installed does not keep the others from being.
fn install(languages: &Languages, toolchains: &Toolchains, printer: &Printer) -> ExitStatus {
    let mut status = ExitStatus::Success;
    // TinyGo is in no registry, so "all" are those that can be installed.
    for kind in languages.kinds().filter(|kind| !languages.all || *kind != BuilderKind::TinyGo) {
        let progress = printer.progress();
        let installed = toolchains.install(kind, &*progress);
        drop(progress);
        match installed {
            Ok(Some(version)) => printer.data(&format!("{}  {version}", kind.as_str())),
            Ok(None) => printer.data(&format!("{}  nothing to install", kind.as_str())),
            Err(error) => status = failure::report(&error.into(), Format::Text, printer),
        }
    }
    status
}

fn remove(languages: &Languages, toolchains: &Toolchains, printer: &Printer) -> anyhow::Result<ExitStatus> {
    for kind in languages.kinds() {
        for folder in toolchains.remove(kind)? {
            printer.data(&format!("removed {}", folder.display()));
        }
    }
    Ok(ExitStatus::Success)
}
