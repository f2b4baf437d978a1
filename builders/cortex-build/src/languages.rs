//! The languages: one file each. To add one, write its file, and name it here and in `BuilderKind`.

mod go;
mod host;
mod javascript;
mod python;
mod rust;
mod rust_toolchain;
mod sdk;

pub use rust_toolchain::RustToolchain;
pub(crate) use sdk::FOLDER as SDK_FOLDER;

use self::javascript::{JavaScript, SpiderMonkey};
use crate::builder::Language;
use crate::plan::BuilderKind;

/// What builds a kind of source; `None` where there is nothing to build.
pub(crate) fn language(kind: BuilderKind) -> Option<&'static dyn Language> {
    match kind {
        BuilderKind::Rust => Some(&rust::Rust),
        BuilderKind::Python => Some(&python::Python),
        BuilderKind::JavaScript => Some(&JavaScript { template: javascript::JAVASCRIPT }),
        BuilderKind::TypeScript => Some(&JavaScript { template: javascript::TYPESCRIPT }),
        BuilderKind::SpiderMonkey => Some(&SpiderMonkey),
        BuilderKind::Go => Some(&go::Go),
        BuilderKind::TinyGo => Some(&go::TinyGo),
        BuilderKind::Component => None,
    }
}
