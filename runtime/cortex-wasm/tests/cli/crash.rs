//! Processes that are killed, and processes that meet. Whatever the moment, what is found in a home is whole, and the next
//! run answers as it should.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Child;

use fs_err as fs;
use serde_json::Value;

use crate::session::{Ran, Session};

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        // A file may go while the folder is read.
        let Ok(entry) = entry else { continue };
        let path = entry.path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

fn name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

fn has_end(path: &Path, end: &str) -> bool {
    path.extension().is_some_and(|found| found == end)
}

/// What has a name of its own is whole. A file that was being written has a temporary name.
fn assert_whole(home: &Path) {
    let mut components = Vec::new();
    for path in files(&home.join("components")) {
        let Some(digest) = name(&path).strip_suffix(".wasm") else {
            assert!(name(&path).starts_with(".tmp"), "{}", path.display());
            continue;
        };
        assert_eq!(digest.replace('-', ":"), sha256(&path), "{}", path.display());
        components.push(digest.replace('-', ":"));
    }
    for path in files(&home.join("builds")) {
        if has_end(&path, "json") {
            let record: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            let component = record["component"].as_str().unwrap().to_owned();
            assert!(components.contains(&component), "{} names `{component}`, which is not there", path.display());
        } else {
            assert!(name(&path).starts_with(".tmp"), "{}", path.display());
        }
    }
    for path in files(&home.join("compiled")) {
        let end = path.extension().and_then(|end| end.to_str()).unwrap_or_default();
        match end {
            "json" => {
                let record: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
                let code = path.with_file_name(format!("{}.cwasm", record["code_sha256"].as_str().unwrap()));
                assert_eq!(fs::metadata(&code).unwrap().len(), record["code_bytes"].as_u64().unwrap());
            }
            "cwasm" => assert_eq!(format!("sha256:{}", name(&path.with_extension(""))), sha256(&path)),
            _ => assert!(end == "lock" || name(&path).starts_with(".tmp"), "{}", path.display()),
        }
    }
}

/// By the system's own program, so that nothing of the product's is needed to judge it.
fn sha256(path: &Path) -> String {
    #[expect(clippy::disallowed_methods, reason = "a tool of the test's own")]
    let output = std::process::Command::new("sha256sum").arg(path).output().unwrap();
    let line = String::from_utf8(output.stdout).unwrap();
    format!("sha256:{}", line.split(' ').next().unwrap())
}

/// A pipe with a name: opening it waits until the other side opens it, so both sides know where the other is.
fn fifo(path: &Path) {
    #[expect(clippy::disallowed_methods, reason = "a tool of the test's own")]
    let status = std::process::Command::new("mkfifo").arg(path).status().unwrap();
    assert!(status.success());
}

/// A tool whose build tells that it has begun and then waits to be told to go on. Each build is a line in a file.
struct Slow {
    session: Session,
}

impl Slow {
    fn new() -> Self {
        let session = Session::empty();
        let slow = Self { session };
        fifo(&slow.path("begun"));
        fifo(&slow.path("go"));
        let manifest = "kind: Tool\nversion: \"1.0\"\nname: slow\nsummary: Takes its time.\nimplementation: { runtime: rust, entrypoint: ./Cargo.toml }\n";
        slow.session.write("manifests/tools/slow/tool.yml", manifest);
        slow.session.write(
            "manifests/tools/slow/Cargo.toml",
            "[package]\nname = \"slow\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n",
        );
        let build = format!(
            "use std::io::{{Read, Write}};\nfn main() {{\n    println!(\"cargo::rerun-if-changed=/nowhere\");\n    \
             let mut builds = std::fs::OpenOptions::new().create(true).append(true).open({:?}).unwrap();\n    \
             builds.write_all(b\"built\\n\").unwrap();\n    if !std::path::Path::new({:?}).exists() {{\n        \
             let mut begun = std::fs::OpenOptions::new().write(true).open({:?}).unwrap();\n        \
             begun.write_all(b\"begun\").unwrap();\n        \
             std::fs::File::open({:?}).unwrap().read_to_end(&mut Vec::new()).unwrap();\n    }}\n}}\n",
            slow.path("builds"),
            slow.path("hurry"),
            slow.path("begun"),
            slow.path("go"),
        );
        slow.session.write("manifests/tools/slow/build.rs", &build);
        slow.session.write("manifests/tools/slow/src/main.rs", "fn main() { println!(\"\\\"whole\\\"\"); }\n");
        slow
    }

    fn path(&self, file: &str) -> PathBuf {
        self.session.work().join(file)
    }

