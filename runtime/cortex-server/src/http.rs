//! The HTTP routes: the original system's, and our own below `/v1`.

mod body;
mod console;
mod containers;
mod openapi;
mod service;
mod v1;

use axum::Router;
use axum::middleware::from_fn_with_state;
use utoipa_axum::router::OpenApiRouter;

use crate::guard::guard;
use crate::problem::Problem;
use crate::state::ServerState;

/// All routes, behind the guard.
pub(crate) fn router(state: &ServerState, mcp: Router) -> Router {
    let (routes, api) = OpenApiRouter::with_openapi(openapi::base())
        .merge(service::routes())
        .merge(containers::routes())
        .merge(v1::routes())
        .split_for_parts();
    let api: bytes::Bytes = openapi::finished(api).to_pretty_json().unwrap_or_default().into();
    routes
        .merge(console::routes())
        .route("/openapi.json", axum::routing::get(async move || openapi::serve(api.clone())))
        .fallback(async || Problem::not_found("unknown_route", "there is nothing here"))
        .method_not_allowed_fallback(async || {
            Problem::new(http::StatusCode::METHOD_NOT_ALLOWED, "unknown_method", "this method means nothing here")
        })
        .with_state(state.clone())
        .nest_service("/mcp", mcp)
        .layer(from_fn_with_state(state.clone(), guard))
}
