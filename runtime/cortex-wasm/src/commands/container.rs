//! `cortex-wasm dockerfile`, `image`, `ps`, `stop` and `logs`

use cortex_runtime::Runtime;
use serde_json::json;

use crate::args::{Container, Format, Image, ImageAction, Reading, Tool};
use crate::exit_status::ExitStatus;
use crate::printer::Printer;

/// What an image would be built from. No engine is asked.
pub(super) fn dockerfile(args: &Tool, runtime: &Runtime, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let text = runtime.dockerfile(&args.tool)?;
    match args.reading.format {
        Format::Text => printer.raw(text.as_bytes()),
        Format::Json => printer.json(&json!({ "tool": args.tool, "dockerfile": text }))?,
    }
    Ok(ExitStatus::Success)
}

pub(super) fn image(image: &Image, runtime: &Runtime, printer: &Printer) -> anyhow::Result<ExitStatus> {
    match image.action {
        ImageAction::List(Reading { format: Format::Json }) => printer.json(&runtime.images()?)?,
        ImageAction::List(Reading { format: Format::Text }) => {
            for image in runtime.images()? {
                let short = image.digest.get(..19).unwrap_or_default();
                printer.data(&format!("{:<20} {short}  {:>6} MB", image.tool, image.bytes / 1_000_000));
            }
        }
        ImageAction::Prune { keep } => {
            for image in runtime.prune_images(keep)? {
                printer.data(&format!("{}  {}", image.tool, image.digest));
            }
        }
    }
    Ok(ExitStatus::Success)
}

pub(super) fn list(reading: Reading, runtime: &Runtime, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let containers = runtime.containers()?;
    match reading.format {
        Format::Json => printer.json(&containers)?,
        Format::Text => {
            for container in containers {
                let (kind, runs) = (&container.kind, &container.runs);
                printer.data(&format!("{:<24} {kind:<9} {runs:<20} {}", container.name, container.status));
            }
        }
    }
    Ok(ExitStatus::Success)
}

pub(super) fn stop(args: &Container, runtime: &Runtime, printer: &Printer) -> anyhow::Result<ExitStatus> {
    for container in runtime.stop_containers(&args.name)? {
        printer.data(&container.name);
    }
    Ok(ExitStatus::Success)
}

pub(super) fn logs(args: &Container, runtime: &Runtime, printer: &Printer) -> anyhow::Result<ExitStatus> {
    printer.raw(&runtime.container_logs(&args.name)?);
    Ok(ExitStatus::Success)
}
