//! Executions in SQLite, written off the call path.
//!
//! A call leaves its execution in a queue; one thread writes what has gathered in one transaction. The queue is bounded,
//! so a writer that cannot keep up slows calls down instead of filling memory. What the operating system has taken
//! survives a kill of this process.
//!
//! Leaving an execution there costs a lock that is free but for once in `GATHER`, and no system call.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, params};

use crate::error::RuntimeError;
use crate::execution::{Execution, timestamp};

/// How many executions may wait for the writer.
const QUEUE: usize = 16_384;

/// How many written executions wait for a caller to let go of them, and how much text such a one may hold.
const WRITTEN: usize = 4_096;
const SMALL_BYTES: usize = 1_024;

/// How long executions gather before they are written.
const GATHER: Duration = Duration::from_millis(5);

/// How many executions are kept. The oldest go first, once in so many new ones: finding where to cut reads them all.
const KEPT: u64 = 100_000;
const DROP_INTERVAL: u64 = 10_000;

/// SQLite moves the log into the database, and waits for the disk, after this many pages of 4 KiB.
const CHECKPOINT_PAGES: i64 = 8_192;

/// A process that ends leaves a log of at most this size: whoever opens the database next reads all of it (1 MB is about
/// 0.5 ms), while moving it into the database waits for the disk.
const WAL_KEPT_BYTES: u64 = 1 << 20;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS executions (
    id                INTEGER PRIMARY KEY,
    execution_id      TEXT AS (printf('exec_%016x', id)),
    tool              TEXT NOT NULL,
    component         TEXT,
    contract          TEXT,
    backend           TEXT NOT NULL,
    engine            TEXT NOT NULL,
    status            TEXT NOT NULL,
    ending            TEXT NOT NULL,
    started_at        TEXT NOT NULL,
    wall_us           INTEGER NOT NULL,
    instantiate_us    INTEGER NOT NULL,
    fuel              INTEGER NOT NULL,
    memory_peak_bytes INTEGER NOT NULL,
    cached            INTEGER NOT NULL,
    result            TEXT,
    error             TEXT,
    stdout            TEXT NOT NULL,
    stderr            TEXT NOT NULL,
    log               TEXT
)";

/// For databases of versions that had no logs.
const ADD_LOG: &str = "ALTER TABLE executions ADD COLUMN log TEXT";

/// Two processes that drew the same random bits, one time in 8192, may name two calls of one microsecond alike. The second is
/// left out then: one row must not end the recording of all others.
const INSERT: &str = "
INSERT OR IGNORE INTO executions (id, tool, component, contract, backend, engine, status, ending, started_at, wall_us,
    instantiate_us, fuel, memory_peak_bytes, cached, result, error, stdout, stderr, log)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)";

const DROP_OLD: &str = "
DELETE FROM executions WHERE id <= (SELECT id FROM executions ORDER BY id DESC LIMIT 1 OFFSET ?1)";

/// The writer's handle.
#[derive(Debug)]
pub(crate) struct Recorder {
    path: PathBuf,
    queue: Arc<Queue>,
    writer: Option<JoinHandle<rusqlite::Result<()>>>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    /// Told when there is something to write, and when there is room again.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    executions: Vec<Arc<Execution>>,
    /// What was written and may go. Callers let go of it: memory that one thread allocates and another frees costs both
    /// of them a lock in most allocators, several times a call.
    written: Vec<Arc<Execution>>,
    /// The writer sleeps until it is told.
    writer_idle: bool,
    closed: bool,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes all that has gathered, waiting for the first. `None` once the queue is closed and empty.
    fn take(&self) -> Option<Vec<Arc<Execution>>> {
        let mut waiting = self.lock();
        while waiting.executions.is_empty() {
            if waiting.closed {
                return None;
            }
            waiting.writer_idle = true;
            waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        waiting.writer_idle = false;
        let taken = std::mem::replace(&mut waiting.executions, Vec::with_capacity(1024));
        drop(waiting);
        self.changed.notify_all();
        Some(taken)
    }

    /// Leaves what was written to the callers, as far as it is small. Large ones go now.
    fn let_go(&self, mut written: Vec<Arc<Execution>>) {
        let bytes = |execution: &Execution| {
            let result = execution.result.as_ref().map_or(0, |result| result.get().len());
            let log: usize = execution.log.iter().map(|line| line.message.len()).sum();
            result + execution.stdout.text.len() + execution.stderr.text.len() + log
        };
        written.retain(|execution| bytes(execution) <= SMALL_BYTES);
        written.truncate(WRITTEN);
        self.lock().written = written;
    }

    /// Sleeps while executions gather, or until the queue is closed.
    fn gather(&self) {
        let waiting = self.lock();
        let _ = self.changed.wait_timeout_while(waiting, GATHER, |w| !w.closed && w.executions.len() < QUEUE);
    }

    fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }
}

