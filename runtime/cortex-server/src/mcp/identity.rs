//! Who a client is: whom the guard of the HTTP server has found behind its token. Over standard input and output, and
//! where nobody asks for tokens, it may do everything.

use cortex_runtime::{CallOptions, Caller};
use rmcp::ErrorData;
use rmcp::service::{RequestContext, RoleServer};

use super::call::unknown;
use crate::auth::{Identity, Scope};

/// Who sent a request.
pub(super) fn of(context: &RequestContext<RoleServer>) -> Identity {
    let parts = context.extensions.get::<::http::request::Parts>();
    parts.and_then(|parts| parts.extensions.get::<Identity>()).cloned().unwrap_or_else(Identity::anyone)
}

/// Refuses what is not for this client, as if it was not there.
pub(super) fn require(identity: &Identity, scope: Scope, what: &str, name: &str) -> Result<(), ErrorData> {
    if identity.may(scope) && identity.may_use(name) { Ok(()) } else { Err(unknown(what, name, None)) }
}

/// What a call carries because of who calls. What a client over HTTP is told has ended is in the record.
pub(super) fn options(identity: &Identity, context: &RequestContext<RoleServer>) -> CallOptions {
    let parts = context.extensions.get::<::http::request::Parts>();
    let header = |name: &str| parts.and_then(|parts| parts.headers.get(name)?.to_str().ok());
    CallOptions {
        caller: Caller { session: header("mcp-session-id").map(Into::into), user: identity.user.clone() },
        durable: parts.is_some(),
        traceparent: header("traceparent").map(str::to_owned),
        ..CallOptions::default()
    }
}
