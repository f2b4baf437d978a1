//! The environment variables that this program reads, and the paths that follow from them.

use std::path::PathBuf;

use anyhow::{Context, bail};
use cortex_runtime::{Bases, DockerSettings};
use etcetera::BaseStrategy;

/// Where components, compiled code, toolchains and the record of executions are kept.
pub(crate) const CORTEX_HOME: &str = "CORTEX_HOME";
/// The token for a server that this program asks.
pub(crate) const CORTEX_TOKEN: &str = "CORTEX_TOKEN";
/// The container engine's address. Without it the usual sockets are looked at.
pub(crate) const DOCKER_HOST: &str = "DOCKER_HOST";
/// Where a user's sockets are: Podman's among them.
pub(crate) const XDG_RUNTIME_DIR: &str = "XDG_RUNTIME_DIR";
/// Other images to build tools from: `python3=registry.example.com/python:3.12@sha256:…,node=…`.
pub(crate) const CORTEX_BASE_IMAGES: &str = "CORTEX_BASE_IMAGES";
/// Set to anything: no progress bars.
pub(crate) const NO_PROGRESS: &str = "NO_PROGRESS";

#[expect(clippy::disallowed_methods, reason = "the one place of this program that reads the environment")]
fn variable(name: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// The operator's variables: what tools may ask for by name.
#[expect(clippy::disallowed_methods, reason = "the one place of this program that reads the environment")]
pub(crate) fn variables() -> std::collections::BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// Where this program is, if the system knows.
pub(crate) fn this_program() -> Option<PathBuf> {
    std::env::current_exe().ok()
}

/// The token for a server.
pub(crate) fn token() -> Option<String> {
    variable(CORTEX_TOKEN)?.into_string().ok()
}

/// What package managers in an image's build are told of this machine, if it is set here. Paths are those of the base images.
const FOR_BUILDS: &[&str] =
    &["PIP_INDEX_URL", "PIP_CERT", "npm_config_registry", "NODE_EXTRA_CA_CERTS", "GOPROXY", "GOFLAGS", "SSL_CERT_FILE"];

/// The container engine, and what images are made of.
pub(crate) fn docker() -> anyhow::Result<DockerSettings> {
    let text = |name: &str| variable(name).and_then(|value| value.into_string().ok());
    let mut replaced = std::collections::BTreeMap::new();
    for pair in
        text(CORTEX_BASE_IMAGES).iter().flat_map(|pairs| pairs.split(',')).filter(|pair| !pair.trim().is_empty())
    {
        let Some((name, image)) = pair.split_once('=') else {
            bail!("`{CORTEX_BASE_IMAGES}` holds `{pair}`, which is no `name=image`");
        };
        replaced.insert(name.trim().to_owned(), image.trim().to_owned());
    }
    let bases = match Bases::with(&replaced) {
        Ok(bases) => bases,
        Err(name) => bail!("`{CORTEX_BASE_IMAGES}` names `{name}`, which is none of {}", Bases::NAMES.join(", ")),
    };
    Ok(DockerSettings {
        host: text(DOCKER_HOST),
        runtime_folder: variable(XDG_RUNTIME_DIR).map(Into::into),
        bases,
        variables: FOR_BUILDS.iter().filter_map(|name| Some(((*name).to_owned(), text(name)?))).collect(),
        ..DockerSettings::default()
    })
}

pub(crate) fn progress_wanted() -> bool {
    variable(NO_PROGRESS).is_none()
}

/// `CORTEX_HOME`, else the platform's folder for a user's data: `~/.local/share/cortex-wasm` on Linux,
/// `~/Library/Application Support/cortex-wasm` on macOS.
pub(crate) fn home() -> anyhow::Result<PathBuf> {
    if let Some(home) = variable(CORTEX_HOME) {
        return Ok(home.into());
    }
    let base = etcetera::base_strategy::choose_native_strategy();
    let base = base.with_context(|| format!("no home directory is known; set `{CORTEX_HOME}`"))?;
    Ok(base.data_dir().join("cortex-wasm"))
}
