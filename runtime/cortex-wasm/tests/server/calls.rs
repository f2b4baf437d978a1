//! Our own routes: calls that are waited for, left and followed; executions; builds.

use std::io::{BufRead, BufReader, Read};

use serde_json::{Value, json};

use crate::host::{Place, events};

#[test]
fn a_call_answers_with_its_execution_and_a_failing_one_with_a_problem_that_names_its_ending() {
    let place = Place::new();
    let server = place.serve(&[]);
    let answer = server.call("calculator", &json!({"expression": "2**10"}));
    let execution = answer.expect(200);
    assert_eq!((&execution["result"]["result"], &execution["ending"]), (&json!(1024), &json!("success")));
    assert!(execution["usage"]["fuel"].as_u64().unwrap() > 0);
    assert!(answer.header("x-request-id").is_some());

    let failed = server.call("answers", &json!({"code": "odd", "message": "no"}));
    assert_eq!(failed.header("content-type"), Some("application/problem+json"));
    let problem = failed.expect(422);
    assert_eq!((&problem["code"], &problem["execution"]["error"]["code"]), (&json!("tool_error"), &json!("odd")));
    assert_eq!(server.call("calculator", &json!({"expresion": "1"})).expect(400)["code"], "invalid_input");
    assert_eq!(server.call("answers", &json!({"panic": "well"})).expect(502)["code"], "trap");
    let late = server.post("/v1/tools/spins/calls", &json!({ "limits": { "timeout_ms": 50 } })).expect(504);
    assert_eq!(late["code"], "deadline_exceeded");
    let poor = server.post("/v1/tools/spins/calls", &json!({ "limits": { "fuel": 1000 } })).expect(422);
    assert_eq!(poor["code"], "out_of_fuel");
}

#[test]
fn what_is_wrong_with_a_request_is_a_problem_with_a_code() {
    let place = Place::new();
    let server = place.serve(&["--body-limit", "1K"]);
    let path = "/v1/tools/calculator/calls";
    let code = |answer: crate::host::Answer, status: u16| answer.expect(status)["code"].as_str().unwrap().to_owned();
    assert_eq!(code(server.send("POST", path, &[], Some("{")), 400), "invalid_body");
    assert_eq!(code(server.post(path, &json!({ "inputs": {} })), 422), "invalid_body");
    assert_eq!(code(server.post(path, &json!({ "input": "x".repeat(2000) })), 413), "body_too_large");
    let form = [("Content-Type", "text/plain")];
    assert_eq!(code(server.send("POST", path, &form, Some("{}")), 415), "unsupported_body");
    assert_eq!(code(server.get("/v1/nothing"), 404), "unknown_route");
    assert_eq!(code(server.get(path), 405), "unknown_method");
    assert_eq!(code(server.get("/v1/executions?limit=0"), 400), "bad_request");
    assert_eq!(code(server.get("/v1/executions?wrong=1"), 400), "bad_request");
    // Names lead to tools, paths lead nowhere.
    for tool in [".", "%2e%2e%2f%2e%2e", "%2Fetc", "x.wasm", "..%2Ftools%2Fspins"] {
        assert_eq!(code(server.call(tool, &json!({})), 404), "unknown_tool", "{tool}");
    }
}

#[test]
fn a_call_that_is_not_waited_for_is_listed_and_cancelled() {
    let place = Place::new();
    let server = place.serve(&[]);
    let id = server.begin("spins", &json!({}), "s");
    let listed = server.get("/v1/executions?status=running&session_id=s").expect(200);
    // The row was written when the call was pending.
    let all = server.get("/v1/executions?session_id=s").expect(200);
    assert_eq!(all["executions"][0]["execution_id"], json!(id), "{listed}");
    let cancelled = server.send("POST", &format!("/v1/executions/{id}/cancel"), &[], None).expect(202);
    assert_eq!(cancelled["status"], "cancelling");
    let record = server.until(&id, |record| !record["ending"].is_null());
    assert_eq!((&record["status"], &record["error"]["code"]), (&json!("cancelled"), &json!("cancelled")));
    assert!(record["usage"]["fuel"].as_u64().unwrap() > 0, "what it used until then is known");
    server.send("POST", &format!("/v1/executions/{id}/cancel"), &[], None).expect(409);
    let shown: Value = serde_json::from_str(&place.run(&["executions", "show", &id, "--format", "json"])).unwrap();
    assert_eq!(shown["status"], "cancelled");
    let url = format!("http://{}", server.address);
    let listed = place.run(&["executions", "list", "--server", &url, "--session", "s"]);
    assert!(listed.contains(&id) && listed.contains("cancelled"), "{listed}");
}

#[test]
fn executions_are_cancelled_from_the_command_line_by_the_file_and_by_the_server() {
    let place = Place::new();
    let server = place.serve(&[]);
    let url = format!("http://{}", server.address);
    for extra in [&[][..], &["--server", &url]] {
        let id = server.begin("spins", &json!({}), "s");
        place.run(&[&["executions", "cancel", &id], extra].concat());
        assert_eq!(server.until(&id, |record| !record["ending"].is_null())["status"], "cancelled");
    }
}

