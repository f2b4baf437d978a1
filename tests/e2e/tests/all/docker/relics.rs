//! Services that tools are granted by name.

use std::io::ErrorKind;
use std::net::TcpListener;

use cortex_runtime::{CallOptions, Ending, Settings, Silent};
use fs_err as fs;
use serde_json::{Value, json};

use super::{Place, call, left, policy, said};
use crate::host::block_on;
use crate::source::answer;

/// A service that counts its requests in a file that is kept.
const SERVICE: &str = r#"
from http.server import BaseHTTPRequestHandler, HTTPServer
import os

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        count = int(open("/data/count").read()) + 1 if os.path.exists("/data/count") else 1
        if self.path == "/count":
            open("/data/count", "w").write(str(count))
        body = f"{count} {os.getuid()}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

HTTPServer(("0.0.0.0", 9000), Handler).serve_forever()
"#;

const ASKS: &str = "import json, sys, urllib.request, urllib.error\nurl = json.loads(sys.argv[1])['do']\n\
                    try:\n    print(json.dumps([200, urllib.request.urlopen(url, timeout=20).read().decode()]))\n\
                    except urllib.error.HTTPError as error:\n    print(json.dumps([error.code, error.read().decode()]))\n";

/// A service that answers lines with lines, and knows nothing of HTTP.
const LINES: &str = r#"
import socketserver

class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(line.upper())

print("I listen", flush=True)
socketserver.ThreadingTCPServer(("0.0.0.0", 9000), Handler).serve_forever()
"#;

/// Asks for a tunnel by the proxy and speaks through it, as `builders/README.md` shows.
const SPEAKS: &str = r#"
import http.client, json, os, sys, urllib.parse

host, port = json.loads(sys.argv[1])["do"].split(":")
proxy = urllib.parse.urlsplit(os.environ["HTTP_PROXY"])
connection = http.client.HTTPConnection(proxy.hostname, proxy.port)
connection.set_tunnel(host, int(port))
try:
    connection.connect()
    connection.sock.sendall(b"hello\nworld\n")
    file = connection.sock.makefile()
    print(json.dumps([file.readline(), file.readline()]))
except OSError as error:
    print(json.dumps(str(error)))
"#;

fn relic(place: &Place, name: &str, health: &str) {
    relic_of(place, name, SERVICE, health);
}

fn relic_of(place: &Place, name: &str, service: &str, health: &str) {
    let root = place.manifests().join("relics").join(name);
    fs::create_dir_all(&root).unwrap();
    let manifest = format!(
        "kind: Relic\nversion: \"1.0\"\nname: {name}\nsummary: Counts.\nimplementation: {{ runtime: python3, entrypoint: server.py }}\n\
         deployment: {{ ports: [9000] }}\npersistence: {{ volumes: [/data] }}\nhealth_check: {{ {health} }}\n"
    );
    fs::write(root.join("relic.yml"), manifest).unwrap();
    fs::write(root.join("server.py"), service).unwrap();
}

