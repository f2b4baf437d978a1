//! `soak HOME CALLS THREADS`: calls of every kind, good, failing, stopped by a limit and given up, in one process that lives as
//! a server does. Reports in one line of JSON what the calls ended in and what is left of them, and fails if any ended in
//! another way than it should have, if memory has grown, or if a file or a descriptor was left open or lying about.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cortex_runtime::{Allocation, CallOptions, Ending, Overrides, Runtime, Settings};
use fs_err as fs;
use guest_artifacts as guests;
use serde_json::{Value, json};

/// A kind of call. `None` for an ending is a call that its caller gives up.
struct Kind {
    tool: &'static str,
    input: Value,
    ending: Option<Ending>,
    timeout: Option<Duration>,
}

/// How much memory may grow from the end of the warm-up to the end, in percent.
const GROWTH_MAX: f64 = 5.0;

/// The part of the calls by which everything that is kept has been filled: pools, caches, the allocator.
const WARM_UP: f64 = 0.2;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [home, calls, threads] = arguments.as_slice() else { return Err("usage: soak HOME CALLS THREADS".into()) };
    let (calls, threads): (u64, u64) = (calls.parse()?, threads.parse()?);
    let home = Path::new(home);
    let port = serve()?;
    let runtime = prepare(home, port)?;
    let kinds = kinds(port);
    let executor =
        tokio::runtime::Builder::new_multi_thread().worker_threads(usize::try_from(threads)?).enable_all().build()?;
    let soak = Soak { runtime, kinds, next: AtomicU64::new(0), endings: Mutex::default(), wrong: Mutex::default() };
    let started = Instant::now();
    // Exact: whoever takes a number makes the call.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a part of it"
    )]
    let warm_up = (calls as f64 * WARM_UP) as u64;
    executor.block_on(soak.run(threads, warm_up));
    let before = State::now(0)?;
    executor.block_on(soak.run(threads, calls));
    let after = State::now(before.descriptors)?;
    let seconds = started.elapsed().as_secs_f64();
    drop(executor);
    let Soak { runtime, endings, wrong, .. } = soak;
    runtime.close()?;
    let growth = (after.resident_kib - before.resident_kib) / before.resident_kib * 100.0;
    let left = files_left(&std::env::temp_dir())? + staged(home)?;
    let wrong = wrong.into_inner()?;
    let report = json!({
        "calls": calls,
        "threads": threads,
        "seconds": (seconds * 10.0).round() / 10.0,
        "endings": endings.into_inner()?,
        "resident_mib_after_warm_up": (before.resident_kib / 102.4).round() / 10.0,
        "resident_mib_at_end": (after.resident_kib / 102.4).round() / 10.0,
        "growth_percent": (growth * 100.0).round() / 100.0,
        "descriptors_after_warm_up": before.descriptors,
        "descriptors_at_end": after.descriptors,
        "files_left": left,
        "unexpected_endings": wrong.len(),
    });
    writeln!(std::io::stdout(), "{report}")?;
    for line in wrong.iter().take(10) {
        writeln!(std::io::stderr(), "{line}")?;
    }
    let sound = wrong.is_empty() && left == 0 && after.descriptors <= before.descriptors && growth < GROWTH_MAX;
    if sound { Ok(()) } else { Err("something was left behind, or ended in another way than it should".into()) }
}

struct Soak {
    runtime: Runtime,
    kinds: Vec<Kind>,
    next: AtomicU64,
    endings: Mutex<BTreeMap<String, u64>>,
    wrong: Mutex<Vec<String>>,
}

impl Soak {
    /// Makes calls up to the number `until`, as many at once as there are lanes.
    async fn run(&self, lanes: u64, until: u64) {
        let lane = async || {
            loop {
                let number = self.next.fetch_add(1, Ordering::Relaxed);
                if number >= until {
                    break;
                }
                self.call(number).await;
            }
        };
        let lanes: Vec<_> = (0..lanes).map(|_| Box::pin(lane())).collect();
        futures_util::future::join_all(lanes).await;
        // Each lane took one number more than it used.
        self.next.store(until, Ordering::Relaxed);
    }

