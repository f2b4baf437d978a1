//! The tool `web_search`: what it makes of every answer that a server can give, and that it reaches no other server.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use cortex_runtime::{Allocation, CallOptions, Ending, Execution, Overrides, Policy, Runtime, Settings};
use fs_err as fs;
use serde_json::{Value, json};

use crate::host::{block_on, said};
use crate::source::{answer, home};

/// A server that answers every request in the same way, until the test's process ends. Returns its address, and what the
/// first request was.
fn server(respond: impl Fn(&mut TcpStream) + Send + 'static) -> (String, std::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (sender, receiver) = std::sync::mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = Vec::new();
            let mut byte = [0];
            while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
                request.push(byte[0]);
            }
            let _ = sender.send(String::from_utf8(request).unwrap());
            respond(&mut stream);
        }
    });
    (address, receiver)
}

fn says(status: &'static str, body: &'static str) -> impl Fn(&mut TcpStream) + Send {
    move |stream| {
        let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
        let _ = stream.write_all(format!("{head}{body}").as_bytes());
    }
}

/// Asks the tool, whose server the operator has replaced.
fn search(policy: &str, input: &Value, limits: Overrides) -> Arc<Execution> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cortex.yml");
    fs::write(&path, format!("kind: Policy\nversion: \"1.0\"\n{policy}")).unwrap();
    let settings =
        Settings { allocation: Allocation::OnDemand, policy: Policy::open(&path).unwrap(), ..Settings::new(home()) };
    let tool = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../manifests/tools/web_search");
    let runtime = Runtime::new(settings).unwrap();
    let options = CallOptions { limits, ..CallOptions::default() };
    block_on(runtime.call(tool.to_str().unwrap(), input, options)).unwrap()
}

fn at(server: &str) -> String {
    format!(
        "tools: [{{ tool: web_search, environment: {{ SEARCH_URL: \"{server}\" }}, extend: {{ network: [\"{server}\"] }} }}]\n"
    )
}

fn ask(server: &str) -> Arc<Execution> {
    search(&at(server), &json!({"query": "a & b"}), Overrides::default())
}

/// The tool's own words for a failure, and the result that it gave in place of an answer.
fn failed(execution: &Execution, code: &str, message: &str) {
    assert_eq!(execution.ending, Ending::ToolError, "{execution:?}");
    let error = execution.error.as_ref().unwrap();
    assert_eq!(error.code, code, "{error:?}");
    assert!(error.message.contains(message), "{error:?}");
    let result: Value = serde_json::from_str(execution.result.as_ref().unwrap().get()).unwrap();
    assert_eq!((&result["status"], &result["query"]), (&json!("error"), &json!("a & b")));
}

#[test]
fn an_answer_becomes_results_in_the_shape_of_the_original() {
    let body = r#"{"Heading": "WebAssembly", "AbstractText": "A binary format.", "AbstractURL": "https://example.org/wasm",
        "AbstractSource": "Wikipedia", "Answer": "", "RelatedTopics": [
            {"Text": "WASI - An interface", "FirstURL": "https://example.org/wasi"},
            {"Name": "More", "Topics": [{"Text": "Component", "FirstURL": "https://example.org/c"}, {"Text": "", "FirstURL": ""}]},
            {"Text": "Cut off", "FirstURL": "https://example.org/d"}]}"#;
    let (server, requests) = server(says("200 OK", body));
    let ran = search(&at(&server), &json!({"query": "a & b", "max_results": 3}), Overrides::default());
    assert_eq!((ran.usage.http_requests, ran.usage.http_received_bytes), (1, body.len() as u64));
    let related = |title: &str, snippet: &str, url: &str| json!({"type": "related", "title": title, "snippet": snippet, "url": url, "source": "DuckDuckGo"});
    let results = json!([
        {"type": "answer", "title": "WebAssembly", "snippet": "A binary format.", "url": "https://example.org/wasm", "source": "Wikipedia"},
        related("WASI", "WASI - An interface", "https://example.org/wasi"),
        related("Component", "Component", "https://example.org/c"),
    ]);
    assert_eq!(answer(&ran), json!({"status": "success", "query": "a & b", "results": results, "count": 3}));
    let request = requests.recv().unwrap();
    assert!(request.starts_with("GET /?q=a+%26+b&format=json&no_html=1&skip_disambig=1 HTTP/1.1\r\n"), "{request}");
}

