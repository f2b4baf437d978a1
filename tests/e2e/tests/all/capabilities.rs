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

    /// Attack: reading the state of another tool, or of a namesake elsewhere
    /// Ends: `success`: it is empty
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
    fn what_is_kept_for_a_time_is_there_until_then_and_gone_afterwards() {
        let home = tempfile::tempdir().unwrap();
        let tools = tools(&home, "", &[]);
        add(&tools, "notes", "state: { keys: 2, size: 100, key: 10 }", ASKS);
        let hour = 3_600_000;
        let did = json!({"do": [["set for", "k", "v", hour], ["get", "k"], ["set for", "g", "v", 0], ["get", "g"], ["keys"],
                                ["set", "other", ""], ["keys"], ["set for", "k", "w", 0]]});
        let wanted = json!([null, "v", null, null, ["k"], null, ["k", "other"], null]);
        assert_eq!(answer(&tools.call("notes", did)), wanted);
        let over = tools.call("notes", json!({"do": [["set for", "01234567890", "", hour]]}));
        assert!(said(&over).contains("the limit `state.key` of 10"), "{}", said(&over));
        assert_eq!(answer(&tools.call("notes", json!({"do": [["keys"]]}))), json!([["other"]]), "and in the next call");
        add(&tools, "quiet", "", "");
        let denied = tools.call("quiet", json!({"do": [["set for", "k", "v", hour]]}));
        assert_eq!(denied.ending, Ending::Denied, "{denied:?}");
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
        assert_eq!(refused.ending, Ending::Denied);
        let hint = refused.error.as_ref().unwrap().hint.as_ref().unwrap();
        assert!(hint.ends_with("tools:\n  - { tool: notes, grant: { state: true } }"), "{hint}");

        let granting = tools(&home, "trust: false\ntools:\n  - { tool: notes, grant: { state: true } }", &[]);
        add(&granting, "notes", "", ASKS);
        assert_eq!(granting.call("notes", input).ending, Ending::Success, "the line that was named is enough");
    }

    /// Attack: filling the state with keys and bytes
    /// Ends: `limit_exceeded`
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

mod capability_files {
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    use super::*;

    /// A tool with a folder to read and one to write, and next to it what nobody granted.
    struct Box {
        home: tempfile::TempDir,
        tools: Tools,
    }

    const ASKS: &str = "permissions:\n  filesystem:\n  - { host: ./in, guest: /in }\n  \
                        - { host: ./out, guest: /out, access: read-write }\n";

    impl Box {
        fn new(policy: &str, resources: &str, sections: &str) -> Self {
            let home = tempfile::tempdir().unwrap();
            let tools = tools(&home, policy, &[]);
            tools.add(
                "files",
                guests::CAPABILITY_FILES,
                &[("do", "array"), ("tolerant", "boolean")],
                resources,
                sections,
            );
            let one = Self { home, tools };
            for folder in ["in", "out", "near"] {
                fs::create_dir_all(one.path(folder)).unwrap();
            }
            fs::write(one.path("in/a"), "alpha").unwrap();
            fs::write(one.path("near/secret"), "not yours").unwrap();
            one
        }

        fn path(&self, path: &str) -> PathBuf {
            self.tools.path("files").join(path)
        }

        #[expect(clippy::needless_pass_by_value, reason = "callers write `json!` in its place")]
        fn run(&self, calls: Value) -> Arc<Execution> {
            self.tools.call("files", json!({"do": calls}))
        }

        /// Each call by itself: what it says, and what the record says of it.
        fn refused(&self, call: &Value) -> (Arc<Execution>, String) {
            let ran = self.run(json!([call]));
            assert_ne!(ran.ending, Ending::Success, "{call}: {ran:?}");
            let said = ran.error.as_ref().unwrap().message.clone();
            (ran, said)
        }
    }

