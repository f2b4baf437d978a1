//! The guest programs of the tests, from `tests/guests` to `target/guests`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, ensure};
use fs_err as fs;
use serde_json::Value;

use crate::command::{Program, say};
use crate::layout::Layout;
use crate::python::COMPONENTIZE_PY;
use crate::toolchain::rust_for;

const TARGET: &str = "wasm32-wasip2";

/// The component of a stranger: made by componentize-py from WIT that is not ours.
const PYTHON: &str = "foreign_python";

/// Builds all of them. The tests refuse a guest that is older than its source, so every file is as new as this run.
pub(crate) fn build(layout: &Layout) -> anyhow::Result<()> {
    let out = layout.target().join("guests");
    fs::create_dir_all(&out)?;
    let mut names = BTreeSet::from([PYTHON.to_owned()]);
    for wasm in compile(layout)? {
        let name = stem(&wasm)?;
        put(&out, &name, &fs::read(&wasm)?)?;
        names.insert(name);
    }
    for source in files(&layout.guests().join("wat"))? {
        let wasm = wat::parse_file(&source).with_context(|| format!("`{}`", layout.relative(&source)))?;
        let name = stem(&source)?;
        ensure!(names.insert(name.clone()), "two guests are called `{name}`");
        put(&out, &name, &wasm)?;
    }
    // A guest whose source is gone.
    for file in files(&out)? {
        if !names.contains(&stem(&file)?) {
            fs::remove_file(file)?;
        }
    }
    python(layout, &out)
}

/// Compiles the Rust guests and returns what cargo says it made.
fn compile(layout: &Layout) -> anyhow::Result<Vec<PathBuf>> {
    let manifest = layout.guests().join("Cargo.toml");
    let toolchain = rust_for(layout, TARGET)?;
    let mut cargo = Program::new(&toolchain.cargo)
        .args(["build", "--release", "--locked", "--bins", "--examples", "--target", TARGET])
        .args(["--message-format", "json-render-diagnostics", "--manifest-path"])
        .arg(&manifest)
        .arg("--target-dir")
        .arg(layout.target().join("guests-build"))
        .dir(layout.guests());
    for (name, value) in &toolchain.environment {
        cargo = cargo.env(name, value);
    }
    let mut made = Vec::new();
    let worked = cargo.lines(|line| made.extend(made_here(line, &manifest)))?;
    ensure!(worked, "the guests do not compile");
    Ok(made)
}

/// The components that one message of cargo's names, when it is about a package's programs and not its dependencies.
fn made_here(message: &str, manifest: &Path) -> Vec<PathBuf> {
    let Ok(message) = serde_json::from_str::<Value>(message) else { return Vec::new() };
    if message["reason"] != "compiler-artifact" || message["manifest_path"].as_str().map(Path::new) != Some(manifest) {
        return Vec::new();
    }
    let files = message["filenames"].as_array().into_iter().flatten().filter_map(Value::as_str).map(PathBuf::from);
    files.filter(|file| file.extension().is_some_and(|end| end == "wasm")).collect()
}

fn python(layout: &Layout, out: &Path) -> anyhow::Result<()> {
    let source = layout.guests().join("python");
    let built = layout.target().join("guests-build").join(format!("{PYTHON}-{}.wasm", COMPONENTIZE_PY.version()));
    if modified(&built).is_none_or(|built| built < newest(&source)) {
        say("    componentize-py foreign_python");
        let stage = built.with_extension("new");
        COMPONENTIZE_PY
            .program(layout)?
            .args(["-d", "wit", "-w", "foreign", "componentize", "-p", ".", "app", "-o"])
            .arg(&stage)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .dir(&source)
            .output()
            .context("the Python guest cannot be built")?;
        fs::rename(&stage, &built)?;
    }
    put(out, PYTHON, &fs::read(&built)?)
}

/// Writes a guest, whole or not at all. One that did not change only becomes new.
fn put(out: &Path, name: &str, wasm: &[u8]) -> anyhow::Result<()> {
    let path = out.join(format!("{name}.wasm"));
    if fs::read(&path).is_ok_and(|old| old == wasm) {
        fs::File::open(&path)?.file().set_modified(SystemTime::now())?;
        return Ok(());
    }
    let stage = path.with_extension("new");
    fs::write(&stage, wasm)?;
    fs::rename(&stage, &path)?;
    Ok(())
}

fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        files.push(entry?.path());
    }
    files.sort();
    Ok(files)
}

fn stem(path: &Path) -> anyhow::Result<String> {
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    Ok(stem.with_context(|| format!("`{}` has no name", path.display()))?.to_owned())
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}

/// When anything in a folder was last changed that is no by-product of running it.
fn newest(path: &Path) -> SystemTime {
    if !path.is_dir() {
        return modified(path).unwrap_or(SystemTime::UNIX_EPOCH);
    }
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let sources = entries.filter(|entry| entry.file_name() != "__pycache__");
    sources.map(|entry| newest(&entry.path())).max().unwrap_or(SystemTime::UNIX_EPOCH)
}
