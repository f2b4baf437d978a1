//! A container engine for the tests: the one that runs, or one of our own.
//!
//! On a bare Debian, as root, the engine is installed and started without systemd, without a bridge and without rules for a
//! firewall, on a socket below `target`; its base images are made of what the machine has, because there may be no registry. What
//! was started here is stopped here, by its process id.

mod images;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use fs_err as fs;

use crate::command::{Program, say, terminate, variable};
use crate::layout::Layout;
use crate::setup;

/// How long a new engine may take. After a dirty end it first stops the containers that were left.
const START: Duration = Duration::from_secs(90);

/// An engine that answers.
#[derive(Debug)]
pub(crate) struct Engine {
    /// Its address, as `DOCKER_HOST` has it.
    pub(crate) address: String,
    started: Option<Child>,
}

impl Engine {
    /// The engine that runs, else one that is started. `Ok(None)` where neither is possible, with the reason said.
    pub(crate) fn up(layout: &Layout) -> anyhow::Result<Result<Self, String>> {
        for address in usual_addresses() {
            if answers(&address) {
                return Ok(Ok(Self { address, started: None }));
            }
        }
        if !setup::root_on_debian() {
            return Ok(Err(
                "no Docker engine answers, and only root on Debian may install one: start Docker or Podman".into(),
            ));
        }
        install()?;
        let engine = Self::start(layout)?;
        images::make(layout, &engine.address)?;
        Ok(Ok(engine))
    }

    fn start(layout: &Layout) -> anyhow::Result<Self> {
        let folder = folder(layout);
        fs::create_dir_all(&folder)?;
        let socket = folder.join("docker.sock");
        let address = format!("unix://{}", socket.display());
        mount_cgroups()?;
        end_leftovers(&folder)?;
        let log = folder.join("dockerd.log");
        let run = |driver: &[&str]| {
            let program = Program::new("dockerd")
                .arg("--data-root")
                .arg(folder.join("data"))
                .arg("--exec-root")
                .arg(folder.join("exec"))
                .arg("--host")
                .arg(&address)
                .arg("--pidfile")
                .arg(folder.join("dockerd.pid"))
                .args(["--iptables=false", "--ip6tables=false", "--ip-forward=false", "--bridge=none"]);
            program.args(driver).background(&log)
        };
        let mut child = run(&[])?;
        if !wait(&mut child, &address)? {
            let said = fs::read_to_string(&log).unwrap_or_default();
            let storage =
                ["graphdriver", "storage-driver", "storage driver", "overlay"].iter().any(|word| said.contains(word));
            if !storage {
                bail!("dockerd ended: {}", said.lines().rev().take(5).collect::<Vec<_>>().join(" | "));
            }
            say("    no overlay here: files are copied");
            let _ = fs::remove_file(folder.join("dockerd.pid"));
            child = run(&["--storage-driver=vfs"])?;
            if !wait(&mut child, &address)? {
                bail!("dockerd ended; its log is {}", log.display());
            }
        }
        Ok(Self { address, started: Some(child) })
    }
}

/// Where the engine has its files. The paths of sockets are short, and some of its own lie deep.
fn folder(layout: &Layout) -> PathBuf {
    const PATH_BYTES: usize = 60;
    let folder = layout.target().join("docker-engine");
    if folder.as_os_str().len() <= PATH_BYTES { folder } else { std::env::temp_dir().join("cortex-docker-engine") }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(child) = &mut self.started {
            terminate(child);
        }
    }
}

/// `DOCKER_HOST` alone where it is set, else the sockets that Docker and Podman have by themselves.
fn usual_addresses() -> Vec<String> {
    if let Some(host) = variable("DOCKER_HOST") {
        return vec![host.to_string_lossy().into_owned()];
    }
    let podman = variable("XDG_RUNTIME_DIR").map(|folder| PathBuf::from(folder).join("podman/podman.sock"));
    let sockets = [Some("/var/run/docker.sock".into()), podman, Some("/run/podman/podman.sock".into())];
    sockets.into_iter().flatten().map(|path| format!("unix://{}", path.display())).collect()
}

/// Whether an engine answers at an address.
fn answers(address: &str) -> bool {
    fn ping(mut stream: impl Read + Write) -> std::io::Result<bool> {
        stream.write_all(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.take(4096).read_to_end(&mut answer)?;
        Ok(answer.starts_with(b"HTTP/1.") && answer.windows(5).any(|part| part == b" 200 "))
    }
    let patience = Some(Duration::from_secs(2));
    let answered = if let Some(path) = address.strip_prefix("unix://") {
        UnixStream::connect(path).and_then(|stream| {
            stream.set_read_timeout(patience)?;
            ping(stream)
        })
    } else if let Some(server) = address.strip_prefix("tcp://") {
        TcpStream::connect(server).and_then(|stream| {
            stream.set_read_timeout(patience)?;
            ping(stream)
        })
    } else {
        Ok(false)
    };
    answered.unwrap_or(false)
}

/// Debian's own engine: dockerd, containerd, runc, tini and the command line.
fn install() -> anyhow::Result<()> {
    if Program::new("dockerd").arg("--version").works() {
        return Ok(());
    }
    say("    apt-get install docker.io");
    let apt = || Program::new("apt-get").env("DEBIAN_FRONTEND", "noninteractive");
    apt().args(["update", "-qq"]).run()?;
    // What configures a firewall is only recommended, and not used.
    apt().args(["install", "-y", "-qq", "--no-install-recommends", "docker.io"]).run()
}

/// Control groups, where a bare machine has not mounted them.
fn mount_cgroups() -> anyhow::Result<()> {
    let mounts = fs::read_to_string("/proc/mounts")?;
    if mounts.lines().any(|line| line.split(' ').nth(1).is_some_and(|path| path.starts_with("/sys/fs/cgroup"))) {
        return Ok(());
    }
    Program::new("mount").args(["-t", "cgroup2", "cgroup2", "/sys/fs/cgroup"]).run()
}

/// An engine that was killed leaves its containerd, which holds the database, and the shims of containers. Those of our own
/// folder are ended, by their ids.
fn end_leftovers(folder: &Path) -> anyhow::Result<()> {
    let ours = folder.join("exec/containerd").display().to_string();
    for entry in fs::read_dir("/proc")? {
        let path = entry?.path();
        let Some(process) = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse::<u32>().ok())
        else {
            continue;
        };
        let words = fs::read(path.join("cmdline")).unwrap_or_default();
        let words = String::from_utf8_lossy(&words).replace('\0', " ");
        let program = words.split(' ').next().and_then(|program| program.rsplit('/').next()).unwrap_or_default();
        if program.starts_with("containerd") && words.contains(&ours) {
            crate::command::kill(process);
        }
    }
    for stale in ["dockerd.pid", "exec/containerd/containerd.pid"] {
        let _ = fs::remove_file(folder.join(stale));
    }
    Ok(())
}

/// Waits until the engine answers; `false` if it has ended.
fn wait(child: &mut Child, address: &str) -> anyhow::Result<bool> {
    let started = Instant::now();
    while started.elapsed() < START {
        if answers(address) {
            return Ok(true);
        }
        if child.try_wait().context("dockerd cannot be waited for")?.is_some() {
            return Ok(false);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    terminate(child);
    bail!("dockerd did not answer within {} s", START.as_secs())
}
