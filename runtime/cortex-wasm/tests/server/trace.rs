//! Traces and metrics, as a collector and the servers that tools call see them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};

use guest_artifacts as guests;
use serde_json::json;

use crate::host::{PATIENCE, Place};

/// A request that somebody sent.
struct Received {
    path: String,
    head: String,
    body: Vec<u8>,
}

/// Answers every request and hands it on.
fn listen() -> (String, Receiver<Received>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (sender, received) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let sender = sender.clone();
            std::thread::spawn(move || {
                if let Some(request) = receive(stream.unwrap()) {
                    let _ = sender.send(request);
                }
            });
        }
    });
    (address, received)
}

fn receive(mut stream: TcpStream) -> Option<Received> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let length =
        head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}").ok()?;
    let path = head.split(' ').nth(1)?.to_owned();
    Some(Received { path, head, body })
}

fn contains(body: &[u8], part: &[u8]) -> bool {
    body.windows(part.len()).any(|window| window == part)
}

#[test]
fn a_call_is_a_span_below_its_callers_with_children_and_goes_on_into_the_requests_of_the_tool() {
    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    let place = Place::new();
    let (collector, spans) = listen();
    let (elsewhere, requests) = listen();
    let port = elsewhere.rsplit(':').next().unwrap();
    let permissions = format!(
        "permissions: {{ network: [\"http://127.0.0.1:{port}\"] }}\nparameters:\n  \
         - {{ name: authority, type: string }}\n  - {{ name: path, type: string }}\n"
    );
    place.tool("fetches", guests::NETWORK_FETCHES, "", &permissions);
    let mut server = place.serve(&["--otlp", &format!("http://{collector}")]);

    let parent = format!("00-{TRACE}-b7ad6b7169203331-01");
    let body = json!({ "input": { "authority": elsewhere, "path": "/from-the-tool" } }).to_string();
    server.send("POST", "/v1/tools/fetches/calls", &[("traceparent", &parent)], Some(&body)).expect(200);
    let request = requests.recv_timeout(PATIENCE).unwrap();
    assert_eq!(request.path, "/from-the-tool");
    let carried = request.head.lines().find_map(|line| line.strip_prefix("traceparent: ")).unwrap();
    assert!(carried.starts_with(&format!("00-{TRACE}-")) && carried != parent, "{carried}");
    let span = carried.split('-').nth(2).unwrap();

    // What is left is sent when the server ends.
    server.terminate();
    let all: Vec<Received> = spans.try_iter().collect();
    let traces: Vec<u8> =
        all.iter().filter(|sent| sent.path == "/v1/traces").flat_map(|sent| sent.body.clone()).collect();
    let bytes = |hex: &str| -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    };
    assert!(contains(&traces, &bytes(TRACE)), "the caller's trace goes on");
    assert!(contains(&traces, &bytes("b7ad6b7169203331")), "below the caller's span");
    assert!(contains(&traces, &bytes(span)), "the span that the tool's request named");
    for name in ["cortex-wasm", "call", "load", "queue", "validate", "instantiate", "run", "http", "fetches", "success"]
    {
        assert!(contains(&traces, name.as_bytes()), "{name}");
    }
    let metrics: Vec<u8> =
        all.iter().filter(|sent| sent.path == "/v1/metrics").flat_map(|sent| sent.body.clone()).collect();
    for name in ["cortex.calls", "cortex.call.duration"] {
        assert!(contains(&metrics, name.as_bytes()), "{name}");
    }
}

#[test]
fn logs_are_json_when_they_should_be_and_name_the_request() {
    let place = Place::new();
    let mut server = place.serve(&["--log-json"]);
    server.send("GET", "/health", &[("X-Request-Id", "mine-1")], None).expect(200);
    let log = server.terminate();
    let lines: Vec<serde_json::Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let request = lines.iter().find(|line| line["fields"]["request"] == "mine-1").unwrap();
    assert_eq!((&request["fields"]["path"], &request["fields"]["status"]), (&json!("/health"), &json!(200)));
}
