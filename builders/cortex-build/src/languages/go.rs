//! Go: `go build` for WASI preview 1 and an adapter around the module; or TinyGo, where a manifest names it.
//!
//! The contract is what the source has: `func main` is a program (the command contract), `func Run` without it a function
//! (the tool contract), for which a file with the ABI and an empty `main` is added in the stage.

mod component;
mod host;
mod source;
mod toolchain;

use std::path::{Path, PathBuf};

use cortex_manifest::{Entrypoint, ToolSpec};
use fs_err as fs;

use self::source::Sources;
use self::toolchain::{Toolchain, tinygo};
use crate::builder::{Compiled, Job, Language, Progress, SourceEntry, Survey};
use crate::error::BuildError;
use crate::plan::Reason;
use crate::process::Step;
use crate::source::sha256;
use crate::toolchain::Package;

/// Standard Go.
#[derive(Debug)]
pub(crate) struct Go;

/// The Go compiler for small programs. Used only where the manifest names it: it leaves out parts of the language's library.
#[derive(Debug)]
pub(crate) struct TinyGo;

/// How the source sees a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Contract {
    Command,
    Tool,
}

const TOOL_ABI: &str = include_str!("../../languages/go/tool.go");
const MEMORY: &str = include_str!("../../languages/go/memory.go");
const HTTP: &str = include_str!("../../languages/go/http.go");
const TINYGO_MAIN: &str = include_str!("../../languages/go/tinygo.go");

/// What the files begin with that are added to a tool's own in the stage. Compilers name them in the errors of a `Run` with a
/// wrong signature.
const ADDED: &str = "cortex_";

impl Language for Go {
    fn fixed_inputs(&self) -> String {
        // The arguments below are part of what a component is made of: raise the number when they change.
        let carried = [TOOL_ABI, MEMORY, HTTP, component::COMMAND_WIT, component::HTTP_WIT, component::ADAPTER];
        let package: String = host::FILES.iter().map(|(_, text)| *text).collect();
        format!("go 2 {}", sha256((carried.concat() + &package).as_bytes()))
    }

    fn survey(&self, spec: &ToolSpec, folder: &Path) -> Survey {
        survey(spec, folder, "`func Run` compiles to the tool contract: a function that the host calls")
    }

    fn entry(&self, spec: &ToolSpec, folder: &Path) -> Option<SourceEntry> {
        let path = package_folder(spec);
        let (contract, _) = Sources::read(folder).ok()?.contract(&path)?;
        Some(SourceEntry { path, function: contract == Contract::Tool })
    }

    fn build(&self, job: &Job<'_>) -> Result<Compiled, BuildError> {
        let layout = Layout::of(job)?;
        let toolchain = Toolchain::find_or_provision(job.home, job.offline, job.progress)?;
        // The client makes a component several times larger, so only those get it that may use it.
        let network = !job.spec.permissions.network.is_empty();
        let tool = layout.contract == Contract::Tool;
        let mut files = Vec::new();
        files.extend(tool.then_some(("tool.go", TOOL_ABI)));
        files.extend(network.then_some(("http.go", HTTP)));
        files.extend((tool || network || layout.host).then_some(("memory.go", MEMORY)));
        let module = layout.prepare(job, &files)?;
        let overlay = if layout.host { host::overlay(job, &toolchain, &module)? } else { None };
        toolchain.fetch_dependencies(job, &module)?;
        job.progress.step(&format!("compiling {} with {}", job.spec.name, toolchain.version));
        let wasm = job.stage.join("cortex.wasm");
        let mut go = toolchain
            .step(job, &module)
            .args(["build", "-trimpath", "-buildvcs=false", "-o"])
            .args([&wasm])
            .env("GOOS", "wasip1")
            .env("GOARCH", "wasm");
        if tool {
            go = go.args(["-buildmode=c-shared"]);
        }
        if let Some(overlay) = overlay {
            go = go.args(["-overlay".as_ref(), overlay.as_os_str()]);
        }
        // What is added takes memory from where the runtime does, which the linker lets nobody do without the last flag.
        let flags = if files.is_empty() { "-s -w -buildid=" } else { "-s -w -buildid= -checklinkname=0" };
        go = go.args([format!("-ldflags={flags}")]);
        go.args([&layout.pattern(&module)]).run().map_err(|error| not_for_wasi(job, error))?;
        let wasm = component::of(&fs::read(wasm)?, layout.contract, network, layout.host);
        Ok(Compiled { wasm: wasm.map_err(BuildError::Componentize)?, toolchain: toolchain.version })
    }

    fn packages(&self) -> &'static [&'static Package] {
        toolchain::PACKAGES
    }

    fn found(&self, home: &Path) -> Option<String> {
        toolchain::found(home)
    }

    fn provision(&self, home: &Path, offline: bool, progress: &dyn Progress) -> Result<(), BuildError> {
        Toolchain::find_or_provision(home, offline, progress).map(drop)
    }

    fn template(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("tool.yml", include_str!("../../languages/go/template/tool.yml")),
            ("go.mod", include_str!("../../languages/go/template/go.mod.txt")),
            ("main.go", include_str!("../../languages/go/template/main.go")),
        ]
    }
}

impl Language for TinyGo {
    fn fixed_inputs(&self) -> String {
        format!("tinygo 1 {}", sha256(TINYGO_MAIN.as_bytes()))
    }

