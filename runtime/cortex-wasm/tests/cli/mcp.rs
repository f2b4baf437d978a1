//! `cortex-wasm mcp` as an agent's client meets it, over standard input and output.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use cortex_runtime::{Executions, Filter, Status};
use serde_json::{Value, json};

use crate::session::{Session, assert_output};

/// Longer than anything here takes, so that a test that waits for nothing ends.
const PATIENCE: Duration = Duration::from_mins(2);

/// A client and the server that it started.
struct Client {
    server: Child,
    input: Option<ChildStdin>,
    said: Receiver<Value>,
    /// What the server said that was no answer to the request at hand.
    others: Vec<Value>,
    /// Sent with each request by clients of the newest revision.
    meta: Option<Value>,
    requests: u64,
}

impl Client {
    fn start(session: &Session, arguments: &[&str], meta: Option<Value>) -> Self {
        let mut command = session.command(&[&["mcp"], arguments].concat());
        let mut server = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (server.stdin.take(), BufReader::new(server.stdout.take().unwrap()));
        let (sender, said) = channel();
        std::thread::spawn(move || {
            for line in output.lines() {
                let line = line.unwrap();
                let message = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
                if sender.send(message).is_err() {
                    break;
                }
            }
        });
        Self { server, input, said, others: Vec::new(), meta, requests: 0 }
    }

    /// A client of revision 2025-11-25: it begins with a handshake.
    fn with_session(session: &Session, arguments: &[&str]) -> Self {
        let mut client = Self::start(session, arguments, None);
        let begun = client.result(
            "initialize",
            json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}),
        );
        assert_eq!(begun["protocolVersion"], "2025-11-25");
        client.notify("notifications/initialized", &json!({}));
        client
    }

    /// A client of revision 2026-07-28: every request stands on its own.
    #[expect(clippy::needless_pass_by_value, reason = "callers write `json!` in its place")]
    fn without_session(session: &Session, capabilities: Value) -> Self {
        let meta = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": capabilities,
        });
        Self::start(session, &[], Some(meta))
    }

    fn send(&mut self, message: &Value) {
        writeln!(self.input.as_mut().unwrap(), "{message}").unwrap();
    }

    fn notify(&mut self, method: &str, params: &Value) {
        self.send(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    /// Sends a request and returns its identity.
    fn ask(&mut self, method: &str, mut params: Value) -> u64 {
        if let Some(meta) = &self.meta {
            params["_meta"] = meta.clone();
        }
        self.requests += 1;
        self.send(&json!({"jsonrpc": "2.0", "id": self.requests, "method": method, "params": params}));
        self.requests
    }

    /// The next message for which this holds.
    fn wait(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.others.iter().position(&wanted) {
            return self.others.remove(at);
        }
        loop {
            let message = self.said.recv_timeout(PATIENCE).expect("the server says something");
            if wanted(&message) {
                return message;
            }
            self.others.push(message);
        }
    }

    fn request(&mut self, method: &str, params: Value) -> Value {
        let id = self.ask(method, params);
        self.wait(|message| message["id"] == id && message.get("method").is_none())
    }

    fn result(&mut self, method: &str, params: Value) -> Value {
        let answer = self.request(method, params);
        assert!(answer["result"].is_object(), "{answer}");
        answer["result"].clone()
    }

    #[expect(clippy::needless_pass_by_value, reason = "callers write `json!` in its place")]
    fn call(&mut self, tool: &str, arguments: Value) -> Value {
        self.result("tools/call", json!({"name": tool, "arguments": arguments}))
    }

    /// Talks with the server until something holds.
    fn until(&mut self, holds: impl Fn() -> bool) {
        let begun = Instant::now();
        while !holds() {
            assert!(begun.elapsed() < PATIENCE, "it never came true");
            self.result("ping", json!({}));
        }
    }

    /// Asks for a task until it has ended.
    fn end_of(&mut self, task: &Value) -> Value {
        let begun = Instant::now();
        loop {
            assert!(begun.elapsed() < PATIENCE, "the task never ended");
            let now = self.result("tasks/get", json!({"taskId": task["taskId"]}));
            if now["status"] != "working" {
                return now;
            }
        }
    }

    /// The names of those that were added, without the standard tools.
    fn added(&mut self, what: &str) -> Vec<String> {
        let standard = ["calculator", "kv_store"];
        self.names(what).into_iter().filter(|name| !standard.contains(&name.as_str())).collect()
    }

    fn names(&mut self, what: &str) -> Vec<String> {
        let list = self.result(&format!("{what}/list"), json!({}));
        list[what].as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap().to_owned()).collect()
    }
}

