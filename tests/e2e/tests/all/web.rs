//! Programs that wait and ask servers: what the languages bring for it, over the sandbox's network and its rules.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;

use cortex_build::{Silent, Workshop};
use cortex_runtime::{Ending, Execution};
use serde_json::json;

use crate::source::{Source, answer, home, host};

/// A server on this machine's own address, which answers with what it was asked. `/moved` leads to `/here`. It ends with the
/// test's process.
pub(crate) fn server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || while exchange(stream.as_ref().unwrap()).is_some() {});
        }
    });
    address
}

fn exchange(mut stream: &TcpStream) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let (mut length, mut tag) = (0, String::new());
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap(),
            "x-tag" => tag = value.to_owned(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let mut words = line.split(' ');
    let (method, path) = (words.next()?, words.next()?);
    let said =
        json!({ "method": method, "path": path, "body": String::from_utf8_lossy(&body), "tag": tag }).to_string();
    let head = match path {
        "/moved" => "302 Found\r\nlocation: /here",
        "/missing" => "404 Not Found",
        _ => "200 OK",
    };
    write!(stream, "HTTP/1.1 {head}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{said}", said.len())
        .ok()
}

/// A tool that may ask `server` and nobody else.
pub(crate) fn with_network(name: &str, implementation: &str, server: SocketAddr, files: &[(&str, &str)]) -> Source {
    let source = Source::new(name, implementation, files);
    let manifest = fs_err::read_to_string(source.path().join("tool.yml")).unwrap();
    source.write("tool.yml", &format!("{manifest}permissions: {{ network: [\"http://{server}\"] }}\n"));
    source
}

const FUNCTION: &str = r#"
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function* countdown(from: number) {
  for (let left = from; left > 0; left--) {
    await sleep(1);
    yield left;
  }
}

export default async ({ do: base }: { do: string }) => {
  const counted = [];
  for await (const left of countdown(3)) counted.push(left);
  const order: string[] = [];
  setImmediate(() => order.push("immediate"));
  process.nextTick(() => order.push("tick"));
  queueMicrotask(() => order.push("microtask"));
  await sleep(5);
  const url = new URL("../b?q=ž#h", `${base}/a/x/`);
  url.searchParams.append("more", "1 2");
  const [got, posted, missing] = await Promise.all([
    fetch(url, { headers: { "X-Tag": "seen" } }).then((response) => response.json()),
    fetch(new Request(`${base}/post`, { method: "POST", body: JSON.stringify({ a: 1 }) })).then((r) => r.json()),
    fetch(`${base}/missing`).then((response) => [response.ok, response.status, response.headers.get("content-type")]),
  ]);
  const moved = await fetch(`${base}/moved`);
  const late = await fetch(`${base}/late`, { signal: AbortSignal.abort() }).catch((error) => error.name);
  const uuids = new Set([crypto.randomUUID(), crypto.randomUUID()]);
  const random = crypto.getRandomValues(new Uint8Array(32)).some((byte) => byte !== 0);
  return { counted, order, got, posted, missing, moved: [moved.redirected, new URL(moved.url).pathname], late,
    uuids: uuids.size, random, settled: await Promise.allSettled([Promise.reject(new Error("no")), 1]).then((all) => all.map((one) => one.status)) };
};
"#;

fn check_function(base: &str, ran: &Execution) {
    let said = answer(ran);
    assert_eq!(said["counted"], json!([3, 2, 1]), "{base}");
    assert_eq!(said["order"], json!(["tick", "microtask", "immediate"]));
    assert_eq!(said["got"], json!({"method": "GET", "path": "/a/b?q=%C5%BE&more=1+2", "body": "", "tag": "seen"}));
    assert_eq!(said["posted"], json!({"method": "POST", "path": "/post", "body": "{\"a\":1}", "tag": ""}));
    assert_eq!(said["missing"], json!([false, 404, "application/json"]));
    assert_eq!((&said["moved"], &said["late"]), (&json!([true, "/here"]), &json!("AbortError")));
    assert_eq!((&said["uuids"], &said["random"]), (&json!(2), &json!(true)));
    assert_eq!(said["settled"], json!(["rejected", "fulfilled"]));
    assert_eq!(ran.usage.http_requests, 5);
}

/// A denial names the server, whatever the program makes of it.
fn check_denied(ran: &Execution) {
    assert_eq!(ran.ending, Ending::Denied, "{ran:?}");
    let failure = ran.error.as_ref().unwrap();
    assert!(failure.message.contains("http://127.0.0.1:9/"), "{}", failure.message);
}

#[test]
fn a_javascript_function_waits_and_fetches_what_it_may_and_no_more() {
    let address = server();
    let source = with_network("jsweb", "runtime: typescript", address, &[("main.ts", FUNCTION)]);
    let base = format!("http://{address}");
    check_function(&base, &source.call(json!({ "do": base })));
    check_denied(&source.call(json!({ "do": "http://127.0.0.1:9" })));
    let never =
        Source::new("jsnever", "runtime: javascript", &[("main.js", "export default () => new Promise(() => {});\n")]);
    let stuck = never.call(json!({}));
    assert_eq!(stuck.error.as_ref().unwrap().message, "Error: the function waits for something that never happens");
}

const PROGRAM: &str = r#"
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import * as readline from "node:readline";

