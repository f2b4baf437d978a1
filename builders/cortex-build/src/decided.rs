//! What a folder's source was last time, for as long as nothing in it was touched.
//!
//! A digest reads every file; names, sizes and times are one look at the folder. They say the same unless a file was written
//! twice within the clock's resolution, so nothing is remembered of files that are younger than that.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use fs_err as fs;
use serde::{Deserialize, Serialize};

use crate::source::{Stamp, sha256};
use crate::store::write_atomically;

/// The coarsest clock of a file system that is in use.
const RESOLUTION: Duration = Duration::from_secs(2);

/// The decisions below one home directory.
#[derive(Clone, Debug)]
pub(crate) struct Decisions {
    root: PathBuf,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Decision {
    stamp: u64,
    inputs: String,
    source: String,
}

impl Decisions {
    pub(crate) fn new(home: &Path) -> Self {
        Self { root: home.join("decided") }
    }

    /// The digest of the source, if neither the folder nor anything else that it is made of has changed.
    pub(crate) fn get(&self, folder: &Path, stamp: &Stamp, inputs: &str) -> Option<String> {
        let decision: Decision = serde_json::from_slice(&fs::read(self.path(folder)).ok()?).ok()?;
        (decision.stamp == stamp.hash && decision.inputs == inputs).then_some(decision.source)
    }

    /// Remembers it, unless the folder is too young. What cannot be written is decided anew.
    pub(crate) fn put(&self, folder: &Path, stamp: &Stamp, inputs: &str, source: &str) {
        let settled = stamp.newest.is_none_or(|newest| newest + RESOLUTION < SystemTime::now());
        let decision = Decision { stamp: stamp.hash, inputs: inputs.into(), source: source.into() };
        if settled && let Ok(bytes) = serde_json::to_vec(&decision) {
            let _ = write_atomically(&self.path(folder), &bytes);
        }
    }

    fn path(&self, folder: &Path) -> PathBuf {
        let folder = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
        let digest = sha256(folder.as_os_str().as_encoded_bytes());
        self.root.join(format!("{}.json", digest.get(7..39).unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use fs_err as fs;

    use super::Decisions;
    use crate::source::stamp_of;

    #[test]
    fn a_decision_holds_until_the_folder_or_its_inputs_change() {
        let (home, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let decisions = Decisions::new(home.path());
        let file = folder.path().join("main.js");
        fs::write(&file, "1").unwrap();
        let now = stamp_of(folder.path(), &[]).unwrap();
        decisions.put(folder.path(), &now, "inputs", "source");
        assert_eq!(decisions.get(folder.path(), &now, "inputs"), None, "the file is younger than the clock can tell");

        let settled = crate::source::Stamp { newest: None, ..now };
        decisions.put(folder.path(), &settled, "inputs", "source");
        assert_eq!(decisions.get(folder.path(), &settled, "inputs").as_deref(), Some("source"));
        assert_eq!(decisions.get(folder.path(), &settled, "others"), None);
        fs::write(&file, "22").unwrap();
        assert_eq!(decisions.get(folder.path(), &stamp_of(folder.path(), &[]).unwrap(), "inputs"), None);
    }
}
