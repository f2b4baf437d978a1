//! The one place where programs are started, the environment is read and something is printed.

use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use crate::layout::Layout;

/// What cargo tells this program about itself; the programs that it starts are others.
const OF_THIS_PROGRAM: &[&str] = &["CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_BIN_", "CARGO_PRIMARY_PACKAGE"];

/// Says something about the progress, on standard error.
pub(crate) fn say(line: &str) {
    // Nobody reads a closed pipe.
    let _ = writeln!(io::stderr(), "{line}");
}

/// Passes on a line of the tests' own output, on standard output.
pub(crate) fn print(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// A variable of the environment that is set to something.
pub(crate) fn variable(name: &str) -> Option<OsString> {
    #[expect(clippy::disallowed_methods, reason = "the one place where the environment is read")]
    let value = std::env::var_os(name);
    value.filter(|value| !value.is_empty())
}

/// Whether what this machine lacks is a failure.
pub(crate) fn in_ci() -> bool {
    variable("CI").is_some_and(|value| value != "false")
}

/// A program to run. Its standard output goes to standard error unless it is asked for.
#[derive(Debug)]
pub(crate) struct Program {
    command: Command,
    passing_stdout: bool,
}

impl Program {
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        #[expect(clippy::disallowed_methods, reason = "the one place where programs are started")]
        let mut command = Command::new(program);
        #[expect(clippy::disallowed_methods, reason = "what cargo set for this program is taken out again")]
        let names = std::env::vars_os().map(|(name, _)| name);
        for name in names.filter(|name| OF_THIS_PROGRAM.iter().any(|start| name.to_string_lossy().starts_with(start))) {
            command.env_remove(name);
        }
        command.stdin(Stdio::null());
        Self { command, passing_stdout: false }
    }

    /// Cargo, in the root of the repository, with its target directory.
    pub(crate) fn cargo(layout: &Layout) -> Self {
        Self::new("cargo").dir(layout.root()).env("CARGO_TARGET_DIR", layout.target())
    }

    pub(crate) fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    pub(crate) fn args(mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.command.args(arguments);
        self
    }

    pub(crate) fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn without_env(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    pub(crate) fn dir(mut self, directory: impl AsRef<Path>) -> Self {
        self.command.current_dir(directory);
        self
    }

    /// Its standard output goes where ours goes.
    pub(crate) fn passing_stdout(mut self) -> Self {
        self.passing_stdout = true;
        self
    }

    /// Runs it to its end.
    pub(crate) fn run(mut self) -> anyhow::Result<()> {
        if !self.passing_stdout {
            self.command.stdout(io::stderr());
        }
        let status = self.command.status().with_context(|| self.cannot_start())?;
        if !status.success() {
            bail!("`{}` ended with {status}", self.line());
        }
        Ok(())
    }

    /// Runs it and returns its standard output. The error holds what it wrote to standard error.
    pub(crate) fn output(mut self) -> anyhow::Result<String> {
        let output = self.command.output().with_context(|| self.cannot_start())?;
        if !output.status.success() {
            let stderr = String::from_utf8_lossy(&output.stderr);
            bail!("`{}` ended with {}: {}", self.line(), output.status, stderr.trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Runs it and hands over each line of its standard output as it comes. `false` when it did not end well.
    pub(crate) fn lines(mut self, mut each: impl FnMut(&str)) -> anyhow::Result<bool> {
        self.command.stdout(Stdio::piped());
        let mut child = self.command.spawn().with_context(|| self.cannot_start())?;
        let mut stdout = BufReader::new(child.stdout.take().context("it was piped")?);
        let mut line = Vec::new();
        // A test may print what is no UTF-8.
        while stdout.read_until(b'\n', &mut line)? > 0 {
            each(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']));
            line.clear();
        }
        Ok(child.wait()?.success())
    }

    /// Whether it can be started and ends well, silently.
    pub(crate) fn works(mut self) -> bool {
        let status = self.command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    }

    fn cannot_start(&self) -> String {
        format!("`{}` cannot be started", self.command.get_program().to_string_lossy())
    }

    fn line(&self) -> String {
        let words = std::iter::once(self.command.get_program()).chain(self.command.get_args());
        let line: Vec<_> = words.map(OsStr::to_string_lossy).collect();
        line.join(" ")
    }
}
