//! The Model Context Protocol over one [`Runtime`]: how agents reach the tools.
//!
//! Two transports, one handler: [`McpServer::serve_stdio`] for a client that starts this process, and [`service`] for
//! clients that come over HTTP. Both speak revision 2026-07-28 (every request on its own) and the revisions before it (a
//! session with a handshake). There is no tool logic here: a request becomes one [`Runtime::call`], and its
//! [`Execution`](cortex_runtime::Execution) becomes a result.
//!
//! - A tool that fails is a result with `isError`, which the model reads and acts on. Only a request that cannot be one
//!   (an unknown tool, a state that was tampered with) is a protocol error.
//! - A tool's manifest may publish it as a prompt or a resource instead; the same call runs in the same sandbox.
//! - A tool that needs a person's or a model's answer returns its questions and ends. It is called again with the answers,
//!   so nobody who thinks for an hour holds a sandbox.

mod answer;
mod ask;
mod call;
mod catalogue;
mod change;
mod describe;
mod functions;
mod handler;
mod http;
mod identity;
mod meta_tools;
mod page;
mod report;

pub use http::service;
pub use meta_tools::MetaTools;

use std::sync::Arc;

use cortex_runtime::Runtime;
use rmcp::ServiceExt;
use rmcp::task_manager::TaskManager;
use rmcp::transport::stdio_pipes;
use tokio_util::sync::CancellationToken;

use ask::RequestStates;
use change::Watched;
use handler::Handler;

/// What an MCP server offers besides the tools.
#[derive(Clone, Debug)]
pub struct McpOptions {
    /// Tools about tools: searching, building and writing them.
    pub meta_tools: Option<MetaTools>,
    /// How many entries a list holds before the client has to ask for the next page.
    pub page_size: usize,
    /// `Host` values that requests over HTTP may carry, with or without a port. Anything else is an attempt to reach this
    /// server through a name that somebody else controls.
    pub allowed_hosts: Vec<String>,
    /// `Origin` values of browsers that may send requests over HTTP. A request without `Origin` comes from no browser.
    pub allowed_origins: Vec<String>,
    /// Somebody else has looked at `Host` and `Origin` already, and says who calls: the guard of the HTTP server.
    pub behind_guard: bool,
}

impl Default for McpOptions {
    fn default() -> Self {
        let local = ["localhost", "127.0.0.1", "[::1]"];
        Self {
            meta_tools: None,
            page_size: 100,
            allowed_hosts: ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into(),
            allowed_origins: local.iter().flat_map(|host| [format!("http://{host}:*")]).collect(),
            behind_guard: false,
        }
    }
}

/// Why an MCP server does not start or ends badly.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum McpError {
    /// The tools cannot be listed.
    #[error(transparent)]
    Runtime(#[from] cortex_runtime::RuntimeError),
    /// The system gives no random numbers, which the states that clients carry are signed with.
    #[error("the system gives no random numbers")]
    Random(#[source] getrandom::Error),
    /// The client did not begin as the protocol says.
    #[error("the client did not begin an MCP session")]
    Begin(#[source] Box<rmcp::service::ServerInitializeError>),
    /// The session's task ended with a panic.
    #[error("the MCP session broke off")]
    Session(#[source] tokio::task::JoinError),
}

/// One MCP server for any number of clients. Cheap to clone.
#[derive(Clone)]
pub struct McpServer(Arc<Shared>);

struct Shared {
    runtime: Runtime,
    options: McpOptions,
    watched: Watched,
    states: RequestStates,
    tasks: TaskManager,
}

impl std::fmt::Debug for McpServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("McpServer").field("options", &self.0.options).finish_non_exhaustive()
    }
}

impl McpServer {
    /// Reads the manifests and watches them from now on. Must run on a tokio runtime.
    pub async fn start(runtime: Runtime, options: McpOptions) -> Result<Self, McpError> {
        let watched = Watched::start(&runtime, options.meta_tools.as_ref()).await?;
        let states = RequestStates::new().map_err(McpError::Random)?;
        Ok(Self(Arc::new(Shared { runtime, options, watched, states, tasks: TaskManager::new() })))
    }

    /// Names that more than one manifests folder uses, and what the tools that came later are called.
    pub fn collisions(&self) -> Vec<String> {
        self.0.watched.catalogue().collisions.clone()
    }

    /// Serves one client over standard input and output, until it closes them or `stop` is cancelled.
    pub async fn serve_stdio(&self, stop: CancellationToken) -> Result<(), McpError> {
        let handler = Handler::new(Arc::clone(&self.0));
        let begun = Box::pin(handler.serve_with_ct(stdio_pipes(), stop)).await;
        let session = match begun {
            Ok(session) => session,
            // A client that goes before it said anything has ended well: that is how one looks whether a server starts.
            Err(rmcp::service::ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
            Err(error) => return Err(McpError::Begin(Box::new(error))),
        };
        session.waiting().await.map_err(McpError::Session)?;
        Ok(())
    }
}
