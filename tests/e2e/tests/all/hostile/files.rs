//! Files: reaching what was not granted, changing what was granted for reading, and filling the disk. Of paths and links one by
//! one `capabilities.rs` tells; here they are moved while they are looked at.

use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use fs_err as fs;

use super::*;

/// A tool with a folder to read and one to write, and next to them what nobody granted.
struct Folders(Arena);

const ASKS: &str = "permissions: { filesystem: [{ host: ./in, guest: /in }, \
    { host: ./out, guest: /out, access: read-write }] }\n";

impl Folders {
    fn new(resources: &str) -> Self {
        let one = Self(Arena::new(guests::HOSTILE_FILES, resources, ASKS));
        for folder in ["in", "out", "near"] {
            fs::create_dir_all(one.path(folder)).unwrap();
        }
        fs::write(one.path("in/a"), "alpha").unwrap();
        fs::write(one.path("near/secret"), "not yours").unwrap();
        one
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.0.path("attack").join(path)
    }

    #[expect(clippy::needless_pass_by_value, reason = "a literal reads better than a reference to one")]
    fn call(&self, steps: Value, times: u64) -> Arc<Execution> {
        self.0.call("attack", json!({"steps": steps, "times": times}))
    }
}

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

/// Attack: a rename race: a folder and a link out of the granted one change places while the guest opens files below them
/// Ends: `success`, and nothing outside is ever read or written
#[test]
fn a_race_of_renames_leads_nowhere() {
    let folders = Folders::new("timeout: 1h, output: 64K");
    fs::create_dir(folders.path("out/swap")).unwrap();
    fs::write(folders.path("out/swap/secret"), "inside").unwrap();
    let (swap, aside, near) = (folders.path("out/swap"), folders.path("out/aside"), folders.path("near"));
    let over = AtomicBool::new(false);
    let ran = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                fs::rename(&swap, &aside).unwrap();
                symlink(&near, &swap).unwrap();
                fs::remove_file(&swap).unwrap();
                fs::rename(&aside, &swap).unwrap();
            }
        });
        let steps = json!([
            {"do": "read", "path": "/out/swap/secret"},
            {"do": "open raw", "path": "/out/swap/secret"},
            {"do": "overwrite", "path": "/out/swap/secret"},
            {"do": "list", "path": "/out/swap"},
        ]);
        let ran = folders.0.0.call("attack", json!({"steps": steps, "times": 1000}));
        over.store(true, Ordering::Relaxed);
        ran
    });
    let answers = answer(&ran).to_string();
    let got_inside = ["read: ", "overwritten", "listed: secret"].iter().any(|word| answers.contains(word));
    assert!(got_inside && !answers.contains("not yours"), "{answers}");
    assert_eq!(fs::read_to_string(near.join("secret")).unwrap(), "not yours");
}

/// Attack: hard links to files outside, and from the folder that is only read into the one that is written
/// Ends: `success`: each is refused
#[test]
fn a_hard_link_takes_nothing_along() {
    let folders = Folders::new(LITTLE);
    for from in ["/in/a", "/in/../near/secret", "/near/secret", "/etc/passwd", "/out/../near/secret"] {
        let steps = json!([{"do": "link", "path": from, "to": "/out/mine"}, {"do": "overwrite", "path": "/out/mine"}]);
        let answers = answer(&folders.call(steps, 1));
        for answer in answers.as_array().unwrap() {
            assert!(answer[0].as_str().unwrap().starts_with("failed: "), "{from}: {answers}");
        }
    }
    assert_eq!(fs::read_to_string(folders.path("in/a")).unwrap(), "alpha");
}

