//! `cortex-wasm build`, and what `run` says while it builds.

use serde_json::{Value, json};

use crate::session::{Session, assert_output};

const PRINTS: &str = "fn main() { println!(\"\\\"built\\\"\"); }\n";

#[test]
fn a_first_run_says_what_it_does_and_a_second_one_does_not() {
    let session = Session::empty();
    session.add_rust("prints", PRINTS);
    assert_output!(session, ["run", "prints"], @r#"
    exit code: 0
    ----- stdout -----
    "built"
    ----- stderr -----
    building prints
    compiling prints with rustc [VERSION]
    compiling for this machine
    "#);
    assert_output!(session, ["run", "prints"], @r#"
    exit code: 0
    ----- stdout -----
    "built"
    ----- stderr -----
    "#);
}

#[test]
fn building_says_what_was_done() {
    let session = Session::empty();
    session.add_rust("prints", PRINTS);
    assert_output!(session, ["-q", "build", "prints"], @"
    exit code: 0
    ----- stdout -----
    prints  built  sha256:[DIGEST]
    ----- stderr -----
    ");
    assert_output!(session, ["build", "prints"], @"
    exit code: 0
    ----- stdout -----
    prints  up to date  sha256:[DIGEST]
    ----- stderr -----
    ");
    session.run(&["cache", "prune"]);
    assert_output!(session, ["-q", "build", "prints"], @"
    exit code: 0
    ----- stdout -----
    prints  compiled  sha256:[DIGEST]
    ----- stderr -----
    ");
    assert_output!(session, ["-q", "build", "prints", "--force"], @"
    exit code: 0
    ----- stdout -----
    prints  built  sha256:[DIGEST]
    ----- stderr -----
    ");
    let built = session.run(&["-q", "build", "prints", "--format", "json"]).json(0);
    assert_eq!((&built["tool"], &built["built"], &built["compiled"]), (&json!("prints"), &json!(false), &json!(false)));
    assert_eq!(built["contract"], "command");
}

#[test]
fn a_compile_error_is_shown_in_the_compiler_s_own_words() {
    let session = Session::empty();
    session.add_rust("broken", "fn main() {\n    let answer: u32 = \"forty-two\";\n}\n");
    let ran = session.run(&["run", "broken"]);
    assert_eq!((ran.status.code(), ran.stdout.as_str()), (Some(123), ""), "{ran}");
    assert!(ran.stderr.contains("error[E0308]: mismatched types"), "{ran}");
    assert!(
        ran.stderr.ends_with("error: build_failed: `broken` was not built: `cargo` ended with exit status: 101\n"),
        "{ran}"
    );
    let built = session.run(&["build", "broken"]);
    assert_eq!((built.status.code(), built.stdout.as_str()), (Some(123), ""), "{built}");
    assert!(built.stderr.contains("error[E0308]: mismatched types"), "{built}");

    let execution = session.run(&["-q", "run", "broken", "--format", "json"]).json(123);
    assert_eq!(execution["ending"], "build_failed");
    let stderr = execution["error"]["details"]["stderr"].as_str().unwrap();
    assert!(stderr.contains("error[E0308]: mismatched types"), "{stderr}");
    let error = session.run(&["-q", "build", "broken", "--format", "json"]).json(123);
    assert_eq!(error["error"]["code"], "build_failed");
}

#[test]
fn one_tool_that_fails_does_not_keep_the_others_from_being_built() {
    let session = Session::empty();
    session.add_rust("a_broken", "fn main() { nonsense }\n");
    session.add_rust("b_prints", PRINTS);
    session.write("manifests/tools/c_typo/tool.yml", "kind: Tool\nversion: \"1.0\"\nname: c_typo\nsumary: x\n");
    let ran = session.run(&["-q", "build", "--all"]);
    assert!(ran.stdout.contains("b_prints  built  sha256:") && ran.stdout.contains("calculator  "), "{ran}");
    assert!(!ran.stdout.contains("a_broken") && !ran.stdout.contains("c_typo"), "{ran}");
    assert!(ran.stderr.contains("cannot find value `nonsense`"), "{ran}");
    assert!(ran.stderr.contains("unknown field `sumary`"), "{ran}");
    assert!(matches!(ran.status.code(), Some(121 | 123)), "{ran}");
}

#[test]
fn a_source_that_is_laid_out_wrong_is_told_what_would_be_right() {
    let session = Session::empty();
    let manifest = "kind: Tool\nversion: \"1.0\"\nname: nothing\nsummary: Lacks its source.\nimplementation: { runtime: rust, entrypoint: ./main.rs }\n";
    session.write("manifests/tools/nothing/tool.yml", manifest);
    assert_output!(session, ["-q", "run", "nothing"], @"
    exit code: 123
    ----- stdout -----
    ----- stderr -----
    error: build_failed: the source of `nothing` cannot be used: there is no `main.rs`

    hint: put a `Cargo.toml` in the tool's folder, or name one `.rs` file with `fn main` as the entry point
    ");
    assert_output!(session, ["-q", "build", "nothing", "--format", "json"], @r#"
    exit code: 123
    ----- stdout -----
    {"error":{"code":"build_failed","message":"the source of `nothing` cannot be used: there is no `main.rs`","hint":"put a `Cargo.toml` in the tool's folder, or name one `.rs` file with `fn main` as the entry point"}}
    ----- stderr -----
    "#);
}

/// Building runs code of the tool's author and of its dependencies, and tokens are what such code looks for.
#[test]
fn a_build_sees_no_variable_that_a_compiler_does_not_need() {
    let session = Session::empty();
    let manifest = "kind: Tool\nversion: \"1.0\"\nname: curious\nsummary: Looks around.\nimplementation: { runtime: rust, entrypoint: ./Cargo.toml }\n";
    session.write("manifests/tools/curious/tool.yml", manifest);
    session.write(
        "manifests/tools/curious/Cargo.toml",
        "[package]\nname = \"curious\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n",
    );
    session.write(
        "manifests/tools/curious/build.rs",
        "fn main() {\n    let names: Vec<String> = std::env::vars().map(|(name, _)| name).collect();\n    \
         println!(\"cargo::rustc-env=SEEN={}\", names.join(\" \"));\n}\n",
    );
    session.write("manifests/tools/curious/src/main.rs", "fn main() { println!(\"{:?}\", env!(\"SEEN\")); }\n");
    let secrets = [
        "GITHUB_TOKEN",
        "AWS_SECRET_ACCESS_KEY",
        "CARGO_REGISTRY_TOKEN",
        "SSH_AUTH_SOCK",
        "CORTEX_HOME",
        "LD_PRELOAD_X",
    ];
    let output = session
        .command(&["-q", "run", "curious"])
        .envs(secrets.map(|name| (name, "secret")))
        .env("CORTEX_HOME", session.home())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
    let seen: Vec<&str> = seen.as_str().unwrap().split(' ').collect();
    assert!(seen.contains(&"PATH") && seen.contains(&"TARGET"), "{seen:?}");
    for secret in secrets {
        assert!(!seen.contains(&secret), "the build saw `{secret}`");
    }
}

#[test]
fn a_tool_that_needs_nothing_fetched_is_built_offline() {
    let session = Session::empty();
    session.add_rust("prints", PRINTS);
    assert_eq!(session.run(&["--offline", "-q", "run", "prints"]).worked(), "\"built\"\n");
}

#[test]
fn what_the_policy_does_not_trust_is_built_when_somebody_says_so() {
    let session = Session::empty();
    session.add_rust("foreign", PRINTS);
    session.write("cortex.yml", "kind: Policy\nversion: \"1.0\"\ntools: [{ tool: foreign, trust: false }]\n");
    assert_output!(session, ["-q", "run", "foreign"], @"
    exit code: 123
    ----- stdout -----
    ----- stderr -----
    error: build_failed: `foreign` is not built on this machine: it would run the source of a tool from elsewhere

    hint: read it; then `cortex-wasm build foreign --trust` builds it once, and `trust: true` for it in `cortex.yml` always
    ");
    assert!(session.run(&["-q", "build", "foreign", "--trust"]).worked().starts_with("foreign  built  "));
    session.run(&["-q", "run", "foreign"]).worked();
}
