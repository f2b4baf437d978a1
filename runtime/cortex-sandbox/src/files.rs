//! The filesystem capability: folders of the host that the operator named, and what is written there.
//!
//! The threat: a guest that reads or writes anything else, or fills the disk. A folder is opened below a base without
//! following a link, wasmtime resolves every path of the guest so that none leaves that folder, and what takes room is counted
//! before it is done. Nothing is opened until the guest asks for its folders.
//!
//! A hard link that somebody made on the host into a folder is a file of that folder: nothing tells it from one.

mod descriptor;
mod quota;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cap_primitives::fs as confined;
use wasmtime::component::{HasSelf, Linker, Resource};
use wasmtime_wasi::filesystem::{Descriptor, Dir};
use wasmtime_wasi::p2::bindings::filesystem::{preopens, types};
use wasmtime_wasi::{FsPerms, OpenMode};

use crate::ending::{Decision, Ending, Failure};
use crate::files::quota::Quota;
use crate::guest::Guest;

/// What a call may write to files. Part of [`Limits`](crate::Limits).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileLimits {
    /// Bytes that are written, whether they are overwritten later or not.
    pub bytes: u64,
    /// Files, folders and links that are created.
    pub created: u64,
    /// Bytes of one path.
    pub path_bytes: u64,
    /// Entries of a folder that is listed.
    pub listed: u64,
}

impl FileLimits {
    /// What a tool gets that asks for nothing more.
    pub(crate) const DEFAULT: Self = Self {
        bytes: 64 << 20,
        created: 1000,
        // What Linux itself takes in one go.
        path_bytes: 4096,
        // wasmtime holds all of them in memory, some hundred bytes each.
        listed: 100_000,
    };
    /// The most that an operator's defaults let a manifest ask for.
    pub(crate) const CEILING: Self = Self { bytes: 64 << 30, created: 1_000_000, path_bytes: 4096, listed: 1_000_000 };
}

/// The limits of files that a manifest or a caller sets; the rest stays as it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileOverrides {
    /// See [`FileLimits::bytes`].
    pub bytes: Option<u64>,
    /// See [`FileLimits::created`].
    pub created: Option<u64>,
    /// See [`FileLimits::path_bytes`].
    pub path_bytes: Option<u64>,
    /// See [`FileLimits::listed`].
    pub listed: Option<u64>,
}

/// A folder of the host that a guest may open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// A folder that nobody but the operator can replace: the tool's own, the workspace, or one that the policy names.
    pub base: PathBuf,
    /// The way from there, empty for the base itself. No step of it may be a link.
    pub below: PathBuf,
    /// Where the guest sees it: an absolute path.
    pub guest: String,
    /// Whether the guest may change what is in it. It may read it in any case: WASI has no folders that are only written.
    pub writable: bool,
}

impl Folder {
    fn open(&self) -> io::Result<std::fs::File> {
        let base = confined::open_ambient_dir(&self.base, cap_primitives::ambient_authority())?;
        // Step by step: a link on the way, which an earlier call may have left there, is no folder.
        let mut steps = self.below.components();
        steps.try_fold(base, |folder, step| confined::open_dir_nofollow(&folder, Path::new(step.as_os_str())))
    }
}

/// What a guest has to do with files, once it has.
#[derive(Debug)]
pub(crate) struct Files {
    pub(crate) quota: Arc<Quota>,
}

/// Takes the place of wasmtime's own functions.
pub(crate) fn add_to_linker(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    preopens::add_to_linker::<_, HasSelf<Guest>>(linker, |guest| guest)?;
    types::add_to_linker::<_, HasSelf<Guest>>(linker, |guest| guest)
}

impl Guest {
    fn files(&mut self) -> &mut Files {
        let limits = self.limits.files;
        self.files.get_or_insert_with(|| Box::new(Files { quota: Arc::new(Quota::new(limits)) }))
    }

    /// Enters that the guest was kept from something in its folders.
    fn refuse_file(&mut self, path: &str, reason: &str, hint: &str) {
        let decision = Decision {
            capability: "filesystem",
            target: path.to_owned(),
            allowed: false,
            rule: None,
            reason: Some(reason.to_owned()),
            request: None,
        };
        let failure = Failure {
            details: Some(serde_json::json!({ "capability": "filesystem", "target": path })),
            ..Failure::new(Ending::Denied.as_str(), format!("`{path}` was refused: {reason}")).with_hint(hint)
        };
        self.refuse(Some(decision), Ending::Denied, failure);
    }
}

impl preopens::Host for Guest {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Resource<Descriptor>, String)>> {
        let grants = Arc::clone(&self.grants);
        let mut opened = Vec::with_capacity(grants.folders.len());
        for folder in &grants.folders {
            let (perms, mode) = if folder.writable {
                (FsPerms::ReadWrite, OpenMode::READ | OpenMode::WRITE)
            } else {
                (FsPerms::ReadOnly, OpenMode::READ)
            };
            match folder.open() {
                Ok(file) => {
                    let descriptor = Descriptor::Dir(Dir::new(file, perms, mode, false));
                    opened.push((self.table.push(descriptor)?, folder.guest.clone()));
                }
                Err(error) => {
                    let host = folder.base.join(&folder.below);
                    let reason = format!("the folder `{}` cannot be opened: {error}", host.display());
                    self.refuse_file(&folder.guest, &reason, "create the folder, or correct `host` in the manifest");
                }
            }
        }
        Ok(opened)
    }
}
