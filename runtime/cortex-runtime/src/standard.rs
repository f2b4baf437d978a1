//! The standard tools: their manifests and components are part of this program, so that a machine without any compiler
//! can run them.

use cortex_build::ArtefactLock;

/// A tool that is part of this program.
#[derive(Debug)]
pub(crate) struct StandardTool {
    pub(crate) name: &'static str,
    pub(crate) manifest: &'static str,
    pub(crate) component: &'static [u8],
    lock: &'static str,
}

macro_rules! standard {
    ($($name:literal),* $(,)?) => {
        &[$(StandardTool {
            name: $name,
            manifest: include_str!(concat!("../../../manifests/tools/", $name, "/tool.yml")),
            component: include_bytes!(concat!("../../../manifests/tools/", $name, "/", $name, ".wasm")),
            lock: include_str!(concat!("../../../manifests/tools/", $name, "/artefact.lock")),
        }),*]
    };
}

/// Sorted by name.
pub(crate) const STANDARD: &[StandardTool] = standard!["calculator", "kv_store"];

impl StandardTool {
    pub(crate) fn find(name: &str) -> Option<&'static Self> {
        STANDARD.iter().find(|tool| tool.name == name)
    }

    /// `None` for a lock that was damaged in the source tree; `xtask artefacts --check` does not let that pass.
    pub(crate) fn lock(&self) -> Option<ArtefactLock> {
        serde_json::from_str(self.lock).ok()
    }
}
