//! `calls HOME TOOL COUNT`: a process that makes calls, to be killed or run beside others. Prints the id of each execution
//! as it ends. `calls compile BYTES SECONDS`: compiles a component for a runtime that starts this program for it.

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

use cortex_runtime::{Allocation, CallOptions, DockerSettings, Runtime, Settings, compile_for_parent};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [home, tool, count] = arguments.as_slice() else { return Err("usage: calls HOME TOOL COUNT".into()) };
    if home == "compile" {
        return Ok(compile_for_parent(tool.parse()?, count.parse()?).into());
    }
    let count: u64 = count.parse()?;
    #[expect(clippy::disallowed_methods, reason = "the one place of this program that reads the environment")]
    let host = std::env::var("DOCKER_HOST").ok();
    let docker = DockerSettings { host, ..DockerSettings::default() };
    let runtime = Runtime::new(Settings { allocation: Allocation::OnDemand, docker, ..Settings::new(home) })?;
    let executor = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut stdout = std::io::stdout();
    for _ in 0..count {
        // A line is printed once the execution is in the record.
        let options = CallOptions { durable: true, ..CallOptions::default() };
        let execution = executor.block_on(runtime.call(tool, &serde_json::json!({}), options))?;
        writeln!(stdout, "{}", execution.execution_id)?;
        stdout.flush()?;
    }
    runtime.close()?;
    Ok(ExitCode::SUCCESS)
}
