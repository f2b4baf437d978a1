//! A server with tools and a home of its own, and a client that speaks HTTP/1.1 over one connection a request.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fs_err as fs;
use guest_artifacts as guests;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Longer than anything here takes, so that a test that waits for nothing ends.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

/// A folder with tools and a home.
pub(crate) struct Place {
    folder: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        // Its own fuel would end it after a second on a machine that has nothing else to do.
        place.tool("spins", guests::LIMIT_SPINS, "fuel: 1000G, timeout: 1h", "");
        let optional = ["code", "message", "data", "panic", "stdout", "stderr"];
        let optional = optional.map(|name| format!("  - {{ name: {name}, type: string, required: false }}\n")).concat();
        place.tool("answers", guests::CONTRACT_TOOL_ANSWERS, "", &format!("parameters:\n{optional}"));
        place
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Adds a guest as a tool.
    pub(crate) fn tool(&self, name: &str, guest: &str, resources: &str, sections: &str) {
        let root = self.path().join("manifests/tools").join(name);
        fs::create_dir_all(&root).unwrap();
        fs::copy(guests::check(guest), root.join("guest.wasm")).unwrap();
        let manifest = format!(
            "kind: Tool\nversion: \"1.0\"\nname: {name}\nsummary: A guest of the tests.\nimplementation:\n  \
             runtime: component\n  entrypoint: ./guest.wasm\n  resources: {{ {resources} }}\n{sections}"
        );
        fs::write(root.join("tool.yml"), manifest).unwrap();
    }

    /// The program, with nothing of this machine's environment.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        #[expect(clippy::disallowed_methods, reason = "a process of its own is what is tested")]
        let mut command = Command::new(env!("CARGO_BIN_EXE_cortex-wasm"));
        command.args(arguments).current_dir(self.path()).env_clear();
        command.env("CORTEX_HOME", self.path().join("home")).env("CORTEX_SECRET_HIDDEN", "a-well-kept-secret");
        command
    }

    /// What the program prints.
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    pub(crate) fn serve(&self, arguments: &[&str]) -> Server {
        self.start(self.command(&["serve", "--listen", "127.0.0.1:0"]), arguments)
    }

    /// The same with what a test has changed of the environment.
    pub(crate) fn start(&self, mut command: Command, arguments: &[&str]) -> Server {
        let log = self.path().join("server.log");
        command.args(arguments).stdout(Stdio::piped()).stderr(fs::File::create(&log).unwrap().into_parts().0);
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let said = || fs::read_to_string(&log).unwrap();
        let (scheme, address) = line.trim().split_once("://").unwrap_or_else(|| panic!("it did not start: {}", said()));
        Server { child: Some(child), address: address.parse().unwrap(), scheme: scheme.to_owned(), token: None, log }
    }
}

/// A server that runs; killed when it goes, by whoever has started it.
pub(crate) struct Server {
    child: Option<Child>,
    pub(crate) address: SocketAddr,
    pub(crate) scheme: String,
    pub(crate) token: Option<String>,
    log: std::path::PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        let Some(child) = &mut self.child else { return };
        let _ = child.kill();
        let _ = child.wait();
        if std::thread::panicking() {
            eprintln!("{}", self.log());
        }
    }
}

/// What a server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (known, value) = line.split_once(':')?;
            known.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The document of an answer with this status.
    #[track_caller]
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        self.json()
    }
}

impl Server {
    /// A server that somebody else has started.
    pub(crate) fn at(address: SocketAddr) -> Self {
        Self { child: None, address, scheme: "http".into(), token: None, log: std::path::PathBuf::new() }
    }

    fn child(&mut self) -> &mut Child {
        self.child.as_mut().expect("started here")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().expect("started here").id()
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Dies without a word.
    pub(crate) fn kill(&mut self) {
        self.child().kill().unwrap();
        self.child().wait().unwrap();
    }

    /// Is asked to end, and ends. What it said is returned.
    pub(crate) fn terminate(&mut self) -> String {
        #[expect(clippy::disallowed_methods, reason = "the system's own way of asking")]
        let asked = Command::new("kill").arg("-TERM").arg(self.pid().to_string()).status().unwrap();
        assert!(asked.success());
        let ended = self.child().wait().unwrap();
        assert!(ended.success(), "{}", self.log());
        self.log()
    }

    /// A connection on which a request was sent.
    pub(crate) fn open(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&str>) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        let known = |name: &str| headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
        if !known("host") {
            write!(head, "Host: {}\r\n", self.address).unwrap();
        }
        if let Some(token) = self.token.as_ref().filter(|_| !known("authorization")) {
            write!(head, "Authorization: Bearer {token}\r\n").unwrap();
        }
        for (name, value) in headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        if let Some(body) = body {
            if !known("content-type") {
                head += "Content-Type: application/json\r\n";
            }
            write!(head, "Content-Length: {}\r\n", body.len()).unwrap();
        }
        // A server that has seen enough may close before all is written.
        let _ = stream.write_all(format!("{head}\r\n{}", body.unwrap_or_default()).as_bytes());
        stream
    }

    pub(crate) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&str>) -> Answer {
        let mut text = Vec::new();
        self.open(method, path, headers, body).read_to_end(&mut text).unwrap();
        let text = String::from_utf8_lossy(&text).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
        let body = if chunked { unchunked(body) } else { body.to_owned() };
        Answer { status, head: head.to_owned(), body }
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], None)
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, &[], Some(&body.to_string()))
    }

    /// Calls a tool by our own routes.
    pub(crate) fn call(&self, tool: &str, input: &Value) -> Answer {
        self.post(&format!("/v1/tools/{tool}/calls"), &json!({ "input": input }))
    }

    /// Begins a call and returns its id, once it runs.
    pub(crate) fn begin(&self, tool: &str, input: &Value, session: &str) -> String {
        let body = json!({ "input": input, "session_id": session });
        let answer = self.post(&format!("/v1/tools/{tool}/calls?wait=false"), &body);
        let id = answer.expect(202)["execution_id"].as_str().unwrap().to_owned();
        assert_eq!(answer.header("location"), Some(&*format!("/v1/executions/{id}")));
        self.until(&id, |record| record["status"] != "pending");
        id
    }

    /// Asks for an execution until it is as wanted.
    pub(crate) fn until(&self, id: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let record = self.get(&format!("/v1/executions/{id}")).expect(200);
            if wanted(&record) {
                return record;
            }
            std::thread::yield_now();
        }
    }
}

/// The body of an answer that came in pieces.
fn unchunked(body: &str) -> String {
    let mut rest = body;
    let mut whole = String::new();
    while let Some((size, after)) = rest.split_once("\r\n") {
        let Ok(size @ 1..) = usize::from_str_radix(size, 16) else { break };
        whole.push_str(&after[..size]);
        rest = &after[size + 2..];
    }
    whole
}

/// The events of a stream: names and documents.
pub(crate) fn events(body: &str) -> Vec<(String, Value)> {
    let event = |block: &str| {
        let part = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        Some((part("event:")?.to_owned(), serde_json::from_str(part("data:")?).unwrap()))
    };
    body.split("\n\n").filter_map(event).collect()
}
