//! Forwarders: the containers whose loopback tools share to reach the proxy.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bollard::container::LogOutput;
use cortex_sandbox::Egress;
use futures_util::StreamExt;
use tokio::time::timeout;

use crate::bases::Base;
use crate::container::Container;
use crate::engine::{Engine, PATIENCE};
use crate::error::DockerError;
use crate::image::ensure_plain;
use crate::owner::Kind;
use crate::proxy::{Door, Proxy};
use crate::recipe::USER;
use crate::shape::{Bind, Shape};

const PROGRAM: &str = include_str!("../glue/forward.py");

/// How many are kept for later calls, and how long.
const IDLE_MAX: usize = 8;
const IDLE: Duration = Duration::from_mins(1);

/// A forwarder and the proxy behind it.
struct Forwarder {
    container: Container,
    door: Arc<Door>,
    _proxy: Proxy,
    since: Instant,
}

/// The forwarders that nobody uses at this moment.
#[derive(Default)]
pub(crate) struct Forwarders {
    idle: Mutex<Vec<Forwarder>>,
}

/// A forwarder that belongs to one container of a tool, until that container is gone.
pub(crate) struct Lease {
    forwarder: Option<Forwarder>,
    pool: Arc<Forwarders>,
}

impl Forwarders {
    /// A forwarder of a container that is about to be created.
    pub(crate) async fn lease(self: &Arc<Self>, engine: &Arc<Engine>) -> Result<Lease, DockerError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let forwarder = match idle {
            Some(forwarder) => forwarder,
            None => start(engine).await?,
        };
        Ok(Lease { forwarder: Some(forwarder), pool: Arc::clone(self) })
    }

    /// Ends those that nobody has used for a while; all of them with `at_once`.
    pub(crate) fn reap(&self, at_once: bool) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|forwarder| !at_once && forwarder.since.elapsed() < IDLE);
    }
}

impl Lease {
    /// The network of the tool's container.
    pub(crate) fn network(&self) -> String {
        self.forwarder
            .as_ref()
            .map_or_else(|| "none".into(), |forwarder| format!("container:{}", forwarder.container.name))
    }

    /// Requests are those of this call.
    pub(crate) fn open(&self, egress: Egress) {
        if let Some(forwarder) = &self.forwarder {
            forwarder.door.set(Some(egress));
        }
    }

    /// Nobody's requests go out any more.
    pub(crate) fn close(&self) {
        if let Some(forwarder) = &self.forwarder {
            forwarder.door.set(None);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.close();
        let Some(forwarder) = self.forwarder.take() else { return };
        let mut idle = self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_MAX {
            idle.push(Forwarder { since: Instant::now(), ..forwarder });
        }
    }
}

async fn start(engine: &Arc<Engine>) -> Result<Forwarder, DockerError> {
    let base = engine.settings.bases.image(Base::Python).to_owned();
    let dockerfile = format!("FROM {base}\nCOPY forward.py /forward.py\nUSER {USER}\n");
    let image = ensure_plain(engine, "cortex/forwarder", &dockerfile, &[("forward.py", PROGRAM)]).await?;
    let folder = engine.owner.folder().join(engine.next_number().to_string());
    let door = Arc::new(Door::default());
    let proxy = Proxy::listen(&folder, Arc::clone(&door))?;
    let shape = Shape {
        image,
        entrypoint: Some(["python3", "/forward.py"].map(ToOwned::to_owned).to_vec()),
        environment: Vec::new(),
        folders: vec![Bind { host: folder.display().to_string(), guest: "/run/cortex".into(), writable: true }],
        secrets: Vec::new(),
        memory_bytes: 64 << 20,
        disk_bytes: 1 << 20,
        cpu_millis: 500,
        network: false,
    };
    let labels = engine.owner.labels(Kind::Forwarder, "forwarder");
    let mut body = shape.body("none", Vec::new(), labels);
    body.working_dir = None;
    let container = Container::create(engine, body, None).await?;
    let mut attached = container.start().await?;
    let ready = async {
        while let Some(Ok(output)) = attached.output.next().await {
            if matches!(&output, LogOutput::StdOut { message } if message.starts_with(b"ready")) {
                return true;
            }
        }
        false
    };
    if timeout(PATIENCE, ready).await != Ok(true) {
        return Err(DockerError::Unanswered { action: "start a forwarder", seconds: PATIENCE.as_secs() });
    }
    Ok(Forwarder { container, door, _proxy: proxy, since: Instant::now() })
}
