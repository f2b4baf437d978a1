//! Images, containers and relics on a real engine: `cargo xtask test` leaves this out where there is none.

use std::io::{BufRead, BufReader};
use std::process::Child;

use serde_json::{Value, json};

use crate::session::{Ran, Session};

/// What differs from run to run: digests, sizes, ports, names of containers, and how long they are up.
macro_rules! assert_output {
    ($session:expr, [$($argument:expr),* $(,)?], @$snapshot:literal) => {{
        let mut settings = $crate::session::filters(&$session.0);
        settings.add_filter("sha256:[0-9a-f]{12} ", "sha256:[DIGEST] ");
        settings.add_filter(r" +\d+ MB", " [N] MB");
        settings.add_filter(r"127\.0\.0\.1:\d+", "127.0.0.1:[PORT]");
        settings.add_filter("cortex-p[0-9a-z]+-[0-9]+ +", "cortex-[NAME] ");
        settings.add_filter("cortex-p[0-9a-z]+-[0-9]+", "cortex-[NAME]");
        settings.add_filter("cortex-relic-[0-9a-f]+-", "cortex-relic-[HOME]-");
        settings.add_filter("Up [A-Za-z0-9 ]+(second|minute)s?", "Up [TIME]");
        settings.bind(|| insta::assert_snapshot!($session.run(&[$($argument),*]), @$snapshot));
    }};
}

/// A session that knows where the engine is, and leaves nothing on it.
struct Engine(Session);

impl Engine {
    fn new() -> Self {
        Self(Session::empty())
    }

    #[expect(clippy::disallowed_methods, reason = "where the engine is, only the environment knows")]
    fn command(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = self.0.command(arguments);
        command.envs(std::env::var_os("DOCKER_HOST").map(|host| ("DOCKER_HOST", host)));
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        self.command(arguments).output().unwrap().into()
    }

    fn listed(&self, arguments: &[&str]) -> Vec<Value> {
        serde_json::from_value(self.run(arguments).json(0)).unwrap()
    }

    /// Adds a tool of one Python file that gets a container.
    fn add(&self, name: &str, main: &str) {
        let manifest = format!(
            "kind: Tool\nversion: \"1.0\"\nname: {name}\nsummary: A tool.\n\
             implementation: {{ backend: docker, runtime: python3, entrypoint: main.py, resources: {{ timeout: 300 }} }}\n"
        );
        self.0.write(&format!("manifests/tools/{name}/tool.yml"), &manifest);
        self.0.write(&format!("manifests/tools/{name}/main.py"), main);
    }

    /// Starts a call that goes on until it is stopped, and waits until it runs: what it writes is heard at once.
    fn waiting(&self, name: &str) -> Child {
        self.add(name, "import sys, time\nprint('here I wait', file=sys.stderr, flush=True)\ntime.sleep(1000)\n");
        let mut call = self.command(&["run", name, "{}"]).spawn().unwrap();
        let mut lines = BufReader::new(call.stderr.as_mut().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap() == "here I wait"), "the call has ended");
        call
    }
}

