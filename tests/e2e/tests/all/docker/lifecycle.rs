//! Containers end with what they are for, however that ends.

use std::process::{Command, Stdio};
use std::sync::Arc;

use cortex_runtime::{CallOptions, Ending};
use fs_err as fs;
use serde_json::json;

use super::{Place, call, copy_standard, left, said};
use crate::host::block_on;

/// Says that it has begun, and waits.
const WAITS: &str = "import sys, time\nprint('begun', file=sys.stderr, flush=True)\ntime.sleep(1000)\n";

#[test]
fn killing_this_process_in_a_call_leaves_nothing_after_the_next_start() {
    let place = Place::new();
    let root = place.add("waits", "entrypoint: main.py, resources: { timeout: 600 }", "", &[("main.py", WAITS)]);
    #[expect(clippy::disallowed_methods, reason = "a process to be killed")]
    let mut process = Command::new(env!("CARGO_BIN_EXE_calls"))
        .arg(place.home.path())
        .arg(&root)
        .arg("1")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // Another process sees the container and leaves it alone for as long as its owner lives.
    let seen = loop {
        let running = left(place.home.path());
        if running.iter().any(|container| container.status.starts_with("Up")) {
            break running;
        }
        assert!(process.try_wait().unwrap().is_none(), "the process ended by itself");
    };
    assert!(seen.iter().all(|container| container.owned && container.runs == "waits"), "{seen:?}");
    process.kill().unwrap();
    process.wait().unwrap();
    assert_eq!(left(place.home.path()), []);
    let folders: Vec<_> = fs::read_dir(place.home.path().join("docker/run")).unwrap().flatten().collect();
    assert!(folders.is_empty(), "{folders:?}");
}

#[test]
fn a_caller_that_goes_away_takes_its_container_with_it() {
    let place = Place::new();
    place.add("waits", "entrypoint: main.py, resources: { timeout: 600 }", "", &[("main.py", WAITS)]);
    let runtime = place.runtime();
    block_on(async {
        // The image is built by a call that is not the one to be abandoned.
        runtime.input_schema("waits", None).await.unwrap();
        let input = json!({});
        let mut call = std::pin::pin!(runtime.call("waits", &input, CallOptions::default()));
        loop {
            tokio::select! {
                execution = &mut call => panic!("{}", said(&execution.unwrap())),
                containers = tokio::task::spawn_blocking({
                    let runtime = runtime.clone();
                    move || runtime.containers().unwrap()
                }) => {
                    if containers.unwrap().iter().any(|container| container.status.starts_with("Up")) {
                        break;
                    }
                }
            }
        }
    });
    runtime.close().unwrap();
    assert_eq!(left(place.home.path()), []);
}

