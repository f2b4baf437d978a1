//! A container's requests: through the proxy, under the rules of the sandbox, and no other way.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;

use cortex_runtime::{Ending, Runtime};
use serde_json::{Value, json};

use super::{Place, call, left, said};
use crate::source::answer;

/// Asks for addresses in the ways that programs have, and tells what came back.
const ASKS: &str = r#"
import http.client, json, os, socket, sys, urllib.request

def proxy():
    return http.client.HTTPConnection("127.0.0.1", 3128, timeout=10)

def ask(url):
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return [answer.status, answer.read().decode(), dict(answer.headers)]
    except urllib.error.HTTPError as error:
        return [error.code, error.read().decode(), {}]
    except OSError as error:
        return [0, str(error), {}]

def tunnel(server):
    connection = proxy()
    host, port = server.split(":")
    connection.set_tunnel(host, int(port))
    try:
        connection.request("GET", "/tunnel")
        return [200, connection.getresponse().read().decode()]
    except OSError as error:
        return [0, str(error)]

def origin(host, path):
    connection = proxy()
    connection.request("GET", path, headers={"Host": host})
    answer = connection.getresponse()
    return [answer.status, answer.read().decode()]

given = json.loads(sys.argv[1])["do"].split(" ")
interfaces = sorted(name for _, name in socket.if_nameindex())
print(json.dumps({"answer": globals()[given[0]](*given[1:]), "interfaces": interfaces, "secret": os.environ.get("TOKEN")}))
"#;

/// A server that answers every request with its first line and its headers, and hands them over as well.
fn server() -> (u16, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, requests) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { break };
            let request = read_head(&stream);
            let mut stream = stream;
            let answer =
                format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{request}", request.len());
            let _the_client_may_have_gone = stream.write_all(answer.as_bytes());
            if sender.send(request).is_err() {
                break;
            }
        }
    });
    (port, requests)
}

