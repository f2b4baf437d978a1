//! MCP over streamable HTTP.

use std::sync::Arc;

use axum::Router;
use rmcp::transport::StreamableHttpServerConfig;
use rmcp::transport::streamable_http_server::StreamableHttpService;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use tokio_util::sync::CancellationToken;

use super::McpServer;
use super::handler::Handler;

/// The largest request. A tool's input may be as large as its limits allow; what is beyond this is no input of a tool.
const REQUEST_BYTES_MAX: usize = 16 << 20;

/// The service to be nested at `/mcp`. Requests of revision 2026-07-28 stand on their own; those of earlier revisions have
/// a session. `stop` ends every open stream.
///
/// `Host` and `Origin` are checked here, against what the server's options allow; who may call what is for the layers
/// around it.
pub fn service(server: &McpServer, stop: CancellationToken) -> Router {
    let shared = Arc::clone(&server.0);
    let checked = if shared.options.behind_guard {
        StreamableHttpServerConfig::default().disable_allowed_hosts()
    } else {
        StreamableHttpServerConfig::default()
            .with_allowed_hosts(shared.options.allowed_hosts.clone())
            .with_allowed_origins(shared.options.allowed_origins.clone())
            .enforce_origin_validation()
    };
    let config = checked.with_max_request_body_bytes(REQUEST_BYTES_MAX).with_cancellation_token(stop);
    let sessions = Arc::new(LocalSessionManager::default());
    let handler = move || Ok(Handler::new(Arc::clone(&shared)));
    Router::new().route_service("/", StreamableHttpService::new(handler, sessions, config))
}
