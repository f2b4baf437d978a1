//! Requests that go where they must not, and servers that answer as no server does. What is refused is refused before anybody
//! is connected to: the listener that stands where the attack wants to go hears nothing.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;

use super::*;

/// A port of this machine that a guest may or may not reach.
pub(super) struct Target {
    listener: TcpListener,
    pub(super) port: u16,
}

impl Target {
    pub(super) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        Self { listener, port }
    }

    pub(super) fn authority(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Nobody has connected, and nobody is waiting to.
    fn assert_untouched(&self, by: &str) {
        self.listener.set_nonblocking(true).unwrap();
        let connected = self.listener.accept();
        assert!(connected.is_err(), "`{by}` has reached the port");
    }

    /// Answers the next connection with whatever `answer` does.
    pub(super) fn serve<T: Send + 'static>(
        self,
        answer: impl FnOnce(TcpStream) -> T + Send + 'static,
    ) -> JoinHandle<T> {
        std::thread::spawn(move || answer(self.listener.accept().unwrap().0))
    }
}

/// Reads a request to the end of its headers, and returns them.
pub(super) fn read_request(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1) {
        request.push(byte[0]);
    }
    String::from_utf8(request).unwrap()
}

/// Writes the same again and again until the other side has gone.
fn write_until_gone(stream: &mut TcpStream, piece: &[u8]) -> u64 {
    let mut written = 0;
    while stream.write_all(piece).is_ok() {
        written += piece.len() as u64;
    }
    written
}

/// Writes one byte whenever the other side has been silent for a moment, until it has gone.
fn trickle_until_gone(stream: &mut TcpStream, piece: u8) {
    stream.set_read_timeout(Some(Duration::from_millis(2))).unwrap();
    let mut byte = [0];
    while !matches!(stream.read(&mut byte), Ok(0)) && stream.write_all(&[piece]).is_ok() {}
}

const REQUEST: &[(&str, &str)] = &[
    ("authority", "string"),
    ("path", "string"),
    ("method", "string"),
    ("scheme", "string"),
    ("headers", "array"),
    ("header_count", "integer"),
    ("follow", "boolean"),
    ("timeout_ms", "integer"),
    ("times", "integer"),
    ("send_bytes", "integer"),
];

/// A tool that makes requests, with rules and resources.
pub(super) fn fetches(rules: &[&str], resources: &str) -> Tools {
    let tools = Tools::new();
    let rules: Vec<String> = rules.iter().map(|rule| format!("\"{rule}\"")).collect();
    let sections = format!("permissions: {{ network: [{}] }}\n", rules.join(", "));
    tools.add("fetches", guests::NETWORK_FETCHES, REQUEST, resources, &sections);
    tools
}

/// Calls it, and looks at what is recorded.
fn fetch(tools: &Tools, input: Value) -> Arc<Execution> {
    fetch_with(tools, input, CallOptions::default())
}

fn fetch_with(tools: &Tools, input: Value, options: CallOptions) -> Arc<Execution> {
    let execution = tools.call_with("fetches", input, options);
    let record = serde_json::to_string(&*execution).unwrap();
    assert!(record.len() < 64 << 10, "a record of {} bytes", record.len());
    execution
}

fn refused(execution: &Execution) -> &str {
    let refusals = execution.decisions.iter().rev();
    let mut refusals = refusals.filter(|decision| decision.capability == "network" && !decision.allowed);
    refusals.next().and_then(|decision| decision.reason.as_deref()).unwrap_or_default()
}

/// Attack: this machine by its addresses in every notation, IPv4 and IPv6, mapped, translated and by name, with a rule for every public server
/// Ends: `denied`, and nobody is connected to
#[test]
fn this_machine_is_not_the_public_internet() {
    let target = Target::new();
    let tools = fetches(&[&format!("http://*:{}", target.port)], "timeout: 1h");
    for host in [
        "127.0.0.1",
        "127.1",
        "0177.0.0.1",
        "0x7f.0.0.1",
        "0x7f000001",
        "2130706433",
        "0.0.0.0",
        "0",
        "[::1]",
        "[::]",
        "[0:0:0:0:0:0:0:1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "[64:ff9b:1::7f00:1]",
        "[2002:7f00:1::]",
        "localhost",
        "LocalHost",
    ] {
        let execution = fetch(&tools, json!({"authority": format!("{host}:{}", target.port)}));
        assert_ended(&execution, Ending::Denied, "was refused: ");
        assert!(
            refused(&execution).contains(" is a") || refused(&execution).contains("resolves to"),
            "{host}: {}",
            refused(&execution)
        );
        target.assert_untouched(host);
    }
}

