//! Calls that take their time: they are listed, can be cancelled from here and from elsewhere, and leave a trace when
//! their process dies.

use std::process::{Command, Stdio};
use std::time::Duration;

use cortex_runtime::{
    Allocation, CallOptions, Caller, Cancelling, Ending, Event, ExecutionId, Executions, Filter, QueueLimits, Runtime,
    RuntimeError, Settings, Status,
};
use guest_artifacts as guests;
use serde_json::json;
use tempfile::TempDir;

use crate::host::block_on;

fn runtime_with(change: impl FnOnce(Settings) -> Settings) -> (TempDir, Runtime) {
    let home = tempfile::tempdir().unwrap();
    let settings = Settings { allocation: Allocation::OnDemand, ..Settings::new(home.path()) };
    let runtime = Runtime::new(change(settings)).unwrap();
    // Compiled before anything is measured or waited for.
    block_on(runtime.input_schema(guests::LIMIT_SPINS, None)).unwrap();
    (home, runtime)
}

fn of(session: &str) -> CallOptions {
    let caller = Caller { session: Some(session.into()), user: Some("ann".into()) };
    CallOptions { caller, ..CallOptions::default() }
}

/// Waits for the event that a call has begun or ended.
async fn heard(events: &mut tokio::sync::broadcast::Receiver<Event>, wanted: impl Fn(&Event) -> bool) -> Event {
    loop {
        let event = events.recv().await.unwrap();
        if wanted(&event) {
            return event;
        }
    }
}

#[test]
fn a_call_that_computes_is_listed_and_cancelled_by_its_id() {
    let (_home, runtime) = runtime_with(|settings| settings);
    let execution = block_on(async {
        let mut events = runtime.events();
        let call = runtime.begin(guests::LIMIT_SPINS, of("s"));
        let id = call.id();
        let ended = tokio::spawn(async move { call.run(&json!({})).await });
        heard(&mut events, |event| matches!(event, Event::Began(flight) if flight.id == id)).await;
        runtime.flush().await.unwrap();
        let executions = runtime.executions();
        let listed = executions.list(&Filter::default(), 10).unwrap().executions;
        assert_eq!((listed.len(), listed[0].execution_id), (1, id));
        assert!(!listed[0].status.is_final());
        assert_eq!(executions.in_flight()[0].caller.session.as_deref(), Some("s"));
        assert_eq!(executions.cancel(id).unwrap(), Cancelling::Asked);
        ended.await.unwrap().unwrap()
    });
    assert_eq!((execution.ending, execution.status), (Ending::Cancelled, Status::Cancelled));
    block_on(runtime.flush()).unwrap();
    let executions = runtime.executions();
    let record = executions.get(execution.execution_id).unwrap().unwrap();
    assert_eq!((record.summary.status, record.summary.caller.user.as_deref()), (Status::Cancelled, Some("ann")));
    assert_eq!(executions.cancel(execution.execution_id).unwrap(), Cancelling::Ended(Status::Cancelled));
    assert_eq!(executions.cancel("exec_0000000000000001".parse().unwrap()).unwrap(), Cancelling::Unknown);
    assert!(executions.in_flight().is_empty());
}

#[test]
fn a_call_whose_caller_goes_away_is_stopped_and_recorded_as_cancelled() {
    let (_home, runtime) = runtime_with(|settings| settings);
    let id = block_on(async {
        let mut events = runtime.events();
        let call = runtime.begin(guests::LIMIT_SLEEPS, of("s"));
        let id = call.id();
        let going = tokio::spawn(async move { call.run(&json!({"ms": 60_000})).await });
        heard(&mut events, |event| matches!(event, Event::Began(_))).await;
        going.abort();
        heard(&mut events, |event| matches!(event, Event::Ended(execution) if execution.execution_id == id)).await;
        runtime.flush().await.unwrap();
        id
    });
    let record = runtime.executions().get(id).unwrap().unwrap();
    assert_eq!(record.summary.ending.as_deref(), Some("cancelled"));
}

#[test]
fn executions_are_filtered_and_come_in_pages_the_latest_first() {
    let (_home, runtime) = runtime_with(|settings| settings);
    let mut ids = Vec::new();
    for number in 0..5 {
        let session = if number % 2 == 0 { "even" } else { "odd" };
        let execution = block_on(runtime.call(guests::LIMIT_INSTANCES, &json!({}), of(session))).unwrap();
        ids.push(execution.execution_id);
    }
    block_on(runtime.flush()).unwrap();
    ids.reverse();
    let executions = runtime.executions();
    let first = executions.list(&Filter::default(), 2).unwrap();
    let second = executions.list(&Filter { before: first.next, ..Filter::default() }, 10).unwrap();
    let seen: Vec<ExecutionId> =
        first.executions.iter().chain(&second.executions).map(|summary| summary.execution_id).collect();
    assert_eq!((seen, second.next), (ids, None));
    let count = |filter: Filter| executions.list(&filter, 10).unwrap().executions.len();
    assert_eq!(count(Filter { session: Some("even".into()), ..Filter::default() }), 3);
    assert_eq!(count(Filter { status: Some(Status::Failed), ..Filter::default() }), 0);
    assert_eq!(count(Filter { tool: Some(guests::LIMIT_INSTANCES.into()), ..Filter::default() }), 5);
}

