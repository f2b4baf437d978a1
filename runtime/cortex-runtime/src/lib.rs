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
mod call;
mod check;
mod database;
mod error;
mod event;
mod execution;
mod executions;
mod flight;
mod gate;
mod home;
mod identity;
mod limits;
mod load;
mod policy;
mod recorder;
mod reference;
mod registry;
mod relics;
mod runtime;
mod secrets;
mod standard;
mod state;
mod telemetry;
mod variables;

pub use audit::{Audit, Import};
pub use backend::Prepared;
pub use call::CallHandle;
pub use check::{Check, CheckReport};
pub use cortex_build::{
    BackendKind, BuildError, BuilderKind, LANGUAGES, Plan, Program, Progress, Silent, State, Toolchain, Toolchains,
    machine, plan, template,
};
pub use cortex_docker::{Bases, DockerError, DockerSettings, Image, Listed as Container, Relic as RelicState};
pub use cortex_manifest::{
    Access, Ask, InputSchema, ManifestError, ManifestPath, Method, Parameter, ParameterType, Permissions, Publish,
    ResultForm, State as ToolState, ToolPattern, ToolSpec,
};
pub use cortex_sandbox::{
    Allocation, CacheUsage, Captured, CompilerProgram, Contract, Decision, ENGINE_VERSION, Ending, Failure, Function,
    LimitError, Limits, LogLevel, LogLine, Observer, Overrides, Stream, ToolProgress, Usage, compile_for_parent,
};
pub use error::RuntimeError;
pub use event::{Event, Reloaded};
pub use execution::{Caller, Execution, Status};
pub use executions::{Cancelling, Executions, Filter, Page, Record, Summary};
pub use flight::Flight;
pub use gate::{QueueLimits, QueueUsage};
pub use identity::{ExecutionId, NoExecutionId};
pub use limits::overrides as limits_of;
pub use policy::{Permit, Policy};
pub use recorder::Retention;
pub use reference::{Target, ToolReference};
pub use registry::{Listed, Tool, ToolSource};
pub use relics::RelicSource;
pub use runtime::{CONTEXT_KEY, CallOptions, Runtime, Settings};
pub use secrets::{SECRET_VARIABLE, SecretError, Secrets};
pub use telemetry::{CallSpan, Phases, Telemetry};