/// Attack: a DNS name that resolves to a private address, under a rule that names it
/// Ends: `denied`, with the line that would allow it
#[test]
fn a_name_does_not_vouch_for_its_address() {
    let target = Target::new();
    let tools = fetches(&[&format!("http://localhost:{}", target.port)], "timeout: 1h");
    let execution = fetch(&tools, json!({"authority": format!("localhost:{}", target.port)}));
    assert_ended(&execution, Ending::Denied, "`localhost` resolves to ");
    assert!(said(&execution).contains(&format!("private://localhost:{}", target.port)), "{}", said(&execution));
    target.assert_untouched("localhost");
}

/// Attack: the metadata service of a cloud, link-local, private, shared, multicast and reserved addresses
/// Ends: `denied`
#[test]
fn no_address_but_a_public_one_is_public() {
    let tools = fetches(&["http://*"], "timeout: 1h");
    for host in [
        "169.254.169.254",
        "[::ffff:169.254.169.254]",
        "[fd00:ec2::254]",
        "100.100.100.200",
        "169.254.1.1",
        "[fe80::1]",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.0.1",
        "100.64.0.1",
        "[fc00::1]",
        "224.0.0.1",
        "[ff02::1]",
        "255.255.255.255",
        "240.0.0.1",
        "2852039166",
    ] {
        let execution = fetch(&tools, json!({"authority": host}));
        assert_ended(&execution, Ending::Denied, "was refused: ");
    }
    let metadata = fetch(&tools, json!({"authority": "169.254.169.254", "path": "/latest/meta-data/"}));
    assert_ended(&metadata, Ending::Denied, "169.254.169.254 is the metadata service of a cloud");
}

/// Attack: redirects to 127.0.0.1, to 169.254.169.254 and to a name of this machine
/// Ends: `denied`: each hop is a request like any other
#[test]
fn a_redirect_leads_no_further_than_a_request() {
    let goal = Target::new();
    for location in [
        format!("http://{}/", goal.authority()),
        format!("http://[::ffff:127.0.0.1]:{}/", goal.port),
        format!("http://localhost:{}/", goal.port),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "https://169.254.169.254/".to_owned(),
    ] {
        let server = Target::new();
        let tools = fetches(&[&format!("http://{}", server.authority()), "http://*", "https://*"], "timeout: 1h");
        let input = json!({"authority": server.authority(), "follow": true});
        let answered = server.serve({
            let location = location.clone();
            move |mut stream| {
                read_request(&mut stream);
                write!(stream, "HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n").unwrap();
            }
        });
        let execution = fetch(&tools, input);
        answered.join().unwrap();
        assert_ended(&execution, Ending::Denied, "was refused: ");
        assert_eq!(execution.usage.http_requests, 2, "{location}");
        assert!(execution.decisions[0].allowed && !execution.decisions[1].allowed, "{:?}", execution.decisions);
        goal.assert_untouched(&location);
    }
}

/// Attack: URLs whose user, port or brackets make two readers see two servers
/// Ends: never in a connection
#[test]
fn an_address_that_reads_in_two_ways_leads_nowhere() {
    let target = Target::new();
    let port = target.port;
    let tools = fetches(&["http://trusted.example", &format!("http://trusted.example:{port}")], "timeout: 1h");
    for authority in [
        format!("trusted.example@127.0.0.1:{port}"),
        format!("trusted.example:{port}@127.0.0.1:{port}"),
        format!("trusted.example:80@127.0.0.1:{port}"),
        format!("127.0.0.1:{port}@trusted.example"),
        format!("127.0.0.1:{port}#@trusted.example"),
        format!("127.0.0.1:{port}?@trusted.example"),
        format!("127.0.0.1:{port}/@trusted.example"),
        format!("127.0.0.1:{port}\\@trusted.example"),
        format!("127.0.0.1:{port}%00.trusted.example"),
        format!("127.0.0.1:{port}%40trusted.example"),
        format!("trusted.example:{port}:{port}"),
        format!("[trusted.example]:{port}"),
        format!("[::1]trusted.example:{port}"),
        format!("127.0.0.1:{port}\r\nhost: trusted.example"),
        format!("127.0.0.1\u{ff1a}{port}"),
        "trusted.example:0".to_owned(),
        "trusted.example:99999".to_owned(),
        "trusted.example:".to_owned(),
        "trusted.example:+80".to_owned(),
        "trusted.example: 80".to_owned(),
        String::new(),
        "@".to_owned(),
        ":80".to_owned(),
    ] {
        let execution = fetch(&tools, json!({"authority": authority}));
        assert!(matches!(execution.ending, Ending::Denied | Ending::ToolError), "{authority}: {}", said(&execution));
        target.assert_untouched(&authority);
    }
}