#[test]
fn a_tool_reaches_the_relic_that_it_was_granted_under_its_name_and_no_other() {
    let place = Place::new();
    relic(&place, "counts", "endpoint: /health");
    relic(&place, "others", "endpoint: /health");
    place.add("asks", "entrypoint: main.py", "permissions: { relics: [counts] }", &[("main.py", ASKS)]);
    let runtime = place.runtime();
    let ask = |url: &str| {
        let execution = call(&runtime, "asks", &json!({ "do": url }));
        assert_eq!(execution.ending, Ending::Success, "{}", said(&execution));
        answer(&execution)
    };
    // Granted, and not there yet.
    assert_eq!(ask("http://counts:9000/count")[0], 403);
    let started = runtime.start_relic("counts", &Silent).unwrap();
    assert_eq!(started.status, "running");
    let port = started.ports[&9000];
    assert_eq!(ask("http://counts:9000/count"), json!([200, "1 65532"]));
    assert_eq!(ask("http://counts/count"), json!([200, "2 65532"]));
    for elsewhere in [
        format!("http://localhost:{port}/"),
        format!("http://127.0.0.1:{port}/"),
        "http://others:9000/".into(),
        "http://counts:9001/".into(),
    ] {
        assert_eq!(ask(&elsewhere)[0], 403, "{elsewhere}");
    }
    // Starting it again changes nothing; stopping it keeps what it kept.
    assert_eq!(runtime.start_relic("counts", &Silent).unwrap(), started);
    assert!(runtime.stop_relic("counts", false).unwrap());
    assert_eq!(ask("http://counts:9000/count")[0], 403);
    runtime.start_relic("counts", &Silent).unwrap();
    assert_eq!(ask("http://counts:9000/count"), json!([200, "3 65532"]));
    assert!(runtime.stop_relic("counts", true).unwrap() && !runtime.stop_relic("counts", true).unwrap());
    runtime.start_relic("counts", &Silent).unwrap();
    assert_eq!(ask("http://counts:9000/count"), json!([200, "1 65532"]));
    runtime.close().unwrap();

    // It outlives the process that started it.
    let running = left(place.home.path());
    assert!(running.len() == 1 && running[0].kind == "relic" && running[0].owned, "{running:?}");
    let runtime = place.runtime();
    assert_eq!(runtime.relic("counts").unwrap().status, "running");
    runtime.stop_relic("counts", true).unwrap();
    runtime.close().unwrap();
    assert_eq!(left(place.home.path()), []);
}

/// Adds a guest of the sandbox that makes requests.
fn fetches(place: &Place, name: &str, permissions: &str) {
    let root = place.manifests().join(name);
    fs::create_dir_all(&root).unwrap();
    fs::copy(guest_artifacts::check(guest_artifacts::NETWORK_FETCHES), root.join("guest.wasm")).unwrap();
    let manifest = format!(
        "kind: Tool\nversion: \"1.0\"\nname: {name}\nsummary: A guest.\nimplementation: {{ runtime: component, entrypoint: ./guest.wasm }}\n\
         parameters: [{{ name: requests, type: array }}, {{ name: tolerant, type: boolean, default: true }}]\n{permissions}\n"
    );
    fs::write(root.join("tool.yml"), manifest).unwrap();
}

fn request(authority: &str) -> Value {
    json!({ "authority": authority, "path": "/count" })
}

