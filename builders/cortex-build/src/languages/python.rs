//! Python: the source and a whole interpreter in one component, by componentize-py.
//!
//! A module with `def run(args)` at its top level is called as a function; anything else is a program. What the component
//! holds was imported while it was built, in `languages/python/`.

mod host;
mod program;

use std::path::{Path, PathBuf};

use cortex_manifest::{Entrypoint, ToolSpec};
use fs_err as fs;
use walkdir::WalkDir;

use self::program::is_function;
use crate::builder::{Compiled, Job, Language, Progress, SourceEntry, Survey};
use crate::error::BuildError;
use crate::languages::SDK_FOLDER;
use crate::languages::host::HostUse;
use crate::plan::Reason;
use crate::process::Step;
use crate::source::sha256;
use crate::store::write_atomically;
use crate::toolchain::Package;
use crate::wit;

#[derive(Debug)]
pub(crate) struct Python;

/// `componentize-py` with its interpreter, `CPython` 3.14.
pub(crate) static COMPONENTIZE_PY: Package = Package {
    name: "python",
    language: "Python",
    pins: &[("requirements.txt", include_str!("../../languages/python/requirements.txt"))],
    megabytes: 46,
    install,
    command: "cortex-wasm toolchain install python",
};

const GLUE: &[(&str, &str)] = &[
    ("cortex_source.py", include_str!("../../languages/python/cortex_source.py")),
    ("cortex_compat.py", include_str!("../../languages/python/cortex_compat.py")),
    ("cortex_modules.py", include_str!("../../languages/python/cortex_modules.py")),
    ("cortex_command.py", include_str!("../../languages/python/cortex_command.py")),
    ("cortex_handler.py", include_str!("../../languages/python/cortex_handler.py")),
    ("cortex_network.py", include_str!("../../languages/python/cortex_network.py")),
];

const WORLDS: &str = include_str!("../../languages/python/worlds.wit");

const TEMPLATE: &[(&str, &str)] = &[
    ("tool.yml", include_str!("../../languages/python/template/tool.yml")),
    ("main.py", include_str!("../../languages/python/template/main.py")),
];

impl Language for Python {
    fn fixed_inputs(&self) -> String {
        let glue = GLUE.iter().flat_map(|(_, text)| text.bytes());
        let glue: Vec<u8> = glue.chain(host::MODULE.bytes()).chain(WORLDS.bytes()).collect();
        format!("python 2 {} {}", sha256(&glue), sha256(COMPONENTIZE_PY.pins[0].1.as_bytes()))
    }

    fn survey(&self, spec: &ToolSpec, folder: &Path) -> Survey {
        let mut survey = Survey::default();
        let Some(entry) = entry_point(spec, folder) else { return survey };
        let shown = entry.display();
        let Ok(source) = fs::read_to_string(folder.join(&entry)) else { return survey };
        let because = if is_function(&source) {
            format!("`{shown}` defines `run`: it is called as a function")
        } else {
            format!("`{shown}` is a program: its input is the first argument and standard input")
        };
        survey.reasons.push(Reason { because, change: None });
        survey.needs_docker = program::needs_docker(folder, &entry);
        let requirements = requirements_file(spec);
        let listed = fs::read_to_string(folder.join(&requirements)).unwrap_or_default();
        survey.needs_docker.extend(program::native_requirements(&requirements, &listed));
        survey
    }

