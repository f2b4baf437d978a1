//! The description of the routes, made from their types.

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use utoipa::Modify;
use utoipa::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{Content, OpenApi as Document, Ref, RefOr, Response as Described};

use crate::problem::ProblemBody;

#[derive(OpenApi)]
#[openapi(
    info(title = "cortex-wasm", description = "Tools for AI agents, each call in a fresh WebAssembly sandbox."),
    components(schemas(ProblemBody)),
    security((), ("token" = [])),
    modifiers(&Token)
)]
struct Base;

struct Token;

impl Modify for Token {
    fn modify(&self, document: &mut Document) {
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        document.components.get_or_insert_default().add_security_scheme("token", scheme);
    }
}

/// What all routes share.
pub(super) fn base() -> Document {
    Base::openapi()
}

/// Adds to every operation that it may answer with a problem.
pub(super) fn finished(mut document: Document) -> Document {
    let problem = || {
        let content = Content::new(Some(Ref::from_schema_name("Problem")));
        let mut response = Described::new("A problem; its `code` says which.");
        response.content.insert("application/problem+json".into(), RefOr::T(content));
        RefOr::T(response)
    };
    for item in document.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.post, &mut item.delete, &mut item.put];
        for operation in operations.into_iter().flatten() {
            for status in ["4XX", "5XX"] {
                operation.responses.responses.entry(status.into()).or_insert_with(problem);
            }
        }
    }
    document
}

pub(super) fn serve(document: Bytes) -> Response {
    ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], document).into_response()
}
