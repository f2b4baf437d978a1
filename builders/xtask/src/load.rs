//! `cargo xtask load`: what the server does under load, compared with axum alone in the same run.

use std::time::Duration;

use anyhow::{Context, ensure};
use fs_err as fs;

use crate::command::{Program, Server, say};
use crate::layout::Layout;

/// As many clients as in the aim that the README names.
const CONNECTIONS: &str = "256";
/// Rounds of one after the other, so that what else the machine does weighs on both.
const ROUNDS: usize = 3;
const SECONDS: &str = "10s";

const ECHO: &str = "127.0.0.1:18086";
const SERVED: &str = "127.0.0.1:18087";
const BODY: &str = r#"{"input":{"expression":"sqrt(16) + 3^2"}}"#;

/// What `wrk` measured.
#[derive(Clone, Copy, Debug)]
struct Measured {
    requests: f64,
    p50: Duration,
    p99: Duration,
}

/// Prints requests a second and latencies of both. Needs `wrk` (Debian: `wrk`).
pub(crate) fn run(layout: &Layout) -> anyhow::Result<()> {
    ensure!(Program::new("wrk").arg("-v").runs(), "`wrk` is not installed (Debian: `wrk`)");
    let release = ["build", "--release", "--locked", "--workspace", "--bin", "cortex-wasm", "--example", "echo"];
    Program::cargo(layout).args(release).run()?;
    let home = tempfile::tempdir_in(layout.target())?;
    let script = home.path().join("post.lua");
    let lua = format!(
        "wrk.method = 'POST'\nwrk.body = '{BODY}'\nwrk.headers['Content-Type'] = 'application/json'\n\
         function done(summary, latency, requests)\n  io.write(string.format('RESULT %f %d %d %d\\n', \
         summary.requests / summary.duration * 1e6, latency:percentile(50), latency:percentile(99), \
         summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.timeout))\nend\n"
    );
    fs::write(&script, lua)?;
    let release = layout.target().join("release");
    let _echo: Server = Program::new(release.join("examples/echo")).arg(ECHO).silent_server()?;
    let served = Program::new(release.join("cortex-wasm")).args(["serve", "--listen", SERVED, "--log", "error"]);
    let served = served.args(["--manifests"]).arg(home.path()).dir(home.path()).env("CORTEX_HOME", home.path());
    let (_served, _) = served.start_printing(|line| line.starts_with("http://").then(|| line.to_owned()))?;
    let measure = |url: String| -> anyhow::Result<Measured> {
        let wrk = Program::new("wrk").args(["-t", "2", "-c", CONNECTIONS, "-d", SECONDS, "-s"]).arg(&script).arg(url);
        parse(&wrk.output()?)
    };
    let mut rounds = Vec::new();
    for round in 1..=ROUNDS {
        let echo = measure(format!("http://{ECHO}/"))?;
        let ours = measure(format!("http://{SERVED}/v1/tools/calculator/calls"))?;
        say(&format!(
            "round {round}: axum alone {:.0}/s (p50 {:?}, p99 {:?}), calculator over /v1 {:.0}/s (p50 {:?}, p99 {:?})",
            echo.requests, echo.p50, echo.p99, ours.requests, ours.p50, ours.p99
        ));
        rounds.push((ours.requests / echo.requests, ours.p99.as_secs_f64() / ours.p50.as_secs_f64()));
    }
    rounds.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (ratio, tail) = rounds[rounds.len() / 2];
    say(&format!("median: {ratio:.2} of axum alone, p99 is {tail:.1} times p50"));
    Ok(())
}

fn parse(output: &str) -> anyhow::Result<Measured> {
    let line =
        output.lines().find_map(|line| line.strip_prefix("RESULT ")).context("`wrk` said nothing of a result")?;
    let figures: Vec<f64> = line.split(' ').map(str::parse).collect::<Result<_, _>>()?;
    let [requests, p50, p99, errors] = figures[..] else { anyhow::bail!("`wrk` said `{line}`") };
    ensure!(errors == 0.0, "{errors} requests failed");
    let micros = |micros: f64| Duration::from_secs_f64(micros / 1e6);
    Ok(Measured { requests, p50: micros(p50), p99: micros(p99) })
}