    fn template(&self) -> &'static [(&'static str, &'static str)] {
        TEMPLATE
    }

    fn packages(&self) -> &'static [&'static Package] {
        const { &[&COMPONENTIZE_PY] }
    }

    fn entry(&self, spec: &ToolSpec, folder: &Path) -> Option<SourceEntry> {
        let path = entry_point(spec, folder)?;
        let function = is_function(&fs::read_to_string(folder.join(&path)).ok()?);
        Some(SourceEntry { path, function })
    }

    fn build(&self, job: &Job<'_>) -> Result<Compiled, BuildError> {
        let Some(entry) = entry_point(job.spec, &job.stage) else {
            return Err(layout(job, "there is no entry point and no `main.py`".into()));
        };
        let source = fs::read_to_string(job.stage.join(&entry))?;
        let toolchain = COMPONENTIZE_PY.ensure(job.home, job.offline, job.progress)?;
        let work = job.stage.join(SDK_FOLDER).join("python");
        let glue = work.join("glue");
        for (name, text) in GLUE {
            write_atomically(&glue.join(name), text.as_bytes())?;
        }
        let name = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
        let (file, module) = (name(entry.file_name()), name(entry.file_stem()));
        wit::write_dependencies(&work.join("wit"))?;
        let packages = requirements(job, &work)?;
        let mut folders = vec![job.stage.join(&entry).with_file_name(""), glue.clone()];
        folders.extend(packages.iter().map(|packages| packages.folder.clone()));
        let host = names_of_host(job, &folders[0], packages.as_ref(), &glue)?;
        let network = !job.spec.permissions.network.is_empty() || asks_servers(job)?;
        let constants = format!(
            "FILE = {file:?}\nMODULE = {module:?}\nSHOWN = {:?}\nFOLDERS = {}\nNETWORK = {}\n",
            entry.display().to_string(),
            folders.len(),
            if network { "True" } else { "False" }
        );
        write_atomically(&glue.join("cortex_entry.py"), constants.as_bytes())?;

        job.progress.step(&format!("compiling {} with componentize-py", job.spec.name));
        let (world, app) =
            if is_function(&source) { ("tool", "cortex_handler") } else { ("command", "cortex_command") };
        let (world, text) = host.world(&if network { format!("{world}-network") } else { world.to_owned() });
        write_atomically(&work.join("wit/worlds.wit"), format!("{WORLDS}{text}").as_bytes())?;
        let component = work.join("component.wasm");
        let mut step = python(&toolchain)
            .args([toolchain.join("bin/componentize-py")])
            .args(["-d".as_ref(), work.join("wit").as_os_str()])
            .args(["-w", &world, "componentize"]);
        for folder in &folders {
            step = step.args(["-p".as_ref(), folder.as_os_str()]);
        }
        let built = step.args(["-o".as_ref(), component.as_os_str()]).args([app]).dir(&work).run();
        built.map_err(|error| said_by_python(job.spec, error, packages.as_ref()))?;
        let wasm = fs::read(&component)?;
        fs::remove_file(&component)?;
        Ok(Compiled { wasm, toolchain: "componentize-py 0.25.1, CPython 3.14".into() })
    }
}

fn python(toolchain: &Path) -> Step {
    // Nothing of the machine's own packages may end up in a component.
    Step::new("python3").env("PYTHONPATH", toolchain).env("PYTHONHASHSEED", "0").env("PYTHONNOUSERSITE", "1")
}

fn pip() -> Step {
    Step::new("python3").args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]).args([
        "--root-user-action=ignore",
        "--no-compile",
        "--only-binary=:all:",
    ])
}

fn install(folder: &Path, _: &dyn Progress) -> Result<(), BuildError> {
    // What pip fetches lies here first, where it is counted, and on the same disk, so that it only has to be renamed.
    let temporary = folder.join("tmp");
    fs::create_dir_all(&temporary)?;
    pip()
        .env("TMPDIR", &temporary)
        .args(["--require-hashes", "--no-deps", "--upgrade", "--target"])
        .args([folder])
        .args(["-r".as_ref(), folder.join("requirements.txt").as_os_str()])
        .run()
        .map(drop)
}

/// The file that is run: the manifest's, else `main.py`, else the only one with the tool's name.
fn entry_point(spec: &ToolSpec, folder: &Path) -> Option<PathBuf> {
    if let Some(Entrypoint::File(path)) = &spec.implementation.entrypoint {
        return Some(path.as_path().to_owned());
    }
    let names = ["main.py".to_owned(), format!("{}.py", spec.name)];
    names.into_iter().map(PathBuf::from).find(|name| folder.join(name).is_file())
}

