//! Rust: `cargo build` for a WebAssembly target, and a component from what it wrote.

use std::path::{Path, PathBuf};

use cortex_manifest::{Entrypoint, Target};
use fs_err as fs;
use serde::Deserialize;

use super::rust_toolchain::RustToolchain;
use super::sdk;
use crate::builder::{Compiled, Job, Language, Progress};
use crate::error::BuildError;
use crate::process::Step;
use crate::store::lock;

/// Builds `fn main` programs (the command contract) and libraries of crate type `cdylib` (the tool contract).
#[derive(Debug)]
pub(crate) struct Rust;

/// One line of `cargo build --message-format json`.
#[derive(Debug, Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    manifest_path: PathBuf,
    #[serde(default)]
    filenames: Vec<PathBuf>,
    target: Option<CargoTarget>,
}

#[derive(Debug, Deserialize)]
struct CargoTarget {
    name: String,
}

impl Language for Rust {
    fn fixed_inputs(&self) -> String {
        // The arguments below are part of what a component is made of: raise the number when they change.
        format!("rust 1 {}", sdk::digest())
    }

    fn found(&self, home: &Path) -> Option<String> {
        RustToolchain::find(home, Path::new("."), Target::Wasm32Wasip2.as_str())
    }

    fn provision(&self, home: &Path, offline: bool, progress: &dyn Progress) -> Result<(), BuildError> {
        let target = Target::Wasm32Wasip2.as_str();
        RustToolchain::find_or_provision(home, Path::new("."), target, offline, progress).map(drop)
    }

    /// The standard library for one target, fetched or compiled.
    fn megabytes(&self) -> u32 {
        98
    }

    fn installed_names(&self) -> Vec<&'static str> {
        vec!["rust"]
    }

    fn template(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("tool.yml", include_str!("../../languages/rust/template/tool.yml")),
            ("Cargo.toml", include_str!("../../languages/rust/template/Cargo.toml.txt")),
            ("src/lib.rs", include_str!("../../languages/rust/template/lib.rs")),
        ]
    }

    fn build(&self, job: &Job<'_>) -> Result<Compiled, BuildError> {
        let target = job.spec.implementation.build.target.unwrap_or(Target::Wasm32Wasip2).as_str();
        let manifest = cargo_manifest(job)?;
        let toolchain = RustToolchain::find_or_provision(job.home, &job.stage, target, job.offline, job.progress)?;
        job.progress.step(&format!("compiling {} with {}", job.spec.name, toolchain.version));
        // All tools share a target directory, where programs of one name replace each other: nobody else may build until
        // this one is read.
        let _only_one = lock(&job.home.join("target").join("rust.lock"))?;
        let wasm = fs::read(compile(job, &toolchain, &manifest, target)?)?;
        Ok(Compiled { wasm: componentize(wasm)?, toolchain: toolchain.version })
    }
}

/// The `Cargo.toml` to build: the tool's own, or one that is written for a single source file.
fn cargo_manifest(job: &Job<'_>) -> Result<PathBuf, BuildError> {
    let entrypoint = match &job.spec.implementation.entrypoint {
        Some(Entrypoint::File(path)) => Some(path.as_path()),
        _ => None,
    };
    let layout = |problem: String| BuildError::Layout {
        tool: job.spec.name.to_string(),
        problem,
        hint: "put a `Cargo.toml` in the tool's folder, or name one `.rs` file with `fn main` as the entry point"
            .into(),
    };
    match entrypoint {
        Some(path) if path.file_name().is_some_and(|name| name == "Cargo.toml") => {
            if !job.tree.contains(&path.to_string_lossy()) {
                return Err(layout(format!("there is no `{}`", path.display())));
            }
            Ok(job.stage.join(path))
        }
        _ if job.tree.contains("Cargo.toml") => Ok(job.stage.join("Cargo.toml")),
        Some(path) if path.extension().is_some_and(|extension| extension == "rs") => {
            if !job.tree.contains(&path.to_string_lossy()) {
                return Err(layout(format!("there is no `{}`", path.display())));
            }
            let manifest = job.stage.join("Cargo.toml");
            let text = format!(
                // The prefix keeps names apart that mean something to cargo, such as `test` and `deps`.
                "[package]\nname = \"tool-{}\"\nedition = \"2024\"\n[[bin]]\nname = \"tool-{0}\"\npath = {}\n[workspace]\n",
                job.spec.name,
                toml_string(&path.display().to_string())
            );
            fs::write(&manifest, text)?;
            Ok(manifest)
        }
        Some(path) => Err(layout(format!("`{}` is neither a `Cargo.toml` nor a `.rs` file", path.display()))),
        None => Err(layout("there is no `Cargo.toml` and no entry point".into())),
    }
}

