//! Tools that change while the server runs.

use fs_err as fs;
use guest_artifacts as guests;
use serde_json::{Value, json};

use crate::host::{Place, Server};

fn answer(server: &Server) -> Value {
    server.post("/containers/tool/execute", &json!({ "tool_name": "changes", "session_id": "s" })).expect(200)
}

fn reloads(server: &Server) -> u64 {
    let text = server.get("/metrics").body;
    text.lines().find_map(|line| line.strip_prefix("cortex_reloads_total ")).unwrap().parse().unwrap()
}

/// Whole or not at all, as editors do.
fn replace(place: &Place, bytes: &[u8]) {
    let folder = place.path().join("manifests/tools/changes");
    fs::write(folder.join(".new"), bytes).unwrap();
    fs::rename(folder.join(".new"), folder.join("guest.wasm")).unwrap();
}

#[test]
fn a_changed_tool_is_swapped_when_it_works_and_the_old_one_stays_when_it_does_not() {
    let place = Place::new();
    place.tool("changes", guests::LIMIT_INSTANCES, "", "");
    let server = place.serve(&[]);
    assert_eq!(answer(&server)["result"], 42);

    replace(&place, b"no component at all");
    while !server.log().contains("its new version does not work") {
        std::thread::yield_now();
    }
    assert_eq!(answer(&server)["result"], 42, "calls go on with the old one");
    assert_eq!(reloads(&server), 0);

    // A call in flight ends with what it began with.
    let spinning = server.begin("spins", &json!({}), "s");
    replace(&place, &guests::read(guests::CONTRACT_TOOL_REMEMBERS));
    while reloads(&server) == 0 {
        std::thread::yield_now();
    }
    assert_eq!(answer(&server)["result"]["calls"], 1, "calls go to the new one");
    assert_eq!(server.get(&format!("/v1/executions/{spinning}")).expect(200)["ending"], Value::Null);

    // A tool that comes is there, and one that goes is not.
    place.tool("comes", guests::LIMIT_INSTANCES, "", "");
    assert_eq!(server.get("/v1/tools/comes").expect(200)["name"], "comes");
    fs::remove_dir_all(place.path().join("manifests/tools/changes")).unwrap();
    while server.get("/v1/tools/changes").status != 404 || server.call("changes", &json!({})).status != 404 {
        std::thread::yield_now();
    }
}