/// Attack: changing a file that was opened for reading, by truncating it, setting its size or its times (GHSA-2r75)
/// Ends: `success`: each is refused, and the file is as it was
#[test]
fn a_file_that_is_read_stays_as_it_is() {
    let folders = Folders::new(LITTLE);
    let before = fs::metadata(folders.path("in/a")).unwrap().modified().unwrap();
    let steps = json!([
        {"do": "truncate while reading", "path": "/in/a"},
        {"do": "truncate", "path": "/in/a"},
        {"do": "set size", "path": "/in/a", "bytes": 0},
        {"do": "set times", "path": "/in/a"},
        {"do": "overwrite", "path": "/in/a"},
        {"do": "append", "path": "/in/a"},
        {"do": "write far", "path": "/in/a", "bytes": 1000},
        {"do": "grow", "path": "/in/a", "bytes": 1000},
        {"do": "remove", "path": "/in/a"},
        {"do": "rename", "path": "/in/a", "to": "/in/b"},
        {"do": "rename", "path": "/in/a", "to": "/out/b"},
        {"do": "rename", "path": "/out", "to": "/in/out"},
        {"do": "create directory", "path": "/in/new"},
        {"do": "symlink", "path": "a", "to": "/in/new"},
        // The folder that is written is opened for writing; a file in it that is opened for reading is still only read.
        {"do": "write", "path": "/out/b"},
        {"do": "set size", "path": "/out/b", "bytes": 0},
    ]);
    let answers = answer(&folders.call(steps, 1));
    for (number, answer) in answers.as_array().unwrap().iter().enumerate() {
        let refused = answer[0].as_str().unwrap().starts_with("failed: ");
        assert_eq!(refused, number != 14, "step {number}: {answers}");
    }
    assert_eq!(fs::read_to_string(folders.path("in/a")).unwrap(), "alpha");
    assert_eq!(fs::metadata(folders.path("in/a")).unwrap().modified().unwrap(), before);
    assert_eq!(fs::read_dir(folders.path("in")).unwrap().count(), 1);
}

/// Attack: filling the disk by writing, by appending, by growing, far beyond the end of a file, and with empty files
/// Ends: `success` within the quota: what is beyond it is refused
#[test]
fn the_disk_is_not_the_guest_s() {
    let folders = Folders::new("fuel: 1G, timeout: 1h, output: 64K, disk: 1M, files: { created: 50 }");
    for step in [
        json!({"do": "fill", "path": "/out/f", "bytes": 1 << 30}),
        json!({"do": "write", "path": "/out/f", "bytes": 10 << 20}),
        json!({"do": "grow", "path": "/out/f", "bytes": 1_u64 << 40}),
        json!({"do": "write far", "path": "/out/f", "bytes": 1_u64 << 40}),
        json!({"do": "files", "path": "/out", "count": 100_000}),
    ] {
        folders.call(json!([step]), 1);
        let entries: Vec<_> = fs::read_dir(folders.path("out")).unwrap().map(|entry| entry.unwrap()).collect();
        let bytes: u64 = entries.iter().map(|entry| entry.metadata().unwrap().len()).sum();
        assert!(bytes <= 1 << 20 && entries.len() <= 50, "{step}: {bytes} bytes in {} files", entries.len());
        for entry in entries {
            fs::remove_file(entry.path()).unwrap();
        }
    }
    let again = folders.call(json!([{"do": "append", "path": "/out/f", "bytes": 1000}]), 2000);
    assert_eq!((again.usage.file_bytes / 1000, fs::metadata(folders.path("out/f")).unwrap().len()), (1048, 1_048_000));
}

/// Attack: finding what an earlier call of the same tool left in files that it was not granted to keep
/// Ends: `success`: there is nothing
#[test]
fn a_call_leaves_no_file_but_where_it_may() {
    let steps = json!([{"do": "write", "path": "/tmp/left"}, {"do": "read", "path": "/tmp/left"}]);
    let arena = Arena::new(guests::HOSTILE_FILES, LITTLE, "");
    for _ in 0..2 {
        let answers = answer(&arena.call("attack", json!({"steps": steps})));
        assert!(answers.to_string().matches("failed: ").count() == 2, "{answers}");
    }
}
