//! The package `cortex`, by which a tool reaches its host. While a tool is built that imports it, it is a package of Go's
//! standard library, so that no `go.mod` has to know where it comes from.

use std::path::{Path, PathBuf};

use fs_err as fs;
use serde_json::json;

use super::Sources;
use super::toolchain::Toolchain;
use crate::builder::Job;
use crate::error::BuildError;
use crate::languages::SDK_FOLDER;

const PACKAGE: &str = "cortex";

/// Its files.
pub(super) const FILES: &[(&str, &str)] = &[
    ("cortex.go", include_str!("../../../languages/go/cortex/cortex.go")),
    ("native.go", include_str!("../../../languages/go/cortex/native.go")),
    ("wasm_wasip1.go", include_str!("../../../languages/go/cortex/wasm_wasip1.go")),
];

/// Whether a tool imports the package.
pub(super) fn is_imported(sources: &Sources) -> bool {
    sources.imports(PACKAGE)
}

/// Writes the files and what tells the compiler where they are. `None` where the module has a copy of its own, which is as
/// good: Go would find two.
pub(super) fn overlay(job: &Job<'_>, toolchain: &Toolchain, module: &Path) -> Result<Option<PathBuf>, BuildError> {
    if has_copy(&fs::read_to_string(module.join("go.mod"))?) {
        return Ok(None);
    }
    let folder = job.stage.join(SDK_FOLDER).join("go");
    fs::create_dir_all(&folder)?;
    let library = toolchain.root(job, module)?.join("src").join(PACKAGE);
    let mut replaced = serde_json::Map::new();
    for (name, text) in FILES {
        let file = folder.join(name);
        fs::write(&file, text)?;
        replaced.insert(library.join(name).display().to_string(), json!(file));
    }
    let overlay = folder.join("overlay.json");
    fs::write(&overlay, json!({ "Replace": replaced }).to_string())?;
    Ok(Some(overlay))
}

/// Whether a `go.mod` says where the package is.
fn has_copy(module: &str) -> bool {
    module.lines().any(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        words.iter().position(|word| *word == "=>").is_some_and(|arrow| words[..arrow].contains(&PACKAGE))
    })
}

#[cfg(test)]
mod tests {
    use super::has_copy;

    #[test]
    fn a_module_has_a_copy_if_it_says_where() {
        assert!(has_copy("module x\n\nreplace cortex => ./cortex\n"));
        assert!(has_copy("replace (\n\tcortex v0.0.0 => ./lib/cortex\n)\n"));
        assert!(!has_copy("module cortex\n\nreplace example.com/a => ./cortex\n"));
    }
}