impl Drop for Client {
    /// The server ends when its client has gone; one that does not is ended.
    fn drop(&mut self) {
        drop(self.input.take());
        if std::thread::panicking() {
            let _ = self.server.kill();
        }
        let ended = self.server.wait();
        assert!(std::thread::panicking() || ended.unwrap().success());
    }
}

/// A manifest that is only listed, never built.
fn listed(name: &str, more: &str) -> String {
    format!(
        "kind: Tool\nversion: \"1.0\"\nname: {name}\nsummary: Is listed.\nimplementation: {{ entrypoint: main.js }}\n{more}"
    )
}

#[test]
fn a_tool_is_listed_with_everything_that_its_manifest_says() {
    let session = Session::new();
    session.write(
        "manifests/tools/searcher/tool.yml",
        &listed(
            "searcher",
            "returns: Titles.\npermissions: { network: [\"https://example.com\"] }\nmcp:\n  title: The searcher\n  \
             output_schema: { type: object }\n",
        ),
    );
    let mut client = Client::with_session(&session, &[]);
    let list = client.result("tools/list", json!({}));
    let tool = |name: &str| {
        let tools = list["tools"].as_array().unwrap();
        tools.iter().find(|tool| tool["name"] == name).unwrap_or_else(|| panic!("no {name} in {list}")).clone()
    };
    let echo = tool("echo");
    assert_eq!(echo["title"], "Echo");
    assert_eq!(echo["description"], "Says what it was told.\n\nAnswers with its name and its input.");
    assert_eq!(echo["inputSchema"]["required"], json!(["text"]));
    let harmless = json!({"title": "Echo", "readOnlyHint": true, "destructiveHint": false, "idempotentHint": true,
                          "openWorldHint": false});
    assert_eq!(echo["annotations"], harmless);
    let searcher = tool("searcher");
    assert_eq!((&searcher["title"], &searcher["outputSchema"]), (&json!("The searcher"), &json!({"type": "object"})));
    assert_eq!(searcher["description"], "Is listed.\n\nReturns: Titles.");
    let open = json!({"title": "The searcher", "readOnlyHint": false, "destructiveHint": true, "openWorldHint": true});
    assert_eq!(searcher["annotations"], open);
}

#[test]
fn what_a_tool_does_wrong_is_a_result_and_what_the_client_does_wrong_is_an_error() {
    let session = Session::new();
    let mut client = Client::with_session(&session, &[]);
    let answered = client.call("echo", json!({"text": "hi"}));
    assert_eq!(answered["structuredContent"]["input"]["text"], "hi", "{answered}");
    let text = answered["content"][0]["text"].as_str().unwrap();
    assert_eq!(serde_json::from_str::<Value>(text).unwrap(), answered["structuredContent"]);
    assert_eq!(answered["isError"], false);

    let failed = client.call("answers", json!({"code": "no_luck", "message": "no luck today"}));
    assert_eq!(
        (&failed["isError"], &failed["content"][0]["text"]),
        (&json!(true), &json!("no luck today")),
        "{failed}"
    );
    assert_eq!(failed["_meta"]["cortex-wasm/ending"], "tool_error");
    assert!(failed["_meta"]["cortex-wasm/execution_id"].as_str().unwrap().starts_with("exec_"));

    let invalid = client.call("echo", json!({"txt": "hi"}));
    assert_eq!(invalid["isError"], true);
    assert!(invalid["content"][0]["text"].as_str().unwrap().contains("did you mean `text`?"), "{invalid}");

    let unknown = client.request("tools/call", json!({"name": "nobody", "arguments": {}}));
    assert_eq!(unknown["error"]["code"], -32602, "{unknown}");
    let unheard = client.request("tools/dance", json!({}));
    assert_eq!(unheard["error"]["code"], -32601, "{unheard}");
}

