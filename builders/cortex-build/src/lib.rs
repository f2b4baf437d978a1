//! From a tool's folder to a component in the store: plan, toolchains, one file a language.
//!
//! Building runs other people's code, so everything that leaves this process goes through [`process`]: a scrubbed
//! environment, a time limit, and the tail of what was said. Nothing is ever built in the tool's own folder.

mod artefact;
mod builder;
mod decided;
mod error;
mod languages;
mod machine;
mod plan;
mod process;
mod source;
mod stage;
mod store;
mod toolchain;
mod toolchains;
mod wit;

pub use artefact::{ARTEFACT_LOCK, ArtefactLock, artefact_name};
pub use builder::{Built, Origin, Progress, Silent, SourceEntry, Trust, Workshop, source_entry};
pub use error::BuildError;
pub use languages::RustToolchain;
pub use machine::{Program, machine};
pub use plan::{BackendKind, BuilderKind, Plan, plan};
pub use source::{SourceTree, data_folders, sha256, stamp};
pub use store::{ComponentStore, StoredComponent, create_private_dir};
pub use toolchains::{LANGUAGES, State, Toolchain, Toolchains, template};
