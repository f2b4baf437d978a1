//! Tools in containers: what cannot be a component, behind the same manifest, the same call and the same result.
//!
//! The threat is the tool, as everywhere. Its container has no network but our proxy, no file of the host that was not granted, no
//! capability, no way to another user, and a limit for everything that it could use up. What the sandbox enforces by itself, here
//! the kernel does, so an engine that cannot is refused.
//!
//! - `recipe`: manifest and folder to a Dockerfile, as text. Pure.
//! - `image`: built when its digest is new.
//! - `shape`: what a container may use and reach. The only place where that is decided.
//! - `call`, `warm`, `reuse`: a container for one call, started before it, or for many.
//! - `proxy`, `forwarder`: the way out.
//! - `relic`, `health`: services that outlive calls.
//! - `owner`, `sweep`: whose containers are whose; those of nobody are removed.

mod api;
mod backend;
mod bases;
mod call;
mod capture;
mod container;
mod context;
mod engine;
mod error;
mod forwarder;
mod health;
mod ignore;
mod image;
mod owner;
mod proxy;
mod recipe;
mod relic;
mod reuse;
mod shape;
mod sweep;
mod tool;
mod usage;
mod warm;

pub use api::ApiTool;
pub use backend::DockerBackend;
pub use bases::Bases;
pub use engine::DockerSettings;
pub use error::DockerError;
pub use image::Image;
pub use relic::{Relic, ports_file};
pub use sweep::Listed;
pub use tool::ContainerTool;
