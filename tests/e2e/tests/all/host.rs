//! What hosts the guests of these tests: one home that all tests and runs share, so that each guest is compiled once, and
//! tools made of guests.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use cortex_runtime::{Allocation, CallOptions, Execution, Runtime, Settings};
use cortex_sandbox::{Call, CompiledCache, Component, Grants, Limits, Outcome, Sandbox, digest};
use fs_err as fs;
use serde_json::Value;
use tempfile::TempDir;

/// Everything in it is addressed by content, so what an earlier run left there is as good as new.
pub(crate) fn home() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("home")
}

/// Runs a future with a timer, on two threads, as the server does.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(future)
}

/// The sandbox that tests share which do not care how its memory is allocated.
pub(crate) fn sandbox() -> &'static Sandbox {
    static SANDBOX: OnceLock<Sandbox> = OnceLock::new();
    SANDBOX.get_or_init(|| Sandbox::new(Allocation::OnDemand).unwrap())
}

/// A guest, compiled.
pub(crate) fn load(sandbox: &Sandbox, guest: &str) -> Component {
    let wasm = guest_artifacts::read(guest);
    let cache = CompiledCache::new(sandbox, home().join("compiled"), u64::MAX);
    cache.load(sandbox, &digest(&wasm), || Ok(wasm)).unwrap().0
}

/// Calls a guest of the command or the tool contract, or the only function of another, with nothing granted.
pub(crate) fn invoke(guest: &str, input: Value, limits: &Limits) -> Outcome {
    invoke_function(guest, None, input, limits)
}

/// Calls a function of a guest.
#[expect(clippy::needless_pass_by_value, reason = "callers write `json!` in its place")]
pub(crate) fn invoke_function(guest: &str, function: Option<&str>, input: Value, limits: &Limits) -> Outcome {
    invoke_loaded(&load(sandbox(), guest), function, &input, limits)
}

/// The same of a guest that was loaded before.
pub(crate) fn invoke_loaded(component: &Component, function: Option<&str>, input: &Value, limits: &Limits) -> Outcome {
    let (function, grants) = (component.function(function), Arc::new(Grants::none()));
    let call = Call { function, ..Call::new("guest", input, limits, &grants) };
    block_on(sandbox().invoke(component, call))
}

/// A runtime over the shared home, with tools in a folder of its own.
pub(crate) struct Tools {
    folder: TempDir,
    pub(crate) runtime: Runtime,
}

impl Tools {
    pub(crate) fn new() -> Self {
        Self::with(|settings| settings)
    }

    /// With other settings than those of the command line.
    pub(crate) fn with(change: impl FnOnce(Settings) -> Settings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings {
            manifests: vec![folder.path().to_owned()],
            allocation: Allocation::OnDemand,
            ..Settings::new(home())
        };
        Self { runtime: Runtime::new(change(settings)).unwrap(), folder }
    }

    /// Adds a guest as a tool. `parameters` are names and types, `sections` is more of the manifest.
    pub(crate) fn add(&self, name: &str, guest: &str, parameters: &[(&str, &str)], resources: &str, sections: &str) {
        let root = self.folder.path().join(name);
        fs::create_dir_all(&root).unwrap();
        fs::copy(guest_artifacts::check(guest), root.join("guest.wasm")).unwrap();
        let parameters: Vec<String> =
            parameters.iter().map(|(name, kind)| format!("{{ name: {name}, type: {kind} }}")).collect();
        let parameters = parameters.join(", ");
        let manifest = format!(
            "kind: Tool\nversion: \"1.0\"\nname: {name}\nsummary: A guest.\nimplementation:\n  runtime: component\n  \
             entrypoint: ./guest.wasm\n  resources: {{ {resources} }}\nparameters: [{parameters}]\n{sections}"
        );
        fs::write(root.join("tool.yml"), manifest).unwrap();
    }

    /// A tool's folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Calls a tool by name or path.
    pub(crate) fn call(&self, tool: &str, input: Value) -> Arc<Execution> {
        self.call_with(tool, input, CallOptions::default())
    }

    #[expect(clippy::needless_pass_by_value, reason = "a literal reads better than a reference to one")]
    pub(crate) fn call_with(&self, tool: &str, input: Value, options: CallOptions) -> Arc<Execution> {
        block_on(self.runtime.call(tool, &input, options)).unwrap()
    }
}

/// What a test says about a failure: its code, message and hint.
pub(crate) fn said(execution: &Execution) -> String {
    let error = execution.error.as_ref().expect("the call failed");
    format!("{}: {} ({})", error.code, error.message, error.hint.as_deref().unwrap_or("no hint"))
}

/// An outcome for the message of a failed assertion: its contents may have megabytes.
pub(crate) fn brief(outcome: &Outcome) -> String {
    let mut text = format!("{outcome:?}");
    text.truncate(text.floor_char_boundary(1000));
    text
}