#[test]
fn a_result_that_breaks_its_schema_is_an_error_of_the_tool() {
    let session = Session::new();
    let manifest = "kind: Tool\nversion: \"1.0\"\nname: picky\nsummary: Promises.\nimplementation: { runtime: component, \
                    entrypoint: ./guest.wasm }\nparameters: [{ name: text, type: string, required: true }]\nmcp:\n  \
                    output_schema: { type: object, required: [sum] }\n";
    session.add("picky", manifest, guest_artifacts::CONTRACT_COMMAND_INPUT);
    let mut client = Client::with_session(&session, &[]);
    let broken = client.call("picky", json!({"text": "hi"}));
    assert_eq!((&broken["isError"], &broken["_meta"]["cortex-wasm/ending"]), (&json!(true), &json!("invalid_output")));
    assert!(broken["content"][0]["text"].as_str().unwrap().contains("`output_schema`"), "{broken}");
}

#[test]
fn a_call_that_the_client_cancels_stops_running() {
    let session = Session::empty();
    session.add_limited("sleeper", guest_artifacts::LIMIT_SLEEPS, "ms", "timeout: 600");
    let mut client = Client::with_session(&session, &[]);
    let id = client.ask("tools/call", json!({"name": "sleeper", "arguments": {"ms": 600_000}}));
    let executions = Executions::of_home(&session.home());
    let status = || executions.list(&Filter::default(), 1).unwrap().executions.first().map(|found| found.status);
    client.until(|| status().is_some());
    assert!(!status().unwrap().is_final());
    client.notify("notifications/cancelled", &json!({"requestId": id, "reason": "changed my mind"}));
    client.until(|| status().unwrap().is_final());
    assert_eq!(status(), Some(Status::Cancelled));
}

#[test]
fn a_manifest_that_comes_goes_or_changes_is_announced() {
    let session = Session::empty();
    session.write("manifests/tools/first/tool.yml", &listed("first", ""));
    let mut client = Client::with_session(&session, &[]);
    assert_eq!(client.added("tools"), ["first"]);
    session.write("manifests/tools/second/tool.yml", &listed("second", ""));
    client.wait(|message| message["method"] == "notifications/tools/list_changed");
    assert_eq!(client.added("tools"), ["first", "second"]);
    session.write("manifests/tools/second/tool.yml", &listed("second", "mcp: { publish: prompt }\n"));
    client.wait(|message| message["method"] == "notifications/prompts/list_changed");
    client.wait(|message| message["method"] == "notifications/tools/list_changed");
    assert_eq!((client.added("tools"), client.added("prompts")), (vec!["first".into()], vec!["second".into()]));
}

#[test]
fn a_resource_that_somebody_watches_is_announced_when_its_source_changes() {
    let session = Session::empty();
    let manifest = listed("note", "mcp: { publish: resource, uri: \"notes://today\" }\n");
    session.write("manifests/tools/note/tool.yml", &manifest);
    session.write("manifests/tools/note/main.js", "export default () => 'first';");
    let mut client = Client::with_session(&session, &[]);
    client.result("resources/subscribe", json!({"uri": "notes://today"}));
    session.write("manifests/tools/note/main.js", "export default () => 'second';");
    let updated = client.wait(|message| message["method"] == "notifications/resources/updated");
    assert_eq!(updated["params"]["uri"], "notes://today");
}

#[test]
fn a_long_list_comes_in_pages() {
    let session = Session::empty();
    for number in 0..120 {
        session.write(&format!("manifests/tools/tool{number:03}/tool.yml"), &listed(&format!("tool{number:03}"), ""));
    }
    let mut client = Client::with_session(&session, &[]);
    let first = client.result("tools/list", json!({}));
    assert_eq!(first["tools"].as_array().unwrap().len(), 100);
    let second = client.result("tools/list", json!({"cursor": first["nextCursor"]}));
    assert_eq!(second.get("nextCursor"), None);
    let pages = [&first, &second].into_iter().flat_map(|page| page["tools"].as_array().unwrap());
    let ours: Vec<_> = pages.filter(|tool| tool["name"].as_str().unwrap().starts_with("tool")).collect();
    assert_eq!(ours.len(), 120, "each once, whatever else there is");
    let wrong = client.request("tools/list", json!({"cursor": "17"}));
    assert_eq!(wrong["error"]["code"], -32602);
}

