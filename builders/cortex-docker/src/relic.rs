//! Relics: services that outlive calls and processes, each in a container and a network of its own.
//!
//! A relic's network has no other member. Its ports are published on this machine's loopback, at numbers that the engine chooses;
//! a file in the home says which, and is what the way out of tools reads: a tool that was granted the relic reaches it under its
//! name, through our proxy or from the sandbox, and never by an address.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bollard::models::{
    ContainerCreateBody, HealthConfig, HostConfig, HostConfigLogConfig, Mount, MountType, NetworkCreateRequest,
    PortBinding, ResourcesUlimits, VolumeCreateRequest,
};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, RemoveVolumeOptionsBuilder, StopContainerOptionsBuilder,
};
use cortex_build::Progress;
use cortex_manifest::{ByteSize, RelicSpec};
use fs_err as fs;
use serde::Serialize;

use crate::container::within;
use crate::context::Context;
use crate::engine::Engine;
use crate::error::{DockerError, asked, is_missing};
use crate::health;
use crate::image::{self, Job, ensure};
use crate::owner::Kind;
use crate::recipe::{USER, recipe};
use crate::sweep;

/// A relic as it is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Relic {
    /// Its name, under which tools reach it.
    pub name: String,
    /// What the engine says of it, such as `running`; `stopped` if there is no container.
    pub status: String,
    /// Its ports, and where each is on this machine's loopback.
    pub ports: BTreeMap<u16, u16>,
}

/// The file that says where a running relic's ports are.
pub fn ports_file(home: &Path, relic: &str) -> PathBuf {
    home.join("docker").join("relics").join(format!("{relic}.json"))
}

/// What a relic gets that asks for nothing.
const MEMORY_BYTES: u64 = 256 << 20;
const DISK_BYTES: u64 = 64 << 20;
const PIDS: i64 = 256;

/// How long a relic has to end by itself.
const GRACE_SECONDS: i32 = 10;

/// The name of everything of a relic on the engine.
fn name_of(engine: &Engine, relic: &str) -> String {
    format!("cortex-relic-{}-{relic}", engine.owner.home())
}

/// Makes a relic run and waits until it is healthy. One that runs already is left alone. Blocks.
pub(crate) fn start(
    engine: &Arc<Engine>,
    spec: &RelicSpec,
    folder: &Path,
    manifest: &str,
    progress: &dyn Progress,
) -> Result<Relic, DockerError> {
    let name = spec.name.as_str();
    let state = engine.block_on({
        let (engine, name) = (Arc::clone(engine), name.to_owned());
        async move { status(&engine, &name).await }
    })??;
    if state.status == "running" && ports_file(&engine.settings.home, name).exists() {
        return Ok(state);
    }
    let image = match &spec.image {
        Some(image) => image.clone(),
        None => build(engine, spec, folder, manifest, progress)?,
    };
    progress.step(&format!("starting the relic {name}"));
    engine.block_on({
        let (engine, spec) = (Arc::clone(engine), spec.clone());
        async move {
            let started = run(&engine, &spec, &image).await;
            if started.is_err() {
                // Half a relic is none; what it kept stays.
                let _ = stop(&engine, spec.name.as_str(), false).await;
            }
            started
        }
    })?
}

/// The image of a relic that is made as a tool is.
fn build(
    engine: &Arc<Engine>,
    spec: &RelicSpec,
    folder: &Path,
    manifest: &str,
    progress: &dyn Progress,
) -> Result<String, DockerError> {
    let program = &spec.program;
    let mut recipe = recipe(program, folder, manifest, &engine.settings.bases)?;
    if recipe.own.is_none() {
        // A new volume has the owner that its folder has in the image.
        let user = format!("USER {USER}\n");
        let folders: Vec<String> = spec.volumes.iter().map(|path| path.as_str().to_owned()).collect();
        if !folders.is_empty() {
            let folders = crate::recipe::shell_line(&folders);
            let kept = format!("RUN mkdir -p {folders} && chown {USER} {folders}\n{user}");
            recipe.text = recipe.text.replacen(&user, &kept, 1);
        }
    }
    let context = Context::read(folder, manifest, &recipe)?;
    let digest = recipe.digest(program, &context.digest()?);
    let image = image::reference(spec.name.as_str(), &digest);
    ensure(engine, Job { spec: program.clone(), recipe, context, digest }, false, progress)?;
    Ok(image)
}