/// Attack: headers that would smuggle a second request, name another server or speak about the connection
/// Ends: `tool_error`, or in one request to the right server
#[test]
fn one_request_is_one_request() {
    for header in [
        ["transfer-encoding", "chunked"],
        ["host", "other.example"],
        ["connection", "keep-alive, x-secret"],
        ["upgrade", "websocket"],
        ["te", "trailers"],
        ["expect", "100-continue"],
        ["keep-alive", "timeout=5"],
        ["proxy-connection", "keep-alive"],
        ["x-split", "a\r\nhost: other.example"],
        ["x-split", "a\n\nGET /second HTTP/1.1"],
        ["x split", "a"],
        ["x-split:", "a"],
        ["content-length", "5"],
        ["content-length", "-1"],
    ] {
        let server = Target::new();
        let authority = server.authority();
        let tools = fetches(&[&format!("http://{authority}")], "timeout: 1h");
        // Left to itself when no request ever comes.
        let (sent, seen) = std::sync::mpsc::channel();
        let _answering = server.serve(move |mut stream| {
            let request = read_request(&mut stream);
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
            let mut rest = String::new();
            let _ = stream.read_to_string(&mut rest);
            let _ = sent.send(request + &rest);
        });
        let execution = fetch(&tools, json!({"authority": authority, "headers": [header]}));
        if execution.ending == Ending::Success {
            let request = seen.recv().unwrap().to_ascii_lowercase();
            assert_eq!(request.matches("http/1.1").count(), 1, "{header:?}: {request}");
            assert_eq!(request.matches("host: ").count(), 1, "{header:?}: {request}");
            assert!(request.contains(&format!("host: {authority}\r\n")), "{header:?}: {request}");
            assert!(!request.contains("chunked") && !request.contains("upgrade"), "{header:?}: {request}");
        } else {
            assert_eq!(execution.ending, Ending::ToolError, "{header:?}: {}", said(&execution));
        }
    }
}

/// Attack: methods that make a tunnel or a second line of a request
/// Ends: never in a connection
#[test]
fn a_method_is_a_word() {
    let target = Target::new();
    let tools = fetches(&[&format!("http://{}", target.authority())], "timeout: 1h");
    for method in ["CONNECT", "GET / HTTP/1.1\r\nx: y", "G ET", "", &"X".repeat(65)] {
        let execution = fetch(&tools, json!({"authority": target.authority(), "method": method}));
        assert!(matches!(execution.ending, Ending::Denied | Ending::ToolError), "{method}: {}", said(&execution));
        target.assert_untouched(method);
    }
}

/// Attack: 100,000 headers in a request
/// Ends: `limit_exceeded`
#[test]
fn a_request_with_too_many_headers_is_not_sent() {
    let target = Target::new();
    let tools = fetches(&[&format!("http://{}", target.authority())], "timeout: 1h");
    let execution = fetch(&tools, json!({"authority": target.authority(), "header_count": 100_000}));
    assert_ended(&execution, Ending::LimitExceeded, "headers of more than 65536 bytes: the limit `http.headers`");
    target.assert_untouched("a request with 100,000 headers");
}

/// Attack: more requests than a call may make
/// Ends: `denied`, and a record of the first 32
#[test]
fn requests_are_counted() {
    let tools = fetches(&["http://127.0.0.1:9"], "timeout: 1h, output: 16K");
    let execution = fetch(&tools, json!({"authority": "169.254.169.254", "times": 500}));
    assert_ended(&execution, Ending::Denied, "169.254.169.254");
    assert!(execution.decisions.len() <= 32, "{} decisions", execution.decisions.len());
}

