//! The Rust that compiles guests and tools, found or made by the code that users have for it.

use anyhow::{Context, anyhow};
use cortex_build::{BuildError, Progress, RustToolchain};

use crate::command::say;
use crate::layout::Layout;

/// The targets of guests and tools.
pub(crate) const TARGETS: [&str; 2] = ["wasm32-wasip2", "wasm32-unknown-unknown"];

/// Says each step of a build on standard error.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Announce;

impl Progress for Announce {
    fn step(&self, line: &str) {
        say(&format!("    {line}"));
    }
}

pub(crate) fn rust_for(layout: &Layout, target: &'static str) -> anyhow::Result<RustToolchain> {
    RustToolchain::find_or_provision(&layout.home(), layout.root(), target, false, &Announce)
        .map_err(explain)
        .with_context(|| format!("no Rust for `{target}`"))
}

/// With the words of the compiler and the hint, which an error of `cortex-build` keeps apart.
pub(crate) fn explain(error: BuildError) -> anyhow::Error {
    let stderr = error.stderr().map(str::to_owned);
    let hint = error.hint();
    let mut explained = anyhow::Error::from(error);
    if let Some(stderr) = stderr {
        explained = anyhow!("{explained:#}\n{stderr}");
    }
    match hint {
        Some(hint) => anyhow!("{explained:#} (hint: {hint})"),
        None => explained,
    }
}
