//! Relics: services that tools may be granted, from their manifests to containers.

use std::path::{Path, PathBuf};

use cortex_build::Progress;
use cortex_docker::Relic;
use cortex_manifest::RelicSpec;
use fs_err as fs;

use crate::error::RuntimeError;
use crate::runtime::Runtime;

/// A relic's manifest in its folder.
const MANIFESTS: &[&str] = &["relic.yml", "relic.yaml"];

/// A relic: what its manifest says, and where its source is.
#[derive(Clone, Debug)]
pub struct RelicSource {
    /// What the manifest means.
    pub spec: RelicSpec,
    /// The folder.
    pub root: PathBuf,
    /// The manifest's file name in it.
    pub manifest: String,
}

impl Runtime {
    /// Every relic of the manifests folders, sorted by name.
    pub fn relic_sources(&self) -> Result<Vec<RelicSource>, RuntimeError> {
        let mut all: Vec<RelicSource> = Vec::new();
        for folder in self.manifests() {
            let Ok(entries) = fs::read_dir(folder.join("relics")) else { continue };
            for entry in entries {
                let root = entry?.path();
                if let Some(relic) = read(&root)?
                    && !all.iter().any(|known| known.spec.name == relic.spec.name)
                {
                    all.push(relic);
                }
            }
        }
        all.sort_by(|a, b| a.spec.name.as_str().cmp(b.spec.name.as_str()));
        Ok(all)
    }

    /// A relic by its name.
    pub fn relic_source(&self, name: &str) -> Result<RelicSource, RuntimeError> {
        let mut sources = self.relic_sources()?.into_iter();
        let found = sources.find(|relic| relic.spec.name.as_str() == name);
        found.ok_or_else(|| RuntimeError::UnknownRelic { name: name.to_owned() })
    }

    /// Starts a relic and those that it depends on, and waits until they are healthy. Blocks.
    pub fn start_relic(&self, name: &str, progress: &dyn Progress) -> Result<Relic, RuntimeError> {
        self.start_relic_after(name, progress, &mut Vec::new())
    }

    fn start_relic_after(
        &self,
        name: &str,
        progress: &dyn Progress,
        starting: &mut Vec<String>,
    ) -> Result<Relic, RuntimeError> {
        let source = self.relic_source(name)?;
        starting.push(name.to_owned());
        for other in &source.spec.dependencies {
            // One that waits for itself would wait for ever.
            if !starting.iter().any(|known| known == other.as_str()) {
                self.start_relic_after(other.as_str(), progress, starting)?;
            }
        }
        Ok(self.backends().docker.start_relic(&source.spec, &source.root, &source.manifest, progress)?)
    }

    /// Stops a relic. What it kept stays, unless `volumes` says otherwise. Says whether it ran. Blocks.
    pub fn stop_relic(&self, name: &str, volumes: bool) -> Result<bool, RuntimeError> {
        Ok(self.backends().docker.stop_relic(name, volumes)?)
    }

    /// How a relic is now. Blocks.
    pub fn relic(&self, name: &str) -> Result<Relic, RuntimeError> {
        self.relic_source(name)?;
        Ok(self.backends().docker.relic(name)?)
    }
}

fn read(root: &Path) -> Result<Option<RelicSource>, RuntimeError> {
    let Some(manifest) = MANIFESTS.iter().find(|manifest| root.join(manifest).is_file()) else { return Ok(None) };
    let path = root.join(manifest);
    let spec = RelicSpec::parse(&path, &fs::read_to_string(&path)?).map_err(Box::new)?;
    Ok(Some(RelicSource { spec, root: root.to_owned(), manifest: (*manifest).to_owned() }))
}
