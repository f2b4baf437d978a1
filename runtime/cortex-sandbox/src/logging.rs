//! What a tool says while it runs: lines for the record of its call, by `wasi:logging`, and how far it is.
//!
//! The threat: a tool that talks without end fills the host's memory, or whoever listens. Lines are counted and measured;
//! those past a limit are dropped, and the record says how many. Secrets are masked before anybody hears them.

use serde::Serialize;
use wasmtime::component::{HasSelf, Linker};

use crate::bindings::capabilities::wasi::logging::logging;
use crate::guest::Guest;
use crate::secret::{Secret, redacted};

/// Hears what a tool says while it runs. Called on the thread that runs the call, which waits: hand on and return.
pub trait Observer: Send + Sync {
    /// The tool wrote a line into its record.
    fn log(&self, line: &LogLine);
    /// The tool said how far it is.
    fn progress(&self, progress: &ToolProgress);
    /// A tool in a container wrote a line on one of its standard streams, which the record has as well.
    fn wrote(&self, stream: Stream, line: &str) {
        self.log(&LogLine { level: LogLevel::Info, context: stream.as_str().to_owned(), message: line.to_owned() });
    }
}

/// A standard stream of a tool that is not its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// What a function prints.
    Stdout,
    /// What any tool writes there.
    Stderr,
}

impl Stream {
    /// The usual name, which lines of it have as their context.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// A line of a tool's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogLine {
    /// How bad it is.
    pub level: LogLevel,
    /// What it is about, in the tool's own words.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub context: String,
    /// What the tool says.
    pub message: String,
}

/// How bad a line of a log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the words of wasi:logging")]
pub enum LogLevel {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    Critical,
}

impl LogLevel {
    /// The name used in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }
}

/// How far a tool is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ToolProgress {
    /// How much is done, in a unit of the tool's own. A finite number.
    pub done: f64,
    /// How much there is to do, where the tool knows. A finite number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<f64>,
    /// What the tool says about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// The longest message about progress. Agents are shown it; what is long belongs into the log.
const PROGRESS_BYTES: usize = 1024;

/// What one call has said.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// The first lines are kept: they tell how it began to go wrong.
    lines: Vec<LogLine>,
    bytes: usize,
    dropped: u64,
    /// How often the tool said how far it is.
    told: usize,
}

impl Log {
    /// Keeps a line if there is room, and says whether.
    fn add(&mut self, line: LogLine, lines_max: usize, bytes_max: usize) -> Option<&LogLine> {
        let bytes = line.context.len() + line.message.len();
        if self.lines.len() >= lines_max || self.bytes + bytes > bytes_max {
            self.dropped += 1;
            return None;
        }
        self.bytes += bytes;
        self.lines.push(line);
        self.lines.last()
    }

    /// The lines; where some are missing, the last one says so.
    pub(crate) fn into_lines(mut self, lines_max: usize, bytes_max: usize) -> Vec<LogLine> {
        if self.dropped > 0 {
            let message = format!(
                "[truncated: {} more lines; the limits are `log` {lines_max} lines and `output` {bytes_max} bytes]",
                self.dropped
            );
            self.lines.push(LogLine { level: LogLevel::Warn, context: "cortex-wasm".into(), message });
        }
        self.lines
    }
}

pub(crate) fn add_to_linker(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    logging::add_to_linker::<_, HasSelf<Guest>>(linker, |guest| guest)
}

impl Guest {
    /// Tells the observer how far the call is, as often as it may write lines.
    pub(crate) fn tell_progress(&mut self, done: f64, total: Option<f64>, message: Option<String>) {
        let Some(observer) = &self.observer else { return };
        let log = self.log.get_or_insert_default();
        // JSON has no other numbers, and a listener no use for them.
        if log.told >= self.limits.log_lines || !done.is_finite() {
            return;
        }
        log.told += 1;
        let message = message.map(|message| {
            let mut message = masked(message, &self.grants.secrets);
            message.truncate(message.floor_char_boundary(PROGRESS_BYTES));
            message
        });
        observer.progress(&ToolProgress { done, total: total.filter(|total| total.is_finite()), message });
    }
}

fn masked(text: String, secrets: &[Secret]) -> String {
    redacted(&text, secrets).unwrap_or(text)
}

impl logging::Host for Guest {
    fn log(&mut self, level: logging::Level, context: String, message: String) -> wasmtime::Result<()> {
        let level = match level {
            logging::Level::Trace => LogLevel::Trace,
            logging::Level::Debug => LogLevel::Debug,
            logging::Level::Info => LogLevel::Info,
            logging::Level::Warn => LogLevel::Warn,
            logging::Level::Error => LogLevel::Error,
            logging::Level::Critical => LogLevel::Critical,
        };
        let secrets = &self.grants.secrets;
        let line = LogLine { level, context: masked(context, secrets), message: masked(message, secrets) };
        let (lines, bytes) = (self.limits.log_lines, self.limits.output_bytes);
        let kept = self.log.get_or_insert_default().add(line, lines, bytes);
        if let (Some(line), Some(observer)) = (kept, &self.observer) {
            observer.log(line);
        }
        Ok(())
    }
}
