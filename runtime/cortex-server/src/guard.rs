//! What every request passes before anything else looks at it: which host it thinks it talks to, which page it comes
//! from, whose token it carries.
//!
//! The threat of a server on this machine is a page in this machine's browser. A page of another site may send requests
//! here; its `Origin` gives it away. A page whose site's name was re-bound to 127.0.0.1 has the right origin; the `Host`
//! gives that one away, for it is a name, and not one of ours.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION,
    CONTENT_SECURITY_POLICY, HOST, ORIGIN, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use crate::auth::Identity;
use crate::problem::Problem;
use crate::state::ServerState;

/// Names a request through all logs; taken from the client if it sends one.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What needs no token: the page that asks for one, whether the server is there, and what it understands.
const OPEN: &[&str] = &["/", "/console.js", "/console.css", "/health", "/openapi.json"];

/// The middleware.
pub(crate) async fn guard(State(state): State<ServerState>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request_id(request.headers());
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let origin = request.headers().get(ORIGIN).cloned();
    let mut response = match admit(&state, &mut request) {
        Err(problem) => problem.into_response(),
        Ok(None) => preflight(),
        Ok(Some(identity)) => {
            tracing::debug!(request = id.to_str().unwrap_or_default(), %method, path, "begins");
            request.extensions_mut().insert(identity);
            next.run(request).await
        }
    };
    let headers = response.headers_mut();
    if let Some(origin) = origin.filter(|origin| is_allowed(&state, origin)) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(VARY, HeaderValue::from_static("origin"));
        let exposed = "location, retry-after, x-request-id, mcp-session-id";
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(exposed));
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers
        .entry(CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
    let status = response.status().as_u16();
    let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    tracing::info!(request = id.to_str().unwrap_or_default(), %method, path, status, micros, "request");
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

/// Who it is; `None` for the question of a browser whether it may ask.
fn admit(state: &ServerState, request: &mut Request) -> Result<Option<Identity>, Problem> {
    let settings = state.settings();
    let headers = request.headers();
    let host = request.uri().authority().map(ToString::to_string);
    let host = host.or_else(|| headers.get(HOST)?.to_str().ok().map(str::to_owned));
    let host = host.ok_or_else(|| Problem::bad_request("the request names no `Host`"))?;
    // A token is in no browser's hands: a page that does not know it gets nowhere, under whatever name.
    let names_matter = settings.tokens.is_empty();
    if names_matter && !is_known(&host, &settings.hosts) {
        let detail = format!("`{}` is not a name of this server", host.chars().take(100).collect::<String>());
        return Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, "unknown_host", detail)
            .hinted("use an address or `localhost`, or start the server with `--allow-host NAME`"));
    }
    if let Some(origin) = headers.get(ORIGIN) {
        let own = origin.to_str().is_ok_and(|origin| origin.split_once("://").is_some_and(|(_, of)| of == host));
        if !own && !is_allowed(state, origin) {
            return Err(Problem::forbidden("pages of this origin may not call this server")
                .hinted("start the server with `--allow-origin ORIGIN`"));
        }
        if request.method() == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
            return Ok(None);
        }
    }
    if settings.tokens.is_empty() {
        return Ok(Some(Identity::anyone()));
    }
    let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let secret = bearer.and_then(|value| {
        let (scheme, secret) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(secret.trim())
    });
    let (sent, identity) = (secret.is_some(), secret.and_then(|secret| settings.tokens.identify(secret)));
    // It goes no further, into no log and no tool.
    request.headers_mut().remove(AUTHORIZATION);
    match identity {
        Some(identity) => Ok(Some(identity)),
        None if OPEN.contains(&request.uri().path()) => Ok(Some(Identity::nobody())),
        None if sent => Err(Problem::unauthorized("the token is not known")),
        None => Err(Problem::unauthorized("this server wants a token")),
    }
}

fn preflight() -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, DELETE"));
    let allowed = "authorization, content-type, last-event-id, mcp-protocol-version, mcp-session-id, traceparent";
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(allowed));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    response
}

fn is_allowed(state: &ServerState, origin: &HeaderValue) -> bool {
    state.settings().origins.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes())
}

/// Addresses are known: nobody can re-bind one. So is `localhost`, which browsers resolve themselves.
fn is_known(host: &str, names: &[String]) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    // What follows the last colon of an address without brackets is no port.
    let address = |text: &str| text.parse::<std::net::IpAddr>().is_ok();
    address(host)
        || address(name.trim_start_matches('[').trim_end_matches(']'))
        || name.eq_ignore_ascii_case("localhost")
        || names.iter().any(|known| known.eq_ignore_ascii_case(name))
}

fn request_id(headers: &HeaderMap) -> HeaderValue {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let sane = |id: &&HeaderValue| {
        let bytes = id.as_bytes();
        (1..=64).contains(&bytes.len())
            && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
    };
    headers.get(&REQUEST_ID).filter(sane).cloned().unwrap_or_else(|| {
        let id = format!("req_{:x}", NEXT.fetch_add(1, Ordering::Relaxed));
        HeaderValue::try_from(id).unwrap_or(HeaderValue::from_static("req"))
    })
}

#[cfg(test)]
mod tests {
    use super::is_known;

    #[test]
    fn addresses_and_localhost_are_names_of_the_server_and_others_only_if_it_was_told() {
        for known in ["127.0.0.1:8086", "127.0.0.1", "[::1]:8086", "::1", "localhost", "LOCALHOST:1", "tools.lan:80"] {
            assert!(is_known(known, &["tools.lan".into()]), "{known}");
        }
        for unknown in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80", "", "tools.lan.evil"] {
            assert!(!is_known(unknown, &["tools.lan".into()]), "{unknown}");
        }
    }
}
