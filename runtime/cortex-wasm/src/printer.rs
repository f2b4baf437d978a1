//! What goes where: standard output is data, everything else is standard error.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

use cortex_runtime::Progress;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::environment;

/// The one writer of both streams.
#[derive(Clone, Debug)]
pub(crate) struct Printer {
    quiet: bool,
    animated: bool,
}

#[expect(clippy::unused_self, reason = "whoever prints holds the printer, so that no one else does")]
impl Printer {
    pub(crate) fn new(quiet: bool) -> Self {
        Self { quiet, animated: !quiet && io::stderr().is_terminal() && environment::progress_wanted() }
    }

    /// A line of data.
    pub(crate) fn data(&self, line: &str) {
        // A reader that has seen enough closes the pipe; that is no error of ours.
        let _ = writeln!(io::stdout().lock(), "{line}");
    }

    /// The text as a warning sign, on a terminal.
    pub(crate) fn red(&self, text: &str) -> String {
        if io::stdout().is_terminal() { format!("\u{1b}[31m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// A JSON document as data.
    pub(crate) fn json(&self, value: &impl Serialize) -> anyhow::Result<()> {
        self.data(&serde_json::to_string_pretty(value)?);
        Ok(())
    }

    /// Raw data, such as a completion script.
    pub(crate) fn raw(&self, bytes: &[u8]) {
        let _ = io::stdout().lock().write_all(bytes);
    }

    /// Something for the person, which is no data.
    pub(crate) fn note(&self, line: &str) {
        if !self.quiet {
            self.error_text(line);
        }
    }

    /// An error and its hint, which `--quiet` does not silence.
    pub(crate) fn error(&self, message: &str, hint: Option<&str>) {
        self.error_text(&format!("error: {message}"));
        if let Some(hint) = hint {
            self.error_text(&format!("\nhint: {hint}"));
        }
    }

    /// Something that may be wrong, and its hint.
    pub(crate) fn warning(&self, message: &str) {
        self.note(&format!("warning: {message}"));
    }

    /// The words of another program, as they are.
    pub(crate) fn fenced(&self, text: &str) {
        const FENCE: &str = "────────────────────────────────────────";
        self.error_text(&format!("{FENCE}\n{}\n{FENCE}", text.trim_end()));
    }

    pub(crate) fn error_text(&self, text: &str) {
        let _ = writeln!(io::stderr().lock(), "{}", visible(text));
    }

    /// The progress of a build: one line that changes on a terminal, one line a step elsewhere.
    pub(crate) fn progress(&self) -> Arc<dyn Progress> {
        if !self.animated {
            return Arc::new(self.clone());
        }
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
            bar.set_style(style);
        }
        Arc::new(Spinner(bar))
    }
}

/// The text with its control characters written out. What a tool says must not move the cursor of a terminal, colour what
/// follows or give itself a new title.
fn visible(text: &str) -> Cow<'_, str> {
    let commands = |character: char| character.is_control() && !matches!(character, '\n' | '\t');
    if !text.contains(commands) {
        return Cow::Borrowed(text);
    }
    let text = text.replace("\r\n", "\n");
    let written = |character: char| {
        if commands(character) { character.escape_unicode().to_string() } else { character.to_string() }
    };
    Cow::Owned(text.chars().map(written).collect())
}

impl Progress for Printer {
    fn step(&self, line: &str) {
        self.note(line);
    }
}

/// A line that changes. It is wiped when the last holder drops it.
struct Spinner(ProgressBar);

impl Progress for Spinner {
    fn step(&self, line: &str) {
        self.0.enable_steady_tick(Duration::from_millis(100));
        self.0.set_message(line.to_owned());
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
