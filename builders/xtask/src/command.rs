//! The one place where programs are started, the environment is read and something is printed.

use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use anyhow::{Context, bail};

use crate::layout::Layout;

/// What cargo tells this program about itself; the programs that it starts are others.
const OF_THIS_PROGRAM: &[&str] = &["CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_BIN_", "CARGO_PRIMARY_PACKAGE"];

/// How long a program may print nothing before it counts as stuck. CI ends after 90 minutes without saying where it was.
const SILENCE_MAX: Duration = Duration::from_mins(15);

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

    /// A program in place of this one: with all of its environment and its standard input.
    pub(crate) fn in_our_place(program: impl AsRef<OsStr>) -> Self {
        #[expect(clippy::disallowed_methods, reason = "the one place where programs are started")]
        let command = Command::new(program);
        Self { command, passing_stdout: true }
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

    /// Runs it and hands over each line of its standard output as it comes. `false` when it did not end well. One that is
    /// silent for too long is stopped.
    pub(crate) fn lines(mut self, mut each: impl FnMut(&str)) -> anyhow::Result<bool> {
        self.command.stdout(Stdio::piped());
        let mut child = self.command.spawn().with_context(|| self.cannot_start())?;
        let mut stdout = BufReader::new(child.stdout.take().context("it was piped")?);
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            let mut line = Vec::new();
            while stdout.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                // A test may print what is no UTF-8.
                let text = String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned();
                line.clear();
                if sender.send(text).is_err() {
                    break;
                }
            }
        });
        loop {
            match lines.recv_timeout(SILENCE_MAX) {
                Ok(line) => each(&line),
                Err(RecvTimeoutError::Disconnected) => return Ok(child.wait()?.success()),
                Err(RecvTimeoutError::Timeout) => {
                    stop(child.id());
                    child.wait()?;
                    bail!("`{}` was stopped: silent for {} minutes", self.line(), SILENCE_MAX.as_secs() / 60);
                }
            }
        }
    }

    /// Runs it with everything that it says in a file. `false` when it did not end well.
    pub(crate) fn logged(mut self, path: &Path) -> anyhow::Result<bool> {
        let log = fs_err::File::create(path)?.into_parts().0;
        let status = self.command.stdout(log.try_clone()?).stderr(log).status().with_context(|| self.cannot_start())?;
        Ok(status.success())
    }

    /// Starts it and leaves it running. What it says goes into a file.
    pub(crate) fn background(mut self, log: &Path) -> anyhow::Result<Child> {
        let log = fs_err::File::create(log)?.into_file();
        self.command.stdout(log.try_clone()?).stderr(log);
        self.command.spawn().with_context(|| self.cannot_start())
    }

    /// Starts a server and waits until a line of its standard output says what `ready` looks for.
    pub(crate) fn start_printing(mut self, ready: impl Fn(&str) -> Option<String>) -> anyhow::Result<(Server, String)> {
        self.command.stdout(Stdio::piped());
        let mut child = self.command.spawn().with_context(|| self.cannot_start())?;
        let stdout = child.stdout.take().context("it was piped")?;
        self.ready(Server(child), stdout, ready)
    }

    fn ready(
        &self,
        server: Server,
        output: impl Read + Send + 'static,
        ready: impl Fn(&str) -> Option<String>,
    ) -> anyhow::Result<(Server, String)> {
        let mut lines = BufReader::new(output).lines();
        let mut said = Vec::new();
        while let Some(line) = lines.next().transpose()? {
            if let Some(found) = ready(&line) {
                // Whoever does not read holds the writer up.
                std::thread::spawn(move || lines.for_each(drop));
                return Ok((server, found));
            }
            said.push(line);
        }
        bail!("`{}` ended before it was ready: {}", self.line(), said.join("\n"));
    }

    /// Starts a server that says nothing.
    pub(crate) fn silent_server(mut self) -> anyhow::Result<Server> {
        self.command.stdout(Stdio::null());
        Ok(Server(self.command.spawn().with_context(|| self.cannot_start())?))
    }

    /// Whether it can be started, however it ends.
    pub(crate) fn runs(mut self) -> bool {
        self.command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
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

/// A server that runs until this is dropped.
#[derive(Debug)]
pub(crate) struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already, which is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Asks a program that was left running to end, and waits for it.
#[cfg(unix)]
pub(crate) fn terminate(child: &mut Child) {
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
    let _ = child.wait();
}

/// Ends a process at once.
#[cfg(unix)]
pub(crate) fn kill(process: u32) {
    if let Some(pid) = i32::try_from(process).ok().and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}

/// Returns when standard input ends or a line is entered.
pub(crate) fn wait_for_end_of_input() {
    let _ = io::stdin().read_line(&mut String::new());
}

/// Ends a process and everything that it started, as far as the system tells. It stays in our process group, so that Ctrl-C
/// reaches all of them.
#[cfg(unix)]
fn stop(process: u32) {
    let children = fs_err::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
    for child in children.split_ascii_whitespace().filter_map(|child| child.parse().ok()) {
        stop(child);
    }
    if let Some(pid) = i32::try_from(process).ok().and_then(rustix::process::Pid::from_raw) {
        // It may have ended at this very moment, which is as good.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}

#[cfg(not(unix))]
fn stop(_: u32) {}
