//! Building: from a plan to a component in the store, once.

use std::path::{Path, PathBuf};

use cortex_manifest::{Entrypoint, ToolSpec};
use walkdir::WalkDir;

use crate::artefact::{ArtefactLock, artefact_name};
use crate::decided::Decisions;
use crate::error::BuildError;
use crate::languages::language;
use crate::plan::{BuilderKind, Reason, plan};
use crate::process::Step;
use crate::source::{SourceTree, data_folders, sha256, stamp_of};
use crate::stage::Stage;
use crate::store::{ComponentStore, StoredComponent, lock};
use crate::toolchain::Package;
use crate::wit;

/// What a build says while it goes on, for a progress line.
pub trait Progress: Send + Sync {
    /// A step has begun, said in one line.
    fn step(&self, line: &str);

    /// How far the step is, in bytes, where that can be told. For a bar; whoever has none leaves it out.
    fn amount(&self, _done: u64, _total: u64) {}
}

/// Says nothing.
#[derive(Clone, Copy, Debug)]
pub struct Silent;

impl Progress for Silent {
    fn step(&self, _: &str) {}
}

/// One language: how its source becomes a component.
pub(crate) trait Language: Sync {
    /// What the build depends on besides the source: part of the source's digest.
    fn fixed_inputs(&self) -> String;

    /// What the source says about how it must be built and run. Reads the folder, runs nothing.
    fn survey(&self, _spec: &ToolSpec, _folder: &Path) -> Survey {
        Survey::default()
    }

    /// What is fetched on first need, where the machine has nothing that fits.
    fn packages(&self) -> &'static [&'static Package] {
        &[]
    }

    /// What compiles it now: the machine's own or what was installed. Fetches nothing.
    fn found(&self, home: &Path) -> Option<String> {
        let installed = !self.packages().is_empty() && self.packages().iter().all(|package| package.installed(home));
        installed.then(|| self.packages().iter().map(|package| package.version(home)).collect::<Vec<_>>().join(", "))
    }

    /// Installs what a first build would.
    fn provision(&self, home: &Path, offline: bool, progress: &dyn Progress) -> Result<(), BuildError> {
        self.packages().iter().try_for_each(|package| package.ensure(home, offline, progress).map(drop))
    }

    /// About how much an installation fetches and keeps.
    fn megabytes(&self) -> u32 {
        self.packages().iter().map(|package| package.megabytes).sum()
    }

    /// What the folders of installed toolchains begin with.
    fn installed_names(&self) -> Vec<&'static str> {
        self.packages().iter().map(|package| package.name).collect()
    }

    /// The files of a new tool: names and texts, in which `{{name}}` stands for the tool's name.
    fn template(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    /// What of the source is started, and whether it is a function. Reads the folder, runs nothing.
    fn entry(&self, _spec: &ToolSpec, _folder: &Path) -> Option<SourceEntry> {
        None
    }

    /// Builds the source in `stage`, a copy that may be written to.
    fn build(&self, job: &Job<'_>) -> Result<Compiled, BuildError>;
}

/// What of a source is started. It is the same on every backend, so that a tool means the same on each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceEntry {
    /// The file, relative to the tool's folder; for Go the folder of the package.
    pub path: PathBuf,
    /// Whether it is a function to call. Otherwise it is a program: input as first argument and standard input.
    pub function: bool,
}

/// What of a tool's source is started, for a language that distinguishes. Reads the folder, runs nothing.
pub fn source_entry(kind: BuilderKind, spec: &ToolSpec, folder: &Path) -> Option<SourceEntry> {
    language(kind)?.entry(spec, folder)
}

/// What reading a source has shown.
#[derive(Clone, Debug, Default)]
pub(crate) struct Survey {
    /// What was chosen because of what was read, such as an engine.
    pub(crate) reasons: Vec<Reason>,
    /// Why no component can do it: every one names the file and the line.
    pub(crate) needs_docker: Vec<Reason>,
}

/// One build.
pub(crate) struct Job<'a> {
    pub(crate) spec: &'a ToolSpec,
    pub(crate) tree: &'a SourceTree,
    pub(crate) stage: PathBuf,
    pub(crate) home: &'a Path,
    pub(crate) offline: bool,
    pub(crate) progress: &'a dyn Progress,
}

/// What a builder made.
pub(crate) struct Compiled {
    pub(crate) wasm: Vec<u8>,
    pub(crate) toolchain: String,
}

/// Where a component came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It lies beside its source, and the lock says that it belongs to it.
    Shipped,
    /// It was built before.
    Store,
    /// It was built now.
    Built,
}

