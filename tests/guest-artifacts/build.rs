//! Lists the guests' sources and writes one constant a guest and one macro a suite. Builds nothing: `cargo xtask guests`
//! does, and the guests are programs of their own that need another target.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use fs_err as fs;

/// What a guest's name may begin with, and what is tested with it.
const SUITES: &[(&str, &str)] = &[
    ("capability", "what a tool may reach of the host's, once it was granted"),
    ("contract", "how a component sees a call and how the host sees its answer"),
    ("foreign", "components made by other people's tools"),
    ("hostile", "guests that try to break out, or to take the host down"),
    ("limit", "what a call may use"),
    ("network", "what HTTP requests may reach and use"),
];

/// Folders of sources below `tests/guests`, and the end of a source's name in each.
const FOLDERS: &[(&str, &str)] = &[("examples", ".rs"), ("src/bin", ".rs"), ("wat", ".wat")];

fn main() {
    let root = fs::canonicalize(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")).expect("the workspace exists");
    let guests = root.join("tests/guests");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={}", guests.join("python").display());
    let mut sources: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    sources.insert("foreign_python".into(), vec![guests.join("python")]);
    for (folder, end) in FOLDERS {
        let folder = guests.join(folder);
        println!("cargo::rerun-if-changed={}", folder.display());
        for entry in fs::read_dir(&folder).expect("every folder is there") {
            let path = entry.expect("an entry can be read").path();
            let file = path.file_name().and_then(|name| name.to_str()).expect("names of guests are ASCII");
            let Some(name) = file.strip_suffix(end) else { panic!("`{}` is no `{end}` file", path.display()) };
            let mut of_this = vec![path.clone()];
            // Only the examples link the guest crate.
            if folder.ends_with("examples") {
                of_this.push(root.join("builders/cortex-tool/src"));
            }
            let earlier = sources.insert(name.to_owned(), of_this);
            assert!(earlier.is_none(), "two guests are called `{name}`: {earlier:?} and `{}`", path.display());
        }
    }
    #[expect(clippy::disallowed_methods, reason = "cargo tells a build script by its environment where to write")]
    let out = std::env::var_os("OUT_DIR").expect("cargo sets it");
    let out = Path::new(&out).join("guests.rs");
    fs::write(out, generate(&root.join("target/guests"), &sources)).expect("OUT_DIR can be written to");
}

fn generate(artifacts: &Path, sources: &BTreeMap<String, Vec<PathBuf>>) -> String {
    let mut code = String::new();
    let mut suites: BTreeMap<&str, Vec<&str>> = SUITES.iter().map(|(suite, _)| (*suite, Vec::new())).collect();
    let mut table = String::new();
    for (name, sources) in sources {
        let suite = name.split_once('_').and_then(|(suite, _)| suites.get_mut(suite));
        let Some(suite) = suite else {
            let known: Vec<String> = SUITES.iter().map(|(suite, what)| format!("  {suite}_…  {what}")).collect();
            panic!(
                "the guest `{name}` belongs to no suite. A guest's name begins with the suite that tests it:\n{}\n\
                 Rename it, or add a suite to tests/guest-artifacts/build.rs.",
                known.join("\n")
            );
        };
        suite.push(name);
        let constant = name.to_uppercase();
        let wasm = literal(&artifacts.join(format!("{name}.wasm")));
        writeln!(code, "/// The guest `{name}`.\npub const {constant}: &str = {wasm};").expect("a string");
        let sources: Vec<String> = sources.iter().map(|path| literal(path)).collect();
        writeln!(table, "    ({constant}, &[{}]),", sources.join(", ")).expect("a string");
    }
    for (suite, names) in suites {
        let calls: Vec<String> = names.iter().map(|name| format!("$mac! {{ {name} }}")).collect();
        writeln!(
            code,
            "/// Calls a macro with the name of every guest of the suite `{suite}`.\n\
             #[macro_export]\nmacro_rules! foreach_{suite} {{\n    ($mac:ident) => {{ {} }};\n}}",
            calls.join(" ")
        )
        .expect("a string");
    }
    writeln!(code, "const SOURCES: &[(&str, &[&str])] = &[\n{table}];").expect("a string");
    code
}

/// A path as a string literal of Rust.
fn literal(path: &Path) -> String {
    format!("{:?}", path.to_str().expect("the workspace's path is UTF-8"))
}
