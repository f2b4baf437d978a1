//! Roads to a secret that a tool uses and does not hold, beside those in `policy.rs`.

use std::io::Write;

use super::network::{Target, read_request};
use super::*;

const SECRET: &str = "s3cret-and-quite-long";

fn arena(guest: &str, sections: &str) -> Arena {
    Arena::with(guest, "timeout: 1h, output: 64K", sections, |settings| {
        let environment = [("CORTEX_SECRET_KEY".to_owned(), SECRET.to_owned())];
        Settings { environment: environment.into(), ..settings }
    })
}

fn assert_nowhere(execution: &Execution) {
    let record = serde_json::to_string(execution).unwrap();
    assert!(!record.contains("s3cret"), "{record}");
}

/// Attack: looking for a secret in variables, arguments, the tool's own folder and the files of the process
/// Ends: `success` without it
#[test]
fn a_secret_is_nowhere_in_the_guest() {
    let asks = "permissions:\n  secrets: [{ name: KEY, bearer: true, hosts: [127.0.0.1] }]\n  \
                filesystem: [{ host: ., guest: /tool }]\n";
    let looks = arena(guests::HOSTILE_HOST, asks).call("attack", json!({"attack": "environment"}));
    assert_eq!(answer(&looks)["variables"], json!([]));
    assert_nowhere(&looks);
    let steps = json!([
        {"do": "list", "path": "/tool"},
        {"do": "read", "path": "/tool/tool.yml"},
        {"do": "read", "path": "/tool/../secrets.json"},
        {"do": "read", "path": "/proc/self/environ"},
        {"do": "open raw", "path": "/tool/../../../../../../../proc/self/environ"},
    ]);
    let reads = arena(guests::HOSTILE_FILES, asks).call("attack", json!({"steps": steps}));
    let answers = answer(&reads);
    assert!(answers[1][0].as_str().unwrap().starts_with("read: kind: Tool"), "{answers}");
    for at in 2..5 {
        assert!(answers[at][0].as_str().unwrap().starts_with("failed: "), "{answers}");
    }
    assert_nowhere(&reads);
}

/// Attack: having a server that gets a secret redirect to one that does not
/// Ends: `success`: the second request does not carry it
#[test]
fn a_secret_does_not_follow_a_redirect() {
    let (first, second) = (Target::new(), Target::new());
    let asks = format!(
        "permissions:\n  network: [\"http://127.0.0.1:{}\", \"private://localhost:{}\"]\n  \
         secrets: [{{ name: KEY, bearer: true, hosts: [127.0.0.1] }}]\n",
        first.port, second.port
    );
    let tools = Tools::with(|settings| {
        let environment = [("CORTEX_SECRET_KEY".to_owned(), SECRET.to_owned())];
        Settings { environment: environment.into(), ..settings }
    });
    let parameters = &[("authority", "string"), ("follow", "boolean")];
    tools.add("fetches", guests::NETWORK_FETCHES, parameters, "timeout: 1h", &asks);
    let input = json!({"authority": first.authority(), "follow": true});
    let location = format!("http://localhost:{}/", second.port);
    let redirects = first.serve(move |mut stream| {
        let request = read_request(&mut stream);
        write!(stream, "HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n").unwrap();
        request
    });
    let answers = second.serve(|mut stream| {
        let request = read_request(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
        request
    });
    let execution = tools.call("fetches", input);
    assert_eq!(execution.ending, Ending::Success, "{execution:?}");
    assert!(redirects.join().unwrap().contains(SECRET));
    assert!(!answers.join().unwrap().contains("s3cret"));
    assert_nowhere(&execution);
}

/// Attack: a secret in what a server says that is cut into single bytes, in a header, in a code and in a message of an error
/// Ends: `tool_error` with the secret masked
#[test]
fn a_secret_is_masked_in_whatever_a_tool_says() {
    let asks = "permissions:\n  secrets: [{ name: KEY, expose: true }]\n";
    // It holds this one, and says it in every way that it has.
    let tool = arena(guests::CONTRACT_TOOL_ANSWERS, asks);
    for part in ["code", "message", "data", "stdout", "stderr"] {
        let mut input = json!({"code": "code", "message": "message", "data": "1"});
        input[part] = json!(if part == "data" { format!("{{\"a\": \"{SECRET}\"}}") } else { SECRET.to_owned() });
        let said = tool.0.call("attack", input);
        assert_eq!(said.ending, Ending::ToolError, "{said:?}");
        assert_nowhere(&said);
    }
    let said = tool.0.call("attack", json!({"panic": SECRET}));
    assert_eq!(said.ending, Ending::Trap, "{said:?}");
    assert_nowhere(&said);
}

/// Attack: asking for the operator's variable that holds a secret, under its own name
/// Ends: `success` without it, and the record says that it was refused
#[test]
fn a_secret_is_no_variable_of_the_host() {
    let asks = "permissions: { environment: [CORTEX_SECRET_KEY] }\n";
    let looks = arena(guests::HOSTILE_HOST, asks).call("attack", json!({"attack": "environment"}));
    assert_eq!(answer(&looks)["variables"], json!([]));
    assert_nowhere(&looks);
    let refused = &looks.decisions[0];
    assert_eq!((refused.target.as_str(), refused.allowed), ("CORTEX_SECRET_KEY", false));
}

/// Attack: a link among a tool's files that makes a file of the host's its file of variables
/// Ends: in an error before anything runs
#[test]
fn a_file_of_variables_is_the_tool_s_own() {
    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("secrets.env");
    fs_err::write(&file, format!("KEY={SECRET}\n")).unwrap();
    let tools = Tools::new();
    tools.add("attack", guests::HOSTILE_HOST, PARAMETERS, "", "environment: { env_file: .env }\n");
    std::os::unix::fs::symlink(&file, tools.path("attack").join(".env")).unwrap();
    let input = json!({"attack": "environment"});
    let call = tools.runtime.call("attack", &input, CallOptions::default());
    let error = crate::host::block_on(call).unwrap_err().to_string();
    assert!(error.contains("leads out of the tool's folder"), "{error}");
    let own = format!("OWN={}\n", "mine");
    fs_err::remove_file(tools.path("attack").join(".env")).unwrap();
    fs_err::write(tools.path("attack").join(".env"), own).unwrap();
    let looks = tools.call("attack", json!({"attack": "environment"}));
    assert_eq!(answer(&looks)["variables"], json!([["OWN", "mine"]]));
}
