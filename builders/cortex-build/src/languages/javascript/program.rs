//! What a JavaScript program names, and what follows: the engine that can run it, the web APIs to add, and what no
//! component can do. Read from source for a plan, and from the bundle, which has the packages as well, for a build.

use std::path::{Component, Path, PathBuf};

use cortex_manifest::Engine;
use fs_err as fs;

use crate::plan::Reason;

/// Web APIs that only `SpiderMonkey` has. Everything else works with `QuickJS`, which is a tenth of the size and starts in a
/// fraction of the time.
const ONLY_SPIDERMONKEY: &[&str] = &[
    "crypto.subtle",
    "subtle.digest",
    "TransformStream",
    "WritableStream",
    "ReadableStream",
    "CompressionStream",
    "DecompressionStream",
    "TextDecoderStream",
    "TextEncoderStream",
    "FormData",
];

/// What is added to `QuickJS` where a program names it: files beside the glue.
const ADDED: &[(&str, &[&str])] = &[
    ("url.js", &["URL", "URLSearchParams"]),
    ("clone.js", &["structuredClone"]),
    ("abort.js", &["AbortController", "AbortSignal", "EventTarget", "DOMException", "Event"]),
    (FETCH, &["fetch", "Headers", "Request", "Response"]),
];
const FETCH: &str = "fetch.js";

/// Modules of Node that a sandbox cannot have, and why.
const IMPOSSIBLE: &[(&str, &str)] = &[
    ("child_process", "starts other programs"),
    ("cluster", "starts other processes"),
    ("worker_threads", "starts threads"),
    ("net", "opens sockets"),
    ("dgram", "opens sockets"),
    ("tls", "opens sockets"),
    ("http", "opens sockets, in place of which `fetch` works"),
    ("https", "opens sockets, in place of which `fetch` works"),
    ("http2", "opens sockets, in place of which `fetch` works"),
    ("dns", "asks the system's resolver"),
    ("inspector", "is about Node itself"),
    ("v8", "is about Node itself"),
];

/// Whether a module is one of Node's that nothing here stands in for.
pub(super) fn only_node_has(module: &str) -> bool {
    const OTHERS: &[&str] = &[
        "async_hooks",
        "crypto",
        "module",
        "perf_hooks",
        "repl",
        "stream",
        "tty",
        "vm",
        "wasi",
        "zlib",
        "diagnostics_channel",
    ];
    IMPOSSIBLE.iter().any(|(name, _)| *name == module) || OTHERS.contains(&module.split('/').next().unwrap_or_default())
}

/// The engine for a program, and why it.
pub(super) fn engine(named: Option<Engine>, text: &str) -> (Engine, Reason) {
    let reason = |because: String, change: &str| Reason { because, change: Some(change.into()) };
    match named {
        Some(Engine::QuickJs) => {
            (Engine::QuickJs, reason("the manifest says `engine: quickjs`".into(), "leave out `build.engine`"))
        }
        Some(Engine::SpiderMonkey) => (
            Engine::SpiderMonkey,
            reason("the manifest says `engine: spidermonkey`".into(), "leave out `build.engine`"),
        ),
        _ => {
            if let Some(name) = ONLY_SPIDERMONKEY.iter().find(|name| names(text, name)) {
                let because =
                    format!("the engine is SpiderMonkey: the program names `{name}`, which QuickJS does not have");
                return (Engine::SpiderMonkey, reason(because, "`build.engine: quickjs` insists on the other"));
            }
            let because = "the engine is QuickJS: the program names nothing that only SpiderMonkey has";
            (Engine::QuickJs, reason(because.into(), "`build.engine: spidermonkey` insists on the other"))
        }
    }
}

/// The files to add to `QuickJS` for a program.
pub(super) fn added(text: &str) -> Vec<&'static str> {
    let named = ADDED.iter().filter(|(_, apis)| apis.iter().any(|api| names(text, api)));
    named.map(|(file, _)| *file).collect()
}

/// Whether a program makes requests.
pub(super) fn fetches(text: &str) -> bool {
    added(text).contains(&FETCH)
}

