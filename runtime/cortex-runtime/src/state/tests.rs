//! What a bucket promises: it is the tool's own, its changes are whole, and it holds no more than it may.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cortex_manifest::ToolSpec;
use cortex_sandbox::{State, StateError, StateLimits};
use rusqlite::Connection;

use super::States;
use crate::registry::{Tool, ToolSource};

const LIMITS: StateLimits = StateLimits { keys: 3, bytes: 30, key_bytes: 8 };

fn tool(name: &str, root: &str) -> Tool {
    let yaml = format!(
        "kind: Tool\nversion: \"1.0\"\nname: {name}\nsummary: S.\nimplementation: {{ entrypoint: ./a.py }}\n\
         permissions: {{ state: true }}\n"
    );
    let spec = ToolSpec::parse(Path::new("tool.yml"), &yaml).unwrap();
    Tool { spec, source: ToolSource::Folder { root: root.into(), manifest: "tool.yml".into() } }
}

fn bucket(home: &Path, name: &str, root: &str) -> Arc<dyn State> {
    States::new(home).of_tool(&tool(name, root)).0
}

fn full(done: Result<(), StateError>) -> &'static str {
    match done {
        Err(StateError::Full { limit, .. }) => limit,
        other => panic!("{other:?}"),
    }
}

#[test]
fn values_outlive_the_database_that_wrote_them_and_belong_to_one_tool() {
    let home = tempfile::tempdir().unwrap();
    bucket(home.path(), "notes", "/a").set("k", Some(b"mine"), &LIMITS).unwrap();
    assert_eq!(bucket(home.path(), "notes", "/a").get("k").unwrap().unwrap(), b"mine");
    assert_eq!(bucket(home.path(), "notes", "/b").get("k").unwrap(), None, "the same name at another place");
    assert_eq!(bucket(home.path(), "other", "/a").get("k").unwrap(), None);
    bucket(home.path(), "notes", "/a").set("k", None, &LIMITS).unwrap();
    assert_eq!(bucket(home.path(), "notes", "/a").get("k").unwrap(), None);
}

#[test]
fn a_bucket_holds_what_it_may_and_what_is_removed_makes_room() {
    let home = tempfile::tempdir().unwrap();
    let state = bucket(home.path(), "notes", "/a");
    for key in ["a", "b", "c"] {
        state.set(key, Some(b"123456789"), &LIMITS).unwrap();
    }
    assert_eq!(full(state.set("d", Some(b""), &LIMITS)), "keys");
    assert_eq!(full(state.set("c", Some(b"1234567890"), &LIMITS)), "size");
    assert_eq!(state.get("c").unwrap().unwrap(), b"123456789", "what was refused changed nothing");
    state.set("c", Some(b"12345678"), &LIMITS).unwrap();
    state.set("a", None, &LIMITS).unwrap();
    state.set("a", None, &LIMITS).unwrap();
    state.set("d", Some(b"1234567890"), &LIMITS).unwrap();
    let lower = StateLimits { keys: 1, bytes: 5, ..LIMITS };
    state.set("b", None, &lower).unwrap();
    assert_eq!(full(state.set("e", Some(b"1"), &lower)), "keys");
    assert_eq!(state.keys(0).unwrap(), ["c", "d"]);
    assert_eq!(state.keys(1).unwrap(), ["d"]);
    assert_eq!(state.keys(2).unwrap(), Vec::<String>::new());
}

