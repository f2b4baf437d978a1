//! JavaScript and TypeScript: the program and its packages in one bundle, the bundle and `QuickJS` in one component.
//!
//! A module with a default export is called as a function; anything else is a program. `languages/javascript/` holds what
//! the engine leaves to its host.

use std::path::{Path, PathBuf};

use cortex_manifest::{Entrypoint, ToolSpec};
use fs_err as fs;

use crate::builder::{Compiled, Job, Language, Progress, SourceEntry, Survey};
use crate::error::BuildError;
use crate::languages::SDK_FOLDER;
use crate::plan::Reason;
use crate::process::Step;
use crate::source::sha256;
use crate::store::write_atomically;
use crate::toolchain::Package;
use crate::wit;

/// JavaScript, or TypeScript, whose types are taken off.
#[derive(Debug)]
pub(crate) struct JavaScript {
    pub(crate) template: &'static [(&'static str, &'static str)],
}

/// esbuild, `componentize-qjs` and the modules of Node.
pub(crate) static QUICKJS: Package = Package {
    name: "javascript",
    language: "JavaScript",
    pins: &[
        ("package.json", include_str!("../../languages/javascript/package.json")),
        ("package-lock.json", include_str!("../../languages/javascript/package-lock.json")),
    ],
    megabytes: 52,
    install,
    command: "cortex-wasm toolchain install javascript",
};

macro_rules! glue {
    ($($file:literal),* $(,)?) => {
        &[$(($file, include_str!(concat!("../../languages/javascript/", $file)))),*]
    };
}

const GLUE: &[(&str, &str)] =
    glue!["globals.js", "inspect.js", "modules.js", "process.js", "fs.js", "handler.js", "command.js", "worlds.wit"];

pub(crate) const JAVASCRIPT: &[(&str, &str)] = &[
    ("tool.yml", include_str!("../../languages/javascript/template/tool.yml")),
    ("main.js", include_str!("../../languages/javascript/template/main.js")),
];

pub(crate) const TYPESCRIPT: &[(&str, &str)] = &[
    ("tool.yml", include_str!("../../languages/javascript/template-ts/tool.yml")),
    ("main.ts", include_str!("../../languages/javascript/template-ts/main.ts")),
];

/// Modules of Node that a sandbox can have, and where they come from: files beside the glue, or `unenv`.
const MODULES: &[(&str, &str)] = &[
    ("fs", "./fs.js"),
    ("process", "./process.js"),
    ("assert", "unenv/runtime/node/assert/index"),
    ("buffer", "unenv/runtime/node/buffer/index"),
    ("events", "unenv/runtime/node/events/index"),
    ("os", "unenv/runtime/node/os/index"),
    ("path", "unenv/runtime/node/path/index"),
    ("querystring", "unenv/runtime/node/querystring/index"),
    ("string_decoder", "unenv/runtime/node/string_decoder/index"),
    ("url", "unenv/runtime/node/url/index"),
    ("util", "unenv/runtime/node/util/index"),
];

/// Modules that a sandbox cannot have, and why.
const IMPOSSIBLE: &[(&str, &str)] = &[
    ("child_process", "starts other programs"),
    ("cluster", "starts other processes"),
    ("worker_threads", "starts threads"),
    ("net", "opens sockets"),
    ("dgram", "opens sockets"),
    ("tls", "opens sockets"),
    ("http2", "opens sockets"),
];

/// What only an engine with an event loop can do. `QuickJS` runs a call from its start to its end.
const ASYNCHRONOUS: &[&str] = &["await ", "async ", "new Promise", "Promise.", "setTimeout(", "setInterval(", "fetch("];

impl Language for JavaScript {
    fn fixed_inputs(&self) -> String {
        let glue: Vec<u8> = GLUE.iter().flat_map(|(_, text)| text.bytes()).collect();
        format!("javascript 1 {} {}", sha256(&glue), sha256(QUICKJS.pins[1].1.as_bytes()))
    }

