//! What a call has written to files, and streams that count it.

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::{DynOutputStream, OutputStream, Pollable, StreamError, StreamResult};

use crate::files::FileLimits;

/// Counts what takes room on the disk. Streams hold it as well, which outlive the host call that made them.
#[derive(Debug)]
pub(crate) struct Quota {
    limits: FileLimits,
    bytes: AtomicU64,
    created: AtomicU64,
    /// The first limit that was reached.
    reached: Mutex<Option<QuotaReached>>,
}

/// A limit of files was reached.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("{what}: the limit `{limit}` is {most}")]
pub(crate) struct QuotaReached {
    /// Its name, as in `implementation.resources`.
    pub(crate) limit: &'static str,
    what: &'static str,
    most: u64,
}

impl Quota {
    pub(crate) fn new(limits: FileLimits) -> Self {
        Self { limits, bytes: AtomicU64::new(0), created: AtomicU64::new(0), reached: Mutex::default() }
    }

    /// Bytes written and things created so far.
    pub(crate) fn used(&self) -> (u64, u64) {
        (self.bytes.load(Ordering::Relaxed), self.created.load(Ordering::Relaxed))
    }

    pub(crate) fn reached(&self) -> Option<QuotaReached> {
        *self.reached.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts bytes that are about to be written. Those of a write that fails stay counted.
    pub(crate) fn write(&self, bytes: u64) -> Result<(), QuotaReached> {
        self.take(&self.bytes, bytes, "disk", "more bytes written to files", self.limits.bytes)
    }

    /// Counts a file, folder or link that is about to be created.
    pub(crate) fn create(&self) -> Result<(), QuotaReached> {
        self.take(&self.created, 1, "files.created", "more files, folders and links created", self.limits.created)
    }

    /// Takes back what was not created after all.
    pub(crate) fn not_created(&self) {
        self.created.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn path(&self, path: &str) -> Result<(), QuotaReached> {
        let most = self.limits.path_bytes;
        if path.len() as u64 <= most { Ok(()) } else { Err(self.enter("files.path", "a longer path", most)) }
    }

    /// Whether a folder has too many entries to be listed. Reads as many as it may have.
    pub(crate) fn list(&self, folder: &File) -> io::Result<Result<(), QuotaReached>> {
        let most = self.limits.listed;
        let mut entries = cap_primitives::fs::read_base_dir(folder)?;
        let more = entries.nth(usize::try_from(most).unwrap_or(usize::MAX)).is_some();
        Ok(if more { Err(self.enter("files.listed", "a listing of more entries", most)) } else { Ok(()) })
    }

    fn take(
        &self,
        used: &AtomicU64,
        more: u64,
        limit: &'static str,
        what: &'static str,
        most: u64,
    ) -> Result<(), QuotaReached> {
        let add = |used: u64| used.checked_add(more).filter(|used| *used <= most);
        match used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add) {
            Ok(_) => Ok(()),
            Err(_) => Err(self.enter(limit, what, most)),
        }
    }

    fn enter(&self, limit: &'static str, what: &'static str, most: u64) -> QuotaReached {
        let reached = QuotaReached { limit, what, most };
        self.reached.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(reached);
        reached
    }
}

/// A stream into a file.
pub(crate) struct CountedStream {
    pub(crate) inner: DynOutputStream,
    pub(crate) quota: Arc<Quota>,
}

impl CountedStream {
    fn count(&self, bytes: &Bytes) -> Result<(), StreamError> {
        self.quota.write(bytes.len() as u64).map_err(|reached| StreamError::LastOperationFailed(reached.into()))
    }
}

#[async_trait]
impl OutputStream for CountedStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.count(&bytes)?;
        self.inner.write(bytes)
    }

    async fn blocking_write_and_flush(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.count(&bytes)?;
        self.inner.blocking_write_and_flush(bytes).await
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.inner.flush()
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        self.inner.check_write()
    }

    async fn cancel(&mut self) {
        self.inner.cancel().await;
    }
}

#[async_trait]
impl Pollable for CountedStream {
    async fn ready(&mut self) {
        self.inner.ready().await;
    }
}