#[test]
fn two_hundred_calls_over_eight_threads_leave_nothing() {
    let place = Place::new();
    copy_standard("text_stats", &place.manifests().join("text_stats"));
    let runtime = place.runtime();
    let input = json!({ "text": "one two two", "top": 1 });
    assert_eq!(call(&runtime, "text_stats", &input).ending, Ending::Success);
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let (runtime, input) = (runtime.clone(), input.clone());
            std::thread::spawn(move || {
                let execute = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                for _ in 0..25 {
                    let execution =
                        execute.block_on(runtime.call("text_stats", &input, CallOptions::default())).unwrap();
                    assert_eq!(execution.ending, Ending::Success, "{}", said(&execution));
                    assert!(execution.result.as_ref().unwrap().get().contains(r#""word": "two", "count": 2"#));
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    runtime.close().unwrap();
    assert_eq!(left(place.home.path()), []);
    assert!(fs::read_dir(place.home.path().join("docker/run")).unwrap().next().is_none());
}

#[test]
fn a_container_is_listed_read_and_stopped_by_what_it_runs() {
    let place = Place::new();
    place.add("waits", "entrypoint: main.py, resources: { timeout: 600 }", "", &[("main.py", WAITS)]);
    let runtime = place.runtime();
    let calling = {
        let runtime = runtime.clone();
        std::thread::spawn(move || call(&runtime, "waits", &json!({})))
    };
    let logs = loop {
        match runtime.container_logs("waits") {
            Ok(logs) if !logs.is_empty() => break logs,
            _ => std::thread::yield_now(),
        }
    };
    assert_eq!(String::from_utf8_lossy(&logs), "begun\n");
    let stopped = runtime.stop_containers("waits").unwrap();
    assert_eq!(stopped.len(), 1, "{stopped:?}");
    let execution = calling.join().unwrap();
    assert_ne!(execution.ending, Ending::Success, "{}", said(&execution));
    assert!(runtime.stop_containers("waits").unwrap_err().to_string().contains("no container `waits`"));
    runtime.close().unwrap();
}

#[test]
fn an_image_is_built_once_and_old_ones_go() {
    let place = Place::new();
    let root = place.add("tool", "runtime: bash, entrypoint: main.sh", "", &[("main.sh", "echo 1")]);
    let runtime = place.runtime();
    let first = call(&runtime, "tool", &json!({}));
    assert_eq!(first.ending, Ending::Success, "{}", said(&first));
    let prepared = runtime.build("tool", false, &cortex_runtime::Silent).unwrap();
    assert!(!prepared.built && prepared.digest == **first.component.as_ref().unwrap());
    for number in 2..6 {
        fs::write(root.join("main.sh"), format!("echo {number}")).unwrap();
        assert!(runtime.build("tool", false, &cortex_runtime::Silent).unwrap().built);
    }
    // The one in use and the last two.
    assert_eq!(runtime.images().unwrap().len(), 3);
    let removed = runtime.prune_images(1).unwrap();
    assert_eq!((removed.len(), runtime.images().unwrap().len()), (2, 1));
    runtime.prune_images(0).unwrap();
    runtime.close().unwrap();
}

#[test]
fn a_base_image_that_cannot_be_had_is_named_and_a_failing_step_shows_its_words() {
    let place = Place::new();
    place.add("absent", "runtime: \"registry.invalid/none:1\", entrypoint: run", "", &[("run", "")]);
    place.add(
        "broken",
        "runtime: bash, entrypoint: main.sh, build: { build_command: \"echo these words; exit 7\" }",
        "",
        &[("main.sh", "")],
    );
    let runtime = place.runtime_with(|settings| cortex_runtime::Settings { offline: true, ..settings });
    let execution = call(&runtime, "absent", &json!({}));
    assert_eq!(execution.ending, Ending::BackendUnavailable);
    let error = execution.error.as_ref().unwrap();
    assert!(error.message.contains("base image `registry.invalid/none:1` is not on this machine"), "{error:?}");
    assert!(error.hint.as_ref().unwrap().contains("docker pull"), "{error:?}");
    let execution = call(&runtime, "broken", &json!({}));
    assert_eq!(execution.ending, Ending::BuildFailed);
    let details = execution.error.as_ref().unwrap().details.as_ref().unwrap();
    assert!(details["stderr"].as_str().unwrap().contains("these words"), "{details}");
    runtime.close().unwrap();
}

#[test]
fn without_an_engine_the_reason_and_every_address_are_told() {
    let place = Place::new();
    place.add("tool", "runtime: bash, entrypoint: main.sh", "", &[("main.sh", "")]);
    let nowhere = format!("unix://{}/none.sock", place.home.path().display());
    let runtime = place.runtime_with(|settings| {
        let docker = cortex_runtime::DockerSettings { host: Some(nowhere.clone()), ..settings.docker };
        cortex_runtime::Settings { docker, ..settings }
    });
    let execution: Arc<_> = call(&runtime, "tool", &json!({}));
    assert_eq!((execution.ending, execution.backend.as_str()), (Ending::BackendUnavailable, "docker"));
    let error = execution.error.as_ref().unwrap();
    assert!(error.message.contains(&nowhere) && error.hint.as_ref().unwrap().contains("DOCKER_HOST"), "{error:?}");
    let report = block_on(runtime.check("tool", CallOptions::default())).unwrap();
    assert_eq!((report.checks.len(), report.checks[0].passed), (1, None));
    runtime.close().unwrap();
}
