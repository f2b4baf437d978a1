//! What a tool says while it runs, passed on to the client: progress where the client asked for it, and lines of the log.

// The newest revision deprecates logging, and clients of all of them use it.
#![expect(deprecated, reason = "log lines are sent to clients that ask for them")]

use std::sync::Arc;
use std::time::Duration;

use cortex_runtime::{LogLevel, LogLine, Observer, Progress, ToolProgress};
use rmcp::model::{LoggingLevel, LoggingMessageNotificationParam, ProgressNotificationParam, ProgressToken};
use rmcp::service::{Peer, RequestContext, RoleServer, ServiceError};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// What a tool may say ahead of a client that reads slowly. What is beyond is not sent; the record of the call has the log.
const UNREAD_MAX: usize = 256;

/// How long a client that reads slowly delays its own result.
const READING_MAX: Duration = Duration::from_secs(5);

/// What the client wants to hear.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    pub(super) progress: Option<ProgressToken>,
    /// Lines at least this bad.
    pub(super) log: Option<LoggingLevel>,
}

/// Takes what the tool says. The tool never waits for the client.
struct Listener(mpsc::Sender<Said>);

enum Said {
    Line(LogLine),
    Progress(ToolProgress),
}

impl Observer for Listener {
    fn log(&self, line: &LogLine) {
        // Full, or the client is gone.
        let _ = self.0.try_send(Said::Line(line.clone()));
    }

    fn progress(&self, progress: &ToolProgress) {
        let _ = self.0.try_send(Said::Progress(progress.clone()));
    }
}

impl Progress for Listener {
    /// What a first call builds and compiles. It is no progress in the tool's own unit.
    fn step(&self, line: &str) {
        let line = LogLine { level: LogLevel::Info, context: "build".into(), message: line.to_owned() };
        let _ = self.0.try_send(Said::Line(line));
    }
}

/// Who listens to a call.
pub(super) struct Ears {
    pub(super) observer: Arc<dyn Observer>,
    pub(super) progress: Arc<dyn Progress>,
}

/// Passes on what is said until nobody can say anything any more.
pub(super) struct Reporter {
    said: mpsc::Receiver<Said>,
    wanted: Wanted,
    peer: Peer<RoleServer>,
    tool: String,
    /// Progress only grows: clients may rely on it.
    done: f64,
}

impl Wanted {
    /// `None` when the client wants to hear nothing.
    pub(super) fn reporter(&self, tool: &str, context: &RequestContext<RoleServer>) -> Option<(Ears, Reporter)> {
        if self.progress.is_none() && self.log.is_none() {
            return None;
        }
        let (sender, said) = mpsc::channel(UNREAD_MAX);
        let listener = Arc::new(Listener(sender));
        let ears = Ears { observer: Arc::clone(&listener) as _, progress: listener };
        let (peer, tool, wanted) = (context.peer.clone(), tool.to_owned(), self.clone());
        Some((ears, Reporter { said, wanted, peer, tool, done: f64::NEG_INFINITY }))
    }
}

impl Reporter {
    /// The call's result, after everything that was said before it.
    pub(super) async fn during<T>(self, call: impl Future<Output = T>) -> T {
        let over = CancellationToken::new();
        let tool = self.tool.clone();
        // Kept to its end: in the middle of sending, a message is in no queue any more.
        let mut reporting = std::pin::pin!(self.run(over.clone()));
        let mut call = std::pin::pin!(call);
        let result = tokio::select! {
            result = &mut call => result,
            // The client is gone; the call ends by itself or is cancelled.
            () = &mut reporting => return call.await,
        };
        over.cancel();
        if tokio::time::timeout(READING_MAX, reporting).await.is_err() {
            tracing::debug!(tool, "the client reads too slowly; the rest of the log is not sent");
        }
        result
    }

    /// Passes on what is said, until nobody can say anything any more or, from `over` on, until nothing is left: a call
    /// that becomes a task goes on without this client.
    async fn run(mut self, over: CancellationToken) {
        loop {
            let said = tokio::select! {
                biased;
                () = over.cancelled(), if !self.said.is_closed() => {
                    self.said.close();
                    continue;
                }
                said = self.said.recv() => said,
            };
            let Some(said) = said else { return };
            if self.pass_on(said).await.is_err() {
                return;
            }
        }
    }

    async fn pass_on(&mut self, said: Said) -> Result<(), ServiceError> {
        match (said, &self.wanted) {
            (Said::Line(line), Wanted { log: Some(least), .. }) => {
                let level = level_of(line.level);
                if severity(level) < severity(*least) {
                    return Ok(());
                }
                let logger = match line.context.as_str() {
                    "" => self.tool.clone(),
                    context => format!("{}/{context}", self.tool),
                };
                let message = LoggingMessageNotificationParam::new(level, line.message.into()).with_logger(logger);
                self.peer.notify_logging_message(message).await
            }
            (Said::Progress(progress), Wanted { progress: Some(token), .. }) if progress.done > self.done => {
                self.done = progress.done;
                let mut notification = ProgressNotificationParam::new(token.clone(), progress.done);
                (notification.total, notification.message) = (progress.total, progress.message);
                self.peer.notify_progress(notification).await
            }
            (Said::Line(_) | Said::Progress(_), _) => Ok(()),
        }
    }
}

fn level_of(level: LogLevel) -> LoggingLevel {
    match level {
        LogLevel::Trace | LogLevel::Debug => LoggingLevel::Debug,
        LogLevel::Info => LoggingLevel::Info,
        LogLevel::Warn => LoggingLevel::Warning,
        LogLevel::Error => LoggingLevel::Error,
        LogLevel::Critical => LoggingLevel::Critical,
    }
}

/// The order of the levels, which is that of syslog.
pub(super) fn severity(level: LoggingLevel) -> u8 {
    match level {
        LoggingLevel::Debug => 0,
        LoggingLevel::Info => 1,
        LoggingLevel::Notice => 2,
        LoggingLevel::Warning => 3,
        LoggingLevel::Error => 4,
        LoggingLevel::Critical => 5,
        LoggingLevel::Alert => 6,
        LoggingLevel::Emergency => 7,
    }
}
