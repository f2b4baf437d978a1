//! The environment variables that this program reads, and the paths that follow from them.

use std::path::PathBuf;

use anyhow::Context;
use etcetera::BaseStrategy;

/// Where components, compiled code, toolchains and the record of executions are kept.
pub(crate) const CORTEX_HOME: &str = "CORTEX_HOME";
/// The token for a server that this program asks.
pub(crate) const CORTEX_TOKEN: &str = "CORTEX_TOKEN";
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
