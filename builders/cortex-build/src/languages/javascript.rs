//! JavaScript and TypeScript: the program and its packages in one bundle, the bundle and an engine in one component.
//!
//! A module with a default export is called as a function; anything else is a program. `languages/javascript/` holds what
//! the engine leaves to its host. The engine is `QuickJS` with an event loop of our own; a program that names what only
//! `SpiderMonkey` has gets that.

mod bundle;
mod engine;
mod host;
mod program;

use std::path::{Path, PathBuf};

use cortex_manifest::{Engine, Entrypoint, ToolSpec};
use fs_err as fs;

use self::bundle::Esbuild;
use self::engine::npm;
use self::engine::{QUICKJS, SPIDERMONKEY};
use crate::builder::{Compiled, Job, Language, SourceEntry, Survey};
use crate::error::BuildError;
use crate::languages::SDK_FOLDER;
use crate::plan::Reason;
use crate::source::sha256;
use crate::store::write_atomically;
use crate::toolchain::Package;

/// JavaScript, or TypeScript, whose types are taken off.
#[derive(Debug)]
pub(crate) struct JavaScript {
    pub(crate) template: &'static [(&'static str, &'static str)],
}

/// The second engine, which is installed when a program needs it. Nothing is written in it by itself.
#[derive(Debug)]
pub(crate) struct SpiderMonkey;

pub(crate) const JAVASCRIPT: &[(&str, &str)] = &[
    ("tool.yml", include_str!("../../languages/javascript/template/tool.yml")),
    ("main.js", include_str!("../../languages/javascript/template/main.js")),
];

pub(crate) const TYPESCRIPT: &[(&str, &str)] = &[
    ("tool.yml", include_str!("../../languages/javascript/template-ts/tool.yml")),
    ("main.ts", include_str!("../../languages/javascript/template-ts/main.ts")),
];

impl Language for JavaScript {
    fn fixed_inputs(&self) -> String {
        let glue: Vec<u8> = engine::glue().flat_map(str::bytes).collect();
        let locks = [QUICKJS.pins[1].1, SPIDERMONKEY.pins[1].1].map(|lock| sha256(lock.as_bytes()));
        format!("javascript 2 {} {}", sha256(&glue), locks.join(" "))
    }

    fn survey(&self, spec: &ToolSpec, folder: &Path) -> Survey {
        let mut survey = Survey::default();
        let Some(entry) = entry_point(spec, folder) else { return survey };
        let sources = program::sources(folder, &entry);
        let Some((_, source)) = sources.first() else { return survey };
        let shown = entry.display();
        let because = if program::is_function(source) {
            format!("`{shown}` has a default export: it is called as a function")
        } else {
            format!("`{shown}` is a program: its input is the first argument and standard input")
        };
        survey.reasons.push(Reason { because, change: None });
        let all = sources.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join("\n");
        survey.reasons.push(program::engine(spec.implementation.build.engine, &all).1);
        survey.needs_docker = sources.iter().flat_map(|(file, text)| program::impossible(file, text)).collect();
        survey
    }

    fn template(&self) -> &'static [(&'static str, &'static str)] {
        self.template
    }

    fn packages(&self) -> &'static [&'static Package] {
        const { &[&QUICKJS] }
    }

    fn entry(&self, spec: &ToolSpec, folder: &Path) -> Option<SourceEntry> {
        let path = entry_point(spec, folder)?;
        let function = program::is_function(&fs::read_to_string(folder.join(&path)).ok()?);
        Some(SourceEntry { path, function })
    }

    fn build(&self, job: &Job<'_>) -> Result<Compiled, BuildError> {
        let Some(entry) = entry_point(job.spec, &job.stage) else {
            return Err(layout(job, "there is no entry point and no `main.js` or `main.ts`".into()));
        };
        let function = program::is_function(&fs::read_to_string(job.stage.join(&entry))?);
        let toolchain = QUICKJS.ensure(job.home, job.offline, job.progress)?;
        packages(job)?;
        job.progress.step(&format!("bundling {} with esbuild", job.spec.name));
        let work = job.stage.join(SDK_FOLDER).join("javascript");
        fs::create_dir_all(&work)?;
        let esbuild = Esbuild::of(&toolchain)?;
        let bundled = esbuild.program(&job.stage, &entry, &work).map_err(|error| needs_node(job, error))?;
        let (engine, reason) = program::engine(job.spec.implementation.build.engine, &bundled.text);
        let quickjs = engine == Engine::QuickJs;
        job.progress.step(&reason.because);
        engine::write_glue(engine, &work)?;
        let added = if quickjs { program::added(&bundled.text) } else { Vec::new() };
        write_atomically(&work.join("source.js"), bundled.module(&added).as_bytes())?;
        let (world, glue) = if function { ("tool", "handler.js") } else { ("command", "command.js") };
        esbuild.whole(glue, quickjs, &work, &toolchain)?;
        let uses = engine::Uses { network: program::fetches(&bundled.text), host: host::used(&bundled.text) };
        let wasm = engine::componentize(engine, world, uses, job, &work)?;
        let engine = if quickjs { "componentize-qjs 0.4.5" } else { "componentize-js 0.23.0" };
        Ok(Compiled { wasm, toolchain: format!("{engine}, esbuild 0.28.2") })
    }
}

