//! `cargo xtask fuzz`: coverage-guided fuzzing on the stable toolchain, without compiling any dependency again.
//!
//! What cargo-fuzz does is to compile everything with coverage counters, by a nightly compiler. Here only our own crates are
//! compiled with them: cargo calls this very program in place of rustc for the packages of the workspace, and it adds the
//! flags. wasmtime and all the rest come from the ordinary build. libFuzzer is taken from the crate `libfuzzer-sys`.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail, ensure};
use fs_err as fs;
use serde_json::Value;

use crate::command::{Program, say};
use crate::layout::Layout;

/// What is fuzzed, and the most bytes that an input of it has.
const TARGETS: &[(&str, u32)] = &[("manifest", 8192), ("rules", 1024), ("values", 4096), ("invoke", 16_384)];

/// The packages that get coverage counters, as crates.
const COUNTED: &[&str] = &["cortex_manifest", "cortex_sandbox", "fuzz"];

/// Programs at the same time.
const AT_ONCE: usize = 2;

/// Modules that wasm-smith makes for a run.
const MODULES: u32 = 500;

/// Fuzzes each target for so long, or the one that is named. Says what came of it.
pub(crate) fn run(layout: &Layout, seconds: u32, only: Option<&str>) -> anyhow::Result<String> {
    let targets: Vec<_> = TARGETS.iter().filter(|(name, _)| only.is_none_or(|only| only == *name)).collect();
    let names = TARGETS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    ensure!(!targets.is_empty(), "there is no such target; there are {names}");
    fs::create_dir_all(folder(layout))?;
    let generator = generator(layout)?;
    build(layout)?;
    make_modules(layout, &generator)?;
    let waiting = Mutex::new(targets.into_iter());
    let next = || waiting.lock().ok()?.next();
    let results: Vec<anyhow::Result<String>> = std::thread::scope(|scope| {
        let work =
            || std::iter::from_fn(next).map(|(name, bytes)| fuzz(layout, name, *bytes, seconds)).collect::<Vec<_>>();
        let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(work)).collect();
        let joined = workers.into_iter().map(std::thread::ScopedJoinHandle::join);
        joined.flat_map(|results| results.unwrap_or_else(|_| vec![Err(anyhow::anyhow!("a worker panicked"))])).collect()
    });
    let lines = results.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    Ok(lines.join("; "))
}

fn folder(layout: &Layout) -> PathBuf {
    layout.target().join("fuzz")
}

/// Builds libFuzzer and the generator of modules, and returns the generator's path.
fn generator(layout: &Layout) -> anyhow::Result<PathBuf> {
    let manifest = layout.fuzz_generator().join("Cargo.toml");
    let cargo = Program::cargo(layout)
        .args(["build", "--release", "--locked", "--message-format", "json-render-diagnostics", "--manifest-path"])
        .arg(manifest)
        .arg("--target-dir")
        .arg(folder(layout).join("generator"));
    let (mut archive, mut program) = (None, None);
    let built = cargo.lines(|line| {
        let Ok(message) = serde_json::from_str::<Value>(line) else { return };
        let is = |reason: &str, package: &str| {
            message["reason"] == reason && message["package_id"].as_str().is_some_and(|id| id.contains(package))
        };
        if is("build-script-executed", "libfuzzer-sys") {
            archive = message["out_dir"].as_str().map(|out| Path::new(out).join("libfuzzer.a"));
        }
        if is("compiler-artifact", "generator") {
            program = message["executable"].as_str().map(PathBuf::from).or(program.take());
        }
    })?;
    ensure!(built, "the generator of modules cannot be built");
    // Where `rustc` below finds it.
    fs::copy(archive.context("cargo does not say where libFuzzer is")?, folder(layout).join("libfuzzer.a"))?;
    program.context("cargo does not say where the generator is")
}

/// Builds the programs. With all packages selected, so that features are those of the ordinary build.
fn build(layout: &Layout) -> anyhow::Result<()> {
    let programs = TARGETS.iter().flat_map(|(name, _)| ["--bin".to_owned(), format!("fuzz_{name}")]);
    // By its place: a build of the workspace may have replaced the file that this process was started from.
    let this = layout.target().join("debug").join("xtask").with_extension(std::env::consts::EXE_EXTENSION);
    let cargo = Program::cargo(layout).args(["build", "--workspace", "--locked", "--features", "fuzz/programs"]);
    cargo.args(programs).env("RUSTC_WORKSPACE_WRAPPER", this).run().context("the fuzz targets cannot be built")
}

