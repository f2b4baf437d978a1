//! The one place where another program is started.
//!
//! The threat: a build runs code of the tool's author and of its dependencies. It sees no variable of ours that a
//! compiler does not need (tokens in the environment are what supply-chain attacks collect first), it ends when its time
//! is over or this process is, and what it writes is bounded. That is no sandbox: sources that are not trusted are not built on the host.

mod group;

use std::ffi::OsString;
use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use self::group::Group;
use crate::error::BuildError;

/// What a compiler or package manager needs to find itself, its registry and its certificates.
const PASSED_ON: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "SYSTEMROOT",
    "CARGO_HOME",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    "RUSTUP_DIST_SERVER",
    "RUSTUP_AUTO_INSTALL",
    "SOURCE_DATE_EPOCH",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "CARGO_HTTP_CAINFO",
    "REQUESTS_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "PIP_CERT",
    "PIP_INDEX_URL",
    "PYENV_ROOT",
    "npm_config_registry",
];

/// The most that is kept of each stream of a program; compilers repeat themselves.
const OUTPUT_BYTES: usize = 1 << 20;

/// How long one step of a build may take. A first Rust build with dependencies on a slow machine takes minutes.
pub(crate) const STEP_TIMEOUT: Duration = Duration::from_mins(30);

/// A program to run, with the scrubbed environment.
#[derive(Debug)]
pub(crate) struct Step {
    program: OsString,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    directory: Option<std::path::PathBuf>,
    timeout: Duration,
}

/// What a program that worked has written.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) stdout: String,
}

impl Step {
    pub(crate) fn new(program: impl Into<OsString>) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
            environment: Vec::new(),
            directory: None,
            timeout: STEP_TIMEOUT,
        }
    }

    pub(crate) fn args(mut self, arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    pub(crate) fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    pub(crate) fn dir(mut self, directory: impl AsRef<Path>) -> Self {
        self.directory = Some(directory.as_ref().to_owned());
        self
    }

    pub(crate) fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    fn argv(&self) -> Vec<String> {
        let words = std::iter::once(&self.program).chain(&self.arguments);
        words.map(|word| word.to_string_lossy().into_owned()).collect()
    }

    /// Runs the program to its end. An error keeps its arguments, its status and the tail of its standard error.
    pub(crate) fn run(self) -> Result<Output, BuildError> {
        let program = self.program.to_string_lossy().into_owned();
        let start = |source| BuildError::Start { program: program.clone(), source };
        #[expect(clippy::disallowed_methods, reason = "the one place where another program is started")]
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for name in PASSED_ON {
            #[expect(clippy::disallowed_methods, reason = "the allow list of what a build sees of our environment")]
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        let group = Group::new()?;
        group.takes(&mut command);
        let mut child = command.spawn().map_err(start)?;
        let stdout = collect(child.stdout.take());
        let stderr = collect(child.stderr.take());
        let status = wait(&mut child, &group, self.timeout).map_err(start)?;
        // Also what the program left running: it holds the streams, which are read to their ends.
        drop(group);
        let Some(status) = status else {
            return Err(BuildError::TimedOut { program, seconds: self.timeout.as_secs() });
        };
        let stdout = stdout.recv().unwrap_or_default();
        let stderr = stderr.recv().unwrap_or_default();
        if !status.success() {
            return Err(BuildError::Tool { argv: self.argv(), status: status.to_string(), stderr });
        }
        Ok(Output { stdout })
    }
}

/// Reads a stream to its end on a thread of its own, keeping the last part: errors come last.
fn collect(stream: Option<impl Read + Send + 'static>) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        let mut buffer = vec![0; 64 * 1024];
        if let Some(mut stream) = stream {
            while let Ok(read @ 1..) = stream.read(&mut buffer) {
                kept.extend_from_slice(&buffer[..read]);
                if kept.len() > 2 * OUTPUT_BYTES {
                    kept.drain(..kept.len() - OUTPUT_BYTES);
                }
            }
        }
        // Nobody listens when the program timed out.
        let _ = sender.send(String::from_utf8_lossy(&kept).into_owned());
    });
    receiver
}

/// Waits until the program ends, or kills its whole group when the time is over.
fn wait(child: &mut Child, group: &Group, timeout: Duration) -> io::Result<Option<ExitStatus>> {
    let (cancel, timer) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        let watchdog = scope.spawn(move || {
            let timed_out = timer.recv_timeout(timeout) == Err(mpsc::RecvTimeoutError::Timeout);
            if timed_out {
                group.kill();
            }
            timed_out
        });
        let status = child.wait();
        drop(cancel);
        let timed_out = watchdog.join().unwrap_or(false);
        status.map(|status| (!timed_out).then_some(status))
    })
}

#[cfg(all(test, unix))]
mod tests {
    use std::time::Duration;

    use super::Step;
    use crate::error::BuildError;

    #[test]
    fn a_failing_program_is_reported_with_its_arguments_status_and_words() {
        let error = Step::new("sh").args(["-c", "echo no such crate >&2; exit 3"]).run().unwrap_err();
        let BuildError::Tool { argv, status, stderr } = error else { panic!("{error}") };
        assert_eq!(argv, ["sh", "-c", "echo no such crate >&2; exit 3"]);
        assert_eq!((status.as_str(), stderr.as_str()), ("exit status: 3", "no such crate\n"));
    }

    #[test]
    fn a_program_that_takes_too_long_ends_with_everything_it_started() {
        let step = Step::new("sh").args(["-c", "sleep 1000 & wait"]).timeout(Duration::from_millis(50));
        assert!(matches!(step.run(), Err(BuildError::TimedOut { .. })));
    }

    /// It holds the streams, so the step would otherwise last as long as it does.
    #[test]
    fn what_a_program_leaves_running_ends_with_it() {
        let output = Step::new("sh").args(["-c", "tail -f /dev/null & echo done"]).run().unwrap();
        assert_eq!(output.stdout, "done\n");
    }

    #[test]
    fn a_program_sees_no_variable_that_is_not_on_the_list() {
        let output = Step::new("sh").args(["-c", "env | cut -d= -f1"]).env("GIVEN", "1").run().unwrap();
        let names: Vec<&str> = output.stdout.lines().collect();
        assert!(names.contains(&"GIVEN") && names.contains(&"PATH"), "{names:?}");
        assert!(!names.iter().any(|name| name.starts_with("CARGO_PKG")), "cargo sets these for tests: {names:?}");
    }
}
