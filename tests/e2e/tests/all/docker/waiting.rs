//! Containers that wait for their call, and processes that answer one call after another.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cortex_runtime::{CallOptions, Ending, LogLine, Observer, Overrides, Settings, ToolProgress};
use serde_json::json;

use super::{Place, call, left, said};
use crate::host::block_on;
use crate::source::answer;

const COUNTS: &str = "calls = 0\n\ndef run(args):\n    global calls\n    calls += 1\n    if args['do'] == 'die':\n        import os\n        os._exit(5)\n\
                      \x20   if args['do'] == 'wait':\n        import time\n        time.sleep(1000)\n    if args['do'] == 'fail':\n        raise ValueError('no')\n\
                      \x20   print('a log')\n    return calls\n";

/// Waits until a tool's containers are what is expected: they are started in the background.
fn until(runtime: &cortex_runtime::Runtime, what: impl Fn(usize) -> bool) {
    while !what(runtime.containers().unwrap().iter().filter(|container| container.status.starts_with("Up")).count()) {
        std::thread::yield_now();
    }
}

#[test]
fn a_warm_container_answers_one_call_and_is_replaced() {
    let place = Place::new();
    place.add("count", "entrypoint: main.py, warm: 2", "", &[("main.py", COUNTS)]);
    let runtime = place.runtime();
    assert_eq!(answer(&call(&runtime, "count", &json!({}))), 1);
    for _ in 0..3 {
        until(&runtime, |running| running >= 2);
        let execution = call(&runtime, "count", &json!({}));
        // A fresh process each time: nothing is left of the calls before.
        assert_eq!(answer(&execution), 1, "{}", said(&execution));
    }
    // A call with limits of its own gets a container of its own.
    let limits = Overrides { memory_bytes: Some(64 << 20), ..Overrides::default() };
    let options = CallOptions { limits, ..CallOptions::default() };
    assert_eq!(answer(&block_on(runtime.call("count", &json!({}), options)).unwrap()), 1);
    runtime.close().unwrap();
    assert_eq!(left(place.home.path()), []);
}

#[test]
fn a_reused_process_keeps_its_promise_until_something_goes_wrong() {
    let place = Place::new();
    let root =
        place.add("count", "entrypoint: main.py, reuse: true, resources: { timeout: 20 }", "", &[("main.py", COUNTS)]);
    let runtime = place.runtime();
    for expected in 1..=3 {
        let execution = call(&runtime, "count", &json!({}));
        assert_eq!(answer(&execution), expected, "{}", said(&execution));
        assert_eq!(execution.stdout.text, "a log\n");
    }
    // An error is an answer like any other.
    let failed = call(&runtime, "count", &json!({ "do": "fail" }));
    assert_eq!((failed.ending, failed.error.as_ref().unwrap().message.as_str()), (Ending::ToolError, "ValueError: no"));
    assert_eq!(answer(&call(&runtime, "count", &json!({}))), 5);
    // One that ends or hangs is not used again.
    assert_eq!(call(&runtime, "count", &json!({ "do": "die" })).error.as_ref().unwrap().exit_code, Some(5));
    assert_eq!(answer(&call(&runtime, "count", &json!({}))), 1);
    let limits = Overrides { timeout: Some(Duration::from_millis(300)), ..Overrides::default() };
    let options = CallOptions { limits, ..CallOptions::default() };
    let hung = block_on(runtime.call("count", &json!({ "do": "wait" }), options)).unwrap();
    assert_eq!(hung.ending, Ending::DeadlineExceeded, "{}", said(&hung));
    assert_eq!(answer(&call(&runtime, "count", &json!({}))), 1);
    runtime.close().unwrap();
    assert_eq!(left(place.home.path()), []);
    drop(root);
}

/// Whoever hears a line lets the program go on that waits for it.
struct Answers {
    lines: Mutex<Vec<LogLine>>,
    go: PathBuf,
}

impl Observer for Answers {
    fn log(&self, line: &LogLine) {
        self.lines.lock().unwrap().push(line.clone());
        if line.message.ends_with("waits") {
            fs_err::write(&self.go, "go").unwrap();
        }
    }

    fn progress(&self, _: &ToolProgress) {}
}

/// Goes on when a file is there, which is written when its line was heard: one that is told at the end comes too late.
const WAITS: &str = "import os, sys\n\ndef run(args):\n    key = open(os.environ['KEY_FILE']).read() if 'KEY_FILE' in os.environ else 'no key'\n\
                     \x20   print('began with', key)\n    sys.stdout.flush()\n    print('it waits', file=sys.stderr, flush=True)\n\
                     \x20   while not os.path.exists('/go/go'):\n        pass\n    os.remove('/go/go')\n    print('the rest', end='')\n    return 'gone'\n";

#[test]
fn what_a_tool_writes_is_heard_while_it_runs() {
    for more in ["", ", reuse: true", ", warm: 1"] {
        let place = Place::new();
        let root = place.add(
            "waits",
            &format!("entrypoint: main.py, resources: {{ timeout: 60 }}{more}"),
            if more == ", reuse: true" {
                "permissions: { filesystem: [{ host: ./go, guest: /go, access: read-write }] }"
            } else {
                "permissions: { filesystem: [{ host: ./go, guest: /go, access: read-write }], secrets: [{ name: KEY, expose: true }] }"
            },
            &[("main.py", WAITS)],
        );
        fs_err::create_dir(root.join("go")).unwrap();
        fs_err::set_permissions(root.join("go"), PermissionsExt::from_mode(0o777)).unwrap();
        let runtime = place.runtime_with(|settings| Settings {
            environment: [("CORTEX_SECRET_KEY".to_owned(), "s3cret-value".to_owned())].into(),
            ..settings
        });
        for _ in 0..2 {
            let heard = Arc::new(Answers { lines: Mutex::default(), go: root.join("go/go") });
            let observer = Some(Arc::clone(&heard) as Arc<dyn Observer>);
            let options = CallOptions { observer, ..CallOptions::default() };
            let execution = block_on(runtime.call("waits", &json!({}), options)).unwrap();
            assert_eq!(
                (execution.ending, answer(&execution)),
                (Ending::Success, json!("gone")),
                "{}",
                said(&execution)
            );
            let lines = heard.lines.lock().unwrap();
            let mut lines: Vec<_> = lines.iter().map(|line| format!("{}: {}", line.context, line.message)).collect();
            // Two streams have no order between them.
            lines.sort();
            let (began, kept) = match more {
                ", reuse: true" => ("stdout: began with no key", "began with no key\nthe rest"),
                _ => ("stdout: began with ************", "began with [secret KEY]\nthe rest"),
            };
            assert_eq!(lines, ["stderr: it waits", began, "stdout: the rest"]);
            assert_eq!((execution.stdout.text.as_str(), execution.stderr.text.as_str()), (kept, "it waits\n"));
        }
        runtime.close().unwrap();
    }
}

#[test]
fn a_program_is_reused_that_answers_line_by_line() {
    let place = Place::new();
    let program = "n=0\nwhile IFS= read -r line; do\n  n=$((n + 1))\n  printf '{\"n\": %d, \"bytes\": %d}\\n' \"$n\" \"${#line}\"\ndone\n";
    place.add("lines", "runtime: bash, entrypoint: main.sh, reuse: true", "", &[("main.sh", program)]);
    let runtime = place.runtime();
    for n in 1..=3 {
        assert_eq!(answer(&call(&runtime, "lines", &json!({ "do": "x" }))), json!({ "n": n, "bytes": 10 }));
    }
    runtime.close().unwrap();
    assert_eq!(left(place.home.path()), []);
}
