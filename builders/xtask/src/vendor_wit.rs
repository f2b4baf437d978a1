//! `wit/deps`: the WASI packages exactly as the `wasmtime-wasi` in `Cargo.lock` implements them.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use fs_err as fs;
use serde_json::Value;

use crate::command::{Program, say};
use crate::layout::Layout;

const PACKAGES: &[&str] = &["cli", "clocks", "filesystem", "io", "random", "sockets"];

/// Drafts that wasmtime-wasi has no copy of: `keyvalue` as in the crate `wasmtime-wasi-keyvalue`, `logging` as in its
/// proposal.
const DRAFTS: &[&str] = &["keyvalue", "logging"];

pub(crate) fn run(layout: &Layout, check: bool) -> anyhow::Result<()> {
    let source = crate_folder(layout, "wasmtime-wasi")?.join("src/p2/wit/deps");
    let vendored = layout.root().join("wit/deps");
    let mut different = Vec::new();
    for package in PACKAGES {
        let file = format!("{package}.wit");
        let (from, to) = (source.join(&file), vendored.join(&file));
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
        "not what wasmtime-wasi has: {}; run `cargo xtask vendor-wit`",
        different.join(", ")
    );
    Ok(())
}

fn strangers(vendored: &Path) -> anyhow::Result<Vec<String>> {
    let mut strangers = Vec::new();
    for entry in fs::read_dir(vendored)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !PACKAGES.iter().chain(DRAFTS).any(|package| name == format!("{package}.wit")) {
            strangers.push(name);
        }
    }
    Ok(strangers)
}

/// Where cargo keeps the source of a dependency.
fn crate_folder(layout: &Layout, name: &str) -> anyhow::Result<PathBuf> {
    let metadata = Program::cargo(layout).args(["metadata", "--format-version", "1", "--locked"]).output()?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    let mut packages = metadata["packages"].as_array().into_iter().flatten();
    let manifest =
        packages.find(|package| package["name"] == name).and_then(|package| package["manifest_path"].as_str());
    let manifest = manifest.map(Path::new).with_context(|| format!("`{name}` is no dependency"))?;
    Ok(manifest.parent().context("a manifest is in a folder")?.to_owned())
}