#[test]
fn a_tool_in_the_sandbox_reaches_the_relic_that_it_was_granted_and_nothing_else() {
    let place = Place::new();
    relic(&place, "counts", "endpoint: /health");
    relic(&place, "others", "endpoint: /health");
    fetches(&place, "asks", "permissions: { relics: [counts] }");
    fetches(&place, "bare", "");
    let runtime = place.runtime();
    let ask = |tool: &str, requests: &[Value]| call(&runtime, tool, &json!({ "requests": requests }));
    // Granted, and not there yet.
    let early = ask("asks", &[request("counts:9000")]);
    assert_eq!(answer(&early), json!([{ "error": "ErrorCode::HttpRequestDenied" }]));
    assert!(early.decisions[0].reason.as_ref().unwrap().contains("the relic `counts` does not run"), "{early:?}");

    let port = runtime.start_relic("counts", &Silent).unwrap().ports[&9000];
    let other = runtime.start_relic("others", &Silent).unwrap().ports[&9000];
    let reached = ask("asks", &[request("counts:9000"), request("counts")]);
    let counted = |count: u32| json!({ "status": 200, "bytes": 7, "body": format!("{count} 65532") });
    assert_eq!(answer(&reached), json!([counted(1), counted(2)]));
    let rules: Vec<_> = reached.decisions.iter().map(|decision| (decision.allowed, decision.rule.as_deref())).collect();
    assert_eq!(rules, [(true, Some("relics: [counts]")); 2]);

    // Something that listens on this machine, and is never spoken to.
    let nearby = TcpListener::bind("127.0.0.1:0").unwrap();
    nearby.set_nonblocking(true).unwrap();
    let here = nearby.local_addr().unwrap().port();
    let elsewhere = [
        format!("127.0.0.1:{port}"),
        format!("localhost:{port}"),
        format!("127.0.0.1:{other}"),
        format!("127.0.0.1:{here}"),
        format!("localhost:{here}"),
        format!("[::1]:{here}"),
        format!("counts:{here}"),
        "counts:9001".into(),
        "counts.:9000".into(),
        "counts.example.com:9000".into(),
        "others:9000".into(),
        "169.254.169.254".into(),
    ];
    let mut requests: Vec<Value> = elsewhere.iter().map(|authority| request(authority)).collect();
    requests.push(json!({ "scheme": "https", "authority": "counts:9000" }));
    let refused = ask("asks", &requests);
    assert_eq!(answer(&refused), json!(vec![json!({ "error": "ErrorCode::HttpRequestDenied" }); requests.len()]));
    assert!(refused.decisions.iter().all(|decision| !decision.allowed), "{:?}", refused.decisions);

    // A call without a network has no relics either.
    let options = CallOptions { no_network: true, ..CallOptions::default() };
    let input = json!({ "requests": [request("counts:9000")] });
    let offline = block_on(runtime.call("asks", &input, options)).unwrap();
    assert_eq!(answer(&offline), json!([{ "error": "ErrorCode::HttpRequestDenied" }]));

    // A tool that does not ask for it, and one whose operator does not agree.
    let bare = ask("bare", &[request("counts:9000"), request(&format!("127.0.0.1:{port}"))]);
    assert_eq!(answer(&bare), json!(vec![json!({ "error": "ErrorCode::HttpRequestDenied" }); 2]));
    let operated = |text: &str| {
        let policy = policy(&place, text);
        let runtime = place.runtime_with(|settings| Settings { policy, ..settings });
        let execution = call(&runtime, "asks", &json!({ "requests": [request("counts:9000")], "tolerant": false }));
        runtime.close().unwrap();
        execution
    };
    let denied = operated("trust: false");
    assert_eq!(denied.ending, Ending::Denied, "{}", said(&denied));
    let failure = denied.error.as_ref().unwrap();
    assert!(failure.message.ends_with("the relic `counts` was asked for and not granted"), "{}", failure.message);
    let line = "  - { tool: asks, grant: { relics: [counts] } }";
    assert!(failure.hint.as_ref().unwrap().ends_with(line), "{:?}", failure.hint);
    let granted = operated(&format!("trust: false\ntools:\n{line}"));
    assert_eq!(answer(&granted), json!([counted(3)]), "the line that was named is enough");
    assert_eq!(operated("tools: [{ tool: '*', deny: { relics: [counts] } }]").ending, Ending::Denied);

    assert!(nearby.accept().is_err_and(|error| error.kind() == ErrorKind::WouldBlock), "somebody came by");
    for name in ["counts", "others"] {
        assert!(runtime.stop_relic(name, true).unwrap());
    }
    let late = ask("asks", &[request("counts:9000")]);
    assert_eq!(answer(&late), json!([{ "error": "ErrorCode::HttpRequestDenied" }]));
    runtime.close().unwrap();
    assert_eq!(left(place.home.path()), []);
}