async fn run(engine: &Arc<Engine>, spec: &RelicSpec, image: &str) -> Result<Relic, DockerError> {
    let name = spec.name.as_str();
    let own = name_of(engine, name);
    image::fetch_if_missing(engine, image).await?;
    sweep::remove(engine, &own).await?;
    let labels = engine.owner.labels(Kind::Relic, name);
    remove_network(engine, &own).await?;
    let network = NetworkCreateRequest {
        name: own.clone(),
        driver: Some("bridge".into()),
        // Nothing that it sends to the internet is answered: it is there to be asked.
        options: Some(HashMap::from([("com.docker.network.bridge.enable_ip_masquerade".into(), "false".into())])),
        labels: Some(labels.clone()),
        ..NetworkCreateRequest::default()
    };
    within("create a network", engine.docker.create_network(network)).await?;
    for (number, _) in spec.volumes.iter().enumerate() {
        let volume = VolumeCreateRequest {
            name: Some(format!("{own}-{number}")),
            labels: Some(labels.clone()),
            ..VolumeCreateRequest::default()
        };
        within("create a volume", engine.docker.create_volume(volume)).await?;
    }
    let options = CreateContainerOptionsBuilder::new().name(&own).build();
    within("create a container", engine.docker.create_container(Some(options), body(spec, image, &own, labels)))
        .await?;
    within("start a container", engine.docker.start_container(&own, None)).await?;
    let relic = status(engine, name).await?;
    if let Some(missing) = spec.ports.iter().find(|port| !relic.ports.contains_key(port)) {
        return Err(failed(name, format!("did not get its port {missing}"), "look at `cortex-wasm logs`"));
    }
    if let Some(check) = &spec.health_check {
        health::wait(engine, &own, name, check, &relic.ports).await?;
    }
    // Written last: whoever finds it finds a relic that answers.
    let file = ports_file(&engine.settings.home, name);
    let folder = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let temporary = tempfile::NamedTempFile::new_in(folder)?;
    serde_json::to_writer(temporary.as_file(), &relic.ports).map_err(std::io::Error::from)?;
    temporary.persist(&file).map_err(|error| error.error)?;
    Ok(relic)
}

pub(crate) fn failed(relic: &str, problem: String, hint: &str) -> DockerError {
    DockerError::Relic { relic: relic.to_owned(), problem, hint: hint.to_owned() }
}

