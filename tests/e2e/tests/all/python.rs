//! Python: an unmodified program and a function, as components; packages; what goes wrong, in Python's own words.

use std::path::Path;

use cortex_build::{BackendKind, BuildError, plan};
use cortex_runtime::{Contract, Ending};
use serde_json::json;

use crate::source::{Source, another_home, answer, assert_the_same_was_compiled, host};

const PROGRAM: &str = r#"
import json
import sys

import words


def main():
    text = sys.argv[1]
    todo = json.loads(text)["do"]
    if todo == "exit":
        print("on purpose", file=sys.stderr)
        sys.exit(42)
    if todo == "say":
        sys.exit("said at the end")
    if todo == "raise":
        raise ValueError("no such thing")
    import uuid  # found here and not at the top
    print(json.dumps({"shout": words.shout("héllo"), "name": __name__, "version": len(str(uuid.uuid4())), "arguments": len(sys.argv)}))


if __name__ == "__main__":
    main()
"#;

fn program() -> Source {
    let words = "def shout(text):\n    import string\n    return text.upper() + string.punctuation[0]\n";
    Source::new("pyprogram", "runtime: python3, entrypoint: ./main.py", &[("main.py", PROGRAM), ("words.py", words)])
}

#[test]
fn an_unmodified_program_is_a_command_and_ends_as_it_does_on_the_host() {
    let source = program();
    for todo in ["nothing", "exit", "say", "raise"] {
        let input = json!({ "do": todo });
        let (code, stdout, stderr) = host(Path::new("python3"), &["main.py", &input.to_string()], source.path());
        let ran = source.call(input);
        assert_eq!(ran.contract, Some(Contract::Command));
        let failure = ran.error.as_ref();
        assert_eq!(failure.and_then(|failure| failure.exit_code).unwrap_or(0), code, "{todo}: {ran:?}");
        let result = ran.result.as_ref().map_or("", |result| result.get().trim());
        assert_eq!(result, stdout.trim(), "{todo}");
        assert_eq!(ran.stderr.text.lines().last(), stderr.lines().last(), "{todo}");
    }
    let raised = source.call(json!({"do": "raise"}));
    let stderr = &raised.stderr.text;
    assert!(stderr.contains("File \"main.py\", line 17, in main") && stderr.contains("raise ValueError("), "{stderr}");
    assert!(!stderr.contains("cortex_"), "our own frames are nobody's business: {stderr}");
}

const FUNCTION: &str = r#"
import random


class OutOfLuck(Exception):
    code = "out_of_luck"
    data = {"left": 0}


def run(args):
    if args["do"] == "raise":
        raise OutOfLuck("none left")
    if args["do"] == "key":
        return {}["missing"]
    if args["do"] == "set":
        return {1, 2}
    print("a log line")
    return {"random": random.random(), "do": args["do"]}
"#;

#[test]
fn a_function_answers_and_its_exceptions_are_tool_errors() {
    let source = Source::new("pyfunction", "runtime: python", &[("main.py", FUNCTION)]);
    let (first, second) = (source.call(json!({})), source.call(json!({})));
    assert_eq!(first.contract, Some(Contract::Tool));
    assert_eq!((answer(&first)["do"].as_str(), first.stdout.text.as_str()), (Some("nothing"), "a log line\n"));
    assert_ne!(answer(&first)["random"], answer(&second)["random"], "every call has randomness of its own");
    let cases = [("raise", "out_of_luck", "OutOfLuck: none left"), ("key", "exception", "KeyError: 'missing'")];
    for (todo, code, message) in cases {
        let failed = source.call(json!({ "do": todo }));
        let failure = failed.error.as_ref().unwrap();
        assert_eq!(
            (failed.ending, failure.code.as_str(), failure.message.as_str()),
            (Ending::ToolError, code, message)
        );
        assert!(failed.stderr.text.contains("in run"), "the stack is in the logs: {}", failed.stderr.text);
    }
    let raised = source.call(json!({"do": "raise"}));
    assert_eq!(raised.result.as_ref().unwrap().get(), r#"{"left": 0}"#);
    let failed = source.call(json!({"do": "set"}));
    assert_eq!(failed.error.as_ref().unwrap().code, "invalid_result");
}

/// The original system's calculator: how it reads its input, walks its tree and ends. `ast.Num` is gone since Python 3.14.
const CALCULATOR: &str = r#"#!/usr/bin/env python3
"""Evaluates mathematical expressions safely."""
import ast
import json
import math
import operator
import sys

OPERATORS = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.Pow: operator.pow, ast.USub: operator.neg, ast.UAdd: operator.pos,
}
FUNCTIONS = {
    "sqrt": math.sqrt, "sin": math.sin, "cos": math.cos, "tan": math.tan, "abs": abs, "round": round,
    "floor": math.floor, "ceil": math.ceil, "log": math.log, "log10": math.log10, "exp": math.exp,
}
CONSTANTS = {"pi": math.pi, "e": math.e}


