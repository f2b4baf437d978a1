//! The console: one page that is part of the program. It needs nothing from anywhere else.

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderValue};
use serde_json::json;

use super::body::Answer;
use crate::state::ServerState;

const PAGE: &str = include_str!("../../console/index.html");
const SCRIPT: &str = include_str!("../../console/console.js");
const STYLE: &str = include_str!("../../console/console.css");

/// The page's own files and this server's answers, nothing else, and no inline script.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(super) fn routes() -> Router<ServerState> {
    Router::new()
        .route("/", get(root))
        .route("/console.js", get(async || file("text/javascript; charset=utf-8", SCRIPT)))
        .route("/console.css", get(async || file("text/css; charset=utf-8", STYLE)))
}

/// Browsers get the console; programs get what the original system says of itself.
async fn root(State(_): State<ServerState>, headers: HeaderMap) -> Response {
    let wants_page =
        headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).is_some_and(|a| a.contains("text/html"));
    let mut response = if wants_page {
        file("text/html; charset=utf-8", PAGE)
    } else {
        Answer(json!({
            "service": "cortex-wasm",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Tools for AI agents, each call in a fresh WebAssembly sandbox",
            "endpoints": {
                "tools": "/containers/tool",
                "relics": "/containers/relic",
                "stats": "/containers/stats",
                "cleanup": "/containers/cleanup",
                "v1": "/v1/tools",
                "mcp": "/mcp",
            },
            "docs": "/openapi.json",
        }))
        .into_response()
    };
    response.headers_mut().insert(VARY, HeaderValue::from_static("accept"));
    response
}

fn file(kind: &'static str, text: &'static str) -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(kind)),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, text).into_response()
}
