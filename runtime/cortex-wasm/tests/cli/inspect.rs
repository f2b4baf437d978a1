//! What only looks: `list`, `show`, `plan`, `test`, `schema`, `cache`, `completions` and `version`.

use fs_err as fs;
use serde_json::json;

use crate::session::{Session, assert_output};

/// Two manifests with mistakes beside one that is good.
fn with_mistakes() -> Session {
    let session = Session::new();
    session.write(
        "manifests/tools/typo/tool.yml",
        "kind: Tool\nversion: \"1.0\"\nname: typo\nsumary: Misspelt.\nimplementation:\n  runtime: rust\n  \
         entrypoint: ./main.rs\n",
    );
    session.write(
        "manifests/tools/many/tool.yml",
        "kind: Agent\nversion: \"2\"\nname: Many Things\nsummary: \"\"\nimplementation:\n  runtime: rust\n  \
         entrypoint: ../main.rs\n  resources: { memory: lots }\n",
    );
    session.write("manifests/tools/broken/tool.yml", "kind: Tool\nname: [unclosed\n");
    session
}

#[test]
fn every_tool_is_listed_by_name() {
    assert_output!(Session::new(), ["list"], @"
    exit code: 0
    ----- stdout -----
    answers     Answers, fails, crashes and logs as it is told.
    calculator  Evaluates an arithmetic expression, exactly where it can be exact.
    echo        Says what it was told.
    ends        Ends as it is told.
    kv_store    Keeps values by their keys from one call to the next.
    ----- stderr -----
    ");
}

#[test]
fn a_list_as_json_says_where_each_tool_is() {
    assert_output!(Session::new(), ["list", "--format", "json"], @r#"
    exit code: 0
    ----- stdout -----
    [
      {
        "name": "answers",
        "summary": "Answers, fails, crashes and logs as it is told.",
        "source": "manifests/tools/answers"
      },
      {
        "name": "calculator",
        "summary": "Evaluates an arithmetic expression, exactly where it can be exact.",
        "source": "standard"
      },
      {
        "name": "echo",
        "summary": "Says what it was told.",
        "source": "manifests/tools/echo"
      },
      {
        "name": "ends",
        "summary": "Ends as it is told.",
        "source": "manifests/tools/ends"
      },
      {
        "name": "kv_store",
        "summary": "Keeps values by their keys from one call to the next.",
        "source": "standard"
      }
    ]
    ----- stderr -----
    "#);
}

#[test]
fn a_manifest_with_mistakes_is_no_reason_to_hide_the_others() {
    let session = with_mistakes();
    assert_output!(session, ["list"], @"
    exit code: 0
    ----- stdout -----
    answers     Answers, fails, crashes and logs as it is told.
    calculator  Evaluates an arithmetic expression, exactly where it can be exact.
    echo        Says what it was told.
    ends        Ends as it is told.
    kv_store    Keeps values by their keys from one call to the next.
    ----- stderr -----
    warning: manifests/tools/broken/tool.yml:2:7: expected a string
    warning: manifests/tools/many/tool.yml:1:7: `kind` is `Agent`, not `Tool`
    manifests/tools/many/tool.yml:2:10: version `2` of the format is unknown
    manifests/tools/many/tool.yml:3:7: the tool name `Many Things` starts with `M`, not with a lower-case letter
    manifests/tools/many/tool.yml:4:10: `summary` is empty
    manifests/tools/many/tool.yml:7:15: `entrypoint`: the path `../main.rs` leaves the folder it starts in
    manifests/tools/many/tool.yml:8:24: `memory`: `lots` is not a size such as `64M` or a number of bytes
    warning: manifests/tools/typo/tool.yml:4:1: unknown field `sumary`
    ");
    assert_output!(session, ["list", "--format", "json"], @r#"
    exit code: 0
    ----- stdout -----
    [
      {
        "name": "answers",
        "summary": "Answers, fails, crashes and logs as it is told.",
        "source": "manifests/tools/answers"
      },
      {
        "name": "broken",
        "error": "manifests/tools/broken/tool.yml:2:7: expected a string"
      },
      {
        "name": "calculator",
        "summary": "Evaluates an arithmetic expression, exactly where it can be exact.",
        "source": "standard"
      },
      {
        "name": "echo",
        "summary": "Says what it was told.",
        "source": "manifests/tools/echo"
      },
      {
        "name": "ends",
        "summary": "Ends as it is told.",
        "source": "manifests/tools/ends"
      },
      {
        "name": "kv_store",
        "summary": "Keeps values by their keys from one call to the next.",
        "source": "standard"
      },
      {
        "name": "many",
        "error": "manifests/tools/many/tool.yml:1:7: `kind` is `Agent`, not `Tool`\nmanifests/tools/many/tool.yml:2:10: version `2` of the format is unknown\nmanifests/tools/many/tool.yml:3:7: the tool name `Many Things` starts with `M`, not with a lower-case letter\nmanifests/tools/many/tool.yml:4:10: `summary` is empty\nmanifests/tools/many/tool.yml:7:15: `entrypoint`: the path `../main.rs` leaves the folder it starts in\nmanifests/tools/many/tool.yml:8:24: `memory`: `lots` is not a size such as `64M` or a number of bytes"
      },
      {
        "name": "typo",
        "error": "manifests/tools/typo/tool.yml:4:1: unknown field `sumary`"
      }
    ]
    ----- stderr -----
    "#);
}

#[test]
fn mistakes_in_a_manifest_are_told_by_line_and_column() {
    let session = with_mistakes();
    assert_output!(session, ["run", "./manifests/tools/typo"], @"
    exit code: 121
    ----- stdout -----
    ----- stderr -----
    ./manifests/tools/typo/tool.yml:4:1: unknown field `sumary`
      4 | sumary: Misspelt.
        | ^
    hint: did you mean `summary`?
    ");
    assert_output!(session, ["show", "./manifests/tools/many"], @r#"
    exit code: 121
    ----- stdout -----
    ----- stderr -----
    ./manifests/tools/many/tool.yml:1:7: `kind` is `Agent`, not `Tool`
      1 | kind: Agent
        |       ^
    hint: this is the manifest of something else; only tools are read here

    ./manifests/tools/many/tool.yml:2:10: version `2` of the format is unknown
      2 | version: "2"
        |          ^
    hint: write `version: "1.0"`

    ./manifests/tools/many/tool.yml:3:7: the tool name `Many Things` starts with `M`, not with a lower-case letter
      3 | name: Many Things
        |       ^
    hint: write `many_things`

    ./manifests/tools/many/tool.yml:4:10: `summary` is empty
      4 | summary: ""
        |          ^

    ./manifests/tools/many/tool.yml:7:15: `entrypoint`: the path `../main.rs` leaves the folder it starts in
      7 |   entrypoint: ../main.rs
        |               ^
    hint: keep the file in the folder of the manifest

    ./manifests/tools/many/tool.yml:8:24: `memory`: `lots` is not a size such as `64M` or a number of bytes
      8 |   resources: { memory: lots }
        |                        ^
    "#);
    assert_output!(session, ["plan", "./manifests/tools/broken"], @"
    exit code: 121
    ----- stdout -----
    ----- stderr -----
    ./manifests/tools/broken/tool.yml:2:7: expected a string
      2 | name: [unclosed
        |       ^
    ");
    assert_output!(session, ["run", "./manifests/tools/typo", "--format", "json"], @r#"
    exit code: 121
    ----- stdout -----
    {"error":{"code":"invalid_manifest","message":"./manifests/tools/typo/tool.yml:4:1: unknown field `sumary`","hint":"did you mean `summary`?"}}
    ----- stderr -----
    "#);
    assert_output!(session, ["build", "./manifests/tools/typo"], @"
    exit code: 121
    ----- stdout -----
    ----- stderr -----
    ./manifests/tools/typo/tool.yml:4:1: unknown field `sumary`
      4 | sumary: Misspelt.
        | ^
    hint: did you mean `summary`?
    ");
}

/// By name, too: a person who misspelt a field asks for the tool by its name.
#[test]
fn a_tool_whose_manifest_has_mistakes_is_not_unknown() {
    let session = with_mistakes();
    assert_output!(session, ["run", "typo"], @"
    exit code: 121
    ----- stdout -----
    ----- stderr -----
    manifests/tools/typo/tool.yml:4:1: unknown field `sumary`
      4 | sumary: Misspelt.
        | ^
    hint: did you mean `summary`?
    ");
    assert_output!(session, ["run", "broken"], @"
    exit code: 121
    ----- stdout -----
    ----- stderr -----
    manifests/tools/broken/tool.yml:2:7: expected a string
      2 | name: [unclosed
        |       ^
    ");
}

#[test]
fn a_tool_is_shown_with_what_it_takes_and_may_use() {
    let session = Session::new();
    assert_output!(session, ["show", "echo"], @"
    exit code: 0
    ----- stdout -----
    name         echo
    summary      Says what it was told.
    source       manifests/tools/echo
    parameter    text (string, required)  What to say.
    parameter    times (integer)  How often.
    parameter    tone (string)
    limits       fuel 10000000000, 16 MiB of memory, 5s
    asks for     nothing
    ----- stderr -----
    ");
    assert_output!(session, ["show", "answers"], @r#"
    exit code: 0
    ----- stdout -----
    name         answers
    summary      Answers, fails, crashes and logs as it is told.
    source       manifests/tools/answers
    parameter    code (string)
    parameter    message (string)
    parameter    data (string)
    parameter    panic (string)
    parameter    stdout (string)
    parameter    stderr (string)
    limits       fuel 10000000000, 256 MiB of memory, 30s
    asks for     network ["https://api.example.com"]
    ----- stderr -----
    "#);
    assert_output!(session, ["show", "ecko"], @"
    exit code: 121
    ----- stdout -----
    ----- stderr -----
    error: there is no tool `ecko`

    hint: did you mean `echo`?
    ");
}

#[test]
fn a_tool_as_json_has_its_schema_and_its_limits() {
    let shown = Session::new().run(&["show", "echo", "--format", "json"]).json(0);
    assert_eq!(shown["spec"]["name"], "echo");
    assert_eq!(shown["input_schema"]["required"], json!(["text"]));
    assert_eq!(shown["input_schema"]["properties"]["times"]["maximum"], 10);
    assert_eq!(shown["input_schema"]["additionalProperties"], false);
    assert_eq!(shown["limits"]["memory_bytes"], 16 << 20);
    assert_eq!(shown["limits"]["timeout_ms"], 5000);
    assert_eq!(shown["functions"], json!([]));
}

#[test]
fn a_component_is_shown_with_its_functions() {
    let session = Session::empty();
    let wasm = guest_artifacts::check(guest_artifacts::LIMIT_OWN_MAXIMUM).to_str().unwrap();
    assert_output!(session, ["-q", "show", wasm], @r#"
    exit code: 0
    ----- stdout -----
    name         limit_own_maximum
    summary      the component `[GUESTS]/limit_own_maximum.wasm`
    source       [GUESTS]/limit_own_maximum.wasm
    limits       fuel 10000000000, 256 MiB of memory, 30s
    asks for     nothing
    function     memory
                 takes {"type":"object","properties":{"pages":{"type":"integer","minimum":0,"maximum":4294967295}},"required":["pages"],"additionalProperties":false,"$schema":"https://json-schema.org/draft/2020-12/schema"}
    function     table
                 takes {"type":"object","properties":{"elements":{"type":"integer","minimum":0,"maximum":4294967295}},"required":["elements"],"additionalProperties":false,"$schema":"https://json-schema.org/draft/2020-12/schema"}
    ----- stderr -----
    "#);
    let shown = session.run(&["-q", "show", wasm, "--format", "json"]).json(0);
    assert_eq!(shown["functions"][0]["name"], "memory");
    assert_eq!(shown["functions"][0]["output_schema"]["type"], "integer");
}

#[test]
fn a_manifest_that_asks_for_more_than_may_be_is_no_wrong_usage() {
    let session = Session::empty();
    session.add_limited("greedy", guest_artifacts::LIMIT_SPINS, "rounds", "timeout: 2h");
    assert_output!(session, ["-q", "run", "greedy"], @"
    exit code: 125
    ----- stdout -----
    ----- stderr -----
    error: denied: the manifest asks for a timeout of 7200s, above the operator's ceiling of 3600s

    hint: lower `implementation.resources.timeout` in the manifest
    ");
    assert_output!(session, ["-q", "show", "greedy"], @"
    exit code: 125
    ----- stdout -----
    ----- stderr -----
    error: the manifest asks for a timeout of 7200s, above the operator's ceiling of 3600s

    hint: lower `implementation.resources.timeout` in the manifest
    ");
}

#[test]
fn a_plan_says_how_and_why() {
    let session = Session::new();
    session.add_rust("rusty", "fn main() {}");
    let shell = "kind: Tool\nversion: \"1.0\"\nname: shelly\nsummary: A script.\nimplementation: { runtime: bash, entrypoint: ./a.sh }\n";
    session.write("manifests/tools/shelly/tool.yml", shell);
    assert_output!(session, ["plan", "echo"], @"
    exit code: 0
    ----- stdout -----
    tool     echo
    backend  wasm
    builder  component
    because  `guest.wasm` is a component already
    ----- stderr -----
    ");
    assert_output!(session, ["plan", "rusty"], @"
    exit code: 0
    ----- stdout -----
    tool     rusty
    backend  wasm
    builder  rust
    because  Rust compiles to a component
             to change it: `backend: docker` runs it in a container
    ----- stderr -----
    ");
    assert_output!(session, ["plan", "shelly"], @"
    exit code: 0
    ----- stdout -----
    tool     shelly
    backend  docker
    because  `bash` cannot be compiled to a component
    ----- stderr -----
    ");
    assert_output!(session, ["plan", "shelly", "--format", "json"], @r#"
    exit code: 0
    ----- stdout -----
    {
      "tool": "shelly",
      "backend": "docker",
      "builder": null,
      "reasons": [
        {
          "because": "`bash` cannot be compiled to a component"
        }
      ],
      "blocked": null,
      "permits": []
    }
    ----- stderr -----
    "#);
    assert_output!(session, ["run", "shelly"], @"
    exit code: 123
    ----- stdout -----
    ----- stderr -----
    error: build_failed: `shelly` cannot run in a container: there is no entry point and no `main.sh`

    hint: name it in `implementation.entrypoint`
    ");
}

#[test]
fn health_checks_and_examples_are_run() {
    let session = Session::new();
    assert_output!(session, ["-q", "test", "echo"], @"
    exit code: 0
    ----- stdout -----
    echo: health check ... ok
    echo: Says hello ... ok
    echo: example 2 ... ok
    3 passed, 0 failed, 0 skipped
    ----- stderr -----
    ");
    assert_output!(session, ["-q", "test", "answers"], @"
    exit code: 0
    ----- stdout -----
    answers: nothing to test: no health check and no examples
    0 passed, 0 failed, 0 skipped
    ----- stderr -----
    ");
}

#[test]
fn an_example_that_fails_is_shown_with_what_was_expected() {
    let session = Session::new();
    let manifest = "\
kind: Tool
version: \"1.0\"
name: wrong
summary: Promises what it does not keep.
implementation:
  runtime: component
  entrypoint: ./guest.wasm
  health_check: { type: script, command: 'true', expected_exit_code: 0 }
parameters:
  - { name: rounds, type: integer }
examples:
  - { description: Counts, input: { rounds: 2 }, output: 2 }
  - { description: Counts wrong, input: { rounds: 2 }, output: 3 }
";
    session.add("wrong", manifest, guest_artifacts::LIMIT_SPINS);
    assert_output!(session, ["-q", "test", "wrong"], @"
    exit code: 1
    ----- stdout -----
    wrong: health check ... skipped
      its command holds no JSON object to call with
    wrong: Counts ... ok
    wrong: Counts wrong ... FAILED
      answered `2`, expected `3`
    1 passed, 1 failed, 1 skipped
    ----- stderr -----
    ");
    assert_output!(session, ["-q", "test", "wrong", "--format", "json"], @r#"
    exit code: 1
    ----- stdout -----
    {"tool":"wrong","checks":[{"name":"health check","passed":null,"problem":"its command holds no JSON object to call with"},{"name":"Counts","passed":true,"problem":null},{"name":"Counts wrong","passed":false,"problem":"answered `2`, expected `3`"}]}
    ----- stderr -----
    "#);
}

#[test]
fn testing_all_tools_tests_those_that_can_be() {
    let session = with_mistakes();
    assert_output!(session, ["-q", "test", "--all"], @r#"
    exit code: 121
    ----- stdout -----
    answers: nothing to test: no health check and no examples
    calculator: health check ... ok
    calculator: Precedence ... ok
    calculator: A function and a power ... ok
    calculator: A division that leaves a fraction ... ok
    calculator: A constant ... ok
    calculator: More digits than a 64-bit real holds ... ok
    calculator: More digits than 128 bits hold ... ok
    calculator: A comparison ... ok
    calculator: No result, and what to write instead ... ok
    echo: health check ... ok
    echo: Says hello ... ok
    echo: example 2 ... ok
    ends: nothing to test: no health check and no examples
    kv_store: A value is set ... ok
    kv_store: It is there in a later call ... ok
    kv_store: It is removed ... ok
    15 passed, 3 failed, 0 skipped
    ----- stderr -----
    manifests/tools/broken/tool.yml:2:7: expected a string
      2 | name: [unclosed
        |       ^
    manifests/tools/many/tool.yml:1:7: `kind` is `Agent`, not `Tool`
      1 | kind: Agent
        |       ^
    hint: this is the manifest of something else; only tools are read here

    manifests/tools/many/tool.yml:2:10: version `2` of the format is unknown
      2 | version: "2"
        |          ^
    hint: write `version: "1.0"`

    manifests/tools/many/tool.yml:3:7: the tool name `Many Things` starts with `M`, not with a lower-case letter
      3 | name: Many Things
        |       ^
    hint: write `many_things`

    manifests/tools/many/tool.yml:4:10: `summary` is empty
      4 | summary: ""
        |          ^

    manifests/tools/many/tool.yml:7:15: `entrypoint`: the path `../main.rs` leaves the folder it starts in
      7 |   entrypoint: ../main.rs
        |               ^
    hint: keep the file in the folder of the manifest

    manifests/tools/many/tool.yml:8:24: `memory`: `lots` is not a size such as `64M` or a number of bytes
      8 |   resources: { memory: lots }
        |                        ^
    manifests/tools/typo/tool.yml:4:1: unknown field `sumary`
      4 | sumary: Misspelt.
        | ^
    hint: did you mean `summary`?
    "#);
}

#[test]
fn the_schema_of_manifests_is_a_json_schema() {
    let schema = Session::empty().run(&["schema"]).json(0);
    assert_eq!(schema["title"], "Cortex tool manifest");
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["properties"]["kind"]["const"], "Tool");
}

#[test]
fn the_cache_says_what_it_holds_and_can_be_emptied() {
    let session = Session::new();
    assert_output!(session, ["cache", "info"], @"
    exit code: 0
    ----- stdout -----
    path   [TMP]/home/compiled
    size   0.0 MB of 2147.5 MB
    ----- stderr -----
    ");
    session.run(&["run", "echo", r#"{"text": "hi"}"#]).worked();
    session.run(&["run", "answers"]).worked();
    let info = session.run(&["cache", "info", "--format", "json"]).json(0);
    let entries = info["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 2);
    assert!(entries.iter().all(|entry| entry["current"] == true && entry["bytes"].as_u64().unwrap() > 0), "{info}");
    assert_eq!(info["path"], session.home().join("compiled").to_str().unwrap());
    let text = session.run(&["cache", "info"]);
    assert_eq!(text.worked().lines().count(), 4, "{text}");

    let keep_one = entries[0]["bytes"].as_u64().unwrap();
    session.run(&["cache", "prune", "--keep", &keep_one.to_string()]).worked();
    let left = session.run(&["cache", "info", "--format", "json"]).json(0);
    assert_eq!(left["entries"].as_array().unwrap().len(), 1);
    assert_eq!(left["entries"][0]["component"], entries[0]["component"]);
    session.run(&["cache", "prune"]).worked();
    assert_eq!(session.run(&["cache", "info", "--format", "json"]).json(0)["entries"], json!([]));
    assert!(fs::read_dir(session.home().join("compiled")).unwrap().next().is_none());
}

#[test]
fn a_completion_script_is_data() {
    for (shell, part) in
        [("bash", "complete -F _cortex__wasm"), ("zsh", "#compdef cortex-wasm"), ("fish", "complete -c cortex-wasm")]
    {
        let ran = Session::empty().run(&["completions", shell]);
        assert!(ran.worked().contains(part), "{shell}: {ran}");
        assert_eq!(ran.stderr, "");
    }
}

#[test]
fn the_versions_of_the_program_and_its_engine() {
    let session = Session::empty();
    assert_output!(session, ["version"], @"
    exit code: 0
    ----- stdout -----
    cortex-wasm [VERSION]
    engine wasmtime-[N]
    ----- stderr -----
    ");
    assert_output!(session, ["--version"], @"
    exit code: 0
    ----- stdout -----
    cortex-wasm [VERSION]
    ----- stderr -----
    ");
    let version = session.run(&["version", "--format", "json"]).json(0);
    assert_eq!(version["cortex_wasm"], env!("CARGO_PKG_VERSION"));
    assert!(version["engine"].as_str().unwrap().starts_with("wasmtime-"), "{version}");
}