/// Clients of HTTP. Whoever names one and was not granted a server hears which one that is, and not that there are no sockets.
const CLIENTS: &[&str] = &["urllib.request", "http.client", "import requests", "from requests", "urllib3", "httpx"];

fn asks_servers(job: &Job<'_>) -> Result<bool, BuildError> {
    let texts = texts(job)?;
    Ok(texts.iter().any(|(_, text)| CLIENTS.iter().any(|client| text.contains(client))))
}

/// The tool's own modules, with their names.
fn texts<'a>(job: &Job<'a>) -> Result<Vec<(&'a Path, String)>, BuildError> {
    let modules = job.tree.files().iter().filter(|file| file.extension().is_some_and(|extension| extension == "py"));
    let read =
        |file: &'a PathBuf| Ok((file.as_path(), String::from_utf8_lossy(&fs::read(job.stage.join(file))?).into()));
    modules.map(read).collect()
}

/// What the tool names of its host, by a module of ours that is put beside it. Another module of that name, its own or one
/// of a package, is the one that it means; a copy of ours is as good.
fn names_of_host(
    job: &Job<'_>,
    folder: &Path,
    packages: Option<&Packages>,
    glue: &Path,
) -> Result<HostUse, BuildError> {
    let file = glue.join(host::FILE);
    // The stage may have it from an earlier build.
    if file.exists() {
        fs::remove_file(&file)?;
    }
    let own = host::provided_in(folder);
    let foreign = packages.and_then(|packages| host::provided_in(&packages.folder));
    if own.or(foreign) == Some(false) {
        return Ok(HostUse::default());
    }
    let texts = texts(job)?;
    let others = texts.iter().filter(|(name, _)| name.file_name() != Some(host::FILE.as_ref()));
    let used = others.filter_map(|(_, text)| host::used(text)).reduce(HostUse::or);
    if used.is_some() && own.is_none() && foreign.is_none() {
        write_atomically(&file, host::MODULE.as_bytes())?;
    }
    Ok(used.unwrap_or_default())
}

/// The list of packages: the manifest's, else the usual one.
fn requirements_file(spec: &ToolSpec) -> PathBuf {
    let named = spec.implementation.build.requirements_file.as_ref().map(|path| path.as_path().to_owned());
    named.unwrap_or_else(|| "requirements.txt".into())
}

/// What `requirements.txt` asks for, installed.
struct Packages {
    folder: PathBuf,
    /// Files of native code, which a component cannot hold. Many packages work without theirs.
    native: Vec<String>,
}

/// Installs wheels only: nothing of a package runs. Once for each content of the file.
fn requirements(job: &Job<'_>, work: &Path) -> Result<Option<Packages>, BuildError> {
    let file = requirements_file(job.spec);
    let path = job.stage.join(&file);
    if !path.is_file() {
        return match job.spec.implementation.build.requirements_file {
            Some(_) => Err(layout(job, format!("there is no `{}`", file.display()))),
            None => Ok(None),
        };
    }
    let digest = sha256(&fs::read(&path)?);
    let folder = work.join(format!("packages-{}", digest.get(7..19).unwrap_or_default()));
    let complete = folder.join("complete");
    if !complete.exists() {
        if job.offline {
            return Err(layout(job, format!("`{}` would be fetched, and `--offline` forbids it", file.display())));
        }
        job.progress.step(&format!("fetching the packages of {}", file.display()));
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        pip()
            .args(["--python-version", "3.14", "--implementation", "cp"])
            .args(["--abi", "cp314", "--abi", "abi3", "--abi", "none", "--target"])
            .args([&folder])
            .args(["-r".as_ref(), path.as_os_str()])
            .dir(&job.stage)
            .run()?;
        // From the wheels' own metadata, before anything is built: those that need others bring what does not work.
        if let Some(wheel) = wheels(&folder)?.into_iter().find(|wheel| !wheel.pure && program::is_native(&wheel.name)) {
            let because =
                format!("`{}` needs `{} {}`, which is native code", file.display(), wheel.name, wheel.version);
            return Err(BuildError::NeedsContainer { tool: job.spec.name.to_string(), because, stderr: String::new() });
        }
        let mut native = Vec::new();
        for entry in WalkDir::new(&folder).sort_by_file_name() {
            let entry = entry.map_err(std::io::Error::from)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.file_type().is_file() && [".so", ".pyd", ".dylib"].iter().any(|end| name.ends_with(end)) {
                let path = entry.path().strip_prefix(&folder).unwrap_or(entry.path());
                native.push(path.display().to_string());
                fs::remove_file(entry.path())?;
            }
        }
        write_atomically(&complete, native.join("\n").as_bytes())?;
    }
    let native = fs::read_to_string(&complete)?.lines().map(ToOwned::to_owned).collect();
    Ok(Some(Packages { folder, native }))
}

