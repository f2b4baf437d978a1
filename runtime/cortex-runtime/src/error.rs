//! What keeps a call from becoming an execution at all. Everything after that is an ending.

use std::io;
use std::path::PathBuf;

use cortex_docker::DockerError;
use cortex_manifest::ManifestError;
use cortex_sandbox::{Ending, Failure, LimitError, SandboxError};

use crate::backend::LoadFailure;
use crate::secrets::SecretError;

/// Why there is no execution.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RuntimeError {
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
    /// A file or folder could not be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl RuntimeError {
    /// What to do next, where there is something.
    pub fn hint(&self) -> Option<String> {
        match self {
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
            Self::Docker(error) => error.hint(),
            Self::Record { .. } | Self::Io(_) => None,
        }
    }
}

impl From<LoadFailure> for RuntimeError {
    fn from(failed: LoadFailure) -> Self {
        Self::NotReady { ending: failed.ending, failure: failed.failure }
    }
}
