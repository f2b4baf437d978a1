//! Builds that somebody asked for: started, followed line by line, kept for a while.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use cortex_runtime::{Progress, Runtime};
use serde::Serialize;
use tokio::sync::{Semaphore, watch};
use utoipa::ToSchema;

use crate::metrics::Metrics;
use crate::timestamp::rfc3339;

/// How many builds are kept, those that go on included.
const KEPT: usize = 100;
/// How many may wait and go on. Each is minutes of a compiler.
const GOING_ON: usize = 20;
/// How many go on at the same time: compilers use all cores there are.
const AT_ONCE: usize = 2;
/// How many lines of one build are kept.
const LINES: usize = 1_000;

/// How a build stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum BuildStatus {
    /// It waits for others.
    Queued,
    /// It goes on.
    Running,
    /// The tool is ready to run.
    Success,
    /// It is not.
    Failed,
}

/// A build.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "clients read it as `build_id`")]
pub(crate) struct Build {
    /// Which build it is.
    pub(crate) build_id: String,
    /// The tool's name.
    pub(crate) tool: String,
    /// How it stands.
    pub(crate) status: BuildStatus,
    /// When it was asked for.
    pub(crate) started_at: String,
    /// When it ended.
    pub(crate) ended_at: Option<String>,
    /// What it did, line by line.
    pub(crate) lines: Vec<String>,
    /// Whether the source was built anew; `false` when it was there already.
    pub(crate) built: Option<bool>,
    /// The component's digest.
    pub(crate) component: Option<String>,
    /// Why it failed.
    pub(crate) error: Option<String>,
}

/// All of them.
#[derive(Clone, Debug)]
pub(crate) struct Builds(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    runtime: Runtime,
    metrics: Arc<Metrics>,
    jobs: Mutex<VecDeque<Arc<Job>>>,
    next: AtomicU64,
    places: Semaphore,
    /// Told whenever any of them changes.
    changes: watch::Sender<u64>,
}

/// One of them, and who follows it.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) id: String,
    pub(crate) tool: String,
    build: watch::Sender<Build>,
}

impl Job {
    /// How it stands now.
    pub(crate) fn now(&self) -> Build {
        self.build.borrow().clone()
    }

    /// Hears of every change.
    pub(crate) fn follow(&self) -> watch::Receiver<Build> {
        self.build.subscribe()
    }
}

impl BuildStatus {
    /// Whether it is over.
    pub(crate) fn is_final(self) -> bool {
        matches!(self, Self::Success | Self::Failed)
    }
}

impl Builds {
    pub(crate) fn new(runtime: Runtime, metrics: Arc<Metrics>) -> Self {
        let inner = Inner {
            runtime,
            metrics,
            jobs: Mutex::default(),
            next: AtomicU64::new(1),
            places: Semaphore::new(AT_ONCE),
            changes: watch::Sender::new(0),
        };
        Self(Arc::new(inner))
    }

    fn jobs(&self) -> MutexGuard<'_, VecDeque<Arc<Job>>> {
        self.0.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a build of a tool; `None` when too many go on. One that goes on for the same tool is followed instead.
    pub(crate) fn start(&self, tool: &str, force: bool) -> Option<Arc<Job>> {
        let job = {
            let mut jobs = self.jobs();
            let going: Vec<_> = jobs.iter().filter(|job| !job.build.borrow().status.is_final()).collect();
            if let Some(same) = going.iter().find(|job| job.tool == tool && !force) {
                return Some(Arc::clone(same));
            }
            if going.len() >= GOING_ON {
                return None;
            }
            let id = format!("build_{:08x}", self.0.next.fetch_add(1, Ordering::Relaxed));
            let build = Build {
                build_id: id.clone(),
                tool: tool.to_owned(),
                status: BuildStatus::Queued,
                started_at: rfc3339(SystemTime::now()),
                ended_at: None,
                lines: Vec::new(),
                built: None,
                component: None,
                error: None,
            };
            let job = Arc::new(Job { id, tool: tool.to_owned(), build: watch::Sender::new(build) });
            jobs.push_front(Arc::clone(&job));
            while jobs.len() > KEPT && jobs.back().is_some_and(|job| job.build.borrow().status.is_final()) {
                jobs.pop_back();
            }
            job
        };
        tracing::info!(audit = true, build = job.id, tool, force, "a build was asked for");
        tokio::spawn(self.clone().run(Arc::clone(&job), force));
        Some(job)
    }

    async fn run(self, job: Arc<Job>, force: bool) {
        let Ok(_place) = self.0.places.acquire().await else { return };
        self.change(&job, |build| build.status = BuildStatus::Running);
        let progress = Lines { builds: self.clone(), job: Arc::clone(&job) };
        let (runtime, tool) = (self.0.runtime.clone(), job.tool.clone());
        let built = tokio::task::spawn_blocking(move || runtime.build(&tool, force, &progress)).await;
        let (worked, error) = match &built {
            Ok(Ok(_)) => (true, None),
            Ok(Err(error)) => (false, Some(error.to_string())),
            Err(panicked) => (false, Some(panicked.to_string())),
        };
        self.0.metrics.count_build(worked);
        self.change(&job, |build| {
            build.status = if worked { BuildStatus::Success } else { BuildStatus::Failed };
            build.ended_at = Some(rfc3339(SystemTime::now()));
            build.error.clone_from(&error);
            if let Ok(Ok(prepared)) = built {
                build.built = Some(prepared.built);
                build.component = Some(prepared.digest);
            }
        });
        tracing::info!(audit = true, build = job.id, tool = job.tool, worked, error, "a build has ended");
    }

    fn change(&self, job: &Job, change: impl FnOnce(&mut Build)) {
        job.build.send_modify(change);
        self.0.changes.send_modify(|count| *count += 1);
    }

    /// All that are known, the latest first.
    pub(crate) fn all(&self) -> Vec<Arc<Job>> {
        self.jobs().iter().map(Arc::clone).collect()
    }

    pub(crate) fn get(&self, id: &str) -> Option<Arc<Job>> {
        self.jobs().iter().find(|job| job.id == id).map(Arc::clone)
    }

    /// Hears whenever any of them changes.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }
}

struct Lines {
    builds: Builds,
    job: Arc<Job>,
}

impl Progress for Lines {
    fn step(&self, line: &str) {
        self.builds.change(&self.job, |build| {
            if build.lines.len() < LINES {
                build.lines.push(line.to_owned());
            }
        });
    }
}
