//! Many calls, and ends that nobody asked for.

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fs_err as fs;
use guest_artifacts as guests;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

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

/// A server that answers once so many requests wait for it, and then after a second.
fn slow(together: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let executor = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        executor.block_on(async move {
            listener.set_nonblocking(true).unwrap();
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let all = Arc::new(tokio::sync::Barrier::new(together));
            loop {
                let Ok((mut stream, _)) = listener.accept().await else { continue };
                let all = Arc::clone(&all);
                tokio::spawn(async move {
                    let mut request = [0; 4096];
                    if stream.read(&mut request).await? == 0 {
                        return Ok(());
                    }
                    all.wait().await;
                    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";
                    stream.write_all(answer).await?;
                    stream.shutdown().await?;
                    // What was not read when a connection closes takes the answer with it.
                    while stream.read(&mut request).await? > 0 {}
                    std::io::Result::Ok(())
                });
            }
        });
    });
    address
}

/// All at once: none of them is answered before the last one waits in its guest.
#[test]
fn ten_thousand_calls_that_wait_in_their_guests_for_a_second_take_less_than_two_gigabytes() {
    const CALLS: usize = 10_000;
    const CLIENTS: usize = 20;
    open_files(CALLS as u64 + 1_000);
    let place = Place::new();
    let elsewhere = slow(CALLS);
    let port = elsewhere.rsplit(':').next().unwrap();
    let sections = format!(
        "permissions: {{ network: [\"http://127.0.0.1:{port}\"] }}\nparameters:\n  \
         - {{ name: authority, type: string, required: false }}\n"
    );
    place.tool("fetches", guests::NETWORK_FETCHES, "timeout: 600, http: { timeout: 600 }", &sections);
    let server = place.serve(&["--calls", "10000", "--log", "warn"]);
    // Compiled before ten thousand wait for it: without an authority it fails at once.
    assert_eq!(server.call("fetches", &json!({})).status, 422);
    let body = json!({ "input": { "authority": elsewhere } });
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                for _ in 0..CALLS / CLIENTS {
                    server.post("/v1/tools/fetches/calls?wait=false", &body).expect(202);
                }
            });
        }
    });
    let calls = || server.get("/v1/system").expect(200)["calls"].as_u64().unwrap();
    while calls() < CALLS as u64 + 1 {
        std::thread::yield_now();
    }
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let figure = |name: &str| -> u64 {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches(" kB").trim().parse().unwrap()
    };
    assert!(figure("VmHWM:") < 2 << 20, "{status}");
    assert!(figure("Threads:") < 100, "{status}");
    let counted = r#"cortex_calls_total{tool="fetches",ending="success"} 10000"#;
    assert!(server.get("/metrics").body.contains(counted), "{}", server.get("/metrics").body);
}

/// Lets this process have that many files open, as far as the system agrees.
fn open_files(wanted: u64) {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(u64::MAX);
    assert!(most >= wanted, "this machine lets a process have {most} files open, and the test wants {wanted}");
    limit.current = limit.current.map(|current| current.max(wanted));
    setrlimit(Resource::Nofile, limit).unwrap();
}