#[test]
fn a_name_that_two_folders_have_gets_the_namespace_of_the_later_one() {
    let session = Session::empty();
    for folder in ["ours", "theirs"] {
        let manifest = "kind: Tool\nversion: \"1.0\"\nname: echo\nsummary: Echoes.\nimplementation: { runtime: component, \
                        entrypoint: ./guest.wasm }\nparameters: [{ name: text, type: string }]\n";
        session.write(&format!("{folder}/echo/tool.yml"), manifest);
        let guest = guest_artifacts::check(guest_artifacts::CONTRACT_COMMAND_INPUT);
        fs_err::copy(guest, session.work().join(folder).join("echo/guest.wasm")).unwrap();
    }
    let folders = ["--manifests", "ours", "--manifests", "theirs"];
    let mut client = Client::with_session(&session, &folders);
    assert_eq!(client.added("tools"), ["echo", "theirs.echo"]);
    let called = client.call("theirs.echo", json!({"text": "hi"}));
    assert_eq!(called["structuredContent"]["input"]["text"], "hi", "{called}");
    let listed = session.run(&[&["list", "--format", "json"][..], &folders].concat()).json(0);
    let theirs = listed.as_array().unwrap().iter().find(|tool| tool["name"] == "theirs.echo").unwrap();
    assert!(theirs["taken_by"].as_str().unwrap().ends_with("ours/echo"), "{theirs}");
}

/// A component made for another host: a function of its own, and one of an interface.
const SUMS: &str = r#"
(component
  (core module $module
    (func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add)
    (func (export "double") (param i32) (result i32) local.get 0 i32.const 2 i32.mul))
  (core instance $core (instantiate $module))
  (func $add (param "a" u32) (param "b" u32) (result u32) (canon lift (core func $core "add")))
  (func $double (param "number" u32) (result u32) (canon lift (core func $core "double")))
  (instance $ops (export "double" (func $double)))
  (export "add" (func $add))
  (export "local:math/ops" (instance $ops)))
"#;

/// Writes a tool that is a finished component and says nothing of parameters.
fn add_component(session: &Session, folder: &str, wat: &str) {
    let manifest = "kind: Tool\nversion: \"1.0\"\nname: sums\nsummary: Sums.\n\
                    implementation: { runtime: component, entrypoint: ./sums.wasm }\n";
    session.write(&format!("{folder}/sums/tool.yml"), manifest);
    fs_err::write(session.work().join(folder).join("sums/sums.wasm"), wat::parse_str(wat).unwrap()).unwrap();
}

