//! From a folder of Rust source to an answer: what is built, when it is built again, and how a build that fails is told.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use cortex_build::{ArtefactLock, BuildError, Built, Origin, Progress, Silent, Trust, Workshop};
use cortex_manifest::ToolSpec;
use cortex_runtime::{Allocation, CallOptions, DockerSettings, Ending, Execution, Runtime, Settings};
use fs_err as fs;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::host::{block_on, said};

/// A tool's folder.
struct Source(TempDir);

impl Source {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// A `tool.yml`; `implementation` is in flow style.
    fn manifest(&self, name: &str, implementation: &str) {
        self.describe(name, implementation, "A tool.");
    }

    fn describe(&self, name: &str, implementation: &str, description: &str) {
        self.write(
            "tool.yml",
            &format!(
                "kind: Tool\nversion: \"1.0\"\nname: {name}\nsummary: A tool.\ndescription: {description:?}\n\
                 implementation: {{ runtime: rust, {implementation} }}\n"
            ),
        );
    }

    /// A `fn main` that prints a text as JSON, in one file.
    fn prints(name: &str, text: &str) -> Self {
        let source = Self::new();
        source.manifest(name, "entrypoint: ./main.rs");
        source.print(text);
        source
    }

    fn print(&self, text: &str) {
        self.write("main.rs", &format!("fn main() {{ println!(\"{{:?}}\", {text:?}); }}\n"));
    }

    fn build_with(&self, home: &Path, force: bool, progress: &dyn Progress) -> Result<Built, BuildError> {
        let path = self.path().join("tool.yml");
        let spec = ToolSpec::parse(&path, &fs::read_to_string(&path).unwrap()).unwrap();
        Workshop::new(home, false).build(&spec, self.path(), "tool.yml", force, progress)
    }

    fn build(&self, home: &Path) -> Result<Built, BuildError> {
        self.build_with(home, false, &Silent)
    }

    fn origin(&self, home: &Path) -> Origin {
        self.build(home).unwrap_or_else(|error| panic!("{error}\n{}", error.stderr().unwrap_or_default())).origin
    }

    fn call(&self, home: &Path) -> Arc<Execution> {
        call(&runtime(home), self.path(), json!({}))
    }

    fn answer(&self, home: &Path) -> Value {
        answer(&self.call(home))
    }