    /// Waits until a build is in the middle of its build script. What is returned has its end when the script has.
    fn wait_until_building(&self) -> fs::File {
        let mut begun = fs::File::open(self.path("begun")).unwrap();
        let mut text = [0; 5];
        begun.read_exact(&mut text).unwrap();
        assert_eq!(&text, b"begun");
        begun
    }

    /// Lets the build that waits go on.
    fn go_on(&self) {
        fs::OpenOptions::new().write(true).open(self.path("go")).unwrap().write_all(b"go").unwrap();
    }

    fn builds(&self) -> usize {
        fs::read_to_string(self.path("builds")).unwrap().lines().count()
    }
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

fn ended(child: Child) -> Ran {
    child.wait_with_output().unwrap().into()
}

#[test]
fn a_kill_in_the_middle_of_a_build_leaves_nothing_half() {
    let slow = Slow::new();
    let home = slow.session.home();
    let child = slow.session.spawn(&["run", "slow"]);
    let mut script = slow.wait_until_building();
    kill(child);
    // What the compiler had started is gone with this process: otherwise it would wait to be told to go on, and so would this.
    assert_eq!(script.read_to_end(&mut Vec::new()).unwrap(), 0);
    assert_whole(&home);
    assert_eq!(files(&home.join("components")), Vec::<PathBuf>::new());
    assert_eq!(files(&home.join("builds")), Vec::<PathBuf>::new());

    fs::write(slow.path("hurry"), "").unwrap();
    let ran = slow.session.run(&["-q", "run", "slow"]);
    assert_eq!((ran.worked(), ran.stderr.as_str()), ("\"whole\"\n", ""));
    assert_whole(&home);
    assert_eq!(slow.session.run(&["run", "slow"]).worked(), "\"whole\"\n");
}

/// The second process waits for the lock of the first, which the system shows.
#[test]
fn two_processes_that_want_the_same_build_make_one() {
    let slow = Slow::new();
    let first = slow.session.spawn(&["-q", "run", "slow"]);
    let _script = slow.wait_until_building();
    let second = slow.session.spawn(&["-q", "run", "slow"]);
    while !waits_for_a_lock(&second) {
        std::thread::yield_now();
    }
    slow.go_on();
    for child in [first, second] {
        let ran = ended(child);
        assert_eq!((ran.worked(), ran.stderr.as_str()), ("\"whole\"\n", ""));
    }
    assert_eq!(slow.builds(), 1);
    assert_whole(&slow.session.home());
    assert_eq!(files(&slow.session.home().join("components")).len(), 1);
}

/// Whether the kernel lists the process as waiting for a file lock.
fn waits_for_a_lock(child: &Child) -> bool {
    let waiting = format!(" {} ", child.id());
    let locks = fs::read_to_string("/proc/locks").unwrap();
    locks.lines().any(|line| line.contains("->") && line.contains(&waiting))
}

/// The second process takes over from a first that was killed while it held the lock.
#[test]
fn a_process_that_waits_for_a_build_that_is_killed_builds() {
    let slow = Slow::new();
    let first = slow.session.spawn(&["-q", "run", "slow"]);
    let _script = slow.wait_until_building();
    let second = slow.session.spawn(&["-q", "run", "slow"]);
    while !waits_for_a_lock(&second) {
        std::thread::yield_now();
    }
    fs::write(slow.path("hurry"), "").unwrap();
    kill(first);
    let ran = ended(second);
    assert_eq!((ran.worked(), ran.stderr.as_str()), ("\"whole\"\n", ""));
    assert_whole(&slow.session.home());
}

#[test]
fn many_processes_that_want_the_same_component_compile_it_once() {
    let session = Session::new();
    let input = r#"{"text": "hi"}"#;
    let children: Vec<Child> = (0..8).map(|_| session.spawn(&["run", "echo", input])).collect();
    let ran: Vec<Ran> = children.into_iter().map(ended).collect();
    let compiled = ran.iter().filter(|ran| ran.stderr == "compiling for this machine\n").count();
    for ran in &ran {
        assert_eq!(ran.worked(), "{\"input\":{\"text\":\"hi\",\"times\":1},\"name\":\"echo\"}\n");
        assert!(ran.stderr.is_empty() || ran.stderr == "compiling for this machine\n", "{ran}");
    }
    assert_eq!(compiled, 1, "{ran:?}");
    assert_whole(&session.home());
}

/// A moment in the life of a home: the first at which something is there.
type Moment = (&'static str, fn(&Path) -> bool);

/// Whether there is a file with this extension in a folder of the home.
fn with_end(home: &Path, folder: &str, end: &str) -> bool {
    files(&home.join(folder)).iter().any(|path| has_end(path, end))
}

/// Whether there is a file in a folder of the home that is being written.
fn being_written(home: &Path, folder: &str) -> bool {
    files(&home.join(folder)).iter().any(|path| name(path).starts_with(".tmp"))
}

const COMPILING: &[Moment] = &[
    ("the home is there", |home| home.exists()),
    ("the database is there", |home| home.join("executions.db").exists()),
    ("the cache is there", |home| home.join("compiled").exists()),
    ("the lock is there", |home| with_end(home, "compiled", "lock")),
    ("code is being written", |home| being_written(home, "compiled")),
    ("code is there", |home| with_end(home, "compiled", "cwasm")),
    ("the record is there", |home| with_end(home, "compiled", "json")),
    ("the lock is gone", |home| with_end(home, "compiled", "json") && !with_end(home, "compiled", "lock")),
];

/// Kills a process at a moment, or some looks after it; a process that has ended before is as good.
fn kill_at(mut child: Child, home: &Path, moment: fn(&Path) -> bool, looks_later: usize) {
    while child.try_wait().unwrap().is_none() && !moment(home) {}
    for _ in 0..looks_later {
        moment(home);
    }
    kill(child);
}

#[test]
fn a_kill_at_any_moment_of_a_first_run_leaves_nothing_half() {
    let session = Session::new();
    let (arguments, home) = (["-q", "run", "echo", r#"{"text": "hi"}"#], session.home());
    for (what, moment) in COMPILING {
        for looks_later in [0, 3, 30] {
            if home.exists() {
                fs::remove_dir_all(&home).unwrap();
            }
            kill_at(session.spawn(&arguments), &home, *moment, looks_later);
            assert_whole(&home);
            let ran = session.run(&arguments);
            let expected = ("{\"input\":{\"text\":\"hi\",\"times\":1},\"name\":\"echo\"}\n", "");
            assert_eq!((ran.worked(), ran.stderr.as_str()), expected, "{what}, {looks_later} looks later");
            assert_whole(&home);
        }
    }
}

const STORING: &[Moment] = &[
    ("a component is being written", |home| being_written(home, "components")),
    ("a component is there", |home| with_end(home, "components", "wasm")),
    ("a record is being written", |home| being_written(home, "builds")),
    ("a record is there", |home| with_end(home, "builds", "json")),
];

#[test]
fn a_kill_at_any_moment_of_storing_a_build_leaves_nothing_half() {
    let session = Session::empty();
    session.add_rust("prints", "fn main() { println!(\"\\\"whole\\\"\"); }\n");
    let home = session.home();
    for (what, moment) in STORING {
        for folder in ["components", "builds"] {
            if home.join(folder).exists() {
                fs::remove_dir_all(home.join(folder)).unwrap();
            }
        }
        kill_at(session.spawn(&["-q", "run", "prints"]), &home, *moment, 0);
        assert_whole(&home);
        let ran = session.run(&["-q", "run", "prints"]);
        assert_eq!((ran.worked(), ran.stderr.as_str()), ("\"whole\"\n", ""), "{what}");
        assert_whole(&home);
    }
}

#[test]
fn a_kill_in_the_middle_of_a_call_leaves_the_home_as_usable_as_before() {
    let session = Session::new();
    session.add_limited("spins", guest_artifacts::LIMIT_SPINS, "rounds", "fuel: 1000G, timeout: 1h");
    session.run(&["-q", "run", "spins", r#"{"rounds": 1}"#]).worked();
    for _ in 0..3 {
        let child = session.spawn(&["-q", "run", "spins"]);
        // Starting takes a hundredth of a second of processor time; a process that has used half a second is in the call.
        while processor_time_ticks(&child) < 50 {
            std::thread::yield_now();
        }
        kill(child);
    }
    let ran = session.run(&["-q", "run", "spins", r#"{"rounds": 2}"#]);
    assert_eq!((ran.worked(), ran.stderr.as_str()), ("2\n", ""));
    let ran = session.run(&["run", "answers"]);
    assert_eq!(ran.stderr, "compiling for this machine\n", "recording works: there is no warning");
    assert_whole(&session.home());
}

/// User time, in hundredths of a second.
fn processor_time_ticks(child: &Child) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
    // The program's name, in parentheses, may hold anything; the 14th field counts from before it.
    let after_name = &stat[stat.rfind(')').unwrap() + 2..];
    after_name.split(' ').nth(11).unwrap().parse().unwrap()
}
