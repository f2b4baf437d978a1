//! Many calls, and ends that nobody asked for.

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};

use fs_err as fs;
use guest_artifacts as guests;
use serde_json::{Value, json};

use crate::host::{Place, Server};

/// Calls as fast as it can until the server is gone. Returns the ids of what was acknowledged.
fn hammer(server: &Server, gone: &AtomicBool) -> Vec<String> {
    let mut ids = Vec::new();
    while !gone.load(Ordering::Relaxed) {
        let Ok(mut stream) = TcpStream::connect(server.address) else { break };
        let body = json!({ "input": { "expression": "1 + 1" } }).to_string();
        let head = format!(
            "POST /v1/tools/calculator/calls HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut answer = String::new();
        if std::io::Write::write_all(&mut stream, head.as_bytes()).is_err()
            || stream.read_to_string(&mut answer).is_err()
        {
            continue;
        }
        let id = answer.split("\"execution_id\":\"").nth(1).and_then(|rest| rest.get(..21));
        ids.extend(id.map(str::to_owned));
    }
    ids
}

#[test]
fn what_was_acknowledged_survives_ten_kills_under_load_and_nothing_runs_for_ever() {
    let place = Place::new();
    let mut acknowledged = Vec::new();
    let mut in_flight = Vec::new();
    for _ in 0..10 {
        let mut server = place.serve(&[]);
        let address = server.address;
        in_flight.push(server.begin("spins", &json!({}), "s"));
        let gone = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let hammers: Vec<_> = (0..4)
                .map(|_| {
                    let view = Server::at(address);
                    let gone = &gone;
                    scope.spawn(move || hammer(&view, gone))
                })
                .collect();
            // Killed in the middle of it, once there is something to lose.
            while server.get("/v1/system").expect(200)["calls"].as_u64().unwrap() < 50 {}
            server.kill();
            gone.store(true, Ordering::Relaxed);
            for hammer in hammers {
                acknowledged.extend(hammer.join().unwrap());
            }
        });
    }
    assert!(acknowledged.len() > 200, "{}", acknowledged.len());
    let server = place.serve(&["--keep", "1000000"]);
    for id in &acknowledged {
        assert_eq!(server.get(&format!("/v1/executions/{id}")).expect(200)["status"], "success", "{id}");
    }
    for id in &in_flight {
        assert_eq!(server.get(&format!("/v1/executions/{id}")).expect(200)["status"], "interrupted", "{id}");
    }
    assert_eq!(server.get("/v1/executions?status=running").expect(200)["executions"], json!([]));
    assert_eq!(server.get("/v1/executions?status=pending").expect(200)["executions"], json!([]));
}

/// A server that answers each request after a second, with one thread for all of them.
fn slow() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let executor = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        executor.block_on(async move {
            listener.set_nonblocking(true).unwrap();
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                tokio::spawn(async move {
                    let mut head = [0; 4096];
                    stream.readable().await.ok()?;
                    stream.try_read(&mut head).ok()?;
                    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                    stream.writable().await.ok()?;
                    stream.try_write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}").ok()
                });
            }
        });
    });
    address
}

#[test]
fn ten_thousand_calls_that_wait_in_their_guests_for_a_second_each_take_less_than_two_gigabytes() {
    let place = Place::new();
    let elsewhere = slow();
    let port = elsewhere.rsplit(':').next().unwrap();
    let sections = format!(
        "permissions: {{ network: [\"http://127.0.0.1:{port}\"] }}\nparameters:\n  - {{ name: authority, type: string }}\n"
    );
    place.tool("fetches", guests::NETWORK_FETCHES, "timeout: 60", &sections);
    let server = place.serve(&[]);
    // Compiled before ten thousand wait for it.
    server.call("fetches", &json!({ "authority": elsewhere })).expect(200);
    let ids: Vec<String> = (0..10_000)
        .map(|_| {
            let body = json!({ "input": { "authority": elsewhere } });
            let begun = server.post("/v1/tools/fetches/calls?wait=false", &body).expect(202);
            begun["execution_id"].as_str().unwrap().to_owned()
        })
        .collect();
    let system = || server.get("/v1/system").expect(200);
    while system()["queue"]["running"] != 0 || system()["queue"]["waiting"] != 0 {}
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let figure = |name: &str| -> u64 {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches(" kB").trim().parse().unwrap()
    };
    assert!(figure("VmHWM:") < 2 << 20, "{status}");
    assert!(figure("Threads:") < 100, "{status}");
    let mut page: Value = server.get("/v1/executions?status=success&tool=fetches&limit=1000").expect(200);
    let mut count = 0;
    loop {
        count += page["executions"].as_array().unwrap().len();
        let Some(next) = page["next"].as_str() else { break };
        page = server.get(&format!("/v1/executions?status=success&tool=fetches&limit=1000&before={next}")).expect(200);
    }
    assert_eq!(count, ids.len() + 1);
}
