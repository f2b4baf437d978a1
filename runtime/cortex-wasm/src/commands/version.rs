//! `cortex-wasm version`

use cortex_runtime::ENGINE_VERSION;
use serde_json::json;

use crate::args::{Format, Reading};
use crate::printer::Printer;

pub(super) fn execute(reading: Reading, printer: &Printer) -> anyhow::Result<()> {
    let version = env!("CARGO_PKG_VERSION");
    match reading.format {
        Format::Text => printer.data(&format!("cortex-wasm {version}\nengine {ENGINE_VERSION}")),
        Format::Json => printer.json(&json!({"cortex_wasm": version, "engine": ENGINE_VERSION}))?,
    }
    Ok(())
}
