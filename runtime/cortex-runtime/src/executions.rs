//! What is known of calls, those that have ended and those that go on.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cortex_sandbox::Usage;
use rusqlite::types::Value as Cell;
use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::database;
use crate::error::RuntimeError;
use crate::execution::{Caller, Status};
use crate::flight::{Flight, Flights};
use crate::identity::ExecutionId;

/// The most executions of one page.
const PAGE: usize = 1_000;

/// The executions of a home.
#[derive(Clone, Debug)]
pub struct Executions {
    path: PathBuf,
    /// Those of this process that go on.
    flights: Option<Arc<Flights>>,
}

/// Which executions are wanted. The default is all of them.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of this tool only.
    pub tool: Option<String>,
    /// With this status only.
    pub status: Option<Status>,
    /// Of this session only.
    pub session: Option<String>,
    /// Of this user only.
    pub user: Option<String>,
    /// Older than this one: where the page before has ended.
    pub before: Option<ExecutionId>,
}

/// Some executions, the latest first.
#[derive(Debug, Serialize)]
pub struct Page {
    /// The executions.
    pub executions: Vec<Summary>,
    /// Where the next page begins, if there may be one.
    pub next: Option<ExecutionId>,
}

/// An execution in a list.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Which call it was.
    pub execution_id: ExecutionId,
    /// The tool as it was named by the caller.
    pub tool: String,
    /// How the call stands.
    pub status: Status,
    /// How the call ended; `None` while it goes on.
    pub ending: Option<String>,
    /// Who called.
    #[serde(flatten)]
    pub caller: Caller,
    /// When the call began, as RFC 3339.
    pub started_at: String,
    /// What the call used.
    pub usage: Usage,
    /// Whether the tool was ready to run.
    pub cached: bool,
}

/// All that was recorded of an execution.
#[derive(Debug, Serialize)]
pub struct Record {
    /// What lists show.
    #[serde(flatten)]
    pub summary: Summary,
    /// The digest of the component that ran.
    pub component: Option<String>,
    /// How the tool sees a call.
    pub contract: Option<String>,
    /// What ran it.
    pub backend: Option<String>,
    /// The engine that ran it.
    pub engine: String,
    /// What went wrong.
    pub error: Option<Value>,
    /// What the tool wanted to reach, and whether it was granted.
    pub decisions: Option<Value>,
    /// The JSON document that the tool answered with.
    pub result: Option<Box<RawValue>>,
    /// Standard output, unless it became the result.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// Lines that the tool logged.
    pub log: Option<Value>,
}

/// What came of asking a call to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancelling {
    /// It was asked, and will end.
    Asked,
    /// It had ended before.
    Ended(Status),
    /// There is no such call.
    Unknown,
}

impl Executions {
    /// Those of a home that other processes use.
    pub fn of_home(home: &Path) -> Self {
        Self { path: home.join("executions.db"), flights: None }
    }

    pub(crate) fn of_process(path: &Path, flights: &Arc<Flights>) -> Self {
        Self { path: path.to_owned(), flights: Some(Arc::clone(flights)) }
    }

    /// A page of at most `limit` executions. Blocks.
    pub fn list(&self, filter: &Filter, limit: usize) -> Result<Page, RuntimeError> {
        let limit = limit.clamp(1, PAGE);
        let mut executions = self.read(Vec::new(), |database| select(database, filter, limit))?;
        for summary in &mut executions {
            self.look_again(summary);
        }
        let next = (executions.len() == limit).then(|| executions.last().map(|last| last.execution_id)).flatten();
        Ok(Page { executions, next })
    }

    /// One execution. Blocks.
    pub fn get(&self, id: ExecutionId) -> Result<Option<Record>, RuntimeError> {
        let mut record = self.read(None, |database| {
            let sql = format!("SELECT {SUMMARY}, {DETAILS} FROM executions WHERE id = ?1");
            database.prepare_cached(&sql)?.query_row([id.to_row()], record).optional()
        })?;
        if let Some(record) = &mut record {
            self.look_again(&mut record.summary);
        }
        Ok(record)
    }

    /// Asks a call to stop, in this process or in another. Blocks.
    pub fn cancel(&self, id: ExecutionId) -> Result<Cancelling, RuntimeError> {
        if let Some(flight) = self.flights.as_ref().and_then(|flights| flights.get(id)) {
            flight.cancel();
            return Ok(Cancelling::Asked);
        }
        self.read(Cancelling::Unknown, |database| match database::status(database, id)? {
            None => Ok(Cancelling::Unknown),
            Some(status) if status.is_final() => Ok(Cancelling::Ended(status)),
            Some(_) => database::insert_cancellation(database, id).map(|()| Cancelling::Asked),
        })
    }

