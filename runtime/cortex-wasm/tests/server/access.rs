//! Who may do what: hosts, origins, tokens, TLS.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::host::{Answer, Place, Server};

fn code(answer: &Answer, status: u16) -> String {
    answer.expect(status)["code"].as_str().unwrap().to_owned()
}

#[test]
fn a_page_of_another_site_gets_nothing_by_its_origin_and_nothing_by_a_name_that_was_bound_anew() {
    let place = Place::new();
    let server = place.serve(&[]);
    let with = |headers: &[(&str, &str)]| server.send("GET", "/v1/tools", headers, None);
    assert_eq!(code(&with(&[("Host", "evil.example")]), 421), "unknown_host");
    assert_eq!(code(&with(&[("Host", "127.0.0.1.evil.example:80")]), 421), "unknown_host");
    assert_eq!(code(&with(&[("Origin", "http://evil.example")]), 403), "forbidden");
    assert_eq!(code(&with(&[("Origin", "null")]), 403), "forbidden");
    with(&[("Host", "localhost")]).expect(200);
    let own = format!("http://{}", server.address);
    let answer = with(&[("Origin", &own)]);
    answer.expect(200);
    assert_eq!(answer.header("access-control-allow-origin"), None, "no CORS unless it was configured");
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    // The same guard stands before MCP.
    assert_eq!(code(&server.send("POST", "/mcp", &[("Host", "evil.example")], Some("{}")), 421), "unknown_host");
    assert_eq!(code(&server.send("POST", "/mcp", &[("Origin", "http://evil.example")], Some("{}")), 403), "forbidden");
}

#[test]
fn an_origin_and_a_name_that_the_operator_allows_are_let_in() {
    let place = Place::new();
    let server = place.serve(&["--allow-origin", "https://app.example.com", "--allow-host", "tools.lan"]);
    let origin = ("Origin", "https://app.example.com");
    let asked = server.send("OPTIONS", "/v1/tools", &[origin, ("Access-Control-Request-Method", "POST")], None);
    assert_eq!((asked.status, asked.header("access-control-allow-origin")), (204, Some("https://app.example.com")));
    let answer = server.send("GET", "/v1/tools", &[origin, ("Host", "tools.lan:80")], None);
    answer.expect(200);
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://app.example.com"));
}

#[test]
fn beyond_this_machine_a_server_wants_tokens() {
    let place = Place::new();
    let output = place.command(&["serve", "--listen", "0.0.0.0:0"]).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(said.contains("no loopback address, and there are no tokens") && said.contains("--insecure"), "{said}");
}

fn server_for(place: &Place, user: &str, arguments: &[&str]) -> Server {
    let token = place.run(&[&["token", "create", user], arguments].concat());
    let mut server = place.serve(&[]);
    server.token = Some(token);
    server
}

#[test]
fn a_token_is_good_for_its_scopes_and_its_tools() {
    let place = Place::new();
    let server = server_for(&place, "ann", &["--scope", "call", "--tool", "calc*"]);
    let anonymous = [("Authorization", "")];
    assert_eq!(code(&server.send("GET", "/v1/tools", &anonymous, None), 401), "unauthorized");
    let wrong = server.send("GET", "/v1/tools", &[("Authorization", "Bearer cortex_0")], None);
    assert_eq!((code(&wrong, 401).as_str(), wrong.header("www-authenticate")), ("unauthorized", Some("Bearer")));
    assert_eq!(server.send("GET", "/health", &anonymous, None).status, 200);
    let tools = server.get("/v1/tools").expect(200);
    assert_eq!(tools["tools"].as_array().unwrap().len(), 1, "{tools}");
    server.call("calculator", &json!({"expression": "1"})).expect(200);
    assert_eq!(code(&server.call("answers", &json!({})), 404), "unknown_tool");
    assert_eq!(code(&server.get("/metrics"), 403), "forbidden");
    assert_eq!(code(&server.post("/v1/builds", &json!({ "tool": "calculator" })), 403), "forbidden");
    let log = server.log();
    assert!(!log.contains(server.token.as_ref().unwrap()), "the token is in no log");
    assert!(place.run(&["token", "list"]).contains("ann  call  calc*"));
}

/// What an agent is answered over MCP.
fn ask(server: &Server, method: &str, mut params: Value) -> Value {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let name = params["name"].as_str().unwrap_or_default().to_owned();
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
    let mut headers = vec![
        ("Accept", "application/json, text/event-stream"),
        ("MCP-Protocol-Version", "2026-07-28"),
        ("Mcp-Method", method),
    ];
    if !name.is_empty() {
        headers.push(("Mcp-Name", &name));
    }
    let answer = server.send("POST", "/mcp", &headers, Some(&body));
    assert_eq!(answer.status, 200, "{answer:?}");
    let text = answer.body.lines().rev().find_map(|line| line.strip_prefix("data: ")).unwrap_or(&answer.body);
    serde_json::from_str::<Value>(text).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
}