/// `calls` of this crate.
fn calls(home: &TempDir, tool: &str) -> std::process::Child {
    #[expect(clippy::disallowed_methods, reason = "a process of its own is what is tested")]
    let mut command = Command::new(env!("CARGO_BIN_EXE_calls"));
    command.arg(home.path()).arg(tool).arg("1").stdout(Stdio::piped()).spawn().unwrap()
}

/// The id of the only call that goes on, once there is one.
fn running(executions: &Executions) -> ExecutionId {
    loop {
        let page = executions.list(&Filter::default(), 1).unwrap();
        if let Some(summary) = page.executions.first() {
            assert!(!summary.status.is_final(), "{summary:?}");
            return summary.execution_id;
        }
        std::thread::yield_now();
    }
}

#[test]
fn a_call_of_a_process_that_was_killed_is_interrupted_at_the_next_start() {
    let home = tempfile::tempdir().unwrap();
    let mut child = calls(&home, guests::LIMIT_SPINS);
    let executions = Executions::of_home(home.path());
    let id = running(&executions);
    child.kill().unwrap();
    child.wait().unwrap();

    let settings = || Settings { allocation: Allocation::OnDemand, ..Settings::new(home.path()) };
    let runtime = Runtime::new(settings()).unwrap();
    block_on(runtime.flush()).unwrap();
    let record = runtime.executions().get(id).unwrap().unwrap();
    assert_eq!(record.summary.status, Status::Interrupted);
    assert_eq!(record.error.unwrap()["code"], "interrupted");
}

#[test]
fn a_call_of_another_process_is_left_alone_and_can_be_cancelled() {
    let home = tempfile::tempdir().unwrap();
    let mut child = calls(&home, guests::LIMIT_SPINS);
    let executions = Executions::of_home(home.path());
    let id = running(&executions);
    let settings = Settings { allocation: Allocation::OnDemand, ..Settings::new(home.path()) };
    let runtime = Runtime::new(settings).unwrap();
    block_on(runtime.flush()).unwrap();
    assert!(!runtime.executions().get(id).unwrap().unwrap().summary.status.is_final());

    assert_eq!(executions.cancel(id).unwrap(), Cancelling::Asked);
    assert!(child.wait().unwrap().success());
    assert_eq!(executions.get(id).unwrap().unwrap().summary.status, Status::Cancelled);
}

#[test]
fn calls_beyond_the_queue_are_refused_at_once_and_draining_cancels_what_does_not_end() {
    let queue = QueueLimits { running: 1, waiting_each: 1, waiting: 1 };
    let (_home, runtime) = runtime_with(|settings| Settings { queue: Some(queue), ..settings });
    block_on(async {
        let mut events = runtime.events();
        let spawn = || {
            let call = runtime.begin(guests::LIMIT_SPINS, CallOptions::default());
            tokio::spawn(async move { call.run(&json!({})).await })
        };
        let running = spawn();
        let Event::Began(first) = heard(&mut events, |event| matches!(event, Event::Began(_))).await else {
            panic!("asked for")
        };
        while first.status() != Status::Running {
            tokio::task::yield_now().await;
        }
        let waiting = spawn();
        while runtime.queue().unwrap().waiting == 0 {
            tokio::task::yield_now().await;
        }
        let refused = runtime.call(guests::LIMIT_SPINS, &json!({}), CallOptions::default()).await;
        assert!(matches!(refused, Err(RuntimeError::Overloaded { waiting: 1, .. })), "{refused:?}");
        assert_eq!(runtime.drain(Duration::from_millis(50)).await, 1);
        assert!(matches!(waiting.await.unwrap(), Err(RuntimeError::Draining)));
        assert_eq!(running.await.unwrap().unwrap().ending, Ending::Cancelled);
        let late = runtime.call(guests::LIMIT_SPINS, &json!({}), CallOptions::default()).await;
        assert!(matches!(late, Err(RuntimeError::Draining)));
    });
}

#[test]
fn a_database_of_the_first_version_keeps_its_executions() {
    let home = tempfile::tempdir().unwrap();
    let database = rusqlite::Connection::open(home.path().join("executions.db")).unwrap();
    database
        .execute_batch(
            "CREATE TABLE executions (id INTEGER PRIMARY KEY, execution_id TEXT AS (printf('exec_%016x', id)),
                tool TEXT NOT NULL, component TEXT, contract TEXT, backend TEXT NOT NULL, engine TEXT NOT NULL,
                status TEXT NOT NULL, ending TEXT NOT NULL, started_at TEXT NOT NULL, wall_us INTEGER NOT NULL,
                instantiate_us INTEGER NOT NULL, fuel INTEGER NOT NULL, memory_peak_bytes INTEGER NOT NULL,
                cached INTEGER NOT NULL, result TEXT, error TEXT, stdout TEXT NOT NULL, stderr TEXT NOT NULL);
             INSERT INTO executions VALUES (8192, 'old', NULL, 'tool', 'wasm', 'wasmtime-48', 'success', 'success',
                '2026-01-01T00:00:00Z', 1, 1, 1, 1, 0, '42', NULL, '', '');",
        )
        .unwrap();
    drop(database);
    let record = Executions::of_home(home.path()).get("exec_0000000000002000".parse().unwrap()).unwrap().unwrap();
    assert_eq!((record.summary.tool.as_str(), record.result.unwrap().get()), ("old", "42"));
}
