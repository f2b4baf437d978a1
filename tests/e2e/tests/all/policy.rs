//! What the operator's policy does to calls, and secrets that a tool uses and never holds.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::thread;

use cortex_runtime::{Ending, Policy, Settings};
use fs_err as fs;
use serde_json::{Value, json};

use crate::host::Tools;

/// Answers one request with the request itself, in its headers and its body, in small pieces.
fn echo() -> (u16, thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        let mut byte = [0];
        while !request.ends_with(b"\r\n\r\n") {
            assert_eq!(stream.read(&mut byte).unwrap(), 1, "the request ended early");
            request.push(byte[0]);
        }
        let request = String::from_utf8(request).unwrap();
        let seen = request.lines().find(|line| line.starts_with("authorization")).unwrap_or("none").to_owned();
        write!(stream, "HTTP/1.1 200 OK\r\nlocation: {seen}\r\ncontent-length: {}\r\n\r\n", request.len()).unwrap();
        for piece in request.as_bytes().chunks(5) {
            stream.write_all(piece).unwrap();
            stream.flush().unwrap();
        }
        request
    };
    (port, thread::spawn(serve))
}

const SECRET: &str = "s3cret/value=42";

fn tools(policy: &str) -> Tools {
    Tools::with(|settings: Settings| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cortex.yml");
        fs::write(&path, format!("kind: Policy\nversion: \"1.0\"\n{policy}")).unwrap();
        let environment = [("CORTEX_SECRET_KEY", SECRET), ("COLOUR", "blue"), ("HIDDEN", "nobody asked")];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Settings { policy: Policy::open(&path).unwrap(), environment: environment.into(), ..settings }
    })
}

fn fetches(tools: &Tools, port: u16, more: &str) {
    let sections = format!("permissions:\n  network: [\"http://127.0.0.1:{port}\"]\n{more}");
    let parameters = [("authority", "string"), ("path", "string"), ("headers", "array")];
    tools.add("fetches", guest_artifacts::NETWORK_FETCHES, &parameters, "timeout: 10", &sections);
}

fn input(port: u16) -> Value {
    json!({"authority": format!("127.0.0.1:{port}"), "path": "/a?KEY=mine&b=1"})
}

/// Attack: reading a secret from what the server says back, headers and body, cut into pieces
/// Ends: `success` with the secret masked
#[test]
fn a_secret_goes_into_the_request_and_never_to_the_tool() {
    for (usage, sent) in [
        ("bearer: true", format!("authorization: Bearer {SECRET}\r\n")),
        ("header: X-Key", format!("x-key: {SECRET}\r\n")),
        ("query: KEY", "GET /a?b=1&KEY=s3cret%2Fvalue%3D42 HTTP/1.1\r\n".to_owned()),
    ] {
        let (port, server) = echo();
        let tools = tools("");
        fetches(&tools, port, &format!("  secrets: [{{ name: KEY, {usage}, hosts: [\"127.0.0.1\"] }}]\n"));
        let mut input = input(port);
        input["headers"] = json!([["authorization", "forged"], ["x-key", "forged"]]);
        let ran = tools.call("fetches", input);
        let seen = server.join().unwrap();
        assert!(seen.contains(&sent), "{seen}");
        assert_eq!(ran.ending, Ending::Success, "{ran:?}");
        let shown = serde_json::to_string(&ran).unwrap();
        assert!(!shown.contains("s3cret"), "{shown}");
        assert!(shown.contains("*****"), "what the server echoes is masked: {shown}");
    }
}

/// Attack: having a secret sent to another server
/// Ends: `success` without the secret
#[test]
fn a_secret_goes_to_its_own_servers_alone() {
    let (port, server) = echo();
    let tools = tools("");
    fetches(&tools, port, "  secrets: [{ name: KEY, bearer: true, hosts: [\"*.example.com\"] }]\n");
    assert_eq!(tools.call("fetches", input(port)).ending, Ending::Success);
    assert!(!server.join().unwrap().contains("authorization"));
}

