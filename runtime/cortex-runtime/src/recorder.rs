//! Executions in SQLite, written off the call path.
//!
//! A call hands its execution to a channel; one thread writes what has gathered in one transaction. The channel is
//! bounded, so a writer that cannot keep up slows calls down instead of filling memory. What the operating system has
//! taken survives a kill of this process.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, params};

use crate::error::RuntimeError;
use crate::execution::{Execution, timestamp};

/// How many executions may wait for the writer.
const QUEUE: usize = 16_384;

/// How long executions gather before they are written. While the writer sleeps, handing one over costs no system call.
const GATHER: Duration = Duration::from_millis(5);

/// How many executions are kept; the oldest go first.
const KEPT: i64 = 100_000;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS executions (
    sequence          INTEGER PRIMARY KEY,
    execution_id      TEXT NOT NULL UNIQUE,
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
    stderr            TEXT NOT NULL
)";

const INSERT: &str = "
INSERT INTO executions (execution_id, tool, component, contract, backend, engine, status, ending, started_at, wall_us,
    instantiate_us, fuel, memory_peak_bytes, cached, result, error, stdout, stderr)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)";

/// The writer's handle.
#[derive(Debug)]
pub(crate) struct Recorder {
    path: PathBuf,
    sender: Option<SyncSender<Arc<Execution>>>,
    writer: Option<JoinHandle<rusqlite::Result<()>>>,
}

impl Recorder {
    /// Starts the writer. The database is opened on its thread, so that a single call does not wait for it; an error
    /// ends the recording, not the calls, and is what `close` returns.
    pub(crate) fn start(path: PathBuf) -> std::io::Result<Self> {
        let (sender, receiver) = sync_channel(QUEUE);
        let database = path.clone();
        let write = move || write_all(&database, &receiver);
        let writer = std::thread::Builder::new().name("recorder".into()).spawn(write)?;
        Ok(Self { path, sender: Some(sender), writer: Some(writer) })
    }

    /// Hands an execution to the writer. Waits only while the queue is full.
    pub(crate) fn record(&self, execution: &Arc<Execution>) {
        if let Some(sender) = &self.sender {
            // After an error nobody listens; `close` tells of it.
            let _ = sender.send(Arc::clone(execution));
        }
    }

    /// Waits until everything is written.
    pub(crate) fn close(&mut self) -> Result<(), RuntimeError> {
        drop(self.sender.take());
        let writer = self.writer.take();
        if let Some(writer) = &writer {
            writer.thread().unpark();
        }
        match writer.map(JoinHandle::join) {
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
    database.execute_batch(SCHEMA)?;
    Ok(database)
}

fn write_all(path: &Path, receiver: &Receiver<Arc<Execution>>) -> rusqlite::Result<()> {
    let mut database = open(path)?;
    while let Ok(first) = receiver.recv() {
        let transaction = database.transaction()?;
        {
            let mut insert = transaction.prepare_cached(INSERT)?;
            insert_one(&mut insert, &first)?;
            for execution in receiver.try_iter().take(QUEUE) {
                insert_one(&mut insert, &execution)?;
            }
            let last = transaction.last_insert_rowid();
            transaction.prepare_cached("DELETE FROM executions WHERE sequence <= ?1")?.execute([last - KEPT])?;
        }
        transaction.commit()?;
        // `close` wakes the writer.
        std::thread::park_timeout(GATHER);
    }
    Ok(())
}

fn insert_one(insert: &mut rusqlite::Statement<'_>, execution: &Execution) -> rusqlite::Result<()> {
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let usage = &execution.usage;
    insert.execute(params![
        execution.execution_id,
        execution.tool,
        execution.component,
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
    ])?;
    Ok(())
}
