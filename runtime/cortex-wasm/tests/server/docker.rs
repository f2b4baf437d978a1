//! The original's relic routes, on a real engine: `cargo xtask test` leaves this out where there is none.

use fs_err as fs;
use serde_json::json;

use crate::host::Place;

const SERVICE: &str = r#"
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

HTTPServer(("0.0.0.0", 9000), Handler).serve_forever()
"#;

#[test]
fn a_relic_is_started_seen_and_stopped_by_the_routes_of_the_original() {
    let place = Place::new();
    let root = place.path().join("manifests/relics/answers_ok");
    fs::create_dir_all(&root).unwrap();
    let manifest = "kind: Relic\nversion: \"1.0\"\nname: answers_ok\nsummary: Answers.\n\
                    implementation: { runtime: python3, entrypoint: server.py }\n\
                    deployment: { ports: [9000] }\nhealth_check: { endpoint: /health }\n";
    fs::write(root.join("relic.yml"), manifest).unwrap();
    fs::write(root.join("server.py"), SERVICE).unwrap();
    let mut command = place.command(&["serve", "--listen", "127.0.0.1:0"]);
    #[expect(clippy::disallowed_methods, reason = "where the engine is, only the environment knows")]
    if let Ok(host) = std::env::var("DOCKER_HOST") {
        command.env("DOCKER_HOST", host);
    }
    let server = place.start(command, &[]);
    let asked = json!({ "relic_name": "answers_ok", "session_id": "ours" });
    let started = server.post("/containers/relic/start", &asked).expect(200);
    assert_eq!((&started["status"], &started["healthy"]), (&json!("running"), &json!(true)), "{started}");
    assert_eq!(started["internal_url"], "http://answers_ok:9000");
    assert_eq!(server.get("/containers/relic?session_id=ours").expect(200), json!([started]));
    assert_eq!(server.get("/containers/relic?session_id=theirs").expect(200), json!([]));
    assert_eq!(server.get("/containers/relic/answers_ok").expect(200), started);
    assert_eq!(server.send("POST", "/containers/relic/answers_ok/stop", &[], None).expect(200)["status"], "stopped");
    assert_eq!(server.get("/containers/relic").expect(200), json!([]));
    assert_eq!(server.get("/containers/relic/answers_ok").expect(200)["status"], "stopped");
    server.send("DELETE", "/containers/relic/answers_ok", &[], None).expect(404);
}