    async fn call(&self, number: u64) {
        let kind = &self.kinds[usize::try_from(number).unwrap_or(0) % self.kinds.len()];
        let limits = Overrides { timeout: kind.timeout, ..Overrides::default() };
        let call = self.runtime.call(kind.tool, &kind.input, CallOptions { limits, ..CallOptions::default() });
        let ended = match kind.ending {
            Some(_) => Some(call.await),
            // Given up after a while that differs, so that it is met in every state.
            None => tokio::time::timeout(Duration::from_micros(number % 3000), call).await.ok(),
        };
        let ending = match &ended {
            None => None,
            Some(Ok(execution)) => Some(execution.ending),
            Some(Err(error)) => return self.note(format!("{}: {error}", kind.tool)),
        };
        let name = ending.map_or("given_up", Ending::as_str);
        *self.endings.lock().expect("no lane panics").entry(name.to_owned()).or_default() += 1;
        if ending != kind.ending {
            let said = ended.and_then(Result::ok).and_then(|execution| execution.error.clone());
            self.note(format!("{} ended in {name}: {said:?}", kind.tool));
        }
    }

    fn note(&self, line: String) {
        self.wrong.lock().expect("no lane panics").push(line);
    }
}

/// Every kind of call. What is given up would go on for ever.
fn kinds(port: u16) -> Vec<Kind> {
    let kind = |tool, input, ending| Kind { tool, input, ending: Some(ending), timeout: None };
    let given_up = |tool, input| Kind { tool, input, ending: None, timeout: None };
    let server = format!("127.0.0.1:{port}");
    vec![
        kind("answers", json!({"text": "good"}), Ending::Success),
        kind("input", json!({"text": "good as well"}), Ending::Success),
        kind("answers", json!({"text": 1}), Ending::InvalidInput),
        kind("ends", json!({"code": 1, "stderr": "no such city"}), Ending::ToolError),
        kind("ends", json!({"code": 0, "stdout": "not JSON"}), Ending::InvalidOutput),
        kind("panics", json!({}), Ending::Trap),
        kind("recurses", json!({"depth": 10_000_000}), Ending::Trap),
        kind("handles", json!({"attack": "waits"}), Ending::LimitExceeded),
        kind("files", json!({"do": [["write", "/out/a", 1000], ["read", "/out/a"]]}), Ending::Success),
        kind("files", json!({"do": [["write", "/out/b", 20_000]]}), Ending::LimitExceeded),
        kind("files", json!({"do": [["raw_open", "/out", "../../secret"]]}), Ending::Denied),
        kind("state", json!({"do": [["increment", "n", 1], ["set", "k", 100], ["keys"]]}), Ending::Success),
        kind("spins", json!({}), Ending::OutOfFuel),
        kind("allocates", json!({"bytes": 20_000_000}), Ending::MemoryExceeded),
        kind("prints", json!({"result": 100_000, "log": 100_000}), Ending::OutputExceeded),
        kind("fetches", json!({"authority": server, "path": "/answer"}), Ending::Success),
        kind("fetches", json!({"authority": "127.0.0.1:1"}), Ending::Denied),
        Kind {
            timeout: Some(Duration::from_millis(2)),
            ..kind("sleeps", json!({"ms": 86_400_000}), Ending::DeadlineExceeded)
        },
        given_up("sleeps", json!({"ms": 86_400_000})),
        given_up("endless", json!({})),
        given_up("writes", json!({"do": [["write", "/out/c", 1], ["overwrite", "/out/c", 1_000_000_000_000_u64]]})),
        given_up("fetches", json!({"authority": server, "path": "/silence"})),
    ]
}

