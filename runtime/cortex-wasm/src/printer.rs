//! What goes where: standard output is data, everything else is standard error.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use cortex_runtime::{LogLine, Observer, Progress, Stream, ToolProgress};
use indicatif::{MultiProgress, ProgressBar, ProgressState, ProgressStyle};
use serde::Serialize;

use crate::environment;

/// The one writer of both streams.
#[derive(Clone, Debug)]
pub(crate) struct Printer {
    quiet: bool,
    animated: bool,
    /// Why data could not be written, the first time that it could not.
    lost: Arc<OnceLock<io::Error>>,
}

#[expect(clippy::unused_self, reason = "whoever prints holds the printer, so that no one else does")]
impl Printer {
    pub(crate) fn new(quiet: bool) -> Self {
        Self {
            quiet,
            animated: !quiet && io::stderr().is_terminal() && environment::progress_wanted(),
            lost: Arc::default(),
        }
    }

    /// A line of data.
    pub(crate) fn data(&self, line: &str) {
        self.wrote(writeln!(io::stdout().lock(), "{line}"));
    }

    /// A reader that has seen enough closes the pipe; that is no error of ours. Anything else is.
    fn wrote(&self, written: io::Result<()>) {
        if let Err(error) = written
            && error.kind() != io::ErrorKind::BrokenPipe
        {
            let _ = self.lost.set(error);
        }
    }

    /// Why not all data was written, if it was not.
    pub(crate) fn lost(&self) -> Option<&io::Error> {
        self.lost.get()
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
        let mut stdout = io::stdout().lock();
        self.wrote(stdout.write_all(bytes).and_then(|()| stdout.flush()));
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
    pub(crate) fn progress(&self) -> Arc<Reporter> {
        let bar = self.animated.then(spinner);
        Arc::new(Reporter { printer: self.clone(), bar, tool: None, wrote: Default::default() })
    }

    /// The progress of several things at a time.
    pub(crate) fn board(&self, things: usize) -> Board {
        Board { printer: self.clone(), bars: self.animated.then(MultiProgress::new), several: things > 1 }
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

fn spinner() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    let amount = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        let (done, total) = (state.pos(), state.len().unwrap_or_default());
        if let Some(full) = (done * 20).checked_div(total) {
            let full = usize::try_from(full).unwrap_or_default();
            let (full, left) = ("#".repeat(full), ".".repeat(20_usize.saturating_sub(full)));
            // There is nobody to tell that a terminal is gone.
            let _ = write!(out, " [{full}{left}] {} of {} MB", done >> 20, total >> 20);
        }
    };
    if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix}{msg}{amount} ({elapsed})") {
        bar.set_style(style.with_key("amount", amount));
    }
    bar
}

/// One line for each thing that goes on.
#[derive(Debug)]
pub(crate) struct Board {
    printer: Printer,
    bars: Option<MultiProgress>,
    several: bool,
}

impl Board {
    /// A line for a tool, which is gone when it is dropped.
    pub(crate) fn line(&self, tool: &str) -> Arc<Reporter> {
        let bar = self.bars.as_ref().map(|bars| bars.add(spinner()));
        Arc::new(Reporter {
            printer: self.printer.clone(),
            bar,
            tool: self.several.then(|| format!("{tool}: ")),
            wrote: Default::default(),
        })
    }

    /// Prints without disturbing the lines.
    pub(crate) fn pause(&self, print: impl FnOnce()) {
        match &self.bars {
            Some(bars) => bars.suspend(print),
            None => print(),
        }
    }
}

/// Says what happens before there is a result: of a build, and of a tool that runs.
#[derive(Debug)]
pub(crate) struct Reporter {
    printer: Printer,
    /// A line that changes. It is wiped when the last holder drops it.
    bar: Option<ProgressBar>,
    /// Before every line, where there are several.
    tool: Option<String>,
    /// What [`Reporter::told`] says.
    wrote: [AtomicUsize; 2],
}

impl Reporter {
    /// How many lines of standard output and standard error were printed already.
    pub(crate) fn told(&self) -> [usize; 2] {
        [Stream::Stdout, Stream::Stderr].map(|stream| self.wrote[stream as usize].load(Ordering::Relaxed))
    }

    fn note(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| self.printer.note(line)),
            None => self.printer.note(line),
        }
    }
}

impl Progress for Reporter {
    fn step(&self, line: &str) {
        let tool = self.tool.as_deref().unwrap_or_default();
        let Some(bar) = &self.bar else { return self.printer.note(&format!("{tool}{line}")) };
        bar.set_prefix(tool.to_owned());
        bar.enable_steady_tick(Duration::from_millis(100));
        bar.set_message(line.to_owned());
        bar.set_length(0);
    }

    fn amount(&self, done: u64, total: u64) {
        let Some(bar) = &self.bar else { return };
        // The total is an estimate: a bar that is full waits for the end.
        bar.set_length(total);
        bar.set_position(done.min(total));
    }
}

impl Observer for Reporter {
    fn log(&self, LogLine { level, context, message }: &LogLine) {
        let context = if context.is_empty() { String::new() } else { format!(" {context}") };
        self.note(&format!("{}{context}: {message}", level.as_str()));
    }

    fn progress(&self, ToolProgress { done, total, message }: &ToolProgress) {
        let total = total.map_or(String::new(), |total| format!(" of {total}"));
        let message = message.as_ref().map_or(String::new(), |message| format!(": {message}"));
        self.step(&format!("{done}{total}{message}"));
    }

    fn wrote(&self, stream: Stream, line: &str) {
        self.wrote[stream as usize].fetch_add(1, Ordering::Relaxed);
        self.note(line);
    }
}

impl Drop for Reporter {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