#[test]
fn each_function_of_a_component_with_several_is_a_tool_with_its_own_schema() {
    let session = Session::empty();
    let only = SUMS.replace("(export \"local:math/ops\" (instance $ops))", "");
    add_component(&session, "manifests", SUMS);
    add_component(&session, "other", &only);
    let mut client = Client::with_session(&session, &["--manifests", "manifests", "--manifests", "other"]);
    assert_eq!(client.added("tools"), ["other.sums", "sums.add", "sums.ops.double"], "one that is alone needs no name");
    let tools = client.result("tools/list", json!({}));
    let tool = |name: &str| tools["tools"].as_array().unwrap().iter().find(|tool| tool["name"] == name).unwrap();
    let add = tool("sums.add");
    assert_eq!((&add["title"], &add["description"]), (&json!("Sums: add"), &json!("The function `add` of: Sums.")));
    let taken = |name: &str| {
        let schema = &tool(name)["inputSchema"];
        let names: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
        (json!(names), schema["required"].clone(), schema["properties"][names[0]]["type"].clone())
    };
    assert_eq!(taken("sums.add"), (json!(["a", "b"]), json!(["a", "b"]), json!("integer")));
    assert_eq!(taken("sums.ops.double"), (json!(["number"]), json!(["number"]), json!("integer")));
    assert_eq!(taken("other.sums"), taken("sums.add"));
    for (name, arguments, sum) in [
        ("sums.add", json!({"a": 2, "b": 3}), "5"),
        ("sums.ops.double", json!({"number": 21}), "42"),
        ("other.sums", json!({"a": 20, "b": 3}), "23"),
    ] {
        let called = client.call(name, arguments);
        assert_eq!((&called["isError"], &called["content"][0]["text"]), (&json!(false), &json!(sum)), "{called}");
    }
    let wrong = client.call("sums.add", json!({"a": -1, "b": 3}));
    assert_eq!((&wrong["isError"], &wrong["content"][0]["text"]), (&json!(true), &json!("`/a` is `-1`, below 0")));
    let unknown = client.request("tools/call", json!({"name": "sums.subtract", "arguments": {}}));
    assert_eq!(unknown["error"]["message"], "Unknown tool: sums.subtract");

    // One that is built anew has other functions, and clients hear of it.
    add_component(&session, "manifests", &SUMS.replace("(export \"add\" (func $add))", ""));
    client.wait(|message| message["method"] == "notifications/tools/list_changed");
    assert_eq!(client.added("tools"), ["other.sums", "sums"]);
    assert_eq!(client.call("sums", json!({"number": 4}))["content"][0]["text"], "8");
}

#[test]
fn arguments_with_few_values_are_completed() {
    let session = Session::empty();
    let manifest = listed(
        "letter",
        "parameters:\n  - { name: style, type: string, enum: [formal, friendly, terse] }\n  - { name: brief, type: boolean }\n\
         mcp: { publish: prompt }\n",
    );
    session.write("manifests/tools/letter/tool.yml", &manifest);
    let mut client = Client::with_session(&session, &[]);
    let mut complete = |argument: &str, typed: &str| {
        let reference = json!({"type": "ref/prompt", "name": "letter"});
        let params = json!({"ref": reference, "argument": {"name": argument, "value": typed}});
        client.result("completion/complete", params)["completion"]["values"].clone()
    };
    assert_eq!(complete("style", "f"), json!(["formal", "friendly"]));
    assert_eq!(complete("brief", ""), json!(["true", "false"]));
    assert_eq!(complete("other", ""), json!([]));
}

#[test]
fn a_call_that_takes_long_becomes_a_task_for_a_client_that_knows_tasks() {
    let session = Session::empty();
    session.add_limited("sleeper", guest_artifacts::LIMIT_SLEEPS, "ms", "timeout: 600");
    // A first call compiles, which may take longer than a call may that is no task.
    session.run(&["-q", "build", "sleeper"]);
    let tasks = json!({"extensions": {"io.modelcontextprotocol/tasks": {}}});
    let mut client = Client::without_session(&session, tasks);
    let quick = client.call("sleeper", json!({"ms": 1}));
    assert_eq!((&quick["resultType"], &quick["structuredContent"]), (&json!("complete"), &json!(1)), "{quick}");

    let slow = client.call("sleeper", json!({"ms": 2_500}));
    assert_eq!((&slow["resultType"], &slow["status"]), (&json!("task"), &json!("working")), "{slow}");
    let finished = client.end_of(&slow);
    assert_eq!((&finished["status"], &finished["result"]["structuredContent"]), (&json!("completed"), &json!(2_500)));

    let endless = client.call("sleeper", json!({"ms": 600_000}));
    client.result("tasks/cancel", json!({"taskId": endless["taskId"]}));
    assert_eq!(client.end_of(&endless)["status"], "cancelled");
}

