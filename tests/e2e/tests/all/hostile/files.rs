//! Files: reaching what was not granted, and changing what was granted for reading.

use super::*;

/// Attack: every operation on files by a tool that was granted none
/// Ends: `success`: the guest is told that there is no directory
#[test]
fn without_a_grant_there_is_no_file() {
    let steps = json!([
        {"do": "read", "path": "/etc/passwd"},
        {"do": "list", "path": "/"},
        {"do": "list", "path": "."},
        {"do": "stat", "path": ".."},
        {"do": "write", "path": "/tmp/hostile"},
        {"do": "create directory", "path": "hostile"},
        {"do": "symlink", "path": "/etc/passwd", "to": "link"},
        {"do": "open raw", "path": "etc/passwd"},
        {"do": "open raw", "path": "../etc/passwd"},
    ]);
    let answers = answer(&attack(guests::HOSTILE_FILES, json!({"steps": steps})));
    for answer in answers.as_array().unwrap() {
        assert!(answer[0].as_str().unwrap().starts_with("failed: "), "{answers}");
    }
}
