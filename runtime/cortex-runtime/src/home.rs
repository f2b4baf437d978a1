//! The home: a folder of its owner alone.
//!
//! What is below it is trusted: compiled code runs outside of the sandbox, components run with what their tools were granted,
//! and the record holds what tools were asked. So nobody else may write there, whatever the rights of a file inside, nor
//! come in at all unless the folder holds other things as well.

use std::io;
use std::path::Path;

use cortex_build::create_private_dir;
use fs_err as fs;

use crate::error::RuntimeError;

/// One of them is in every folder that an earlier process has used as its home.
const SIGNS: &[&str] = &["processes", "secrets.json", "tokens.json", "toolchains"];

/// A folder that everybody may write into, such as the one for temporary files.
const STICKY: u32 = 0o1000;

/// Creates it, or makes sure that what is there is private. A folder of ours that others may enter is closed to them; one
/// that holds something else is not touched, and refused if others may write there.
pub(crate) fn create_home(home: &Path) -> Result<(), RuntimeError> {
    let error = |source: io::Error| RuntimeError::Home { path: home.to_owned(), source };
    create_private_dir(home).map_err(error)?;
    close(home).map_err(error)
}

#[cfg(unix)]
fn close(home: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let metadata = fs::metadata(home)?;
    let (owner, this) = (metadata.uid(), rustix::process::geteuid().as_raw());
    if owner != this {
        return Err(io::Error::other(format!("it belongs to user {owner}, and this process is of user {this}")));
    }
    let mode = metadata.mode() & 0o7777;
    if mode & !0o7700 == 0 {
        return Ok(());
    }
    // What this program puts there is closed by itself; a folder in which others write is not.
    let others_write = mode & 0o022 != 0;
    let used_before = SIGNS.iter().any(|sign| fs::symlink_metadata(home.join(sign)).is_ok());
    let is_ours = used_before || fs::read_dir(home)?.next().is_none();
    match (is_ours && mode & STICKY == 0, others_write) {
        (true, _) => fs::set_permissions(home, PermissionsExt::from_mode(0o700)),
        (false, false) => Ok(()),
        (false, true) => {
            let problem = format!("others may write there (mode {mode:04o}), and it holds what is not this program's");
            Err(io::Error::other(problem))
        }
    }
}

/// Creates a file that only its owner reads, unless it is there. What cannot be created is told by whoever opens it.
pub(crate) fn create_private(file: &Path) {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    fs::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let _ = options.open(file);
}

#[cfg(not(unix))]
fn close(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    use super::create_home;

    fn open_to_all(path: &Path) {
        fs_err::set_permissions(path, PermissionsExt::from_mode(0o777)).unwrap();
    }

    fn mode(path: &Path) -> u32 {
        fs_err::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_home_that_others_may_enter_is_closed_to_them() {
        let folder = tempfile::tempdir().unwrap();
        open_to_all(folder.path());
        create_home(folder.path()).unwrap();
        assert_eq!(mode(folder.path()), 0o700);

        fs_err::create_dir(folder.path().join("processes")).unwrap();
        open_to_all(folder.path());
        create_home(folder.path()).unwrap();
        assert_eq!(mode(folder.path()), 0o700, "one that was used before");
    }

    #[test]
    fn a_folder_with_other_things_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs_err::write(folder.path().join("letter"), "").unwrap();
        open_to_all(folder.path());
        let error = create_home(folder.path()).unwrap_err();
        assert!(error.hint().unwrap().contains("CORTEX_HOME"), "{error:?}");
        assert_eq!(mode(folder.path()), 0o777);
    }
}