/// A component that is ready to be compiled, and where it came from.
#[derive(Clone, Debug)]
pub struct Built {
    /// The component.
    pub component: StoredComponent,
    /// The digest of what it was built from.
    pub source: String,
    /// Where it came from.
    pub origin: Origin,
}

/// How far a source is trusted. Building one runs code of its author on this machine: macros, build scripts, whatever the
/// manifest says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Trust {
    /// It was written here, or the operator vouches for it.
    #[default]
    Trusted,
    /// It comes from elsewhere, and somebody has just said that it may be built.
    ThisOnce,
    /// It comes from elsewhere.
    Untrusted,
}

/// Builds tools below one home directory. One build directory a language is shared by all tools, so that dependencies
/// are compiled once.
#[derive(Clone, Debug)]
pub struct Workshop {
    home: PathBuf,
    store: ComponentStore,
    decisions: Decisions,
    offline: bool,
    trust: Trust,
}

impl Workshop {
    /// A workshop that keeps its store, stages and toolchains below `home`. `offline`: nothing is ever fetched.
    pub fn new(home: impl Into<PathBuf>, offline: bool) -> Self {
        let home = home.into();
        Self {
            store: ComponentStore::new(&home),
            decisions: Decisions::new(&home),
            home,
            offline,
            trust: Trust::Trusted,
        }
    }

    /// The same workshop for a source that is trusted so far.
    #[must_use]
    pub fn trusting(&self, trust: Trust) -> Self {
        Self { trust, ..self.clone() }
    }

    /// Turns a tool's folder into a component. `force` builds even what is shipped or in the store.
    ///
    /// Blocks: a build takes from milliseconds, when there is nothing to do, to minutes.
    pub fn build(
        &self,
        spec: &ToolSpec,
        folder: &Path,
        manifest: &str,
        force: bool,
        progress: &dyn Progress,
    ) -> Result<Built, BuildError> {
        let plan = plan(spec, Some(folder));
        let (None, Some(kind)) = (&plan.blocked, plan.builder) else {
            // Why a container is needed says more than that there is none.
            let reasons: Vec<_> = plan.reasons.into_iter().take(1).chain(plan.blocked).collect();
            let hint = reasons.iter().find_map(|reason| reason.change.clone());
            let reason = reasons.into_iter().map(|reason| reason.because).collect::<Vec<_>>().join("; ");
            let hint = hint.unwrap_or_else(|| "see `cortex-wasm plan`".into());
            return Err(BuildError::NotPossible { tool: plan.tool, backend: plan.backend, reason, hint });
        };
        let Some(builder) = language(kind) else { return prebuilt(spec, folder) };
        let data = data_folders(spec);
        let (seen, inputs) = (stamp_of(folder, &data)?, fixed_inputs(spec, builder));
        let known = self.decisions.get(folder, &seen, &inputs);
        if let Some(source) = known.filter(|_| !force)
            && let Some(built) = self.find(spec, folder, &source)?
        {
            return Ok(built);
        }
        let tree = SourceTree::read_without(folder, manifest, &data)?;
        let source = source_digest(&tree, &inputs)?;
        self.decisions.put(folder, &seen, &inputs, &source);
        if !force && let Some(built) = self.find(spec, folder, &source)? {
            return Ok(built);
        }
        self.check_trust(spec)?;
        if !force && let Some(because) = self.store.refusal(&source) {
            return Err(BuildError::NeedsContainer { tool: spec.name.to_string(), because, stderr: String::new() });
        }
        // By name, not by digest: a changed source finds its last build's intermediate results.
        let stage = self.home.join("stage").join(spec.name.as_str());
        let _only_one = lock(&stage.with_extension("lock"))?;
        // Somebody else may have built it while this build waited.
        if !force && let Some(component) = self.store.get(&source) {
            return Ok(Built { component, source, origin: Origin::Store });
        }
        let stage = Stage::enter(stage, &tree, &maker(builder))?;
        let job = Job {
            spec,
            tree: &tree,
            stage: stage.path().to_owned(),
            home: &self.home,
            offline: self.offline,
            progress,
        };
        progress.step(&format!("building {}", spec.name));
        let built = run_command(&job).and_then(|()| builder.build(&job));
        // A compiler that was killed is no better than one that crashed with this process.
        if !matches!(built, Err(BuildError::TimedOut { .. })) {
            stage.leave()?;
        }
        let compiled = match built {
            Ok(compiled) => compiled,
            Err(error) => {
                if let BuildError::NeedsContainer { because, .. } = &error {
                    self.store.refuse(&source, because)?;
                }
                remove_outputs(&job)?;
                return Err(error);
            }
        };
        let component = self.store.put(&source, &compiled.wasm, &compiled.toolchain)?;
        Ok(Built { component, source, origin: Origin::Built })
    }

