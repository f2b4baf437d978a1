//! Reads Python source as far as it decides how a tool is built: whether it is a function, and what no component can do.

use std::path::{Path, PathBuf};

use fs_err as fs;

use crate::plan::Reason;

/// Modules that a sandbox cannot have, and why. Only an import that the source cannot do without counts: one at the top
/// level, outside of any `try` or `if`.
const IMPORTS: &[(&str, &str)] = &[
    ("subprocess", "starts other programs"),
    ("multiprocessing", "starts other processes"),
    ("ctypes", "calls native libraries"),
    ("cffi", "calls native libraries"),
    ("tkinter", "needs a screen"),
    ("curses", "needs a terminal"),
];

/// Calls that a sandbox has no answer to.
const CALLS: &[(&str, &str)] = &[
    ("os.system", "starts other programs"),
    ("os.popen", "starts other programs"),
    ("os.fork", "starts other processes"),
    ("os.execv", "starts other programs"),
    ("os.execvp", "starts other programs"),
    ("os.spawnv", "starts other programs"),
    ("subprocess.run", "starts other programs"),
    ("subprocess.Popen", "starts other programs"),
    ("subprocess.check_output", "starts other programs"),
    ("threading.Thread", "starts a thread"),
    ("ThreadPoolExecutor", "starts threads"),
    ("ProcessPoolExecutor", "starts other processes"),
    ("asyncio.run", "needs an event loop with sockets"),
];

/// Distributions whose wheels are native code without which they do nothing, by their names in requirements, and the modules
/// that they bring. Others with native code are tried: many work without theirs.
const NATIVE: &[(&str, &[&str])] = &[
    ("bcrypt", &["bcrypt"]),
    ("cryptography", &["cryptography"]),
    ("duckdb", &["duckdb"]),
    ("grpcio", &["grpc"]),
    ("h5py", &["h5py"]),
    ("lxml", &["lxml"]),
    ("matplotlib", &["matplotlib"]),
    ("numpy", &["numpy"]),
    ("opencv-python", &["cv2"]),
    ("opencv-python-headless", &["cv2"]),
    ("orjson", &["orjson"]),
    ("pandas", &["pandas"]),
    ("pillow", &["PIL"]),
    ("polars", &["polars"]),
    ("psutil", &["psutil"]),
    ("psycopg2-binary", &["psycopg2"]),
    ("pyarrow", &["pyarrow"]),
    ("pydantic", &["pydantic"]),
    ("pydantic-core", &["pydantic_core"]),
    ("pynacl", &["nacl"]),
    ("pyzmq", &["zmq"]),
    ("scikit-learn", &["sklearn"]),
    ("scipy", &["scipy"]),
    ("tensorflow", &["tensorflow"]),
    ("tiktoken", &["tiktoken"]),
    ("tokenizers", &["tokenizers"]),
    ("torch", &["torch"]),
    ("uvloop", &["uvloop"]),
];

/// Whether the source is a function to call and no program.
pub(super) fn is_function(source: &str) -> bool {
    let starts = |line: &str| line.starts_with("def run(") || line.starts_with("async def run(");
    source.lines().any(starts) && !source.lines().any(|line| line.starts_with("if __name__"))
}

/// Why the program cannot be a component, as far as its source tells.
pub(super) fn needs_docker(folder: &Path, entry: &Path) -> Vec<Reason> {
    sources(folder, entry).iter().flat_map(|(file, text)| in_source(file, text)).collect()
}

/// Why the packages of a list cannot be part of a component, from their names.
pub(super) fn native_requirements(file: &Path, text: &str) -> Vec<Reason> {
    let mut reasons = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let name = distribution(line);
        if NATIVE.iter().any(|(native, _)| *native == name) {
            let because = format!("`{}:{}` asks for `{name}`, which is native code", file.display(), number + 1);
            reasons.push(Reason { because, change: Some(format!("do without `{name}`")) });
        }
    }
    reasons
}

/// Whether a distribution is one that does nothing without its native code.
pub(super) fn is_native(distribution_name: &str) -> bool {
    let name = distribution(distribution_name);
    NATIVE.iter().any(|(native, _)| *native == name)
}

/// The name at the start of a requirement, as the index of packages has it.
fn distribution(line: &str) -> String {
    let end = |character: char| !(character.is_ascii_alphanumeric() || "-_.".contains(character));
    let name = line.trim().split(end).next().unwrap_or_default();
    name.to_ascii_lowercase().replace(['_', '.'], "-")
}

