//! JavaScript and TypeScript: a Node-style program and a function, as components; packages; what goes wrong.

use std::path::{Path, PathBuf};

use cortex_build::{BackendKind, plan};
use cortex_runtime::{Contract, Ending};
use fs_err as fs;
use serde_json::json;

use crate::source::{Source, answer, assert_the_same_was_compiled, home, host};

const PROGRAM: &str = r#"
const fs = require("node:fs");
const path = require("path");
const util = require("util");
const EventEmitter = require("events");
const { Buffer } = require("buffer");

const input = JSON.parse(process.argv[2] || fs.readFileSync(0, "utf8"));
if (input.do === "exit") {
  console.error("on purpose");
  process.exit(42);
}
if (input.do === "throw") throw new Error("no such thing");
let heard;
const emitter = new EventEmitter();
emitter.on("event", (value) => (heard = value));
emitter.emit("event", 5);
console.log(JSON.stringify({
  path: path.join("a", "..", "b"),
  format: util.format("%s-%d", "a", 3),
  base64: Buffer.from("aGVsbG8=", "base64").toString("utf8"),
  heard,
  text: new TextDecoder().decode(new TextEncoder().encode("žluť 😀")),
}));
if (input.do === "code") process.exitCode = 3;
"#;

#[test]
fn a_node_program_is_a_command_and_ends_as_it_does_on_the_host() {
    let source = Source::new("jsprogram", "runtime: node, entrypoint: ./main.js", &[("main.js", PROGRAM)]);
    for todo in ["nothing", "exit", "throw", "code"] {
        let input = json!({ "do": todo });
        let (code, stdout, stderr) = host(Path::new("node"), &["main.js", &input.to_string()], source.path());
        let ran = source.call(input);
        assert_eq!(ran.contract, Some(Contract::Command));
        assert_eq!(ran.error.as_ref().and_then(|failure| failure.exit_code).unwrap_or(0), code, "{todo}: {ran:?}");
        assert_eq!(ran.result.as_ref().map_or("", |result| result.get().trim()), stdout.trim(), "{todo}");
        let said = ran.error.as_ref().map(|failure| failure.message.as_str());
        assert!(said.is_none_or(|said| code == 3 || stderr.contains(said)), "{todo}: {said:?} {stderr}");
    }
}

const TYPED: &str = r#"
import { readFileSync } from "node:fs";
import { describe, type Shout } from "./words";

interface Input { do: string }
enum Mode { Quiet = "quiet", Loud = "loud" }

class Machine<T extends Input> {
  constructor(private readonly input: T, public mode: Mode = Mode.Quiet) {}
  say(): Shout { return describe(this.input.do as string, this.mode === Mode.Loud); }
}

const input: Input = JSON.parse(process.argv[2] || readFileSync(0, "utf8"));
if (input.do === "exit") {
  console.error("on purpose");
  process.exit(42);
}
if (input.do === "throw") throw new RangeError("no such thing");
const machine = new Machine<Input>(input, input.do === "code" ? Mode.Loud : undefined);
console.log(JSON.stringify({ ...machine.say(), mode: machine.mode, modes: Object.keys(Mode), none: (null as string | null)?.length ?? -1 }));
if (input.do === "code") process.exitCode = 3;
"#;

const WORDS: &str = r"
export type Shout = { text: string; loud: boolean };
export const describe = (text: string, loud: boolean): Shout => ({ text: loud ? text.toUpperCase() : `${text} žluť`, loud } satisfies Shout);
";

/// Node 20 knows no types, so esbuild of our own toolchain takes them off, as it does for a container.
#[test]
fn a_typescript_program_is_a_command_and_ends_as_it_does_on_the_host() {
    let files = [("main.ts", TYPED), ("words.ts", WORDS)];
    let source = Source::new("tsprogram", "runtime: typescript, entrypoint: ./main.ts", &files);
    source.build(&home(), false).unwrap();
    let compiled = tempfile::tempdir().unwrap();
    let program = compiled.path().join("main.mjs").into_os_string().into_string().unwrap();
    let output = format!("--outfile={program}");
    let arguments = ["--bundle", "--platform=node", "--format=esm", "--log-level=warning", &output, "main.ts"];
    assert_eq!(host(&esbuild(), &arguments, source.path()), (0, String::new(), String::new()));
    for todo in ["nothing", "exit", "throw", "code"] {
        let input = json!({ "do": todo });
        let (code, stdout, stderr) = host(Path::new("node"), &[&program, &input.to_string()], source.path());
        let ran = source.call(input);
        assert_eq!(ran.contract, Some(Contract::Command));
        assert_eq!(ran.error.as_ref().and_then(|failure| failure.exit_code).unwrap_or(0), code, "{todo}: {ran:?}");
        assert_eq!(ran.result.as_ref().map_or("", |result| result.get().trim()), stdout.trim(), "{todo}");
        let said = ran.error.as_ref().map(|failure| failure.message.as_str());
        assert!(said.is_none_or(|said| code == 3 || stderr.contains(said)), "{todo}: {said:?} {stderr}");
    }
}

