//! State of tools in SQLite: one database, a bucket for every tool.
//!
//! A bucket belongs to a tool of one name at one place. A name alone is the author's to choose: whoever calls a tool
//! `notes` must not read what another `notes` has kept. The `scope` is for buckets that one tool may have several of, one for
//! each session or user, as its manifest says.
//!
//! What a bucket holds is counted in its own row, in the same transaction as every change, so a quota costs no scan. What is
//! kept for a time is not found after it, and removed by the next transaction that writes into its bucket.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use cortex_manifest::StatePer;
use cortex_sandbox::{State, StateError, StateHandle, StateLimits};
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use crate::execution::Caller;
use crate::home::create_private;
use crate::registry::{Tool, ToolSource};

/// How many keys are listed at once.
const PAGE: u64 = 1000;

/// How long to wait for another process that writes. The deadline of a call may be shorter, and does not wait for this.
const BUSY: Duration = Duration::from_secs(5);

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS buckets (
    id    INTEGER PRIMARY KEY,
    tool  TEXT NOT NULL,
    place TEXT NOT NULL,
    scope TEXT NOT NULL,
    keys  INTEGER NOT NULL DEFAULT 0,
    bytes INTEGER NOT NULL DEFAULT 0,
    UNIQUE (tool, place, scope)
);
CREATE TABLE IF NOT EXISTS entries (
    bucket INTEGER NOT NULL REFERENCES buckets (id),
    key    TEXT NOT NULL,
    value  BLOB NOT NULL,
    PRIMARY KEY (bucket, key)
) WITHOUT ROWID";

/// When a value is gone, in milliseconds since 1970; NULL for one that stays. Databases of earlier versions have no such column.
const EXPIRES: &str = "
ALTER TABLE entries ADD COLUMN expires INTEGER;
CREATE INDEX entries_expires ON entries (bucket, expires) WHERE expires IS NOT NULL";

/// The database. Opened when a tool first uses its state: nobody else pays for it.
#[derive(Clone, Debug)]
pub(crate) struct States(Arc<Database>);

#[derive(Debug)]
struct Database {
    path: PathBuf,
    connection: Mutex<Option<Connection>>,
}

/// The values of one tool.
#[derive(Debug)]
struct Bucket {
    database: Arc<Database>,
    tool: String,
    place: String,
    scope: String,
}

impl States {
    /// The database below a home folder.
    pub(crate) fn new(home: &Path) -> Self {
        Self(Arc::new(Database { path: home.join("state.db"), connection: Mutex::new(None) }))
    }

    /// The bucket of a tool that all its calls share.
    pub(crate) fn of_tool(&self, tool: &Tool) -> StateHandle {
        self.of_scope(tool, String::new())
    }

    /// The bucket of a tool for this caller; `None` for a caller that names no session where there is one for each.
    pub(crate) fn of_caller(&self, tool: &Tool, caller: &Caller) -> Option<StateHandle> {
        match tool.spec.permissions.state_per {
            StatePer::Tool => Some(self.of_tool(tool)),
            // Where there are no tokens, everybody is the same user.
            StatePer::User => Some(self.of_scope(tool, format!("user:{}", caller.user.as_deref().unwrap_or_default()))),
            StatePer::Session => {
                let (user, session) = (caller.user.as_deref().unwrap_or_default(), caller.session.as_deref()?);
                // The length keeps two pairs of names from meaning the same bucket.
                Some(self.of_scope(tool, format!("session:{}:{user}:{session}", user.len())))
            }
        }
    }

    fn of_scope(&self, tool: &Tool, scope: String) -> StateHandle {
        let place = match &tool.source {
            ToolSource::Standard => String::new(),
            ToolSource::Folder { root: path, .. } | ToolSource::Component(path) => {
                fs_err::canonicalize(path).unwrap_or_else(|_| path.clone()).to_string_lossy().into_owned()
            }
        };
        StateHandle(Arc::new(Bucket { database: Arc::clone(&self.0), tool: tool.spec.name.to_string(), place, scope }))
    }
}

impl Database {
    fn open(&self) -> rusqlite::Result<Connection> {
        create_private(&self.path);
        let database = Connection::open(&self.path)?;
        database.busy_timeout(BUSY)?;
        database.pragma_update(None, "journal_mode", "WAL")?;
        // With a write-ahead log this loses nothing when the process dies, and the last moments when the power fails.
        database.pragma_update(None, "synchronous", "NORMAL")?;
        database.execute_batch(SCHEMA)?;
        // Two processes may find the column missing at the same time, so it is looked for by whoever may write.
        let transaction = Transaction::new_unchecked(&database, TransactionBehavior::Immediate)?;
        let names = "SELECT count(*) FROM pragma_table_info('entries') WHERE name = 'expires'";
        if transaction.query_row(names, [], |row| row.get::<_, i64>(0))? == 0 {
            transaction.execute_batch(EXPIRES)?;
        }
        transaction.commit()?;
        Ok(database)
    }

