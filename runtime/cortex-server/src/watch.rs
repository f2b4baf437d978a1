//! Hot reload: tools whose files change are built in the background and swapped when they work.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use cortex_runtime::{Progress, Runtime};
use notify::{RecursiveMode, Watcher};
use tokio::sync::mpsc;

use crate::metrics::Metrics;

/// How long files must be left alone until somebody looks: an editor writes several of them, and some more than once.
const QUIET: Duration = Duration::from_millis(100);

/// Watches the folders as long as it lives.
#[derive(Debug)]
pub(crate) struct Watching(#[expect(dead_code, reason = "it watches while it is held")] notify::RecommendedWatcher);

/// Watches the folders' files. Where a folder is not there yet, calls look for changes themselves. Must be called on a tokio
/// runtime.
pub(crate) fn watch(runtime: Runtime, folders: &[PathBuf], metrics: Arc<Metrics>) -> notify::Result<Watching> {
    // One place: what happens while somebody looks is looked at once, afterwards.
    let (sender, changed) = mpsc::channel(1);
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // Reading a file is no change. After an error nobody knows what has changed.
        if event.map_or(true, |event| !event.kind.is_access()) {
            let _ = sender.try_send(());
        }
    })?;
    for folder in folders {
        if folder.is_dir() {
            watcher.watch(folder, RecursiveMode::Recursive)?;
        } else {
            runtime.look_on_calls();
        }
    }
    tokio::spawn(reload(runtime, changed, metrics));
    Ok(Watching(watcher))
}

async fn reload(runtime: Runtime, mut changed: mpsc::Receiver<()>, metrics: Arc<Metrics>) {
    while changed.recv().await.is_some() {
        while tokio::time::timeout(QUIET, changed.recv()).await.is_ok_and(|more| more.is_some()) {}
        let (runtime, metrics) = (runtime.clone(), Arc::clone(&metrics));
        let reloaded = tokio::task::spawn_blocking(move || {
            for reloaded in runtime.reload(&Log) {
                match &reloaded.error {
                    None => {
                        metrics.reloads.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        tracing::info!(audit = true, tool = reloaded.tool, "swapped for its new version");
                    }
                    Some(error) => {
                        tracing::warn!(tool = reloaded.tool, error, "its new version does not work; the old one stays");
                    }
                }
            }
        });
        if let Err(panicked) = reloaded.await {
            tracing::error!(error = %panicked, "reloading broke off");
        }
    }
}

struct Log;

impl Progress for Log {
    fn step(&self, line: &str) {
        tracing::info!("{line}");
    }
}
