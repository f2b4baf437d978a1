//! Services that tools are granted by name.

use cortex_runtime::{Ending, Silent};
use fs_err as fs;
use serde_json::json;

use super::{Place, call, left, said};
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

fn relic(place: &Place, name: &str, health: &str) {
    let root = place.manifests().join("relics").join(name);
    fs::create_dir_all(&root).unwrap();
    let manifest = format!(
        "kind: Relic\nversion: \"1.0\"\nname: {name}\nsummary: Counts.\nimplementation: {{ runtime: python3, entrypoint: server.py }}\n\
         deployment: {{ ports: [9000] }}\npersistence: {{ volumes: [/data] }}\nhealth_check: {{ {health} }}\n"
    );
    fs::write(root.join("relic.yml"), manifest).unwrap();
    fs::write(root.join("server.py"), SERVICE).unwrap();
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
