//! Identities of executions, which no two processes of one home can both give.
//!
//! The low bits of an identity are the number of the process that gave it. A process holds its number by a lock on a
//! file, which the operating system drops when the process dies, however it dies. So the same lock tells whether the
//! process behind an execution that never ended is still there.

use std::fmt;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use fs_err as fs;
use serde::Serialize;

/// Which call an execution is: 64 bits, written `exec_` and 16 hexadecimal digits. Later calls have larger identities, so
/// that a database keeps them in order without an index of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExecutionId(u64);

/// Bits below the time that tell processes apart. 51 bits of microseconds last until 2041.
const PROCESS_BITS: u32 = 13;
const PROCESS_MASK: u64 = (1 << PROCESS_BITS) - 1;

/// A text that is no identity of an execution.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no identity of an execution: `exec_` and 16 hexadecimal digits")]
pub struct NoExecutionId(String);

impl ExecutionId {
    pub(crate) fn as_u64(self) -> u64 {
        self.0
    }

    /// As SQLite holds it, whose integers are signed.
    pub(crate) fn to_row(self) -> i64 {
        self.0.cast_signed()
    }

    pub(crate) fn from_row(id: i64) -> Self {
        Self(id.cast_unsigned())
    }

    /// The number of the process that gave it.
    pub(crate) fn process(self) -> u64 {
        self.0 & PROCESS_MASK
    }

    /// When the call began, to some microseconds.
    pub fn began_at(self) -> SystemTime {
        SystemTime::UNIX_EPOCH + std::time::Duration::from_micros(self.0 >> PROCESS_BITS)
    }

    /// The least identity that a call of this time may have.
    pub(crate) fn least_at(time: SystemTime) -> Self {
        let micros = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_micros();
        // Cut, not saturated: after 2041 identities start again from the lowest.
        #[expect(clippy::cast_possible_truncation, reason = "the high bits are meant to go")]
        let micros = micros as u64;
        Self(micros << PROCESS_BITS)
    }
}

impl fmt::Display for ExecutionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exec_{:016x}", self.0)
    }
}

impl FromStr for ExecutionId {
    type Err = NoExecutionId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix("exec_").filter(|digits| digits.len() == 16);
        let id = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let id = id.and_then(|digits| u64::from_str_radix(digits, 16).ok());
        // Somebody's long text is nothing to repeat.
        id.map(Self).ok_or_else(|| NoExecutionId(text.chars().take(64).collect()))
    }
}

impl Serialize for ExecutionId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The identities that this process gives.
#[derive(Debug)]
pub(crate) struct Identities {
    last: AtomicU64,
    process: Process,
}

/// A number that no other living process of this home has.
#[derive(Debug)]
pub(crate) struct Process {
    number: u64,
    /// Held, and so locked, until this process ends. Holds the last identity that was recorded.
    file: fs::File,
}

impl Identities {
    /// Takes the lowest free number. Identities begin after every one that an earlier process of this number has
    /// recorded, even if the clock was set back since.
    pub(crate) fn claim(home: &Path) -> io::Result<Self> {
        let folder = folder(home);
        fs::create_dir_all(&folder)?;
        for number in 0..=PROCESS_MASK {
            let Some(mut file) = lock(&folder, number)? else { continue };
            let mut text = String::new();
            file.read_to_string(&mut text)?;
            let recorded = u64::from_str_radix(text.trim(), 16).unwrap_or_default();
            let last = ExecutionId::least_at(SystemTime::now()).0.max(recorded & !PROCESS_MASK) | number;
            return Ok(Self { last: AtomicU64::new(last), process: Process { number, file } });
        }
        Err(io::Error::other(format!("{} processes use `{}` already", PROCESS_MASK + 1, home.display())))
    }

    /// The identity for a call that begins at `now`.
    pub(crate) fn next(&self, now: SystemTime) -> ExecutionId {
        let time = ExecutionId::least_at(now).0 | self.process.number;
        let mut seen = self.last.load(Ordering::Relaxed);
        loop {
            let next = time.max(seen + (1 << PROCESS_BITS));
            match self.last.compare_exchange_weak(seen, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return ExecutionId(next),
                Err(other) => seen = other,
            }
        }
    }

    /// The number of this process, and the file that holds it.
    pub(crate) fn process(&self) -> io::Result<Process> {
        let Process { number, file } = &self.process;
        Ok(Process { number: *number, file: file.try_clone()? })
    }
}

impl Process {
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Notes the last identity that was recorded.
    pub(crate) fn recorded(&mut self, last: ExecutionId) -> io::Result<()> {
        self.file.rewind()?;
        self.file.write_all(format!("{:016x}", last.0).as_bytes())
    }
}

/// Whether no living process has a number. Not to be asked of this process's own.
pub(crate) fn is_dead(home: &Path, number: u64) -> io::Result<bool> {
    // The lock is dropped again with the file.
    Ok(lock(&folder(home), number)?.is_some())
}

fn folder(home: &Path) -> PathBuf {
    home.join("processes")
}

fn lock(folder: &Path, number: u64) -> io::Result<Option<fs::File>> {
    let path = folder.join(number.to_string());
    let file = fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
    match file.file().try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(std::fs::TryLockError::WouldBlock) => Ok(None),
        Err(std::fs::TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::{ExecutionId, Identities, is_dead};

    #[test]
    fn identities_grow_and_keep_the_process_apart() {
        let home = tempfile::tempdir().unwrap();
        let (one, other) = (Identities::claim(home.path()).unwrap(), Identities::claim(home.path()).unwrap());
        let now = SystemTime::now();
        let (first, second) = (one.next(now), one.next(now));
        assert!(first < second);
        assert_eq!((first.process(), second.process(), other.next(now).process()), (0, 0, 1));
        assert!(!is_dead(home.path(), 1).unwrap());
        drop(other);
        assert!(is_dead(home.path(), 1).unwrap());
    }

    #[test]
    fn a_clock_that_was_set_back_gives_no_identity_twice() {
        let home = tempfile::tempdir().unwrap();
        let later = SystemTime::now() + Duration::from_hours(1);
        let first = {
            let identities = Identities::claim(home.path()).unwrap();
            let id = identities.next(later);
            identities.process().unwrap().recorded(id).unwrap();
            id
        };
        assert!(Identities::claim(home.path()).unwrap().next(SystemTime::now()) > first);
    }

    #[test]
    fn an_identity_is_read_as_it_is_written_and_nothing_else_is() {
        let id: ExecutionId = "exec_0123456789abcdef".parse().unwrap();
        assert_eq!(id.to_string(), "exec_0123456789abcdef");
        for wrong in
            ["", "exec_", "exec_0123456789abcde", "exec_0123456789abcdefg", "0123456789abcdef", "exec_+123456789abcdef"]
        {
            assert!(wrong.parse::<ExecutionId>().is_err(), "{wrong}");
        }
    }
}
