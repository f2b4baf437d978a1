//! The backend: tools from their folders to containers, and what people ask about them.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use bollard::query_parameters::LogsOptionsBuilder;
use cortex_build::Progress;
use cortex_manifest::{RelicSpec, ToolSpec};
use futures_util::StreamExt;
use tokio::sync::Semaphore;

use crate::bases::Bases;
use crate::context::Context;
use crate::engine::{DockerSettings, Engine};
use crate::error::{DockerError, asked};
use crate::forwarder::Forwarders;
use crate::image::{self, Image, Job, ensure};
use crate::owner::Kind;
use crate::recipe::{Recipe, recipe};
use crate::relic::{self, Relic};
use crate::sweep::{self, Listed};
use crate::tool::{ContainerTool, Inner, Shared};

/// Containers at the same time, of all tools together; the others wait.
const CONTAINERS_MAX: usize = 32;

/// How often idle containers are looked for.
const REAP: Duration = Duration::from_secs(15);

/// Runs tools in containers. Asks no engine for anything before the first of them is needed.
pub struct DockerBackend {
    settings: DockerSettings,
    /// Whether containers may wait for calls: in a process of one call they would wait in vain.
    keeps: bool,
    engine: Mutex<Option<Arc<Engine>>>,
    forwarders: Arc<Forwarders>,
    tools: Arc<Mutex<Vec<Weak<Inner>>>>,
    slots: Arc<Semaphore>,
}

impl DockerBackend {
    /// A backend that connects when it must. `keeps`: this process makes many calls, so containers may wait for them.
    pub fn new(settings: DockerSettings, keeps: bool) -> Self {
        Self {
            settings,
            keeps,
            engine: Mutex::new(None),
            forwarders: Arc::default(),
            tools: Arc::default(),
            slots: Arc::new(Semaphore::new(CONTAINERS_MAX)),
        }
    }

    /// The engine, connected at its first use. One that was not there may be the next time.
    pub(crate) fn engine(&self) -> Result<Arc<Engine>, DockerError> {
        let mut engine = self.engine.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(engine) = &*engine {
            return Ok(Arc::clone(engine));
        }
        let connected = Engine::connect(&self.settings)?;
        if self.keeps {
            self.reap_now_and_then(&connected);
        }
        Ok(Arc::clone(engine.insert(connected)))
    }

    /// Whether an engine answers, and what is in the way if not. Blocks.
    pub fn check(&self) -> Result<(), DockerError> {
        self.engine().map(drop)
    }

    fn reap_now_and_then(&self, engine: &Arc<Engine>) {
        let (forwarders, tools) = (Arc::clone(&self.forwarders), Arc::clone(&self.tools));
        // Not one of the tasks that are waited for: it ends with the thread.
        engine.handle.spawn(async move {
            loop {
                tokio::time::sleep(REAP).await;
                forwarders.reap(false);
                reap(&tools, false);
            }
        });
    }

    /// The text of the Dockerfile that a tool gets. Asks no engine.
    pub fn dockerfile(spec: &ToolSpec, folder: &Path, manifest: &str, bases: &Bases) -> Result<String, DockerError> {
        let recipe = recipe(spec, folder, manifest, bases)?;
        let digest = recipe.digest(spec, &Context::read(folder, manifest, &recipe)?.digest()?);
        Ok(recipe.dockerfile(spec, &digest))
    }

    /// Builds a tool's image if its digest is new. Blocks.
    pub fn load(
        &self,
        spec: &ToolSpec,
        folder: &Path,
        manifest: &str,
        force: bool,
        progress: &dyn Progress,
    ) -> Result<ContainerTool, DockerError> {
        let recipe = recipe(spec, folder, manifest, &self.settings.bases)?;
        check_use(spec, &recipe)?;
        let context = Context::read(folder, manifest, &recipe)?;
        let digest = recipe.digest(spec, &context.digest()?);
        let engine = self.engine()?;
        let job = Job { spec: spec.clone(), recipe: recipe.clone(), context, digest: digest.clone() };
        let built = ensure(&engine, job, force, progress)?;
        let shared = Shared {
            engine,
            forwarders: Arc::clone(&self.forwarders),
            slots: Arc::clone(&self.slots),
            keeps: self.keeps,
        };
        let image = image::reference(spec.name.as_str(), &digest);
        let tool = ContainerTool::new(shared, spec, folder, &recipe, image, &digest, !built);
        let mut tools = self.tools.lock().unwrap_or_else(PoisonError::into_inner);
        tools.retain(|tool| tool.strong_count() > 0);
        tools.push(tool.downgrade());
        Ok(tool)
    }

    /// Every image of this home's tools. Blocks.
    pub fn images(&self) -> Result<Vec<Image>, DockerError> {
        let engine = self.engine()?;
        engine.block_on({
            let engine = Arc::clone(&engine);
            async move { image::list(&engine).await }
        })?
    }

