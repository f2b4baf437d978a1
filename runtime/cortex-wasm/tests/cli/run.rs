//! `cortex-wasm run`: what goes in, what comes out, and how it ends.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::session::{Session, assert_output};

#[test]
fn the_result_is_printed_as_the_tool_wrote_it() {
    let session = Session::new();
    assert_output!(session, ["run", "echo", r#"{"text": "hi"}"#], @r#"
    exit code: 0
    ----- stdout -----
    {"input":{"text":"hi","times":1},"name":"echo"}
    ----- stderr -----
    compiling for this machine
    "#);
    assert_output!(session, ["run", "ends", r#"{"stdout": "{\"b\": 1.10,\n \"a\": [1]}\n"}"#], @r#"
    exit code: 0
    ----- stdout -----
    {"b": 1.10,
     "a": [1]}
    ----- stderr -----
    compiling for this machine
    "#);
}

#[test]
fn a_tool_that_is_ready_says_nothing_but_its_result() {
    let session = Session::new();
    session.run(&["run", "echo", r#"{"text": "hi"}"#]);
    assert_output!(session, ["run", "echo", r#"{"text": "hi"}"#], @r#"
    exit code: 0
    ----- stdout -----
    {"input":{"text":"hi","times":1},"name":"echo"}
    ----- stderr -----
    "#);
}

#[test]
fn an_execution_as_json_has_everything_that_is_known_of_it() {
    let session = Session::new();
    session.run(&["run", "answers"]);
    assert_output!(session, ["run", "answers", r#"{"stdout": "out", "stderr": "err"}"#, "--format", "json"], @r#"
    exit code: 0
    ----- stdout -----
    {
      "execution_id": "exec_[ID]",
      "tool": "answers",
      "contract": "tool",
      "backend": "wasm",
      "status": "success",
      "ending": "success",
      "result": {"input":{"stderr":"err","stdout":"out"},"variables":[["GREETING","hello"]]},
      "error": null,
      "usage": {
        "fuel": [N],
        "memory_peak_bytes": [N],
        "wall_us": [N],
        "instantiate_us": [N],
        "http_requests": 0
      },
      "stdout": "out\n",
      "stderr": "err\n",
      "cached": true,
      "component": "sha256:[DIGEST]",
      "engine": "wasmtime-[N]",
      "started_at": "[TIME]"
    }
    ----- stderr -----
    "#);
}

#[test]
fn a_tool_without_an_input_gets_an_empty_one() {
    let session = Session::new();
    assert_output!(session, ["-q", "run", "answers"], @r#"
    exit code: 0
    ----- stdout -----
    {"input":{},"variables":[["GREETING","hello"]]}
    ----- stderr -----
    "#);
}

#[test]
fn the_input_comes_from_standard_input() {
    let session = Session::new();
    assert_output!(session, ["-q", "run", "echo", "-"], "{\"text\": \"piped\"}\n", @r#"
    exit code: 0
    ----- stdout -----
    {"input":{"text":"piped","times":1},"name":"echo"}
    ----- stderr -----
    "#);
}

#[test]
fn the_input_comes_from_a_file() {
    let session = Session::new();
    session.write("input.json", "{\"text\": \"filed\"}\n");
    assert_output!(session, ["-q", "run", "echo", "@input.json"], @r#"
    exit code: 0
    ----- stdout -----
    {"input":{"text":"filed","times":1},"name":"echo"}
    ----- stderr -----
    "#);
    assert_output!(session, ["-q", "run", "echo", "@nothing.json"], @"
    exit code: 120
    ----- stdout -----
    ----- stderr -----
    error: failed to open file `nothing.json`: No such file or directory (os error 2)
    ");
}

#[test]
fn single_parameters_are_set_by_name() {
    let session = Session::new();
    assert_output!(session, ["-q", "run", "echo", "--set", "text=a=b", "--set", "times=3", "--set", "tone=loud"], @r#"
    exit code: 0
    ----- stdout -----
    {"input":{"text":"a=b","times":3,"tone":"loud"},"name":"echo"}
    ----- stderr -----
    "#);
    assert_output!(session, ["-q", "run", "echo", r#"{"text": "overridden"}"#, "--set", "text=17"], @r#"
    exit code: 0
    ----- stdout -----
    {"input":{"text":"17","times":1},"name":"echo"}
    ----- stderr -----
    "#);
    assert_output!(session, ["-q", "run", "echo", "--set", "text"], @"
    exit code: 120
    ----- stdout -----
    ----- stderr -----
    error: `--set text` has no `=`; write `--set key=value`
    ");
    assert_output!(session, ["-q", "run", "echo", "[]", "--set", "text=hi"], @"
    exit code: 120
    ----- stdout -----
    ----- stderr -----
    error: `--set` adds to a JSON object, and the input is none
    ");
}

#[test]
fn an_input_that_breaks_the_schema_is_told_with_what_would_mend_it() {
    let session = Session::new();
    assert_output!(session, ["-q", "run", "echo"], @"
    exit code: 122
    ----- stdout -----
    ----- stderr -----
    error: invalid_input: the input lacks `text`

    hint: give `text`, of type `string`: What to say.
    ");
    assert_output!(session, ["-q", "run", "echo", r#"{"txt": "hi"}"#], @"
    exit code: 122
    ----- stdout -----
    ----- stderr -----
    error: invalid_input: the input has an unknown name `txt`; the input lacks `text`

    hint: did you mean `text`?
    ");
    assert_output!(session, ["-q", "run", "echo", r#"{"text": "hi", "times": 11, "tone": "loudly"}"#], @r#"
    exit code: 122
    ----- stdout -----
    ----- stderr -----
    error: invalid_input: `/times` is `11`, above 10; `/tone` is `"loudly"`, not one of `"calm"`, `"loud"`

    hint: did you mean `loud`?
    "#);
    assert_output!(session, ["-q", "run", "echo", r#"{"text": 1}"#, "--format", "json"], @r#"
    exit code: 122
    ----- stdout -----
    {
      "execution_id": "exec_[ID]",
      "tool": "echo",
      "contract": "command",
      "backend": "wasm",
      "status": "failed",
      "ending": "invalid_input",
      "result": null,
      "error": {
        "code": "invalid_input",
        "message": "`/text` is `1`, not of type `string`",
        "details": [
          {
            "pointer": "/text",
            "rule": {
              "type": {
                "allowed": [
                  "string"
                ]
              }
            },
            "seen": "1"
          }
        ]
      },
      "usage": {
        "fuel": [N],
        "memory_peak_bytes": [N],
        "wall_us": [N],
        "instantiate_us": [N],
        "http_requests": 0
      },
      "stdout": "",
      "stderr": "",
      "cached": true,
      "component": "sha256:[DIGEST]",
      "engine": "wasmtime-[N]",
      "started_at": "[TIME]"
    }
    ----- stderr -----
    "#);
}

#[test]
fn an_input_that_is_no_json_is_wrong_usage() {
    let session = Session::new();
    assert_output!(session, ["run", "echo", "hello"], @"
    exit code: 120
    ----- stdout -----
    ----- stderr -----
    error: the input is not valid JSON: expected value at line 1 column 1
    ");
    assert_output!(session, ["run", "echo", r#"{"text": "hi""#], @"
    exit code: 120
    ----- stdout -----
    ----- stderr -----
    error: the input is not valid JSON: EOF while parsing an object at line 1 column 13
    ");
    assert_output!(session, ["run", "echo", "-"], "", @"
    exit code: 120
    ----- stdout -----
    ----- stderr -----
    error: standard input is not valid JSON: EOF while parsing a value at line 1 column 0
    ");
    assert_output!(session, ["run", "echo", "hello", "--format", "json"], @r#"
    exit code: 120
    ----- stdout -----
    {"error":{"code":"usage","message":"the input is not valid JSON: expected value at line 1 column 1","hint":null}}
    ----- stderr -----
    "#);
}

#[test]
fn an_unknown_tool_is_told_with_the_nearest_name() {
    let session = Session::new();
    assert_output!(session, ["run", "ecko", "{}"], @"
    exit code: 121
    ----- stdout -----
    ----- stderr -----
    error: there is no tool `ecko`

    hint: did you mean `echo`?
    ");
    assert_output!(session, ["run", "something-else-altogether", "{}"], @"
    exit code: 121
    ----- stdout -----
    ----- stderr -----
    error: there is no tool `something-else-altogether`

    hint: `cortex-wasm list` shows the tools there are; a path to a tool's folder works as well
    ");
    assert_output!(session, ["run", "ecko", "{}", "--format", "json"], @r#"
    exit code: 121
    ----- stdout -----
    {"error":{"code":"unknown_tool","message":"there is no tool `ecko`","hint":"did you mean `echo`?"}}
    ----- stderr -----
    "#);
}

#[test]
fn a_path_that_leads_to_no_tool_is_told_as_one() {
    let session = Session::new();
    session.write("empty/file.txt", "");
    assert_output!(session, ["run", "./nowhere"], @"
    exit code: 121
    ----- stdout -----
    ----- stderr -----
    error: `./nowhere` is no tool: there is no such file or folder

    hint: name a folder with a `tool.yml`, a manifest, or a `.wasm` component
    ");
    assert_output!(session, ["run", "./empty"], @"
    exit code: 121
    ----- stdout -----
    ----- stderr -----
    error: `./empty` is no tool: the folder holds no `tool.yml`

    hint: name a folder with a `tool.yml`, a manifest, or a `.wasm` component
    ");
}

#[test]
fn the_error_of_a_tool_is_told_with_its_code_and_ends_with_one() {
    let session = Session::new();
    let input = r#"{"code": "no_such_city", "message": "there is no `Ur`", "data": "[\"Uruk\"]"}"#;
    assert_output!(session, ["-q", "run", "answers", input], @r#"
    exit code: 1
    ----- stdout -----
    ["Uruk"]
    ----- stderr -----
    error: there is no `Ur` (no_such_city)
    "#);
    assert_output!(session, ["run", "answers", input, "--format", "json"], @r#"
    exit code: 1
    ----- stdout -----
    {
      "execution_id": "exec_[ID]",
      "tool": "answers",
      "contract": "tool",
      "backend": "wasm",
      "status": "failed",
      "ending": "tool_error",
      "result": ["Uruk"],
      "error": {
        "code": "no_such_city",
        "message": "there is no `Ur`"
      },
      "usage": {
        "fuel": [N],
        "memory_peak_bytes": [N],
        "wall_us": [N],
        "instantiate_us": [N],
        "http_requests": 0
      },
      "stdout": "",
      "stderr": "",
      "cached": true,
      "component": "sha256:[DIGEST]",
      "engine": "wasmtime-[N]",
      "started_at": "[TIME]"
    }
    ----- stderr -----
    "#);
}

#[test]
fn the_exit_code_of_a_command_is_passed_on() {
    let session = Session::new();
    assert_output!(session, ["-q", "run", "ends", r#"{"code": 7, "stderr": "log\nno such city\n"}"#], @"
    exit code: 7
    ----- stdout -----
    ----- stderr -----
    error: no such city
    ");
    assert_output!(session, ["-q", "run", "ends", r#"{"code": 1, "stdout": "{\"error\": \"no such city\"}"}"#], @r#"
    exit code: 1
    ----- stdout -----
    {"error": "no such city"}
    ----- stderr -----
    error: no such city
    "#);
    for code in [1, 2, 99, 255] {
        let ran = session.run(&["-q", "run", "ends", &format!("{{\"code\": {code}}}")]);
        assert_eq!(ran.status.code(), Some(code), "{ran}");
    }
}

#[test]
fn a_crash_is_told_with_the_last_words() {
    let session = Session::new();
    assert_output!(session, ["-q", "run", "answers", r#"{"panic": "the well is dry"}"#], @"
    exit code: 126
    ----- stdout -----
    ----- stderr -----
    error: trap: crashed: wasm trap: wasm `unreachable` instruction executed

    hint: the tool's last words: the well is dry
    ");
}

#[test]
fn an_answer_that_is_no_json_is_shown() {
    let session = Session::new();
    session.run(&["run", "ends"]);
    assert_output!(session, ["run", "ends", r#"{"stdout": "Hello, world!\n"}"#], @"
    exit code: 126
    ----- stdout -----
    ----- stderr -----
    Hello, world!
    error: invalid_output: the result is not JSON: expected value at line 1 column 1

    hint: print one JSON document to standard output, and everything else to standard error
    ");
}

#[test]
fn what_a_tool_logs_goes_to_standard_error_unless_it_should_be_quiet() {
    let session = Session::new();
    session.run(&["run", "answers"]);
    let input = r#"{"stdout": "out", "stderr": "err"}"#;
    assert_output!(session, ["run", "answers", input], @r#"
    exit code: 0
    ----- stdout -----
    {"input":{"stderr":"err","stdout":"out"},"variables":[["GREETING","hello"]]}
    ----- stderr -----
    out
    err
    "#);
    assert_output!(session, ["-q", "run", "answers", input], @r#"
    exit code: 0
    ----- stdout -----
    {"input":{"stderr":"err","stdout":"out"},"variables":[["GREETING","hello"]]}
    ----- stderr -----
    "#);
}

#[test]
fn every_limit_ends_with_its_own_name() {
    let session = Session::empty();
    session.add_limited("spins", guest_artifacts::LIMIT_SPINS, "rounds", "fuel: 1M");
    session.add_limited("spins_long", guest_artifacts::LIMIT_SPINS, "rounds", "fuel: 100G, timeout: 50ms");
    session.add_limited("sleeps", guest_artifacts::LIMIT_SLEEPS, "ms", "timeout: 50ms");
    session.add_limited("allocates", guest_artifacts::LIMIT_ALLOCATES, "bytes", "memory: 8M");
    session.add_limited("prints", guest_artifacts::LIMIT_PRINTS, "result", "output: 1000");
    assert_output!(session, ["-q", "run", "spins"], @"
    exit code: 124
    ----- stdout -----
    ----- stderr -----
    error: out_of_fuel: used up its 1000000 units of fuel

    hint: raise `implementation.resources.fuel` in the manifest
    ");
    assert_output!(session, ["-q", "run", "spins_long"], @"
    exit code: 124
    ----- stdout -----
    ----- stderr -----
    error: deadline_exceeded: still running after 50ms

    hint: raise `implementation.resources.timeout` in the manifest
    ");
    assert_output!(session, ["-q", "run", "sleeps", r#"{"ms": 3600000}"#], @"
    exit code: 124
    ----- stdout -----
    ----- stderr -----
    error: deadline_exceeded: still running after 50ms

    hint: raise `implementation.resources.timeout` in the manifest
    ");
    assert_output!(session, ["-q", "run", "allocates", r#"{"bytes": 2000000000}"#, "--format", "json"], @r#"
    exit code: 124
    ----- stdout -----
    {
      "execution_id": "exec_[ID]",
      "tool": "allocates",
      "contract": "command",
      "backend": "wasm",
      "status": "failed",
      "ending": "memory_exceeded",
      "result": null,
      "error": {
        "code": "memory_exceeded",
        "message": "asked for 2001077056 bytes of memory and tables in all, the limit is 8388608",
        "hint": "raise `implementation.resources.memory` in the manifest"
      },
      "usage": {
        "fuel": [N],
        "memory_peak_bytes": [N],
        "wall_us": [N],
        "instantiate_us": [N],
        "http_requests": 0
      },
      "stdout": "",
      "stderr": "",
      "cached": false,
      "component": "sha256:[DIGEST]",
      "engine": "wasmtime-[N]",
      "started_at": "[TIME]"
    }
    ----- stderr -----
    "#);
    assert_output!(session, ["-q", "run", "prints", r#"{"result": 1001}"#], @"
    exit code: 124
    ----- stdout -----
    ----- stderr -----
    error: output_exceeded: the result has at least 1001 bytes, the limit is 1000

    hint: return less, or raise `implementation.resources.output` in the manifest
    ");
}

#[test]
fn the_command_line_lowers_limits_and_does_not_raise_them() {
    let session = Session::empty();
    session.add_limited("spins", guest_artifacts::LIMIT_SPINS, "rounds", "fuel: 1G, timeout: 10");
    session.add_limited("allocates", guest_artifacts::LIMIT_ALLOCATES, "bytes", "memory: 64M");
    assert_output!(session, ["-q", "run", "spins", "--fuel", "500k"], @"
    exit code: 124
    ----- stdout -----
    ----- stderr -----
    error: out_of_fuel: used up its 500000 units of fuel

    hint: this call was given its own limit: give it more fuel, up to the tool's
    ");
    assert_output!(session, ["-q", "run", "spins", "--fuel", "1G", "--timeout", "5ms"], @"
    exit code: 124
    ----- stdout -----
    ----- stderr -----
    error: deadline_exceeded: still running after 5ms

    hint: this call was given its own limit: give it more time, up to the tool's
    ");
    assert_output!(session, ["-q", "run", "allocates", "--memory", "2M", "--set", "bytes=4000000"], @"
    exit code: 124
    ----- stdout -----
    ----- stderr -----
    error: memory_exceeded: asked for 5112640 bytes of memory and tables in all, the limit is 2097152

    hint: this call was given its own limit: give it more memory, up to the tool's
    ");
    assert_output!(session, ["-q", "run", "spins", "--fuel", "2G"], @"
    exit code: 122
    ----- stdout -----
    ----- stderr -----
    error: invalid_input: the call asks for a fuel of 2000000000, above the tool's own limit of 1000000000

    hint: a call may only lower a limit; raise `implementation.resources.fuel` in the manifest
    ");
    assert_output!(session, ["-q", "run", "spins", "--timeout", "11s"], @"
    exit code: 122
    ----- stdout -----
    ----- stderr -----
    error: invalid_input: the call asks for a timeout of 11s, above the tool's own limit of 10s

    hint: a call may only lower a limit; raise `implementation.resources.timeout` in the manifest
    ");
    assert_output!(session, ["-q", "run", "spins", "--fuel", "much"], @"
    exit code: 120
    ----- stdout -----
    ----- stderr -----
    error: invalid value 'much' for '--fuel <N>': `much` is not a count such as `2G` or `500000`

    For more information, try '--help'.
    ");
    assert_output!(session, ["-q", "run", "spins", "--memory", "0"], @"
    exit code: 120
    ----- stdout -----
    ----- stderr -----
    error: invalid value '0' for '--memory <SIZE>': `0` is not above zero

    For more information, try '--help'.
    ");
}

#[test]
fn a_component_that_needs_what_no_tool_gets_is_denied() {
    let session = Session::empty();
    guest_artifacts::check(guest_artifacts::CONTRACT_IMPORTS_UNKNOWN);
    assert_output!(session, ["-q", "run", guest_artifacts::CONTRACT_IMPORTS_UNKNOWN], @"
    exit code: 125
    ----- stdout -----
    ----- stderr -----
    error: denied: the component imports `acme:rockets/pad@1.0.0`, which this host does not provide

    hint: this version provides cortex:tool/host@0.1, wasi:cli@0.2, wasi:clocks@0.2, wasi:filesystem@0.2, wasi:http@0.2, wasi:io@0.2, wasi:keyvalue@0.2.0-draft, wasi:logging@0.1.0-draft, wasi:random@0.2, wasi:sockets@0.2
    ");
}

#[test]
fn a_tool_is_named_by_any_path_to_it() {
    let session = Session::new();
    let answer = |tool: &str| {
        let ran = session.run(&["-q", "run", tool, r#"{"text": "hi"}"#]);
        serde_json::from_str::<Value>(ran.worked()).unwrap()
    };
    let expected = json!({"name": "echo", "input": {"text": "hi", "times": 1}});
    for path in ["./manifests/tools/echo", "manifests/tools/echo/", "manifests/tools/echo/tool.yml"] {
        assert_eq!(answer(path), expected, "{path}");
    }
    // Without its manifest a component has no defaults, and the name of its file.
    let bare = json!({"name": "guest", "input": {"text": "hi"}});
    assert_eq!(answer("./manifests/tools/echo/guest.wasm"), bare);
    let absolute = session.work().join("manifests/tools/echo");
    assert_eq!(answer(absolute.to_str().unwrap()), expected);
}

#[test]
fn a_function_of_a_component_is_named_after_a_hash() {
    let session = Session::empty();
    let wasm = guest_artifacts::check(guest_artifacts::LIMIT_OWN_MAXIMUM).to_str().unwrap();
    assert_output!(session, ["-q", "run", &format!("{wasm}#memory"), r#"{"pages": 2}"#], @"
    exit code: 0
    ----- stdout -----
    1
    ----- stderr -----
    ");
    assert_output!(session, ["-q", "run", &format!("{wasm}#memory"), "--set", "pages=3"], @"
    exit code: 0
    ----- stdout -----
    1
    ----- stderr -----
    ");
    assert_output!(session, ["-q", "run", &format!("{wasm}#memories"), "{}"], @"
    exit code: 122
    ----- stdout -----
    ----- stderr -----
    error: invalid_input: the component has no function `memories`

    hint: append `#` and one of its functions: `memory`, `table`
    ");
    assert_output!(session, ["-q", "run", wasm, "{}"], @"
    exit code: 122
    ----- stdout -----
    ----- stderr -----
    error: invalid_input: the component has several functions

    hint: append `#` and one of its functions: `memory`, `table`
    ");
    assert_output!(session, ["-q", "run", &format!("{wasm}#memory"), r#"{"pages": -1}"#], @"
    exit code: 122
    ----- stdout -----
    ----- stderr -----
    error: invalid_input: `/pages` is `-1`, below 0
    ");
}

#[test]
fn the_standard_tools_need_no_folder() {
    let session = Session::empty();
    assert_output!(session, ["-q", "run", "calculator", r#"{"expression": "6 * 7"}"#], @r#"
    exit code: 0
    ----- stdout -----
    {"status":"success","result":42,"expression":"6 * 7"}
    ----- stderr -----
    "#);
    assert_output!(session, ["-q", "run", "calculator", "--set", "expression=1/0"], @r#"
    exit code: 1
    ----- stdout -----
    {"status":"error","error":"division by zero (column 2)","expression":"1/0"}
    ----- stderr -----
    error: division by zero (column 2) (division_by_zero)
    "#);
}

#[test]
fn a_tool_of_one_s_own_hides_a_standard_one() {
    let session = Session::new();
    session.add_rust("calculator", "fn main() { println!(\"\\\"mine\\\"\"); }");
    assert_output!(session, ["-q", "run", "calculator"], @r#"
    exit code: 0
    ----- stdout -----
    "mine"
    ----- stderr -----
    "#);
}

#[test]
fn tools_are_found_in_every_folder_that_is_named() {
    let session = Session::new();
    let other = Session::new();
    other.add_limited("spins", guest_artifacts::LIMIT_SPINS, "rounds", "fuel: 1M");
    let folder = other.work().join("manifests");
    let folder = folder.to_str().unwrap();
    let ran =
        session.run(&["--manifests", "manifests", "--manifests", folder, "-q", "run", "spins", r#"{"rounds": 1}"#]);
    assert_eq!(ran.worked(), "1\n");
    assert_eq!(session.run(&["-q", "run", "spins"]).status.code(), Some(121), "it is not in `./manifests`");
    let ran = session.run(&["--manifests", folder, "-q", "run", "spins", r#"{"rounds": 1}"#]);
    assert_eq!(ran.worked(), "1\n");
}

/// A reader such as `head` closes the pipe when it has seen enough. That is no reason to panic, nor to fail.
#[test]
fn a_closed_standard_output_is_no_panic() {
    let session = Session::new();
    for arguments in [
        &["run", "echo", r#"{"text": "hi"}"#][..],
        &["list"],
        &["show", "echo"],
        &["schema"],
        &["completions", "bash"],
        &["version"],
        &["--help"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let child = session.command(arguments).stdout(Stdio::from(writer)).spawn().unwrap();
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(!stderr.contains("panicked"), "{arguments:?}: {stderr}");
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {stderr}");
    }
}
