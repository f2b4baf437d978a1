//! Exit codes. The one place where an ending becomes one.

use std::process::ExitCode;

use cortex_runtime::{Ending, Execution};

/// How this program ends. A command that ran as a tool passes its own code on unchanged; ours begin at 120, above what
/// programs commonly use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExitStatus {
    /// 0: everything worked.
    Success,
    /// The tool failed: its own exit code, 1 for tools that have none. Also 1 when `test` finds a failing check.
    Tool(u8),
    /// What the parent of this process understands.
    Child(u8),
    /// 120: the command line is wrong.
    Usage,
    /// 121: there is no such tool, or its manifest is not valid.
    Manifest,
    /// 122: the input breaks the tool's schema.
    InvalidInput,
    /// 123: the tool could not be built.
    Build,
    /// 124: the tool hit a limit: fuel, memory, time, output or another.
    Limit,
    /// 125: the tool needs what it was not granted.
    Denied,
    /// 126: the tool crashed, or answered with something that is not JSON.
    Crash,
    /// 127: this program or machine failed, not the tool.
    Internal,
    /// 130: the caller gave up, as after control-C.
    Cancelled,
}

impl ExitStatus {
    /// The code of an execution.
    pub(crate) fn of(execution: &Execution) -> Self {
        match execution.ending {
            Ending::ToolError => {
                let code = execution.error.as_ref().and_then(|error| error.exit_code);
                Self::Tool(code.and_then(|code| u8::try_from(code).ok()).filter(|code| *code != 0).unwrap_or(1))
            }
            ending => Self::of_ending(ending),
        }
    }

    /// The code of an ending for which no tool has run.
    pub(crate) fn of_ending(ending: Ending) -> Self {
        match ending {
            Ending::Success => Self::Success,
            Ending::ToolError => Self::Tool(1),
            Ending::InvalidInput => Self::InvalidInput,
            Ending::BuildFailed => Self::Build,
            Ending::OutOfFuel
            | Ending::MemoryExceeded
            | Ending::DeadlineExceeded
            | Ending::OutputExceeded
            | Ending::LimitExceeded => Self::Limit,
            Ending::Denied => Self::Denied,
            Ending::Trap | Ending::InvalidOutput => Self::Crash,
            Ending::BackendUnavailable => Self::Internal,
            Ending::Cancelled => Self::Cancelled,
        }
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(match status {
            ExitStatus::Success => 0,
            ExitStatus::Tool(code) | ExitStatus::Child(code) => code,
            ExitStatus::Usage => 120,
            ExitStatus::Manifest => 121,
            ExitStatus::InvalidInput => 122,
            ExitStatus::Build => 123,
            ExitStatus::Limit => 124,
            ExitStatus::Denied => 125,
            ExitStatus::Crash => 126,
            ExitStatus::Internal => 127,
            ExitStatus::Cancelled => 130,
        })
    }
}

/// What `--help` says about exit codes.
pub(crate) const HELP: &str = "\
Exit codes:
  0    success
  N    the tool failed; a command's own exit code, 1 for other tools
  120  wrong usage
  121  no such tool, or its manifest is not valid
  122  the input breaks the tool's schema
  123  the tool could not be built; of `doctor`, no language could be
  124  the tool hit a limit: fuel, memory, time, output or another
  125  the tool needs what it was not granted
  126  the tool crashed, or its answer is not JSON
  127  this program or machine failed
  130  cancelled";
