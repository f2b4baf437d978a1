//! What a container may use and reach, decided before there is one. Containers of the same shape are interchangeable until one
//! of them has seen an input.

use std::collections::HashMap;

use bollard::models::{
    ContainerCreateBody, HealthConfig, HostConfig, HostConfigCgroupnsModeEnum, HostConfigLogConfig, Mount, MountType,
    ResourcesUlimits,
};

use crate::recipe::{ROOT, USER};

/// What a container may use and reach.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Shape {
    pub(crate) image: String,
    /// What is started, the launcher before it where there is one; `None` for what the image says itself.
    pub(crate) entrypoint: Option<Vec<String>>,
    pub(crate) environment: Vec<String>,
    pub(crate) folders: Vec<Bind>,
    /// Secrets that the tool itself holds: name and value, each a file in memory.
    pub(crate) secrets: Vec<(String, String)>,
    pub(crate) memory_bytes: u64,
    /// Bytes of files in `/tmp`, and of any one file.
    pub(crate) disk_bytes: u64,
    /// Thousandths of a core.
    pub(crate) cpu_millis: u64,
    /// Whether its requests go through the proxy. Otherwise it has no network at all.
    pub(crate) network: bool,
}

/// A folder of the host in the container.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Bind {
    pub(crate) host: String,
    pub(crate) guest: String,
    pub(crate) writable: bool,
}

/// Where the files of exposed secrets are.
pub(crate) const SECRETS: &str = "/run/secrets";

/// The proxy, as a tool's container sees it.
pub(crate) const PROXY: &str = "http://127.0.0.1:3128";

/// Processes and threads. Interpreters start a few, a fork bomb wants all.
const PIDS: i64 = 128;

/// Open files of a process.
const FILES: i64 = 1024;

/// Shared memory, which is memory of the container as well.
const SHARED_BYTES: i64 = 16 << 20;

/// The least that engines accept.
const MEMORY_BYTES_MIN: u64 = 6 << 20;

impl Shape {
    /// The container as the engine is asked for it. `network` is `none`, or the container whose loopback is shared.
    pub(crate) fn body(
        &self,
        network: &str,
        command: Vec<String>,
        labels: HashMap<String, String>,
    ) -> ContainerCreateBody {
        let memory = signed(self.memory_bytes.max(MEMORY_BYTES_MIN));
        let disk = signed(self.disk_bytes);
        let limit =
            |name: &str, value: i64| ResourcesUlimits { name: Some(name.into()), soft: Some(value), hard: Some(value) };
        let mut tmpfs = HashMap::from([("/tmp".to_owned(), format!("rw,noexec,nosuid,nodev,size={disk},mode=1777"))]);
        if !self.secrets.is_empty() {
            tmpfs.insert(SECRETS.into(), "rw,noexec,nosuid,nodev,size=1m,mode=0700,uid=65532,gid=65532".into());
        }
        let mut environment = self.environment.clone();
        if self.network {
            for name in ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"] {
                environment.push(format!("{name}={PROXY}"));
            }
            // `localhost` is the host's own, as in the sandbox: what the tool itself listens on is its own affair.
            environment.extend(["NO_PROXY=".into(), "no_proxy=".into()]);
            // Node's own client asks for the proxy only when it is told to.
            environment.push("NODE_USE_ENV_PROXY=1".into());
        }
        let host_config = HostConfig {
            network_mode: Some(network.to_owned()),
            readonly_rootfs: Some(true),
            tmpfs: Some(tmpfs),
            mounts: Some(self.folders.iter().map(mount).collect()),
            cap_drop: Some(vec!["ALL".into()]),
            // The engine's own seccomp profile holds as well, because nothing says otherwise.
            security_opt: Some(vec!["no-new-privileges:true".into()]),
            privileged: Some(false),
            memory: Some(memory),
            // Equal to the memory: no swap, which would turn a limit into a slow machine.
            memory_swap: Some(memory),
            nano_cpus: Some(signed(self.cpu_millis).saturating_mul(1_000_000)),
            pids_limit: Some(PIDS),
            ulimits: Some(vec![limit("nofile", FILES), limit("fsize", disk), limit("core", 0)]),
            ipc_mode: Some("private".into()),
            shm_size: Some(SHARED_BYTES.min(memory / 4)),
            cgroupns_mode: Some(HostConfigCgroupnsModeEnum::PRIVATE),
            // Reaps what a tool leaves behind, and passes signals on.
            init: Some(true),
            // Where memory is short, a tool goes before the machine's own services.
            oom_score_adj: Some(500),
            // `cortex-wasm logs` reads it; it cannot fill the disk.
            log_config: Some(HostConfigLogConfig {
                typ: Some("json-file".into()),
                config: Some(HashMap::from([("max-size".into(), "1m".into()), ("max-file".into(), "1".into())])),
            }),
            ..HostConfig::default()
        };
        ContainerCreateBody {
            image: Some(self.image.clone()),
            entrypoint: self.entrypoint.clone(),
            cmd: Some(command),
            user: Some(USER.into()),
            env: Some(environment),
            working_dir: self.entrypoint.as_ref().map(|_| ROOT.to_owned()),
            labels: Some(labels),
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            open_stdin: Some(true),
            stdin_once: Some(true),
            tty: Some(false),
            // The image's is for other ways to run it; here every call is a check.
            healthcheck: Some(HealthConfig { test: Some(vec!["NONE".into()]), ..HealthConfig::default() }),
            host_config: Some(host_config),
            ..ContainerCreateBody::default()
        }
    }
}

fn mount(bind: &Bind) -> Mount {
    Mount {
        typ: Some(MountType::BIND),
        source: Some(bind.host.clone()),
        target: Some(bind.guest.clone()),
        read_only: Some(!bind.writable),
        ..Mount::default()
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