    /// Every file, to see that a build leaves the tool's own folder alone.
    fn files(&self) -> Vec<PathBuf> {
        files(self.path())
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn runtime(home: &Path) -> Runtime {
    Runtime::new(Settings { allocation: Allocation::OnDemand, ..Settings::new(home) }).unwrap()
}

#[expect(clippy::needless_pass_by_value, reason = "a literal reads better than a reference to one")]
fn call(runtime: &Runtime, tool: &Path, input: Value) -> Arc<Execution> {
    block_on(runtime.call(tool.to_str().unwrap(), &input, CallOptions::default())).unwrap()
}

fn answer(execution: &Execution) -> Value {
    let stderr = execution.error.as_ref().and_then(|error| error.details.as_ref()).map(|details| &details["stderr"]);
    assert_eq!(execution.ending, Ending::Success, "{:?}\n{stderr:?}", execution.error);
    serde_json::from_str(execution.result.as_ref().unwrap().get()).unwrap()
}

/// A home that is empty at first.
fn new_home() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// A home in which the guest crate's dependencies are compiled already, once some run of these tests has done it. A test
/// that uses it has to have source that no run had before.
fn warm_home() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("builds")
}

/// A text that no run had before.
fn unique() -> String {
    static COUNTER: AtomicUsize = AtomicUsize::new(0);
    let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos();
    format!("{}-{time}-{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed))
}

/// The lines that a build says.
#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Progress for Heard {
    fn step(&self, line: &str) {
        self.0.lock().unwrap().push(line.to_owned());
    }
}

impl Heard {
    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// A Cargo project with the tool contract that says which greeting it was built with.
fn library(name: &str, greeting: &str) -> Source {
    let source = Source::new();
    source.manifest(name, "entrypoint: ./Cargo.toml");
    source.write(
        "Cargo.toml",
        "[package]\nname = \"anything\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[lib]\ncrate-type = [\"cdylib\"]\n\
         [dependencies]\ncortex-tool = \"0.1\"\nserde_json = \"1\"\n[workspace]\n",
    );
    source.write(
        "src/lib.rs",
        &format!(
            "fn run(input: serde_json::Value) -> Result<serde_json::Value, cortex_tool::Error> {{\n    \
             Ok(serde_json::json!({{\"greeting\": {greeting:?}, \"input\": input}}))\n}}\ncortex_tool::export!(run);\n"
        ),
    );
    source
}

#[test]
fn a_single_file_becomes_a_command() {
    let (home, source) = (new_home(), Source::new());
    source.manifest("echo", "entrypoint: ./src/echo.rs");
    source.write("src/echo.rs", "mod more;\nfn main() { println!(\"{}\", more::argument()); }\n");
    source.write("src/more.rs", "pub fn argument() -> String { std::env::args().nth(1).unwrap() }\n");
    let before = source.files();
    let execution = source.call(home.path());
    assert_eq!(answer(&execution), json!({}));
    assert_eq!(execution.contract, Some(cortex_runtime::Contract::Command));
    assert!(!execution.cached);
    assert_eq!(source.files(), before, "nothing is built in the tool's own folder");
    assert!(source.call(home.path()).cached);
}

/// The same file, compiled for this machine.
#[test]
fn a_program_ends_as_it_does_on_the_host() {
    let program = "fn main() {\n    let input = std::env::args().nth(1).unwrap();\n    \
                   if input.contains(\"fail\") {\n        eprintln!(\"on purpose\");\n        std::process::exit(42);\n    }\n    \
                   if input.contains(\"panic\") {\n        panic!(\"out of luck\");\n    }\n    println!(\"{{\\\"length\\\": {}}}\", input.len());\n}\n";
    let source =
        crate::source::Source::new("samerust", "runtime: rust, entrypoint: ./main.rs", &[("main.rs", program)]);
    let folder = new_home();
    let compiled = folder.path().join("program");
    let arguments = ["--edition=2024", "-o", compiled.to_str().unwrap(), "main.rs"];
    assert_eq!(crate::source::host(Path::new("rustc"), &arguments, source.path()).0, 0);
    for what in ["well", "fail", "panic"] {
        let input = json!({ "do": what });
        let (code, stdout, stderr) = crate::source::host(&compiled, &[&input.to_string()], source.path());
        let ran = source.call(input);
        let failure = i32::from(ran.error.is_some());
        // The standard library for WASI 0.2 knows success and failure only, so every other code arrives as 1.
        assert_eq!(failure == 0, code == 0, "{what}: {ran:?}");
        assert_eq!(ran.result.as_ref().map_or("", |result| result.get().trim()), stdout.trim(), "{what}");
        let last = stderr.lines().find(|line| line.contains("luck") || line.contains("purpose"));
        assert!(last.is_none_or(|line| ran.stderr.text.contains(line)), "{what}: {}", ran.stderr.text);
    }
}

#[test]
fn a_cargo_project_of_a_library_becomes_a_tool() {
    let greeting = unique();
    let source = library("greets", &greeting);
    let before = source.files();
    let runtime = runtime(&warm_home());
    // It takes no parameters, so that is what it is called with.
    let execution = call(&runtime, source.path(), json!({}));
    assert_eq!(answer(&execution), json!({"greeting": greeting, "input": {}}));
    assert_eq!(execution.contract, Some(cortex_runtime::Contract::Tool));
    assert_eq!(source.files(), before, "nothing is built in the tool's own folder");
}

/// The guest crate is in no registry, however a `Cargo.toml` names it.
#[test]
fn the_guest_crate_is_found_however_it_is_written() {
    for dependency in [
        "[dependencies]\nserde_json = \"1\"\n[dependencies.cortex-tool]\nversion = \"0.1\"\n",
        "[dependencies]\nserde_json = \"1\"\n\"cortex-tool\" = \"0.1\"\n",
        "[dependencies]\nserde_json = \"1\"\ncortex_tool = { package = \"cortex-tool\", version = \"0.1\" }\n",
        "dependencies = { serde_json = \"1\", cortex-tool = \"0.1\" }\n",
    ] {
        let greeting = unique();
        let source = library("written", &greeting);
        source.write(
            "Cargo.toml",
            &format!(
                "{}[package]\nname = \"anything\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[lib]\n\
                 crate-type = [\"cdylib\"]\n{}[workspace]\n",
                if dependency.starts_with('[') { "" } else { dependency },
                if dependency.starts_with('[') { dependency } else { "" },
            ),
        );
        assert_eq!(source.answer(&warm_home())["greeting"], greeting, "{dependency}");
    }
}

/// The smallest and fastest kind of tool imports nothing, so there is nothing that a sandbox could get wrong.
#[test]
fn a_library_for_the_bare_target_becomes_a_tool() {
    let greeting = unique();
    let source = library("greets_bare", &greeting);
    source.manifest("greets_bare", "entrypoint: ./Cargo.toml, build: { target: wasm32-unknown-unknown }");
    assert_eq!(source.answer(&warm_home()), json!({"greeting": greeting, "input": {}}));
}

#[test]
fn a_cargo_project_of_a_program_becomes_a_command() {
    let (home, source) = (new_home(), Source::new());
    source.manifest("program", "entrypoint: ./Cargo.toml");
    source.write(
        "Cargo.toml",
        "[package]\nname = \"other-name\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n",
    );
    source.write("src/main.rs", "fn main() { println!(\"{:?}\", env!(\"CARGO_PKG_NAME\")); }\n");
    assert_eq!(source.answer(home.path()), json!("other-name"));
}

/// Names that mean something to Rust or to cargo are names of tools as good as any.
#[test]
fn a_tool_of_one_file_may_have_any_name_that_a_tool_may_have() {
    let home = new_home();
    let works = |name: &&str| Source::prints(name, name).call(home.path()).ending == Ending::Success;
    let names = ["test", "build", "deps", "core", "std", "match", "self", "a-b_c", "x"];
    let (_, refused): (Vec<&str>, Vec<&str>) = names.into_iter().partition(works);
    assert_eq!(refused, Vec::<&str>::new());
}

#[test]
fn a_home_may_have_any_name_that_a_folder_may_have() {
    let folder = new_home();
    let home = folder.path().join("a user's \"own\" folder, ünï $HOME");
    assert_eq!(Source::prints("prints", "one").answer(&home), json!("one"));
}

#[test]
fn an_unchanged_source_is_not_built_again() {
    let (home, source) = (new_home(), Source::prints("prints", "one"));
    let first = source.build(home.path()).unwrap();
    assert_eq!(first.origin, Origin::Built);
    let heard = Heard::default();
    let second = source.build_with(home.path(), false, &heard).unwrap();
    assert_eq!((second.origin, second.component, second.source), (Origin::Store, first.component, first.source));
    assert!(heard.lines().is_empty(), "nothing is done, so nothing is said: {:?}", heard.lines());
}

#[test]
fn what_a_manifest_says_about_the_tool_is_no_reason_to_build() {
    let (home, source) = (new_home(), Source::prints("prints", "one"));
    assert_eq!(source.origin(home.path()), Origin::Built);
    source.describe("prints", "entrypoint: ./main.rs", "A longer description. # not a comment");
    assert_eq!(source.origin(home.path()), Origin::Store);
    let text = fs::read_to_string(source.path().join("tool.yml")).unwrap();
    source.write("tool.yml", &format!("# A comment.\n{text}# Another.\n"));
    assert_eq!(source.origin(home.path()), Origin::Store);
    source.manifest("prints", "entrypoint: ./main.rs, resources: { memory: 8M, timeout: 1 }");
    assert_eq!(source.origin(home.path()), Origin::Store, "limits are those of a call");
}

#[test]
fn what_a_manifest_says_about_the_build_is_a_reason_to_build() {
    let (home, source) = (new_home(), Source::prints("prints", "one"));
    source.write("other.rs", "fn main() { println!(\"2\"); }\n");
    assert_eq!(source.origin(home.path()), Origin::Built);
    source.manifest("prints", "entrypoint: ./other.rs");
    assert_eq!(source.origin(home.path()), Origin::Built);
    assert_eq!(source.answer(home.path()), json!(2));
}

#[test]
fn a_changed_source_is_built_again_and_a_former_one_is_found_again() {
    let (home, source) = (new_home(), Source::prints("prints", "one"));
    assert_eq!(source.answer(home.path()), json!("one"));
    source.print("two");
    assert_eq!(source.answer(home.path()), json!("two"));
    source.print("one");
    assert_eq!(source.origin(home.path()), Origin::Store);
    assert_eq!(source.answer(home.path()), json!("one"));
    source.write("data.txt", "A file that the program might include.");
    assert_eq!(source.origin(home.path()), Origin::Built);
    fs::remove_file(source.path().join("data.txt")).unwrap();
    assert_eq!(source.origin(home.path()), Origin::Store);
}

/// Files are looked at a few times a second, so a call soon after an edit may still see the former tool.
#[test]
fn a_running_process_sees_an_edit() {
    let (home, source) = (new_home(), Source::prints("prints", "before"));
    let runtime = runtime(home.path());
    assert_eq!(answer(&call(&runtime, source.path(), json!({}))), json!("before"));
    source.print("after");
    while answer(&call(&runtime, source.path(), json!({}))) != json!("after") {}
    assert_eq!(answer(&call(&runtime, source.path(), json!({}))), json!("after"));
}

#[test]
fn a_source_that_nobody_vouches_for_is_not_built_but_what_was_built_is_used() {
    let (home, source) = (new_home(), Source::prints("prints", "one"));
    let workshop = |trust| Workshop::new(home.path(), false).trusting(trust);
    let spec = || {
        let manifest = source.path().join("tool.yml");
        ToolSpec::parse(&manifest, &fs::read_to_string(&manifest).unwrap()).unwrap()
    };
    let build = |trust| workshop(trust).build(&spec(), source.path(), "tool.yml", false, &Silent);
    let error = build(Trust::Untrusted).unwrap_err();
    assert!(matches!(error, BuildError::Untrusted { .. }), "{error:?}");
    assert!(error.hint().unwrap().contains("`cortex-wasm build prints --trust`"), "{:?}", error.hint());
    assert!(!home.path().join("stage").exists(), "nothing was even copied");
    assert_eq!(build(Trust::ThisOnce).unwrap().origin, Origin::Built);
    assert_eq!(build(Trust::Untrusted).unwrap().origin, Origin::Store);

    source.manifest("prints", "entrypoint: ./main.rs, build: { build_command: \"echo hi > said.txt\" }");
    assert!(build(Trust::ThisOnce).unwrap_err().to_string().contains("`build_command`"));
    assert_eq!(build(Trust::Trusted).unwrap().origin, Origin::Built);
}

/// It runs before the compiler, on a copy of the source, and its failure is the build's.
#[test]
fn a_command_of_the_manifest_s_own_makes_part_of_the_source() {
    let (home, source) = (new_home(), Source::prints("made", "one"));
    source.write("main.rs", "include!(\"made.rs\");\n");
    let command =
        "entrypoint: ./main.rs, build: { build_command: 'printf \"fn main() { println!(\\\"3\\\") }\" > made.rs' }";
    source.manifest("made", command);
    assert_eq!(source.answer(home.path()), json!(3));
    assert!(!source.path().join("made.rs").exists(), "the tool's own folder is left alone");
    source.manifest("made", "entrypoint: ./main.rs, build: { build_command: 'echo no rule to make it >&2; exit 7' }");
    let error = source.build(home.path()).unwrap_err();
    assert_eq!(error.stderr(), Some("no rule to make it\n"));
    assert!(error.to_string().ends_with("exit status: 7"), "{error}");
}

#[test]
fn force_builds_what_is_there_already() {
    let (home, source) = (new_home(), Source::prints("prints", "one"));
    let first = source.build(home.path()).unwrap();
    let again = source.build_with(home.path(), true, &Silent).unwrap();
    assert_eq!((again.origin, again.component.digest), (Origin::Built, first.component.digest));
}

#[test]
fn a_damaged_component_is_built_again() {
    let (home, source) = (new_home(), Source::prints("prints", "one"));
    let built = source.build(home.path()).unwrap();
    fs::write(&built.component.path, "half").unwrap();
    assert_eq!(source.origin(home.path()), Origin::Built);
    assert_eq!(source.answer(home.path()), json!("one"));
    fs::remove_file(&built.component.path).unwrap();
    assert_eq!(source.origin(home.path()), Origin::Built);
}

#[test]
fn a_compile_error_is_told_in_the_compiler_s_own_words_and_leaves_nothing_behind() {
    let (home, source) = (new_home(), Source::prints("broken", "one"));
    source.write("main.rs", "fn main() {\n    let answer: u32 = \"forty-two\";\n}\n");
    for _ in 0..2 {
        let execution = source.call(home.path());
        assert_eq!((execution.ending, execution.usage.fuel), (Ending::BuildFailed, 0));
        let error = execution.error.as_ref().unwrap();
        assert_eq!(error.message, "`broken` was not built: `cargo` ended with exit status: 101");
        let stderr = error.details.as_ref().unwrap()["stderr"].as_str().unwrap();
        assert!(stderr.contains("error[E0308]: mismatched types"), "{stderr}");
        assert!(stderr.contains("main.rs:2:23"), "{stderr}");
        assert!(stderr.contains("let answer: u32 = \"forty-two\";"), "{stderr}");
        assert!(!stderr.contains("\u{1b}["), "no colours: {stderr}");
    }
    assert_eq!(files(&home.path().join("components")), Vec::<PathBuf>::new());
    assert_eq!(files(&home.path().join("builds")), Vec::<PathBuf>::new());
    source.print("mended");
    assert_eq!(source.answer(home.path()), json!("mended"));
}

#[test]
fn a_manifest_of_cargo_s_that_is_wrong_is_told_in_cargo_s_own_words() {
    let (home, source) = (new_home(), Source::new());
    source.manifest("broken", "entrypoint: ./Cargo.toml");
    source.write("Cargo.toml", "[package\nname = 1\n");
    let execution = source.call(home.path());
    assert_eq!(execution.ending, Ending::BuildFailed);
    let stderr = execution.error.as_ref().unwrap().details.as_ref().unwrap()["stderr"].as_str().unwrap();
    assert!(stderr.contains("Cargo.toml"), "{stderr}");
}

fn refused(source: &Source) -> String {
    let home = new_home();
    let execution = source.call(home.path());
    assert_eq!(execution.ending, Ending::BuildFailed, "{:?}", execution.error);
    assert_eq!(files(&home.path().join("builds")), Vec::<PathBuf>::new());
    said(&execution)
}

#[test]
fn an_entry_point_that_is_missing_is_named() {
    let source = Source::new();
    source.manifest("nothing", "entrypoint: ./main.rs");
    let said = refused(&source);
    assert!(
        said.starts_with("build_failed: the source of `nothing` cannot be used: there is no `main.rs` ("),
        "{said}"
    );
    assert!(said.contains("put a `Cargo.toml` in the tool's folder, or name one `.rs` file with `fn main`"), "{said}");
}

#[test]
fn an_entry_point_of_cargo_s_that_is_missing_is_named() {
    let source = Source::new();
    source.manifest("nothing", "entrypoint: ./Cargo.toml");
    let said = refused(&source);
    assert!(said.contains("there is no `Cargo.toml`"), "{said}");
}

#[test]
fn an_entry_point_that_is_no_rust_is_named() {
    let source = Source::new();
    source.manifest("nothing", "entrypoint: ./main.txt");
    source.write("main.txt", "fn main() {}");
    let said = refused(&source);
    assert!(said.contains("`main.txt` is neither a `Cargo.toml` nor a `.rs` file"), "{said}");
}

#[test]
fn a_project_that_is_neither_a_program_nor_a_component_is_told_what_it_lacks() {
    let source = Source::new();
    source.manifest("plain", "entrypoint: ./Cargo.toml");
    source.write("Cargo.toml", "[package]\nname = \"plain\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n");
    source.write("src/lib.rs", "pub fn answer() -> u32 { 42 }\n");
    let said = refused(&source);
    assert!(said.contains("it has neither a `fn main` nor a library of `crate-type = [\"cdylib\"]`"), "{said}");
}

#[test]
fn of_several_programs_the_one_with_the_tool_s_name_is_the_tool() {
    let source = Source::new();
    source.manifest("second-one", "entrypoint: ./Cargo.toml");
    source.write("Cargo.toml", "[package]\nname = \"several\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n");
    source.write("src/bin/first.rs", "fn main() { println!(\"1\"); }\n");
    source.write("src/bin/second_one.rs", "fn main() { println!(\"2\"); }\n");
    assert_eq!(source.answer(new_home().path()), json!(2));
    source.manifest("third", "entrypoint: ./Cargo.toml");
    let said = refused(&source);
    assert!(
        said.contains("it builds several programs: ") && said.contains("first") && said.contains("second_one"),
        "{said}"
    );
    assert!(said.contains("give one of them the tool's name, `third`"), "{said}");
}

/// What a link points to is not part of the folder, so no digest could cover it.
#[test]
fn a_symbolic_link_in_the_source_is_refused() {
    let source = Source::prints("linked", "one");
    std::os::unix::fs::symlink("/etc/passwd", source.path().join("data.txt")).unwrap();
    let said = refused(&source);
    assert!(said.contains("data.txt` is a symbolic link (copy what it points to into the tool's folder)"), "{said}");
}

/// A link from the folder's outside: the entry point itself.
#[test]
fn a_symbolic_link_as_the_entry_point_is_refused() {
    let (source, outside) = (Source::prints("linked", "one"), Source::prints("linked", "two"));
    fs::remove_file(source.path().join("main.rs")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("main.rs"), source.path().join("main.rs")).unwrap();
    let said = refused(&source);
    assert!(said.contains("main.rs` is a symbolic link"), "{said}");
}

#[test]
fn two_tools_share_what_their_dependencies_compile_to() {
    let home = new_home();
    let with_dependency = |name: &str| {
        let source = Source::new();
        source.manifest(name, "entrypoint: ./Cargo.toml");
        let toml = "version = \"0.1.0\"\nedition = \"2024\"\n[dependencies]\nitoa = \"=1.0.15\"\n[workspace]\n";
        source.write("Cargo.toml", &format!("[package]\nname = \"{name}\"\n{toml}"));
        let main = format!("fn main() {{ println!(\"[{{}}, {{:?}}]\", itoa::Buffer::new().format(42), {name:?}); }}\n");
        source.write("src/main.rs", &main);
        source
    };
    let libraries = || {
        let deps = home.path().join("target/rust/wasm32-wasip2/release/deps");
        let itoa = files(&deps).into_iter().filter(|path| path.to_string_lossy().ends_with(".rlib"));
        itoa.map(|path| (fs::metadata(&path).unwrap().modified().unwrap(), path)).collect::<Vec<_>>()
    };
    assert_eq!(with_dependency("first").answer(home.path()), json!([42, "first"]));
    let compiled = libraries();
    assert_eq!(compiled.len(), 1, "{compiled:?}");
    assert_eq!(with_dependency("second").answer(home.path()), json!([42, "second"]));
    assert_eq!(libraries(), compiled, "the dependency was compiled once");
}

/// Two folders may hold a tool of one name, as a copy that somebody edits does.
#[test]
fn two_tools_of_one_name_are_two_tools() {
    let home = new_home();
    let (one, two) = (Source::prints("prints", "one"), Source::prints("prints", "two"));
    for _ in 0..2 {
        assert_eq!(one.answer(home.path()), json!("one"));
        assert_eq!(two.answer(home.path()), json!("two"));
    }
    one.print("three");
    std::thread::scope(|scope| {
        let three = scope.spawn(|| one.answer(home.path()));
        two.print("four");
        assert_eq!(two.answer(home.path()), json!("four"));
        assert_eq!(three.join().unwrap(), json!("three"));
    });
}

/// The build script counts builds that cargo would otherwise make look like one.
#[test]
fn a_hundred_first_calls_at_the_same_time_make_one_build() {
    let (home, source, counter) =
        (new_home(), Source::prints("popular", "one"), tempfile::NamedTempFile::new().unwrap());
    source.manifest("popular", "entrypoint: ./Cargo.toml");
    source.write(
        "Cargo.toml",
        "[package]\nname = \"popular\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[[bin]]\nname = \"popular\"\n\
         path = \"main.rs\"\n[workspace]\n",
    );
    let count = format!(
        "use std::io::Write;\nfn main() {{\n    println!(\"cargo::rerun-if-changed=/nowhere\");\n    \
         let mut file = std::fs::OpenOptions::new().append(true).open({:?}).unwrap();\n    \
         file.write_all(b\"built\\n\").unwrap();\n}}\n",
        counter.path()
    );
    source.write("build.rs", &count);
    let (runtime, heard) = (runtime(home.path()), Arc::new(Heard::default()));
    let tool = source.path().to_str().unwrap();
    let executions = block_on(async {
        let call = |_| {
            let options =
                CallOptions { progress: Some(Arc::clone(&heard) as Arc<dyn Progress>), ..CallOptions::default() };
            let (runtime, tool) = (runtime.clone(), tool.to_owned());
            tokio::spawn(async move { runtime.call(&tool, &json!({}), options).await.unwrap() })
        };
        let mut executions = Vec::new();
        for task in (0..100).map(call).collect::<Vec<_>>() {
            executions.push(task.await.unwrap());
        }
        executions
    });
    assert!(executions.iter().all(|execution| answer(execution) == json!("one")));
    assert_eq!(executions.iter().filter(|execution| !execution.cached).count(), 1, "one call waited for the build");
    assert_eq!(fs::read_to_string(counter.path()).unwrap(), "built\n");
    let said = heard.lines();
    let builds = said.iter().filter(|line| line.starts_with("building ")).count();
    let compilations = said.iter().filter(|line| line.as_str() == "compiling for this machine").count();
    assert_eq!((builds, compilations), (1, 1), "{said:?}");
}

/// Neither the home nor the tool's folder is part of a component, so that one which was built elsewhere can be checked.
#[test]
fn the_same_source_becomes_the_same_component_everywhere() {
    let build = || {
        let (home, source) = (new_home(), Source::new());
        source.manifest("same", "entrypoint: ./main.rs");
        source.write("main.rs", "fn main() { assert!(std::env::args().count() > 5, \"{}\", file!()); }\n");
        let built = source.build(home.path()).unwrap();
        let bytes = built.component.read().unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        for path in [home.path(), source.path()] {
            assert!(!text.contains(path.to_str().unwrap()), "the component tells of `{}`", path.display());
        }
        (built.source, built.component.digest)
    };
    assert_eq!(build(), build());
}

#[test]
fn a_component_beside_its_source_is_used_as_long_as_the_source_is_the_one_it_was_built_from() {
    let (home, elsewhere, source) = (new_home(), new_home(), Source::prints("shipped", "one"));
    let built = source.build(home.path()).unwrap();
    let lock = ArtefactLock {
        source: built.source.clone(),
        component: built.component.digest.clone(),
        toolchain: built.component.toolchain.clone(),
    };
    lock.write(source.path(), "shipped", &built.component.read().unwrap()).unwrap();
    assert_eq!(source.origin(elsewhere.path()), Origin::Shipped);
    assert_eq!(source.answer(elsewhere.path()), json!("one"));

    fs::write(source.path().join("shipped.wasm"), "half").unwrap();
    assert_eq!(source.origin(elsewhere.path()), Origin::Built, "a damaged component is built");

    lock.write(source.path(), "shipped", &built.component.read().unwrap()).unwrap();
    source.print("two");
    assert_eq!(source.origin(elsewhere.path()), Origin::Built, "another source is built");
    assert_eq!(source.answer(elsewhere.path()), json!("two"));
}

#[test]
fn a_component_with_another_digest_than_its_manifest_names_is_not_run() {
    let source = Source::new();
    let guest = guest_artifacts::check(guest_artifacts::LIMIT_INSTANCES);
    fs::copy(guest, source.path().join("guest.wasm")).unwrap();
    let found = cortex_build::sha256(&fs::read(guest).unwrap());
    let manifest = |digest: &str| {
        source.write(
            "tool.yml",
            &format!(
                "kind: Tool\nversion: \"1.0\"\nname: pinned\nsummary: A tool.\nimplementation:\n  runtime: component\n  \
                 entrypoint: ./guest.wasm\n  build: {{ sha256: {digest} }}\n"
            ),
        );
    };
    manifest(found.strip_prefix("sha256:").unwrap());
    assert_eq!(source.answer(new_home().path()), json!(42));
    let expected = "0".repeat(64);
    manifest(&format!("{expected:?}"));
    let said = refused(&source);
    assert!(said.contains(&format!("has the digest `{found}`, expected `sha256:{expected}`")), "{said}");
}

#[test]
fn a_component_that_the_manifest_names_and_that_is_missing_is_named() {
    let source = Source::new();
    source.write(
        "tool.yml",
        "kind: Tool\nversion: \"1.0\"\nname: gone\nsummary: A tool.\nimplementation:\n  runtime: component\n  \
         entrypoint: ./guest.wasm\n",
    );
    let said = refused(&source);
    assert!(said.contains("guest.wasm"), "{said}");
}

#[test]
fn a_language_without_a_builder_is_told_what_would_help() {
    let (source, home) = (Source::new(), new_home());
    source.write(
        "tool.yml",
        "kind: Tool\nversion: \"1.0\"\nname: shell\nsummary: A tool.\nimplementation:\n  runtime: bash\n  \
         entrypoint: ./main.sh\n",
    );
    source.write("main.sh", "echo '{}'\n");
    let nowhere = format!("unix://{}", home.path().join("docker.sock").display());
    let docker = DockerSettings { host: Some(nowhere), ..DockerSettings::default() };
    let settings = Settings { allocation: Allocation::OnDemand, docker, ..Settings::new(home.path()) };
    let execution = call(&Runtime::new(settings).unwrap(), source.path(), json!({}));
    assert_eq!(execution.ending, Ending::BackendUnavailable, "{:?}", execution.error);
    assert!(execution.error.as_ref().unwrap().hint.is_some(), "{:?}", execution.error);
}