    #[test]
    fn folders_that_were_granted_are_read_and_written() {
        let files = Box::new("", "", ASKS);
        let ran = files.run(json!([
            ["folders"],
            ["read", "/in/a"],
            ["write", "/out/b", 3],
            ["append", "/out/b", "yz"],
            ["read", "/out/b"],
            ["folder", "/out/c"],
            ["rename", "/out/b", "/out/c/b"],
            ["list", "/out"],
            ["hard_link", "/out/c/b", "/out/d"],
            ["truncate", "/out/d"],
            ["grow", "/out/d", 4],
            ["remove", "/out/c/b"]
        ]));
        let expected =
            json!([["/in", "/out"], "alpha", null, null, "xxxyz", null, null, ["c"], null, null, null, null]);
        assert_eq!(answer(&ran), expected);
        assert_eq!((ran.usage.file_bytes, ran.usage.files_created), (3 + 2 + 4, 3));
        assert_eq!(fs::read(files.path("out/d")).unwrap(), [0; 4]);
    }

    /// Attack: writing to a folder that is only read, by truncating, renaming, linking (GHSA-4ch3)
    /// Ends: `denied`
    #[test]
    fn a_folder_that_is_read_is_not_written_by_any_road() {
        let files = Box::new("", "", ASKS);
        for call in [
            json!(["write", "/in/a", 1]),
            json!(["append", "/in/a", "x"]),
            json!(["truncate", "/in/a"]),
            json!(["grow", "/in/a", 9]),
            json!(["write", "/in/new", 0]),
            json!(["folder", "/in/new"]),
            json!(["remove", "/in/a"]),
            json!(["rename", "/in/a", "/in/b"]),
            json!(["rename", "/in/a", "/out/b"]),
            json!(["hard_link", "/in/a", "/out/b"]),
            json!(["symlink", "/in", "a", "b"]),
            json!(["raw_write", "/in", "a", 1]),
        ] {
            let (ran, said) = files.refused(&call);
            assert_eq!(ran.ending, Ending::Denied, "{call}: {said}");
            assert!(said.ends_with("was refused: the folder was granted for reading only"), "{call}: {said}");
            assert!(ran.error.as_ref().unwrap().hint.as_ref().unwrap().contains("access: read-write"), "{call}");
        }
        assert_eq!(fs::read_to_string(files.path("in/a")).unwrap(), "alpha");
        assert_eq!(fs::read_dir(files.path("in")).unwrap().count(), 1);
        assert_eq!(fs::read_dir(files.path("out")).unwrap().count(), 0);
    }

    /// Attack: `/etc/passwd` by absolute path, by `..`, by a link, by a path that ends in a slash (GHSA-vqjp)
    /// Ends: `denied`
    #[test]
    fn no_path_and_no_link_leads_out_of_a_folder() {
        let files = Box::new("", "", ASKS);
        symlink("../near", files.path("in/link")).unwrap();
        symlink("/etc", files.path("in/etc")).unwrap();
        symlink("a", files.path("in/inside")).unwrap();
        assert_eq!(
            answer(&files.run(json!([["read", "/in/inside"]]))),
            json!(["alpha"]),
            "a link that stays is followed"
        );
        for path in [
            "../near/secret",
            "../../../../../../etc/passwd",
            "/etc/passwd",
            "link/secret",
            "link/",
            "etc/passwd",
            "..",
            "./../near/secret",
            "link/../../near/secret",
        ] {
            let (ran, said) = files.refused(&json!(["raw_open", "/in", path]));
            assert_eq!(ran.ending, Ending::Denied, "{path}: {said}");
            assert!(said.ends_with("it is outside of the folders that were granted"), "{path}: {said}");
        }
        for path in ["/etc/passwd", "/near/secret", "/in/../near/secret", "near/secret"] {
            let (_, said) = files.refused(&json!(["read", path]));
            assert!(!said.contains("not yours"), "{path}: {said}");
        }
        // The guest's own links are no better, nor is what it moves around them.
        for call in
            [json!(["symlink", "/out", "/etc/passwd", "absolute"]), json!(["raw_open", "/out", "up/near/secret"])]
        {
            let ran = files.run(json!([["symlink", "/out", "../", "up"], call]));
            assert_ne!(ran.ending, Ending::Success, "{call}: {ran:?}");
            let _ = fs::remove_file(files.path("out/up"));
        }
        let (_, said) = files.refused(&json!(["raw_open", "/in", "a/"]));
        assert!(said.contains("ot"), "a file is no folder, whatever ends its path: {said}");
    }