    /// The calls of this process that go on, the latest first. Calls that end at once are never among them.
    pub fn in_flight(&self) -> Vec<Arc<Flight>> {
        self.flights.as_ref().map_or_else(Vec::new, |flights| flights.all())
    }

    /// The row was written when the call began.
    fn look_again(&self, summary: &mut Summary) {
        if !summary.status.is_final()
            && let Some(flight) = self.flights.as_ref().and_then(|flights| flights.get(summary.execution_id))
        {
            summary.status = flight.status();
        }
    }

    fn read<T>(&self, none: T, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, RuntimeError> {
        let read = || database::open_to_read(&self.path)?.map_or(Ok(none), |database| read(&database));
        read().map_err(|source| RuntimeError::ReadRecord { path: self.path.clone(), source })
    }
}

const SUMMARY: &str = "id, tool, status, ending, session, user, started_at, fuel, memory_peak_bytes, wall_us, \
                       instantiate_us, http_requests, file_bytes, files_created, random_bytes, state_bytes, \
                       cpu_us, cached";
const DETAILS: &str = "component, contract, backend, engine, error, decisions, result, stdout, stderr, log";

fn select(database: &Connection, filter: &Filter, limit: usize) -> rusqlite::Result<Vec<Summary>> {
    let mut sql = format!("SELECT {SUMMARY} FROM executions WHERE 1");
    let mut values: Vec<Cell> = Vec::new();
    let text = |value: &String| Cell::Text(value.clone());
    let conditions = [
        (" AND tool = ?", filter.tool.as_ref().map(text)),
        (" AND status = ?", filter.status.map(|status| Cell::Text(status.as_str().to_owned()))),
        (" AND session = ?", filter.session.as_ref().map(text)),
        (" AND user = ?", filter.user.as_ref().map(text)),
        (" AND id < ?", filter.before.map(|before| Cell::Integer(before.to_row()))),
    ];
    for (condition, value) in conditions {
        if let Some(value) = value {
            sql.push_str(condition);
            values.push(value);
        }
    }
    sql.push_str(" ORDER BY id DESC LIMIT ?");
    values.push(Cell::Integer(i64::try_from(limit).unwrap_or(i64::MAX)));
    database.prepare_cached(&sql)?.query_map(params_from_iter(values), summary)?.collect()
}

fn summary(row: &Row<'_>) -> rusqlite::Result<Summary> {
    let count = |at: usize| row.get::<_, i64>(at).map(i64::cast_unsigned);
    let text = |at: usize| row.get::<_, Option<String>>(at);
    let status: String = row.get(2)?;
    Ok(Summary {
        execution_id: ExecutionId::from_row(row.get(0)?),
        tool: row.get(1)?,
        // A later version may know more words.
        status: Status::from_name(&status).unwrap_or(Status::Failed),
        ending: text(3)?,
        caller: Caller { session: text(4)?.map(Into::into), user: text(5)?.map(Into::into) },
        started_at: row.get(6)?,
        usage: Usage {
            fuel: count(7)?,
            memory_peak_bytes: count(8)?,
            wall_us: count(9)?,
            instantiate_us: count(10)?,
            http_requests: count(11)?,
            file_bytes: count(12)?,
            files_created: count(13)?,
            random_bytes: count(14)?,
            state_bytes: count(15)?,
            cpu_us: count(16)?,
            // What bodies had is part of the answer, not of the record.
            ..Usage::default()
        },
        cached: row.get(17)?,
    })
}

fn record(row: &Row<'_>) -> rusqlite::Result<Record> {
    let text = |at: usize| row.get::<_, Option<String>>(at);
    let json = |at: usize| Ok::<_, rusqlite::Error>(text(at)?.and_then(|text| serde_json::from_str(&text).ok()));
    Ok(Record {
        summary: summary(row)?,
        component: text(18)?,
        contract: text(19)?,
        backend: text(20)?,
        engine: row.get(21)?,
        error: json(22)?,
        decisions: json(23)?,
        result: text(24)?.and_then(|text| RawValue::from_string(text).ok()),
        stdout: row.get(25)?,
        stderr: row.get(26)?,
        log: json(27)?,
    })
}
