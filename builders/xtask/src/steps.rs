//! The steps of a long run: each announced, timed, and listed at the end.

use std::time::{Duration, Instant};

use crate::command::{in_ci, say};
use crate::count::Count;

/// How a step ended that did not break off.
#[derive(Debug)]
pub(crate) enum End {
    /// A check that passed, and a word about it where there is one.
    Done(String),
    /// Tests ran.
    Tested(Count),
    /// It needs something that this machine lacks: skipped, and in CI a failure.
    Lacking(String),
    /// It needs something from outside that cannot be reached. Skipped in CI as well: nobody here can mend it.
    Unreachable(String),
}

impl End {
    pub(crate) const DONE: Self = Self::Done(String::new());
}

/// What was done so far.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    rows: Vec<Row>,
    count: Count,
}

#[derive(Debug)]
struct Row {
    name: &'static str,
    word: &'static str,
    about: String,
    took: Duration,
}

impl Steps {
    /// Does one step. One that fails is noted; the next ones go on.
    pub(crate) fn step(&mut self, name: &'static str, action: impl FnOnce() -> anyhow::Result<End>) {
        say(&format!("==> {name}"));
        let started = Instant::now();
        let end = action();
        let (word, about, count) = judge(end, in_ci());
        if word == "FAILED" {
            say(&format!("==> {name} FAILED: {about}"));
        }
        self.count += count;
        self.rows.push(Row { name, word, about, took: started.elapsed() });
    }

    /// Lists the steps on standard error and returns the sum.
    pub(crate) fn finish(self) -> Count {
        say("");
        for Row { name, word, about, took } in &self.rows {
            // The whole story of a failure was told where it happened.
            let about = about.lines().next().unwrap_or_default();
            say(format!("{name:<14} {word:<8} {:>7.1} s  {about}", took.as_secs_f64()).trim_end());
        }
        let total: Duration = self.rows.iter().map(|row| row.took).sum();
        say(&format!("{:<14} {:<8} {:>7.1} s", "", "", total.as_secs_f64()));
        self.count
    }
}

/// The word for the table, what is said about it, and what is counted. A check that passed counts nothing: the closing line
/// is about tests. One that failed counts, so that the line never says `0 failed` at the end of a run that failed.
fn judge(end: anyhow::Result<End>, in_ci: bool) -> (&'static str, String, Count) {
    let failed = Count { failed: 1, ..Count::default() };
    let skipped = Count { skipped: 1, ..Count::default() };
    match end {
        Ok(End::Done(about)) => ("ok", about, Count::default()),
        Ok(End::Tested(count)) => (if count.failed == 0 { "ok" } else { "FAILED" }, count.to_string(), count),
        Ok(End::Lacking(what)) if in_ci => ("FAILED", format!("{what} (skipped outside CI)"), failed),
        Ok(End::Lacking(what) | End::Unreachable(what)) => ("skipped", what, skipped),
        Err(error) => ("FAILED", format!("{error:#}"), failed),
    }
}

#[cfg(test)]
mod tests {
    use super::{End, judge};
    use crate::count::Count;

    #[test]
    fn what_a_machine_lacks_fails_in_ci_only_and_what_cannot_be_reached_never() {
        let ends = |in_ci| {
            [End::Lacking("docker".into()), End::Unreachable("no network".into())].map(|end| judge(Ok(end), in_ci).0)
        };
        assert_eq!(ends(false), ["skipped", "skipped"]);
        assert_eq!(ends(true), ["FAILED", "skipped"]);
    }

    #[test]
    fn a_step_that_breaks_off_counts_as_one_failure() {
        let (word, about, count) = judge(Err(anyhow::anyhow!("why").context("what")), false);
        assert_eq!((word, about.as_str(), count.failed), ("FAILED", "what: why", 1));
        assert_eq!(judge(Ok(End::DONE), true).2, Count::default());
    }
}
