//! HTTP and MCP over one `Runtime`.
//!
//! The threat is the network, and whoever shares this machine: requests pass [`guard`] first, and what they may then do is
//! decided by the token that they carry. There is no tool logic here: a request becomes one call of the runtime, and its
//! execution becomes an answer.

mod auth;
mod builds;
mod client;
mod guard;
mod http;
pub mod mcp;
mod metrics;
mod otlp;
mod problem;
mod server;
mod settings;
mod state;
mod telemetry;
mod timestamp;
mod watch;

pub use auth::{Identity, Scope, Token, TokenError, TokenFile, Tokens};
pub use client::{Client, ClientError};
pub use metrics::Metrics;
pub use server::{Server, ServerError};
pub use settings::{ServerSettings, TlsFiles};
pub use telemetry::ServerTelemetry;
