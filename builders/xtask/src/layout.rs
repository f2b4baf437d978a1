//! Where things are in this repository.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use cortex_manifest::{Runtime, ToolSpec};
use fs_err as fs;

/// A tool's manifest in its folder.
pub(crate) const MANIFEST: &str = "tool.yml";

/// The repository.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    root: PathBuf,
}

/// A tool of `manifests/tools` whose component is shipped.
#[derive(Debug)]
pub(crate) struct ShippedTool {
    pub(crate) folder: PathBuf,
    pub(crate) spec: ToolSpec,
}

impl Layout {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let root = fs::canonicalize(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))?;
        ensure!(root.join("wit").is_dir(), "`{}` is not the repository", root.display());
        Ok(Self { root })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The one directory for everything that is built. The tests look for the guests in it.
    pub(crate) fn target(&self) -> PathBuf {
        self.root.join("target")
    }

    /// What `cortex-build` keeps for this program: toolchains above all.
    pub(crate) fn home(&self) -> PathBuf {
        self.target().join("xtask-home")
    }

    pub(crate) fn guests(&self) -> PathBuf {
        self.root.join("tests/guests")
    }

    /// What the fuzz targets need beside the workspace.
    pub(crate) fn fuzz_generator(&self) -> PathBuf {
        self.root.join("tests/fuzz/generator")
    }

    pub(crate) fn guest_crate(&self) -> PathBuf {
        self.root.join("builders/cortex-tool")
    }

    /// The tools that are compiled from Rust, sorted by name.
    pub(crate) fn shipped_tools(&self) -> anyhow::Result<Vec<ShippedTool>> {
        let mut tools = Vec::new();
        for entry in fs::read_dir(self.root.join("manifests/tools"))? {
            let folder = entry?.path();
            let manifest = folder.join(MANIFEST);
            if !manifest.exists() {
                continue;
            }
            let spec = ToolSpec::parse(&manifest, &fs::read_to_string(&manifest)?)
                .with_context(|| format!("`{}`", manifest.display()))?;
            if spec.implementation.runtime == Some(Runtime::Rust) {
                tools.push(ShippedTool { folder, spec });
            }
        }
        tools.sort_by(|one, other| one.folder.cmp(&other.folder));
        Ok(tools)
    }

    /// The packages that are workspaces of their own and are tested on the host: the guest crate and the tools.
    pub(crate) fn host_packages(&self) -> anyhow::Result<Vec<PathBuf>> {
        let tools = self.shipped_tools()?.into_iter().map(|tool| tool.folder);
        let packages = std::iter::once(self.guest_crate()).chain(tools);
        Ok(packages.filter(|folder| folder.join("Cargo.toml").exists()).collect())
    }

    /// How a path is named in a message.
    pub(crate) fn relative<'a>(&self, path: &'a Path) -> std::path::Display<'a> {
        path.strip_prefix(&self.root).unwrap_or(path).display()
    }
}