/// The entry point and the files beside it that it imports, with their texts.
fn sources(folder: &Path, entry: &Path) -> Vec<(PathBuf, String)> {
    let root = entry.parent().unwrap_or(Path::new("")).to_owned();
    let mut found: Vec<(PathBuf, String)> = Vec::new();
    let mut waiting = vec![entry.to_owned()];
    while let Some(file) = waiting.pop() {
        if found.iter().any(|(known, _)| *known == file) {
            continue;
        }
        let Ok(text) = fs::read_to_string(folder.join(&file)) else { continue };
        for module in text.lines().flat_map(|line| imported(line.trim_start())) {
            let path = root.join(module.replace('.', "/"));
            let (single, package) = (path.with_extension("py"), path.join("__init__.py"));
            waiting.extend([single, package].into_iter().filter(|path| folder.join(path).is_file()));
        }
        found.push((file, text));
    }
    found
}

/// The modules that a line imports.
fn imported(line: &str) -> Vec<&str> {
    let word = |text: &'_ str| text.trim().split([' ', '#', ';']).next().unwrap_or_default().len();
    if let Some(rest) = line.strip_prefix("from ") {
        return vec![&rest[..word(rest)]];
    }
    let Some(rest) = line.strip_prefix("import ") else { return Vec::new() };
    let names = rest.split(',').map(str::trim);
    names.map(|name| &name[..word(name)]).collect()
}

fn in_source(file: &Path, source: &str) -> Vec<Reason> {
    let mut reasons = Vec::new();
    for (number, line) in code(source).lines().enumerate() {
        let place = format!("{}:{}", file.display(), number + 1);
        // At the left margin, where nothing guards it.
        for module in imported(line) {
            let top = module.split('.').next().unwrap_or_default();
            let native = NATIVE.iter().any(|(_, modules)| modules.contains(&top)).then_some("is native code");
            let why = IMPORTS.iter().find(|(name, _)| *name == top).map(|(_, why)| *why).or(native);
            if let Some(why) = why {
                reasons.push(Reason {
                    because: format!("`{place}` imports `{top}`, which {why}"),
                    change: Some(format!("do without `{top}`, or import it inside a `try`")),
                });
            }
        }
        if let Some((call, why)) = CALLS.iter().find(|(call, _)| calls(line, call)) {
            let because = format!("`{place}` calls `{call}`, which {why}");
            reasons.push(Reason { because, change: Some(format!("do without `{call}`")) });
        }
    }
    // What the host has, and not the sandbox, is named in strings.
    for (number, line) in source.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with('#')) {
        if ["open(\"/proc/", "open('/proc/", "open(\"/sys/", "open('/sys/"].iter().any(|open| line.contains(open)) {
            let because = format!("`{}:{}` reads files of the host's system", file.display(), number + 1);
            reasons.push(Reason { because, change: Some("do without them".into()) });
        }
    }
    reasons
}

/// Whether a line calls a function by this name, which is more than the end of another's.
fn calls(line: &str, name: &str) -> bool {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(name).any(|(at, _)| !line[..at].ends_with(word) && line[at + name.len()..].starts_with('('))
}

/// The source without comments and without the content of strings; every line stays where it was.
pub(super) fn code(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(c) = rest.chars().next() {
        if c == '#' {
            rest = &rest[rest.find('\n').unwrap_or(rest.len())..];
            continue;
        }
        let quote = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quote| rest.starts_with(quote));
        let Some(quote) = quote else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        };
        let inside = &rest[quote.len()..];
        let end = string_end(inside, quote);
        out.push_str("\"\"");
        out.extend(inside[..end].chars().filter(|c| *c == '\n'));
        let after = (end + quote.len()).min(inside.len());
        // A string of one line that is not closed ends with its line.
        rest = if inside[end..].starts_with(quote) { &inside[after..] } else { &inside[end..] };
    }
    out
}

/// Where a string ends, at its quote or, if it has only one line, at the end of that.
fn string_end(inside: &str, quote: &str) -> usize {
    let mut escaped = false;
    for (at, c) in inside.char_indices() {
        if !escaped && (inside[at..].starts_with(quote) || quote.len() == 1 && c == '\n') {
            return at;
        }
        escaped = c == '\\' && !escaped;
    }
    inside.len()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{code, in_source, native_requirements};

    #[test]
    fn only_code_counts() {
        let source = "# os.system('x')\ntext = 'os.system(1)' + \"\"\"\nimport ctypes\n\"\"\"\nos.system('ls')\n";
        assert_eq!(code(source), "\ntext = \"\" + \"\"\n\n\nos.system(\"\")\n");
        let reasons = in_source(Path::new("main.py"), source);
        assert_eq!(reasons.len(), 1, "{reasons:?}");
        assert_eq!(reasons[0].because, "`main.py:5` calls `os.system`, which starts other programs");
    }

    #[test]
    fn requirements_are_read_by_their_names() {
        let text = "# numpy\nrequests>=2\nPydantic_Core==2.41.5 ; python_version > '3.8'\n";
        let reasons = native_requirements(Path::new("requirements.txt"), text);
        assert_eq!(reasons.len(), 1, "{reasons:?}");
        assert_eq!(reasons[0].because, "`requirements.txt:3` asks for `pydantic-core`, which is native code");
    }
}
