//! The content-addressed store of built components.
//!
//! - `components/<digest>.wasm`: a component, named by its own digest;
//! - `builds/<source digest>.json`: which component a source became, and by which compiler.
//!
//! The store is bounded: the components that were built longest ago go first, and are built again when they are needed.
//!
//! Everything is written to a temporary name, synced and renamed, the component before its record, so that a crash
//! leaves no half artefact.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use fs_err as fs;
use serde::{Deserialize, Serialize};

use crate::error::BuildError;
use crate::source::sha256;

/// How much is kept. A Rust tool has 0.1 MB, a Python tool 20 MB.
const STORE_BYTES: u64 = 1 << 30;

/// The store below one directory.
#[derive(Clone, Debug)]
pub struct ComponentStore {
    root: PathBuf,
}

/// A component on disk whose digest is known. The bytes are checked when they are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredComponent {
    /// `sha256:` and the digest of the component.
    pub digest: String,
    /// Where the component is.
    pub path: PathBuf,
    /// The compiler that made it, as it names itself.
    pub toolchain: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    component: String,
    toolchain: String,
    /// The component's size and time when its digest was last known to be right: as long as the file has them, it is not
    /// read again to find out that it exists. Whoever uses its bytes checks them.
    bytes: u64,
    written: Option<SystemTime>,
}

impl StoredComponent {
    /// The component's bytes, after their digest was checked.
    pub fn read(&self) -> Result<Vec<u8>, BuildError> {
        let bytes = fs::read(&self.path)?;
        let found = sha256(&bytes);
        if found != self.digest {
            return Err(BuildError::Digest { path: self.path.clone(), expected: self.digest.clone(), found });
        }
        Ok(bytes)
    }
}

impl ComponentStore {
    /// Opens the store at `root`, which is created when something is first written.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// What a source was built to, if it was and the component is still whole.
    pub fn get(&self, source: &str) -> Option<StoredComponent> {
        let record: Record = serde_json::from_slice(&fs::read(self.record(source)).ok()?).ok()?;
        let path = self.component(&record.component);
        let metadata = fs::metadata(&path).ok()?;
        let untouched =
            record.written.is_some() && (record.bytes, record.written) == (metadata.len(), metadata.modified().ok());
        let stored = StoredComponent { digest: record.component, path, toolchain: record.toolchain };
        // A damaged component counts as absent: it is built anew and replaced.
        (untouched || stored.read().is_ok()).then_some(stored)
    }

    /// Puts a component into the store as what `source` was built to.
    pub fn put(&self, source: &str, wasm: &[u8], toolchain: &str) -> Result<StoredComponent, BuildError> {
        let digest = sha256(wasm);
        let path = self.component(&digest);
        write_atomically(&path, wasm)?;
        let metadata = fs::metadata(&path)?;
        let record = Record {
            component: digest.clone(),
            toolchain: toolchain.to_owned(),
            bytes: metadata.len(),
            written: metadata.modified().ok(),
        };
        write_atomically(&self.record(source), &serde_json::to_vec(&record).map_err(io::Error::from)?)?;
        self.shrink(STORE_BYTES)?;
        Ok(StoredComponent { digest, path, toolchain: toolchain.to_owned() })
    }

    /// Why no component can be made of a source, if that was found out before.
    pub(crate) fn refusal(&self, source: &str) -> Option<String> {
        fs::read_to_string(self.refused(source)).ok()
    }

    /// Remembers that no component can be made of a source, so that nobody tries again.
    pub(crate) fn refuse(&self, source: &str, because: &str) -> io::Result<()> {
        write_atomically(&self.refused(source), because.as_bytes())
    }

    fn refused(&self, source: &str) -> PathBuf {
        self.root.join("refused").join(source.replace(':', "-"))
    }

    /// Drops the components that were built longest ago until at most `keep_bytes` are left, with their records.
    fn shrink(&self, keep_bytes: u64) -> io::Result<()> {
        let mut records = Vec::new();
        for file in fs::read_dir(self.root.join("builds"))? {
            let path = file?.path();
            let record = fs::read(&path).ok().and_then(|bytes| serde_json::from_slice::<Record>(&bytes).ok());
            if let Some(record) = record {
                let built = fs::metadata(&path)?.modified()?;
                records.push((built, path, self.component(&record.component)));
            }
        }
        records.sort_by_key(|(built, ..)| std::cmp::Reverse(*built));
        let mut kept = std::collections::HashSet::new();
        let mut kept_bytes = 0;
        for (_, record, component) in records {
            // Another process may be dropping the same ones.
            let bytes = fs::metadata(&component).map_or(0, |metadata| metadata.len());
            if kept.contains(&component) {
                continue;
            }
            if kept_bytes + bytes <= keep_bytes {
                kept_bytes += bytes;
                kept.insert(component);
            } else {
                ignore_missing(fs::remove_file(&record))?;
                ignore_missing(fs::remove_file(&component))?;
            }
        }
        Ok(())
    }

    fn component(&self, digest: &str) -> PathBuf {
        self.root.join("components").join(format!("{}.wasm", digest.replace(':', "-")))
    }

    fn record(&self, source: &str) -> PathBuf {
        self.root.join("builds").join(format!("{}.json", source.replace(':', "-")))
    }
}

fn ignore_missing(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Creates a folder, with those above it, that only its owner enters: what is built there runs with what its tool was granted.
/// One that is there stays as it is.
pub fn create_private_dir(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Writes a file that is there whole or not at all, also after a power cut.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    create_private_dir(directory)?;
    let mut temporary = tempfile::NamedTempFile::new_in(directory)?;
    temporary.write_all(bytes)?;
    temporary.as_file().sync_all()?;
    temporary.persist(path)?;
    #[cfg(unix)]
    fs::File::open(directory)?.file().sync_all()?;
    Ok(())
}

/// Waits until nobody else, in this process or another, holds the lock at `path`. It ends when the file is dropped, also
/// when the process is killed. The file itself stays: those who wait must all have opened the same one.
pub(crate) fn lock(path: &Path) -> io::Result<fs::File> {
    if let Some(directory) = path.parent() {
        create_private_dir(directory)?;
    }
    let file = fs::File::create(path)?;
    file.file().lock()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use fs_err as fs;

    use super::ComponentStore;

    #[test]
    fn the_oldest_components_go_first() {
        let root = tempfile::tempdir().unwrap();
        let store = ComponentStore::new(root.path());
        let long_ago = std::time::SystemTime::UNIX_EPOCH;
        store.put("sha256:old", b"12345", "rustc").unwrap();
        fs::File::open(store.record("sha256:old")).unwrap().file().set_modified(long_ago).unwrap();
        store.put("sha256:new", b"67890", "rustc").unwrap();
        store.shrink(5).unwrap();
        assert_eq!((store.get("sha256:old").is_some(), store.get("sha256:new").is_some()), (false, true));
    }

    #[test]
    fn a_damaged_component_counts_as_absent() {
        let root = tempfile::tempdir().unwrap();
        let store = ComponentStore::new(root.path());
        let stored = store.put("sha256:source", b"component", "rustc").unwrap();
        assert_eq!(store.get("sha256:source").unwrap().read().unwrap(), b"component");
        fs::write(&stored.path, "componen").unwrap();
        assert_eq!(store.get("sha256:source"), None);
        store.put("sha256:source", b"component", "rustc").unwrap();
        assert_eq!(store.get("sha256:source"), Some(stored));
    }
}
