//! `cortex-wasm relic`

use cortex_runtime::{RelicState, Runtime};

use crate::args::{Format, Reading, Relic, RelicAction};
use crate::exit_status::ExitStatus;
use crate::printer::Printer;

pub(super) fn execute(relic: &Relic, runtime: &Runtime, printer: &Printer) -> anyhow::Result<ExitStatus> {
    match &relic.action {
        RelicAction::Start { name } => {
            let progress = printer.progress();
            let started = runtime.start_relic(name, &*progress);
            drop(progress);
            print(&started?, printer);
        }
        RelicAction::Stop { name, volumes } => {
            let ran = runtime.stop_relic(name, *volumes)?;
            printer.data(&format!("{name}  {}", if ran { "stopped" } else { "did not run" }));
        }
        RelicAction::Status { name, reading } => {
            let state = runtime.relic(name)?;
            match reading.format {
                Format::Json => printer.json(&state)?,
                Format::Text => print(&state, printer),
            }
        }
        RelicAction::List(Reading { format }) => {
            let names = runtime.relic_sources()?.into_iter().map(|source| source.spec.name.to_string());
            let states = names.map(|name| runtime.relic(&name)).collect::<Result<Vec<_>, _>>()?;
            match format {
                Format::Json => printer.json(&states)?,
                Format::Text => states.iter().for_each(|state| print(state, printer)),
            }
        }
    }
    Ok(ExitStatus::Success)
}

fn print(relic: &RelicState, printer: &Printer) {
    let ports: Vec<String> =
        relic.ports.iter().map(|(inside, outside)| format!("{inside} at 127.0.0.1:{outside}")).collect();
    printer.data(format!("{:<20} {:<10} {}", relic.name, relic.status, ports.join(", ")).trim_end());
}
