//! Executions in SQLite, written off the call path.
//!
//! A call leaves its execution in a queue; one thread writes what has gathered in one transaction. The queue is bounded,
//! so a writer that cannot keep up slows calls down instead of filling memory. What the operating system has taken
//! survives a kill of this process.
//!
//! Leaving an execution there costs a lock that is free but for once in `GATHER`, and no system call. A caller that must
//! know that its execution is kept waits for the transaction, which it shares with everybody who waits at that moment.
//!
//! A call that goes on is written as well, if it still goes on when the others of its batch are written: a crash leaves a
//! row that says so, and most calls never cause one.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::database;
use crate::error::RuntimeError;
use crate::execution::Execution;
use crate::flight::{Flight, Flights};
use crate::identity::Process;

/// How many entries may wait for the writer.
const QUEUE: usize = 16_384;

/// How much text may wait for the writer, and how much may be written before the database is looked at again. A tool that
/// prints megabytes, called from many threads, is faster than any disk.
const QUEUE_BYTES: usize = 16 << 20;

/// How many written executions wait for a caller to let go of them, and how much text such a one may hold.
const WRITTEN: usize = 4_096;
const SMALL_BYTES: usize = 1_024;

/// How long executions gather that nobody waits for.
const GATHER: Duration = Duration::from_millis(5);

/// How long they gather when somebody waits: the longer the more there were, for each transaction costs as much as ten
/// rows. A single caller does not wait at all.
const GATHER_EACH: Duration = Duration::from_micros(40);
const GATHER_WAITED: Duration = Duration::from_millis(2);

/// How often it is looked up whether another process wants a call stopped, while there are calls that go on.
const LOOK: Duration = Duration::from_millis(200);

/// How many new executions there are from one clearing out of old ones to the next, and how much time at most: finding
/// where to cut reads them all.
const DROP_INTERVAL: u64 = 10_000;
const DROP_TIME: Duration = Duration::from_hours(1);

/// A process that ends leaves a log of at most this size: whoever opens the database next reads all of it (1 MB is about
/// 0.5 ms), while moving it into the database waits for the disk.
const WAL_KEPT_BYTES: u64 = 1 << 20;

/// How long executions are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// The most that are kept.
    pub count: u64,
    /// The longest that one is kept.
    pub age: Duration,
    /// About how large the database may be.
    pub bytes: u64,
}

impl Default for Retention {
    /// 100,000 executions of 90 days: some 100 MB, unless tools say a lot.
    fn default() -> Self {
        Self { count: 100_000, age: Duration::from_hours(90 * 24), bytes: 4 << 30 }
    }
}

/// The writer's handle.
#[derive(Debug)]
pub(crate) struct Recorder {
    path: PathBuf,
    queue: Arc<Queue>,
    writer: Option<JoinHandle<rusqlite::Result<()>>>,
}

/// Told when an entry is in the database. An error means that it never will be.
pub(crate) type Written = oneshot::Receiver<()>;

#[derive(Debug)]
enum What {
    /// A call goes on.
    Began(Arc<Flight>),
    /// A call has ended.
    Ended(Arc<Execution>),
    /// Somebody wants to know when all that came before is written.
    Flush,
}

impl What {
    /// The text that it holds.
    fn bytes(&self) -> usize {
        let Self::Ended(execution) = self else { return 0 };
        let result = execution.result.as_ref().map_or(0, |result| result.get().len());
        let log: usize = execution.log.iter().map(|line| line.message.len()).sum();
        result + execution.stdout.text.len() + execution.stderr.text.len() + log
    }
}

#[derive(Debug)]
struct Entry {
    what: What,
    written: Option<oneshot::Sender<()>>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    /// Told when there is something to write, and when there is room again.
    changed: Condvar,
}

