//! What the machine must have: found, installed where that may be done, or named.

use std::path::Path;

use crate::command::{Program, say};
use crate::deny;
use crate::layout::Layout;
use crate::python::{COMPONENTIZE_PY, Package, SCHEMATHESIS};
use crate::server;
use crate::steps::End;
use crate::toolchain::{TARGETS, rust_for};

/// A program, how to see that it is there, and the package of Debian that has it.
struct Needed {
    what: &'static str,
    probe: &'static [&'static str],
    package: &'static str,
}

const SYSTEM: &[Needed] = &[
    Needed { what: "git", probe: &["git", "--version"], package: "git" },
    Needed { what: "python3", probe: &["python3", "--version"], package: "python3" },
    Needed { what: "pip of python3", probe: &["python3", "-m", "pip", "--version"], package: "python3-pip" },
    Needed { what: "node", probe: &["node", "--version"], package: "nodejs" },
    Needed { what: "npm", probe: &["npm", "--version"], package: "npm" },
    Needed { what: "chromium", probe: &["chromium", "--version"], package: "chromium" },
];

/// Parts of Rust that rustup installs by name.
const RUSTUP: &[Needed] = &[
    Needed { what: "rustfmt", probe: &["cargo", "fmt", "--version"], package: "rustfmt" },
    Needed { what: "clippy", probe: &["cargo", "clippy", "--version"], package: "clippy" },
];

impl Needed {
    fn missing(&self) -> bool {
        let (program, arguments) = self.probe.split_first().unwrap_or((&"", &[]));
        !Program::new(program).args(arguments).works()
    }
}

/// Programs of the system. Root on Debian has them installed; everybody else reads what is missing.
pub(crate) fn programs() -> End {
    let missing = |list: &'static [Needed]| list.iter().filter(|needed| needed.missing()).collect::<Vec<_>>();
    // An installer that fails has said so; what is missing afterwards is what counts.
    let parts = missing(RUSTUP);
    if !parts.is_empty() {
        let names = parts.iter().map(|needed| needed.package);
        let _ = Program::new("rustup").args(["component", "add"]).args(names).run();
    }
    let programs = missing(SYSTEM);
    if !programs.is_empty() && root_on_debian() {
        let packages: Vec<&str> = programs.iter().map(|needed| needed.package).collect();
        say(&format!("    apt-get install {}", packages.join(" ")));
        let apt = || Program::new("apt-get").env("DEBIAN_FRONTEND", "noninteractive");
        let _ = apt().args(["update", "-qq"]).run();
        let _ = apt().args(["install", "-y", "-qq", "--no-install-recommends"]).args(packages).run();
    }
    let lacking: Vec<String> = missing(RUSTUP)
        .iter()
        .map(|needed| format!("{} (`rustup component add {}`)", needed.what, needed.package))
        .chain(missing(SYSTEM).iter().map(|needed| format!("{} (Debian: `{}`)", needed.what, needed.package)))
        .collect();
    if lacking.is_empty() { End::DONE } else { End::Lacking(format!("missing: {}", lacking.join(", "))) }
}

/// The standard library of Rust for both targets of WebAssembly.
pub(crate) fn rust(layout: &Layout) -> anyhow::Result<End> {
    let mut version = String::new();
    for target in TARGETS {
        version = rust_for(layout, target)?.version;
    }
    Ok(End::Done(version))
}

/// Programs that are installed below `target`.
pub(crate) fn tools(layout: &Layout) -> End {
    let lacking = |package: Package, error: &anyhow::Error| format!("{}: {error:#}", package.requirement());
    let python = COMPONENTIZE_PY.program(layout).err().map(|error| lacking(COMPONENTIZE_PY, &error));
    let schemathesis = SCHEMATHESIS.program(layout).err().map(|error| lacking(SCHEMATHESIS, &error));
    let playwright = server::playwright(layout).err().map(|error| format!("{}: {error:#}", server::PLAYWRIGHT));
    let deny = deny::program(layout).err().map(|error| format!("cargo-deny: {error:#}"));
    let all: Vec<String> = [python, schemathesis, playwright, deny].into_iter().flatten().collect();
    if all.is_empty() { End::DONE } else { End::Lacking(all.join("; ")) }
}

pub(crate) fn root_on_debian() -> bool {
    is_root() && Path::new("/etc/debian_version").exists() && Path::new("/usr/bin/apt-get").exists()
}

#[cfg(unix)]
fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[cfg(not(unix))]
fn is_root() -> bool {
    false
}
