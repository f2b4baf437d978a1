//! Both backends as one: the plan says which of them a tool gets, and nothing above asks.

use cortex_build::{BackendKind, Progress, Trust, plan};
use cortex_docker::{ApiTool, Bases, DockerBackend, DockerError, Image, Listed};

use crate::backend::{Backend, LoadFailure, Prepared, Runnable, SandboxBackend};
use crate::error::RuntimeError;
use crate::registry::{Tool, ToolSource};
use crate::runtime::Runtime;

/// The sandbox and the containers.
#[derive(Debug)]
pub(crate) struct Backends {
    pub(crate) sandbox: SandboxBackend,
    pub(crate) docker: DockerBackend,
    pub(crate) bases: Bases,
}

impl Backends {
    /// What runs a tool.
    pub(crate) fn of(tool: &Tool) -> BackendKind {
        match &tool.source {
            ToolSource::Folder { root, .. } => plan(&tool.spec, Some(root)).backend,
            ToolSource::Component(_) | ToolSource::Standard => BackendKind::Wasm,
        }
    }

    /// Builds a tool for one backend or, without, for the one that the plan names.
    pub(crate) fn prepare(
        &self,
        tool: &Tool,
        backend: Option<BackendKind>,
        force: bool,
        trust: Trust,
        progress: &dyn Progress,
    ) -> Result<Prepared, LoadFailure> {
        match backend.unwrap_or_else(|| Self::of(tool)) {
            BackendKind::Wasm => match (self.sandbox.prepare(tool, force, trust, progress), backend) {
                (Err(failed), None) => {
                    Ok(Prepared::of_runnable(&self.instead_of_sandbox(tool, force, failed, progress)?))
                }
                (prepared, _) => prepared,
            },
            backend @ (BackendKind::Docker | BackendKind::Api) => {
                Ok(Prepared::of_runnable(&self.other(tool, backend, force, progress)?))
            }
        }
    }

    /// A container, for a tool of which a build has shown that it cannot be a component; unless its author insists, or there
    /// is no engine.
    fn instead_of_sandbox(
        &self,
        tool: &Tool,
        force: bool,
        failed: LoadFailure,
        progress: &dyn Progress,
    ) -> Result<Runnable, LoadFailure> {
        let automatic = tool.spec.implementation.backend == cortex_manifest::Backend::Auto;
        match &failed.container {
            Some(because) if automatic && self.docker.check().is_ok() => {
                progress.step(&format!("{because}: it gets a container"));
                self.other(tool, BackendKind::Docker, force, progress)
            }
            _ => Err(failed),
        }
    }

    /// What does not run in the sandbox.
    fn other(
        &self,
        tool: &Tool,
        backend: BackendKind,
        force: bool,
        progress: &dyn Progress,
    ) -> Result<Runnable, LoadFailure> {
        let failed = |error: DockerError| LoadFailure::of_docker(tool, backend, &error);
        let ToolSource::Folder { root, manifest } = &tool.source else {
            let problem = "it has no source that an image could be made of".into();
            let hint = "write its manifest and source into a folder".into();
            return Err(failed(DockerError::Layout { tool: tool.spec.name.to_string(), problem, hint }));
        };
        if backend == BackendKind::Api {
            return ApiTool::new(&tool.spec).map(Runnable::Api).map_err(failed);
        }
        self.docker.load(&tool.spec, root, manifest, force, progress).map(Runnable::Container).map_err(failed)
    }
}

impl Backend for Backends {
    fn load(&self, tool: &Tool, function: Option<&str>, progress: &dyn Progress) -> Result<Runnable, LoadFailure> {
        match Self::of(tool) {
            BackendKind::Wasm => match (self.sandbox.load(tool, function, progress), function) {
                (Err(failed), None) => self.instead_of_sandbox(tool, false, failed, progress),
                (loaded, _) => loaded,
            },
            backend => match function {
                None => self.other(tool, backend, false, progress),
                Some(function) => Err(LoadFailure::no_function(backend, function)),
            },
        }
    }
}

/// What concerns containers and nothing else.
impl Runtime {
    /// The Dockerfile that a tool gets. Asks no engine.
    pub fn dockerfile(&self, tool: &str) -> Result<String, RuntimeError> {
        let tool = self.tool(tool)?;
        match &tool.source {
            ToolSource::Folder { root, manifest } => {
                Ok(DockerBackend::dockerfile(&tool.spec, root, manifest, &self.backends().bases)?)
            }
            ToolSource::Component(path) => Err(RuntimeError::NoTool {
                path: path.clone(),
                problem: "a component has no source that an image could be made of",
            }),
            ToolSource::Standard => Err(RuntimeError::NoTool {
                path: tool.spec.name.as_str().into(),
                problem: "its source is not on this machine, only its component",
            }),
        }
    }

    /// Whether an engine answers, and what is in the way if not. Blocks.
    pub fn check_docker(&self) -> Result<(), RuntimeError> {
        Ok(self.backends().docker.check()?)
    }

    /// The images of this home's tools. Blocks.
    pub fn images(&self) -> Result<Vec<Image>, RuntimeError> {
        Ok(self.backends().docker.images()?)
    }

    /// Removes all but the newest `keep` images of every tool. Blocks.
    pub fn prune_images(&self, keep: usize) -> Result<Vec<Image>, RuntimeError> {
        Ok(self.backends().docker.prune_images(keep)?)
    }

    /// The containers of this home. Blocks.
    pub fn containers(&self) -> Result<Vec<Listed>, RuntimeError> {
        Ok(self.backends().docker.containers()?)
    }

    /// Kills and removes the containers of a name, an id or a tool. Blocks.
    pub fn stop_containers(&self, name: &str) -> Result<Vec<Listed>, RuntimeError> {
        Ok(self.backends().docker.stop(name)?)
    }

    /// What the containers of a name, an id or a tool have written. Blocks.
    pub fn container_logs(&self, name: &str) -> Result<Vec<u8>, RuntimeError> {
        Ok(self.backends().docker.logs(name)?)
    }
}
