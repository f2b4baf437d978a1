//! The programs of this machine that builds can use: which are there, and which command installs the others.

use std::time::Duration;

use serde::Serialize;

use crate::process::Step;

/// A program, and whether it is there.
#[derive(Clone, Debug, Serialize)]
pub struct Program {
    /// Its name.
    pub name: &'static str,
    /// What it is for.
    pub purpose: &'static str,
    /// As it names itself; `None` when it is not there.
    pub version: Option<String>,
    /// What to do to have it.
    pub command: &'static str,
}

/// How a program is asked for its version.
struct Known {
    name: &'static str,
    ask: &'static [&'static str],
    purpose: &'static str,
    command: &'static str,
}

/// Debian's commands, because most machines and images are of that family; the addresses are for all the others.
const KNOWN: &[Known] = &[
    Known {
        name: "rustc",
        ask: &["rustc", "--version"],
        purpose: "compiles Rust",
        command: "curl https://sh.rustup.rs -sSf | sh",
    },
    Known {
        name: "cargo",
        ask: &["cargo", "--version"],
        purpose: "builds Rust",
        command: "curl https://sh.rustup.rs -sSf | sh",
    },
    Known {
        name: "node",
        ask: &["node", "--version"],
        purpose: "builds JavaScript and TypeScript",
        command: "apt-get install nodejs npm, or see https://nodejs.org",
    },
    Known {
        name: "npm",
        ask: &["npm", "--version"],
        purpose: "fetches the JavaScript toolchain",
        command: "apt-get install npm, or see https://nodejs.org",
    },
    Known {
        name: "python3",
        ask: &["python3", "--version"],
        purpose: "builds Python",
        command: "apt-get install python3 python3-pip",
    },
    Known {
        name: "pip",
        ask: &["python3", "-m", "pip", "--version"],
        purpose: "fetches the Python and Go toolchains",
        command: "apt-get install python3-pip",
    },
    Known {
        name: "go",
        ask: &["go", "version"],
        purpose: "compiles Go, from 1.24 on; an own one is fetched otherwise",
        command: "cortex-wasm toolchain install go",
    },
    Known {
        name: "tinygo",
        ask: &["tinygo", "version"],
        purpose: "compiles Go to small components, where a manifest says so",
        command: "see https://tinygo.org/getting-started/install",
    },
    Known {
        name: "docker",
        ask: &["docker", "--version"],
        purpose: "runs what cannot be a component",
        command: "apt-get install docker.io, or see https://docs.docker.com/engine/install",
    },
];

/// Asks every program that builds can use for its version.
pub fn machine() -> Vec<Program> {
    std::thread::scope(|scope| {
        let asked: Vec<_> = KNOWN.iter().map(|known| scope.spawn(|| ask(known))).collect();
        asked.into_iter().filter_map(|thread| thread.join().ok()).collect()
    })
}

fn ask(known: &Known) -> Program {
    let Known { name, ask, purpose, command } = *known;
    let (program, arguments) = ask.split_first().unwrap_or((&name, &[]));
    let said = Step::new(program).args(arguments).env("GOTOOLCHAIN", "local").timeout(Duration::from_secs(20)).run();
    let line = said.ok().and_then(|said| said.stdout.lines().next().map(|line| line.trim().to_owned()));
    Program { name, purpose, version: line, command }
}
