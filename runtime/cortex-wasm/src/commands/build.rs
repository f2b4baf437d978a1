//! `cortex-wasm build`

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use cortex_runtime::{Prepared, Runtime};
use serde_json::{Value, json};

use super::selected;
use crate::args::{Build, Format, Target};
use crate::exit_status::ExitStatus;
use crate::failure;
use crate::printer::Printer;

/// As many tools at a time as there are cores, told in the order in which they were asked for. One that fails does not keep
/// the others from being built.
pub(super) fn execute(build: &Build, runtime: &Runtime, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let tools = selected(&build.selection, runtime)?;
    let workers = thread::available_parallelism().map_or(1, NonZeroUsize::get).min(tools.len());
    let (board, next) = (printer.board(tools.len()), AtomicUsize::new(0));
    let (sender, finished) = mpsc::channel();
    let mut status = ExitStatus::Success;
    thread::scope(|scope| {
        for _ in 0..workers {
            let (sender, tools, board, next) = (sender.clone(), &tools, &board, &next);
            scope.spawn(move || {
                while let index = next.fetch_add(1, Ordering::Relaxed)
                    && let Some(tool) = tools.get(index)
                {
                    let progress = board.line(tool);
                    let backend = build.backend.map(Target::kind);
                    let prepared = runtime.build_for(tool, backend, build.force, build.trust, &*progress);
                    drop(progress);
                    // Nobody has stopped listening: the other end is below, in the same scope.
                    let _ = sender.send((index, prepared));
                }
            });
        }
        drop(sender);
        let mut waiting = BTreeMap::new();
        let mut told = 0;
        for (index, prepared) in finished {
            waiting.insert(index, prepared);
            while let Some(prepared) = waiting.remove(&told) {
                board.pause(|| match prepared {
                    Ok(prepared) => print(&tools[told], &prepared, build.reading.format, printer),
                    Err(error) => status = failure::report(&error.into(), build.reading.format, printer),
                });
                told += 1;
            }
        }
    });
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
