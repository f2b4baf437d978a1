//! A program with everything that it starts, as one thing that can be ended.
//!
//! The threat: this process is killed while a package manager or compiler works, and that goes on without anybody who
//! bounds it, into folders that the next process takes over. A process that is killed can do nothing about it any more, so
//! another one is there from the beginning: a shell at the head of the group, which waits on a pipe whose other end only
//! this process has. The system closes that end however this process ends, and the shell kills the group.
//!
//! The kernel's own signal for it (`PR_SET_PDEATHSIG`) is Linux only, reaches the program and not what it started, which
//! is where compilers do their work, and goes by threads.

#[cfg(unix)]
pub(super) use unix::Group;

#[cfg(unix)]
mod unix {
    use std::os::unix::process::CommandExt;
    use std::process::{Child, Command, Stdio};

    use rustix::process::{Pid, Signal, kill_process_group};

    use crate::error::BuildError;

    /// By its path: what is found on the `PATH` is the user's choice, and this is nothing of the user's.
    const SHELL: &str = "/bin/sh";

    /// Nothing is ever written to the pipe. `0` is the group of whoever asks.
    const WATCH: &str = "read -r nothing; kill -9 0";

    /// A process group. Whoever is in it ends when this is dropped, or when this process ends.
    #[derive(Debug)]
    pub(in crate::process) struct Group(Child);

    impl Group {
        pub(in crate::process) fn new() -> Result<Self, BuildError> {
            #[expect(clippy::disallowed_methods, reason = "beside the one place where another program is started")]
            let mut command = Command::new(SHELL);
            command.args(["-c", WATCH]).env_clear().stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
            let shell = command.process_group(0).spawn();
            shell.map(Self).map_err(|source| BuildError::Start { program: SHELL.into(), source })
        }

        /// The program is of this group as soon as it is started.
        pub(in crate::process) fn takes(&self, command: &mut Command) {
            command.process_group(i32::try_from(self.0.id()).unwrap_or_default());
        }

        /// Ends everything that is in the group. Its number is nobody else's as long as the shell was not waited for.
        pub(in crate::process) fn kill(&self) {
            let leader = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw);
            // It fails when nobody is left, which is as good.
            let _ = leader.map(|leader| kill_process_group(leader, Signal::KILL));
        }
    }

    impl Drop for Group {
        fn drop(&mut self) {
            self.kill();
            // Only to leave no zombie behind: it was just killed.
            let _ = self.0.wait();
        }
    }
}

#[cfg(not(unix))]
pub(super) use other::Group;

#[cfg(not(unix))]
mod other {
    use std::process::Command;

    use crate::error::BuildError;

    /// Other systems have no process groups of this kind: a program is bounded by itself only.
    #[derive(Debug)]
    pub(in crate::process) struct Group;

    impl Group {
        #[expect(clippy::unnecessary_wraps, reason = "the same signature as where it can fail")]
        pub(in crate::process) fn new() -> Result<Self, BuildError> {
            Ok(Self)
        }

        #[expect(clippy::unused_self, reason = "the same signature as where it does something")]
        pub(in crate::process) fn takes(&self, _: &mut Command) {}

        #[expect(clippy::unused_self, reason = "the same signature as where it does something")]
        pub(in crate::process) fn kill(&self) {}
    }
}