    /// The guest's way out would be a link in a folder that it writes, on the way to a folder that its next call opens.
    ///
    /// Attack: leaving a link on the way to a folder that the next call opens
    /// Ends: `denied`
    #[test]
    fn a_link_that_an_earlier_call_left_opens_nothing() {
        let asks = "permissions:\n  filesystem:\n  - { host: ./out, guest: /out, access: read-write }\n  \
                    - { host: ./out/data, guest: /data, access: read-write }\n";
        let files = Box::new("", "", asks);
        assert_eq!(files.run(json!([["symlink", "/out", "../near", "data"]])).ending, Ending::Success);
        let ran = files.run(json!([["read", "/data/secret"]]));
        assert_eq!(ran.ending, Ending::Denied, "{ran:?}");
        let refused = &ran.decisions[0];
        assert_eq!((refused.target.as_str(), refused.allowed), ("/data", false));
    }

    /// Attack: filling the quota of bytes, of files and of path lengths
    /// Ends: `limit_exceeded`
    #[test]
    fn what_is_written_is_counted_before_it_is_done() {
        let files = Box::new("", "disk: 1000, files: { created: 5, path: 40, listed: 2 }", ASKS);
        let reached = |calls: Value, limit: &str, message: &str| {
            let ran = files.run(calls);
            assert_eq!(ran.ending, Ending::LimitExceeded, "{ran:?}");
            let error = ran.error.as_ref().unwrap();
            assert_eq!(
                (error.message.as_str(), error.details.as_ref().unwrap()["limit"].as_str()),
                (message, Some(limit))
            );
            let hint = format!("raise `implementation.resources.{limit}` in the manifest");
            assert_eq!(error.hint.as_ref(), Some(&hint));
        };
        let bytes = "more bytes written to files: the limit `disk` is 1000";
        assert_eq!(files.run(json!([["write", "/out/a", 1000]])).ending, Ending::Success);
        reached(json!([["write", "/out/a", 1001]]), "disk", bytes);
        assert!(fs::metadata(files.path("out/a")).unwrap().len() <= 1000);
        reached(json!([["write", "/out/a", 500], ["append", "/out/a", "x".repeat(501)]]), "disk", bytes);
        reached(json!([["write", "/out/a", 1], ["overwrite", "/out/a", 1000]]), "disk", bytes);
        reached(json!([["write", "/out/a", 1], ["grow", "/out/a", 1_u64 << 40]]), "disk", bytes);
        reached(json!([["raw_write", "/out", "a", 1001]]), "disk", bytes);
        let created = "more files, folders and links created: the limit `files.created` is 5";
        assert_eq!(files.run(json!([["create", "/out/f", 5], ["create", "/out/f", 5]])).ending, Ending::Success);
        reached(json!([["create", "/out/g", 6]]), "files.created", created);
        reached(json!([["create", "/out/h", 5], ["folder", "/out/i"]]), "files.created", created);
        reached(json!([["create", "/out/j", 5], ["hard_link", "/out/a", "/out/k"]]), "files.created", created);
        reached(json!([["create", "/out/l", 5], ["symlink", "/out", "a", "m"]]), "files.created", created);
        assert_eq!(answer(&files.run(json!([["list", "/in"]]))), json!([["a"]]));
        fs::write(files.path("in/b"), "").unwrap();
        fs::write(files.path("in/c"), "").unwrap();
        reached(json!([["list", "/in"]]), "files.listed", "a listing of more entries: the limit `files.listed` is 2");
        let path = format!("/out/{}", "p".repeat(41));
        reached(json!([["write", path, 1]]), "files.path", "a longer path: the limit `files.path` is 40");
    }