#[test]
fn a_relic_that_speaks_plain_tcp_is_reached_by_its_name_through_a_tunnel() {
    let place = Place::new();
    relic_of(&place, "lines", LINES, "type: tcp");
    relic_of(&place, "others", LINES, "type: tcp, port: 9000");
    place.add("speaks", "entrypoint: main.py", "permissions: { relics: [lines] }", &[("main.py", SPEAKS)]);
    let runtime = place.runtime();
    let speak = |authority: &str| answer(&call(&runtime, "speaks", &json!({ "do": authority })));
    let refused = |said: Value| said.as_str().is_some_and(|said| said.contains("403"));
    assert!(refused(speak("lines:9000")), "it does not run");
    let port = runtime.start_relic("lines", &Silent).unwrap().ports[&9000];
    runtime.start_relic("others", &Silent).unwrap();
    assert_eq!(speak("lines:9000"), json!(["HELLO\n", "WORLD\n"]));
    for elsewhere in ["lines:9001", "others:9000", &format!("127.0.0.1:{port}"), &format!("localhost:{port}")] {
        assert!(refused(speak(elsewhere)), "{elsewhere}");
    }
    for name in ["lines", "others"] {
        assert!(runtime.stop_relic(name, true).unwrap());
    }
    runtime.close().unwrap();
    assert_eq!(left(place.home.path()), []);
}

#[test]
fn a_port_where_nobody_listens_is_not_healthy_whatever_the_engines_proxy_accepts() {
    let place = Place::new();
    relic_of(&place, "deaf", &LINES.replace("9000", "9001"), "type: tcp, retries: 3, interval: 50ms");
    let runtime = place.runtime();
    let error = runtime.start_relic("deaf", &Silent).unwrap_err().to_string();
    assert!(error.contains("`deaf` is not healthy"), "{error}");
    runtime.stop_relic("deaf", true).unwrap();
    runtime.close().unwrap();
    assert_eq!(left(place.home.path()), []);
}

#[test]
fn a_script_is_run_in_the_relics_container_until_it_is_content() {
    // It fails until it has run three times.
    let script = |more: &str| {
        format!(
            "type: script, command: 'date >> /tmp/tries; wc -l < /tmp/tries', expected_output_contains: '3', \
             interval: 10ms, {more}"
        )
    };
    let place = Place::new();
    relic_of(&place, "patient", LINES, &script("retries: 3"));
    relic_of(&place, "hasty", LINES, &script("retries: 2"));
    relic_of(&place, "absent", LINES, "type: script, command: [no-such-program], retries: 1");
    let alas = "type: script, command: 'echo alas >&2; exit 3', retries: 1";
    relic_of(&place, "failing", LINES, alas);
    let odd =
        "type: script, command: [sh, -c, 'id -u; exit 3'], expected_exit_code: 3, expected_output_contains: '65532'";
    relic_of(&place, "odd", LINES, odd);
    let runtime = place.runtime();
    for name in ["patient", "odd"] {
        assert_eq!(runtime.start_relic(name, &Silent).unwrap().status, "running");
    }
    for (name, why) in [
        ("hasty", "`3` is not in what it says: 2"),
        ("absent", "its command ends with 12"),
        ("failing", "its command ends with 3, not 0: alas"),
    ] {
        let error = runtime.start_relic(name, &Silent).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
        assert_eq!(runtime.relic(name).unwrap().status, "stopped");
    }
    for name in ["patient", "hasty", "absent", "failing", "odd"] {
        runtime.stop_relic(name, true).unwrap();
    }
    runtime.close().unwrap();
    assert_eq!(left(place.home.path()), []);
}

#[test]
fn a_relic_that_is_not_healthy_is_not_started() {
    let place = Place::new();
    relic(&place, "ill", "endpoint: /health, expected_output_contains: never, retries: 2, interval: 50ms");
    let runtime = place.runtime();
    let error = runtime.start_relic("ill", &Silent).unwrap_err();
    assert!(error.to_string().contains("`ill` is not healthy"), "{error}");
    assert_eq!(runtime.relic("ill").unwrap().status, "stopped");
    runtime.stop_relic("ill", true).unwrap();
    assert!(runtime.start_relic("absent", &Silent).unwrap_err().to_string().contains("no relic `absent`"));
    runtime.close().unwrap();
    assert_eq!(left(place.home.path()), []);
}