#[test]
fn a_secret_without_a_value_is_told_with_the_command_that_sets_it() {
    let tools = tools("");
    fetches(&tools, 9, "  secrets: [{ name: OTHER, bearer: true, hosts: [\"127.0.0.1\"] }]\n");
    let ran = tools.call("fetches", json!({"authority": "127.0.0.1:9"}));
    let refused = ran.decisions.iter().find(|decision| decision.capability == "secrets").unwrap();
    assert!(!refused.allowed && refused.reason.as_deref() == Some("no value was set"));
    assert_eq!(
        ran.error.as_ref().unwrap().hint.as_deref(),
        Some("the tool was not granted secrets `OTHER`: run `cortex-wasm secret set OTHER`")
    );
}

#[test]
fn an_operator_who_trusts_nobody_is_asked_for_the_very_line() {
    let (port, server) = echo();
    let server_of = format!("http://127.0.0.1:{port}");
    let untrusting = tools("trust: false");
    fetches(&untrusting, port, "");
    let refused = untrusting.call("fetches", input(port));
    assert_eq!(refused.ending, Ending::Denied, "{refused:?}");
    let failure = refused.error.as_ref().unwrap();
    assert!(failure.message.ends_with("was refused: the operator has not granted it"), "{}", failure.message);
    let line = format!("tools:\n  - {{ tool: fetches, grant: {{ network: [\"{server_of}\"] }} }}");
    assert_eq!(failure.hint, Some(format!("add to the policy:\n{line}")));

    let granting = tools(&format!("trust: false\n{line}"));
    fetches(&granting, port, "");
    assert_eq!(granting.call("fetches", input(port)).ending, Ending::Success, "the line that was named is enough");
    drop(server.join());

    let denying = tools(&format!("{line}\n  - {{ tool: '*', deny: {{ network: [\"private://127.0.0.1:{port}\"] }} }}"));
    fetches(&denying, port, "");
    let denied = denying.call("fetches", input(port));
    assert_eq!(denied.ending, Ending::Denied, "{denied:?}");
}

#[test]
fn a_tool_sees_the_variables_that_it_asked_for_and_was_granted() {
    let environment = |policy: &str, permissions: &str| {
        let tools = tools(policy);
        let sections = format!("environment: {{ variables: {{ OWN: author }} }}\npermissions: {permissions}\n");
        tools.add("looks", guest_artifacts::CONTRACT_COMMAND_ISOLATED, &[], "", &sections);
        let ran = tools.call("looks", json!({}));
        assert_eq!(ran.ending, Ending::Success, "{ran:?}");
        serde_json::from_str::<Value>(ran.result.as_ref().unwrap().get()).unwrap()
    };
    assert_eq!(environment("", "{}"), json!({"OWN": "author"}));
    let asks = "{ environment: [COLOUR, MISSING] }";
    assert_eq!(environment("", asks), json!({"OWN": "author", "COLOUR": "blue"}));
    assert_eq!(environment("trust: false", asks), json!({"OWN": "author"}));
    let sets = "tools: [{ tool: looks, environment: { COLOUR: red, OWN: operator, HIDDEN: x } }]";
    assert_eq!(environment(sets, asks), json!({"OWN": "operator", "COLOUR": "red"}));
    let exposed = "{ secrets: [{ name: KEY, expose: true }] }";
    assert_eq!(
        environment("", exposed),
        json!({"OWN": "author", "KEY": "[secret KEY]"}),
        "held, and kept out of the record"
    );
}

#[test]
fn secrets_are_kept_where_only_their_owner_reads() {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().unwrap();
    let secrets = cortex_runtime::Secrets::new(home.path());
    let name: cortex_manifest::VariableName = "KEY".parse().unwrap();
    secrets.set(&name, SECRET).unwrap();
    let file = home.path().join("secrets.json");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(secrets.names().unwrap(), ["KEY"]);
    assert!(secrets.set(&name, "short").is_err() && secrets.set(&name, "two\r\nlines").is_err());
    open_to_others(&file);
    let error = secrets.names().unwrap_err();
    assert!(error.hint().unwrap().starts_with("run `chmod 600 "), "{error}");
    fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert!(secrets.delete(&name).unwrap() && !secrets.delete(&name).unwrap());
}

fn open_to_others(file: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(file, std::fs::Permissions::from_mode(0o644)).unwrap();
}