    #[test]
    fn folders_elsewhere_are_the_operator_s_to_give() {
        let elsewhere = tempfile::tempdir().unwrap();
        fs::write(elsewhere.path().join("b"), "beta").unwrap();
        let host = elsewhere.path().display();
        let asks = |host: &str, access: &str| {
            format!("permissions: {{ filesystem: [{{ host: \"{host}\", guest: /e, access: {access} }}] }}\n")
        };
        let read = json!([["read", "/e/b"]]);
        for path in [host.to_string(), format!("{host}/../{}", elsewhere.path().file_name().unwrap().display())] {
            let alone = Box::new("", "", &asks(&path, "read"));
            let refused = alone.run(read.clone());
            let hint = refused.error.as_ref().unwrap().hint.as_ref().unwrap().clone();
            let line = format!("{{ tool: files, grant: {{ filesystem: [{{ host: \"{host}\", access: read }}] }} }}");
            assert!(hint.ends_with(&line), "{hint}");
            let granted = Box::new(&format!("tools:\n  - {line}"), "", &asks(&path, "read"));
            assert_eq!(answer(&granted.run(read.clone())), json!(["beta"]), "the line that was named is enough");
            let more = Box::new(&format!("tools:\n  - {line}"), "", &asks(&path, "read-write"));
            assert_ne!(more.run(read.clone()).ending, Ending::Success, "a grant of reading is none of writing");
            let denied = format!(
                "tools:\n  - {line}\n  - {{ tool: files, deny: {{ filesystem: [{{ host: \"{host}/below\" }}] }} }}"
            );
            let around = Box::new(&denied, "", &asks(&path, "read"));
            assert_ne!(around.run(read.clone()).ending, Ending::Success, "what is around a denied folder reaches it");
        }
        let itself = Box::new("", "", &asks(".", "read-write"));
        let rewritten = itself.run(json!([["write", "/e/tool.yml", 1]]));
        assert_ne!(
            rewritten.ending,
            Ending::Success,
            "a tool that writes its own manifest could grant itself anything"
        );
        assert!(fs::read_to_string(itself.path("tool.yml")).unwrap().contains("kind: Tool"));
        let reads = Box::new("", "", &asks(".", "read"));
        assert_eq!(reads.run(json!([["read", "/e/in/a"]])).ending, Ending::Success);

        let workspace = format!("workspace: \"{host}\"");
        let works = Box::new(&workspace, "", &asks("workspace:.", "read-write"));
        assert_eq!(answer(&works.run(json!([["read", "/e/b"], ["write", "/e/c", 1]]))), json!(["beta", null]));
        let leaves = Box::new(&workspace, "", &asks("workspace:../", "read"));
        assert_ne!(leaves.run(json!([["folders"], ["read", "/e/b"]])).ending, Ending::Success);
        let none = Box::new("", "", &asks("workspace:.", "read"));
        let hint = none.run(read).error.as_ref().unwrap().hint.clone().unwrap();
        assert!(hint.contains("workspace: ./some/folder"), "{hint}");
        drop(none.home);
    }

    /// What a tool writes is neither its source nor a reason to build it again.
    #[test]
    fn writing_does_not_make_it_another_tool() {
        let files = Box::new("", "", ASKS);
        let first = files.run(json!([["write", "/out/a", 1]]));
        let stamp = std::time::Instant::now();
        // The tool's files are looked at again after 200 ms.
        let again = loop {
            let again = files.run(json!([["append", "/out/a", "x"]]));
            if stamp.elapsed() > std::time::Duration::from_millis(300) {
                break again;
            }
        };
        assert!(again.cached, "nothing was built for it");
        assert_eq!(first.component, again.component);
    }
}