    /// The component of a tool, if there is one already. Builds nothing.
    pub fn built(&self, spec: &ToolSpec, folder: &Path, manifest: &str) -> Result<Option<Built>, BuildError> {
        let plan = plan(spec, Some(folder));
        let (None, Some(kind)) = (&plan.blocked, plan.builder) else { return Ok(None) };
        let Some(builder) = language(kind) else { return prebuilt(spec, folder).map(Some) };
        let tree = SourceTree::read_without(folder, manifest, &data_folders(spec))?;
        self.find(spec, folder, &source_digest(&tree, &fixed_inputs(spec, builder))?)
    }

    fn check_trust(&self, spec: &ToolSpec) -> Result<(), BuildError> {
        let command = spec.implementation.build.build_command.is_some();
        let what = match self.trust {
            Trust::Trusted => return Ok(()),
            Trust::ThisOnce if !command => return Ok(()),
            Trust::ThisOnce => "a `build_command` of a tool from elsewhere",
            Trust::Untrusted => "the source of a tool from elsewhere",
        };
        Err(BuildError::Untrusted { tool: spec.name.to_string(), what })
    }

    /// What is there already, without building: shipped beside the source, or in the store.
    fn find(&self, spec: &ToolSpec, folder: &Path, source: &str) -> Result<Option<Built>, BuildError> {
        if let Some(lock) = ArtefactLock::read(folder)?
            && lock.source == source
        {
            let path = folder.join(artefact_name(spec.name.as_str()));
            let component = StoredComponent { digest: lock.component, path, toolchain: lock.toolchain };
            // A component that is missing or damaged is built.
            if component.read().is_ok() {
                return Ok(Some(Built { component, source: source.into(), origin: Origin::Shipped }));
            }
        }
        Ok(self.store.get(source).map(|component| Built { component, source: source.into(), origin: Origin::Store }))
    }
}

/// The manifest's own command, in the stage, before the language's compiler.
fn run_command(job: &Job<'_>) -> Result<(), BuildError> {
    let Some(command) = &job.spec.implementation.build.build_command else { return Ok(()) };
    job.progress.step(&format!("running `{command}`"));
    Step::new("sh").args(["-c", command.as_str()]).dir(&job.stage).run().map(drop)
}

/// What a compiler may have written before it failed.
fn remove_outputs(job: &Job<'_>) -> Result<(), BuildError> {
    for entry in WalkDir::new(&job.stage).max_depth(3) {
        let entry = entry.map_err(std::io::Error::from)?;
        let path = entry.path().strip_prefix(&job.stage).unwrap_or(entry.path());
        let output = path.extension().is_some_and(|extension| extension == "wasm");
        if output && entry.file_type().is_file() && !job.tree.files().iter().any(|file| file == path) {
            fs_err::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// What puts its own files into a stage: those of another language or of an older program mean something else.
fn maker(builder: &dyn Language) -> String {
    sha256([env!("CARGO_PKG_VERSION"), &wit::digest(), &builder.fixed_inputs()].join("\n").as_bytes())
}

/// Everything that a build depends on but the source's files and the compiler.
fn fixed_inputs(spec: &ToolSpec, builder: &dyn Language) -> String {
    [sha256(&spec.build_inputs()), builder.fixed_inputs()].join("\n")
}

/// The digest of everything that a build depends on but the compiler.
fn source_digest(tree: &SourceTree, inputs: &str) -> Result<String, BuildError> {
    Ok(sha256([&tree.digest()?, inputs].join("\n").as_bytes()))
}

/// A component that the manifest names. Its digest is its source.
fn prebuilt(spec: &ToolSpec, folder: &Path) -> Result<Built, BuildError> {
    let Some(Entrypoint::File(file)) = &spec.implementation.entrypoint else {
        return Err(BuildError::Layout {
            tool: spec.name.to_string(),
            problem: "`runtime: component` without an entry point".into(),
            hint: "name the `.wasm` file in `implementation.entrypoint`".into(),
        });
    };
    let path = folder.join(file.as_path());
    let found = sha256(&fs_err::read(&path)?);
    if let Some(expected) = &spec.implementation.build.sha256 {
        let expected = format!("sha256:{}", expected.as_str());
        if expected != found {
            return Err(BuildError::Digest { path, expected, found });
        }
    }
    let component = StoredComponent { digest: found.clone(), path, toolchain: "none".into() };
    Ok(Built { component, source: found, origin: Origin::Shipped })
}
