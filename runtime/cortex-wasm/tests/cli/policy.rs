//! What the operator says on the command line: grants, secrets, limits of a call and of compiling.

use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::session::{Ran, Session, assert_output};

const NOTES: &str = "\
kind: Tool
version: \"1.0\"
name: notes
summary: Keeps notes.
implementation: { runtime: component, entrypoint: ./guest.wasm }
parameters: [{ name: do, type: array }]
permissions:
  state: true
  secrets: [{ name: OPEN, expose: true }, { name: HIDDEN, bearer: true, hosts: [api.example.com] }]
";

/// Sets one key.
const INPUT: &str = r#"{"do": [["set", "a", "b"]]}"#;

fn session(policy: &str) -> Session {
    let session = Session::empty();
    session.add("notes", NOTES, guest_artifacts::CAPABILITY_HOST);
    session.write("cortex.yml", &format!("kind: Policy\nversion: \"1.0\"\n{policy}"));
    session
}

fn permit(ran: &Ran, capability: &str) -> serde_json::Value {
    let json = ran.json(0);
    let permits = json["permits"].as_array().unwrap();
    permits.iter().find(|permit| permit["capability"] == capability).unwrap().clone()
}

#[test]
fn a_capability_is_explained_granted_used_and_revoked() {
    let session = session("trust: false\n");
    let explain = || session.run(&["policy", "explain", "notes", "--format", "json"]);
    let refused = permit(&explain(), "state");
    assert_eq!((&refused["granted"], &refused["because"]), (&json!(false), &json!("nothing in the policy grants it")));
    assert_eq!(refused["allow"], "add to cortex.yml:\ntools:\n  - { tool: notes, grant: { state: true } }");
    let run = || session.run(&["run", "notes", INPUT]);
    let denied = run();
    assert_eq!(denied.status.code(), Some(125), "{denied}");
    assert!(denied.stderr.contains("grant: { state: true }"), "{denied}");

    session.run(&["grant", "notes", "state"]).worked();
    let granted = permit(&explain(), "state");
    assert_eq!((&granted["granted"], &granted["because"]), (&json!(true), &json!("cortex.yml:5 grants it")));
    run().worked();
    session.run(&["revoke", "notes", "state"]).worked();
    assert_eq!(permit(&explain(), "state")["granted"], false);
    assert_eq!(run().status.code(), Some(125));
}

