//! The catalogue as of now, and news of it: manifests and sources are watched.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use cortex_runtime::{Runtime, RuntimeError};
use notify::{PollWatcher, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::{broadcast, mpsc};
use tokio_util::task::AbortOnDropHandle;

use super::catalogue::Catalogue;
use super::functions::Functions;
use super::meta_tools::MetaTools;

/// How long files must have rested before they are read: an editor writes a file in several steps.
const REST: Duration = Duration::from_millis(50);

/// How often a client's request for an unknown name makes the manifests be read.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);

/// How often files are looked at where the system sends no news of them.
const POLL_INTERVAL: Duration = Duration::from_secs(2);

/// News that a client may not have read yet; after more, it is told that everything changed.
const NEWS_KEPT: usize = 64;

/// What is new.
#[derive(Clone, Debug, Default)]
pub(super) struct Change {
    pub(super) tools: bool,
    pub(super) prompts: bool,
    pub(super) resources: bool,
    /// The files that changed.
    files: Vec<PathBuf>,
}

impl Change {
    /// What a client is told that missed some of the news.
    pub(super) fn of_everything() -> Self {
        Self { tools: true, prompts: true, resources: true, files: Vec::new() }
    }

    fn between(old: &Catalogue, new: &Catalogue, files: Vec<PathBuf>) -> Self {
        Self {
            tools: old.tools != new.tools,
            prompts: old.prompts != new.prompts,
            resources: old.resources != new.resources || old.templates != new.templates,
            files,
        }
    }

    /// Whether what a resource is made of changed.
    pub(super) fn touches(&self, uri: &str, catalogue: &Catalogue) -> bool {
        let root = catalogue.resource(uri).and_then(|(published, _)| published.root.as_ref());
        root.is_some_and(|root| self.files.iter().any(|file| file.starts_with(root)))
    }
}

/// The catalogue, kept up to date.
pub(super) struct Watched {
    current: Arc<Current>,
    /// Ends with the server.
    _reader: AbortOnDropHandle<()>,
}

struct Current {
    runtime: Runtime,
    meta_tools: Option<MetaTools>,
    functions: Functions,
    catalogue: RwLock<Arc<Catalogue>>,
    read_at: Mutex<Instant>,
    news: broadcast::Sender<Arc<Change>>,
}

impl Watched {
    pub(super) async fn start(runtime: &Runtime, meta_tools: Option<&MetaTools>) -> Result<Self, RuntimeError> {
        let (files, changed) = mpsc::unbounded_channel();
        // Watched before it is read: what changes in between is read again.
        let watcher = watch(runtime.manifest_folders(), files);
        let current = Arc::new(Current {
            runtime: runtime.clone(),
            meta_tools: meta_tools.cloned(),
            functions: Functions::default(),
            catalogue: RwLock::default(),
            read_at: Mutex::new(Instant::now()),
            news: broadcast::channel(NEWS_KEPT).0,
        });
        current.clone().read(Vec::new()).await?;
        let reader = tokio::spawn(read_changes(Arc::clone(&current), changed, watcher));
        Ok(Self { current, _reader: AbortOnDropHandle::new(reader) })
    }

    /// The catalogue as of the last look.
    pub(super) fn catalogue(&self) -> Arc<Catalogue> {
        Arc::clone(&self.current.catalogue.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The catalogue for a name that the last look did not show: it may have come a moment ago.
    pub(super) async fn looked_again(&self) -> Arc<Catalogue> {
        let rested = self.current.read_at.lock().unwrap_or_else(PoisonError::into_inner).elapsed() >= LOOK_INTERVAL;
        if rested && let Err(error) = self.current.clone().read(Vec::new()).await {
            tracing::warn!(%error, "the manifests cannot be read");
        }
        self.catalogue()
    }

    /// The catalogue after something was written that must be in it.
    pub(super) async fn read_again(&self) -> Result<Arc<Catalogue>, RuntimeError> {
        self.current.clone().read(Vec::new()).await?;
        Ok(self.catalogue())
    }

    /// News from now on.
    pub(super) fn news(&self) -> broadcast::Receiver<Arc<Change>> {
        self.current.news.subscribe()
    }
}

impl Current {
    async fn read(self: Arc<Self>, files: Vec<PathBuf>) -> Result<(), RuntimeError> {
        let read = tokio::task::spawn_blocking(move || {
            let new = Arc::new(Catalogue::read(&self.runtime, self.meta_tools.as_ref(), &self.functions)?);
            *self.read_at.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
            let change = {
                let mut catalogue = self.catalogue.write().unwrap_or_else(PoisonError::into_inner);
                let change = Change::between(&catalogue, &new, files);
                *catalogue = new;
                change
            };
            // Nobody may be listening.
            let _ = self.news.send(Arc::new(change));
            Ok(())
        });
        read.await.map_err(|error| RuntimeError::Io(std::io::Error::other(error)))?
    }
}

/// Reads the manifests whenever files have changed and come to rest. The watcher lives as long as this does.
async fn read_changes(
    current: Arc<Current>,
    mut changed: mpsc::UnboundedReceiver<PathBuf>,
    _watcher: Option<Box<dyn Watcher + Send>>,
) {
    while let Some(first) = changed.recv().await {
        let mut files = vec![first];
        while let Ok(Some(next)) = tokio::time::timeout(REST, changed.recv()).await {
            if !files.contains(&next) {
                files.push(next);
            }
        }
        if let Err(error) = Arc::clone(&current).read(files).await {
            tracing::warn!(%error, "the manifests cannot be read");
        }
    }
}

/// Sends the name of every file that changes. A folder that is not there cannot be watched; one that is made later is seen
/// when the server starts again.
fn watch(folders: &[PathBuf], files: mpsc::UnboundedSender<PathBuf>) -> Option<Box<dyn Watcher + Send>> {
    let send = move |event: notify::Result<notify::Event>| match event {
        // Reading changes nothing, and this server reads.
        Ok(event) if event.kind.is_access() => {}
        Ok(event) => event.paths.into_iter().for_each(|path| drop(files.send(path))),
        Err(error) => tracing::warn!(%error, "files cannot be watched"),
    };
    let watcher: Result<Box<dyn Watcher + Send>, _> = RecommendedWatcher::new(send.clone(), notify::Config::default())
        .map(|watcher| Box::new(watcher) as _)
        .or_else(|error| {
            tracing::warn!(%error, "the system sends no news of files; they are looked at every {POLL_INTERVAL:?}");
            let config = notify::Config::default().with_poll_interval(POLL_INTERVAL);
            PollWatcher::new(send, config).map(|watcher| Box::new(watcher) as _)
        });
    let mut watcher = watcher.inspect_err(|error| tracing::warn!(%error, "files cannot be watched")).ok()?;
    // By its real name, so that the names in the news are comparable.
    for folder in folders.iter().filter_map(|folder| fs_err::canonicalize(folder).ok()) {
        if let Err(error) = watcher.watch(&folder, RecursiveMode::Recursive) {
            tracing::warn!(%error, folder = %folder.display(), "the folder cannot be watched");
        }
    }
    Some(watcher)
}
