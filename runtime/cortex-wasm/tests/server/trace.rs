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

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// A span, as OTLP has it in protobuf: `opentelemetry.proto.trace.v1.Span`.
#[derive(Debug, Default)]
struct Span {
    trace: Vec<u8>,
    id: Vec<u8>,
    parent: Vec<u8>,
    name: String,
    began: u64,
    ended: u64,
    /// Attributes, events and status, as they are.
    rest: Vec<u8>,
}

impl Span {
    fn says(&self, text: &str) -> bool {
        contains(&self.rest, text.as_bytes())
    }
}

/// The fields of a message: numbers, and what they hold.
fn fields(mut message: &[u8]) -> Vec<(u64, Vec<u8>)> {
    fn varint(message: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let (byte, rest) = message.split_first().unwrap();
            *message = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        value
    }
    let mut fields = Vec::new();
    while !message.is_empty() {
        let key = varint(&mut message);
        let length = match key & 7 {
            0 => {
                let value = varint(&mut message);
                fields.push((key >> 3, value.to_le_bytes().to_vec()));
                continue;
            }
            1 => 8,
            2 => usize::try_from(varint(&mut message)).unwrap(),
            5 => 4,
            other => panic!("wire type {other}"),
        };
        let (value, rest) = message.split_at(length);
        message = rest;
        fields.push((key >> 3, value.to_vec()));
    }
    fields
}

/// Every span of requests for `/v1/traces`: resource spans, scope spans, spans.
fn spans_of(traces: &[u8]) -> Vec<Span> {
    let within = |messages: Vec<Vec<u8>>, number: u64| -> Vec<Vec<u8>> {
        let all = messages.iter().flat_map(|message| fields(message));
        all.filter(|(known, _)| *known == number).map(|(_, value)| value).collect()
    };
    let spans = within(within(within(vec![traces.to_vec()], 1), 2), 2);
    let read = |message: &Vec<u8>| {
        let mut span = Span::default();
        for (number, value) in fields(message) {
            let nanoseconds = || u64::from_le_bytes(value.as_slice().try_into().unwrap());
            match number {
                1 => span.trace = value,
                2 => span.id = value,
                4 => span.parent = value,
                5 => span.name = String::from_utf8(value).unwrap(),
                7 => span.began = nanoseconds(),
                8 => span.ended = nanoseconds(),
                _ => span.rest.extend(value),
            }
        }
        span
    };
    spans.iter().map(read).collect()
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
         - {{ name: requests, type: array }}\n  - {{ name: tolerant, type: boolean }}\n"
    );
    place.tool("fetches", guests::NETWORK_FETCHES, "", &permissions);
    let mut server = place.serve(&["--otlp", &format!("http://{collector}")]);

    let parent = format!("00-{TRACE}-b7ad6b7169203331-01");
    let requests_of_tool = json!([
        { "authority": elsewhere, "path": "/from-the-tool" },
        { "authority": "not-granted.example", "path": "/" },
    ]);
    let body = json!({ "input": { "requests": requests_of_tool, "tolerant": true } }).to_string();
    server.send("POST", "/v1/tools/fetches/calls", &[("traceparent", &parent)], Some(&body)).expect(200);
    let request = requests.recv_timeout(PATIENCE).unwrap();
    assert_eq!(request.path, "/from-the-tool");
    let carried = request.head.lines().find_map(|line| line.strip_prefix("traceparent: ")).unwrap();
    assert!(carried.starts_with(&format!("00-{TRACE}-")) && carried != parent, "{carried}");
    let told = bytes(carried.split('-').nth(2).unwrap());

    // What is left is sent when the server ends.
    server.terminate();
    let all: Vec<Received> = spans.try_iter().collect();
    let traces: Vec<u8> =
        all.iter().filter(|sent| sent.path == "/v1/traces").flat_map(|sent| sent.body.clone()).collect();
    let spans: Vec<Span> = spans_of(&traces);
    assert!(contains(&traces, b"cortex-wasm") && spans.iter().all(|span| span.trace == bytes(TRACE)), "{spans:?}");
    let named = |name: &str| {
        let mut fitting = spans.iter().filter(|span| span.name == name);
        let span = fitting.next().unwrap_or_else(|| panic!("no span `{name}`: {spans:?}"));
        assert!(fitting.next().is_none(), "one span `{name}`: {spans:?}");
        span
    };
    let call = named("call");
    assert_eq!(call.parent, bytes("b7ad6b7169203331"), "below the caller's span");
    assert!(call.says("fetches") && call.says("success"), "{call:?}");
    for name in ["load", "queue", "validate", "instantiate", "run"] {
        assert_eq!(named(name).parent, call.id, "{name}");
    }
    // The request is a span of its own, and the server was told that one.
    let (run, http) = (named("run"), named("http"));
    assert_eq!((&http.parent, &http.id), (&run.id, &told));
    assert!(
        http.says(&format!("GET http://{elsewhere}/from-the-tool")) && http.says("http.response.status_code"),
        "{http:?}"
    );
    let within = |inner: &Span, outer: &Span| {
        outer.began <= inner.began && inner.began <= inner.ended && inner.ended <= outer.ended
    };
    assert!(within(run, call) && http.began <= http.ended, "{spans:?}");
    // One that was refused is none; the run tells of it.
    assert!(run.says("http refused") && run.says("not-granted.example"), "{run:?}");
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
