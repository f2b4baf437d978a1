//! A directory with tools, a home of its own and nothing of this machine's environment but where the compilers are.

use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};

use fs_err as fs;
use tempfile::TempDir;

/// What a build needs to find cargo, rustc and the registry. Everything else of the environment stays outside.
const PASSED_ON: &[&str] = &[
    "PATH",
    "RUSTUP_TOOLCHAIN",
    "RUSTUP_AUTO_INSTALL",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "CARGO_HTTP_CAINFO",
];

pub(crate) struct Session {
    folder: TempDir,
}

/// Asserts the whole output of a command line: exit code, standard output, standard error.
macro_rules! assert_output {
    ($session:expr, [$($argument:expr),* $(,)?], @$snapshot:literal) => {
        $crate::session::filters(&$session).bind(|| {
            insta::assert_snapshot!($session.run(&[$($argument),*]), @$snapshot);
        })
    };
    ($session:expr, [$($argument:expr),* $(,)?], $stdin:expr, @$snapshot:literal) => {
        $crate::session::filters(&$session).bind(|| {
            insta::assert_snapshot!($session.run_with(&[$($argument),*], $stdin), @$snapshot);
        })
    };
}
pub(crate) use assert_output;

/// What differs from run to run and from machine to machine.
pub(crate) fn filters(session: &Session) -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(session.folder.path().to_str().unwrap(), "[TMP]");
    settings
        .add_filter(Path::new(guest_artifacts::CONTRACT_TOOL_ANSWERS).parent().unwrap().to_str().unwrap(), "[GUESTS]");
    settings.add_filter("sha256:[0-9a-f]{64}", "sha256:[DIGEST]");
    settings.add_filter("exec_[0-9a-f]{16}", "exec_[ID]");
    settings.add_filter(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "[TIME]");
    settings
        .add_filter(r#""fuel": \d+,\n    "memory_peak_bytes": \d+"#, "\"fuel\": [N],\n    \"memory_peak_bytes\": [N]");
    settings.add_filter(r#""(wall_us|instantiate_us)": \d+"#, "\"$1\": [N]");
    settings.add_filter(r"rustc \d+\.\d+\.\d+ \([0-9a-f]+ [0-9-]+\)", "rustc [VERSION]");
    settings.add_filter(r"wasmtime-\d+", "wasmtime-[N]");
    settings.add_filter(r"cortex-wasm \d+\.\d+\.\d+", "cortex-wasm [VERSION]");
    settings
}

impl Session {
    /// Without a tool of its own: only the standard tools are there.
    pub(crate) fn empty() -> Self {
        let session = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir_all(session.work()).unwrap();
        session
    }

    /// With the tools of this file.
    pub(crate) fn new() -> Self {
        let session = Self::empty();
        session.add("echo", ECHO, guest_artifacts::CONTRACT_COMMAND_INPUT);
        session.add("ends", ENDS, guest_artifacts::CONTRACT_COMMAND_EXIT_CODE);
        session.add("answers", ANSWERS, guest_artifacts::CONTRACT_TOOL_ANSWERS);
        session
    }

    /// Where the program is started.
    pub(crate) fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// Writes a file below where the program is started.
    pub(crate) fn write(&self, file: &str, text: &str) {
        let path = self.work().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Adds a tool that is a guest.
    pub(crate) fn add(&self, name: &str, manifest: &str, guest: &str) {
        self.write(&format!("manifests/tools/{name}/tool.yml"), manifest);
        let path = self.work().join("manifests/tools").join(name).join("guest.wasm");
        fs::copy(guest_artifacts::check(guest), path).unwrap();
    }

    /// Adds a guest as a tool that takes one integer, with these limits.
    pub(crate) fn add_limited(&self, name: &str, guest: &str, parameter: &str, resources: &str) {
        let manifest = format!(
            "kind: Tool\nversion: \"1.0\"\nname: {name}\nsummary: Uses what it is told to.\nimplementation:\n  \
             runtime: component\n  entrypoint: ./guest.wasm\n  resources: {{ {resources} }}\nparameters:\n  \
             - {{ name: {parameter}, type: integer }}\n"
        );
        self.add(name, &manifest, guest);
    }

    /// Adds a Rust tool of one file.
    pub(crate) fn add_rust(&self, name: &str, main: &str) {
        let manifest = format!(
            "kind: Tool\nversion: \"1.0\"\nname: {name}\nsummary: A tool of one file.\nimplementation:\n  runtime: rust\n  \
             entrypoint: ./main.rs\n"
        );
        self.write(&format!("manifests/tools/{name}/tool.yml"), &manifest);
        self.write(&format!("manifests/tools/{name}/main.rs"), main);
    }

    /// The program, ready to start.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        #[expect(clippy::disallowed_methods, reason = "the one place where the program under test is started")]
        let mut command = Command::new(env!("CARGO_BIN_EXE_cortex-wasm"));
        command.args(arguments).current_dir(self.work()).env_clear();
        for name in PASSED_ON {
            command.envs(variable(name).map(|value| (name, value)));
        }
        let home = PathBuf::from(variable("HOME").unwrap_or_default());
        let or_below_home = |name: &str, folder: &str| variable(name).map_or_else(|| home.join(folder), PathBuf::from);
        command
            .env("CARGO_HOME", or_below_home("CARGO_HOME", ".cargo"))
            .env("RUSTUP_HOME", or_below_home("RUSTUP_HOME", ".rustup"))
            .env("HOME", self.folder.path().join("user"))
            .env("CORTEX_HOME", self.home())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.command(arguments).output().unwrap().into()
    }

    /// With a terminal in front of it, which Python brings. Both streams are one there, and lines end as a terminal ends them.
    pub(crate) fn run_on_terminal(&self, arguments: &[&str]) -> Ran {
        const TERMINAL: &str = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";
        let program = self.command(arguments);
        #[expect(clippy::disallowed_methods, reason = "starts the program under test, in its own environment")]
        let mut terminal = Command::new("python3");
        terminal.args(["-c", TERMINAL, "env", "-i"]);
        for (name, value) in program.get_envs() {
            let mut pair = name.to_owned();
            pair.push("=");
            pair.push(value.unwrap_or_default());
            terminal.arg(pair);
        }
        terminal.arg(program.get_program()).args(program.get_args()).current_dir(self.work()).stdin(Stdio::null());
        terminal.output().unwrap().into()
    }

    /// With something on standard input.
    pub(crate) fn run_with(&self, arguments: &[&str], stdin: &str) -> Ran {
        let mut child = self.command(arguments).stdin(Stdio::piped()).spawn().unwrap();
        // Small enough for the pipe, and nobody minds a program that does not read it.
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        child.wait_with_output().unwrap().into()
    }

    pub(crate) fn spawn(&self, arguments: &[&str]) -> Child {
        self.command(arguments).spawn().unwrap()
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place where these tests read the environment")]
fn variable(name: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(name)
}

/// What a process left.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            status: output.status,
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ran {
    /// The JSON on standard output of a run that ended with this code.
    pub(crate) fn json(&self, code: i32) -> serde_json::Value {
        assert_eq!(self.status.code(), Some(code), "{self}");
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self}"))
    }

    /// Standard output of a run that worked.
    pub(crate) fn worked(&self) -> &str {
        assert!(self.status.success(), "{self}");
        &self.stdout
    }
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status.code() {
            Some(code) => writeln!(f, "exit code: {code}")?,
            None => writeln!(f, "{}", self.status)?,
        }
        write!(f, "----- stdout -----\n{}----- stderr -----\n{}", self.stdout, self.stderr)
    }
}

/// A command that answers with what it was given.
const ECHO: &str = "\
kind: Tool
version: \"1.0\"
name: echo
summary: Says what it was told.
description: Answers with its name and its input.
author: somebody
state: stable
tags: [test]
implementation:
  runtime: component
  entrypoint: ./guest.wasm
  resources: { memory: 16M, timeout: 5 }
  health_check:
    type: script
    command: 'echo ''{\"text\": \"healthy\"}'''
    expected_output_contains: healthy
parameters:
  - { name: text, type: string, description: What to say., required: true }
  - { name: times, type: integer, description: How often., default: 1, validation: { min: 1, max: 10 } }
  - { name: tone, type: string, enum: [calm, loud] }
examples:
  - description: Says hello
    input: { text: hello }
    output: { name: echo, input: { text: hello, times: 1 } }
  - input: { text: twice, times: 2 }
";

/// A command that ends as it is told.
const ENDS: &str = "\
kind: Tool
version: \"1.0\"
name: ends
summary: Ends as it is told.
implementation: { runtime: component, entrypoint: ./guest.wasm }
parameters:
  - { name: code, type: integer, default: 0 }
  - { name: stdout, type: string }
  - { name: stderr, type: string }
";

/// A tool with errors of its own.
const ANSWERS: &str = "\
kind: Tool
version: \"1.0\"
name: answers
summary: Answers, fails, crashes and logs as it is told.
implementation: { runtime: component, entrypoint: ./guest.wasm }
parameters:
  - { name: code, type: string }
  - { name: message, type: string }
  - { name: data, type: string }
  - { name: panic, type: string }
  - { name: stdout, type: string }
  - { name: stderr, type: string }
permissions:
  network: [\"https://api.example.com\"]
environment: { variables: { GREETING: hello } }
";