#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, and they are told to one condition")]
struct Waiting {
    entries: Vec<Entry>,
    /// The text of all of them.
    bytes: usize,
    /// Somebody waits for one of them.
    urgent: bool,
    /// What was written and may go. Callers let go of it: memory that one thread allocates and another frees costs both
    /// of them a lock in most allocators, several times a call.
    written: Vec<Arc<Execution>>,
    /// The writer sleeps until it is told.
    writer_idle: bool,
    /// The writer sleeps until it is told or enough has gathered.
    writer_gathers: bool,
    closed: bool,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, what: What, written: Option<oneshot::Sender<()>>) {
        let bytes = what.bytes();
        let mut waiting = self.lock();
        // A large one waits until all before it are taken, and then for nothing.
        let full = |w: &Waiting| w.entries.len() >= QUEUE || (w.bytes > 0 && w.bytes + bytes > QUEUE_BYTES);
        while full(&waiting) && !waiting.closed {
            waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        if waiting.closed {
            return;
        }
        waiting.urgent |= written.is_some();
        waiting.bytes += bytes;
        waiting.entries.push(Entry { what, written });
        let old = waiting.written.pop();
        let wake = waiting.writer_idle || (waiting.urgent && waiting.writer_gathers);
        waiting.writer_idle = false;
        waiting.writer_gathers = false;
        drop(waiting);
        drop(old);
        if wake {
            self.changed.notify_all();
        }
    }

    /// Takes all that has gathered, waiting for the first: for ever, or for `LOOK` and then with nothing. `None` once the
    /// queue is closed and empty.
    fn take(&self, look: bool) -> Option<Vec<Entry>> {
        let mut waiting = self.lock();
        while waiting.entries.is_empty() {
            if waiting.closed {
                return None;
            }
            waiting.writer_idle = true;
            if look {
                let (woken, timeout) = self.changed.wait_timeout(waiting, LOOK).unwrap_or_else(PoisonError::into_inner);
                waiting = woken;
                if timeout.timed_out() {
                    break;
                }
            } else {
                waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            }
        }
        waiting.writer_idle = false;
        waiting.urgent = false;
        waiting.bytes = 0;
        let taken = std::mem::replace(&mut waiting.entries, Vec::with_capacity(256));
        drop(waiting);
        self.changed.notify_all();
        Some(taken)
    }

    /// Tells those who wait, and leaves what was written to the callers, as far as it is small. Large ones go now.
    fn let_go(&self, entries: Vec<Entry>) {
        let mut kept = Vec::with_capacity(entries.len().min(WRITTEN));
        for Entry { what, written } in entries {
            let small = what.bytes() <= SMALL_BYTES;
            if let Some(written) = written {
                // Nobody listens whose caller has gone.
                let _ = written.send(());
            }
            if let What::Ended(execution) = what
                && kept.len() < WRITTEN
                && small
            {
                kept.push(execution);
            }
        }
        // Those of the batch before that nobody took go now.
        let old = std::mem::replace(&mut self.lock().written, kept);
        drop(old);
    }

    /// Sleeps while executions gather, or until the queue is closed. `batch` is how many there were last.
    fn gather(&self, batch: usize) {
        let others = u32::try_from(batch.saturating_sub(1)).unwrap_or(u32::MAX);
        let pause = GATHER_EACH.saturating_mul(others).min(GATHER_WAITED);
        if !pause.is_zero() {
            std::thread::sleep(pause);
        }
        let mut waiting = self.lock();
        waiting.writer_gathers = true;
        let gathers = |w: &mut Waiting| !w.closed && !w.urgent && w.entries.len() < QUEUE && w.bytes < QUEUE_BYTES / 2;
        let (mut waiting, _) =
            self.changed.wait_timeout_while(waiting, GATHER, gathers).unwrap_or_else(PoisonError::into_inner);
        waiting.writer_gathers = false;
    }

    fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }
}

impl Recorder {
    /// Starts the writer. The database is opened on its thread, so that a single call does not wait for it; an error
    /// ends the recording, not the calls, and is what `close` returns.
    pub(crate) fn start(
        home: &Path,
        process: Process,
        flights: Arc<Flights>,
        retention: Retention,
    ) -> std::io::Result<Self> {
        let queue = Arc::new(Queue::default());
        let path = home.join("executions.db");
        let writer = Writer {
            home: home.to_owned(),
            path: path.clone(),
            queue: Arc::clone(&queue),
            flights,
            process,
            retention,
            since_dropped: None,
            bytes_since_dropped: 0,
            dropped_at: Instant::now(),
        };
        let write = move || {
            let queue = Arc::clone(&writer.queue);
            let written = writer.run();
            // After an error nothing is taken any more; nobody may wait for room, or for a row.
            queue.close();
            queue.lock().entries.clear();
            written
        };
        let writer = std::thread::Builder::new().name("recorder".into()).spawn(write)?;
        Ok(Self { path, queue, writer: Some(writer) })
    }