#[test]
fn images_are_listed_and_pruned() {
    let engine = Engine::new();
    assert_output!(engine, ["image", "list"], @"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    ");
    for greeting in ["one", "two"] {
        engine.add("greets", &format!("print('\"{greeting}\"')\n"));
        assert_eq!(engine.run(&["-q", "run", "greets", "{}"]).worked(), format!("\"{greeting}\"\n"));
    }
    assert_output!(engine, ["image", "list"], @"
    exit code: 0
    ----- stdout -----
    greets               sha256:[DIGEST] [N] MB
    greets               sha256:[DIGEST] [N] MB
    ----- stderr -----
    ");
    let images = engine.listed(&["image", "list", "--format", "json"]);
    assert!(images.len() == 2 && images[0]["digest"] != images[1]["digest"], "{images:?}");
    assert!(images.iter().all(|image| image["tool"] == "greets" && image["bytes"].as_u64() > Some(0)), "{images:?}");
    assert_output!(engine, ["image", "prune"], @"
    exit code: 0
    ----- stdout -----
    greets  sha256:[DIGEST]
    ----- stderr -----
    ");
    assert_eq!(engine.listed(&["image", "list", "--format", "json"]), images[..1], "the newest stays");
    assert_output!(engine, ["image", "prune", "--keep", "0"], @"
    exit code: 0
    ----- stdout -----
    greets  sha256:[DIGEST]
    ----- stderr -----
    ");
    assert_output!(engine, ["image", "list"], @"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    ");
}

#[test]
fn containers_are_listed_read_and_stopped() {
    let engine = Engine::new();
    assert_output!(engine, ["ps"], @"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    ");
    let call = engine.waiting("waits");
    assert_output!(engine, ["ps"], @"
    exit code: 0
    ----- stdout -----
    cortex-[NAME] tool      waits                Up [TIME]
    ----- stderr -----
    ");
    let containers = engine.listed(&["ps", "--format", "json"]);
    let [container] = containers.as_slice() else { panic!("{containers:?}") };
    assert_eq!(
        (&container["kind"], &container["runs"], &container["owned"]),
        (&json!("tool"), &json!("waits"), &json!(true))
    );
    assert_output!(engine, ["logs", "waits"], @"
    exit code: 0
    ----- stdout -----
    here I wait
    ----- stderr -----
    ");
    let name = container["name"].as_str().unwrap();
    assert_eq!(engine.run(&["logs", name]).worked(), "here I wait\n");
    // Another process's calls are this home's all the same.
    assert_output!(engine, ["stop", name], @"
    exit code: 0
    ----- stdout -----
    cortex-[NAME]
    ----- stderr -----
    ");
    let ended: Ran = call.wait_with_output().unwrap().into();
    assert_eq!(ended.status.code(), Some(137), "{ended}");
    assert_output!(engine, ["ps"], @"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    ");
    assert_output!(engine, ["stop", "waits"], @"
    exit code: 123
    ----- stdout -----
    ----- stderr -----
    error: there is no container `waits` of cortex-wasm

    hint: `cortex-wasm ps` lists them
    ");
    assert_output!(engine, ["logs", "waits"], @"
    exit code: 123
    ----- stdout -----
    ----- stderr -----
    error: there is no container `waits` of cortex-wasm

    hint: `cortex-wasm ps` lists them
    ");
}

const SERVICE: &str = "\
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header('Content-Length', '2')
        self.end_headers()
        self.wfile.write(b'ok')

    def log_message(self, *words):
        pass

print('the service is up', flush=True)
HTTPServer(('0.0.0.0', 9000), Handler).serve_forever()
";

#[test]
fn a_relic_is_started_seen_and_stopped() {
    let engine = Engine::new();
    let manifest = "kind: Relic\nversion: \"1.0\"\nname: answers\nsummary: Answers.\n\
                    implementation: { runtime: python3, entrypoint: server.py }\n\
                    deployment: { ports: [9000] }\nhealth_check: { endpoint: /health }\n";
    engine.0.write("manifests/relics/answers/relic.yml", manifest);
    engine.0.write("manifests/relics/answers/server.py", SERVICE);
    assert_output!(engine, ["relic", "list"], @"
    exit code: 0
    ----- stdout -----
    answers              stopped
    ----- stderr -----
    ");
    assert_output!(engine, ["relic", "status", "answers"], @"
    exit code: 0
    ----- stdout -----
    answers              stopped
    ----- stderr -----
    ");
    assert_output!(engine, ["-q", "relic", "start", "answers"], @"
    exit code: 0
    ----- stdout -----
    answers              running    9000 at 127.0.0.1:[PORT]
    ----- stderr -----
    ");
    assert_output!(engine, ["relic", "status", "answers"], @"
    exit code: 0
    ----- stdout -----
    answers              running    9000 at 127.0.0.1:[PORT]
    ----- stderr -----
    ");
    let status = engine.run(&["relic", "status", "answers", "--format", "json"]).json(0);
    let port = status["ports"]["9000"].as_u64().unwrap();
    assert_eq!(status, json!({ "name": "answers", "status": "running", "ports": { "9000": port } }));
    assert_eq!(engine.listed(&["relic", "list", "--format", "json"]), [status]);
    assert_output!(engine, ["ps"], @"
    exit code: 0
    ----- stdout -----
    cortex-relic-[HOME]-answers relic     answers              Up [TIME]
    ----- stderr -----
    ");
    assert_output!(engine, ["logs", "answers"], @"
    exit code: 0
    ----- stdout -----
    the service is up
    ----- stderr -----
    ");
    assert_output!(engine, ["relic", "stop", "answers"], @"
    exit code: 0
    ----- stdout -----
    answers  stopped
    ----- stderr -----
    ");
    assert_output!(engine, ["relic", "stop", "answers", "--volumes"], @"
    exit code: 0
    ----- stdout -----
    answers  did not run
    ----- stderr -----
    ");
    assert_output!(engine, ["relic", "start", "nobody"], @"
    exit code: 121
    ----- stdout -----
    ----- stderr -----
    error: there is no relic `nobody`

    hint: `cortex-wasm relic list` shows them; they are in `relics` of a manifests folder
    ");

    // Stopping its container stops the whole relic.
    engine.run(&["-q", "relic", "start", "answers"]).worked();
    let ports = engine.0.home().join("docker/relics/answers.json");
    assert!(ports.exists());
    assert_output!(engine, ["stop", "answers"], @"
    exit code: 0
    ----- stdout -----
    cortex-relic-[HOME]-answers
    ----- stderr -----
    ");
    assert!(!ports.exists());
    assert_output!(engine, ["relic", "list"], @"
    exit code: 0
    ----- stdout -----
    answers              stopped
    ----- stderr -----
    ");
    assert_output!(engine, ["ps"], @"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    ");
    engine.run(&["image", "prune", "--keep", "0"]).worked();
}
