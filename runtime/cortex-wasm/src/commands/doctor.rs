//! `cortex-wasm doctor`

use cortex_runtime::{Program, State, Toolchain, Toolchains, machine};
use serde_json::json;

use crate::args::{Format, Global, Reading};
use crate::environment;
use crate::exit_status::ExitStatus;
use crate::printer::Printer;

/// Ends well when at least one language can be compiled, now or after an installation that the first build does.
pub(super) fn execute(reading: Reading, global: &Global, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let home = environment::home()?;
    let programs = machine();
    let toolchains = Toolchains::new(&home, global.offline).list(&programs);
    match reading.format {
        Format::Json => printer.json(&json!({"home": home, "languages": toolchains, "machine": programs}))?,
        Format::Text => {
            print_toolchains(&toolchains, printer);
            printer.data("");
            print_machine(&programs, printer);
            printer.data("");
            printer.data(&format!("installed toolchains are kept in {}", home.join("toolchains").display()));
        }
    }
    let usable = toolchains.iter().any(|toolchain| toolchain.state != State::Missing);
    Ok(if usable { ExitStatus::Success } else { ExitStatus::Build })
}

/// One line a language: what compiles it, or what would.
pub(super) fn print_toolchains(toolchains: &[Toolchain], printer: &Printer) {
    for toolchain in toolchains {
        let command = toolchain.command.as_deref().unwrap_or_default();
        let what = match toolchain.state {
            State::Ready => toolchain.version.clone().unwrap_or_default(),
            State::Installable if toolchain.megabytes == 0 => format!("the first build installs it, or `{command}`"),
            State::Installable => {
                format!("the first build installs it, or `{command}` (about {} MB)", toolchain.megabytes)
            }
            State::Missing => format!("needs {}: {command}", toolchain.missing.join(", ")),
        };
        printer.data(&format!("{:12}  {:11}  {what}", toolchain.language.as_str(), toolchain.state.as_str()));
    }
}

fn print_machine(programs: &[Program], printer: &Printer) {
    for Program { name, purpose, version, command } in programs {
        match version {
            Some(version) => printer.data(&format!("{name:12}  {version}")),
            None => printer.data(&format!("{name:12}  not here; {purpose}: {command}")),
        }
    }
}