fn body(spec: &RelicSpec, image: &str, own: &str, labels: HashMap<String, String>) -> ContainerCreateBody {
    let resources = &spec.program.implementation.resources;
    let signed = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    let memory = signed(resources.memory_bytes.map_or(MEMORY_BYTES, ByteSize::bytes));
    let disk = resources.disk_bytes.map_or(DISK_BYTES, ByteSize::bytes);
    let key = |port: &u16| format!("{port}/tcp");
    let loopback = || PortBinding { host_ip: Some("127.0.0.1".into()), host_port: Some(String::new()) };
    let mounts = spec.volumes.iter().enumerate().map(|(number, path)| Mount {
        typ: Some(MountType::VOLUME),
        source: Some(format!("{own}-{number}")),
        target: Some(path.as_str().to_owned()),
        ..Mount::default()
    });
    let host_config = HostConfig {
        network_mode: Some(own.to_owned()),
        port_bindings: Some(spec.ports.iter().map(|port| (key(port), Some(vec![loopback()]))).collect()),
        readonly_rootfs: Some(true),
        tmpfs: Some(HashMap::from([("/tmp".into(), format!("rw,noexec,nosuid,nodev,size={disk},mode=1777"))])),
        mounts: Some(mounts.collect()),
        cap_drop: Some(vec!["ALL".into()]),
        security_opt: Some(vec!["no-new-privileges:true".into()]),
        memory: Some(memory),
        memory_swap: Some(memory),
        nano_cpus: resources.cpu_millis.map(|cpu| signed(cpu.millis()).saturating_mul(1_000_000)),
        pids_limit: Some(PIDS),
        ulimits: Some(vec![ResourcesUlimits { name: Some("core".into()), soft: Some(0), hard: Some(0) }]),
        ipc_mode: Some("private".into()),
        init: Some(true),
        log_config: Some(HostConfigLogConfig {
            typ: Some("json-file".into()),
            config: Some(HashMap::from([("max-size".into(), "1m".into()), ("max-file".into(), "2".into())])),
        }),
        ..HostConfig::default()
    };
    let variables = spec.program.environment.variables.iter().map(|(name, value)| format!("{name}={value}"));
    ContainerCreateBody {
        image: Some(image.to_owned()),
        cmd: (!spec.command.is_empty()).then(|| spec.command.clone()),
        user: Some(USER.into()),
        env: Some(variables.collect()),
        labels: Some(labels),
        exposed_ports: Some(spec.ports.iter().map(key).collect()),
        // Ours is asked from where tools ask.
        healthcheck: Some(HealthConfig { test: Some(vec!["NONE".into()]), ..HealthConfig::default() }),
        host_config: Some(host_config),
        ..ContainerCreateBody::default()
    }
}

/// How a relic is now.
pub(crate) async fn status(engine: &Engine, name: &str) -> Result<Relic, DockerError> {
    let inspected = match engine.docker.inspect_container(&name_of(engine, name), None).await {
        Ok(inspected) => inspected,
        Err(error) if is_missing(&error) => {
            return Ok(Relic { name: name.to_owned(), status: "stopped".into(), ports: BTreeMap::new() });
        }
        Err(error) => return Err(asked("look at a relic")(error)),
    };
    let status = inspected.state.and_then(|state| state.status).map_or_else(String::new, |status| status.to_string());
    let mut ports = BTreeMap::new();
    for (key, bindings) in inspected.network_settings.and_then(|settings| settings.ports).unwrap_or_default() {
        let inside = key.split('/').next().and_then(|port| port.parse().ok());
        let bindings = bindings.unwrap_or_default();
        let outside = bindings.iter().find_map(|binding| binding.host_port.as_deref()?.parse().ok());
        if let (Some(inside), Some(outside)) = (inside, outside) {
            ports.insert(inside, outside);
        }
    }
    Ok(Relic { name: name.to_owned(), status, ports })
}

/// Stops a relic. What it kept stays, unless `volumes` says otherwise.
pub(crate) async fn stop(engine: &Engine, name: &str, volumes: bool) -> Result<bool, DockerError> {
    let own = name_of(engine, name);
    // From here on no tool finds it.
    let _was_there = fs::remove_file(ports_file(&engine.settings.home, name));
    let options = StopContainerOptionsBuilder::new().t(GRACE_SECONDS).build();
    let ran = match engine.docker.stop_container(&own, Some(options)).await {
        Ok(()) => true,
        Err(error) if is_missing(&error) => false,
        Err(error) => return Err(asked("stop a relic")(error)),
    };
    sweep::remove(engine, &own).await?;
    remove_network(engine, &own).await?;
    if volumes {
        for number in 0.. {
            let options = RemoveVolumeOptionsBuilder::new().force(false).build();
            match engine.docker.remove_volume(&format!("{own}-{number}"), Some(options)).await {
                Ok(()) => {}
                Err(error) if is_missing(&error) => break,
                Err(error) => return Err(asked("remove a volume")(error)),
            }
        }
    }
    Ok(ran)
}

async fn remove_network(engine: &Engine, name: &str) -> Result<(), DockerError> {
    match engine.docker.remove_network(name).await {
        Err(error) if !is_missing(&error) => Err(asked("remove a network")(error)),
        _ => Ok(()),
    }
}
