//! Tools in containers, on a real engine: `cargo xtask test` finds or starts one, and leaves these tests out where there is none.

mod attacks;
mod instead;
mod lifecycle;
mod network;
mod relics;
mod same;
mod waiting;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cortex_runtime::{Allocation, CallOptions, Container, DockerSettings, Execution, Policy, Runtime, Settings};
use fs_err as fs;
use serde_json::Value;
use tempfile::TempDir;

use crate::host::block_on;

/// The engine, as the environment names it.
#[expect(clippy::disallowed_methods, reason = "where the engine is, only the environment knows")]
pub(crate) fn engine() -> DockerSettings {
    let variables = ["PIP_CERT", "PIP_INDEX_URL", "NODE_EXTRA_CA_CERTS", "npm_config_registry"];
    let variables = variables.into_iter().filter_map(|name| Some((name.to_owned(), std::env::var(name).ok()?)));
    DockerSettings {
        host: std::env::var("DOCKER_HOST").ok(),
        variables: variables.collect(),
        ..DockerSettings::default()
    }
}

/// Tools in a folder of their own, and a home that nobody else has: what it leaves behind on the engine is its own.
pub(crate) struct Place {
    folder: TempDir,
    pub(crate) home: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), home: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn manifests(&self) -> &Path {
        self.folder.path()
    }

    /// A runtime of a process that makes many calls.
    pub(crate) fn runtime(&self) -> Runtime {
        self.runtime_with(|settings| settings)
    }

    pub(crate) fn runtime_with(&self, change: impl FnOnce(Settings) -> Settings) -> Runtime {
        let settings = Settings {
            manifests: vec![self.folder.path().to_owned()],
            allocation: Allocation::Pooled { calls: 10 },
            docker: engine(),
            ..Settings::new(self.home.path())
        };
        Runtime::new(change(settings)).unwrap()
    }

    /// Writes a tool. `implementation` and `sections` are parts of the manifest in flow style.
    pub(crate) fn add(&self, name: &str, implementation: &str, sections: &str, files: &[(&str, &str)]) -> PathBuf {
        let root = self.folder.path().join(name);
        fs::create_dir_all(&root).unwrap();
        let manifest = format!(
            "kind: Tool\nversion: \"1.0\"\nname: {name}\nsummary: A tool.\nimplementation: {{ backend: docker, {implementation} }}\n\
             parameters: [{{ name: do, type: string, default: nothing }}]\n{sections}\n"
        );
        fs::write(root.join("tool.yml"), manifest).unwrap();
        for (file, text) in files {
            fs::write(root.join(file), text).unwrap();
        }
        root
    }
}

pub(crate) fn call(runtime: &Runtime, tool: &str, input: &Value) -> Arc<Execution> {
    block_on(runtime.call(tool, input, CallOptions::default())).unwrap()
}

/// What the tools of a home have left on the engine: seen by a process that has nothing to do with them.
pub(crate) fn left(home: &Path) -> Vec<Container> {
    let runtime = Runtime::new(Settings { docker: engine(), ..Settings::new(home) }).unwrap();
    let containers = runtime.containers().unwrap();
    runtime.close().unwrap();
    containers
}

/// What an outcome says, for the message of a failed assertion.
pub(crate) fn said(execution: &Execution) -> String {
    let result = execution.result.as_ref().map_or("", |result| result.get());
    let (error, stderr) = (&execution.error, &execution.stderr.text);
    let mut text = format!("{:?} {result} {error:?} {stderr}", execution.ending);
    text.truncate(text.floor_char_boundary(2000));
    text
}

/// Copies one of the standard tools, to run it in a container.
pub(crate) fn copy_standard(name: &str, to: &Path) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../manifests/tools").join(name);
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(&from).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() && path.extension().is_none_or(|end| end != "wasm") {
            fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
        }
    }
    let manifest = fs::read_to_string(to.join("tool.yml")).unwrap();
    let manifest = manifest.replacen("\nimplementation:\n", "\nimplementation:\n  backend: docker\n", 1);
    // A machine that is busy with other tests takes its time.
    let manifest = manifest.replace("timeout: 10", "timeout: 300").replace("timeout: 5", "timeout: 300");
    fs::write(to.join("tool.yml"), manifest).unwrap();
}

/// A policy that grants what lies outside of a tool's folder.
pub(crate) fn policy(place: &Place, text: &str) -> Policy {
    let path = place.home.path().join("cortex.yml");
    fs::write(&path, format!("kind: Policy\nversion: \"1.0\"\n{text}\n")).unwrap();
    Policy::open(&path).unwrap()
}