#[test]
fn an_empty_answer_ends_in_the_address_of_a_full_search() {
    for body in [
        "{}",
        r#"{"AbstractText": "", "RelatedTopics": []}"#,
        r#"{"AbstractText": 7, "RelatedTopics": [null, 1, {"Text": []}]}"#,
    ] {
        let (server, _) = server(says("200 OK", body));
        let found = answer(&ask(&server));
        assert_eq!((&found["count"], &found["results"][0]["type"]), (&json!(1), &json!("info")));
        assert_eq!(found["results"][0]["url"], "https://html.duckduckgo.com/html/?q=a%20%26%20b");
    }
}

#[test]
fn answers_that_are_none_are_told_apart() {
    for (status, body, code, message) in [
        ("200 OK", "<html>not JSON</html>", "malformed_answer", "no JSON object"),
        ("200 OK", "[1, 2]", "malformed_answer", "no JSON object"),
        ("200 OK", "", "malformed_answer", "no JSON object"),
        (
            "429 Too Many Requests\r\nretry-after: 7",
            "{}",
            "rate_limited",
            "asked too often (429); it says to wait 7 seconds",
        ),
        ("429 Too Many Requests", "", "rate_limited", "asked too often (429)"),
        ("503 Service Unavailable", "down", "service_error", "answered 503"),
    ] {
        let (server, _) = server(says(status, body));
        failed(&ask(&server), code, message);
    }
    let (server, _) = server(|stream| stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{").unwrap());
    failed(&ask(&server), "unreachable", "no whole answer");
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    failed(&ask(&format!("http://{nobody}")), "unreachable", "no whole answer");
}

#[test]
fn a_server_that_answers_too_much_or_too_slowly_ends_the_call() {
    let (endless, _) = server(|stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while stream.write_all(&[b' '; 8 << 10]).is_ok() {}
    });
    let huge = ask(&endless);
    assert_eq!(huge.ending, Ending::LimitExceeded, "{huge:?}");
    assert!(
        said(&huge).contains("an answer with more than 1048576 bytes: the limit `http.response`"),
        "{}",
        said(&huge)
    );

    // It goes on for as long as the client listens.
    let drip = |stream: &mut TcpStream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while stream.write_all(b" ").is_ok() {
            thread::sleep(std::time::Duration::from_millis(20));
        }
    };
    let (slow, _) = server(drip);
    let limits = Overrides { timeout: Some(std::time::Duration::from_millis(500)), ..Overrides::default() };
    let late = search(&at(&slow), &json!({"query": "q"}), limits);
    assert_eq!(late.ending, Ending::DeadlineExceeded, "{late:?}");

    let (silent, _) = server(|stream| drop(stream.read(&mut [0])));
    let mut limits = Overrides::default();
    limits.http.timeout = Some(std::time::Duration::from_millis(200));
    let waited = search(&at(&silent), &json!({"query": "a & b"}), limits);
    failed(&waited, "unreachable", "no whole answer");
}

#[test]
fn it_reaches_its_own_server_and_no_other() {
    let (other, requests) = server(says("200 OK", "{}"));
    let moved = search(
        &format!("tools: [{{ tool: web_search, environment: {{ SEARCH_URL: \"{other}\" }} }}]\n"),
        &json!({"query": "q"}),
        Overrides::default(),
    );
    assert_eq!(moved.ending, Ending::Denied, "another address alone grants nothing: {moved:?}");
    assert!(said(&moved).contains(&format!("network: [\"{other}\"]")), "{}", said(&moved));
    let denied = search(
        &format!(
            "{}- {{ tool: '*', deny: {{ network: [\"{other}\"] }} }}\n",
            at(&other).replace("[{ tool", "\n- { tool").replace(" }]\n", " }\n")
        ),
        &json!({"query": "q"}),
        Overrides::default(),
    );
    assert_eq!(denied.ending, Ending::Denied, "a denial beats what the policy adds: {denied:?}");
    assert!(requests.try_recv().is_err(), "nothing was sent");
}
