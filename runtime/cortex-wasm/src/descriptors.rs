//! How many files this process may have open.
//!
//! The threat: a tool with a folder opens a file a handle, some thousand times, and the process has none left for the files
//! and connections of other calls. Systems give a process 1,024 to begin with and let it have hundreds of thousands.

/// As many as anybody needs. Not all that the system has: programs that we start inherit the limit, and some walk through it.
#[cfg(unix)]
const WANTED: u64 = 65_536;

/// Raises the limit as far as the system lets us. It is no error to be left with less.
#[cfg(unix)]
pub(crate) fn raise_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let possible = limit.maximum.map_or(WANTED, |maximum| maximum.min(WANTED));
    if limit.current.is_some_and(|current| current < possible) {
        let _as_it_was = setrlimit(Resource::Nofile, Rlimit { current: Some(possible), ..limit });
    }
}

#[cfg(not(unix))]
pub(crate) fn raise_limit() {}
