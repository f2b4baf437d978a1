//! The tools of the MCP conformance suite that say or change something while they run. Each manifest says by a variable which it is.

use std::collections::BTreeMap;

use cortex_tool::Error;
use cortex_tool::host::{Level, log, progress};

cortex_tool::export!(run);

fn run(_: BTreeMap<String, String>) -> Result<&'static str, Error> {
    match std::env::var("FIXTURE").as_deref() {
        Ok("test_tool_with_progress") => {
            for (done, message) in [(0.0, "Starting"), (50.0, "Halfway"), (100.0, "Complete")] {
                progress(done, Some(100.0), Some(message));
            }
            Ok("Progress test completed")
        }
        Ok("test_tool_with_logging") => {
            for message in ["Tool execution started", "Tool processing data", "Tool execution completed"] {
                log(Level::Info, "", message);
            }
            Ok("Logging test completed")
        }
        Ok("test_logging_tool") => {
            log(Level::Error, "", "Only those hear this who asked");
            Ok("Logging tool completed")
        }
        Ok("test_trigger_change") => {
            let manifest = std::fs::read_to_string("/changing/tool.yml").map_err(unreadable)?;
            let count = manifest.matches("again").count();
            let summary = format!("summary: Was changed{}.", " again".repeat((count + 1) % 9));
            let changed: Vec<_> =
                manifest.lines().map(|line| if line.starts_with("summary: ") { &summary } else { line }).collect();
            std::fs::write("/changing/tool.yml", changed.join("\n") + "\n").map_err(unreadable)?;
            Ok("The change was triggered")
        }
        _ => Err(Error::new("unknown_fixture", "the manifest names no fixture of this source")),
    }
}

fn unreadable(error: std::io::Error) -> Error {
    Error::new("unreadable", error.to_string())
}
