//! The two engines: what is installed for them, and how a bundle and an engine become a component.

use std::path::Path;

use cortex_manifest::Engine;
use fs_err as fs;

use crate::builder::{Job, Progress};
use crate::error::BuildError;
use crate::languages::host::HostUse;
use crate::process::Step;
use crate::store::write_atomically;
use crate::toolchain::Package;
use crate::wit;

/// esbuild, `componentize-qjs`, the modules of Node, and what `QuickJS` lacks of the web.
pub(crate) static QUICKJS: Package = Package {
    name: "javascript",
    language: "JavaScript",
    pins: &[
        ("package.json", include_str!("../../../languages/javascript/package.json")),
        ("package-lock.json", include_str!("../../../languages/javascript/package-lock.json")),
    ],
    megabytes: 68,
    install,
    command: "cortex-wasm toolchain install javascript",
};

/// `componentize-js` with `SpiderMonkey`. Only for programs that need it.
pub(crate) static SPIDERMONKEY: Package = Package {
    name: "spidermonkey",
    language: "JavaScript (SpiderMonkey)",
    pins: &[
        ("package.json", include_str!("../../../languages/javascript/spidermonkey/package.json")),
        ("package-lock.json", include_str!("../../../languages/javascript/spidermonkey/package-lock.json")),
    ],
    megabytes: 340,
    install,
    command: "cortex-wasm toolchain install spidermonkey",
};

macro_rules! glue {
    ($($file:literal),* $(,)?) => {
        &[$(($file, include_str!(concat!("../../../languages/javascript/", $file)))),*]
    };
}

/// What both engines get.
const SHARED: &[(&str, &str)] = glue![
    "answer.js",
    "cortex_call.js",
    "cortex_log.js",
    "cortex_state.js",
    "fs.js",
    "fs_promises.js",
    "inspect.js",
    "modules.js",
    "output.js",
    "process.js",
    "readline.js",
    "timers.js",
    "timers_promises.js",
];

const FOR_QUICKJS: &[(&str, &str)] = glue![
    "abort.js",
    "clone.js",
    "command.js",
    "fetch.js",
    "globals.js",
    "handler.js",
    "loop.js",
    "promise.js",
    "stream.js",
    "text.js",
    "url.js",
    "worlds.wit",
];

const FOR_SPIDERMONKEY: &[(&str, &str)] = glue![
    "spidermonkey/command.js",
    "spidermonkey/globals.js",
    "spidermonkey/handler.js",
    "spidermonkey/loop.js",
    "spidermonkey/text.js",
    "spidermonkey/worlds.wit",
];

/// Everything that goes into components.
pub(super) fn glue() -> impl Iterator<Item = &'static str> {
    [SHARED, FOR_QUICKJS, FOR_SPIDERMONKEY].into_iter().flatten().map(|(_, text)| *text)
}

/// What of WASI a program only calls while it runs. `componentize-qjs` runs the program once to take its picture, and gives
/// it a WASI without HTTP for that; an interface that it does not have may then not share types with one that it has. So
/// these have another name, of the same length, until the component is built.
const RENAMED: &[&str] =
    &["io/error", "io/poll", "io/streams", "clocks/monotonic-clock", "http/types", "http/outgoing-handler"];
const VERSION: &str = "0.2.12";
const OTHER_VERSION: &str = "0.2.11";

/// Writes the files that the bundle is made of, beside the program.
pub(super) fn write_glue(engine: Engine, work: &Path) -> Result<(), BuildError> {
    for (name, text) in SHARED {
        let text = if engine == Engine::SpiderMonkey { real_names(text) } else { (*text).to_owned() };
        write_atomically(&work.join(name), text.as_bytes())?;
    }
    let own = if engine == Engine::SpiderMonkey { FOR_SPIDERMONKEY } else { FOR_QUICKJS };
    for (name, text) in own {
        let name = name.strip_prefix("spidermonkey/").unwrap_or(name);
        write_atomically(&work.join(name), text.as_bytes())?;
    }
    let wit = work.join("wit");
    wit::write_dependencies(&wit)?;
    if engine == Engine::QuickJs {
        wit::write_renamed(&wit, "host", (VERSION, OTHER_VERSION))?;
    }
    fs::rename(work.join("worlds.wit"), wit.join("worlds.wit"))?;
    Ok(())
}