const { do: todo } = JSON.parse(process.argv[2]);
process.on("exit", (code) => console.error(`exit ${code}`));
await sleep(2);
if (todo === "throw") setTimeout(() => { throw new Error("from a timer"); }, 1);
else if (todo === "reject") Promise.reject(new RangeError("nobody asked"));
else if (todo === "stuck") await new Promise(() => {});
else if (todo === "interval") {
  let left = 3;
  const timer = setInterval(() => {
    if (--left === 0) {
      clearInterval(timer);
      console.log(JSON.stringify({ left }));
    }
  }, 1);
} else {
  const lines = [];
  for await (const line of readline.createInterface({ input: process.stdin })) lines.push(line);
  console.log(JSON.stringify({ lines: lines.length <= 1, type: typeof readFile }));
}
"#;

#[test]
fn a_node_program_that_waits_at_its_top_level_ends_as_it_does_on_the_host() {
    let source = Source::new("jswaits", "runtime: node, entrypoint: ./main.mjs", &[("main.mjs", PROGRAM)]);
    for todo in ["read", "interval", "throw", "reject", "stuck"] {
        let input = json!({ "do": todo });
        let (code, stdout, stderr) = host(Path::new("node"), &["main.mjs", &input.to_string()], source.path());
        let ran = source.call(input);
        assert_eq!(ran.error.as_ref().and_then(|failure| failure.exit_code).unwrap_or(0), code, "{todo}: {ran:?}");
        assert_eq!(ran.result.as_ref().map_or("", |result| result.get().trim()), stdout.trim(), "{todo}");
        assert_eq!(ran.stderr.text.lines().last(), Some(format!("exit {code}").as_str()), "{todo}: {stderr}");
    }
}

/// The larger engine is fetched once; everything about it is here.
#[test]
fn what_only_spidermonkey_has_runs_on_spidermonkey() {
    let address = server();
    let digest = "export default async ({ do: text }) => {\n  if (text === 'throw') throw Object.assign(new Error('none left'), \
                  { code: 'out_of_luck' });\n  if (text.startsWith('http')) return (await fetch(text)).json();\n  \
                  const bytes = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));\n  \
                  return Buffer.from(bytes).toString('hex').slice(0, 8);\n};\nimport { Buffer } from 'node:buffer';\n";
    let source = with_network("jsdigest", "runtime: javascript", address, &[("main.js", digest)]);
    let built = Workshop::new(home(), false).build(&source.spec(), source.path(), "tool.yml", false, &Silent).unwrap();
    assert!(built.component.toolchain.starts_with("componentize-js"), "{}", built.component.toolchain);
    assert_eq!(answer(&source.call(json!({ "do": "abc" }))), json!("ba7816bf"));
    assert_eq!(answer(&source.call(json!({ "do": format!("http://{address}/x") })))["path"], json!("/x"));
    check_denied(&source.call(json!({ "do": "http://127.0.0.1:9/" })));
    let failed = source.call(json!({ "do": "throw" }));
    assert_eq!(failed.error.as_ref().unwrap().code, "out_of_luck");
}

const CLIENTS: &str = r#"
import http.client, json, urllib.error, urllib.request

def run(args):
    base = args["do"]
    said = {}
    with urllib.request.urlopen(base + "/u?a=1", timeout=5) as answer:
        said["urllib"] = [answer.status, json.load(answer)["path"]]
    try:
        urllib.request.urlopen(base + "/missing")
    except urllib.error.HTTPError as error:
        said["missing"] = error.code
    client = http.client.HTTPConnection(base.removeprefix("http://"))
    client.request("POST", "/c", body="é".encode() * 5000, headers={"X-Tag": "t"})
    posted = json.loads(client.getresponse().read())
    said["client"] = [posted["method"], len(posted["body"]), posted["tag"]]
    client.request("GET", "/again")
    said["again"] = json.loads(client.getresponse().read())["path"]
    import requests
    session = requests.Session()
    said["requests"] = session.post(base + "/r", json={"q": 1}, timeout=5).json()["body"]
    said["moved"] = session.get(base + "/moved").url
    chunks = (piece for piece in (b"a", b"bc"))
    said["chunked"] = session.put(base + "/p", data=chunks).json()["body"]
    import httpx
    said["httpx"] = httpx.get(base + "/h").json()["path"]
    return said
"#;

#[test]
fn python_s_clients_of_http_reach_what_they_may_and_no_more() {
    let address = server();
    let requirements = "requests==2.32.5\nhttpx==0.28.1\n";
    let files = [("main.py", CLIENTS), ("requirements.txt", requirements)];
    let source = with_network("pyweb", "runtime: python3", address, &files);
    let base = format!("http://{address}");
    let said = answer(&source.call(json!({ "do": base })));
    assert_eq!(said["urllib"], json!([200, "/u?a=1"]));
    assert_eq!((&said["missing"], &said["again"]), (&json!(404), &json!("/again")));
    assert_eq!(said["client"], json!(["POST", 5000, "t"]));
    assert_eq!((&said["requests"], &said["chunked"]), (&json!("{\"q\": 1}"), &json!("abc")));
    assert_eq!((&said["moved"], &said["httpx"]), (&json!(format!("{base}/here")), &json!("/h")));
    let denied = source.call(json!({ "do": "http://127.0.0.1:9" }));
    check_denied(&denied);
    assert!(denied.stderr.text.contains("PermissionError"), "{}", denied.stderr.text);
}
