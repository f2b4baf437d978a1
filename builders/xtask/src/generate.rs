//! What is generated from `wit/`: the custom sections that tell which world a module of the guest crate implements, and which
//! one it imports.

use anyhow::{Context, ensure};
use fs_err as fs;
use wit_component::{StringEncoding, metadata};
use wit_parser::Resolve;

use crate::attacks;
use crate::command::say;
use crate::layout::Layout;

/// The worlds of `cortex-tool`, and the files that describe them.
const WORLDS: &[(&str, &str)] = &[("tool", "src/component-type.bin"), ("capabilities", "src/host-type.bin")];

pub(crate) fn run(layout: &Layout, check: bool) -> anyhow::Result<()> {
    attacks::run(layout, check)?;
    for (world, file) in WORLDS {
        let path = layout.guest_crate().join(file);
        let wanted = component_type(layout, world).with_context(|| format!("`{world}` cannot be encoded"))?;
        if fs::read(&path).is_ok_and(|found| found == wanted) {
            continue;
        }
        ensure!(!check, "`{}` is not what `wit/` says; run `cargo xtask generate`", layout.relative(&path));
        fs::write(&path, wanted)?;
        say(&format!("wrote `{}`", layout.relative(&path)));
    }
    Ok(())
}

/// The world as wit-bindgen embeds it. Only what the world reaches is encoded, so the WASI packages are not part of it.
fn component_type(layout: &Layout, world: &str) -> anyhow::Result<Vec<u8>> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(layout.root().join("wit"))?;
    let world = resolve.select_world(&[package], Some(world))?;
    metadata::encode(&resolve, world, StringEncoding::UTF8, None)
}
