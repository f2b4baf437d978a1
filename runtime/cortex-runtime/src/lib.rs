//! The library people embed: tools by name, the one way to call them, and a record of every call.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use cortex_runtime::{CallOptions, Runtime, Settings};
//!
//! let runtime = Runtime::new(Settings::new("/var/lib/cortex"))?;
//! let input = serde_json::json!({"expression": "6 * 7"});
//! let execution = runtime.call("calculator", &input, CallOptions::default()).await?;
//! println!("{:?}", execution.result);
//! # Ok(()) }
//! ```
//!
//! Nothing here reads the process environment; the caller says where things are in [`Settings`].

mod audit;
mod backend;
mod backends;
mod check;
mod error;
mod execution;
mod limits;
mod load;
mod policy;
mod recorder;
mod reference;
mod registry;
mod runtime;
mod secrets;
mod standard;
mod variables;

pub use audit::{Audit, Import};
pub use backend::Prepared;
pub use check::{Check, CheckReport};
pub use cortex_build::{
    BackendKind, BuildError, BuilderKind, LANGUAGES, Plan, Program, Progress, Silent, State, Toolchain, Toolchains,
    machine, template,
};
pub use cortex_docker::{Bases, DockerError, DockerSettings, Image, Listed as Container};
pub use cortex_manifest::{InputSchema, ManifestError, ToolSpec};
pub use cortex_sandbox::{
    Allocation, CacheUsage, Captured, Contract, Decision, ENGINE_VERSION, Ending, Failure, Function, LimitError,
    Limits, Overrides, Usage,
};
pub use error::RuntimeError;
pub use execution::{Execution, ExecutionId, Status};
pub use policy::{Permit, Policy};
pub use reference::ToolReference;
pub use registry::{Listed, Tool, ToolSource};
pub use runtime::{CallOptions, Runtime, Settings};
pub use secrets::{SECRET_VARIABLE, SecretError, Secrets};
