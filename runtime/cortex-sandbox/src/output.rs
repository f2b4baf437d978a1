//! Bounded sinks for standard output and standard error.
//!
//! The threat: a guest that writes without end fills the host's memory. wasmtime's `MemoryOutputPipe` traps beyond its
//! capacity, which would turn a chatty but correct tool into a failing one, and discarding output outright lost host
//! memory in GHSA-gqmc. So: keep what fits, count the rest. Where the output *is* the result, going over is the end of
//! the call instead, with a typed error.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError};

use crate::ending::Captured;

/// What happens to bytes past the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overflow {
    /// They are counted and thrown away: logs.
    Truncate,
    /// The call ends with [`OutputExceeded`]: results.
    Stop,
}

/// The error by which a guest is stopped that writes a result larger than its limit.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the result is larger than {limit_bytes} bytes")]
pub(crate) struct OutputExceeded {
    pub(crate) limit_bytes: usize,
}

#[derive(Debug, Default)]
struct Buffer {
    kept: Vec<u8>,
    dropped_bytes: u64,
}

/// A sink that keeps at most `limit_bytes`. Clones write to the same buffer, as WASI wants of a standard stream.
#[derive(Clone, Debug)]
pub(crate) struct BoundedOutput {
    buffer: Arc<Mutex<Buffer>>,
    limit_bytes: usize,
    overflow: Overflow,
}

impl BoundedOutput {
    pub(crate) fn new(limit_bytes: usize, overflow: Overflow) -> Self {
        Self { buffer: Arc::default(), limit_bytes, overflow }
    }

    fn append(&self, bytes: &[u8]) -> Result<(), OutputExceeded> {
        // The buffer stays consistent if a writer panics: lengths only grow, so a poisoned lock is still good.
        let mut buffer = self.buffer.lock().unwrap_or_else(PoisonError::into_inner);
        let room = self.limit_bytes - buffer.kept.len();
        let taken = bytes.len().min(room);
        buffer.kept.extend_from_slice(&bytes[..taken]);
        if taken == bytes.len() {
            return Ok(());
        }
        buffer.dropped_bytes += (bytes.len() - taken) as u64;
        match self.overflow {
            Overflow::Truncate => Ok(()),
            Overflow::Stop => Err(OutputExceeded { limit_bytes: self.limit_bytes }),
        }
    }

    /// Whether what was written is UTF-8.
    pub(crate) fn is_text(&self) -> bool {
        str::from_utf8(&self.buffer.lock().unwrap_or_else(PoisonError::into_inner).kept).is_ok()
    }

    /// Takes what was written. The sink is empty afterwards.
    pub(crate) fn take(&self) -> Captured {
        let buffer = std::mem::take(&mut *self.buffer.lock().unwrap_or_else(PoisonError::into_inner));
        let text = match String::from_utf8(buffer.kept) {
            Ok(text) => text,
            Err(invalid) => String::from_utf8_lossy(invalid.as_bytes()).into_owned(),
        };
        Captured { text, dropped_bytes: buffer.dropped_bytes }
    }
}

impl IsTerminal for BoundedOutput {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for BoundedOutput {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

/// The largest write that a guest is invited to make at once.
const WRITE_PERMIT_BYTES: usize = 64 * 1024;

#[async_trait]
impl OutputStream for BoundedOutput {
    fn write(&mut self, bytes: Bytes) -> Result<(), StreamError> {
        self.append(&bytes).map_err(|exceeded| StreamError::Trap(exceeded.into()))
    }

    fn flush(&mut self) -> Result<(), StreamError> {
        Ok(())
    }

    fn check_write(&mut self) -> Result<usize, StreamError> {
        Ok(WRITE_PERMIT_BYTES)
    }
}

#[async_trait]
impl Pollable for BoundedOutput {
    async fn ready(&mut self) {}
}

impl AsyncWrite for BoundedOutput {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Poll::Ready(self.append(bytes).map(|()| bytes.len()).map_err(std::io::Error::other))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::{BoundedOutput, Overflow};

    #[test]
    fn output_up_to_the_limit_is_kept_whole() {
        let sink = BoundedOutput::new(4, Overflow::Stop);
        sink.append(b"1234").unwrap();
        let captured = sink.take();
        assert_eq!((captured.text.as_str(), captured.dropped_bytes), ("1234", 0));
    }

    #[test]
    fn logs_past_the_limit_are_counted_and_results_past_it_are_refused() {
        let log = BoundedOutput::new(4, Overflow::Truncate);
        log.append(b"123").unwrap();
        log.append(b"456").unwrap();
        log.append(b"7").unwrap();
        let captured = log.take();
        assert_eq!((captured.text.as_str(), captured.dropped_bytes), ("1234", 3));
        assert!(BoundedOutput::new(4, Overflow::Stop).append(b"12345").is_err());
    }

    #[test]
    fn a_cut_or_invalid_character_is_replaced() {
        let sink = BoundedOutput::new(1, Overflow::Truncate);
        sink.append("é".as_bytes()).unwrap();
        assert_eq!(sink.take().text, "\u{fffd}");
    }
}
