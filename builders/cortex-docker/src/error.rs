//! Why a container could not be had, and what to do next.

use std::io;

use cortex_build::BuildError;

/// Why a container could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DockerError {
    /// No engine answers.
    #[error("no Docker engine answers: {}", tried.join("; "))]
    NoEngine {
        /// Every address that was tried, and why it did not work.
        tried: Vec<String>,
    },
    /// The engine cannot hold containers to a limit.
    #[error("the Docker engine cannot enforce a limit of {limit}")]
    CannotEnforce {
        /// The limit.
        limit: &'static str,
    },
    /// The engine refused something.
    #[error("the Docker engine could not {action}")]
    Engine {
        /// What it was asked to do.
        action: &'static str,
        /// What it said.
        #[source]
        source: Box<bollard::errors::Error>,
    },
    /// The engine did not answer in time.
    #[error("the Docker engine did not {action} within {seconds} s")]
    Unanswered {
        /// What it was asked to do.
        action: &'static str,
        /// The time it had.
        seconds: u64,
    },
    /// An image that others are built from is not there.
    #[error("the base image `{image}` is not on this machine and cannot be fetched: {reason}")]
    BaseImage {
        /// The image.
        image: String,
        /// Why it cannot be fetched.
        reason: String,
    },
    /// A step of the Dockerfile failed. The engine's own words are in `log`.
    #[error("the image of `{tool}` was not built: {message}")]
    Build {
        /// The tool.
        tool: String,
        /// What failed.
        message: String,
        /// The end of what the build wrote.
        log: String,
    },
    /// A manifest and its folder that no image can be made of.
    #[error("`{tool}` cannot run in a container: {problem}")]
    Layout {
        /// The tool.
        tool: String,
        /// What is wrong.
        problem: String,
        /// How it should be.
        hint: String,
    },
    /// A relic's state does not allow what was asked for.
    #[error("the relic `{relic}` {problem}")]
    Relic {
        /// The relic.
        relic: String,
        /// What is wrong.
        problem: String,
        /// What to do.
        hint: String,
    },
    /// Nothing of ours has this name.
    #[error("there is no container `{name}` of cortex-wasm")]
    NoContainer {
        /// The name that was given.
        name: String,
    },
    /// The source could not be read.
    #[error(transparent)]
    Source(#[from] BuildError),
    /// A file could not be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl DockerError {
    /// What to do next, where there is something.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoEngine { .. } => Some("start Docker or Podman, or set `DOCKER_HOST` to its address".into()),
            Self::CannotEnforce { .. } => {
                Some("enable control groups for the engine; without them a tool could take the machine".into())
            }
            Self::BaseImage { image, .. } => Some(format!(
                "run `docker pull {image}` where there is a registry, or name another one in `CORTEX_BASE_IMAGES`"
            )),
            Self::Layout { hint, .. } | Self::Relic { hint, .. } => Some(hint.clone()),
            Self::NoContainer { .. } => Some("`cortex-wasm ps` lists them".into()),
            Self::Source(error) => error.hint(),
            Self::Engine { .. } | Self::Unanswered { .. } | Self::Build { .. } | Self::Io(_) => None,
        }
    }

    /// What a build wrote, for printing as it is.
    pub fn log(&self) -> Option<&str> {
        match self {
            Self::Build { log, .. } => Some(log),
            Self::Source(error) => error.stderr(),
            _ => None,
        }
    }

    /// Whether it is the machine that lacks something, and not the tool.
    pub fn is_unavailable(&self) -> bool {
        matches!(
            self,
            Self::NoEngine { .. }
                | Self::CannotEnforce { .. }
                | Self::Engine { .. }
                | Self::Unanswered { .. }
                | Self::BaseImage { .. }
        )
    }
}

/// Says what the engine was asked to do when it refuses.
pub(crate) fn asked(action: &'static str) -> impl FnOnce(bollard::errors::Error) -> DockerError {
    move |source| DockerError::Engine { action, source: Box::new(source) }
}

/// Whether the engine says that there is no such thing.
pub(crate) fn is_missing(error: &bollard::errors::Error) -> bool {
    matches!(error, bollard::errors::Error::DockerResponseServerError { status_code: 404, .. })
}