fn read_head(mut stream: &TcpStream) -> String {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1) {
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

fn asks(runtime: &Runtime, what: &str) -> (Value, std::sync::Arc<cortex_runtime::Execution>) {
    let execution = call(runtime, "asks", &json!({ "do": what }));
    assert_eq!(execution.ending, Ending::Success, "{}", said(&execution));
    let answer = answer(&execution);
    assert_eq!(answer["interfaces"], json!(["lo"]), "there is no way but the proxy");
    (answer["answer"].clone(), execution)
}

#[test]
fn requests_go_where_they_were_granted_and_nowhere_else() {
    let (port, requests) = server();
    let (other, _) = server();
    let place = Place::new();
    let rules = format!("permissions: {{ network: [\"private://localhost:{port}/open\", \"https://example.com\"] }}");
    place.add("asks", "entrypoint: main.py", &rules, &[("main.py", ASKS)]);
    let runtime = place.runtime();

    let (reached, execution) = asks(&runtime, &format!("ask http://localhost:{port}/open/x?q=1"));
    assert_eq!(reached[0], 200, "{reached}");
    let request = requests.recv().unwrap();
    assert!(request.starts_with("GET /open/x?q=1 HTTP/1.1\r\n"), "{request}");
    assert!(request.to_lowercase().contains(&format!("host: localhost:{port}")), "{request}");
    assert_eq!((execution.usage.http_requests, execution.decisions[0].allowed), (1, true));

    for url in [
        format!("http://localhost:{port}/closed"),
        format!("http://localhost:{port}/open/../closed"),
        format!("http://localhost:{other}/open"),
        "http://169.254.169.254/latest/meta-data".into(),
        "http://10.0.0.1/".into(),
    ] {
        let (refused, execution) = asks(&runtime, &format!("ask {url}"));
        assert_eq!(refused[0], 403, "{url}: {refused}");
        assert!(execution.decisions.iter().any(|decision| !decision.allowed), "{url}");
    }
    // A tunnel cannot be looked into: it takes a rule for the whole server.
    let (refused, _) = asks(&runtime, &format!("tunnel localhost:{port}"));
    assert_eq!(refused[0], 0, "{refused}");
    let (by_host, _) = asks(&runtime, &format!("origin localhost:{port} /open"));
    assert_eq!(by_host[0], 200, "{by_host}");
    runtime.close().unwrap();
    assert_eq!(left(place.home.path()), []);
}

#[test]
fn a_tunnel_goes_to_a_server_that_was_granted_whole() {
    let (port, _requests) = server();
    let place = Place::new();
    let rules = format!("permissions: {{ network: [\"private://localhost:{port}\"] }}");
    place.add("asks", "entrypoint: main.py", &rules, &[("main.py", ASKS)]);
    let runtime = place.runtime();
    let (reached, _) = asks(&runtime, &format!("tunnel localhost:{port}"));
    assert!(reached[1].as_str().unwrap().starts_with("GET /tunnel "), "{reached}");
    runtime.close().unwrap();
}

#[test]
fn the_proxy_puts_secrets_in_and_the_tool_never_has_them() {
    let (port, requests) = server();
    let place = Place::new();
    let permissions = format!(
        "permissions: {{ network: [\"private://localhost:{port}\"], secrets: [{{ name: TOKEN, bearer: true, hosts: [localhost] }}] }}"
    );
    place.add("asks", "entrypoint: main.py", &permissions, &[("main.py", ASKS)]);
    let environment = [("CORTEX_SECRET_TOKEN".to_owned(), "hunter2-hunter2".to_owned())].into();
    let runtime = place.runtime_with(|settings| cortex_runtime::Settings { environment, ..settings });
    let (reached, execution) = asks(&runtime, &format!("ask http://localhost:{port}/"));
    let request = requests.recv().unwrap();
    assert!(request.contains("Bearer hunter2-hunter2"), "{request}");
    // The server gave it back, and it was masked on the way.
    assert!(reached[1].as_str().unwrap().contains("*****") && !said(&execution).contains("hunter2"), "{reached}");
    assert_eq!(answer(&execution)["secret"], Value::Null);
    runtime.close().unwrap();
}

#[test]
fn an_exposed_secret_is_a_file_in_memory_and_is_taken_out_of_the_record() {
    let place = Place::new();
    let program = "import json, os\nfile = os.environ['TOKEN_FILE']\nvalue = open(file).read()\n\
                   print(json.dumps({'same': value == os.environ['TOKEN'], 'mode': oct(os.stat(file).st_mode & 0o777), 'value': value, 'bytes': len(value)}))\n";
    place.add(
        "holds",
        "entrypoint: main.py",
        "permissions: { secrets: [{ name: TOKEN, expose: true }] }",
        &[("main.py", program)],
    );
    let value = "it's a \"secret\"\\n with $(words) `and` %s \u{fc}";
    let environment = [("CORTEX_SECRET_TOKEN".to_owned(), value.to_owned())].into();
    let runtime = place.runtime_with(|settings| cortex_runtime::Settings { environment, ..settings });
    let execution = call(&runtime, "holds", &json!({}));
    let expected = json!({ "same": true, "mode": "0o600", "value": "[secret TOKEN]", "bytes": value.chars().count() });
    assert_eq!(answer(&execution), expected, "{}", said(&execution));
    runtime.close().unwrap();
}

#[test]
fn a_tool_of_type_api_is_called_from_the_host_under_the_same_rules() {
    let (port, requests) = server();
    let place = Place::new();
    let manifest = |name: &str, network: &str| {
        let root = place.manifests().join(name);
        fs_err::create_dir_all(&root).unwrap();
        let text = format!(
            "kind: Tool\nversion: \"1.0\"\nname: {name}\nsummary: An endpoint.\nimplementation: {{ type: api, entrypoint: \"http://localhost:{port}/call\" }}\n\
             permissions: {{ network: [{network}] }}\nparameters: [{{ name: do, type: string, required: true }}]\n"
        );
        fs_err::write(root.join("tool.yml"), text).unwrap();
    };
    manifest("granted", &format!("\"private://localhost:{port}/call\""));
    manifest("refused", "\"https://example.com\"");
    let runtime = place.runtime();
    let execution = call(&runtime, "granted", &json!({ "do": "x" }));
    // The server answers with what it was asked, which is no JSON.
    assert_eq!((execution.ending, execution.backend.as_str()), (Ending::InvalidOutput, "api"), "{}", said(&execution));
    let request = requests.recv().unwrap();
    assert!(request.starts_with("POST /call HTTP/1.1\r\n") && request.contains("application/json"), "{request}");
    let execution = call(&runtime, "refused", &json!({ "do": "x" }));
    assert_eq!(execution.ending, Ending::Denied, "{}", said(&execution));
    runtime.close().unwrap();
}