/// What of the host a program uses that not every program gets.
#[derive(Clone, Copy)]
pub(super) struct Uses {
    pub(super) network: bool,
    pub(super) host: HostUse,
}

/// The bundle and the engine in one component.
pub(super) fn componentize(
    engine: Engine,
    world: &str,
    uses: Uses,
    job: &Job<'_>,
    work: &Path,
) -> Result<Vec<u8>, BuildError> {
    let component = work.join("component.wasm");
    // SpiderMonkey brings the imports of its own `fetch`.
    let network = uses.network && engine == Engine::QuickJs;
    let (world, text) = uses.host.world(&if network { format!("{world}-network") } else { world.to_owned() });
    let worlds = work.join("wit/worlds.wit");
    write_atomically(&worlds, format!("{}{text}", fs::read_to_string(&worlds)?).as_bytes())?;
    if engine == Engine::SpiderMonkey {
        let toolchain = SPIDERMONKEY.ensure(job.home, job.offline, job.progress)?;
        job.progress.step(&format!("compiling {} with componentize-js", job.spec.name));
        let disabled = if uses.network { &["stdio", "fetch-event"][..] } else { &["stdio", "fetch-event", "http"] };
        Step::new("node")
            .args([toolchain.join("node_modules/@bytecodealliance/componentize-js/src/cli.js")])
            .args(["bundle.js", "--wit", "wit", "--world-name", &world, "--out", "component.wasm", "--disable"])
            .args(disabled)
            .dir(work)
            .run()?;
    } else {
        let toolchain = QUICKJS.ensure(job.home, job.offline, job.progress)?;
        job.progress.step(&format!("compiling {} with componentize-qjs", job.spec.name));
        Step::new("node")
            .args([toolchain.join("node_modules/componentize-qjs/bin/componentize-qjs")])
            .args(["--sync", "--wit", "wit", "--js", "bundle.js", "--output", "component.wasm", "--world", &world])
            .dir(work)
            .run()?;
    }
    let mut wasm = fs::read(&component)?;
    fs::remove_file(&component)?;
    if engine == Engine::QuickJs {
        restore_names(&mut wasm);
    }
    Ok(wasm)
}

fn real_names(text: &str) -> String {
    let name = |interface: &&str| (format!("host:{interface}@{OTHER_VERSION}"), format!("wasi:{interface}@{VERSION}"));
    RENAMED.iter().map(name).fold(text.to_owned(), |text, (from, to)| text.replace(&from, &to))
}

/// Each name by its real one, which is as long, so that nothing moves. The version stays, since a component cannot import
/// two instances of one name; hosts take a later one for it.
fn restore_names(wasm: &mut [u8]) {
    for interface in RENAMED {
        let name = format!("host:{interface}@{OTHER_VERSION}").into_bytes();
        let mut at = 0;
        while let Some(found) = wasm[at..].windows(name.len()).position(|bytes| bytes == name) {
            at += found;
            wasm[at..at + 4].copy_from_slice(b"wasi");
            at += name.len();
        }
    }
}

/// `npm`, which runs no script of a package.
pub(super) fn npm(command: &str) -> Step {
    Step::new("npm").args([command, "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])
}

/// `npm install` and not `npm ci`, which wants an entry for every optional package, also of those that were never
/// published. With a lock file beside it, it installs what the lock names and checks the hashes.
fn install(folder: &Path, _: &dyn Progress) -> Result<(), BuildError> {
    npm("install").dir(folder).run().map(drop)
}