fn prepare(home: &Path, port: u16) -> Result<Runtime, Box<dyn Error>> {
    let tools = home.join("tools");
    let network = format!("permissions: {{ network: [\"http://127.0.0.1:{port}\"] }}\n");
    let files = "permissions: { filesystem: [{ host: ./out, guest: /out, access: read-write }] }\n";
    for (name, guest, resources, sections) in [
        ("answers", guests::CONTRACT_TOOL_ANSWERS, "", ""),
        ("input", guests::CONTRACT_COMMAND_INPUT, "", ""),
        ("ends", guests::CONTRACT_COMMAND_ENDS, "", ""),
        ("panics", guests::CONTRACT_COMMAND_PANICS, "", ""),
        ("recurses", guests::LIMIT_RECURSES, "", ""),
        ("handles", guests::HOSTILE_HOST, "", ""),
        ("spins", guests::LIMIT_SPINS, "fuel: 1M", ""),
        ("endless", guests::LIMIT_SPINS, "fuel: 1T, timeout: 1h", ""),
        ("allocates", guests::LIMIT_ALLOCATES, "memory: 8M", ""),
        ("prints", guests::LIMIT_PRINTS, "output: 1000", ""),
        ("sleeps", guests::LIMIT_SLEEPS, "timeout: 1h", ""),
        ("fetches", guests::NETWORK_FETCHES, "timeout: 1h", &network),
        ("files", guests::CAPABILITY_FILES, "fuel: 1T, timeout: 1h, disk: 10K", files),
        ("writes", guests::CAPABILITY_FILES, "fuel: 1T, timeout: 1h, disk: 60G", files),
        ("state", guests::CAPABILITY_HOST, "", "permissions: { state: true }\n"),
    ] {
        let folder = tools.join(name);
        fs::create_dir_all(folder.join("out"))?;
        fs::copy(guests::check(guest), folder.join("guest.wasm"))?;
        let parameters = if name == "answers" { "{ name: text, type: string }" } else { PARAMETERS };
        let manifest = format!(
            "kind: Tool\nversion: \"1.0\"\nname: {name}\nsummary: A guest.\nimplementation:\n  runtime: component\n  \
             entrypoint: ./guest.wasm\n  resources: {{ {resources} }}\nparameters: [{parameters}]\n{sections}"
        );
        fs::write(folder.join("tool.yml"), manifest)?;
    }
    let allocation = Allocation::Pooled { calls: 64 };
    Ok(Runtime::new(Settings { manifests: vec![tools], allocation, ..Settings::new(home) })?)
}

/// Whatever any of the guests takes.
const PARAMETERS: &str = "{ name: text, type: string }, { name: code, type: integer }, { name: stdout, type: string }, \
    { name: stderr, type: string }, { name: depth, type: integer }, { name: attack, type: string }, \
    { name: bytes, type: integer }, { name: result, type: integer }, { name: log, type: integer }, \
    { name: authority, type: string }, { name: path, type: string }, { name: ms, type: integer }, { name: do, type: array }";

/// A server that answers what asks for an answer, and leaves the rest waiting until they go.
fn serve() -> Result<u16, Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            // A thread for each: the silent ones stay for as long as the guest does.
            std::thread::spawn(move || {
                let mut request = [0; 1024];
                let read = stream.read(&mut request).unwrap_or(0);
                if request[..read].starts_with(b"GET /answer") {
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
                }
                while stream.read(&mut request).is_ok_and(|read| read > 0) {}
            });
        }
    });
    Ok(port)
}

/// What this process holds.
struct State {
    resident_kib: f64,
    descriptors: usize,
}

impl State {
    /// What it holds once sockets are closed whose other side has still to see that they are: there are that many descriptors
    /// again, or, for a first look, no fewer than at the look before.
    fn now(descriptors_before: usize) -> Result<Self, Box<dyn Error>> {
        let mut descriptors = count("/proc/self/fd")?;
        let patience = Instant::now() + Duration::from_secs(5);
        loop {
            std::thread::sleep(Duration::from_millis(100));
            let now = count("/proc/self/fd")?;
            let settled = if descriptors_before > 0 { now <= descriptors_before } else { now >= descriptors };
            descriptors = now;
            if settled || Instant::now() > patience {
                break;
            }
        }
        let status = fs::read_to_string("/proc/self/status")?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no resident size")?;
        let resident_kib = resident.trim().trim_end_matches(" kB").trim().parse()?;
        Ok(Self { resident_kib, descriptors })
    }
}

fn count(folder: &str) -> std::io::Result<usize> {
    Ok(fs::read_dir(folder)?.count())
}

/// Files in the folder for temporary ones, which is this process's own.
fn files_left(folder: &Path) -> std::io::Result<usize> {
    Ok(fs::read_dir(folder)?.count())
}

/// Files of the home that were written under a temporary name and never renamed, or locks that nobody took away.
fn staged(home: &Path) -> std::io::Result<usize> {
    let mut count = 0;
    for entry in fs::read_dir(home)? {
        let path = entry?.path();
        if path.is_dir() {
            count += staged(&path)?;
        } else {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let ends = path.extension().is_some_and(|extension| extension == "lock" || extension == "new");
            count += usize::from(name.starts_with(".tmp") || ends);
        }
    }
    Ok(count)
}
