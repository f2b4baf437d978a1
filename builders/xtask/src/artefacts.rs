//! The components that are shipped beside their source: rebuilt, or checked against it.

use anyhow::{Context, bail, ensure};
use cortex_build::{ARTEFACT_LOCK, ArtefactLock, Origin, Workshop, artefact_name, sha256};
use fs_err as fs;

use crate::command::say;
use crate::layout::{Layout, MANIFEST, ShippedTool};
use crate::toolchain::{Announce, explain, rust_for};

/// The largest component that is shipped. All of them are part of the program.
const SIZE_BYTES_MAX: usize = 300_000;

/// Rebuilds all of them.
pub(crate) fn rebuild(layout: &Layout) -> anyhow::Result<()> {
    for tool in layout.shipped_tools()? {
        let (lock, component) = from_scratch(layout, &tool)?;
        let name = tool.spec.name.as_str();
        let changed = ArtefactLock::read(&tool.folder)?.as_ref() != Some(&lock);
        lock.write(&tool.folder, name, &component)?;
        say(&format!("{name}: {} bytes, {}", component.len(), if changed { "changed" } else { "unchanged" }));
    }
    Ok(())
}

/// Checks all of them, and returns how far that went with each.
pub(crate) fn check(layout: &Layout) -> anyhow::Result<String> {
    let (mut right, mut wrong) = (Vec::new(), Vec::new());
    for tool in layout.shipped_tools()? {
        match check_one(layout, &tool) {
            Ok(said) => right.push(format!("{}: {said}", tool.spec.name)),
            Err(error) => wrong.push(format!("{}: {error:#}", tool.spec.name)),
        }
    }
    ensure!(wrong.is_empty(), "{}; run `cargo xtask artefacts`", wrong.join("; "));
    Ok(right.join("; "))
}

fn check_one(layout: &Layout, tool: &ShippedTool) -> anyhow::Result<String> {
    let name = tool.spec.name.as_str();
    let lock = ArtefactLock::read(&tool.folder)?.with_context(|| format!("there is no `{ARTEFACT_LOCK}`"))?;
    let component = fs::read(tool.folder.join(artefact_name(name)))?;
    let found = sha256(&component);
    ensure!(found == lock.component, "`{name}.wasm` is not the component that `{ARTEFACT_LOCK}` names");
    check_size(&component)?;
    let local = rust_for(layout, target(tool))?.version;
    if local == lock.toolchain {
        let (rebuilt, bytes) = from_scratch(layout, tool)?;
        ensure!(rebuilt.source == lock.source, "the source has changed since the component was built");
        ensure!(bytes == component, "the same source and compiler gave another component, {}", rebuilt.component);
        return Ok("rebuilt from its source, and every byte is the same".into());
    }
    // Nothing is compiled when the lock fits.
    let home = tempfile::tempdir_in(layout.target())?;
    let built = Workshop::new(home.path(), true).build(&tool.spec, &tool.folder, MANIFEST, false, &Announce);
    match built {
        Ok(built) if built.origin == Origin::Shipped => Ok(format!(
            "the source is the one it was built from; not rebuilt: that was {}, here is {local}",
            lock.toolchain
        )),
        Ok(_) | Err(_) => bail!("the source has changed since the component was built"),
    }
}

/// Builds a tool in a home that holds nothing but the toolchains, so that neither what was built before nor where it was
/// built is part of the result.
fn from_scratch(layout: &Layout, tool: &ShippedTool) -> anyhow::Result<(ArtefactLock, Vec<u8>)> {
    rust_for(layout, target(tool))?;
    let home = tempfile::Builder::new().prefix("artefact-").tempdir_in(layout.target())?;
    let toolchains = layout.home().join("toolchains");
    #[cfg(unix)]
    if toolchains.exists() {
        fs::os::unix::fs::symlink(toolchains, home.path().join("toolchains"))?;
    }
    let built = Workshop::new(home.path(), false)
        .build(&tool.spec, &tool.folder, MANIFEST, true, &Announce)
        .map_err(explain)
        .with_context(|| format!("`{}` cannot be built", tool.spec.name))?;
    let component = built.component.read().map_err(explain)?;
    check_size(&component)?;
    let lock =
        ArtefactLock { source: built.source, component: built.component.digest, toolchain: built.component.toolchain };
    Ok((lock, component))
}

fn target(tool: &ShippedTool) -> &'static str {
    tool.spec.implementation.build.target.map_or("wasm32-wasip2", |target| target.as_str())
}

fn check_size(component: &[u8]) -> anyhow::Result<()> {
    let size = component.len();
    ensure!(size <= SIZE_BYTES_MAX, "the component has {size} bytes, more than {SIZE_BYTES_MAX}");
    Ok(())
}