#[test]
fn over_mcp_a_token_is_good_for_the_same() {
    let place = Place::new();
    let server = server_for(&place, "ann", &["--scope", "call", "--tool", "calc*"]);
    assert_eq!(code(&server.send("POST", "/mcp", &[("Authorization", "")], Some("{}")), 401), "unauthorized");
    let listed = ask(&server, "tools/list", json!({}));
    assert_eq!(listed["result"]["tools"].as_array().unwrap().len(), 1, "{listed}");
    let called = ask(&server, "tools/call", json!({ "name": "calculator", "arguments": { "expression": "6*7" } }));
    assert_eq!(called["result"]["structuredContent"]["result"], 42, "{called}");
    let refused = ask(&server, "tools/call", json!({ "name": "answers", "arguments": {} }));
    assert!(refused["error"].is_object(), "{refused}");
    let executions = server.get("/v1/executions").expect(200);
    assert_eq!(executions["executions"][0]["user"], "ann", "{executions}");
}

#[test]
fn a_token_for_a_tool_is_good_for_all_of_its_functions() {
    let place = Place::new();
    let root = place.path().join("manifests/tools");
    let component = r#"(component
        (core module $module (func (export "one") (result i32) i32.const 1))
        (core instance $core (instantiate $module))
        (func (export "one") (result u32) (canon lift (core func $core "one")))
        (func (export "first") (result u32) (canon lift (core func $core "one"))))"#;
    for name in ["mine", "theirs"] {
        fs_err::create_dir_all(root.join(name)).unwrap();
        let manifest = format!(
            "kind: Tool\nversion: \"1.0\"\nname: {name}\nsummary: Counts.\n\
             implementation: {{ runtime: component, entrypoint: ./one.wasm }}\n"
        );
        fs_err::write(root.join(name).join("tool.yml"), manifest).unwrap();
        fs_err::write(root.join(name).join("one.wasm"), wat::parse_str(component).unwrap()).unwrap();
    }
    let server = server_for(&place, "ann", &["--scope", "call", "--tool", "mine"]);
    let listed = ask(&server, "tools/list", json!({}));
    let names: Vec<&Value> = listed["result"]["tools"].as_array().unwrap().iter().map(|tool| &tool["name"]).collect();
    assert_eq!(names, ["mine.first", "mine.one"]);
    let called = ask(&server, "tools/call", json!({ "name": "mine.one", "arguments": {} }));
    assert_eq!(called["result"]["content"][0]["text"], "1", "{called}");
    let refused = ask(&server, "tools/call", json!({ "name": "theirs.one", "arguments": {} }));
    assert_eq!(refused["error"]["message"], "Unknown tool: theirs.one");
    // The same by our own routes, where a function follows a `#`.
    let schema = server.get("/v1/tools/mine%23one/schema").expect(200);
    assert_eq!((&schema["type"], &schema["properties"]), (&json!("object"), &json!({})));
    assert_eq!(server.call("mine%23one", &json!({})).expect(200)["result"], 1);
    assert_eq!(server.call("theirs%23one", &json!({})).status, 404);
}

#[test]
fn everybody_sees_their_own_executions_and_an_admin_all_of_them() {
    let place = Place::new();
    let bob = place.run(&["token", "create", "bob"]);
    let admin = place.run(&["token", "create", "root", "--scope", "admin"]);
    let mut server = server_for(&place, "ann", &[]);
    let id = server.call("calculator", &json!({"expression": "1"})).expect(200)["execution_id"].clone();
    let path = format!("/v1/executions/{}", id.as_str().unwrap());
    assert_eq!(server.get(&path).expect(200)["user"], "ann");
    server.token = Some(bob);
    assert_eq!(code(&server.get(&path), 404), "unknown_execution");
    assert_eq!(server.get("/v1/executions?user=ann").expect(200)["executions"], json!([]));
    server.token = Some(admin);
    assert_eq!(server.get(&path).expect(200)["user"], "ann");
    assert_eq!(server.get("/v1/executions?user=ann").expect(200)["executions"].as_array().unwrap().len(), 1);
}

#[test]
fn with_a_certificate_the_server_speaks_tls() {
    let place = Place::new();
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/server/tls");
    let (certificate, key) = (format!("{data}/certificate.pem"), format!("{data}/key.pem"));
    let server = place.serve(&["--tls-cert", &certificate, "--tls-key", &key]);
    assert_eq!(server.scheme, "https");
    let url = format!("https://localhost:{}", server.address.port());
    let list = |trusted: bool| {
        let mut command = place.command(&["executions", "list", "--server", &url, "--format", "json"]);
        if trusted {
            command.env("SSL_CERT_FILE", &certificate);
        }
        command.output().unwrap()
    };
    let trusted = list(true);
    assert!(trusted.status.success(), "{}", String::from_utf8_lossy(&trusted.stderr));
    assert!(!list(false).status.success(), "a certificate that nobody vouches for is refused");
}