#[test]
fn a_call_is_followed_line_by_line_and_stopped_when_nobody_follows_any_more() {
    let place = Place::new();
    let server = place.serve(&[]);
    let followed = server.post("/v1/tools/calculator/calls?stream=true", &json!({ "input": {"expression": "1"} }));
    assert_eq!(followed.header("content-type"), Some("text/event-stream"));
    let events = events(&followed.body);
    assert_eq!(events.first().unwrap().0, "begin");
    let (name, end) = events.last().unwrap();
    assert_eq!(
        (name.as_str(), &end["execution"]["result"]["result"], &end["http_status"]),
        ("end", &json!(1), &json!(200))
    );

    let stream = server.open("POST", "/v1/tools/spins/calls?stream=true", &[], Some("{}"));
    let mut lines = BufReader::new(stream).lines();
    let begin = lines.find_map(|line| line.unwrap().strip_prefix("data: ").map(str::to_owned)).unwrap();
    let begin: Value = serde_json::from_str(&begin).unwrap();
    drop(lines);
    let id = begin["execution_id"].as_str().unwrap();
    assert_eq!(server.until(id, |record| !record["ending"].is_null())["status"], "cancelled");
}

#[test]
fn a_client_that_goes_away_holds_no_sandbox() {
    let place = Place::new();
    let server = place.serve(&["--calls", "1"]);
    let waiting = server.open("POST", "/v1/tools/spins/calls", &[], Some("{}"));
    while server.get("/v1/system").expect(200)["queue"]["running"] != 1 {
        std::thread::yield_now();
    }
    drop(waiting);
    server.call("calculator", &json!({"expression": "1"})).expect(200);
}

#[test]
fn more_calls_than_may_wait_are_refused_and_none_is_taken_while_the_server_ends() {
    let place = Place::new();
    let mut server = place.serve(&["--calls", "1", "--queue", "1", "--shutdown-timeout", "1s"]);
    let running = server.begin("spins", &json!({}), "s");
    while server.get(&format!("/v1/executions/{running}")).expect(200)["status"] != "running" {
        std::thread::yield_now();
    }
    let mut waiting = server.open("POST", "/v1/tools/spins/calls", &[], Some("{}"));
    while server.get("/v1/system").expect(200)["queue"]["waiting"] != 1 {
        std::thread::yield_now();
    }
    let refused = server.call("calculator", &json!({"expression": "1"}));
    assert_eq!(refused.expect(429)["code"], "overloaded");
    assert!(refused.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
    let said = server.terminate();
    assert!(said.contains("1 calls did not end in time and were cancelled"), "{said}");
    let mut answer = String::new();
    waiting.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(place.run(&["executions", "show", &running]).contains("cancelled"));
}

#[test]
fn tools_are_listed_with_what_they_take_and_may_do() {
    let place = Place::new();
    place.tool(
        "reaches",
        guest_artifacts::NETWORK_FETCHES,
        "",
        "permissions: { network: [\"https://example.com\"] }\n",
    );
    let server = place.serve(&[]);
    let found = server.get("/v1/tools?search=expression").expect(200);
    assert!(found["tools"].as_array().unwrap().iter().all(|tool| tool["name"] == "calculator"), "{found}");
    let tool = server.get("/v1/tools/reaches").expect(200);
    assert_eq!(tool["permits"][0]["words"], "May send requests to https://example.com.");
    assert!(tool["limits"]["memory_bytes"].as_u64().unwrap() > 0);
    let schema = server.get("/v1/tools/calculator/schema").expect(200);
    assert_eq!(schema["required"], json!(["expression"]));
    assert_eq!(server.get("/v1/tools/calculator/plan").expect(200)["backend"], "wasm");
    server.get("/v1/tools/nothing").expect(404);
}

#[test]
fn a_build_is_started_and_followed_to_its_end() {
    let place = Place::new();
    let server = place.serve(&[]);
    let started = server.post("/v1/builds", &json!({ "tool": "answers", "force": true })).expect(202);
    let id = started["build_id"].as_str().unwrap();
    let events = events(&server.get(&format!("/v1/builds/{id}/events")).body);
    let (_, last) = events.last().unwrap();
    assert_eq!((&last["status"], &last["tool"]), (&json!("success"), &json!("answers")));
    assert!(!last["lines"].as_array().unwrap().is_empty());
    assert_eq!(server.get("/v1/builds").expect(200)["builds"][0]["build_id"], json!(id));
    server.get("/v1/builds/build_0").expect(404);
}

#[test]
fn figures_are_counted_for_prometheus_and_the_dashboard_knows_them() {
    let place = Place::new();
    let server = place.serve(&[]);
    server.call("calculator", &json!({"expression": "1"})).expect(200);
    server.call("answers", &json!({"code": "odd"})).expect(422);
    let text = server.get("/metrics").body;
    for line in [
        r#"cortex_calls_total{tool="calculator",ending="success"} 1"#,
        r#"cortex_calls_total{tool="answers",ending="tool_error"} 1"#,
        r#"cortex_call_duration_seconds_count{tool="calculator"} 1"#,
        "cortex_pool_size 1000",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    let dashboard = include_str!("../../../cortex-server/grafana-dashboard.json");
    let dashboard: Value = serde_json::from_str(dashboard).unwrap();
    let shown = dashboard.to_string();
    let names = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    for name in names {
        assert!(shown.contains(name), "the dashboard does not show {name}");
    }
}