/// Runs cargo and returns the WebAssembly file that it made.
fn compile(job: &Job<'_>, toolchain: &RustToolchain, manifest: &Path, target: &str) -> Result<PathBuf, BuildError> {
    let package = manifest.parent().unwrap_or(&job.stage);
    let mut cargo = Step::new(&toolchain.cargo)
        .args(["build", "--release", "--message-format", "json-render-diagnostics", "--target", target])
        .args(["--manifest-path".as_ref(), manifest.as_os_str()])
        .args(["--target-dir".as_ref(), job.home.join("target").join("rust").as_os_str()])
        .dir(package)
        .env("CARGO_ENCODED_RUSTFLAGS", reproducible_flags(job, toolchain))
        // One profile for all tools unless their `Cargo.toml` says otherwise: small, and no paths for debuggers.
        .env("CARGO_PROFILE_RELEASE_DEBUG", "0")
        .env("CARGO_TERM_COLOR", "never");
    for (name, value) in &toolchain.environment {
        cargo = cargo.env(name, value);
    }
    if job.offline {
        cargo = cargo.args(["--offline"]);
    }
    if package.join("Cargo.lock").exists() {
        cargo = cargo.args(["--locked"]);
    }
    if depends_on_sdk(toolchain, manifest)? {
        // The guest crate is in no registry; a patch that is not used would make cargo complain.
        let path = sdk::unpack(package)?;
        let path = toml_string(&path.display().to_string());
        cargo = cargo.args(["--config", &format!("patch.crates-io.{}.path={path}", sdk::CRATE)]);
    }
    let output = cargo.run()?;
    let messages = output.stdout.lines().filter_map(|line| serde_json::from_str::<Message>(line).ok());
    let artefacts = messages.filter(|m| m.reason == "compiler-artifact" && m.manifest_path == manifest);
    let wasm: Vec<(String, PathBuf)> = artefacts
        .filter_map(|message| {
            let name = message.target?.name;
            let file = message.filenames.into_iter().find(|file| file.extension().is_some_and(|e| e == "wasm"))?;
            Some((name, file))
        })
        .collect();
    let wanted = job.spec.name.as_str();
    let named = |(name, _): &&(String, PathBuf)| name.replace('_', "-") == wanted.replace('_', "-");
    match wasm.as_slice() {
        [(_, only)] => Ok(only.clone()),
        [] => Err(layout(job, "it has neither a `fn main` nor a library of `crate-type = [\"cdylib\"]`".into())),
        several => several.iter().find(named).map(|(_, file)| file.clone()).ok_or_else(|| {
            let programs: Vec<&str> = several.iter().map(|(name, _)| name.as_str()).collect();
            layout(job, format!("it builds several programs: {}", programs.join(", ")))
        }),
    }
}

fn layout(job: &Job<'_>, problem: String) -> BuildError {
    let hint = format!("build one program or one `cdylib`, or give one of them the tool's name, `{}`", job.spec.name);
    BuildError::Layout { tool: job.spec.name.to_string(), problem, hint }
}

/// A basic string of TOML.
fn toml_string(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The part of `cargo metadata` that says what a package depends on.
#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Debug, Deserialize)]
struct Package {
    dependencies: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    name: String,
}

/// Whether a package depends on the guest crate, in whatever way its `Cargo.toml` says so.
fn depends_on_sdk(toolchain: &RustToolchain, manifest: &Path) -> Result<bool, BuildError> {
    let metadata = Step::new(&toolchain.cargo)
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1", "--manifest-path"])
        .args([manifest])
        .dir(manifest.parent().unwrap_or(manifest))
        .run()?;
    let metadata: Metadata = serde_json::from_str(&metadata.stdout).map_err(std::io::Error::from)?;
    let mut dependencies = metadata.packages.iter().flat_map(|package| &package.dependencies);
    Ok(dependencies.any(|dependency| dependency.name == sdk::CRATE))
}

/// Paths of this machine would make components differ from machine to machine, and tell about it.
fn reproducible_flags(job: &Job<'_>, toolchain: &RustToolchain) -> String {
    let mut flags = vec![
        // The folder of all stages, not this tool's: flags that differ would make every tool compile its dependencies anew.
        format!("--remap-path-prefix={}=/tool", job.stage.parent().unwrap_or(&job.stage).display()),
        format!("--remap-path-prefix={}=/cargo", toolchain.cargo_home.display()),
    ];
    flags.extend(toolchain.sysroot_sources.iter().map(|path| format!("--remap-path-prefix={}=/rustc", path.display())));
    flags.join("\u{1f}")
}

/// A component from a core module. `wasm32-wasip2` links a component already; `wasm32-unknown-unknown` writes a module
/// that carries its component type in a custom section.
fn componentize(wasm: Vec<u8>) -> Result<Vec<u8>, BuildError> {
    if !wasm.starts_with(b"\0asm\x01\0\0\0") {
        return Ok(wasm);
    }
    let encode = || wit_component::ComponentEncoder::default().module(&wasm)?.validate(true).encode();
    encode().map_err(|error| BuildError::Componentize(error.into()))
}