#[test]
fn parts_of_the_host_and_relics_are_granted_and_revoked_by_name() {
    let session = Session::empty();
    let manifest = "kind: Tool\nversion: \"1.0\"\nname: looks\nsummary: Looks.\n\
                    implementation: { backend: docker, runtime: python3, entrypoint: ./main.py }\n\
                    permissions: { host: [proc, sys], relics: [counts] }\n";
    session.write("manifests/tools/looks/tool.yml", manifest);
    session.write("manifests/tools/looks/main.py", "");
    session.write("cortex.yml", "kind: Policy\nversion: \"1.0\"\ntrust: false\n");
    assert_output!(session, ["policy", "explain", "looks"], @"
    exit code: 0
    ----- stdout -----
    refused  host proc: nothing in the policy grants it
             add to cortex.yml:
             tools:
               - { tool: looks, grant: { host: [proc] } }
    refused  host sys: nothing in the policy grants it
             add to cortex.yml:
             tools:
               - { tool: looks, grant: { host: [sys] } }
    refused  relics counts: nothing in the policy grants it
             add to cortex.yml:
             tools:
               - { tool: looks, grant: { relics: [counts] } }
    ----- stderr -----
    ");
    assert_output!(session, ["grant", "looks", "host=proc"], @"
    exit code: 0
    ----- stdout -----
    granted  host proc: cortex.yml:5 grants it
    refused  host sys: nothing in the policy grants it
             add to cortex.yml:
             tools:
               - { tool: looks, grant: { host: [sys] } }
    refused  relics counts: nothing in the policy grants it
             add to cortex.yml:
             tools:
               - { tool: looks, grant: { relics: [counts] } }
    ----- stderr -----
    cortex.yml: `looks` is granted host: [proc]
    ");
    assert_output!(session, ["grant", "looks", "relics=counts"], @"
    exit code: 0
    ----- stdout -----
    granted  host proc: cortex.yml:5 grants it
    refused  host sys: nothing in the policy grants it
             add to cortex.yml:
             tools:
               - { tool: looks, grant: { host: [sys] } }
    granted  relics counts: cortex.yml:6 grants it
    ----- stderr -----
    cortex.yml: `looks` is granted relics: [counts]
    ");
    assert_output!(session, ["revoke", "looks", "host=proc"], @"
    exit code: 0
    ----- stdout -----
    refused  host proc: nothing in the policy grants it
             add to cortex.yml:
             tools:
               - { tool: looks, grant: { host: [proc] } }
    refused  host sys: nothing in the policy grants it
             add to cortex.yml:
             tools:
               - { tool: looks, grant: { host: [sys] } }
    granted  relics counts: cortex.yml:5 grants it
    ----- stderr -----
    cortex.yml: `looks` is no longer granted host: [proc]
    ");
    assert_eq!(
        fs_err::read_to_string(session.work().join("cortex.yml")).unwrap(),
        "kind: Policy\nversion: \"1.0\"\ntrust: false\ntools:\n  - { tool: \"looks\", grant: { relics: [counts] } }\n"
    );
    assert_output!(session, ["grant", "looks", "host=dev"], @"
    exit code: 120
    ----- stdout -----
    ----- stderr -----
    error: invalid value 'host=dev' for '<CAPABILITY>': `dev` is no part of the host that a container can look at; write `host=proc` or `host=sys`

    For more information, try '--help'.
    ");
    assert_output!(session, ["grant", "looks", "disk=1G"], @"
    exit code: 120
    ----- stdout -----
    ----- stderr -----
    error: invalid value 'disk=1G' for '<CAPABILITY>': `disk=1G` is no capability; write `network=https://…`, `filesystem=./…[:read-write]`, `environment=NAME`, `secrets=NAME`, `state`, `host=proc`, `host=sys` or `relics=NAME`

    For more information, try '--help'.
    ");
}

#[test]
fn a_policy_is_checked_with_the_place_of_what_is_wrong() {
    let session = session("tools:\n  - { tool: notes, grant: { state: true } }\n  - { tool: nobody, trust: false }\n");
    let checked = session.run(&["policy", "check"]);
    assert!(checked.worked().contains("2 entries for tools"), "{checked}");
    assert!(checked.stderr.contains("line 5: `nobody` names no tool that there is"), "{checked}");
    session
        .write("cortex.yml", "kind: Policy\nversion: \"1.0\"\ntools:\n  - { tool: notes, grants: { state: true } }\n");
    let wrong = session.run(&["policy", "check"]);
    assert_eq!(wrong.status.code(), Some(121), "{wrong}");
    assert!(wrong.stderr.contains("cortex.yml:4:20") && wrong.stderr.contains("did you mean `grant`?"), "{wrong}");
}

#[test]
fn a_secret_that_the_tool_itself_holds_is_red_on_a_terminal_and_nowhere_else() {
    let session = session("");
    for secret in ["OPEN", "HIDDEN"] {
        session.run_with(&["secret", "set", secret], "a value that is a secret\n").worked();
    }
    let warning = "         the tool itself holds this secret, and can pass it on wherever it reaches";
    for command in [&["plan", "notes"][..], &["policy", "explain", "notes"]] {
        let shown = session.run_on_terminal(command);
        let lines: Vec<_> = shown.worked().split("\r\n").collect();
        let about = lines
            .iter()
            .position(|line| line.starts_with("granted  secrets OPEN"))
            .unwrap_or_else(|| panic!("{shown}"));
        assert_eq!(lines[about + 1], format!("\u{1b}[31m{warning}\u{1b}[0m"), "{shown}");
        let coloured = lines.iter().filter(|line| line.contains('\u{1b}')).count();
        assert_eq!(coloured, 1, "a secret that the host keeps is no reason for red: {shown}");
        let piped = session.run(command);
        assert!(piped.worked().lines().any(|line| line == warning) && !piped.stdout.contains('\u{1b}'), "{piped}");
    }
    let json = session.run_on_terminal(&["plan", "notes", "--format", "json"]);
    assert!(!json.worked().contains('\u{1b}'), "data is data on a terminal as well: {json}");
}

#[test]
fn a_secret_is_set_from_standard_input_and_kept_for_its_owner() {
    let session = session("");
    session.run_with(&["secret", "set", "OPEN"], "an open secret\n").worked();
    assert_eq!(session.run(&["secret", "list"]).worked(), "OPEN\n");
    let mode = fs_err::metadata(session.home().join("secrets.json")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let plan = session.run(&["plan", "notes"]);
    let plan = plan.worked();
    assert!(plan.contains("the tool itself holds this secret"), "{plan}");
    assert!(
        plan.contains("refused  secrets HIDDEN: no value was set\n         run `cortex-wasm secret set HIDDEN`"),
        "{plan}"
    );
    assert!(!plan.contains("open secret") && !plan.contains('\u{1b}'), "{plan}");
    let held = session.run(&["run", "notes", r#"{"do": [["secret", "OPEN"], ["secret", "HIDDEN"]]}"#]);
    assert_eq!(held.worked(), "[true,false]\n");
    session.run(&["secret", "delete", "OPEN"]).worked();
    assert_eq!(session.run(&["secret", "list"]).worked(), "");
}

#[test]
fn an_audit_tells_what_is_asked_for_and_never_used() {
    let session = Session::empty();
    let asks = format!("{NOTES}  network: [\"https://api.example.com\"]\n");
    session.add("notes", &asks, guest_artifacts::CAPABILITY_HOST);
    let audit = session.run(&["audit", "notes", "--format", "json"]).json(0);
    let imports = audit["imports"].as_array().unwrap();
    let state = imports.iter().find(|import| import["interface"].as_str().unwrap().starts_with("wasi:keyvalue/store"));
    assert_eq!(state.unwrap()["capability"], "state");
    let warnings: Vec<&str> = audit["warnings"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    let unused = [
        "the manifest asks for network `https://api.example.com`, and the component cannot use it",
        "the manifest asks for secrets `HIDDEN`, and the component cannot use it",
    ];
    assert_eq!(warnings, unused);
    session.add("notes", &NOTES.replace("  state: true\n", ""), guest_artifacts::CAPABILITY_HOST);
    let audit = session.run(&["audit", "notes"]);
    let missing =
        "warning  the component imports `wasi:keyvalue/store@0.2.0-draft`, and the manifest asks for no state";
    assert!(audit.worked().contains(missing), "{audit}");
}

#[test]
fn a_call_is_given_less_of_anything_by_its_name() {
    let session = session("");
    let run = |limit: &str| session.run(&["run", "notes", INPUT, "--format", "json", "--limit", limit]);
    let over = run("state.size=1").json(124);
    assert_eq!((&over["ending"], &over["error"]["details"]["limit"]), (&json!("limit_exceeded"), &json!("state.size")));
    assert_eq!(over["error"]["hint"], "this call was given its own limit: give it more state.size, up to the tool's");
    assert_eq!(run("state.keys=1").json(0)["ending"], "success");
    assert_eq!(run("fuel=1000").json(124)["ending"], "out_of_fuel");
    assert_eq!(run("input=10").json(122)["error"]["details"]["limit"], "input");
    let more = run("random=2G").json(122);
    assert_eq!(
        more["error"]["message"],
        "the call asks for a random of 2147483648 bytes, above the tool's own limit of 1048576 bytes"
    );
    let unknown = session.run(&["run", "notes", INPUT, "--limit", "handels=1"]);
    assert_eq!(unknown.status.code(), Some(120), "{unknown}");
    assert!(unknown.stderr.contains("unknown field `handels`"), "{unknown}");
}

#[test]
fn compiling_a_stranger_s_component_is_bounded() {
    for (policy, limit) in [
        ("compile: { size: 1K }", "compile.size"),
        ("compile: { memory: 64M }", "compile.memory"),
        ("compile: { time: 1 }", "compile.time"),
    ] {
        let session = session(policy);
        // It takes many seconds and hundreds of megabytes.
        let component = format!("{}#interest", guest_artifacts::FOREIGN_PYTHON);
        let bounded = session.run(&["-q", "run", &component, "{}", "--format", "json"]).json(124);
        assert_eq!(bounded["error"]["details"]["limit"], limit, "{bounded}");
        assert_eq!(bounded["error"]["hint"], format!("raise `{limit}` in the policy"));
        let left = fs_err::read_dir(session.home().join("compiled")).map_or(0, |engines| {
            let files = engines.flat_map(|engine| fs_err::read_dir(engine.unwrap().path()).unwrap());
            files.filter(|file| file.as_ref().unwrap().path().extension().is_some_and(|end| end != "lock")).count()
        });
        assert_eq!(left, 0, "nothing half-made is kept");
    }
    let invalid = session("");
    invalid.write("wrong.wasm", "no component");
    let refused = invalid.run(&["run", "./wrong.wasm", "{}", "--format", "json"]).json(123);
    assert_eq!(refused["ending"], "build_failed");
    assert!(refused["error"]["message"].as_str().unwrap().contains("magic"), "{refused}");
}
