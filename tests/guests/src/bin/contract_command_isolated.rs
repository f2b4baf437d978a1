//! A command without grants reaches nothing: no file, no network, no variable but those of its manifest.

use std::collections::BTreeMap;
use std::net::{TcpListener, TcpStream, ToSocketAddrs, UdpSocket};

use guests::must_fail;

fn main() {
    for path in ["/", ".", "..", "/etc", "/tmp", "/proc/self"] {
        must_fail(path, std::fs::read_dir(path));
        must_fail(path, std::fs::metadata(path));
    }
    for path in ["/etc/passwd", "tool.yml", "../tool.yml", "/dev/null", "/proc/self/environ"] {
        must_fail(path, std::fs::File::open(path));
    }
    for path in ["/tmp/written", "written", "/written"] {
        must_fail(path, std::fs::File::create(path));
        must_fail(path, std::fs::create_dir(path));
    }
    let directories = wasip2::filesystem::preopens::get_directories();
    assert!(directories.is_empty(), "{} directories are open", directories.len());

    for address in ["127.0.0.1:1", "127.0.0.1:22", "192.0.2.1:80", "[::1]:80"] {
        must_fail(address, TcpStream::connect(address));
    }
    must_fail("listening on TCP", TcpListener::bind("127.0.0.1:0"));
    must_fail("binding UDP", UdpSocket::bind("127.0.0.1:0"));
    for host in ["localhost:80", "example.com:80"] {
        must_fail(host, host.to_socket_addrs());
    }
    must_fail("starting a program", std::process::Command::new("/bin/sh").spawn());

    let variables: BTreeMap<String, String> = std::env::vars().collect();
    println!("{}", serde_json::json!(variables));
}