/// When cargo calls this program as its rustc: does what rustc does, and how it ended.
pub(crate) fn rustc() -> Option<ExitCode> {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let (compiler, arguments) = arguments.split_first()?;
    if Path::new(compiler).file_stem() != Some(OsStr::new("rustc")) {
        return None;
    }
    let program = Program::in_our_place(compiler).args(arguments).args(more_arguments(arguments));
    Some(if program.run().is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn more_arguments(arguments: &[OsString]) -> Vec<OsString> {
    let mut names = arguments.iter().skip_while(|argument| *argument != "--crate-name").skip(1);
    let name = names.next().and_then(|name| name.to_str()).unwrap_or_default();
    let is_program = TARGETS.iter().any(|(target, _)| name.strip_prefix("fuzz_") == Some(target));
    if !is_program && !COUNTED.contains(&name) {
        return Vec::new();
    }
    let mut more: Vec<OsString> = Vec::new();
    for flag in [
        "opt-level=1",
        "passes=sancov-module",
        "llvm-args=-sanitizer-coverage-level=4",
        "llvm-args=-sanitizer-coverage-inline-8bit-counters",
        "llvm-args=-sanitizer-coverage-pc-table",
        "llvm-args=-sanitizer-coverage-trace-compares",
    ] {
        more.extend(["-C".into(), flag.into()]);
    }
    if let (true, Ok(layout)) = (is_program, Layout::new()) {
        let mut search = OsString::from("native=");
        search.push(folder(&layout));
        more.extend(["-L".into(), search]);
        more.extend(["-l", "static:+whole-archive,-bundle=fuzzer", "-l", "dylib=stdc++"].map(OsString::from));
    }
    more
}

/// Other modules in every run: what one run has not found another may.
fn make_modules(layout: &Layout, generator: &Path) -> anyhow::Result<()> {
    let modules = folder(layout).join("modules");
    if modules.exists() {
        fs::remove_dir_all(&modules)?;
    }
    fs::create_dir_all(&modules)?;
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_secs());
    Program::new(generator).arg(&modules).args([MODULES.to_string(), seed.to_string()]).run()
}

/// One target. What it finds is added to a corpus below `target`; the one in the tree is only read.
fn fuzz(layout: &Layout, name: &str, bytes: u32, seconds: u32) -> anyhow::Result<String> {
    let folder = folder(layout);
    let found = folder.join("corpus").join(name);
    fs::create_dir_all(&found)?;
    let mut program = Program::new(layout.target().join(format!("debug/fuzz_{name}")))
        .arg(&found)
        .arg(layout.root().join("tests/fuzz/corpus").join(name))
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-max_len={bytes}"))
        .arg(format!("-artifact_prefix={}/{name}-", folder.display()))
        .args(["-print_final_stats=1", "-rss_limit_mb=4096", "-timeout=60", "-reload=0"])
        .dir(&folder);
    if name == "invoke" {
        program = program.arg(folder.join("modules"));
    }
    let log = folder.join(format!("{name}.log"));
    let worked = program.logged(&log)?;
    let log_text = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
    if !worked {
        say(&log_text.lines().rev().take(40).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n"));
        let input = log_text.lines().find_map(|line| line.split_once("Test unit written to ")).map(|(_, path)| path);
        bail!(
            "the fuzz target `{name}` failed on `{}`; once it is mended, keep that input in tests/fuzz/corpus/{name}",
            input.unwrap_or("an input that the log tells of")
        );
    }
    let stat =
        |stat: &str| log_text.lines().find_map(|line| line.strip_prefix(&format!("stat::{stat}:")).map(str::trim));
    let runs = stat("number_of_executed_units").context("libFuzzer does not say how often it ran")?;
    let coverage = log_text.lines().rev().find_map(|line| line.split_once(" cov: ")?.1.split(' ').next());
    let peak = stat("peak_rss_mb").unwrap_or("?");
    Ok(format!("{name} {runs} runs, {} edges, {peak} MB", coverage.unwrap_or("?")))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::more_arguments;

    #[test]
    fn only_our_own_crates_are_counted() {
        let arguments = |name: &str| more_arguments(&["--crate-name", name].map(OsString::from)).len();
        assert_eq!((arguments("build_script_build"), arguments("wasmtime"), arguments("xtask")), (0, 0, 0));
        assert_eq!((arguments("cortex_sandbox"), arguments("fuzz_rules")), (12, 18));
    }
}
