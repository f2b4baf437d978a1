//! Functions that were compiled before, for components that hold the same interpreter.
//!
//! Every Python tool is CPython with a script beside it, and most of its machine code is that of the last one. Cranelift
//! knows a function again by a hash of everything that its code depends on; this keeps the code, in one file beside the
//! compiled components. A file of its own for each of 16,000 functions would take longer to open than to compile.
//!
//! What is kept becomes code that runs, so the file is trusted as a `.cwasm` is: it has to be this user's and to have the
//! digest that it begins with. One that does not is as good as none. Two processes that write at once lose one's additions.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};
use wasmtime::CacheStore;

use crate::cache::{is_private, open_file, write_atomically};

/// Below this, compiling takes less than reading what was kept. Interpreters are above: QuickJS has 1.6 MB and compiles in
/// a second, SpiderMonkey 12 MB, CPython 18 MB.
pub(crate) const LARGE_COMPONENT_BYTES: usize = 4 << 20;

/// The most that is kept. CPython's functions take 32 MB, each further Python tool some 3 MB.
const KEPT_BYTES: usize = 160 << 20;

/// A digest of all that follows.
const HEAD_BYTES: usize = 32;

/// The lengths of a key and of its code, before both.
const LENGTHS_BYTES: usize = 8;

/// The functions known so far, and those that are compiled now.
#[derive(Default)]
pub(crate) struct Functions {
    file: Vec<u8>,
    kept: HashMap<Vec<u8>, Kept>,
    new: Mutex<HashMap<Vec<u8>, Vec<u8>>>,
}

/// Where a function's code is in the file.
struct Kept {
    code: Range<usize>,
    used: AtomicBool,
}

impl Functions {
    /// Those of a file, if it is there and sound; otherwise none.
    pub(crate) fn read(path: &Path) -> Self {
        let Some(file) = read_sound(path) else { return Self::default() };
        let mut kept = HashMap::new();
        let mut at = HEAD_BYTES;
        while let Some((key, code)) = entry_at(&file, at) {
            at = code.end;
            kept.insert(file[key].to_vec(), Kept { code, used: AtomicBool::new(false) });
        }
        Self { file, kept, new: Mutex::default() }
    }

    /// Writes what was kept and what is new, unless nothing is. When all of it is too much, what was not used goes.
    pub(crate) fn write(&self, path: &Path) -> io::Result<()> {
        let new = self.new.lock().unwrap_or_else(PoisonError::into_inner);
        if new.is_empty() {
            return Ok(());
        }
        let of = |used: bool| {
            let kept = self.kept.iter().filter(move |(_, kept)| kept.used.load(Ordering::Relaxed) == used);
            kept.map(|(key, kept)| (key.as_slice(), &self.file[kept.code.clone()]))
        };
        let new = new.iter().map(|(key, code)| (key.as_slice(), code.as_slice()));
        let mut file = vec![0; HEAD_BYTES];
        for (key, code) in of(true).chain(new).chain(of(false)) {
            let (Ok(key_bytes), Ok(code_bytes)) = (u32::try_from(key.len()), u32::try_from(code.len())) else {
                continue;
            };
            if file.len() + LENGTHS_BYTES + key.len() + code.len() > KEPT_BYTES {
                break;
            }
            file.extend_from_slice(&key_bytes.to_le_bytes());
            file.extend_from_slice(&code_bytes.to_le_bytes());
            file.extend_from_slice(key);
            file.extend_from_slice(code);
        }
        let digest = Sha256::digest(&file[HEAD_BYTES..]);
        file[..HEAD_BYTES].copy_from_slice(&digest);
        write_atomically(path, &file)
    }
}

fn read_sound(path: &Path) -> Option<Vec<u8>> {
    let opened = open_file(path)?;
    if !is_private(&opened) {
        return None;
    }
    let mut file = Vec::new();
    opened.take(KEPT_BYTES as u64 + 1).read_to_end(&mut file).ok()?;
    let (head, rest) = file.split_at_checked(HEAD_BYTES)?;
    (Sha256::digest(rest).as_slice() == head).then_some(file)
}

/// The key and the code of the entry that begins at `at`, if there is one.
fn entry_at(file: &[u8], at: usize) -> Option<(Range<usize>, Range<usize>)> {
    let length = |at: usize| Some(u32::from_le_bytes(*file.get(at..)?.first_chunk()?) as usize);
    let key = at + LENGTHS_BYTES..at + LENGTHS_BYTES + length(at)?;
    let code = key.end..key.end + length(at + LENGTHS_BYTES / 2)?;
    (code.end <= file.len()).then_some((key, code))
}

impl std::fmt::Debug for Functions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Functions").field("kept", &self.kept.len()).finish_non_exhaustive()
    }
}

impl CacheStore for Functions {
    fn get(&self, key: &[u8]) -> Option<Cow<'_, [u8]>> {
        let kept = self.kept.get(key)?;
        kept.used.store(true, Ordering::Relaxed);
        Some(Cow::Borrowed(&self.file[kept.code.clone()]))
    }

    fn insert(&self, key: &[u8], value: Vec<u8>) -> bool {
        self.new.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_vec(), value);
        true
    }
}

#[cfg(test)]
mod tests;
