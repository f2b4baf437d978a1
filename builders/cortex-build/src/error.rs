//! Why a tool could not be built, and what to do next.

use std::io;
use std::path::PathBuf;

use crate::plan::BackendKind;

/// Why a tool could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The plan says that this tool cannot be built here.
    #[error("`{tool}` cannot be built here: {reason}")]
    NotPossible {
        /// The tool's name.
        tool: String,
        /// The backend that the plan names.
        backend: BackendKind,
        /// Why, as the plan says it.
        reason: String,
        /// What would change it.
        hint: String,
    },
    /// The build showed that no component can do it, for a reason that a container does not have.
    #[error("`{tool}` cannot become a component: {because}")]
    NeedsContainer {
        /// The tool's name.
        tool: String,
        /// Why.
        because: String,
        /// What a compiler wrote, if one was asked.
        stderr: String,
    },
    /// Building would run code that nobody here has vouched for.
    #[error("`{tool}` is not built on this machine: it would run {what}")]
    Untrusted {
        /// The tool's name.
        tool: String,
        /// What would run.
        what: &'static str,
    },
    /// A compiler or package manager said no. Its own words are in `stderr`.
    #[error("`{}` ended with {status}", argv.first().map_or("", String::as_str))]
    Tool {
        /// The program and its arguments.
        argv: Vec<String>,
        /// How it ended.
        status: String,
        /// The tail of what it wrote to standard error.
        stderr: String,
    },
    /// The libraries that the source asks for could not be fetched. The package manager's own words are in `stderr`.
    #[error("the libraries of the source cannot be fetched: `{}` ended with {status}", argv.first().map_or("", String::as_str))]
    Dependencies {
        /// The program and its arguments.
        argv: Vec<String>,
        /// How it ended.
        status: String,
        /// The tail of what it wrote to standard error.
        stderr: String,
        /// How to do without fetching.
        hint: String,
    },
    /// A program that the build needs cannot be started.
    #[error("`{program}` cannot be started")]
    Start {
        /// The program.
        program: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A program that the build runs took longer than it may.
    #[error("`{program}` was stopped after {seconds} s")]
    TimedOut {
        /// The program.
        program: String,
        /// The time it had.
        seconds: u64,
    },
    /// No way was found to compile for WebAssembly on this machine.
    #[error("{language} cannot be compiled for `{target}` on this machine: {tried}")]
    NoToolchain {
        /// The language.
        language: &'static str,
        /// The compilation target.
        target: &'static str,
        /// Every way that was tried, and why it did not work.
        tried: String,
        /// The command that would help.
        hint: String,
    },
    /// A toolchain is missing and nothing may be fetched.
    #[error(
        "the {language} toolchain `{missing}` is not installed and `--offline` forbids to fetch it (about {megabytes} MB)"
    )]
    Offline {
        /// The language.
        language: &'static str,
        /// The toolchain.
        missing: &'static str,
        /// About how much would be fetched.
        megabytes: u32,
        /// What to do.
        hint: String,
    },
    /// The source is laid out in a way that the builder does not understand.
    #[error("the source of `{tool}` cannot be used: {problem}")]
    Layout {
        /// The tool's name.
        tool: String,
        /// What is wrong with it.
        problem: String,
        /// How it should be.
        hint: String,
    },
    /// What the compiler made is not a component, and could not be made one.
    #[error("the compiled module cannot be made a component")]
    Componentize(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A file has another digest than was promised.
    #[error("`{}` has the digest `{found}`, expected `{expected}`", path.display())]
    Digest {
        /// The file.
        path: PathBuf,
        /// The digest that was promised.
        expected: String,
        /// The digest seen.
        found: String,
    },
    /// A file or folder could not be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl BuildError {
    /// What to do next, where there is something.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotPossible { hint, .. }
            | Self::NoToolchain { hint, .. }
            | Self::Offline { hint, .. }
            | Self::Layout { hint, .. }
            | Self::Dependencies { hint, .. } => Some(hint.clone()),
            Self::Start { program, .. } => Some(format!("install `{program}` and put it on the PATH")),
            Self::NeedsContainer { .. } => Some("write `backend: docker` into the manifest, or do without it".into()),
            Self::Untrusted { tool, .. } => Some(format!(
                "read it; then `cortex-wasm build {tool} --trust` builds it once, and `trust: true` for it in `cortex.yml` always"
            )),
            Self::Digest { .. } => Some("rebuild it, or put the right file back".into()),
            Self::Tool { .. } | Self::TimedOut { .. } | Self::Componentize(_) | Self::Io(_) => None,
        }
    }

    /// Why a container could do what failed here, where it could.
    pub fn container_would_do(&self) -> Option<String> {
        match self {
            Self::NeedsContainer { because, .. } => Some(because.clone()),
            Self::Untrusted { what, .. } => Some(format!("building it here would run {what}")),
            _ => None,
        }
    }

    /// What a compiler wrote, for printing as it is.
    pub fn stderr(&self) -> Option<&str> {
        match self {
            Self::Tool { stderr, .. } | Self::Dependencies { stderr, .. } => Some(stderr),
            Self::NeedsContainer { stderr, .. } if !stderr.is_empty() => Some(stderr),
            _ => None,
        }
    }
}