impl Recorder {
    /// Starts the writer. The database is opened on its thread, so that a single call does not wait for it; an error
    /// ends the recording, not the calls, and is what `close` returns.
    pub(crate) fn start(path: PathBuf) -> std::io::Result<Self> {
        let queue = Arc::new(Queue::default());
        let (database, executions) = (path.clone(), Arc::clone(&queue));
        let write = move || {
            let written = write_all(&database, &executions);
            // After an error nothing is taken any more; nobody may wait for room.
            executions.close();
            written
        };
        let writer = std::thread::Builder::new().name("recorder".into()).spawn(write)?;
        Ok(Self { path, queue, writer: Some(writer) })
    }

    /// Leaves an execution to the writer. Waits only while the queue is full.
    pub(crate) fn record(&self, execution: &Arc<Execution>) {
        let mut waiting = self.queue.lock();
        while waiting.executions.len() >= QUEUE && !waiting.closed {
            waiting = self.queue.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        if waiting.closed {
            return;
        }
        waiting.executions.push(Arc::clone(execution));
        let written = waiting.written.pop();
        let wake = waiting.writer_idle;
        waiting.writer_idle = false;
        drop(waiting);
        drop(written);
        if wake {
            self.queue.changed.notify_all();
        }
    }

    /// Waits until everything is written.
    pub(crate) fn close(&mut self) -> Result<(), RuntimeError> {
        self.queue.close();
        match self.writer.take().map(JoinHandle::join) {
            Some(Ok(Err(source))) => Err(RuntimeError::Record { path: self.path.clone(), source }),
            Some(Ok(Ok(())) | Err(_)) | None => Ok(()),
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        // Whoever wants to know of errors has called `close`.
        let _ = self.close();
    }
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    let database = Connection::open(path)?;
    database.busy_timeout(Duration::from_secs(10))?;
    database.pragma_update(None, "journal_mode", "WAL")?;
    // With a write-ahead log this loses nothing when the process dies, and the last moments when the power fails.
    database.pragma_update(None, "synchronous", "NORMAL")?;
    // Moving the log into the database on every close would cost a one-shot process milliseconds.
    database.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    database.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    database.execute_batch(SCHEMA)?;
    let has_log = || database.column_exists(None, "executions", "log");
    if !has_log()?
        && let Err(error) = database.execute_batch(ADD_LOG)
        // Another process may have been faster.
        && !has_log()?
    {
        return Err(error);
    }
    Ok(database)
}

fn write_all(path: &Path, queue: &Queue) -> rusqlite::Result<()> {
    let mut database = open(path)?;
    let mut since_dropped = None;
    while let Some(executions) = queue.take() {
        let transaction = database.transaction()?;
        {
            let mut insert = transaction.prepare_cached(INSERT)?;
            for execution in &executions {
                insert_one(&mut insert, execution)?;
            }
            // Processes that make one call each share the work: each begins at a point of its own.
            let begin = || executions.first().map_or(0, |first| first.execution_id.as_u64() % DROP_INTERVAL);
            let count = since_dropped.get_or_insert_with(begin);
            *count += executions.len() as u64;
            if *count >= DROP_INTERVAL {
                *count = 0;
                transaction.prepare_cached(DROP_OLD)?.execute([number(KEPT)])?;
            }
        }
        transaction.commit()?;
        queue.let_go(executions);
        queue.gather();
    }
    if wal_bytes(path) > WAL_KEPT_BYTES {
        database.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    }
    Ok(())
}

/// The size of the write-ahead log beside a database.
fn wal_bytes(path: &Path) -> u64 {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    fs_err::metadata(Path::new(&log)).map_or(0, |metadata| metadata.len())
}

fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn insert_one(insert: &mut rusqlite::Statement<'_>, execution: &Execution) -> rusqlite::Result<()> {
    let usage = &execution.usage;
    insert.execute(params![
        // All 64 bits: SQLite's integers are signed, and `printf('%016x')` in the schema reads them as they were.
        execution.execution_id.as_u64().cast_signed(),
        &*execution.tool,
        execution.component.as_deref(),
        execution.contract.map(cortex_sandbox::Contract::as_str),
        execution.backend.as_str(),
        execution.engine,
        execution.status.as_str(),
        execution.ending.as_str(),
        timestamp(execution.started_at),
        number(usage.wall_us),
        number(usage.instantiate_us),
        number(usage.fuel),
        number(usage.memory_peak_bytes),
        execution.cached,
        execution.result.as_ref().map(|result| result.get()),
        execution.error.as_ref().and_then(|error| serde_json::to_string(error).ok()),
        execution.stdout.text,
        execution.stderr.text,
        (!execution.log.is_empty()).then(|| serde_json::to_string(&execution.log).ok()).flatten(),
    ])?;
    Ok(())
}
