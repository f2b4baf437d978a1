//! A tool's folder as a source tree: what belongs to it, and its digest.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use cortex_manifest::{Access, ManifestPath, ToolSpec};
use fs_err as fs;
use sha2::{Digest, Sha256};
use walkdir::{DirEntry, WalkDir};

use crate::artefact::ARTEFACT_LOCK;
use crate::error::BuildError;

/// The largest source tree that is built, in files and bytes. A folder with more is a mistake: a home directory, a
/// dependency folder that was not left out.
const FILES: usize = 10_000;
const BYTES: u64 = 256 << 20;

/// Folders that builds and editors make; never source.
const NOT_SOURCE: &[&str] = &["target", "node_modules", "__pycache__"];

/// `sha256:` and the digest of some bytes, in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    format!("sha256:{:x}", Sha256::digest(bytes))
}

/// The files of a tool's folder that a build can see, sorted by path.
#[derive(Clone, Debug)]
pub struct SourceTree {
    root: PathBuf,
    files: Vec<PathBuf>,
}

impl SourceTree {
    /// Lists the folder. Left out are hidden files, folders that builds make, the manifest (the parts of it that matter
    /// to a build are digested separately) and shipped components with their lock. Symbolic links are refused: what
    /// they point to is not part of the folder, so no digest could cover it.
    pub fn read(root: &Path, manifest: &str) -> Result<Self, BuildError> {
        Self::read_without(root, manifest, &[])
    }

    /// The same without the folders in `data`, relative to `root`: those of [`data_folders`].
    pub fn read_without(root: &Path, manifest: &str, data: &[PathBuf]) -> Result<Self, BuildError> {
        let mut files = Vec::new();
        let mut bytes = 0;
        let layout = |problem: String, hint: &str| BuildError::Layout {
            tool: root.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
            problem,
            hint: hint.into(),
        };
        let belongs = |entry: &DirEntry| is_source(entry) && !is_data(root, data, entry);
        for entry in WalkDir::new(root).sort_by_file_name().into_iter().filter_entry(belongs) {
            let entry = entry.map_err(io::Error::from)?;
            if entry.path_is_symlink() && entry.depth() > 0 {
                let problem = format!("`{}` is a symbolic link", entry.path().display());
                return Err(layout(problem, "copy what it points to into the tool's folder"));
            }
            if !entry.file_type().is_file() {
                continue;
            }
            let Ok(path) = entry.path().strip_prefix(root) else { continue };
            let top = path.components().count() == 1;
            let artefact = path.extension().is_some_and(|extension| extension == "wasm");
            if top && (path == Path::new(manifest) || path == Path::new(ARTEFACT_LOCK) || artefact) {
                continue;
            }
            bytes += entry.metadata().map_err(io::Error::from)?.len();
            files.push(path.to_owned());
            if files.len() > FILES || bytes > BYTES {
                let problem = format!("`{}` holds more than {FILES} files or {} MB", root.display(), BYTES >> 20);
                return Err(layout(problem, "keep only the tool's source in its folder"));
            }
        }
        // Sorting by whole path, not folder by folder, is what another implementation would do.
        files.sort();
        Ok(Self { root: root.to_owned(), files })
    }

    /// The digest of all files' paths and contents.
    pub fn digest(&self) -> io::Result<String> {
        let mut hasher = Sha256::new();
        for file in &self.files {
            let content = self.content(file)?;
            // Lengths keep a path's end and a content's start apart; `/` is the same on every system.
            let path = file.to_string_lossy().replace('\\', "/");
            hasher.update((path.len() as u64).to_le_bytes());
            hasher.update(path.as_bytes());
            hasher.update((content.len() as u64).to_le_bytes());
            hasher.update(&content);
        }
        Ok(format!("sha256:{:x}", hasher.finalize()))
    }

    /// The files' paths, relative to the folder, sorted.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Whether a file is part of the tree.
    pub fn contains(&self, file: &str) -> bool {
        self.files.iter().any(|path| path == Path::new(file))
    }

    /// The content of one of the files.
    pub(crate) fn content(&self, file: &Path) -> io::Result<Vec<u8>> {
        fs::read(self.root.join(file))
    }
}

/// The folders below a tool's own that it may write to. What a tool writes is never its source: its next call would be
/// another tool's, and building it would run on the host what was written in the sandbox.
pub fn data_folders(spec: &ToolSpec) -> Vec<PathBuf> {
    let writable = spec.permissions.filesystem.iter().filter(|folder| folder.access != Access::Read);
    writable.filter_map(|folder| ManifestPath::new(folder.host.as_str()).ok()?.as_path().to_owned().into()).collect()
}

