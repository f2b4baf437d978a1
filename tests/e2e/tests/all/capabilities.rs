//! What a tool may reach of the host's: each capability granted, denied, and nearly granted.

use std::sync::{Arc, Mutex};

use cortex_runtime::{CallOptions, Ending, Execution, LogLevel, LogLine, Observer, Overrides, Policy, ToolProgress};
use fs_err as fs;
use guest_artifacts as guests;
use serde_json::{Value, json};

use crate::host::{Tools, said};

macro_rules! assert_test_exists {
    ($name:ident) => {
        #[expect(unused_imports, reason = "only here to make sure that it exists")]
        use self::$name as _;
    };
}
guest_artifacts::foreach_capability!(assert_test_exists);

/// Tools of a home of their own: what is kept must not outlive the test.
fn tools(home: &tempfile::TempDir, policy: &str, environment: &[(&str, &str)]) -> Tools {
    Tools::with(|settings| {
        let path = home.path().join("cortex.yml");
        fs::write(&path, format!("kind: Policy\nversion: \"1.0\"\n{policy}")).unwrap();
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        cortex_runtime::Settings {
            home: home.path().to_owned(),
            policy: Policy::open(&path).unwrap(),
            environment: environment.collect(),
            ..settings
        }
    })
}

fn answer(execution: &Execution) -> Value {
    assert_eq!(execution.ending, Ending::Success, "{:?}", execution.error);
    serde_json::from_str(execution.result.as_ref().expect("an answer").get()).unwrap()
}

mod capability_host {
    use super::*;

    const INPUT: &[(&str, &str)] = &[("do", "array"), ("tolerant", "boolean")];
    const ASKS: &str = "permissions: { state: true }\n";

    fn add(tools: &Tools, name: &str, resources: &str, sections: &str) {
        tools.add(name, guests::CAPABILITY_HOST, INPUT, resources, sections);
    }

    #[test]
    fn state_outlives_the_call_and_the_process_and_is_the_tool_s_own() {
        let home = tempfile::tempdir().unwrap();
        let first = tools(&home, "", &[]);
        add(&first, "notes", "", ASKS);
        add(&first, "other", "", ASKS);
        let did = first.call(
            "notes",
            json!({"do": [["set", "k", "v"], ["get", "k"], ["get", "none"], ["increment", "n", 2], ["increment", "n", 3],
                          ["swap", "k", "v", "w"], ["swap", "k", "v", "x"], ["swap", "new", null, ""], ["keys"]]}),
        );
        assert_eq!(answer(&did), json!([null, "v", null, 2, 5, true, false, true, ["k", "n", "new"]]));
        assert_eq!(
            answer(&first.call("notes", json!({"do": [["get", "k"], ["delete", "k"], ["get", "k"]]}))),
            json!(["w", null, null])
        );
        assert_eq!(answer(&first.call("other", json!({"do": [["keys"]]}))), json!([[]]), "another tool's is empty");
        assert!(did.usage.state_bytes >= 10, "{:?}", did.usage);

        // The same tool in another process, and a tool of the same name somewhere else.
        let second = tools(&home, "", &[]);
        add(&second, "notes", "", ASKS);
        assert_eq!(answer(&second.call("notes", json!({"do": [["keys"]]}))), json!([[]]), "a namesake's is empty");
        drop(second);
        assert_eq!(answer(&first.call("notes", json!({"do": [["keys"]]}))), json!([["n", "new"]]));
    }

    #[test]
    fn state_that_was_not_asked_for_or_not_granted_is_denied_with_the_line_that_allows_it() {
        let home = tempfile::tempdir().unwrap();
        let asking_is_granting = tools(&home, "", &[]);
        add(&asking_is_granting, "quiet", "", "");
        let input = json!({"do": [["set", "k", "v"]]});
        let denied = asking_is_granting.call("quiet", input.clone());
        assert_eq!(denied.ending, Ending::Denied, "{denied:?}");
        assert!(said(&denied).contains("permissions:\n  state: true"), "{}", said(&denied));
        assert_eq!(denied.decisions[0].capability, "state");

        let untrusting = tools(&home, "trust: false", &[]);
        add(&untrusting, "notes", "", ASKS);
        let refused = untrusting.call("notes", input.clone());
        assert_eq!(refused.ending, Ending::ToolError);
        let hint = refused.error.as_ref().unwrap().hint.as_ref().unwrap();
        assert!(hint.ends_with("tools:\n  - { tool: notes, grant: { state: true } }"), "{hint}");

        let granting = tools(&home, "trust: false\ntools:\n  - { tool: notes, grant: { state: true } }", &[]);
        add(&granting, "notes", "", ASKS);
        assert_eq!(granting.call("notes", input).ending, Ending::Success, "the line that was named is enough");
    }

