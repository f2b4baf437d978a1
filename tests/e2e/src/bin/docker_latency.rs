//! `docker_latency [CALLS]`: how long a call takes in a cold, a warm and a reused container, against `docker run`. The figures of
//! `builders/README.md` come from here.

use std::error::Error;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use cortex_runtime::{CallOptions, DockerSettings, Ending, Runtime, Settings};
use serde_json::json;

const TOOL: &str = "def run(args):\n    return {\"n\": args[\"n\"] + 1}\n";

fn main() -> Result<(), Box<dyn Error>> {
    let calls = std::env::args().nth(1).map_or(Ok(30), |count| count.parse::<usize>())?;
    let folder = std::env::temp_dir().join(format!("cortex-latency-{}", std::process::id()));
    let result = measure(&folder, calls);
    fs_err::remove_dir_all(&folder)?;
    result
}

fn measure(folder: &std::path::Path, calls: usize) -> Result<(), Box<dyn Error>> {
    #[expect(clippy::disallowed_methods, reason = "the one place of this program that reads the environment")]
    let host = std::env::var("DOCKER_HOST").ok();
    for (name, how) in [("cold", ""), ("warm", "warm: 2, "), ("reuse", "reuse: true, ")] {
        let root = folder.join("tools").join(name);
        fs_err::create_dir_all(&root)?;
        fs_err::write(root.join("main.py"), TOOL)?;
        let manifest = format!(
            "kind: Tool\nversion: \"1.0\"\nname: {name}\nsummary: Adds one.\n\
             implementation: {{ backend: docker, {how}entrypoint: main.py, resources: {{ timeout: 60 }} }}\n\
             parameters: [{{ name: n, type: integer, required: true }}]\n"
        );
        fs_err::write(root.join("tool.yml"), manifest)?;
    }
    let docker = DockerSettings { host, ..DockerSettings::default() };
    let settings = Settings { manifests: vec![folder.to_owned()], docker, ..Settings::new(folder.join("home")) };
    let runtime = Runtime::new(settings)?;
    let executor = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut out = std::io::stdout();
    writeln!(out, "| way | p50 | p90 |\n|---|---|---|")?;
    for name in ["cold", "warm", "reuse"] {
        let mut times = Vec::new();
        for n in 0..=calls {
            if name == "warm" {
                // One call at a time: a warm container is measured, not the wait for one.
                while n > 0
                    && runtime.containers()?.iter().filter(|container| container.status.starts_with("Up")).count() < 2
                {
                    std::thread::yield_now();
                }
            }
            let started = Instant::now();
            let execution = executor.block_on(runtime.call(name, &json!({ "n": n }), CallOptions::default()))?;
            if execution.ending != Ending::Success {
                return Err(format!("{name}: {:?}", execution.error).into());
            }
            // The first call builds the image.
            if n > 0 {
                times.push(started.elapsed());
            }
        }
        print(&mut out, name, times)?;
    }
    runtime.close()?;
    let mut times = Vec::new();
    for _ in 0..calls {
        let started = Instant::now();
        #[expect(clippy::disallowed_methods, reason = "compares with the engine's own command line")]
        let status = Command::new("docker")
            .args(["run", "--rm", "--network", "none", "python:3.12-slim", "python3", "-c", "print(1)"])
            .stdout(Stdio::null())
            .status()?;
        if !status.success() {
            return Err(format!("docker run: {status}").into());
        }
        times.push(started.elapsed());
    }
    print(&mut out, "`docker run --rm`", times)
}

fn print(out: &mut impl Write, name: &str, mut times: Vec<Duration>) -> Result<(), Box<dyn Error>> {
    times.sort();
    let at = |part: usize| times[(times.len() * part / 100).min(times.len() - 1)].as_secs_f64() * 1000.0;
    Ok(writeln!(out, "| {name} | {:.1} ms | {:.1} ms |", at(50), at(90))?)
}