#[test]
fn what_is_kept_for_a_time_is_gone_after_it_and_makes_room() {
    let home = tempfile::tempdir().unwrap();
    let state = bucket(home.path(), "notes", "/a");
    let (hour, over) = (Duration::from_hours(1), Duration::ZERO);
    state.set_for("ä", b"1234567", hour, &LIMITS).unwrap();
    state.set_for("b", b"123456789", over, &LIMITS).unwrap();
    assert_eq!(state.get("ä").unwrap().unwrap(), b"1234567");
    assert_eq!((state.get("b").unwrap(), state.keys(0).unwrap()), (None, vec!["ä".to_owned()]));
    assert!(state.compare_and_swap("b", None, Some(b"12345678"), &LIMITS).unwrap(), "it is not there");
    state.set("c", Some(b"12345678"), &LIMITS).unwrap();
    assert_eq!(full(state.set("d", Some(b""), &LIMITS)), "keys");
    state.set_for("b", b"12345678", over, &LIMITS).unwrap();
    state.set("d", Some(b"1234567890"), &LIMITS).unwrap();
    assert_eq!(full(state.set("d", Some(b"123456789012"), &LIMITS)), "size", "all else is counted as before");
    // A value that is set again stays; one that is increased goes when it would have gone.
    state.set_for("d", b"1", over, &LIMITS).unwrap();
    assert_eq!(state.increment("d", 1, &LIMITS).unwrap(), 1, "what is gone is no number to add to");
    state.set_for("c", b"1", hour, &LIMITS).unwrap();
    assert_eq!(state.increment("c", 1, &LIMITS).unwrap(), 2);
    state.set("ä", Some(b"stays"), &LIMITS).unwrap();
    expire(home.path());
    assert_eq!(state.keys(0).unwrap(), ["d", "ä"]);
}

/// Lets the time pass that all values are kept for.
fn expire(home: &Path) {
    let database = Connection::open(home.join("state.db")).unwrap();
    database.execute("UPDATE entries SET expires = 1 WHERE expires IS NOT NULL", []).unwrap();
}

#[test]
fn a_database_of_an_earlier_version_keeps_its_values() {
    let home = tempfile::tempdir().unwrap();
    let earlier = Connection::open(home.path().join("state.db")).unwrap();
    earlier.execute_batch(super::SCHEMA).unwrap();
    let bucket_and_entry = "INSERT INTO buckets VALUES (1, 'notes', '/a', '', 1, 5);
                            INSERT INTO entries VALUES (1, 'k', CAST('mine' AS BLOB))";
    earlier.execute_batch(bucket_and_entry).unwrap();
    for _ in 0..2 {
        let state = bucket(home.path(), "notes", "/a");
        assert_eq!(state.get("k").unwrap().unwrap(), b"mine");
        state.set_for("l", b"", Duration::ZERO, &LIMITS).unwrap();
        assert_eq!(state.keys(0).unwrap(), ["k"]);
    }
}

#[test]
fn threads_that_count_lose_no_count() {
    let home = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                // A database of its own each: that is how processes share it.
                let state = bucket(home.path(), "notes", "/a");
                for _ in 0..25 {
                    state.increment("n", 1, &LIMITS).unwrap();
                    while {
                        let old = state.get("s").unwrap();
                        let more = [old.as_deref().unwrap_or_default(), b"x"].concat();
                        // As long as the bucket has room; `n` takes three bytes.
                        more.len() < 20 && !state.compare_and_swap("s", old.as_deref(), Some(&more), &LIMITS).unwrap()
                    } {}
                }
            });
        }
    });
    let state = bucket(home.path(), "notes", "/a");
    assert_eq!(state.get("n").unwrap().unwrap(), b"100");
    assert_eq!(state.get("s").unwrap().unwrap().len(), 19);
    assert!(!state.compare_and_swap("s", None, Some(b"y"), &LIMITS).unwrap());
    assert!(state.compare_and_swap("new", None, Some(b"y"), &LIMITS).unwrap());
}

#[test]
fn what_is_no_number_is_not_increased() {
    let home = tempfile::tempdir().unwrap();
    let state = bucket(home.path(), "notes", "/a");
    state.set("n", Some(b"seven"), &LIMITS).unwrap();
    assert!(matches!(state.increment("n", 1, &LIMITS), Err(StateError::NoNumber(_))));
    state.set("n", Some(u64::MAX.to_string().as_bytes()), &LIMITS).unwrap();
    assert!(matches!(state.increment("n", 1, &LIMITS), Err(StateError::NoNumber(_))));
    assert_eq!(state.increment("n", 0, &LIMITS).unwrap(), u64::MAX);
}