fn is_data(root: &Path, data: &[PathBuf], entry: &DirEntry) -> bool {
    let path = entry.path().strip_prefix(root);
    path.is_ok_and(|path| data.iter().any(|folder| path.starts_with(folder)))
}

/// Names, sizes and times of a file, or of everything in a folder that could be part of a tool, but for the folders in
/// `data`. Equal as long as nothing was changed, and much cheaper than a digest.
pub fn stamp(path: &Path, data: &[PathBuf]) -> io::Result<u64> {
    Ok(stamp_of(path, data)?.hash)
}

/// What a look at a folder has shown, without reading its files.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamp {
    pub(crate) hash: u64,
    /// When the youngest file was written or changed.
    pub(crate) newest: Option<SystemTime>,
}

pub(crate) fn stamp_of(path: &Path, data: &[PathBuf]) -> io::Result<Stamp> {
    let mut hasher = DefaultHasher::new();
    let mut newest = None;
    let belongs = |entry: &DirEntry| is_source(entry) && !is_data(path, data, entry);
    for entry in WalkDir::new(path).sort_by_file_name().into_iter().filter_entry(belongs) {
        let entry = entry?;
        let metadata = entry.metadata()?;
        if !metadata.is_dir() {
            let modified = metadata.modified().ok();
            newest = newest.max(modified);
            (entry.path(), metadata.len(), modified, metadata.is_symlink()).hash(&mut hasher);
            // The time that nobody can set: a file that was put back with its old time is another one.
            #[cfg(unix)]
            {
                use std::os::unix::fs::MetadataExt;
                (metadata.ctime(), metadata.ctime_nsec()).hash(&mut hasher);
                let changed = Duration::from_secs(metadata.ctime().unsigned_abs());
                newest = newest.max(Some(SystemTime::UNIX_EPOCH + changed));
            }
        }
    }
    Ok(Stamp { hash: hasher.finish(), newest })
}

fn is_source(entry: &DirEntry) -> bool {
    let name = entry.file_name().to_string_lossy();
    let skipped = name.starts_with('.') || entry.file_type().is_dir() && NOT_SOURCE.contains(&name.as_ref());
    entry.depth() == 0 || !skipped
}

#[cfg(test)]
mod tests {
    use fs_err as fs;

    use super::SourceTree;

    #[test]
    fn the_digest_covers_names_and_contents_and_not_the_manifest() {
        let folder = tempfile::tempdir().unwrap();
        let digest = || SourceTree::read(folder.path(), "tool.yml").unwrap().digest().unwrap();
        fs::write(folder.path().join("main.rs"), "fn main() {}").unwrap();
        let first = digest();
        fs::write(folder.path().join("tool.yml"), "kind: Tool").unwrap();
        fs::write(folder.path().join("tool.wasm"), "artefact").unwrap();
        fs::write(folder.path().join(".env"), "SECRET=1").unwrap();
        assert_eq!(digest(), first);
        fs::rename(folder.path().join("main.rs"), folder.path().join("main2.rs")).unwrap();
        assert_ne!(digest(), first);
    }

    #[test]
    fn what_a_tool_may_write_is_not_its_source() {
        let manifest = "kind: Tool\nversion: \"1.0\"\nname: t\nsummary: S.\nimplementation: { entrypoint: ./a.py }\n\
             permissions: { filesystem: [{ host: ./out/x, guest: /out, access: read-write }, { host: in, guest: /in }] }\n";
        let spec = cortex_manifest::ToolSpec::parse(std::path::Path::new("tool.yml"), manifest).unwrap();
        let data = super::data_folders(&spec);
        assert_eq!(data, [std::path::Path::new("out/x")]);
        let folder = tempfile::tempdir().unwrap();
        for file in ["a.py", "in/read.txt", "out/kept.txt", "out/x/written.py"] {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file).unwrap();
        }
        let stamp = super::stamp(folder.path(), &data).unwrap();
        fs::write(folder.path().join("out/x/more.py"), "more").unwrap();
        let tree = SourceTree::read_without(folder.path(), "tool.yml", &data).unwrap();
        let contained = ["a.py", "in/read.txt", "out/kept.txt", "out/x/written.py"].map(|file| tree.contains(file));
        assert_eq!(contained, [true, true, true, false]);
        assert_eq!(super::stamp(folder.path(), &data).unwrap(), stamp);
    }

    #[cfg(unix)]
    #[test]
    fn a_symbolic_link_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("data")).unwrap();
        assert!(SourceTree::read(folder.path(), "tool.yml").unwrap_err().to_string().contains("symbolic link"));
    }
}
