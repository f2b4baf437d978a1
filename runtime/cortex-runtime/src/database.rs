//! The database of executions: its tables, and the statements of the one thread that writes them.

use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params};

use crate::execution::{Execution, Status, timestamp};
use crate::flight::Flight;
use crate::home::create_private;
use crate::identity::{ExecutionId, is_dead};

/// Raised with every change of the tables, so that a database of an earlier version is recognised.
const VERSION: i64 = 1;

/// SQLite moves the log into the database, and waits for the disk, after this many pages of 4 KiB.
const CHECKPOINT_PAGES: i64 = 8_192;

/// What lists show comes first: SQLite reads a row only as far as it has to. Few rows run, so their index costs nothing.
const SCHEMA: &str = "
CREATE TABLE executions (
    id                INTEGER PRIMARY KEY,
    execution_id      TEXT AS (printf('exec_%016x', id)),
    tool              TEXT NOT NULL,
    status            TEXT NOT NULL,
    ending            TEXT,
    session           TEXT,
    user              TEXT,
    started_at        TEXT NOT NULL,
    component         TEXT,
    contract          TEXT,
    backend           TEXT,
    engine            TEXT NOT NULL,
    wall_us           INTEGER NOT NULL DEFAULT 0,
    instantiate_us    INTEGER NOT NULL DEFAULT 0,
    fuel              INTEGER NOT NULL DEFAULT 0,
    memory_peak_bytes INTEGER NOT NULL DEFAULT 0,
    http_requests     INTEGER NOT NULL DEFAULT 0,
    file_bytes        INTEGER NOT NULL DEFAULT 0,
    files_created     INTEGER NOT NULL DEFAULT 0,
    random_bytes      INTEGER NOT NULL DEFAULT 0,
    state_bytes       INTEGER NOT NULL DEFAULT 0,
    cpu_us            INTEGER NOT NULL DEFAULT 0,
    cached            INTEGER NOT NULL DEFAULT 0,
    error             TEXT,
    decisions         TEXT,
    result            TEXT,
    stdout            TEXT NOT NULL DEFAULT '',
    stderr            TEXT NOT NULL DEFAULT '',
    log               TEXT
);
CREATE INDEX executions_running ON executions (id) WHERE status IN ('pending', 'running');
CREATE TABLE cancellations (id INTEGER PRIMARY KEY);";

/// The first version had no calls that still run, no callers and no decisions.
const FROM_0: &str = "
INSERT INTO executions (id, tool, component, contract, backend, engine, status, ending, started_at, wall_us,
    instantiate_us, fuel, memory_peak_bytes, cached, result, error, stdout, stderr)
SELECT id, tool, component, contract, backend, engine, status, ending, started_at, wall_us,
    instantiate_us, fuel, memory_peak_bytes, cached, result, error, stdout, stderr FROM executions_0;
DROP TABLE executions_0;";

/// Identities are given once, so what is replaced is the row of the same call from when it still ran.
const INSERT: &str = "
INSERT OR REPLACE INTO executions (id, tool, status, ending, session, user, started_at, component, contract, backend,
    engine, wall_us, instantiate_us, fuel, memory_peak_bytes, http_requests, file_bytes, files_created,
    random_bytes, state_bytes, cpu_us, cached, error, decisions, result, stdout, stderr, log)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23,
    ?24, ?25, ?26, ?27, ?28)";

const INSERT_RUNNING: &str = "
INSERT INTO executions (id, tool, status, session, user, started_at, engine) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

const RUNNING: &str = "SELECT id FROM executions WHERE status IN ('pending', 'running')";

const INTERRUPT: &str = "
UPDATE executions SET status = 'interrupted', ending = 'interrupted', error = ?2
WHERE id = ?1 AND status IN ('pending', 'running')";

/// What is said of a call whose process is gone.
const INTERRUPTED: &str =
    r#"{"code":"interrupted","message":"the process that ran the call ended before the call did","hint":"call again"}"#;

const DROP_COUNT: &str = "
DELETE FROM executions WHERE id <= (SELECT id FROM executions ORDER BY id DESC LIMIT 1 OFFSET ?1)
    AND status NOT IN ('pending', 'running')";
