//! What the program does not begin, or does not call a success.

use std::os::unix::fs::PermissionsExt;

use fs_err as fs;

use crate::session::Session;

const CALL: &[&str] = &["run", "calculator", r#"{"expression": "1 + 1"}"#];

#[test]
fn output_that_cannot_be_written_is_no_success() {
    let session = Session::empty();
    for arguments in [CALL, &["schema"], &["completions", "bash"]] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = session.command(arguments).stdout(full.into_file()).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(127), "{arguments:?}: {stderr}");
        assert!(stderr.contains("not all output could be written"), "{stderr}");
    }
}

#[test]
fn a_folder_of_manifests_that_is_named_has_to_be_there() {
    let ran = Session::empty().run(&["--manifests", "nowhere", "list"]);
    assert_eq!(ran.status.code(), Some(120), "{ran}");
    assert!(ran.stderr.contains("`--manifests nowhere`: there is no such folder"), "{ran}");
}

#[test]
fn a_home_that_others_may_enter_is_closed_or_refused() {
    let session = Session::empty();
    let open = || fs::set_permissions(session.home(), PermissionsExt::from_mode(0o777)).unwrap();
    session.run(CALL).worked();
    open();
    session.run(CALL).worked();
    assert_eq!(fs::metadata(session.home()).unwrap().permissions().mode() & 0o777, 0o700);

    fs::remove_dir_all(session.home()).unwrap();
    fs::create_dir(session.home()).unwrap();
    fs::write(session.home().join("letter"), "").unwrap();
    open();
    let ran = session.run(CALL);
    assert_eq!(ran.status.code(), Some(127), "{ran}");
    assert!(ran.stderr.contains("others may write there (mode 0777)") && ran.stderr.contains("CORTEX_HOME"), "{ran}");
}

#[test]
fn more_input_than_any_tool_takes_is_not_cut() {
    let input = format!("{}{}", r#"{"expression": "1 + 1"}"#, " ".repeat(64 << 20));
    let ran = Session::empty().run_with(&["run", "calculator", "-"], &input);
    assert!(ran.stderr.contains("standard input has more than 67108864 bytes"), "{ran}");
}
