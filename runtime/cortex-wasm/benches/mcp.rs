//! What MCP over standard input and output adds to a call: `cargo bench -p cortex-wasm --bench mcp`.
//!
//! The floor is the same call of the same tool through the library, in this process. A `ping` shows what the pipe and the
//! protocol cost without a call.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use cortex_runtime::{CallOptions, Ending, Runtime, Settings};
use serde_json::{Value, json};

const WARM_UP: usize = 500;
const ROUNDS: usize = 5_000;

/// What the issue of this server allows MCP to add.
const ALLOWED: Duration = Duration::from_micros(100);

struct Server {
    process: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    line: String,
}

impl Server {
    fn start(home: &std::path::Path) -> std::io::Result<Self> {
        #[expect(clippy::disallowed_methods, reason = "the program that is measured")]
        let mut command = Command::new(env!("CARGO_BIN_EXE_cortex-wasm"));
        let mut process = command
            .args(["mcp"])
            .current_dir(home)
            .env("CORTEX_HOME", home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (input, output) = (process.stdin.take(), process.stdout.take().expect("it was piped"));
        Ok(Self { process, input, output: BufReader::new(output), line: String::new() })
    }

    fn send(&mut self, message: &str) {
        let input = self.input.as_mut().expect("it is open until the end");
        writeln!(input, "{message}").expect("the server reads");
    }

    fn exchange(&mut self, message: &str) -> &str {
        self.send(message);
        self.line.clear();
        self.output.read_line(&mut self.line).expect("the server answers");
        &self.line
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.input.take());
        // One that does not end by itself must not outlive the benchmark, and it has nothing to lose.
        let _ = self.process.wait();
    }
}

fn main() {
    let home = tempfile::tempdir().expect("a folder");
    let input = json!({"expression": "6 * 7"});
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let library = Runtime::new(Settings::new(home.path().join("library"))).expect("an engine");
    let floor = measure(|| {
        let call = library.call("calculator", &input, CallOptions::default());
        let execution = runtime.block_on(call).expect("a standard tool");
        assert_eq!(execution.ending, Ending::Success);
    });

    let mut server = Server::start(home.path()).expect("the program starts");
    let begin = json!({
        "jsonrpc": "2.0", "id": 0, "method": "initialize",
        "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}},
    });
    assert!(server.exchange(&begin.to_string()).contains("2025-11-25"));
    server.send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    // What a first call compiles is told in lines of a log, which a benchmark does not want to read.
    let quiet = r#"{"jsonrpc":"2.0","id":0,"method":"logging/setLevel","params":{"level":"emergency"}}"#;
    assert!(server.exchange(quiet).contains("result"));
    let ping = measure(|| {
        assert!(server.exchange(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#).contains("result"));
    });
    let call = json!({
        "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "calculator", "arguments": input},
    });
    let call = call.to_string();
    let called = measure(|| {
        let answer = server.exchange(&call);
        debug_assert_eq!(serde_json::from_str::<Value>(answer).expect("JSON")["result"]["isError"], false);
        assert!(answer.contains("42") && answer.contains(r#""isError":false"#), "{answer}");
    });

    report("library call (floor)", &floor);
    report("stdio ping", &ping);
    report("stdio tools/call", &called);
    let added = called.median.saturating_sub(floor.median);
    say(&format!("MCP adds {added:.1?} to the median call; {ALLOWED:?} are allowed"));
}

struct Times {
    median: Duration,
    p90: Duration,
    p99: Duration,
}

fn measure(mut once: impl FnMut()) -> Times {
    (0..WARM_UP).for_each(|_| once());
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let started = Instant::now();
            once();
            started.elapsed()
        })
        .collect();
    times.sort_unstable();
    let at = |percent: usize| times[times.len() * percent / 100];
    Times { median: at(50), p90: at(90), p99: at(99) }
}

fn report(what: &str, times: &Times) {
    let Times { median, p90, p99 } = times;
    say(&format!("{what:<22} median {median:>9.1?}  p90 {p90:>9.1?}  p99 {p99:>9.1?}"));
}

fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
