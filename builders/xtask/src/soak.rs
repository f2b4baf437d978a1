//! `cargo xtask soak`: many calls of every kind in one process, and what is left of them.

use anyhow::Context;

use crate::command::Program;
use crate::layout::Layout;

/// Runs it, and returns its report in one line. An ending that was not expected, a leak or growth is an error.
pub(crate) fn run(layout: &Layout, calls: u32, threads: u32) -> anyhow::Result<String> {
    Program::cargo(layout).args(["build", "--workspace", "--locked", "--example", "soak"]).run()?;
    let home = tempfile::tempdir_in(layout.target())?;
    let temporary = home.path().join("tmp");
    fs_err::create_dir(&temporary)?;
    let soak = Program::new(layout.target().join("debug/examples/soak"))
        .arg(home.path().join("home"))
        .args([calls.to_string(), threads.to_string()])
        // What it leaves there is a leak.
        .env("TMPDIR", &temporary);
    let mut report = String::new();
    let worked = soak.lines(|line| report.push_str(line))?;
    anyhow::ensure!(worked, "the soak failed: {report}");
    report.lines().last().map(ToOwned::to_owned).context("the soak said nothing")
}
