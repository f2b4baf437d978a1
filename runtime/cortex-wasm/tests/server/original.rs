//! A client that was written for the original system.

use serde_json::{Value, json};

use crate::host::{Place, Server};

#[expect(clippy::needless_pass_by_value, reason = "a literal reads better than a reference to one")]
fn request(tool: &str, parameters: Value) -> Value {
    json!({ "tool_name": tool, "session_id": "s1", "parameters": parameters })
}

fn execute(server: &Server, request: &Value) -> Value {
    server.post("/containers/tool/execute", request).expect(200)
}

#[test]
fn a_tool_is_executed_and_found_again_with_every_field_of_the_original() {
    let place = Place::new();
    let server = place.serve(&[]);
    let result = execute(&server, &request("calculator", json!({"expression": "6 * 7"})));
    let fields: Vec<&String> = result.as_object().unwrap().keys().collect();
    let known = [
        "execution_id",
        "tool_name",
        "session_id",
        "status",
        "started_at",
        "completed_at",
        "exit_code",
        "stdout",
        "stderr",
        "result",
        "container_id",
        "execution_time_seconds",
        "memory_used_mb",
        "error",
    ];
    assert_eq!(fields, known);
    assert_eq!(
        (&result["status"], &result["exit_code"], &result["session_id"]),
        (&json!("success"), &json!(0), &json!("s1"))
    );
    assert_eq!(result["result"]["result"], 42);
    assert_eq!(serde_json::from_str::<Value>(result["stdout"].as_str().unwrap()).unwrap(), result["result"]);
    assert!(result["execution_time_seconds"].as_f64().unwrap() > 0.0);
    let id = result["execution_id"].as_str().unwrap();
    let again = server.get(&format!("/containers/tool/{id}")).expect(200);
    for field in ["execution_id", "status", "result", "stdout", "execution_time_seconds"] {
        assert_eq!(again[field], result[field], "{field}");
    }
    let logs = server.get(&format!("/containers/tool/{id}/logs")).expect(200);
    assert_eq!(logs["stdout"], result["stdout"]);
    let missing = server.get("/containers/tool/exec_0000000000000000").expect(404);
    assert_eq!(missing["detail"], "Execution not found: exec_0000000000000000");
}

#[test]
fn a_tool_that_fails_is_a_result_and_one_that_is_not_there_is_an_error() {
    let place = Place::new();
    let server = place.serve(&[]);
    let failed = execute(&server, &request("calculator", json!({"expression": "1 +"})));
    assert_eq!((&failed["status"], &failed["exit_code"]), (&json!("failed"), &json!(1)));
    assert!(!failed["error"].as_str().unwrap().is_empty());
    let mut limited = request("spins", json!({}));
    limited["resource_limits"] = json!({ "timeout_seconds": 1, "memory_mb": 8192, "cpu_limit": 2.0 });
    let late = execute(&server, &limited);
    assert_eq!((&late["status"], &late["exit_code"]), (&json!("timeout"), &json!(124)));
    let unknown = server.post("/containers/tool/execute", &request("nothing", json!({}))).expect(404);
    assert_eq!(unknown["code"], "unknown_tool");
    let wrong = server.post("/containers/tool/execute", &json!({ "session_id": "s" })).expect(422);
    assert!(wrong["detail"].as_str().unwrap().contains("tool_name"), "{wrong}");
}

#[test]
fn what_only_a_container_has_is_refused_and_what_a_sandbox_can_do_is_done() {
    let place = Place::new();
    let server = place.serve(&[]);
    for (field, value) in [
        ("image", json!("python:3.11-slim")),
        ("dockerfile", json!("./Dockerfile")),
        ("volumes", json!({"/etc": "/data"})),
        ("network_mode", json!("host")),
    ] {
        let mut asked = request("calculator", json!({"expression": "1"}));
        asked[field] = value;
        let refused = server.post("/containers/tool/execute", &asked).expect(422);
        assert_eq!(refused["code"], "not_supported");
        assert!(refused["detail"].as_str().unwrap().contains(field));
    }
    let mut usual = request("calculator", json!({"expression": "1"}));
    usual["environment"] = json!({});
    usual["volumes"] = json!({});
    usual["network_mode"] = json!("bridge");
    usual["cleanup"] = json!(true);
    usual["resource_limits"] = json!({ "memory_mb": 512, "cpu_limit": 1.0, "timeout_seconds": 300 });
    assert_eq!(execute(&server, &usual)["status"], "success");
}

#[test]
fn calls_of_a_session_are_seen_and_stopped() {
    let place = Place::new();
    let server = place.serve(&[]);
    let id = server.begin("spins", &json!({}), "mine");
    let other = server.begin("spins", &json!({}), "yours");
    let stats = server.get("/containers/stats").expect(200);
    assert_eq!(stats.as_array().unwrap().len(), 2);
    assert_eq!(server.get(&format!("/containers/stats/{id}")).expect(200)["name"], "spins");
    let gentle = server.post("/containers/cleanup/session", &json!({ "session_id": "mine" })).expect(200);
    assert_eq!((&gentle["containers_removed"], gentle["errors"].as_array().unwrap().len()), (&json!(0), 1));
    let forced =
        server.post("/containers/cleanup/session", &json!({ "session_id": "mine", "force": true })).expect(200);
    assert_eq!(forced["containers_removed"], 1);
    assert_eq!(server.until(&id, |record| !record["ending"].is_null())["status"], "cancelled");
    let cancelled = server.send("POST", &format!("/containers/tool/{other}/cancel"), &[], None).expect(200);
    assert_eq!(cancelled, json!({ "status": "cancelled", "execution_id": other }));
    server.until(&other, |record| !record["ending"].is_null());
    server.send("POST", &format!("/containers/tool/{other}/cancel"), &[], None).expect(400);
    assert_eq!(server.get(&format!("/containers/tool/{other}")).expect(200)["exit_code"], 137);
}

#[test]
fn tools_are_built_and_their_builds_are_known() {
    let place = Place::new();
    let server = place.serve(&[]);
    let exists = server.get("/containers/build/tool/answers/exists").expect(200);
    assert_eq!(exists["exists"], true);
    assert_eq!(server.get("/containers/build/tool/nothing/exists").expect(200)["exists"], false);
    let built =
        server.post("/containers/build/tool", &json!({ "tool_name": "answers", "force_rebuild": true })).expect(200);
    assert_eq!((&built["status"], &built["image_tag"]), (&json!("success"), &exists["image_tag"]));
    server.post("/containers/build/tool", &json!({ "tool_name": "nothing" })).expect(404);
}

#[test]
fn the_service_says_what_it_is_and_knows_no_relics_that_no_manifest_describes() {
    let place = Place::new();
    let server = place.serve(&[]);
    let health = server.get("/health").expect(200);
    assert_eq!((&health["status"], &health["service"]), (&json!("healthy"), &json!("cortex-wasm")));
    assert_eq!(server.get("/").expect(200)["endpoints"]["tools"], "/containers/tool");
    assert_eq!(server.get("/containers/relic").expect(200), json!([]));
    server.get("/containers/relic/relic_1").expect(404);
    let refused = server.post("/containers/relic/start", &json!({ "relic_name": "kv", "session_id": "s" })).expect(404);
    assert_eq!(refused["code"], "unknown_relic");
    assert_eq!(server.send("POST", "/containers/cleanup/all-networks", &[], None).expect(200)["networks_removed"], 0);
}
