//! Values that a tool keeps for each user, for each session or for everybody, by the tokens and sessions of its callers.

use guest_artifacts as guests;
use serde_json::{Value, json};

use crate::host::{Place, Server};

fn place() -> Place {
    let place = Place::new();
    for (name, per) in [("shared", ""), ("per_user", ", state_per: user"), ("per_session", ", state_per: session")] {
        let sections = format!("parameters: [{{ name: do, type: array }}]\npermissions: {{ state: true{per} }}\n");
        place.tool(name, guests::CAPABILITY_HOST, "", &sections);
    }
    place
}

/// Adds one to a counter of the tool, for the owner of a token in a session, and says what it comes to.
fn count(server: &Server, tool: &str, token: Option<&str>, session: Option<&str>) -> Value {
    let body = json!({ "input": { "do": [["increment", "calls", 1]] }, "session_id": session }).to_string();
    let bearer = token.map(|token| format!("Bearer {token}"));
    let headers: Vec<_> = bearer.iter().map(|bearer| ("Authorization", bearer.as_str())).collect();
    let path = format!("/v1/tools/{tool}/calls");
    let execution = server.send("POST", &path, &headers, Some(&body)).json();
    if execution["ending"] == "success" { execution["result"][0].clone() } else { execution }
}

#[test]
fn each_user_and_each_session_has_values_of_its_own() {
    let place = place();
    let [ann, bob] = ["ann", "bob"].map(|user| place.run(&["token", "create", user]));
    let (ann, bob) = (Some(ann.as_str()), Some(bob.as_str()));
    let server = place.serve(&[]);
    let counts = |tool: &str| {
        let of = |token, session| count(&server, tool, token, session);
        [of(ann, Some("one")), of(ann, Some("two")), of(ann, Some("one")), of(bob, Some("one")), of(bob, Some("one"))]
    };
    assert_eq!(counts("shared"), [1, 2, 3, 4, 5]);
    assert_eq!(counts("per_user"), [1, 2, 3, 1, 2], "a user's sessions are one");
    assert_eq!(counts("per_session"), [1, 1, 2, 1, 2], "a session's name is the user's own");
    // Without a session there is nowhere to keep what is a session's.
    assert_eq!((count(&server, "per_user", ann, None), count(&server, "shared", bob, None)), (json!(4), json!(6)));
    let nowhere = count(&server, "per_session", ann, None);
    assert_eq!((&nowhere["code"], &nowhere["hint"]), (&json!("invalid_input"), &json!("name a `session_id`")));

    // Names that would run into each other if they were only put one after the other.
    let tokens = ["a", "a1"].map(|user| place.run(&["token", "create", user]));
    drop(server);
    let server = place.serve(&[]);
    let [first, second] = [(&tokens[0], "1x"), (&tokens[1], "x")]
        .map(|(token, session)| count(&server, "per_session", Some(token.as_str()), Some(session)));
    assert_eq!((first, second), (json!(1), json!(1)));
    // What was kept outlives the server.
    assert_eq!(count(&server, "per_session", bob, Some("one")), 3);
    assert_eq!(count(&server, "per_user", bob, Some("three")), 3);
}

#[test]
fn where_nobody_has_a_token_all_are_one_user() {
    let place = place();
    let server = place.serve(&[]);
    let counts = |tool: &str| ["one", "two", "one"].map(|session| count(&server, tool, None, Some(session)));
    assert_eq!((counts("per_user"), counts("per_session")), ([1, 2, 3].map(Value::from), [1, 1, 2].map(Value::from)));
    // The original's route has sessions as well, and they are the same.
    let body =
        json!({ "tool_name": "per_session", "session_id": "one", "parameters": { "do": [["increment", "calls", 1]] } });
    let executed = server.post("/containers/tool/execute", &body).expect(200);
    assert_eq!((&executed["status"], &executed["result"][0]), (&json!("success"), &json!(3)), "{executed}");
    let id = executed["execution_id"].as_str().unwrap();
    assert_eq!(server.get(&format!("/v1/executions/{id}")).expect(200)["session_id"], "one");
}