/// A distribution that was installed, as its metadata describes it.
struct Wheel {
    name: String,
    version: String,
    /// Without code for one kind of machine.
    pure: bool,
}

fn wheels(folder: &Path) -> Result<Vec<Wheel>, BuildError> {
    let mut wheels = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some((name, version)) = name.strip_suffix(".dist-info").and_then(|name| name.split_once('-')) else {
            continue;
        };
        let metadata = fs::read_to_string(path.join("WHEEL")).unwrap_or_default();
        let pure = metadata.lines().any(|line| line.trim() == "Root-Is-Purelib: true");
        wheels.push(Wheel { name: name.into(), version: version.into(), pure });
    }
    wheels.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(wheels)
}

/// Modules of the standard library that need what a sandbox does not have.
const ABSENT: &[&str] = &[
    "_ctypes",
    "_curses",
    "_multiprocessing",
    "_posixsubprocess",
    "_tkinter",
    "bz2",
    "_bz2",
    "fcntl",
    "grp",
    "lzma",
    "_lzma",
    "mmap",
    "pwd",
    "readline",
    "resource",
    "_scproxy",
    "syslog",
    "termios",
];

/// Python's own words, without those of the tool that ran it.
fn said_by_python(tool: &ToolSpec, error: BuildError, packages: Option<&Packages>) -> BuildError {
    let BuildError::Tool { argv, status, stderr } = error else { return error };
    let words = stderr.split_once("cortex-wasm: ").and_then(|(_, rest)| rest.split_once("\ncortex-wasm: end"));
    let Some((words, _)) = words else { return BuildError::Tool { argv, status, stderr } };
    let mut said = format!("{words}\n");
    if let Some(native) = packages.map(|packages| &packages.native).filter(|native| !native.is_empty()) {
        said = format!("{said}native code was left out: {}; `backend: docker` can run it\n", native.join(", "));
    }
    let module = words.split_once("No module named '").and_then(|(_, rest)| rest.split('\'').next());
    let (tool, because) = match module {
        Some(module) if ABSENT.contains(&module) => (tool.name.to_string(), format!("a sandbox has no `{module}`")),
        Some(module) if left_out(packages, module) => (tool.name.to_string(), format!("`{module}` is native code")),
        _ => return BuildError::Tool { argv, status, stderr: said },
    };
    BuildError::NeedsContainer { tool, because, stderr: said }
}

/// Whether a module is one of those that were left out.
fn left_out(packages: Option<&Packages>, module: &str) -> bool {
    let path = module.replace('.', "/");
    packages.is_some_and(|packages| {
        packages.native.iter().any(|file| file.strip_prefix(&path).is_some_and(|rest| rest.starts_with('.')))
    })
}

fn layout(job: &Job<'_>, problem: String) -> BuildError {
    let hint = "name the file to run in `implementation.entrypoint`, and its packages in `requirements.txt`".into();
    BuildError::Layout { tool: job.spec.name.to_string(), problem, hint }
}
