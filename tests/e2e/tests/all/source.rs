//! A tool's folder for the tests of the languages, and the home that they share.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cortex_build::{BuildError, Built, Silent, Workshop};
use cortex_manifest::ToolSpec;
use cortex_runtime::{Allocation, CallOptions, Execution, Runtime, Settings};
use fs_err as fs;
use serde_json::Value;
use tempfile::TempDir;

use crate::host::block_on;

/// One home for all of these tests and all runs: every toolchain is fetched once.
pub(crate) fn home() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("languages")
}

/// A tool's folder with one parameter of any kind.
pub(crate) struct Source(pub(crate) TempDir);

impl Source {
    pub(crate) fn new(name: &str, implementation: &str, files: &[(&str, &str)]) -> Self {
        let source = Self(tempfile::tempdir().unwrap());
        let manifest = format!(
            "kind: Tool\nversion: \"1.0\"\nname: {name}\nsummary: A tool.\nimplementation: {{ {implementation} }}\n\
             parameters: [{{ name: do, type: string, default: nothing }}]\n"
        );
        source.write("tool.yml", &manifest);
        for (file, text) in files {
            source.write(file, text);
        }
        source
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        let path = self.0.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn spec(&self) -> ToolSpec {
        let path = self.0.path().join("tool.yml");
        ToolSpec::parse(&path, &fs::read_to_string(&path).unwrap()).unwrap()
    }

    pub(crate) fn build(&self, home: &Path, offline: bool) -> Result<Built, BuildError> {
        Workshop::new(home, offline).build(&self.spec(), self.0.path(), "tool.yml", true, &Silent)
    }

    #[expect(clippy::needless_pass_by_value, reason = "a literal reads better than a reference to one")]
    pub(crate) fn call(&self, input: Value) -> Arc<Execution> {
        let settings = Settings { allocation: Allocation::OnDemand, ..Settings::new(home()) };
        let runtime = Runtime::new(settings).unwrap();
        block_on(runtime.call(self.0.path().to_str().unwrap(), &input, CallOptions::default())).unwrap()
    }
}

/// The result of a call that worked.
pub(crate) fn answer(execution: &Execution) -> Value {
    assert_eq!(execution.ending, cortex_runtime::Ending::Success, "{:?}", execution.error);
    serde_json::from_str(execution.result.as_ref().unwrap().get()).unwrap()
}

/// What a program does on the host: its exit code and what it wrote.
pub(crate) fn host(program: &Path, arguments: &[&str], directory: &Path) -> (i32, String, String) {
    #[expect(clippy::disallowed_methods, reason = "compares with what the host does")]
    let mut command = std::process::Command::new(program);
    let output = command.args(arguments).current_dir(directory).env("GOTOOLCHAIN", "local").output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// Another home, which has nothing but the toolchains. Its name is longer, and no URL or shell takes it as it is.
pub(crate) fn another_home() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("another home");
    fs::create_dir(&home).unwrap();
    std::os::unix::fs::symlink(self::home().join("toolchains"), home.join("toolchains")).unwrap();
    (folder, home)
}

/// Builds the same source in two folders and two homes: what the engine's own tool was given (a file of the stage) is the
/// same, and nothing in the component says where it was built. The components themselves differ in a few bytes, because
/// those tools take a picture of an engine that has read the clock and the host's randomness: see `builders/README.md`.
pub(crate) fn assert_the_same_was_compiled(name: &str, implementation: &str, files: &[(&str, &str)], given: &str) {
    let (_kept, elsewhere) = another_home();
    let homes = [home(), elsewhere];
    let given = homes.map(|home| {
        let source = Source::new(name, implementation, files);
        let wasm = source.build(&home, false).unwrap().component.read().unwrap();
        for folder in [&home, source.path()] {
            let folder = folder.to_str().unwrap().as_bytes();
            assert!(!wasm.windows(folder.len()).any(|bytes| bytes == folder), "{name} names a folder of this machine");
        }
        fs::read_to_string(home.join("stage").join(name).join(".cortex").join(given)).unwrap()
    });
    assert_eq!(given[0], given[1], "{name}");
}
