//! The same source gives the same answer, byte for byte, in the sandbox and in a container.

use std::path::Path;

use cortex_manifest::ToolSpec;
use cortex_runtime::{Allocation, CallOptions, Runtime, Settings};
use fs_err as fs;
use serde_json::{Value, json};

use super::{Place, call, copy_standard, said};
use crate::host::block_on;
use crate::source;

/// Every standard tool of a language that both backends build.
const TOOLS: &[&str] = &["hash", "json_processor", "markdown_to_html", "text_stats"];

fn standard() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../manifests")
}

fn examples(tool: &str) -> Vec<Value> {
    let path = standard().join("tools").join(tool).join("tool.yml");
    let spec = ToolSpec::parse(&path, &fs::read_to_string(&path).unwrap()).unwrap();
    assert!(!spec.examples.is_empty(), "{tool}");
    spec.examples.into_iter().map(|example| Value::Object(example.input)).collect()
}

/// What breaks every tool's own rules and not its schema.
fn wrong(tool: &str) -> Option<Value> {
    match tool {
        "hash" => Some(json!({ "data": "*", "encoding": "base64" })),
        "json_processor" => Some(json!({ "operation": "get", "data": {} })),
        _ => None,
    }
}

#[test]
fn every_standard_tool_answers_the_same_on_both_backends() {
    let place = Place::new();
    let containers = place.runtime();
    let settings =
        Settings { manifests: vec![standard()], allocation: Allocation::OnDemand, ..Settings::new(source::home()) };
    let sandbox = Runtime::new(settings).unwrap();
    for tool in TOOLS {
        copy_standard(tool, &place.manifests().join(tool));
        for input in examples(tool).into_iter().chain(wrong(tool)) {
            let inside = block_on(sandbox.call(tool, &input, CallOptions::default())).unwrap();
            let container = call(&containers, tool, &input);
            let (wasm, docker) = (inside.backend.as_str(), container.backend.as_str());
            assert_eq!((wasm, docker), ("wasm", "docker"), "{tool}: {}", said(&container));
            let text = |execution: &cortex_runtime::Execution| {
                let result = execution.result.as_ref().map(|result| result.get().to_owned());
                (
                    execution.ending,
                    result,
                    execution.error.as_ref().map(|error| (error.code.clone(), error.message.clone())),
                )
            };
            assert_eq!(text(&inside), text(&container), "{tool} {input}");
        }
    }
    sandbox.close().unwrap();
    containers.close().unwrap();
}

const PROGRAMS: &[(&str, &str, &str)] = &[
    (
        "python",
        "main.py",
        "import json, sys\ngiven = json.loads(sys.argv[1])\nassert json.load(sys.stdin) == given\nprint(json.dumps({'do': given['do']}))\n\
         print('a log', file=sys.stderr)\nsys.exit(3 if given['do'] == 'fail' else 0)\n",
    ),
    (
        "node",
        "main.js",
        "const fs = require('fs');\nconst given = JSON.parse(process.argv[2]);\nif (fs.readFileSync(0, 'utf8') !== process.argv[2]) throw 1;\n\
         console.log(JSON.stringify({ do: given.do }));\nconsole.error('a log');\nif (given.do === 'fail') process.exit(3);\n",
    ),
    (
        "typed",
        "main.ts",
        "import { readFileSync } from 'node:fs';\nenum Word { Fail = 'fail' }\ninterface Given { do: string }\n\
         const given = JSON.parse(process.argv[2]) as Given;\nif (readFileSync(0, 'utf8') !== process.argv[2]) throw 1;\n\
         console.log(JSON.stringify({ do: given.do }));\nconsole.error('a log');\nif (given.do === Word.Fail) process.exit(3);\n",
    ),
];

#[test]
fn unmodified_programs_answer_the_same_on_both_backends() {
    let place = Place::new();
    let runtime = place.runtime();
    for (name, file, text) in PROGRAMS {
        place.add(name, &format!("entrypoint: {file}"), "", &[(file, text)]);
        let sandbox = source::Source::new(name, &format!("entrypoint: {file}"), &[(file, text)]);
        for word in ["hello \"quoted\" \u{fc}\u{4e16}", "fail"] {
            let (inside, container) =
                (sandbox.call(json!({ "do": word })), call(&runtime, name, &json!({ "do": word })));
            assert_eq!(container.backend.as_str(), "docker", "{}", said(&container));
            let text = |execution: &cortex_runtime::Execution| {
                let error = execution.error.as_ref().map(|error| (error.code.clone(), error.exit_code));
                let result = execution.result.as_ref().map(|result| result.get().to_owned());
                (execution.ending, result, error, execution.stderr.text.clone())
            };
            assert_eq!(text(&inside), text(&container), "{name} {word}");
        }
    }
    runtime.close().unwrap();
}

#[test]
fn an_input_that_is_too_long_for_an_argument_comes_on_standard_input() {
    let place = Place::new();
    let runtime = place.runtime();
    let program = "import json, sys\nprint(json.dumps([len(sys.argv), len(json.load(sys.stdin)['do'])]))\n";
    place.add("long", "entrypoint: main.py", "", &[("main.py", program)]);
    let execution = call(&runtime, "long", &json!({ "do": "x".repeat(300_000) }));
    assert_eq!(source::answer(&execution), json!([1, 300_000]), "{}", said(&execution));
    runtime.close().unwrap();
}