    /// Does something in a transaction, which is kept if it worked. `Immediate` for those that write: two that read first
    /// and then both want to write would each refuse the other.
    fn within<T>(
        &self,
        behavior: TransactionBehavior,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StateError>,
    ) -> Result<T, StateError> {
        // A transaction that a panic left behind was rolled back when it was dropped.
        let mut guard = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = match guard.take() {
            Some(connection) => guard.insert(connection),
            None => guard.insert(self.open().map_err(failed)?),
        };
        let transaction = connection.transaction_with_behavior(behavior).map_err(failed)?;
        let done = work(&transaction)?;
        transaction.commit().map_err(failed)?;
        Ok(done)
    }
}

fn failed(error: rusqlite::Error) -> StateError {
    StateError::Database(error.into())
}

fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Milliseconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A value, and when it is gone.
struct Entry {
    value: Vec<u8>,
    expires: Option<i64>,
}

/// A bucket's row.
struct Row {
    id: i64,
    keys: u64,
    bytes: u64,
}

impl Row {
    fn save(&self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        transaction.prepare_cached("UPDATE buckets SET keys = ?2, bytes = ?3 WHERE id = ?1")?.execute(params![
            self.id,
            number(self.keys),
            number(self.bytes)
        ])?;
        Ok(())
    }
}

impl Bucket {
    fn find(&self, transaction: &Transaction<'_>) -> rusqlite::Result<Option<Row>> {
        let mut find = transaction
            .prepare_cached("SELECT id, keys, bytes FROM buckets WHERE tool = ?1 AND place = ?2 AND scope = ?3")?;
        find.query_row(params![self.tool, self.place, self.scope], |row| {
            let count = |index| row.get::<_, i64>(index).map(|count| u64::try_from(count).unwrap_or(0));
            Ok(Row { id: row.get(0)?, keys: count(1)?, bytes: count(2)? })
        })
        .optional()
    }

    /// The row for a transaction that writes, without what is gone.
    fn find_or_create(&self, transaction: &Transaction<'_>) -> rusqlite::Result<Row> {
        if let Some(mut row) = self.find(transaction)? {
            Self::sweep(transaction, &mut row)?;
            return Ok(row);
        }
        transaction
            .prepare_cached("INSERT INTO buckets (tool, place, scope) VALUES (?1, ?2, ?3)")?
            .execute(params![self.tool, self.place, self.scope])?;
        Ok(Row { id: transaction.last_insert_rowid(), keys: 0, bytes: 0 })
    }

    /// Removes what is gone, and counts it off.
    fn sweep(transaction: &Transaction<'_>, row: &mut Row) -> rusqlite::Result<()> {
        let gone = {
            let mut sweep = transaction.prepare_cached(
                "DELETE FROM entries WHERE bucket = ?1 AND expires <= ?2 \
                 RETURNING length(CAST(key AS BLOB)) + length(value)",
            )?;
            let sizes = sweep.query_map(params![row.id, number(now())], |row| row.get::<_, i64>(0))?;
            sizes.map(|size| size.map(|size| u64::try_from(size).unwrap_or(0))).collect::<Result<Vec<_>, _>>()?
        };
        if gone.is_empty() {
            return Ok(());
        }
        row.keys = row.keys.saturating_sub(gone.len() as u64);
        row.bytes = row.bytes.saturating_sub(gone.iter().sum());
        row.save(transaction)
    }

    fn read(transaction: &Transaction<'_>, row: &Row, key: &str) -> rusqlite::Result<Option<Entry>> {
        let mut read = transaction.prepare_cached(
            "SELECT value, expires FROM entries WHERE bucket = ?1 AND key = ?2 AND (expires IS NULL OR expires > ?3)",
        )?;
        let entry = |row: &rusqlite::Row<'_>| Ok(Entry { value: row.get(0)?, expires: row.get(1)? });
        read.query_row(params![row.id, key, number(now())], entry).optional()
    }

