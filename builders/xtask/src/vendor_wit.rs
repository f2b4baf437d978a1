//! `wit/deps`: the WASI packages exactly as the crates of wasmtime in `Cargo.lock` implement them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use fs_err as fs;
use serde_json::Value;

use crate::command::{Program, say};
use crate::layout::Layout;

/// Each package, the crate that implements it, and where that has it.
const PACKAGES: &[(&str, &str, &str)] = &[
    ("cli", WASI, P2),
    ("clocks", WASI, P2),
    ("filesystem", WASI, P2),
    ("http", "wasmtime-wasi-http", "wit/deps"),
    ("io", WASI, P2),
    ("random", WASI, P2),
    ("sockets", WASI, P2),
];
const WASI: &str = "wasmtime-wasi";
const P2: &str = "src/p2/wit/deps";

/// Drafts that wasmtime-wasi has no copy of: `keyvalue` as in the crate `wasmtime-wasi-keyvalue`, `logging` as in its
/// proposal.
const DRAFTS: &[&str] = &["keyvalue", "logging"];

pub(crate) fn run(layout: &Layout, check: bool) -> anyhow::Result<()> {
    let vendored = layout.root().join("wit/deps");
    let mut different = Vec::new();
    let sources = crate_folders(layout)?;
    for (package, crate_name, folder) in PACKAGES {
        let file = format!("{package}.wit");
        let source = sources.get(*crate_name).with_context(|| format!("`{crate_name}` is no dependency"))?;
        let (from, to) = (source.join(folder).join(&file), vendored.join(&file));
        let wanted = fs::read(&from)?;
        if fs::read(&to).is_ok_and(|found| found == wanted) {
            continue;
        }
        if !check {
            fs::write(&to, wanted)?;
            say(&format!("wrote `{}`", layout.relative(&to)));
        }
        different.push(file);
    }
    let strangers = strangers(&vendored)?;
    ensure!(strangers.is_empty(), "not vendored by `cargo xtask vendor-wit`: {}", strangers.join(", "));
    ensure!(
        !check || different.is_empty(),
        "not what the crates have: {}; run `cargo xtask vendor-wit`",
        different.join(", ")
    );
    Ok(())
}

fn strangers(vendored: &Path) -> anyhow::Result<Vec<String>> {
    let mut strangers = Vec::new();
    for entry in fs::read_dir(vendored)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let known = PACKAGES.iter().map(|(package, ..)| package).chain(DRAFTS);
        if !known.into_iter().any(|package| name == format!("{package}.wit")) {
            strangers.push(name);
        }
    }
    Ok(strangers)
}

/// Where cargo keeps the source of each dependency.
fn crate_folders(layout: &Layout) -> anyhow::Result<HashMap<String, PathBuf>> {
    let metadata = Program::cargo(layout).args(["metadata", "--format-version", "1", "--locked"]).output()?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let folder = |package: &Value| {
        let manifest = Path::new(package["manifest_path"].as_str()?);
        Some((package["name"].as_str()?.to_owned(), manifest.parent()?.to_owned()))
    };
    Ok(packages.filter_map(folder).collect())
}