    #[test]
    fn state_holds_what_the_limits_say_and_a_call_may_lower_them() {
        let home = tempfile::tempdir().unwrap();
        let tools = tools(&home, "", &[]);
        add(&tools, "notes", "state: { keys: 3, size: 100, key: 10 }", ASKS);
        let full = json!({"do": [["set", "a", 33], ["set", "b", 32], ["set", "c", 32]]});
        assert_eq!(tools.call("notes", full.clone()).ending, Ending::Success, "100 bytes with the keys");
        for (call, limit, message) in [
            (json!(["set", "a", 34]), "state.size", "more bytes of keys and values than the limit `state.size` of 100"),
            (json!(["set", "d", ""]), "state.keys", "more keys than the limit `state.keys` of 3"),
            (json!(["set", "01234567890", ""]), "state.key", "a longer key than the limit `state.key` of 10"),
            (json!(["fill", 4]), "state.keys", "more keys than the limit `state.keys` of 3"),
        ] {
            let over = tools.call("notes", json!({"do": [call]}));
            assert_eq!(over.ending, Ending::LimitExceeded, "{over:?}");
            let error = over.error.as_ref().unwrap();
            assert_eq!(
                (error.message.as_str(), error.details.as_ref().unwrap()["limit"].as_str()),
                (message, Some(limit))
            );
            let hint = format!("raise `implementation.resources.{limit}` in the manifest");
            assert_eq!(error.hint.as_ref(), Some(&hint));
        }
        let heard = tools.call("notes", json!({"do": [["set", "d", ""], ["get", "a"]], "tolerant": true}));
        assert_eq!(heard.ending, Ending::Success, "a tool that can do without goes on");
        let mut limits = Overrides::default();
        limits.state.keys = Some(2);
        let options = CallOptions { limits, ..CallOptions::default() };
        let lowered = tools.call_with("notes", json!({"do": [["delete", "c"], ["set", "d", ""]]}), options);
        assert_eq!(lowered.ending, Ending::LimitExceeded, "{lowered:?}");
        assert!(
            said(&lowered).contains("this call was given its own limit: give it more state.keys"),
            "{}",
            said(&lowered)
        );
    }

    #[test]
    fn a_call_that_fails_keeps_what_it_wrote_before() {
        let home = tempfile::tempdir().unwrap();
        let tools = tools(&home, "", &[]);
        add(&tools, "notes", "", ASKS);
        let crashed = tools.call("notes", json!({"do": [["set", "k", "v"], ["panic"]]}));
        assert_eq!(crashed.ending, Ending::Trap);
        assert_eq!(answer(&tools.call("notes", json!({"do": [["get", "k"]]}))), json!(["v"]));
    }

    #[derive(Default)]
    struct Heard {
        lines: Mutex<Vec<LogLine>>,
        progress: Mutex<Vec<ToolProgress>>,
    }

    impl Observer for Heard {
        fn log(&self, line: &LogLine) {
            self.lines.lock().unwrap().push(line.clone());
        }

        fn progress(&self, progress: &ToolProgress) {
            self.progress.lock().unwrap().push(progress.clone());
        }
    }

    fn line(level: LogLevel, context: &str, message: &str) -> LogLine {
        LogLine { level, context: context.into(), message: message.into() }
    }

    #[test]
    fn what_a_tool_logs_is_in_the_record_and_heard_while_it_runs() {
        let home = tempfile::tempdir().unwrap();
        let tools = tools(&home, "", &[("CORTEX_SECRET_KEY", "s3cret-value")]);
        add(&tools, "talks", "", "permissions: { secrets: [{ name: KEY, bearer: true, hosts: [example.com] }] }\n");
        let heard = Arc::new(Heard::default());
        let options = CallOptions { observer: Some(Arc::clone(&heard) as Arc<dyn Observer>), ..CallOptions::default() };
        let ran = tools.call_with(
            "talks",
            json!({"do": [["log", "info", "start", "beginning"], ["progress", 1, 4, "a quarter with s3cret-value"],
                          ["progress", null], ["log", "critical", "", "holds s3cret-value"], ["progress", 4.5],
                          ["secret", "KEY"], ["secret", "OTHER"]]}),
            options,
        );
        assert_eq!(answer(&ran), json!([null, null, null, null, null, true, false]));
        let lines = [line(LogLevel::Info, "start", "beginning"), line(LogLevel::Critical, "", "holds [secret KEY]")];
        assert_eq!(ran.log, lines);
        assert_eq!(*heard.lines.lock().unwrap(), lines);
        let progress =
            |done, total, message: Option<&str>| ToolProgress { done, total, message: message.map(Into::into) };
        let told = [progress(1.0, Some(4.0), Some("a quarter with [secret KEY]")), progress(4.5, None, None)];
        assert_eq!(*heard.progress.lock().unwrap(), told, "what is no number is not told");
        let id = ran.execution_id.to_string();
        tools.runtime.close().unwrap();
        let database = rusqlite::Connection::open(home.path().join("executions.db")).unwrap();
        let log: String =
            database.query_row("SELECT log FROM executions WHERE execution_id = ?1", [id], |row| row.get(0)).unwrap();
        assert_eq!(
            log,
            r#"[{"level":"info","context":"start","message":"beginning"},{"level":"critical","message":"holds [secret KEY]"}]"#
        );
    }

    #[test]
    fn a_log_is_cut_at_its_limit_and_says_so() {
        let home = tempfile::tempdir().unwrap();
        let tools = tools(&home, "", &[]);
        add(&tools, "talks", "log: 10, output: 1K", "");
        let heard = Arc::new(Heard::default());
        let call = |input| {
            let observer = Some(Arc::clone(&heard) as Arc<dyn Observer>);
            tools.call_with("talks", input, CallOptions { observer, ..CallOptions::default() })
        };
        let within = call(json!({"do": [["log", "info", "", "x", 10], ["progress", 1, null, null, 10]]}));
        assert_eq!((answer(&within), within.log.len()), (json!([null, null]), 10));
        let over = call(json!({"do": [["log", "info", "", "x", 13], ["progress", 1, null, null, 1000]]}));
        assert_eq!((answer(&over), over.log.len()), (json!([null, null]), 11), "a log that is cut fails no call");
        let said = "[truncated: 3 more lines; the limits are `log` 10 lines and `output` 1024 bytes]";
        assert_eq!(over.log[10], line(LogLevel::Warn, "cortex-wasm", said));
        assert_eq!((heard.lines.lock().unwrap().len(), heard.progress.lock().unwrap().len()), (20, 20));
        let long = "x".repeat(600);
        let bytes = call(json!({"do": [["log", "info", "", long, 2]]}));
        assert_eq!(bytes.log.len(), 2, "one of 600 bytes, and word of the other");
    }
}