def evaluate(node):
    if isinstance(node, ast.Num):
        return node.n
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        if node.id in CONSTANTS:
            return CONSTANTS[node.id]
        raise ValueError(f"Unknown constant: {node.id}")
    if isinstance(node, ast.BinOp):
        if type(node.op) not in OPERATORS:
            raise ValueError(f"Unsupported operator: {type(node.op).__name__}")
        return OPERATORS[type(node.op)](evaluate(node.left), evaluate(node.right))
    if isinstance(node, ast.UnaryOp):
        return OPERATORS[type(node.op)](evaluate(node.operand))
    if isinstance(node, ast.Call) and node.func.id in FUNCTIONS:
        return FUNCTIONS[node.func.id](*[evaluate(argument) for argument in node.args])
    raise ValueError(f"Unsupported expression: {ast.dump(node)}")


def main():
    expression = ""
    try:
        params = json.loads(sys.argv[1]) if len(sys.argv) > 1 else json.loads(sys.stdin.read())
        expression = params.get("expression", "")
        result = evaluate(ast.parse(expression, mode="eval").body)
        print(json.dumps({"status": "success", "result": result, "expression": expression}))
        sys.exit(0)
    except Exception as e:
        print(json.dumps({"status": "error", "error": str(e), "expression": expression}))
        sys.exit(1)


if __name__ == "__main__":
    main()
"#;

#[test]
fn the_original_calculator_runs_unmodified_under_its_own_manifest() {
    let manifest = include_str!("../../../../runtime/cortex-manifest/tests/ui/good/calculator.yml");
    let source = Source(tempfile::tempdir().unwrap());
    for (file, text) in [("tool.yml", manifest), ("scripts/calculator.py", CALCULATOR), ("requirements.txt", "")] {
        source.write(file, text);
    }
    let right =
        [("2 + 2 * 3", json!(8)), ("sqrt(16) + 3**2", json!(13.0)), ("-2 ** 2", json!(-4)), ("7 / 2", json!(3.5))];
    for (expression, result) in right {
        let said = answer(&source.call(json!({ "expression": expression })));
        assert_eq!(said, json!({"status": "success", "result": result, "expression": expression}));
    }
    let wrong =
        [("1/0", "division by zero"), ("x", "Unknown constant: x"), ("sqrt(16) + 3^2", "Unsupported operator: BitXor")];
    for (expression, message) in wrong {
        let failed = source.call(json!({ "expression": expression }));
        let failure = failed.error.as_ref().unwrap();
        assert_eq!((failure.message.as_str(), failure.exit_code), (message, Some(1)), "{expression}");
    }
}

#[test]
fn packages_come_from_wheels_and_are_there_for_late_imports() {
    // jinja2 imports its own `debug` when something goes wrong, CPython `_strptime` at the first call.
    let main = "import datetime, jinja2, yaml\n\ndef run(args):\n    data = yaml.safe_load('who: [you, me]')\n    \
                data['year'] = datetime.datetime.strptime('2026', '%Y').year\n    \
                import jinja2.debug, statistics\n    data['mean'] = statistics.mean([1, 2])\n    \
                return jinja2.Template('{{ who|join(\" and \") }} {{ year }} {{ mean }}').render(data)\n";
    let files = [("main.py", main), ("requirements.txt", "PyYAML==6.0.3\njinja2==3.1.6\nMarkupSafe==3.0.3\n")];
    let source = Source::new("pypackages", "runtime: python3", &files);
    assert_eq!(answer(&source.call(json!({}))), json!("you and me 2026 1.5"));
}

