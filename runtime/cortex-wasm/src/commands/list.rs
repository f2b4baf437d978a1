//! `cortex-wasm list`

use cortex_runtime::{Runtime, ToolSource};
use serde_json::{Value, json};

use crate::args::{Format, Reading};
use crate::exit_status::ExitStatus;
use crate::printer::Printer;

pub(super) fn execute(reading: Reading, runtime: &Runtime, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let listed = runtime.tools()?;
    let width = listed.iter().map(|listed| listed.name.len()).max().unwrap_or_default();
    let mut rows = Vec::new();
    for listed in &listed {
        match &listed.tool {
            Ok(tool) => {
                let mut row =
                    json!({"name": listed.name, "summary": tool.spec.summary, "source": source(&tool.source)});
                if let Some(taken_by) = &listed.taken_by {
                    row["taken_by"] = source(taken_by).into();
                    let (name, taken_by) = (&listed.name, source(taken_by));
                    printer.note(&format!("note: `{name}` has a namespace because `{taken_by}` has the plain name"));
                }
                rows.push(row);
                if reading.format == Format::Text {
                    printer.data(&format!("{:width$}  {}", listed.name, tool.spec.summary));
                }
            }
            Err(error) => {
                rows.push(json!({"name": listed.name, "error": error.to_string()}));
                if reading.format == Format::Text {
                    printer.warning(&error.to_string());
                }
            }
        }
    }
    if reading.format == Format::Json {
        printer.json(&Value::Array(rows))?;
    }
    Ok(ExitStatus::Success)
}

/// Where a tool comes from, as text.
pub(super) fn source(source: &ToolSource) -> String {
    match source {
        ToolSource::Folder { root, .. } => root.display().to_string(),
        ToolSource::Component(path) => path.display().to_string(),
        ToolSource::Standard => "standard".into(),
    }
}