/// Why no component can run this file.
pub(super) fn impossible(file: &Path, text: &str) -> Vec<Reason> {
    let mut reasons = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
        for (module, why) in IMPOSSIBLE.iter().filter(|(module, _)| imports(line, module)) {
            let because = format!("`{}:{}` uses `{module}`, which {why}", file.display(), number + 1);
            reasons.push(Reason { because, change: Some(format!("do without `{module}`")) });
        }
    }
    reasons
}

/// Whether a module's default export is a function to call.
pub(super) fn is_function(source: &str) -> bool {
    source.lines().any(|line| line.starts_with("export default") || line.starts_with("export { default"))
}

/// The entry point and the files of the tool that it imports, with their texts. Packages are left out.
pub(super) fn sources(folder: &Path, entry: &Path) -> Vec<(PathBuf, String)> {
    let mut found: Vec<(PathBuf, String)> = Vec::new();
    let mut waiting = vec![entry.to_owned()];
    while let Some(file) = waiting.pop() {
        if found.iter().any(|(known, _)| *known == file) {
            continue;
        }
        let Ok(text) = fs::read_to_string(folder.join(&file)) else { continue };
        for named in text.lines().filter_map(relative_import) {
            let path = plain(&file.with_file_name(named));
            let candidates = ["", ".js", ".ts", ".mjs", ".cjs", ".tsx", ".jsx", "/index.js", "/index.ts"];
            let mut candidates = candidates.iter().map(|end| PathBuf::from(format!("{}{end}", path.display())));
            waiting.extend(candidates.find(|path| folder.join(path).is_file()));
        }
        found.push((file, text));
    }
    found
}

/// What a line imports from beside its file.
fn relative_import(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let imports = line.starts_with("import") || line.contains(" from ") || line.contains("require(");
    let start =
        line.find("\"./").or_else(|| line.find("'./")).or_else(|| line.find("\"../")).or_else(|| line.find("'../"));
    let rest = line.get(start? + 1..)?;
    rest.split(['"', '\'']).next().filter(|_| imports)
}

/// The path without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}

/// Whether the text has the name by itself: not as a property of something else, nor as part of a longer name.
fn names(text: &str, name: &str) -> bool {
    let part = |character: char| character.is_alphanumeric() || character == '_' || character == '$';
    text.match_indices(name).any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + name.len()..]);
        let of = before.strip_suffix('.').map(|of| of.rsplit(|c| !part(c)).next().unwrap_or_default());
        let own = of.is_none_or(|of| ["globalThis", "global", "window", "self"].contains(&of));
        own && !before.ends_with(part) && !after.starts_with(part)
    })
}

fn imports(line: &str, module: &str) -> bool {
    let quoted = |quote: char| [format!("{quote}{module}{quote}"), format!("{quote}node:{module}{quote}")];
    let imports = line.contains("require(") || line.trim_start().starts_with("import") || line.contains(" from ");
    imports && ['"', '\''].into_iter().flat_map(quoted).any(|name| line.contains(&name))
}

#[cfg(test)]
mod tests {
    use cortex_manifest::Engine;

    use super::{added, engine, names};

    #[test]
    fn a_name_counts_by_itself_or_as_a_global() {
        for text in ["fetch(url)", "await fetch(", "globalThis.fetch(url)", "[fetch]"] {
            assert!(names(text, "fetch"), "{text}");
        }
        for text in ["prefetch(url)", "client.fetch(url)", "fetcher()", "_fetch"] {
            assert!(!names(text, "fetch"), "{text}");
        }
    }

    #[test]
    fn the_engine_follows_from_what_is_named() {
        assert_eq!(engine(None, "await fetch(new URL(x))").0, Engine::QuickJs);
        let (chosen, reason) = engine(None, "crypto.subtle.digest(\"SHA-256\", data)");
        assert_eq!(chosen, Engine::SpiderMonkey);
        assert!(reason.because.contains("`crypto.subtle`"), "{}", reason.because);
        assert_eq!(engine(Some(Engine::QuickJs), "crypto.subtle").0, Engine::QuickJs);
        assert_eq!(added("new URL(x); fetch(x)"), ["url.js", "fetch.js"]);
    }
}