    /// Removes all but the newest `keep` images of every tool. Blocks.
    pub fn prune_images(&self, keep: usize) -> Result<Vec<Image>, DockerError> {
        let engine = self.engine()?;
        engine.block_on({
            let engine = Arc::clone(&engine);
            async move { image::prune(&engine, keep).await }
        })?
    }

    /// Every container of this home. Blocks.
    pub fn containers(&self) -> Result<Vec<Listed>, DockerError> {
        let engine = self.engine()?;
        engine.block_on({
            let engine = Arc::clone(&engine);
            async move { sweep::list(&engine).await }
        })?
    }

    /// Kills and removes the containers of a name, an id or a tool; a relic is stopped as [`DockerBackend::stop_relic`] does. Blocks.
    pub fn stop(&self, name: &str) -> Result<Vec<Listed>, DockerError> {
        let engine = self.engine()?;
        let name = name.to_owned();
        engine.block_on({
            let engine = Arc::clone(&engine);
            async move {
                let found = sweep::find(&engine, &name).await?;
                for listed in &found {
                    // A relic is more than its container: no tool may go on looking for it where somebody else is next.
                    if listed.kind == Kind::Relic.name() {
                        relic::stop(&engine, &listed.runs, false).await?;
                    } else {
                        sweep::remove(&engine, &listed.id).await?;
                    }
                }
                Ok(found)
            }
        })?
    }

    /// What a container has written: the last megabyte. Blocks.
    pub fn logs(&self, name: &str) -> Result<Vec<u8>, DockerError> {
        let engine = self.engine()?;
        let name = name.to_owned();
        engine.block_on({
            let engine = Arc::clone(&engine);
            async move {
                let mut all = Vec::new();
                for listed in sweep::find(&engine, &name).await? {
                    let options = LogsOptionsBuilder::new().stdout(true).stderr(true).tail("all").build();
                    let mut pieces = std::pin::pin!(engine.docker.logs(&listed.id, Some(options)));
                    while let Some(piece) = pieces.next().await {
                        all.extend_from_slice(&piece.map_err(asked("read a container's log"))?.into_bytes());
                    }
                }
                Ok(all)
            }
        })?
    }

    /// Makes a relic run and waits until it is healthy. Blocks.
    pub fn start_relic(
        &self,
        spec: &RelicSpec,
        folder: &Path,
        manifest: &str,
        progress: &dyn Progress,
    ) -> Result<Relic, DockerError> {
        relic::start(&self.engine()?, spec, folder, manifest, progress)
    }

    /// Stops a relic, and removes what it kept if `volumes` says so. Says whether it ran. Blocks.
    pub fn stop_relic(&self, name: &str, volumes: bool) -> Result<bool, DockerError> {
        let engine = self.engine()?;
        let name = name.to_owned();
        engine.block_on({
            let engine = Arc::clone(&engine);
            async move { relic::stop(&engine, &name, volumes).await }
        })?
    }

    /// How a relic is now. Blocks.
    pub fn relic(&self, name: &str) -> Result<Relic, DockerError> {
        let engine = self.engine()?;
        let name = name.to_owned();
        engine.block_on({
            let engine = Arc::clone(&engine);
            async move { relic::status(&engine, &name).await }
        })?
    }

    /// Ends everything that waits, and waits until it is gone. Blocks.
    pub fn close(&self) {
        let Some(engine) = self.engine.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        // From now on nothing is put back.
        engine.tasks.close();
        self.forwarders.reap(true);
        reap(&self.tools, true);
        engine.drain();
        // Calls that ended meanwhile have given theirs back.
        self.forwarders.reap(true);
        reap(&self.tools, true);
        engine.drain();
    }
}

fn reap(tools: &Mutex<Vec<Weak<Inner>>>, at_once: bool) {
    let tools = tools.lock().unwrap_or_else(PoisonError::into_inner).clone();
    for tool in tools.iter().filter_map(Weak::upgrade) {
        tool.reap(at_once);
    }
}

/// What the manifest asks for that this image cannot do.
fn check_use(spec: &ToolSpec, recipe: &Recipe) -> Result<(), DockerError> {
    let problem = |problem: &str, hint: &str| {
        let tool = spec.name.to_string();
        Err(DockerError::Layout { tool, problem: problem.into(), hint: hint.into() })
    };
    if spec.implementation.warm > 0 && !recipe.launcher {
        return problem("`warm` needs a generated image, whose program can be made to wait", "leave `warm` out");
    }
    if spec.permissions.state {
        return problem("a container has no state of its own", "leave out `permissions.state`, or use a relic");
    }
    Ok(())
}

impl Drop for DockerBackend {
    fn drop(&mut self) {
        self.close();
    }
}

impl std::fmt::Debug for DockerBackend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DockerBackend").field("settings", &self.settings).finish_non_exhaustive()
    }
}