#[test]
fn wrong_source_is_told_in_python_s_own_words_and_leaves_nothing() {
    let home = tempfile::tempdir().unwrap();
    let cases = [
        (
            "def run(args):\n    return {\n",
            "  File \"main.py\", line 2\n    return {\n           ^\nSyntaxError: '{' was never closed\n",
        ),
        (
            "import json\nimport no_such_module\n",
            "main.py:2: `no_such_module` cannot be imported: No module named 'no_such_module'\n",
        ),
    ];
    for (main, words) in cases {
        let source = Source::new("pywrong", "runtime: python3, entrypoint: ./main.py", &[("main.py", main)]);
        let error = source.build(&crate::source::home(), false).unwrap_err();
        assert_eq!(error.stderr(), Some(words), "{error}");
    }
    let source = Source::new("pyoffline", "runtime: python3", &[("main.py", "def run(args): return 1\n")]);
    let error = source.build(home.path(), true).unwrap_err();
    assert!(matches!(error, BuildError::Offline { megabytes: 46, .. }), "{error}");
    assert!(!home.path().join("components").exists());
}

#[test]
fn what_a_sandbox_cannot_do_is_planned_for_a_container_with_the_line_that_says_so() {
    let planned = |main: &str| {
        let source = Source::new("pyplan", "runtime: python3", &[("main.py", main)]);
        plan(&source.spec(), Some(source.path()))
    };
    let starts = planned("import json\nimport subprocess\n");
    assert_eq!(starts.backend, BackendKind::Docker);
    assert_eq!(starts.reasons[0].because, "`main.py:2` imports `subprocess`, which starts other programs");
    let guarded = planned("try:\n    import numpy\nexcept ImportError:\n    numpy = None\n\ndef run(args): return 1\n");
    assert_eq!(guarded.backend, BackendKind::Wasm, "{guarded:?}");
    let calls = planned("import threading\n\ndef run(args):\n    threading.Thread(target=print).start()\n");
    assert_eq!(calls.reasons[0].because, "`main.py:4` calls `threading.Thread`, which starts a thread");
    let files = [("main.py", "import words\n"), ("words.py", "import ctypes\n")];
    let source = Source::new("pydeep", "runtime: python3", &files);
    let deep = plan(&source.spec(), Some(source.path()));
    assert_eq!(deep.reasons[0].because, "`words.py:1` imports `ctypes`, which calls native libraries");
    let files = [("main.py", "def run(args): return 1\n"), ("requirements.txt", "requests\nnumpy>=2\n")];
    let source = Source::new("pynative", "runtime: python3", &files);
    let native = plan(&source.spec(), Some(source.path()));
    assert_eq!(native.backend, BackendKind::Docker);
    assert_eq!(native.reasons[0].because, "`requirements.txt:2` asks for `numpy`, which is native code");
}

/// What a plan cannot know the build finds out: from the wheels' own metadata, before the compiler runs, or from it.
#[test]
fn a_build_that_only_a_container_can_do_says_so() {
    let cases = [
        ("import bz2\n", "", "`pycontainer` cannot become a component: a sandbox has no `_bz2`"),
        ("import dotenv\n", "pydantic-settings==2.16.3\n", "needs `pydantic_core "),
    ];
    for (main, requirements, said) in cases {
        let files = [("main.py", main), ("requirements.txt", requirements)];
        let source = Source::new("pycontainer", "runtime: python3, entrypoint: ./main.py", &files);
        let error = source.build(&crate::source::home(), false).unwrap_err();
        assert!(matches!(error, BuildError::NeedsContainer { .. }), "{error:?}");
        assert!(error.to_string().contains(said), "{error}");
        assert!(error.hint().unwrap().contains("backend: docker"), "{:?}", error.hint());
    }
}

/// A stage as an older version, or a build that was killed, leaves it: an interface that is no longer one, and a module of ours
/// with a name that the source means another one by.
#[test]
fn what_lies_in_a_stage_from_before_breaks_no_build() {
    let (_kept, home) = another_home();
    let main = "import colorsys\n\ndef run(args):\n    return colorsys.rgb_to_hsv(0, 0, 1)[2]\n";
    let source = Source::new("pystage", "runtime: python3", &[("main.py", main)]);
    let work = home.join("stage/pystage/.cortex/python");
    for (file, text) in [
        ("wit/deps/old.wit", "package cortex:tool@0.0.1\n\nno interface"),
        ("glue/colorsys.py", "raise SystemExit(1)\n"),
    ] {
        let path = work.join(file);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }
    source.build(&home, false).unwrap();
    assert!(!work.join("wit/deps/old.wit").exists() && !work.join("glue/colorsys.py").exists());
}

#[test]
fn the_same_python_is_compiled_in_another_folder_and_home() {
    let entry = "python/glue/cortex_entry.py";
    assert_the_same_was_compiled("pysame", "runtime: python3", &[("main.py", FUNCTION)], entry);
}
