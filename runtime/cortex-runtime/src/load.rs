//! Tools that are ready to run, kept in a bounded cache and looked at again when their files may have changed.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use cortex_build::{Progress, data_folders, stamp};
use cortex_manifest::InputSchema;
use cortex_sandbox::{Grants, LimitError, Limits};
use lru::LruCache;

use crate::backend::{Backend, LoadFailure, Runnable};
use crate::error::RuntimeError;
use crate::policy::Operator;
use crate::reference::ToolReference;
use crate::registry::{Registry, Tool, ToolSource};

/// How many tools are kept ready. A Rust tool takes under 1 MB of memory, a Python tool 50 MB of mapped code, most of it
/// shared with the page cache.
const READY: NonZeroUsize = NonZeroUsize::new(256).expect("not zero");

/// How often a ready tool's files are looked at. Between two looks a call costs no system call for it; an edit is seen
/// before a person has left the editor.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);

/// A tool that is ready to run.
pub(crate) struct Ready {
    pub(crate) reference: Arc<str>,
    pub(crate) tool: Tool,
    pub(crate) schema: InputSchema,
    pub(crate) limits: Result<Limits, LimitError>,
    pub(crate) grants: Arc<Grants>,
    pub(crate) runnable: Runnable,
    stamp: u64,
    looked_ms: AtomicU64,
}

/// The ready tools, by the reference that they were called by.
pub(crate) struct ReadyTools {
    ready: Mutex<LruCache<String, Arc<Ready>>>,
    loading: Mutex<HashMap<String, Arc<Mutex<()>>>>,
    turns: Mutex<HashMap<String, Weak<tokio::sync::Mutex<()>>>>,
    epoch: Instant,
    watched: AtomicBool,
}

impl ReadyTools {
    /// `watched`: somebody else looks for changes.
    pub(crate) fn new(watched: bool) -> Self {
        Self {
            watched: AtomicBool::new(watched),
            ready: Mutex::new(LruCache::new(READY)),
            loading: Mutex::default(),
            turns: Mutex::default(),
            epoch: Instant::now(),
        }
    }

    /// The tool, if it is ready and was looked at lately. Does no I/O.
    pub(crate) fn get(&self, reference: &str) -> Option<Arc<Ready>> {
        let ready = Arc::clone(self.ready.lock().unwrap_or_else(PoisonError::into_inner).get(reference)?);
        let stays = self.watched.load(Ordering::Relaxed) || ready.tool.source == ToolSource::Standard;
        (stays || self.now_ms() < ready.looked_ms.load(Ordering::Relaxed) + millis(LOOK_INTERVAL)).then_some(ready)
    }

    /// Who may make a tool ready. It keeps calls from waiting on threads, which are few; what keeps two builds apart is
    /// below, where a caller that gave up is still building.
    pub(crate) fn turn(&self, reference: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(turn) = turns.get(reference).and_then(Weak::upgrade) {
            return turn;
        }
        turns.retain(|_, turn| turn.strong_count() > 0);
        let turn = Arc::default();
        turns.insert(reference.to_owned(), Arc::downgrade(&turn));
        turn
    }

    /// Makes a tool ready. A hundred concurrent first calls load once. Says whether it was ready before. Blocks.
    pub(crate) fn load(
        &self,
        registry: &Registry,
        backend: &dyn Backend,
        operator: &Operator,
        reference: &str,
        progress: &dyn Progress,
    ) -> Result<Result<(Arc<Ready>, bool), LoadFailure>, RuntimeError> {
        let flight = {
            let mut loading = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(loading.entry(reference.to_owned()).or_default())
        };
        let loaded = {
            let _only_one = flight.lock().unwrap_or_else(PoisonError::into_inner);
            self.load_alone(registry, backend, operator, reference, progress)
        };
        self.loading.lock().unwrap_or_else(PoisonError::into_inner).remove(reference);
        loaded
    }

    fn load_alone(
        &self,
        registry: &Registry,
        backend: &dyn Backend,
        operator: &Operator,
        reference: &str,
        progress: &dyn Progress,
    ) -> Result<Result<(Arc<Ready>, bool), LoadFailure>, RuntimeError> {
        let parsed = ToolReference::from(reference);
        let known = self.ready.lock().unwrap_or_else(PoisonError::into_inner).get(reference).map(Arc::clone);
        if let Some(ready) = known
            && stamp_of(&ready.tool).is_some_and(|stamp| stamp == ready.stamp)
        {
            ready.looked_ms.store(self.now_ms(), Ordering::Relaxed);
            return Ok(Ok((ready, true)));
        }
        let tool = registry.find(&parsed)?;
        // Taken before the build: a file that changes meanwhile is seen at the next look.
        let stamp = stamp_of(&tool).unwrap_or_default();
        let runnable = match backend.load(&tool, parsed.function.as_deref(), progress) {
            Ok(runnable) => runnable,
            Err(failure) => return Ok(Err(failure)),
        };
        let derived = runnable.input_schema().filter(|_| tool.spec.parameters().is_empty());
        let schema = derived.and_then(|schema| InputSchema::from_json_schema(schema.clone()).ok());
        let decided = operator.decide(&tool)?;
        let ready = Arc::new(Ready {
            schema: schema.unwrap_or_else(|| tool.spec.input_schema().clone()),
            limits: decided.limits,
            grants: Arc::new(decided.grants),
            reference: reference.into(),
            runnable,
            stamp,
            looked_ms: AtomicU64::new(self.now_ms()),
            tool,
        });
        let cached = ready.runnable.was_cached();
        let mut tools = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        tools.put(reference.to_owned(), Arc::clone(&ready));
        Ok(Ok((ready, cached)))
    }

    /// Those whose files have changed since they were made ready. Blocks.
    pub(crate) fn changed(&self) -> Vec<String> {
        let all: Vec<_> = {
            let ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
            ready.iter().map(|(reference, ready)| (reference.clone(), Arc::clone(ready))).collect()
        };
        let changed = |ready: &Ready| stamp_of(&ready.tool) != Some(ready.stamp);
        all.into_iter().filter(|(_, ready)| changed(ready)).map(|(reference, _)| reference).collect()
    }

    /// Nobody looks for changes any more.
    pub(crate) fn unwatched(&self) {
        self.watched.store(false, Ordering::Relaxed);
    }

    /// A tool that is gone.
    pub(crate) fn forget(&self, reference: &str) {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner).pop(reference);
    }

    fn now_ms(&self) -> u64 {
        millis(self.epoch.elapsed())
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Names, sizes and times of a tool's files, but for those that it writes itself; equal as long as nothing changed.
fn stamp_of(tool: &Tool) -> Option<u64> {
    let path: &Path = match &tool.source {
        ToolSource::Standard => return Some(0),
        ToolSource::Component(path) => path,
        ToolSource::Folder { root, .. } => root,
    };
    stamp(path, &data_folders(&tool.spec)).ok()
}
