//! The guest programs of `tests/guests`: a constant for each with the path of its component, and a macro for each suite.
//!
//! ```text
//! macro_rules! assert_test_exists {
//!     ($name:ident) => {
//!         #[expect(unused_imports, reason = "only here to make sure that it exists")]
//!         use self::$name as _;
//!     };
//! }
//! guest_artifacts::foreach_limit!(assert_test_exists);
//! ```
//!
//! A guest whose tests are missing is then a compile error that names it (E0432).

use std::path::Path;
use std::time::SystemTime;

use fs_err as fs;

include!(concat!(env!("OUT_DIR"), "/guests.rs"));

/// The bytes of a guest.
///
/// # Panics
/// When it was not built, or was built before its source was last changed: a test must not pass on yesterday's guest.
pub fn read(path: &str) -> Vec<u8> {
    check(path);
    fs::read(path).unwrap_or_else(|error| panic!("{error}; run `cargo xtask guests`"))
}

/// The same path, after it was checked as by [`read`].
///
/// # Panics
/// As [`read`] does.
pub fn check(path: &str) -> &Path {
    let built = modified(Path::new(path)).unwrap_or_else(|| panic!("there is no `{path}`; run `cargo xtask guests`"));
    let sources = SOURCES.iter().find(|(artifact, _)| *artifact == path).map_or(&[][..], |(_, sources)| sources);
    for source in sources {
        let changed = newest(Path::new(source));
        assert!(changed <= built, "`{path}` is older than `{source}`; run `cargo xtask guests`");
    }
    Path::new(path)
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}

/// When a file, or anything in a folder that is no by-product of running it, was last changed.
fn newest(path: &Path) -> SystemTime {
    if !path.is_dir() {
        return modified(path).unwrap_or(SystemTime::UNIX_EPOCH);
    }
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let sources = entries.filter(|entry| entry.file_name() != "__pycache__");
    sources.map(|entry| newest(&entry.path())).max().unwrap_or(SystemTime::UNIX_EPOCH)
}
