//! Toolchains that are provisioned on first need: pinned, checked by hash, kept below one home directory.
//!
//! A toolchain is a folder `<home>/toolchains/<name>-<pins>`, where `<pins>` is a digest of what was asked for. It counts
//! once its last file, `complete`, is there, so an installation that was killed is taken up again by the next one: the
//! package managers keep what they fetched.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use fs_err as fs;
use walkdir::WalkDir;

use crate::builder::Progress;
use crate::error::BuildError;
use crate::source::sha256;
use crate::store::{lock, write_atomically};

/// What is installed, and how.
pub(crate) struct Package {
    /// The folder's name, such as `javascript`.
    pub(crate) name: &'static str,
    /// The language, as messages name it.
    pub(crate) language: &'static str,
    /// Files that are written before the installation: lock files. Their content is the version.
    pub(crate) pins: &'static [(&'static str, &'static str)],
    /// About how much is fetched and kept.
    pub(crate) megabytes: u32,
    /// Runs the package manager in the folder.
    pub(crate) install: fn(&Path, &dyn Progress) -> Result<(), BuildError>,
    /// What to type when nothing may be fetched.
    pub(crate) command: &'static str,
}

impl Package {
    /// Where it lies or would lie.
    pub(crate) fn folder(&self, home: &Path) -> PathBuf {
        let pins: Vec<u8> =
            self.pins.iter().flat_map(|(name, text)| [*name, "\n", *text, "\n"].concat().into_bytes()).collect();
        let digest = sha256(&pins);
        let short = digest.trim_start_matches("sha256:").get(..12).unwrap_or_default();
        home.join("toolchains").join(format!("{}-{short}", self.name))
    }

    /// Its name with the digest of its pins, which is its version.
    pub(crate) fn version(&self, home: &Path) -> String {
        self.folder(home).file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Whether it is there, whole.
    pub(crate) fn installed(&self, home: &Path) -> bool {
        self.folder(home).join(COMPLETE).exists()
    }

    /// The folder, with everything installed in it.
    pub(crate) fn ensure(&self, home: &Path, offline: bool, progress: &dyn Progress) -> Result<PathBuf, BuildError> {
        let folder = self.folder(home);
        if folder.join(COMPLETE).exists() {
            return Ok(folder);
        }
        fs::create_dir_all(&folder)?;
        let _only_one = lock(&folder.with_extension("lock"))?;
        if folder.join(COMPLETE).exists() {
            return Ok(folder);
        }
        if offline {
            return Err(BuildError::Offline {
                language: self.language,
                missing: self.name,
                megabytes: self.megabytes,
                hint: format!("run `{}` where packages can be fetched", self.command),
            });
        }
        progress.step(&format!("installing the {} toolchain (about {} MB, once)", self.language, self.megabytes));
        for (name, text) in self.pins {
            write_atomically(&folder.join(name), text.as_bytes())?;
        }
        self.install_watched(&folder, progress)?;
        write_atomically(&folder.join(COMPLETE), b"")?;
        Ok(folder)
    }

    /// Runs the package manager, and tells how much of it is there. Package managers say it each in their own way, and none to
    /// a pipe; what they have written so far is the same for all.
    fn install_watched(&self, folder: &Path, progress: &dyn Progress) -> Result<(), BuildError> {
        let (done, finished) = mpsc::channel::<()>();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                while finished.recv_timeout(LOOK_INTERVAL) == Err(mpsc::RecvTimeoutError::Timeout) {
                    progress.amount(bytes_in(folder), u64::from(self.megabytes) << 20);
                }
            });
            let installed = (self.install)(folder, progress);
            drop(done);
            installed
        })
    }
}

/// How often the folder is looked at while something is installed.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// Files come and go meanwhile.
fn bytes_in(folder: &Path) -> u64 {
    let files = WalkDir::new(folder).into_iter().flatten();
    files.filter_map(|file| file.metadata().ok()).filter(std::fs::Metadata::is_file).map(|file| file.len()).sum()
}

/// The file that makes a folder a toolchain.
const COMPLETE: &str = "complete";
