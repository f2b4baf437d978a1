//! Runs WebAssembly components as tools: a fresh instance for every call, under limits, with nothing outside it.
//!
//! The threat is the guest: it is assumed to be written by an attacker. What it can use up is bounded by [`Limits`],
//! what it can reach by [`Grants`], and how it ended is told by type in [`Outcome`]. The contract of this crate:
//!
//! - It never reads the process environment or the working directory; the wall clock only tells how old a cache file is.
//!   The caller hands in paths, values and limits. (Guests read the host's clocks and randomness through WASI. The TLS
//!   roots are the system's, found as OpenSSL finds them, by `SSL_CERT_FILE` and `SSL_CERT_DIR` too.)
//! - One function, `Limits::apply`, puts every limit on a store; nothing else creates a store.
//! - A store is never used for a second call, whatever became of the first.
//! - Compiled code is loaded by [`CompiledCache`] alone, after its digest was checked. It is the only `unsafe` code here.

mod bindings;
mod cache;
mod compiler;
mod component;
mod deterministic;
mod ending;
mod engine;
mod files;
mod functions;
mod guest;
mod invoke;
mod json;
mod limits;
mod live;
mod logging;
mod network;
mod output;
mod random;
mod schema;
mod secret;
mod state;

pub use cache::{CacheEntry, CacheError, CacheUsage, CompiledCache, DEFAULT_CACHE_BYTES, digest};
pub use compiler::{CompileLimits, CompilerProgram, compile_for_parent};
pub use component::{Component, Contract, Function};
pub use ending::{Captured, Decision, Ending, Failure, Outcome, Usage};
pub use engine::{Allocation, ENGINE_VERSION, Sandbox, SandboxError};
pub use files::{FileLimits, FileOverrides, Folder};
pub use guest::{Grants, OperatorRules, Refusal, Service};
pub use invoke::{Answer, Call, Interrupt};
pub use json::ConversionError;
pub use limits::{LimitError, LimitSource, Limits, Overrides};
pub use live::LiveLines;
pub use logging::{LogLevel, LogLine, Observer, Stream, ToolProgress};
pub use network::{
    Egress, EgressBody, HostRule, HttpLimits, HttpOverrides, NetworkRule, Refused, RequestSpan, RuleScheme, Tunnel,
};
pub use secret::{Secret, SecretPlace};
pub use state::{State, StateError, StateHandle, StateLimits, StateOverrides};
