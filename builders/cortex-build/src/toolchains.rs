//! The languages' toolchains as a whole: which are there, what the others would cost, and how they come and go.

use std::path::PathBuf;

use fs_err as fs;
use serde::Serialize;

use crate::builder::{Language, Progress};
use crate::error::BuildError;
use crate::languages::language;
use crate::machine::Program;
use crate::plan::BuilderKind;
use crate::store::lock;

/// The languages that can be asked for, in the order in which they are listed.
pub const LANGUAGES: &[BuilderKind] = &[
    BuilderKind::Rust,
    BuilderKind::Go,
    BuilderKind::JavaScript,
    BuilderKind::TypeScript,
    BuilderKind::SpiderMonkey,
    BuilderKind::Python,
    BuilderKind::TinyGo,
];

/// Whether a language can be compiled on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Everything is there.
    Ready,
    /// The first build installs what is missing.
    Installable,
    /// Something is missing that this program does not install.
    Missing,
}

impl State {
    /// The name used in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Installable => "installable",
            Self::Missing => "missing",
        }
    }
}

/// One language on this machine.
#[derive(Clone, Debug, Serialize)]
pub struct Toolchain {
    /// The language.
    pub language: BuilderKind,
    /// Whether it can be compiled.
    pub state: State,
    /// The compiler's version, or the folders of what was installed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// How much is fetched and kept when it is installed; 0 where nothing is.
    pub megabytes: u32,
    /// Programs that are needed and not there.
    pub missing: Vec<String>,
    /// The command that makes it ready, unless it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

/// The toolchains below one home directory.
#[derive(Clone, Debug)]
pub struct Toolchains {
    home: PathBuf,
    offline: bool,
}

impl Toolchains {
    /// Those below `home`. `offline`: nothing is ever fetched.
    pub fn new(home: impl Into<PathBuf>, offline: bool) -> Self {
        Self { home: home.into(), offline }
    }

    /// Every language, with what this machine's programs allow.
    pub fn list(&self, machine: &[Program]) -> Vec<Toolchain> {
        // Compilers are asked for their versions, which takes each of them a moment.
        std::thread::scope(|scope| {
            let asked: Vec<_> = LANGUAGES
                .iter()
                .map(|kind| scope.spawn(move || Some(self.look(*kind, language(*kind)?, machine))))
                .collect();
            asked.into_iter().filter_map(|thread| thread.join().ok().flatten()).collect()
        })
    }

    fn look(&self, kind: BuilderKind, language: &dyn Language, machine: &[Program]) -> Toolchain {
        let missing_of = |names: &[&str]| -> Vec<&Program> {
            machine.iter().filter(|program| names.contains(&program.name) && program.version.is_none()).collect()
        };
        let needed = missing_of(needs(kind).always);
        let version = language.found(&self.home).filter(|_| needed.is_empty());
        let missing = if needed.is_empty() { missing_of(needs(kind).to_install) } else { needed };
        let (state, command) = match (&version, missing.first()) {
            (Some(_), _) => (State::Ready, None),
            (None, None) => (State::Installable, Some(format!("cortex-wasm toolchain install {}", kind.as_str()))),
            (None, Some(program)) => (State::Missing, Some(program.command.to_owned())),
        };
        Toolchain {
            language: kind,
            state,
            megabytes: language.megabytes(),
            missing: if version.is_some() {
                Vec::new()
            } else {
                missing.iter().map(|program| program.name.into()).collect()
            },
            version,
            command,
        }
    }

    /// Installs what a language needs and the machine does not have. Returns what compiles it now.
    pub fn install(&self, kind: BuilderKind, progress: &dyn Progress) -> Result<Option<String>, BuildError> {
        let Some(language) = language(kind) else { return Ok(None) };
        language.provision(&self.home, self.offline, progress)?;
        Ok(language.found(&self.home))
    }

    /// Removes everything that was installed for a language, old versions too. What the machine has is left alone.
    pub fn remove(&self, kind: BuilderKind) -> Result<Vec<PathBuf>, BuildError> {
        let mut removed = Vec::new();
        let folder = self.home.join("toolchains");
        let (Some(language), true) = (language(kind), folder.exists()) else { return Ok(removed) };
        for name in language.installed_names() {
            for entry in fs::read_dir(&folder)? {
                let path = entry?.path();
                let found = path.file_name().and_then(|found| found.to_str()?.strip_prefix(name)?.strip_prefix('-'));
                if found.is_none() || !path.is_dir() {
                    continue;
                }
                // Nobody may be installing it at the same time.
                let _only_one = lock(&path.with_extension("lock"))?;
                fs::remove_dir_all(&path)?;
                removed.push(path);
            }
        }
        removed.sort();
        Ok(removed)
    }
}

/// Programs that are not installed by this one.
struct Needs {
    /// Without them, nothing is built.
    always: &'static [&'static str],
    /// They install the toolchain.
    to_install: &'static [&'static str],
}

fn needs(kind: BuilderKind) -> Needs {
    match kind {
        BuilderKind::Rust => Needs { always: &["cargo", "rustc"], to_install: &[] },
        BuilderKind::Go => Needs { always: &[], to_install: &["python3", "pip"] },
        BuilderKind::JavaScript | BuilderKind::TypeScript | BuilderKind::SpiderMonkey => {
            Needs { always: &["node"], to_install: &["npm"] }
        }
        BuilderKind::Python => Needs { always: &["python3"], to_install: &["pip"] },
        BuilderKind::TinyGo => Needs { always: &["tinygo"], to_install: &[] },
        BuilderKind::Component => Needs { always: &[], to_install: &[] },
    }
}

/// The files of a new tool in a language: names and texts, in which `{{name}}` stands for the tool's name.
pub fn template(kind: BuilderKind) -> &'static [(&'static str, &'static str)] {
    language(kind).map_or(&[], Language::template)
}
