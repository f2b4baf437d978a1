//! The network capability: `wasi:http` requests to the servers that were granted, and nothing else.
//!
//! The threat: a guest that reaches what its operator can reach. So every request, each hop of a redirect included, is
//! matched against the rules by what will really be sent, its host is resolved once, every address is checked, and the
//! connection goes to an address that was checked. There are no sockets and there is no name lookup for guests.
//!
//! Of the advisories on `wasi:http`, GHSA-w4qr (a timeout of zero) and GHSA-f8mm (empty writes over HTTP/2) concern
//! wasmtime's own client, which is not compiled in, and GHSA-5m8g (empty writes to an `AsyncWriteStream`) a stream that
//! nothing here makes: request bodies go through a channel of two pieces, output through `BoundedOutput`, sockets and files
//! are not granted.

pub(crate) mod address;
mod body;
mod bound;
mod client;
mod connect;
mod egress;
mod ledger;
mod limits;
mod rule;
mod trace;

use std::sync::Arc;

use http::header::{EXPECT, TE, TRAILER};
use http::{HeaderName, HeaderValue};
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error, ForbiddenHeaderFilter, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpHooks,
};

use crate::guest::Grants;
use crate::network::client::Client;
use crate::network::ledger::Ledger;

pub(crate) use bound::bound_requests;
pub use egress::{Egress, EgressBody, Refused, Tunnel};
pub(crate) use ledger::{Account, FirstRefusal};
pub use limits::{HttpLimits, HttpOverrides};
pub use rule::{HostRule, NetworkRule, RuleScheme};
pub use trace::RequestSpan;

/// The host's side of `wasi:http` for one call. Made when the guest first uses it.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) ctx: WasiHttpCtx,
    pub(crate) hooks: Hooks,
}

/// What wasmtime asks of us.
#[derive(Debug)]
pub(crate) struct Hooks(Client);

impl Network {
    pub(crate) fn new(grants: &Arc<Grants>, limits: HttpLimits, traceparent: Option<&str>) -> Self {
        let mut ctx = WasiHttpCtx::new();
        ctx.set_field_size_limit(usize::try_from(limits.header_bytes).unwrap_or(usize::MAX));
        let traceparent = traceparent.and_then(|traceparent| HeaderValue::try_from(traceparent).ok());
        let client = Client { grants: Arc::clone(grants), limits, ledger: Arc::new(Ledger::default()), traceparent };
        Self { ctx, hooks: Hooks(client) }
    }

    pub(crate) fn account(&self) -> Account {
        self.hooks.0.ledger.take()
    }
}

/// What a request's body holds in memory between guest and connection, twice.
const CHUNK_BYTES: usize = 64 << 10;

/// Headers that speak about the connection. It is the host's, and one request long.
fn is_forbidden(name: &HeaderName) -> bool {
    DEFAULT_FORBIDDEN_HEADERS.contains(name) || [TE, TRAILER, EXPECT].contains(name)
}

impl WasiHttpHooks for Hooks {
    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        Arc::new(is_forbidden)
    }

    fn set_host_header(&mut self) -> bool {
        // The client sets it, from what was checked.
        false
    }

    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Result<(http::Response<WasiBody>, client::Rest), Error>> + Send> {
        Box::new(self.0.clone().send(request, options))
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        CHUNK_BYTES
    }
}