/// The program of the toolchain that the languages' home has, which is there after a first build.
fn esbuild() -> PathBuf {
    let toolchains = fs::read_dir(home().join("toolchains")).unwrap();
    let folders = toolchains.flatten().map(|entry| entry.path().join("node_modules/@esbuild"));
    let platforms = folders.filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
    platforms.map(|platform| platform.path().join("bin/esbuild")).find(|program| program.is_file()).unwrap()
}

const FUNCTION: &str = r#"
interface Args { do: string }

export default ({ do: todo }: Args) => {
  if (todo === "throw") throw Object.assign(new Error("none left"), { code: "out_of_luck", data: { left: 0 } });
  if (todo === "null") return (null as any).x;
  if (todo === "cycle") {
    const cycle: any = {};
    cycle.cycle = cycle;
    return cycle;
  }
  console.log("a log line", { a: [1, "x"] });
  return { random: Math.random(), uuid: crypto.randomUUID(), year: new Date().getFullYear() };
};
"#;

#[test]
fn a_function_answers_and_what_it_throws_is_a_tool_error() {
    let source = Source::new("tsfunction", "runtime: typescript, entrypoint: ./main.ts", &[("main.ts", FUNCTION)]);
    let (first, second) = (source.call(json!({})), source.call(json!({})));
    assert_eq!(first.contract, Some(Contract::Tool));
    assert_eq!(first.stdout.text, "a log line { a: [ 1, 'x' ] }\n");
    let (one, two) = (answer(&first), answer(&second));
    assert_ne!(one["random"], two["random"], "the engine's own seed is the same in every instance");
    assert_ne!(one["uuid"], two["uuid"]);
    assert!(one["year"].as_u64().unwrap() >= 2026, "{one}");
    let cases = [
        ("throw", "out_of_luck", "Error: none left"),
        ("null", "exception", "TypeError: cannot read property 'x' of null"),
        ("cycle", "invalid_result", "TypeError: circular reference"),
    ];
    for (todo, code, message) in cases {
        let failed = source.call(json!({ "do": todo }));
        let failure = failed.error.as_ref().unwrap();
        assert_eq!(
            (failed.ending, failure.code.as_str(), failure.message.as_str()),
            (Ending::ToolError, code, message)
        );
        assert!(failed.stderr.text.contains("    at "), "the stack is in the logs: {}", failed.stderr.text);
    }
}

#[test]
fn wrong_source_is_told_in_esbuild_s_own_words() {
    let cases = [
        ("export default () => {\n  return {;\n}\n", "main.js:2:10:"),
        ("import x from \"nope\";\nexport default () => x;\n", "Could not resolve \"nope\""),
        ("export default 5;\n", "the default export is not a function"),
    ];
    for (main, words) in cases {
        let source = Source::new("jswrong", "runtime: javascript", &[("main.js", main)]);
        let error = source.build(&home(), false).unwrap_err();
        assert!(error.stderr().unwrap().contains(words), "{:?}", error.stderr());
    }
    let package = ("package.json", r#"{"dependencies": {"marked": "16.4.2"}}"#);
    let source = Source::new("jslock", "runtime: javascript", &[("main.js", "export default () => 1;\n"), package]);
    let error = source.build(&home(), false).unwrap_err();
    assert!(error.to_string().contains("no lock file") && error.hint().unwrap().contains("--package-lock-only"));
}

#[test]
fn the_plan_names_the_engine_and_what_needs_a_container() {
    let planned = |main: &str| {
        let source = Source::new("jsplan", "runtime: javascript", &[("main.js", main)]);
        plan(&source.spec(), Some(source.path()))
    };
    let starts = planned("const cp = require('child_process');\n");
    assert_eq!(starts.backend, BackendKind::Docker);
    assert_eq!(starts.reasons[0].because, "`main.js:1` uses `child_process`, which starts other programs");
    let requires = planned("import { go } from './lib';\nexport default go;\n");
    assert_eq!(requires.backend, BackendKind::Wasm);
    let because = |main: &str| planned(main).reasons.last().unwrap().because.clone();
    let quickjs = "the engine is QuickJS: the program names nothing that only SpiderMonkey has";
    assert_eq!(because("export default async (args) => fetch(args.url);\n"), quickjs);
    let spidermonkey = "the engine is SpiderMonkey: the program names `crypto.subtle`, which QuickJS does not have";
    assert_eq!(because("export default (args) => crypto.subtle.digest('SHA-1', args);\n"), spidermonkey);
    let source = Source::new("jsinsists", "runtime: javascript, build: { engine: spidermonkey }", &[("main.js", "")]);
    let insists = plan(&source.spec(), Some(source.path()));
    assert_eq!(insists.reasons.last().unwrap().because, "the manifest says `engine: spidermonkey`");
    let files = [("main.js", "require('./lib/net');\n"), ("lib/net.js", "\nrequire('node:net');\n")];
    let source = Source::new("jsdeep", "runtime: javascript", &files);
    let deep = plan(&source.spec(), Some(source.path()));
    assert_eq!(deep.reasons[0].because, "`lib/net.js:2` uses `net`, which opens sockets");
}

#[test]
fn the_same_javascript_is_compiled_in_another_folder_and_home() {
    let bundle = "javascript/bundle.js";
    assert_the_same_was_compiled("tssame", "runtime: typescript", &[("main.ts", FUNCTION)], bundle);
}
