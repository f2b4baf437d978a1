//! Components that are shipped beside their source, with a lock that ties the two together.
//!
//! A machine without any compiler can run a tool whose folder holds `artefact.lock` and the component it names, as long
//! as the source is the one that was built. When the source changes, the lock no longer fits and the tool is built.

use std::path::Path;

use fs_err as fs;
use serde::{Deserialize, Serialize};

use crate::error::BuildError;

/// The lock's name in a tool's folder.
pub const ARTEFACT_LOCK: &str = "artefact.lock";

/// The name of a tool's shipped component in its folder.
pub fn artefact_name(tool: &str) -> String {
    format!("{tool}.wasm")
}

/// Which source a shipped component was built from, and by what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArtefactLock {
    /// The digest of everything that the build depended on but the compiler.
    pub source: String,
    /// The component's digest.
    pub component: String,
    /// The compiler, as it names itself. Building the same source with the same compiler gives the same bytes.
    pub toolchain: String,
}

impl ArtefactLock {
    /// Reads the lock of a tool's folder; `None` when there is none.
    pub fn read(folder: &Path) -> Result<Option<Self>, BuildError> {
        let path = folder.join(ARTEFACT_LOCK);
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| BuildError::Layout {
                tool: folder.display().to_string(),
                problem: format!("`{ARTEFACT_LOCK}` is not valid: {error}"),
                hint: format!("delete `{ARTEFACT_LOCK}`; the tool is then built from its source"),
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes the lock and the component into a tool's folder.
    pub fn write(&self, folder: &Path, tool: &str, component: &[u8]) -> Result<(), BuildError> {
        crate::store::write_atomically(&folder.join(artefact_name(tool)), component)?;
        let mut text = serde_json::to_string_pretty(self).map_err(std::io::Error::from)?;
        text.push('\n');
        crate::store::write_atomically(&folder.join(ARTEFACT_LOCK), text.as_bytes())?;
        Ok(())
    }
}
