//! What is there of ours, and the removal of what nobody owns any more. Nothing without our labels is ever touched.

use std::collections::HashMap;
use std::path::Path;

use bollard::models::ContainerSummary;
use bollard::query_parameters::{
    ListContainersOptionsBuilder, ListNetworksOptionsBuilder, RemoveContainerOptionsBuilder,
};
use serde::Serialize;

use crate::engine::Engine;
use crate::error::{DockerError, asked};
use crate::owner::{Kind, dead_folders, is_dead};
use crate::recipe::LABEL;

/// A container of ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// The engine's name for it.
    pub id: String,
    /// `tool`, `forwarder` or `relic`.
    pub kind: String,
    /// The tool or relic that it runs.
    pub runs: String,
    /// Its state in the engine's words, such as `Up 2 seconds`.
    pub status: String,
    /// Whether the process that started it lives. Relics belong to none.
    pub owned: bool,
}

/// Our labels as a filter.
fn ours(engine: &Engine) -> HashMap<String, Vec<String>> {
    HashMap::from([("label".to_owned(), vec![format!("{LABEL}owner={}", engine.owner.home())])])
}

async fn containers(engine: &Engine) -> Result<Vec<ContainerSummary>, DockerError> {
    let options = ListContainersOptionsBuilder::new().all(true).filters(&ours(engine)).build();
    engine.docker.list_containers(Some(options)).await.map_err(asked("list containers"))
}

fn label<'a>(labels: Option<&'a HashMap<String, String>>, name: &str) -> &'a str {
    labels.and_then(|labels| labels.get(&format!("{LABEL}{name}"))).map_or("", String::as_str)
}

/// Removes containers, networks and folders of processes that are gone.
pub(crate) async fn leftovers(engine: &Engine) -> Result<(), DockerError> {
    let home = engine.settings.home.as_path();
    for container in containers(engine).await? {
        let labels = container.labels.as_ref();
        if label(labels, "kind") != Kind::Relic.name() && nobody(engine, home, label(labels, "process")) {
            remove(engine, container.id.as_deref().unwrap_or_default()).await?;
        }
    }
    let options = ListNetworksOptionsBuilder::new().filters(&ours(engine)).build();
    for network in engine.docker.list_networks(Some(options)).await.map_err(asked("list networks"))? {
        let labels = network.labels.as_ref();
        let orphan = label(labels, "kind") != Kind::Relic.name() && nobody(engine, home, label(labels, "process"));
        if let (true, Some(id)) = (orphan, network.id) {
            // Another process may be removing it at this moment.
            let _ = engine.docker.remove_network(&id).await;
        }
    }
    for folder in dead_folders(home, engine.owner.process()) {
        let _ = fs_err::remove_dir_all(folder);
    }
    Ok(())
}

fn nobody(engine: &Engine, home: &Path, process: &str) -> bool {
    process != engine.owner.process() && is_dead(home, process)
}

/// Kills and removes a container. One that is gone already is as good.
pub(crate) async fn remove(engine: &Engine, id: &str) -> Result<(), DockerError> {
    let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
    match engine.docker.remove_container(id, Some(options)).await {
        // 404: there is none. 409: another removal is at it.
        Ok(()) | Err(bollard::errors::Error::DockerResponseServerError { status_code: 404 | 409, .. }) => Ok(()),
        Err(error) => Err(asked("remove a container")(error)),
    }
}

/// Every container of this home.
pub(crate) async fn list(engine: &Engine) -> Result<Vec<Listed>, DockerError> {
    let home = engine.settings.home.as_path();
    let mut all: Vec<Listed> = containers(engine)
        .await?
        .into_iter()
        .map(|container| {
            let labels = container.labels.as_ref();
            let kind = label(labels, "kind").to_owned();
            let relic = kind == Kind::Relic.name();
            let name = container.names.unwrap_or_default().into_iter().next().unwrap_or_default();
            Listed {
                name: name.trim_start_matches('/').to_owned(),
                id: container.id.unwrap_or_default(),
                runs: label(labels, "name").to_owned(),
                status: container.status.unwrap_or_default(),
                owned: relic || !is_dead(home, label(labels, "process")),
                kind,
            }
        })
        .collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(all)
}

/// The container of this home that a person means: by its name, the beginning of its id, or what it runs.
pub(crate) async fn find(engine: &Engine, name: &str) -> Result<Vec<Listed>, DockerError> {
    let fits =
        |listed: &Listed| listed.name == name || listed.runs == name || name.len() >= 6 && listed.id.starts_with(name);
    let found: Vec<Listed> = list(engine).await?.into_iter().filter(|listed| fits(listed)).collect();
    if found.is_empty() { Err(DockerError::NoContainer { name: name.to_owned() }) } else { Ok(found) }
}