/// Answers one request with what `answer` writes.
fn served(
    resources: &str,
    options: CallOptions,
    answer: impl FnOnce(&mut TcpStream) + Send + 'static,
) -> Arc<Execution> {
    let server = Target::new();
    let tools = fetches(&[&format!("http://{}", server.authority())], resources);
    let authority = server.authority();
    let answered = server.serve(move |mut stream| {
        read_request(&mut stream);
        answer(&mut stream);
    });
    let execution = fetch_with(&tools, json!({"authority": authority}), options);
    // It ends when the connection does: no request outlives its call.
    answered.join().unwrap();
    execution
}

fn within(ms: u64) -> CallOptions {
    let limits = Overrides { timeout: Some(Duration::from_millis(ms)), ..Overrides::default() };
    CallOptions { limits, ..CallOptions::default() }
}

/// Attack: a server that never answers, one that answers a byte now and then, one that says "continue" for ever (slow loris)
/// Ends: `deadline_exceeded`, and the connection is closed
#[test]
fn a_slow_server_has_the_call_s_time_and_no_more() {
    let silent = served("timeout: 1h", within(200), |stream| {
        let _ = stream.read(&mut [0]);
    });
    assert_ended(&silent, Ending::DeadlineExceeded, "still running after 200ms");
    let headers = served("timeout: 1h", within(200), |stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nx-slow: ").unwrap();
        trickle_until_gone(stream, b'x');
    });
    assert_ended(&headers, Ending::DeadlineExceeded, "still running after 200ms");
    let body = served("timeout: 1h", within(200), |stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n").unwrap();
        trickle_until_gone(stream, b'x');
    });
    assert_ended(&body, Ending::DeadlineExceeded, "still running after 200ms");
    let informed = served("timeout: 1h", within(200), |stream| {
        write_until_gone(stream, b"HTTP/1.1 100 Continue\r\n\r\n");
    });
    assert_ended(&informed, Ending::DeadlineExceeded, "still running after 200ms");
}

/// Attack: an answer without end, with and without a length, and in chunks
/// Ends: `limit_exceeded`
#[test]
fn an_answer_without_end_is_stopped_at_its_limit() {
    for begin in ["content-length: 1000000000000", "transfer-encoding: chunked", "connection: close"] {
        let execution =
            served("timeout: 1h, memory: 64M, http: { response: 1M }", CallOptions::default(), move |stream| {
                write!(stream, "HTTP/1.1 200 OK\r\n{begin}\r\n\r\n").unwrap();
                let piece = [b"4000\r\n".as_slice(), &[b'x'; 0x4000], b"\r\n"].concat();
                write_until_gone(stream, &piece);
            });
        assert_ended(
            &execution,
            Ending::LimitExceeded,
            "an answer with more than 1048576 bytes: the limit `http.response`",
        );
    }
}

/// Attack: an answer with 100,000 headers, with one that never ends, and with trailers that never end
/// Ends: `limit_exceeded` or `tool_error`
#[test]
fn the_headers_of_an_answer_are_bounded() {
    let many = served("timeout: 1h", CallOptions::default(), |stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\n").unwrap();
        write_until_gone(stream, b"x-many: x\r\n");
    });
    assert_ended(&many, Ending::LimitExceeded, "the limit `http.headers`");
    let long = served("timeout: 1h", CallOptions::default(), |stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nx-long: ").unwrap();
        write_until_gone(stream, &[b'x'; 4096]);
    });
    assert_ended(&long, Ending::LimitExceeded, "the limit `http.headers`");
    let trailers = served("timeout: 1h", CallOptions::default(), |stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n").unwrap();
        write_until_gone(stream, b"x-trailer: x\r\n");
    });
    assert_eq!(trailers.ending, Ending::ToolError, "{trailers:?}");
}

/// Attack: answers that are no HTTP: two lengths, a length and chunks, binary, nothing at all
/// Ends: `tool_error`, or in the first reading alone
#[test]
fn an_answer_that_reads_in_two_ways_is_read_in_none() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort",
        "HTTP/9.9 200 OK\r\n\r\n",
        "HTTP/1.1 99999 OK\r\n\r\n",
        "\u{0}\u{1}\u{2}\u{3}\r\n\r\n",
        "",
    ] {
        let execution = served("timeout: 1h", CallOptions::default(), move |stream| {
            stream.write_all(answer.as_bytes()).unwrap();
        });
        assert_eq!(execution.ending, Ending::ToolError, "{answer:?}: {execution:?}");
    }
}