#[test]
fn tools_about_tools_are_offered_to_those_who_may_use_them() {
    let session = Session::new();
    let mut plain = Client::with_session(&session, &[]);
    assert!(!plain.names("tools").contains(&"create_tool".to_owned()));
    let refused = plain.request("tools/call", json!({"name": "create_tool", "arguments": {"files": {}}}));
    assert_eq!(refused["error"]["code"], -32602, "{refused}");

    let mut client = Client::with_session(&session, &["--meta-tools", "made"]);
    for tool in ["build_tool", "create_tool", "search_tools"] {
        assert!(client.names("tools").contains(&tool.to_owned()), "{tool}");
    }
    let found = client.call("search_tools", json!({"query": "arithmetic expression"}));
    assert_eq!(found["structuredContent"]["tools"][0]["name"], "calculator", "{found}");
    let built = client.call("build_tool", json!({"tool": "echo"}));
    assert_eq!(built["structuredContent"]["built"], false, "{built}");

    let manifest = |more: &str| listed("greeter", more);
    let create =
        |manifest: String, path: &str| json!({"files": {"tool.yml": manifest, path: "export default () => 'hi';"}});
    for (arguments, why) in [
        (create(manifest("permissions: { network: [\"https://example.com\"] }\n"), "main.js"), "may not have"),
        (create(manifest("environment: { secrets: [KEY] }\n"), "main.js"), "may not have"),
        (create(manifest(""), "../main.js"), "leaves the folder"),
        (
            create(
                manifest("").replace("entrypoint: main.js", "runtime: rust, entrypoint: ./Cargo.toml"),
                "Cargo.toml",
            ),
            "JavaScript, TypeScript or Python",
        ),
        (create("kind: Tool".into(), "main.js"), "missing field"),
    ] {
        let refused = client.call("create_tool", arguments);
        let said = refused["content"][0]["text"].as_str().unwrap();
        assert!(refused["isError"] == true && said.contains(why), "{said}");
    }
    assert!(
        fs_err::read_dir(session.work().join("made")).unwrap().next().is_none(),
        "nothing is left of what was refused"
    );
}

#[test]
fn agents_are_told_how_to_start_the_server() {
    let session = Session::new();
    session.write("cortex.yml", "kind: Policy\nversion: \"1.0\"\n");
    let mut settings = crate::session::filters(&session);
    settings.add_filter(r#"[^"]*/cortex-wasm""#, "[PROGRAM]\"");
    settings.add_filter(r"\[TMP\]/work", "[HERE]");
    settings.bind(|| {
        insta::assert_snapshot!(session.run(&["mcp", "config", "claude-code"]), @r#"
    exit code: 0
    ----- stdout -----
    {
      "mcpServers": {
        "cortex-wasm": {
          "command": "[PROGRAM]",
          "args": [
            "mcp",
            "--manifests",
            "[HERE]/manifests",
            "--policy",
            "[HERE]/cortex.yml"
          ],
          "type": "stdio"
        }
      }
    }
    ----- stderr -----
    # .mcp.json in the project, or pass the value of `cortex-wasm` to `claude mcp add-json cortex-wasm`
    "#);
        insta::assert_snapshot!(session.run(&["mcp", "config", "codex", "--meta-tools", "made"]), @r#"
    exit code: 0
    ----- stdout -----
    [mcp_servers.cortex-wasm]
    command = "[PROGRAM]"
    args = ["mcp", "--manifests", "[HERE]/manifests", "--policy", "[HERE]/cortex.yml", "--meta-tools", "[HERE]/made"]
    ----- stderr -----
    # ~/.codex/config.toml
    "#);
    });
    assert_output!(session, ["mcp", "config", "vscode", "--url", "http://127.0.0.1:8086/mcp"], @r#"
    exit code: 0
    ----- stdout -----
    {
      "servers": {
        "cortex-wasm": {
          "url": "http://127.0.0.1:8086/mcp",
          "type": "http"
        }
      }
    }
    ----- stderr -----
    # .vscode/mcp.json in the project, or `MCP: Open User Configuration`
    "#);
    assert_output!(session, ["mcp", "config", "claude-desktop", "--url", "http://127.0.0.1:8086/mcp"], @r#"
    exit code: 120
    ----- stdout -----
    ----- stderr -----
    error: Claude Desktop's settings file names only servers that it starts; leave out `--url`, or add the address under Settings, Connectors
    "#);
}