const DROP_TENTH: &str = "
DELETE FROM executions WHERE status NOT IN ('pending', 'running') AND id IN
    (SELECT id FROM executions ORDER BY id LIMIT (SELECT count(*) / 10 + 1 FROM executions))";
const DROP_AGE: &str = "DELETE FROM executions WHERE id < ?1 AND status NOT IN ('pending', 'running')";

/// Opens the database for its writer. Processes that start at the same time make its tables once.
pub(crate) fn open(path: &Path) -> rusqlite::Result<Connection> {
    // SQLite gives its log the rights of the database.
    create_private(path);
    let mut database = Connection::open(path)?;
    database.busy_timeout(Duration::from_secs(10))?;
    database.pragma_update(None, "journal_mode", "WAL")?;
    // With a write-ahead log this loses nothing when the process dies, and the last moments when the power fails.
    database.pragma_update(None, "synchronous", "NORMAL")?;
    // Moving the log into the database on every close would cost a one-shot process milliseconds.
    database.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    database.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    if version(&database)? < VERSION {
        let transaction = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
        create(&transaction)?;
        transaction.commit()?;
    }
    Ok(database)
}

/// Opens the database for somebody who reads; `None` when nothing was ever recorded.
pub(crate) fn open_to_read(path: &Path) -> rusqlite::Result<Option<Connection>> {
    if !path.exists() {
        return Ok(None);
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let database = Connection::open_with_flags(path, flags)?;
    database.busy_timeout(Duration::from_secs(10))?;
    // A reader of an old database sees what a writer would make of it.
    if version(&database)? < VERSION { open(path).map(Some) } else { Ok(Some(database)) }
}

fn version(database: &Connection) -> rusqlite::Result<i64> {
    database.query_row("PRAGMA user_version", [], |row| row.get(0))
}

fn create(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    if version(transaction)? >= VERSION {
        return Ok(());
    }
    let named = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'executions'";
    let older = transaction.query_row(named, [], |_| Ok(())).optional()?.is_some();
    if older {
        transaction.execute_batch("ALTER TABLE executions RENAME TO executions_0;")?;
    }
    transaction.execute_batch(SCHEMA)?;
    if older {
        transaction.execute_batch(FROM_0)?;
    }
    transaction.pragma_update(None, "user_version", VERSION)
}

/// Ends the calls on paper whose process is gone. `own` is the number of this process, which has begun none yet.
pub(crate) fn interrupt_the_dead(database: &mut Connection, home: &Path, own: u64) -> rusqlite::Result<()> {
    let running: Vec<i64> = database.prepare(RUNNING)?.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut dead = Vec::new();
    let mut known: Vec<(u64, bool)> = vec![(own, true)];
    for id in running {
        let process = ExecutionId::from_row(id).process();
        let is_gone = if let Some((_, gone)) = known.iter().find(|(number, _)| *number == process) {
            *gone
        } else {
            let gone = is_dead(home, process).unwrap_or(false);
            known.push((process, gone));
            gone
        };
        if is_gone {
            dead.push(id);
        }
    }
    if dead.is_empty() {
        return Ok(());
    }
    let transaction = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for id in dead {
        transaction.prepare_cached(INTERRUPT)?.execute(params![id, INTERRUPTED])?;
        transaction.prepare_cached("DELETE FROM cancellations WHERE id = ?1")?.execute([id])?;
    }
    transaction.commit()
}

/// Those calls of a process that somebody wants stopped who is not in this process.
pub(crate) fn take_cancellations(database: &Connection, own: u64) -> rusqlite::Result<Vec<ExecutionId>> {
    let mut select = database.prepare_cached("SELECT id FROM cancellations")?;
    let all: Vec<i64> = select.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mine: Vec<_> = all.into_iter().map(ExecutionId::from_row).filter(|id| id.process() == own).collect();
    for id in &mine {
        database.prepare_cached("DELETE FROM cancellations WHERE id = ?1")?.execute([id.to_row()])?;
    }
    Ok(mine)
}

/// Drops what is older than `oldest`, and the oldest ones beyond `count`.
pub(crate) fn drop_old(transaction: &Transaction<'_>, count: u64, oldest: SystemTime) -> rusqlite::Result<()> {
    transaction.prepare_cached(DROP_AGE)?.execute([ExecutionId::least_at(oldest).to_row()])?;
    transaction.prepare_cached(DROP_COUNT)?.execute([number(count)])?;
    Ok(())
}

/// Drops the oldest tenth, again and again, while the database is larger than `bytes`. The room is used again.
pub(crate) fn drop_large(transaction: &Transaction<'_>, bytes: u64) -> rusqlite::Result<()> {
    let page: u64 = pragma(transaction, "page_size")?;
    loop {
        let used = pragma(transaction, "page_count")?.saturating_sub(pragma(transaction, "freelist_count")?) * page;
        if used <= bytes || transaction.prepare_cached(DROP_TENTH)?.execute([])? == 0 {
            return Ok(());
        }
    }
}

fn pragma(transaction: &Transaction<'_>, name: &str) -> rusqlite::Result<u64> {
    let value: i64 = transaction.pragma_query_value(None, name, |row| row.get(0))?;
    Ok(u64::try_from(value).unwrap_or(0))
}

/// A call that goes on, so that a crash leaves a trace of it.
pub(crate) fn insert_running(transaction: &Transaction<'_>, flight: &Flight) -> rusqlite::Result<()> {
    transaction.prepare_cached(INSERT_RUNNING)?.execute(params![
        flight.id.to_row(),
        &*flight.tool,
        flight.status().as_str(),
        flight.caller.session.as_deref(),
        flight.caller.user.as_deref(),
        timestamp(flight.started_at),
        cortex_sandbox::ENGINE_VERSION,
    ])?;
    Ok(())
}

pub(crate) fn insert(transaction: &Transaction<'_>, execution: &Execution) -> rusqlite::Result<()> {
    let usage = &execution.usage;
    let decisions = (!execution.decisions.is_empty()).then(|| serde_json::to_string(&execution.decisions).ok());
    transaction.prepare_cached(INSERT)?.execute(params![
        // All 64 bits: `printf('%016x')` in the schema reads a negative one as it was.
        execution.execution_id.to_row(),
        &*execution.tool,
        execution.status.as_str(),
        execution.ending.as_str(),
        execution.caller.session.as_deref(),
        execution.caller.user.as_deref(),
        timestamp(execution.started_at),
        execution.component.as_deref(),
        execution.contract.map(cortex_sandbox::Contract::as_str),
        execution.backend.as_str(),
        execution.engine,
        number(usage.wall_us),
        number(usage.instantiate_us),
        number(usage.fuel),
        number(usage.memory_peak_bytes),
        number(usage.http_requests),
        number(usage.file_bytes),
        number(usage.files_created),
        number(usage.random_bytes),
        number(usage.state_bytes),
        number(usage.cpu_us),
        execution.cached,
        execution.error.as_ref().and_then(|error| serde_json::to_string(error).ok()),
        decisions.flatten(),
        execution.result.as_ref().map(|result| result.get()),
        execution.stdout.text,
        execution.stderr.text,
        (!execution.log.is_empty()).then(|| serde_json::to_string(&execution.log).ok()).flatten(),
    ])?;
    Ok(())
}

/// Asks the process that runs a call to stop it.
pub(crate) fn insert_cancellation(database: &Connection, id: ExecutionId) -> rusqlite::Result<()> {
    database.execute("INSERT OR IGNORE INTO cancellations (id) VALUES (?1)", [id.to_row()])?;
    Ok(())
}

/// The status of a call.
pub(crate) fn status(database: &Connection, id: ExecutionId) -> rusqlite::Result<Option<Status>> {
    let select = "SELECT status FROM executions WHERE id = ?1";
    let status: Option<String> = database.query_row(select, [id.to_row()], |row| row.get(0)).optional()?;
    Ok(status.and_then(|status| Status::from_name(&status)))
}

/// Files of a database beside the database itself.
pub(crate) fn log_bytes(path: &Path) -> io::Result<u64> {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    Ok(fs_err::metadata(Path::new(&log))?.len())
}

fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
