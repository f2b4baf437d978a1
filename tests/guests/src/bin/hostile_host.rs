//! Uses up the host: the input's `attack` says how, `count` how often.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io::Write;
use std::mem::forget;

use serde_json::{Value, json};
use wasip2::cli::stderr::get_stderr;
use wasip2::cli::stdout::get_stdout;
use wasip2::http::types::{Fields, Method, OutgoingRequest, Scheme};
use wasip2::io::streams::OutputStream;
use wasip2::sockets::network::IpAddressFamily;

fn main() {
    let input = guests::input();
    let count = input["count"].as_u64().unwrap_or(1_000_000);
    let bytes = usize::try_from(input["bytes"].as_u64().unwrap_or(1 << 20)).unwrap();
    match guests::text(&input, "attack").unwrap() {
        "stdout" => write(&get_stdout(), count),
        "stderr and fail" => {
            write(&get_stderr(), count);
            std::process::exit(1);
        }
        "empty writes" => {
            let (stdout, stderr) = (get_stdout(), get_stderr());
            for _ in 0..count {
                stdout.write(&[]).unwrap();
                stderr.write(&[]).unwrap();
            }
        }
        "not utf-8" => std::io::stdout().write_all(&[b'"', 0xff, 0xfe, b'"']).unwrap(),
        "not json" => println!("{{\"a\": "),
        "deep json" => {
            let count = usize::try_from(count).unwrap();
            print!("{}{}", "[".repeat(count), "]".repeat(count));
        }
        "random" => drop(wasip2::random::random::get_random_bytes(count)),
        "insecure random" => drop(wasip2::random::insecure::get_insecure_random_bytes(count)),
        "randomness" => println!("{}", randomness()),
        "waits" => (0..count).for_each(|_| forget(wasip2::clocks::monotonic_clock::subscribe_duration(0))),
        "streams" => (0..count).for_each(|_| forget(get_stdout())),
        "fields" => (0..count).for_each(|_| forget(Fields::new())),
        "sockets" => println!("{}", sockets(count)),
        "poll" => {
            let wait = wasip2::clocks::monotonic_clock::subscribe_duration(0);
            wasip2::io::poll::poll(&vec![&wait; usize::try_from(count).unwrap()]);
        }
        "sleep" => std::thread::sleep(std::time::Duration::MAX),
        "stdin" => {
            let stdin = wasip2::cli::stdin::get_stdin();
            while stdin.blocking_read(1 << 20).is_ok() {}
        }
        "headers" => headers(count, &"x".repeat(bytes)),
        "methods" => requests(count, |request| request.set_method(&Method::Other("X".repeat(bytes)))),
        "authorities" => requests(count, |request| request.set_authority(Some(&"x".repeat(bytes)))),
        "schemes" => requests(count, |request| request.set_scheme(Some(&Scheme::Other("x".repeat(bytes))))),
        "paths" => requests(count, |request| request.set_path_with_query(Some(&format!("/{}", "x".repeat(bytes))))),
        "environment" => println!("{}", environment()),
        attack => panic!("there is no attack `{attack}`"),
    }
}

/// As many bytes as asked for, in the largest pieces that the host takes and without a line break.
fn write(out: &OutputStream, count: u64) {
    let piece = vec![b'x'; 64 * 1024];
    let mut left = count;
    while left > 0 {
        let now = left.min(piece.len() as u64).min(out.check_write().unwrap());
        out.write(&piece[..usize::try_from(now).unwrap()]).unwrap();
        left -= now;
    }
    out.blocking_flush().unwrap();
}

/// Everything that has to differ between two instances.
fn randomness() -> Value {
    let (one, other) = wasip2::random::insecure_seed::insecure_seed();
    json!({
        "random": wasip2::random::random::get_random_u64(),
        "bytes": wasip2::random::random::get_random_bytes(16),
        "insecure": wasip2::random::insecure::get_insecure_random_u64(),
        "insecure bytes": wasip2::random::insecure::get_insecure_random_bytes(16),
        "seed": [one, other],
        "hash": RandomState::new().hash_one(1),
    })
}

/// How many sockets could be made, of any kind.
fn sockets(count: u64) -> usize {
    let families = [IpAddressFamily::Ipv4, IpAddressFamily::Ipv6];
    let made = (0..count).flat_map(|_| families).filter(|family| {
        let tcp = wasip2::sockets::tcp_create_socket::create_tcp_socket(*family).map(forget).is_ok();
        let udp = wasip2::sockets::udp_create_socket::create_udp_socket(*family).map(forget).is_ok();
        tcp || udp
    });
    made.count()
}

/// One set of headers after the other, each filled until the host takes no more.
fn headers(count: u64, value: &str) {
    for _ in 0..count {
        let headers = Fields::new();
        while headers.append("x", value.as_bytes()).is_ok() {}
        forget(headers);
    }
}

/// Requests that are made and kept and never sent.
fn requests(count: u64, set: impl Fn(&OutgoingRequest) -> Result<(), ()>) {
    let mut refused = 0;
    for _ in 0..count {
        let request = OutgoingRequest::new(Fields::new());
        refused += u64::from(set(&request).is_err());
        forget(request);
    }
    println!("{}", json!({ "refused": refused }));
}

/// Every variable, argument and directory that the host tells of.
fn environment() -> Value {
    json!({
        "variables": wasip2::cli::environment::get_environment(),
        "std": std::env::vars().collect::<Vec<_>>(),
        "arguments": wasip2::cli::environment::get_arguments().len(),
        "directory": wasip2::cli::environment::initial_cwd(),
        "preopens": wasip2::filesystem::preopens::get_directories().len(),
    })
}
