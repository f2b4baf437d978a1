//! What keeps a call from becoming an execution at all. Everything after that is an ending.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use cortex_docker::DockerError;
use cortex_manifest::ManifestError;
use cortex_sandbox::{Ending, Failure, LimitError, SandboxError};

use crate::backend::LoadFailure;
use crate::identity::ExecutionId;
use crate::secrets::SecretError;

/// Why there is no execution.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RuntimeError {
    /// The home cannot be used.
    #[error("the home `{}` cannot be used", path.display())]
    Home {
        /// The home.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: io::Error,
    },
    /// No tool has this name.
    #[error("there is no tool `{name}`")]
    UnknownTool {
        /// The name asked for.
        name: String,
        /// The name of a tool that there is, if one is near.
        nearest: Option<String>,
    },
    /// The path leads to no tool.
    #[error("`{}` is no tool: {problem}", path.display())]
    NoTool {
        /// The path asked for.
        path: PathBuf,
        /// What is there instead.
        problem: &'static str,
    },
    /// The tool's manifest is not valid.
    #[error(transparent)]
    Manifest(#[from] Box<ManifestError>),
    /// The sandbox does not start.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The tool could not be built or loaded.
    #[error("{}", failure.message)]
    NotReady {
        /// How every call of it ends.
        ending: Ending,
        /// What went wrong.
        failure: Box<Failure>,
    },
    /// The manifest asks for more than the operator allows.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// Secrets cannot be read.
    #[error(transparent)]
    Secrets(#[from] SecretError),
    /// No relic has this name.
    #[error("there is no relic `{name}`")]
    UnknownRelic {
        /// The name asked for.
        name: String,
    },
    /// The container engine is not there, or refused something.
    #[error(transparent)]
    Docker(#[from] DockerError),
    /// Executions cannot be recorded.
    #[error("executions cannot be recorded in `{}`", path.display())]
    Record {
        /// The database.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// The record of executions cannot be read.
    #[error("the executions in `{}` cannot be read", path.display())]
    ReadRecord {
        /// The database.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// The tool has run, and the record of it is lost.
    #[error("`{id}` has ended, and could not be recorded")]
    NotRecorded {
        /// The execution.
        id: ExecutionId,
    },
    /// An earlier error has ended the recording.
    #[error("executions are no longer recorded in `{}`", path.display())]
    RecordEnded {
        /// The database.
        path: PathBuf,
    },
    /// More calls wait than may.
    #[error("{waiting} calls wait for their turn already")]
    Overloaded {
        /// How many there are.
        waiting: usize,
        /// When there may be room again.
        retry_after: Duration,
    },
    /// The process is about to end.
    #[error("no calls are taken any more: the process is about to end")]
    Draining,
    /// A file or folder could not be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl RuntimeError {
    /// A stable word for it, which clients test.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownTool { .. } => "unknown_tool",
            Self::UnknownRelic { .. } => "unknown_relic",
            Self::NoTool { .. } => "no_tool",
            Self::Manifest(_) => "invalid_manifest",
            Self::Limit(_) => Ending::Denied.as_str(),
            Self::Docker(error) if error.is_unavailable() => Ending::BackendUnavailable.as_str(),
            Self::Docker(_) => Ending::BuildFailed.as_str(),
            Self::NotReady { ending, .. } => ending.as_str(),
            Self::Overloaded { .. } => "overloaded",
            Self::Draining => "draining",
            Self::NotRecorded { .. } | Self::RecordEnded { .. } => "not_recorded",
            // What is left is this machine's: the engine, the disk, the database.
            Self::Home { .. }
            | Self::Sandbox(_)
            | Self::Secrets(_)
            | Self::Record { .. }
            | Self::ReadRecord { .. }
            | Self::Io(_) => "internal",
        }
    }

    /// What to do next, where there is something.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Home { .. } => {
                Some("name a folder that you may write and nobody else may enter with `CORTEX_HOME`".into())
            }
            Self::UnknownTool { nearest: Some(nearest), .. } => Some(format!("did you mean `{nearest}`?")),
            Self::UnknownTool { nearest: None, .. } => {
                Some("`cortex-wasm list` shows the tools there are; a path to a tool's folder works as well".into())
            }
            Self::NoTool { .. } => Some("name a folder with a `tool.yml`, a manifest, or a `.wasm` component".into()),
            Self::Manifest(error) => error.hint(),
            Self::Sandbox(error) => error.hint(),
            Self::NotReady { failure, .. } => failure.hint.clone(),
            Self::Limit(error) => Some(error.hint()),
            Self::Secrets(error) => error.hint(),
            Self::Overloaded { retry_after, .. } => Some(format!("call again in {} s", retry_after.as_secs().max(1))),
            Self::Draining => Some("call again when it has started anew".into()),
            Self::NotRecorded { .. } | Self::RecordEnded { .. } => {
                Some("see that the disk has room, and start the process anew".into())
            }
            Self::Docker(error) => error.hint(),
            Self::UnknownRelic { .. } => {
                Some("`cortex-wasm relic list` shows them; they are in `relics` of a manifests folder".into())
            }
            Self::Record { .. } | Self::ReadRecord { .. } | Self::Io(_) => None,
        }
    }
}

impl From<LoadFailure> for RuntimeError {
    fn from(failed: LoadFailure) -> Self {
        Self::NotReady { ending: failed.ending, failure: failed.failure }
    }
}