    fn found(&self, _: &Path) -> Option<String> {
        tinygo().ok()
    }

    fn provision(&self, _: &Path, _: bool, _: &dyn Progress) -> Result<(), BuildError> {
        tinygo().map(drop)
    }

    fn survey(&self, spec: &ToolSpec, folder: &Path) -> Survey {
        survey(spec, folder, "`func Run` gets a `main` around it: TinyGo's programs have the command contract")
    }

    fn build(&self, job: &Job<'_>) -> Result<Compiled, BuildError> {
        let layout = Layout::of(job)?;
        let version = tinygo()?;
        let around_run = [("main.go", TINYGO_MAIN)];
        let module = layout.prepare(job, if layout.contract == Contract::Tool { &around_run } else { &[] })?;
        job.progress.step(&format!("compiling {} with {version}", job.spec.name));
        let wasm = job.stage.join("cortex.wasm");
        // TinyGo makes the component itself.
        toolchain::environment(Step::new("tinygo"), job, &module)
            .args(["build", "-target=wasip2", "-no-debug", "-o"])
            .args([&wasm])
            .args([&layout.pattern(&module)])
            .dir(&module)
            .run()?;
        Ok(Compiled { wasm: fs::read(wasm)?, toolchain: version })
    }

    fn template(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("tool.yml", include_str!("../../languages/go/template/tinygo.yml")),
            ("go.mod", include_str!("../../languages/go/template/go.mod.txt")),
            ("main.go", include_str!("../../languages/go/template/main.go")),
        ]
    }
}

/// A package of which Go compiles nothing for WASI.
fn not_for_wasi(job: &Job<'_>, error: BuildError) -> BuildError {
    let BuildError::Tool { argv, status, stderr } = error else { return error };
    let excluded = stderr.lines().find(|line| line.contains("build constraints exclude all Go files"));
    match excluded {
        Some(line) => {
            let because = format!("{}: it is not written for WebAssembly", line.trim());
            BuildError::NeedsContainer { tool: job.spec.name.to_string(), because, stderr }
        }
        None => BuildError::Tool { argv, status, stderr },
    }
}

fn survey(spec: &ToolSpec, folder: &Path, tool: &str) -> Survey {
    let Ok(sources) = Sources::read(folder) else { return Survey::default() };
    let because = match sources.contract(&package_folder(spec)) {
        Some((Contract::Command, place)) => format!("{place}: `func main` is a program: the command contract"),
        Some((Contract::Tool, place)) => format!("{place}: {tool}"),
        None => return Survey { needs_docker: sources.needs_docker(), ..Survey::default() },
    };
    Survey { reasons: vec![Reason { because, change: None }], needs_docker: sources.needs_docker() }
}

/// The folder of the package to build, relative to the tool's: a program of Go is a folder, whichever file of it is named.
fn package_folder(spec: &ToolSpec) -> PathBuf {
    match &spec.implementation.entrypoint {
        Some(Entrypoint::File(file)) => file.as_path().parent().unwrap_or(Path::new("")).to_owned(),
        _ => PathBuf::new(),
    }
}

/// What of the stage is compiled, and how it is called.
struct Layout {
    package: PathBuf,
    contract: Contract,
    /// Whether it reaches its host by the package `cortex`.
    host: bool,
}

impl Layout {
    fn of(job: &Job<'_>) -> Result<Self, BuildError> {
        let relative = package_folder(job.spec);
        let error = |problem: String| {
            BuildError::Layout {
            tool: job.spec.name.to_string(),
            problem,
            hint: "put a file of `package main` with `func main()` or `func Run(args json.RawMessage) (any, error)` into the \
                   tool's folder, and name it in `implementation.entrypoint` if it lies deeper"
                .into(),
        }
        };
        let sources = Sources::read(&job.stage)?;
        if let Some((place, package)) = sources.other_package(&relative) {
            return Err(error(format!("{place}: `package {package}` is a library, not a program")));
        }
        let Some((contract, _)) = sources.contract(&relative) else {
            let place = Path::new(".").join(&relative);
            return Err(error(format!("no file in `{}` has `func main` or `func Run`", place.display())));
        };
        Ok(Self { package: job.stage.join(relative), contract, host: host::is_imported(&sources) })
    }

    /// Adds what the source lacks. Returns the folder of its module, where compilers run.
    fn prepare(&self, job: &Job<'_>, files: &[(&str, &str)]) -> Result<PathBuf, BuildError> {
        for (name, text) in files {
            fs::write(self.package.join(format!("{ADDED}{name}")), text)?;
        }
        let inside = self.package.ancestors().take_while(|folder| folder.starts_with(&job.stage));
        if let Some(module) = inside.into_iter().find(|folder| folder.join("go.mod").exists()) {
            return Ok(module.to_owned());
        }
        // The prefix keeps names apart that mean something to Go, such as `main` and the standard library's.
        fs::write(job.stage.join("go.mod"), format!("module tool.local/{}\n\ngo 1.24\n", job.spec.name))?;
        Ok(job.stage.clone())
    }

    /// The package as the compilers take it, relative to its module.
    fn pattern(&self, module: &Path) -> PathBuf {
        Path::new(".").join(self.package.strip_prefix(module).unwrap_or(Path::new("")))
    }
}
