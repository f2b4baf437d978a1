//! The record of executions: a row for every call, whatever became of it, also when the process dies or is not alone.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use cortex_runtime::{Allocation, CallOptions, ENGINE_VERSION, Execution, ExecutionId, Runtime, Settings};
use cortex_sandbox::digest;
use guest_artifacts as guests;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

use crate::host::block_on;

fn open(home: &Path) -> Connection {
    Connection::open_with_flags(home.join("executions.db"), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap()
}

fn count(home: &Path) -> usize {
    let count: i64 = open(home).query_row("SELECT count(*) FROM executions", [], |row| row.get(0)).unwrap();
    usize::try_from(count).unwrap()
}

fn assert_whole(home: &Path) {
    let check: String = open(home).query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
}

fn runtime(home: &Path) -> Runtime {
    Runtime::new(Settings { allocation: Allocation::OnDemand, ..Settings::new(home) }).unwrap()
}

#[expect(clippy::needless_pass_by_value, reason = "a literal reads better than a reference to one")]
fn call(runtime: &Runtime, tool: &str, input: Value) -> std::sync::Arc<Execution> {
    block_on(runtime.call(tool, &input, CallOptions::default())).unwrap()
}

/// A row as JSON, by the names of its columns.
fn row(home: &Path, id: ExecutionId) -> Value {
    let database = open(home);
    let mut statement = database.prepare("SELECT * FROM executions WHERE execution_id = ?1").unwrap();
    let names: Vec<String> = statement.column_names().map(String::from).collect();
    statement
        .query_row([id.to_string()], |row| {
            let value = |at: usize| match row.get_ref(at).unwrap() {
                rusqlite::types::ValueRef::Null => Value::Null,
                rusqlite::types::ValueRef::Integer(number) => number.into(),
                rusqlite::types::ValueRef::Text(text) => String::from_utf8_lossy(text).into(),
                other => panic!("{other:?}"),
            };
            Ok(names.iter().enumerate().map(|(at, name)| (name.clone(), value(at))).collect())
        })
        .unwrap()
}

#[test]
fn a_call_that_worked_is_recorded_with_everything_that_is_known_of_it() {
    let home = tempfile::tempdir().unwrap();
    let runtime = runtime(home.path());
    let first = call(&runtime, guests::CONTRACT_TOOL_ANSWERS, json!({"stdout": "out", "stderr": "err"}));
    let second = call(&runtime, guests::CONTRACT_TOOL_ANSWERS, json!({}));
    runtime.close().unwrap();
    assert_ne!(first.execution_id, second.execution_id);

    let mut row = row(home.path(), first.execution_id);
    assert!(row["id"].take().is_i64());
    let started_at = row["started_at"].take();
    let started_at = started_at.as_str().unwrap();
    assert!(started_at.len() > 20 && started_at.ends_with('Z') && started_at.as_bytes()[10] == b'T', "{started_at}");
    let expected = json!({
        "id": null,
        "execution_id": first.execution_id.to_string(),
        "tool": guests::CONTRACT_TOOL_ANSWERS,
        "component": digest(&guest_artifacts::read(guests::CONTRACT_TOOL_ANSWERS)),
        "contract": "tool",
        "backend": "wasm",
        "engine": ENGINE_VERSION,
        "status": "success",
        "ending": "success",
        "started_at": null,
        "wall_us": first.usage.wall_us,
        "instantiate_us": first.usage.instantiate_us,
        "fuel": first.usage.fuel,
        "memory_peak_bytes": first.usage.memory_peak_bytes,
        "file_bytes": 0,
        "files_created": 0,
        "random_bytes": 0,
        "state_bytes": 0,
        "cpu_us": 0,
        "http_requests": 0,
        "session": null,
        "user": null,
        "decisions": null,
        "log": null,
        "cached": 0,
        "result": first.result.as_ref().unwrap().get(),
        "error": null,
        "stdout": "out\n",
        "stderr": "err\n",
        "log": null,
    });
    assert_eq!(row, expected);
    assert!(first.usage.wall_us > 0 && first.usage.fuel > 0 && first.usage.memory_peak_bytes > 0);
    assert_eq!(self::row(home.path(), second.execution_id)["cached"], 1);
}

#[test]
fn a_call_that_failed_is_recorded_with_its_error() {
    let home = tempfile::tempdir().unwrap();
    let runtime = runtime(home.path());
    let failed = call(&runtime, guests::CONTRACT_TOOL_ANSWERS, json!({"code": "odd", "message": "m", "data": "[1]"}));
    let crashed = call(&runtime, guests::CONTRACT_TOOL_ANSWERS, json!({"panic": "the well is dry"}));
    let refused = call(&runtime, guests::CONTRACT_CORE_MODULE, json!({}));
    let invalid = call(&runtime, guests::CONTRACT_TOOL_ANSWERS, json!(["no object"]));
    runtime.close().unwrap();

    let row = |execution: &Execution| row(home.path(), execution.execution_id);
    let failed = row(&failed);
    assert_eq!((&failed["status"], &failed["ending"]), (&json!("failed"), &json!("tool_error")));
    assert_eq!(failed["result"], "[1]");
    assert_eq!(failed["error"], r#"{"code":"odd","message":"m"}"#);
    let crashed = row(&crashed);
    assert_eq!((&crashed["status"], &crashed["ending"]), (&json!("failed"), &json!("trap")));
    assert!(crashed["stderr"].as_str().unwrap().contains("the well is dry"));
    let refused = row(&refused);
    assert_eq!(
        (&refused["ending"], &refused["contract"], &refused["component"]),
        (&json!("build_failed"), &Value::Null, &Value::Null)
    );
    assert_eq!(row(&invalid)["ending"], "invalid_input");
}

#[test]
fn a_call_that_ran_out_of_time_has_the_status_timeout() {
    let home = tempfile::tempdir().unwrap();
    let runtime = runtime(home.path());
    let limits =
        cortex_runtime::Overrides { timeout: Some(std::time::Duration::from_millis(20)), ..Default::default() };
    let options = CallOptions { limits, ..CallOptions::default() };
    let execution = block_on(runtime.call(guests::LIMIT_SPINS, &json!({}), options)).unwrap();
    runtime.close().unwrap();
    let row = row(home.path(), execution.execution_id);
    assert_eq!((&row["status"], &row["ending"]), (&json!("timeout"), &json!("deadline_exceeded")));
}

#[test]
fn closing_waits_until_every_execution_is_written() {
    let home = tempfile::tempdir().unwrap();
    let runtime = runtime(home.path());
    for number in 0..500 {
        call(&runtime, guests::LIMIT_INSTANCES, json!({}));
        assert!(number < 500);
    }
    runtime.close().unwrap();
    assert_eq!(count(home.path()), 500);
}

#[test]
fn a_record_that_cannot_be_written_is_told_when_the_runtime_closes_and_ends_no_call() {
    let home = tempfile::tempdir().unwrap();
    fs_err::create_dir(home.path().join("executions.db")).unwrap();
    let runtime = runtime(home.path());
    let execution = call(&runtime, guests::LIMIT_INSTANCES, json!({}));
    assert_eq!(execution.result.as_ref().unwrap().get(), "42");
    let error = runtime.close().unwrap_err();
    assert!(error.to_string().starts_with("executions cannot be recorded in `"), "{error}");
}

/// `calls` of this crate, over a home that knows the guest already.
fn calls(home: &Path, count: u64) -> Child {
    #[expect(clippy::disallowed_methods, reason = "a process of its own is what is tested")]
    let mut command = Command::new(env!("CARGO_BIN_EXE_calls"));
    command.arg(home).arg(guests::LIMIT_INSTANCES).arg(count.to_string());
    command.stdout(Stdio::piped()).spawn().unwrap()
}

/// Killed while it makes calls as fast as it can. A call whose end was told to somebody is in the record, and the record
/// is whole.
#[test]
fn what_was_acknowledged_survives_a_kill() {
    let home = tempfile::tempdir().unwrap();
    guest_artifacts::check(guests::LIMIT_INSTANCES);
    for _ in 0..10 {
        let mut child = calls(home.path(), u64::MAX);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut ids: Vec<String> = (0..50).map(|_| lines.next().expect("the process goes on").unwrap()).collect();
        child.kill().unwrap();
        child.wait().unwrap();
        ids.extend(lines.map_while(Result::ok));

        let database = open(home.path());
        let mut select = database.prepare("SELECT status FROM executions WHERE execution_id = ?1").unwrap();
        // The last line may have been cut.
        for id in ids.iter().filter(|id| id.len() == "exec_".len() + 16) {
            let status: String =
                select.query_row([id], |row| row.get(0)).unwrap_or_else(|error| panic!("{id}: {error}"));
            assert_eq!(status, "success");
        }
    }
    assert_whole(home.path());
    let before = count(home.path());
    let runtime = runtime(home.path());
    call(&runtime, guests::LIMIT_INSTANCES, json!({}));
    runtime.close().unwrap();
    assert_eq!(count(home.path()), before + 1, "the home is as usable as before");
}

#[test]
fn several_processes_record_in_one_home() {
    let home = tempfile::tempdir().unwrap();
    guest_artifacts::check(guests::LIMIT_INSTANCES);
    let mut children: Vec<Child> = (0..6).map(|_| calls(home.path(), 200)).collect();
    for child in &mut children {
        let ids = BufReader::new(child.stdout.take().unwrap()).lines().count();
        assert_eq!((ids, child.wait().unwrap().success()), (200, true));
    }
    assert_eq!(count(home.path()), 6 * 200);
    assert_whole(home.path());
}

/// Ids differ within a process and between processes.
#[test]
fn every_execution_has_an_id_of_its_own() {
    let home = tempfile::tempdir().unwrap();
    let mut ids = std::collections::HashSet::new();
    for _ in 0..3 {
        let runtime = runtime(home.path());
        for _ in 0..20 {
            let id = call(&runtime, guests::LIMIT_INSTANCES, json!({})).execution_id.to_string();
            let digits = id.strip_prefix("exec_").unwrap();
            assert!(digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
            assert!(ids.insert(id));
        }
        runtime.close().unwrap();
    }
}