    /// Leaves an execution to the writer. Waits only while the queue is full.
    pub(crate) fn record(&self, execution: &Arc<Execution>) {
        self.queue.push(What::Ended(Arc::clone(execution)), None);
    }

    /// The same, for somebody who waits until it is written.
    pub(crate) fn record_and_tell(&self, execution: &Arc<Execution>) -> Written {
        self.tell(What::Ended(Arc::clone(execution)))
    }

    /// Leaves a call to the writer that goes on.
    pub(crate) fn began(&self, flight: &Arc<Flight>) {
        self.queue.push(What::Began(Arc::clone(flight)), None);
    }

    /// Tells when everything is written that was left so far.
    pub(crate) fn flush(&self) -> Written {
        self.tell(What::Flush)
    }

    fn tell(&self, what: What) -> Written {
        let (sender, written) = oneshot::channel();
        self.queue.push(what, Some(sender));
        written
    }

    /// Whether executions are still recorded.
    pub(crate) fn works(&self) -> bool {
        !self.queue.lock().closed
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
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

struct Writer {
    home: PathBuf,
    path: PathBuf,
    queue: Arc<Queue>,
    flights: Arc<Flights>,
    process: Process,
    retention: Retention,
    since_dropped: Option<u64>,
    bytes_since_dropped: usize,
    dropped_at: Instant,
}

impl Writer {
    fn run(mut self) -> rusqlite::Result<()> {
        let mut database = database::open(&self.path)?;
        database::interrupt_the_dead(&mut database, &self.home, self.process.number())?;
        let mut looked = Instant::now();
        while let Some(entries) = self.queue.take(!self.flights.is_empty()) {
            let batch = entries.len();
            if batch > 0 {
                self.write(&mut database, &entries)?;
                self.queue.let_go(entries);
            }
            if !self.flights.is_empty() && looked.elapsed() >= LOOK {
                looked = Instant::now();
                for id in database::take_cancellations(&database, self.process.number())? {
                    if let Some(flight) = self.flights.get(id) {
                        flight.cancel();
                    }
                }
            }
            if batch > 0 {
                self.queue.gather(batch);
            }
        }
        if database::log_bytes(&self.path).is_ok_and(|bytes| bytes > WAL_KEPT_BYTES) {
            database.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        }
        Ok(())
    }

    fn write(&mut self, database: &mut Connection, entries: &[Entry]) -> rusqlite::Result<()> {
        let transaction = database.transaction()?;
        let mut last = None;
        let mut rows = 0;
        for entry in entries {
            match &entry.what {
                What::Began(flight) if !flight.has_ended() => database::insert_running(&transaction, flight)?,
                What::Began(_) | What::Flush => continue,
                What::Ended(execution) => {
                    database::insert(&transaction, execution)?;
                    last = last.max(Some(execution.execution_id));
                }
            }
            rows += 1;
        }
        // Processes that make one call each share the work: each begins at a point of its own.
        let count = self.since_dropped.get_or_insert_with(|| last.map_or(0, |id| (id.as_u64() >> 13) % DROP_INTERVAL));
        *count += rows;
        self.bytes_since_dropped += entries.iter().map(|entry| entry.what.bytes()).sum::<usize>();
        let much = *count >= DROP_INTERVAL || self.bytes_since_dropped >= QUEUE_BYTES;
        if much || self.dropped_at.elapsed() >= DROP_TIME {
            *count = 0;
            self.bytes_since_dropped = 0;
            self.dropped_at = Instant::now();
            let oldest = SystemTime::now().checked_sub(self.retention.age).unwrap_or(SystemTime::UNIX_EPOCH);
            database::drop_old(&transaction, self.retention.count, oldest)?;
            database::drop_large(&transaction, self.retention.bytes)?;
        }
        transaction.commit()?;
        if let Some(last) = last {
            // It only matters when the clock is set back.
            let _ = self.process.recorded(last);
        }
        Ok(())
    }
}
