//! `cortex-wasm cache`

use cortex_manifest::ByteSize;
use cortex_runtime::Runtime;

use crate::args::{Cache, CacheAction, Format, Reading};
use crate::exit_status::ExitStatus;
use crate::printer::Printer;

pub(super) fn execute(cache: &Cache, runtime: &Runtime, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let info = CacheAction::Info(Reading { format: Format::Text });
    match cache.action.as_ref().unwrap_or(&info) {
        CacheAction::Info(reading) => {
            let usage = runtime.cache_usage()?;
            match reading.format {
                Format::Json => printer.json(&usage)?,
                Format::Text => {
                    printer.data(&format!("path   {}", usage.path.display()));
                    printer.data(&format!("size   {} of {}", megabytes(usage.bytes), megabytes(usage.limit_bytes)));
                    for entry in &usage.entries {
                        let old = if entry.current { "" } else { "  (another engine's)" };
                        printer.data(&format!("{}  {}{old}", entry.component, megabytes(entry.bytes)));
                    }
                }
            }
        }
        CacheAction::Prune { keep } => {
            let freed = runtime.prune_cache(keep.map_or(0, ByteSize::bytes))?;
            printer.data(&format!("freed {}", megabytes(freed)));
        }
    }
    Ok(ExitStatus::Success)
}

#[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
