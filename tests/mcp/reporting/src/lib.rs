//! The tools of the MCP conformance suite that say something while they run. Each manifest says by a variable which it is.

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
        _ => Err(Error::new("unknown_fixture", "the manifest names no fixture of this source")),
    }
}
