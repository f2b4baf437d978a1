//! Whose containers are whose.
//!
//! Every container, network and socket carries the home folder that it belongs to and the process that made it. A process holds
//! a lock on a file for as long as it lives, which the system drops however it dies; so what belongs to a file whose lock can
//! be had belongs to nobody.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use cortex_build::sha256;
use fs_err as fs;

use crate::recipe::LABEL;

/// This process, as containers name it.
#[derive(Debug)]
pub(crate) struct Owner {
    home: String,
    process: String,
    folder: PathBuf,
    _lock: fs::File,
}

/// What a container is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It runs a tool.
    Tool,
    /// It carries a tool's requests to the proxy.
    Forwarder,
    /// It is a relic, which outlives processes.
    Relic,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tool => "tool",
            Self::Forwarder => "forwarder",
            Self::Relic => "relic",
        }
    }
}

impl Owner {
    /// Takes the lock of a new process below `home`.
    pub(crate) fn new(home: &Path) -> std::io::Result<Self> {
        let processes = home.join("docker").join("run");
        fs::create_dir_all(&processes)?;
        // The name of a fresh temporary folder is nobody else's.
        let folder = tempfile::Builder::new().prefix("p").rand_bytes(8).tempdir_in(&processes)?.keep();
        let name = folder.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let lock = fs::File::create(folder.join("lock"))?;
        lock.file().lock()?;
        // The socket's folder is seen by containers, which run as somebody else.
        #[cfg(unix)]
        std::os::unix::fs::PermissionsExt::set_mode(&mut fs::metadata(&folder)?.permissions(), 0o711);
        Ok(Self { home: home_id(home), process: name, folder, _lock: lock })
    }

    /// A folder of this process.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn process(&self) -> &str {
        &self.process
    }

    pub(crate) fn home(&self) -> &str {
        &self.home
    }

    /// The labels of something that this process makes.
    pub(crate) fn labels(&self, kind: Kind, name: &str) -> HashMap<String, String> {
        let labels = [("owner", self.home.as_str()), ("process", &self.process), ("kind", kind.name()), ("name", name)];
        labels.into_iter().map(|(key, value)| (format!("{LABEL}{key}"), value.to_owned())).collect()
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        // What is left is found by the next process.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The home folder, as labels name it: short, and nobody reads a path from it.
pub(crate) fn home_id(home: &Path) -> String {
    let home = fs::canonicalize(home).unwrap_or_else(|_| home.to_owned());
    sha256(home.to_string_lossy().as_bytes())[7..23].to_owned()
}

/// Whether a process of this home is gone.
pub(crate) fn is_dead(home: &Path, process: &str) -> bool {
    let plain = process.chars().all(|c| c.is_ascii_alphanumeric());
    let Some(folder) = find(home, process).filter(|_| plain) else { return true };
    match fs::File::open(folder.join("lock")) {
        Ok(lock) => lock.file().try_lock().is_ok(),
        Err(_) => true,
    }
}

/// Folders of processes that are gone.
pub(crate) fn dead_folders(home: &Path, own: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(home.join("docker").join("run")) else { return Vec::new() };
    let folders = entries.flatten().map(|entry| entry.path());
    let name = |folder: &Path| folder.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    folders.filter(|folder| name(folder) != own && is_dead(home, &name(folder))).collect()
}

/// Labels are in lower case, folders are not.
fn find(home: &Path, process: &str) -> Option<PathBuf> {
    let entries = fs::read_dir(home.join("docker").join("run")).ok()?;
    entries
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().to_lowercase() == process))
}