    fn write(
        transaction: &Transaction<'_>,
        row: &Row,
        key: &str,
        value: Option<&[u8]>,
        expires: Option<i64>,
        limits: &StateLimits,
    ) -> Result<(), StateError> {
        let size = |value: &[u8]| (key.len() + value.len()) as u64;
        let old = Self::read(transaction, row, key).map_err(failed)?;
        let gone = old.as_ref().map_or(0, |old| size(&old.value));
        let keys = row.keys + u64::from(value.is_some()) - u64::from(old.is_some()).min(row.keys);
        let bytes = row.bytes.saturating_sub(gone) + value.map_or(0, size);
        // What is there may be more than a limit that was lowered since: it can be read, and shrink.
        if keys > limits.keys && keys > row.keys {
            return Err(StateError::Full { what: "more keys", limit: "keys", most: limits.keys });
        }
        if bytes > limits.bytes && bytes > row.bytes {
            return Err(StateError::Full { what: "more bytes of keys and values", limit: "size", most: limits.bytes });
        }
        let write = || -> rusqlite::Result<()> {
            match value {
                Some(value) => transaction
                    .prepare_cached(
                        "INSERT OR REPLACE INTO entries (bucket, key, value, expires) VALUES (?1, ?2, ?3, ?4)",
                    )?
                    .execute(params![row.id, key, value, expires])?,
                None => transaction
                    .prepare_cached("DELETE FROM entries WHERE bucket = ?1 AND key = ?2")?
                    .execute(params![row.id, key])?,
            };
            Row { id: row.id, keys, bytes }.save(transaction)
        };
        write().map_err(failed)
    }

    fn put(
        &self,
        key: &str,
        value: Option<&[u8]>,
        expires: Option<i64>,
        limits: &StateLimits,
    ) -> Result<(), StateError> {
        self.database.within(TransactionBehavior::Immediate, |transaction| {
            let row = self.find_or_create(transaction).map_err(failed)?;
            Self::write(transaction, &row, key, value, expires, limits)
        })
    }
}

impl State for Bucket {
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StateError> {
        self.database.within(TransactionBehavior::Deferred, |transaction| {
            let Some(row) = self.find(transaction).map_err(failed)? else { return Ok(None) };
            Ok(Self::read(transaction, &row, key).map_err(failed)?.map(|entry| entry.value))
        })
    }

    fn set(&self, key: &str, value: Option<&[u8]>, limits: &StateLimits) -> Result<(), StateError> {
        self.put(key, value, None, limits)
    }

    fn set_for(&self, key: &str, value: &[u8], time: Duration, limits: &StateLimits) -> Result<(), StateError> {
        let milliseconds = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.put(key, Some(value), Some(number(now().saturating_add(milliseconds))), limits)
    }

    fn keys(&self, from: u64) -> Result<Vec<String>, StateError> {
        self.database.within(TransactionBehavior::Deferred, |transaction| {
            let Some(row) = self.find(transaction).map_err(failed)? else { return Ok(Vec::new()) };
            let read = || -> rusqlite::Result<Vec<String>> {
                let mut keys = transaction.prepare_cached(
                    "SELECT key FROM entries WHERE bucket = ?1 AND (expires IS NULL OR expires > ?4) \
                     ORDER BY key LIMIT ?2 OFFSET ?3",
                )?;
                keys.query_map(params![row.id, number(PAGE), number(from), number(now())], |row| row.get(0))?.collect()
            };
            read().map_err(failed)
        })
    }

    /// A number is kept as its decimal digits, so that it can be read as text and set as text.
    fn increment(&self, key: &str, delta: u64, limits: &StateLimits) -> Result<u64, StateError> {
        self.database.within(TransactionBehavior::Immediate, |transaction| {
            let row = self.find_or_create(transaction).map_err(failed)?;
            let old = Self::read(transaction, &row, key).map_err(failed)?;
            let parse = |old: &Entry| std::str::from_utf8(&old.value).ok()?.trim().parse::<u64>().ok();
            let sum = old.as_ref().map_or(Some(0), parse).and_then(|number| number.checked_add(delta));
            let sum = sum.ok_or_else(|| StateError::NoNumber(key.to_owned()))?;
            let expires = old.and_then(|old| old.expires);
            Self::write(transaction, &row, key, Some(sum.to_string().as_bytes()), expires, limits)?;
            Ok(sum)
        })
    }

    fn compare_and_swap(
        &self,
        key: &str,
        expected: Option<&[u8]>,
        value: Option<&[u8]>,
        limits: &StateLimits,
    ) -> Result<bool, StateError> {
        self.database.within(TransactionBehavior::Immediate, |transaction| {
            let row = self.find_or_create(transaction).map_err(failed)?;
            let found = Self::read(transaction, &row, key).map_err(failed)?;
            let swaps = found.as_ref().map(|entry| &entry.value[..]) == expected;
            if swaps {
                Self::write(transaction, &row, key, value, None, limits)?;
            }
            Ok(swaps)
        })
    }
}

#[cfg(test)]
mod tests;