impl Language for SpiderMonkey {
    fn fixed_inputs(&self) -> String {
        String::new()
    }

    fn packages(&self) -> &'static [&'static Package] {
        const { &[&QUICKJS, &SPIDERMONKEY] }
    }

    fn installed_names(&self) -> Vec<&'static str> {
        vec![SPIDERMONKEY.name]
    }

    fn build(&self, job: &Job<'_>) -> Result<Compiled, BuildError> {
        JavaScript { template: JAVASCRIPT }.build(job)
    }
}

/// `npm ci` of the tool's own packages, without their scripts. Again only when the lock file changes.
fn packages(job: &Job<'_>) -> Result<(), BuildError> {
    let lock = job.stage.join("package-lock.json");
    if !lock.is_file() {
        let package = fs::read(job.stage.join("package.json")).unwrap_or_default();
        let package: serde_json::Value = serde_json::from_slice(&package).unwrap_or_default();
        let some = package["dependencies"].as_object().is_some_and(|packages| !packages.is_empty());
        return if some {
            Err(layout(job, "`package.json` has dependencies and no lock file is beside it".into()))
        } else {
            Ok(())
        };
    }
    let (digest, modules) = (sha256(&fs::read(&lock)?), job.stage.join("node_modules"));
    let complete = modules.join(".complete");
    if fs::read_to_string(&complete).is_ok_and(|installed| installed == digest) {
        return Ok(());
    }
    if job.offline {
        return Err(layout(job, "its packages would be fetched, and `--offline` forbids it".into()));
    }
    job.progress.step("fetching the packages of package-lock.json");
    npm("ci").args(["--omit=dev"]).dir(&job.stage).run()?;
    fs::create_dir_all(&modules)?;
    Ok(write_atomically(&complete, digest.as_bytes())?)
}

/// Modules that only Node itself has. Packages bring them, so the tool's own source does not tell.
fn needs_node(job: &Job<'_>, error: BuildError) -> BuildError {
    let BuildError::Tool { argv, status, stderr } = error else { return error };
    let named = stderr.match_indices("Could not resolve \"").filter_map(|(at, found)| {
        let name = stderr[at + found.len()..].split('"').next()?;
        program::only_node_has(name.strip_prefix("node:").unwrap_or(name)).then_some(name)
    });
    match named.into_iter().next() {
        Some(name) => {
            let because = format!("its packages use `{name}`, which only Node has");
            BuildError::NeedsContainer { tool: job.spec.name.to_string(), because, stderr }
        }
        None => BuildError::Tool { argv, status, stderr },
    }
}

fn entry_point(spec: &ToolSpec, folder: &Path) -> Option<PathBuf> {
    if let Some(Entrypoint::File(path)) = &spec.implementation.entrypoint {
        return Some(path.as_path().to_owned());
    }
    ["main.js", "main.ts", "main.mjs", "index.js", "index.ts", "index.mjs"]
        .into_iter()
        .map(PathBuf::from)
        .find(|name| folder.join(name).is_file())
}

fn layout(job: &Job<'_>, problem: String) -> BuildError {
    let hint = "name the file to run in `implementation.entrypoint`; for packages, commit what `npm install \
                --package-lock-only` writes"
        .into();
    BuildError::Layout { tool: job.spec.name.to_string(), problem, hint }
}
