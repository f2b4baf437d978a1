//! The engine: which one, what it can do, and the thread on which everything is said to it.
//!
//! Everything that concerns the engine runs on a thread of its own, so that a container is removed however its call ended: a
//! caller that goes away cannot take the clean-up with it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bollard::{API_DEFAULT_VERSION, Docker};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

use crate::bases::Bases;
use crate::error::{DockerError, asked};
use crate::owner::Owner;

/// Where the engine is, and what is built with it.
#[derive(Clone, Debug, Default)]
pub struct DockerSettings {
    /// The folder for build logs, sockets and locks.
    pub home: PathBuf,
    /// The engine's address, as `DOCKER_HOST` has it. Without it the usual sockets are looked at.
    pub host: Option<String>,
    /// The folder of a user's sockets, `XDG_RUNTIME_DIR`, where Podman has its own.
    pub runtime_folder: Option<PathBuf>,
    /// The images that tools are built from.
    pub bases: Bases,
    /// Variables of the operator for package managers, such as `PIP_INDEX_URL`.
    pub variables: BTreeMap<String, String>,
    /// Never fetch anything.
    pub offline: bool,
}

/// How long the engine may take for what is not a build or a call.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// How long the end of this process waits for containers to be removed.
const DRAIN: Duration = Duration::from_secs(20);

/// A connection to an engine, on a thread of its own.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) docker: Docker,
    pub(crate) owner: Owner,
    pub(crate) settings: DockerSettings,
    /// Whether containers of a build can have a network that is not the host's.
    pub(crate) has_bridge: bool,
    pub(crate) handle: Handle,
    /// What must be over before this process is.
    pub(crate) tasks: TaskTracker,
    thread: Option<(oneshot::Sender<()>, std::thread::JoinHandle<()>)>,
    last: AtomicU64,
}

impl Engine {
    /// Finds an engine, sees whether it can do what is needed, and removes what a dead process left. Blocks.
    pub(crate) fn connect(settings: &DockerSettings) -> Result<Arc<Self>, DockerError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new().name("docker".into()).spawn(move || {
            let _told_or_dropped = runtime.block_on(stopped);
            // A name that is being looked up would keep the thread.
            runtime.shutdown_background();
        })?;
        let found = settings.clone();
        let (docker, has_bridge) = on(&handle, async move { find(&found).await })??;
        let engine = Arc::new(Self {
            docker,
            owner: Owner::new(&settings.home)?,
            settings: settings.clone(),
            has_bridge,
            handle,
            tasks: TaskTracker::new(),
            thread: Some((stop, thread)),
            last: AtomicU64::new(0),
        });
        engine.block_on({
            let engine = Arc::clone(&engine);
            async move { crate::sweep::leftovers(&engine).await }
        })??;
        Ok(engine)
    }

    /// A name that nobody else gives.
    pub(crate) fn next_name(&self) -> String {
        format!("cortex-{}-{}", self.owner.process(), self.next_number())
    }

    /// A number that nobody else of this process has.
    pub(crate) fn next_number(&self) -> u64 {
        self.last.fetch_add(1, Ordering::Relaxed)
    }

    /// Runs something on the engine's thread and waits for it. Must not be called on that thread.
    pub(crate) fn block_on<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, DockerError> {
        on(&self.handle, future)
    }

    /// Runs something on the engine's thread that this process waits for at its end.
    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn_on(future, &self.handle);
    }

    /// Waits for everything that goes on. Whoever calls this has made sure that nothing new begins.
    pub(crate) fn drain(&self) {
        self.tasks.close();
        let tasks = self.tasks.clone();
        // What is not removed now is removed by the next process.
        let _ = self.block_on(async move { tokio::time::timeout(DRAIN, tasks.wait()).await });
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let Some((stop, thread)) = self.thread.take() else { return };
        let _nobody_listens = stop.send(());
        // The last owner may be a task on the thread itself.
        if thread.thread().id() != std::thread::current().id() {
            let _panicked = thread.join();
        }
    }
}

/// Runs a future on another thread's runtime and waits without one of our own.
fn on<T: Send + 'static>(handle: &Handle, future: impl Future<Output = T> + Send + 'static) -> Result<T, DockerError> {
    let (answer, answered) = std::sync::mpsc::sync_channel(1);
    handle.spawn(async move {
        let _nobody_waits = answer.send(future.await);
    });
    answered.recv().map_err(|_| DockerError::Io(std::io::Error::other("the thread of the engine has ended")))
}

/// The address that is named, else the first of the usual ones that answers.
async fn find(settings: &DockerSettings) -> Result<(Docker, bool), DockerError> {
    let addresses = if let Some(host) = &settings.host {
        vec![host.clone()]
    } else {
        let podman = settings.runtime_folder.as_ref().map(|folder| folder.join("podman/podman.sock"));
        let paths = [Some("/var/run/docker.sock".into()), podman, Some(PathBuf::from("/run/podman/podman.sock"))];
        paths.into_iter().flatten().map(|path| format!("unix://{}", path.display())).collect()
    };
    let mut tried = Vec::new();
    for address in addresses {
        match open(&address).await {
            Ok(docker) => return check(docker).await,
            Err(why) => tried.push(format!("`{address}`: {why}")),
        }
    }
    Err(DockerError::NoEngine { tried })
}

async fn open(address: &str) -> Result<Docker, String> {
    if let Some(path) = address.strip_prefix("unix://")
        && !Path::new(path).exists()
    {
        return Err("there is no such socket".into());
    }
    let docker = connect(address).map_err(|error| error.to_string())?;
    let negotiated = tokio::time::timeout(Duration::from_secs(5), docker.negotiate_version()).await;
    negotiated.map_err(|_| "no answer within 5 s".to_owned())?.map_err(|error| error.to_string())
}

fn connect(address: &str) -> Result<Docker, bollard::errors::Error> {
    // A build may be silent for long; every other request has a limit of its own.
    const SECONDS: u64 = 3600;
    if address.starts_with("tcp://") || address.starts_with("http://") {
        return Docker::connect_with_http(address, SECONDS, API_DEFAULT_VERSION);
    }
    #[cfg(unix)]
    if address.starts_with("unix://") {
        return Docker::connect_with_unix(address, SECONDS, API_DEFAULT_VERSION);
    }
    Docker::connect_with_host(address)
}

/// An engine that cannot hold a container to its limits is none.
async fn check(docker: Docker) -> Result<(Docker, bool), DockerError> {
    let info = docker.info().await.map_err(asked("say what it is"))?;
    let limits =
        [("memory", info.memory_limit), ("processes", info.pids_limit), ("processor time", info.cpu_cfs_quota)];
    for (limit, enforced) in limits {
        // Podman leaves out what it takes for granted.
        if enforced == Some(false) {
            return Err(DockerError::CannotEnforce { limit });
        }
    }
    let networks = docker.list_networks(None).await.map_err(asked("list its networks"))?;
    let names = networks.iter().filter_map(|network| network.name.as_deref());
    let has_bridge = names.into_iter().any(|name| name == "bridge" || name == "podman");
    Ok((docker, has_bridge))
}