    fn survey(&self, spec: &ToolSpec, folder: &Path) -> Survey {
        let mut survey = Survey::default();
        let Some(entry) = entry_point(spec, folder) else { return survey };
        let Ok(source) = fs::read_to_string(folder.join(&entry)) else { return survey };
        let shown = entry.display();
        let because = if is_function(&source) {
            format!("`{shown}` has a default export: it is called as a function")
        } else {
            format!("`{shown}` is a program: its input is the first argument and standard input")
        };
        survey.reasons.push(Reason { because, change: None });
        survey.reasons.push(Reason { because: "the engine is QuickJS: nothing waits".into(), change: None });
        for (number, line) in source.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
            let place = format!("{shown}:{}", number + 1);
            for (module, why) in IMPOSSIBLE.iter().filter(|(module, _)| names_module(line, module)) {
                let because = format!("`{place}` uses `{module}`, which {why}");
                survey.needs_docker.push(Reason { because, change: Some(format!("do without `{module}`")) });
            }
            if let Some(what) = ASYNCHRONOUS.iter().find(|what| line.contains(**what)) {
                let because = format!("`{place}` uses `{}`, which needs an engine with an event loop", what.trim());
                survey.needs_docker.push(Reason { because, change: Some("write it without waiting".into()) });
            }
        }
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
        let function = is_function(&fs::read_to_string(folder.join(&path)).ok()?);
        Some(SourceEntry { path, function })
    }

    fn build(&self, job: &Job<'_>) -> Result<Compiled, BuildError> {
        let Some(entry) = entry_point(job.spec, &job.stage) else {
            return Err(layout(job, "there is no entry point and no `main.js` or `main.ts`".into()));
        };
        let function = is_function(&fs::read_to_string(job.stage.join(&entry))?);
        let toolchain = QUICKJS.ensure(job.home, job.offline, job.progress)?;
        packages(job)?;
        job.progress.step(&format!("bundling {} with esbuild", job.spec.name));
        let work = job.stage.join(SDK_FOLDER).join("javascript");
        for (name, text) in GLUE.iter().filter(|(name, _)| *name != "worlds.wit") {
            write_atomically(&work.join(name), text.as_bytes())?;
        }
        let (program, bundle, component) =
            (work.join("program.cjs"), work.join("bundle.js"), work.join("component.wasm"));
        let esbuild = native_esbuild(&toolchain)?;
        let esbuild = || {
            Step::new(&esbuild).args([
                "--bundle",
                "--platform=neutral",
                "--main-fields=module,main",
                "--target=es2023",
                "--log-level=warning",
                "--color=false",
            ])
        };
        let external =
            MODULES.iter().flat_map(|(name, _)| [format!("--external:{name}"), format!("--external:node:{name}")]);
        esbuild()
            .args(["--format=cjs"])
            .args(external)
            .args([output_argument(&program).as_os_str(), entry.as_os_str()])
            .dir(&job.stage)
            .run()?;
        write_atomically(&work.join("source.js"), source_module(&fs::read_to_string(&program)?).as_bytes())?;
        let (world, glue) = if function { ("tool", "handler.js") } else { ("command", "command.js") };
        esbuild()
            .args(["--format=esm", "--external:wasi:*"])
            .args([output_argument(&bundle).as_os_str(), glue.as_ref()])
            .env("NODE_PATH", toolchain.join("node_modules"))
            .dir(&work)
            .run()?;

        job.progress.step(&format!("compiling {} with componentize-qjs", job.spec.name));
        let wit = work.join("wit");
        wit::write_dependencies(&wit)?;
        let worlds = GLUE.iter().find(|(name, _)| *name == "worlds.wit").map_or("", |(_, text)| text);
        write_atomically(&wit.join("worlds.wit"), worlds.as_bytes())?;
        Step::new("node")
            .args([toolchain.join("node_modules/componentize-qjs/bin/componentize-qjs")])
            .args(["--sync", "--wit", "wit", "--js", "bundle.js", "--output", "component.wasm", "--world", world])
            .dir(&work)
            .run()?;
        let wasm = fs::read(&component)?;
        fs::remove_file(&component)?;
        Ok(Compiled { wasm, toolchain: "componentize-qjs 0.4.5, esbuild 0.28.2".into() })
    }
}

/// The program itself: the script around it adds a stack trace to every message.
fn native_esbuild(toolchain: &Path) -> Result<PathBuf, BuildError> {
    let platforms = fs::read_dir(toolchain.join("node_modules/@esbuild"))?;
    let mut programs = platforms.flatten().map(|platform| platform.path().join("bin/esbuild"));
    let missing = || std::io::Error::other("npm installed no esbuild for this machine");
    Ok(programs.find(|program| program.is_file()).ok_or_else(missing)?)
}

fn output_argument(path: &Path) -> std::ffi::OsString {
    let mut argument = std::ffi::OsString::from("--outfile=");
    argument.push(path);
    argument
}

/// The bundled program as a function of a module, with the modules of Node that it names.
fn source_module(program: &str) -> String {
    let named = MODULES.iter().filter(|(name, _)| {
        program.contains(&format!("require(\"{name}\")")) || program.contains(&format!("require(\"node:{name}\")"))
    });
    let (imports, table): (Vec<_>, Vec<_>) = named
        .map(|(name, from)| (format!("import * as node_{name} from {from:?};\n"), format!("{name}: node_{name}")))
        .unzip();
    let (imports, table) = (imports.concat(), table.join(", "));
    format!(
        "import {{ provide }} from \"./modules.js\";\n{imports}const require = provide({{ {table} }});\n\
         export default function (module, exports) {{\n{program}\n}}\n"
    )
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

fn npm(command: &str) -> Step {
    Step::new("npm").args([command, "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])
}

/// `npm install` and not `npm ci`, which wants an entry for every optional package, also of those that were never
/// published. With a lock file beside it, it installs what the lock names and checks the hashes.
fn install(folder: &Path, _: &dyn Progress) -> Result<(), BuildError> {
    npm("install").dir(folder).run().map(drop)
}

fn entry_point(spec: &ToolSpec, folder: &Path) -> Option<PathBuf> {
    if let Some(Entrypoint::File(path)) = &spec.implementation.entrypoint {
        return Some(path.as_path().to_owned());
    }
    ["main.js", "main.ts", "index.js", "index.ts"]
        .into_iter()
        .map(PathBuf::from)
        .find(|name| folder.join(name).is_file())
}

fn is_function(source: &str) -> bool {
    source.lines().any(|line| line.starts_with("export default") || line.starts_with("export { default"))
}

fn names_module(line: &str, module: &str) -> bool {
    let quoted = |quote: char| [format!("{quote}{module}{quote}"), format!("{quote}node:{module}{quote}")];
    let imports = line.contains("require(") || line.trim_start().starts_with("import") || line.contains(" from ");
    imports && ['"', '\''].into_iter().flat_map(quoted).any(|name| line.contains(&name))
}

fn layout(job: &Job<'_>, problem: String) -> BuildError {
    let hint = "name the file to run in `implementation.entrypoint`; for packages, commit what `npm install \
                --package-lock-only` writes"
        .into();
    BuildError::Layout { tool: job.spec.name.to_string(), problem, hint }
}
