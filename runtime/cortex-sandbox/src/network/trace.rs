//! A request as a part of its call's trace.
//!
//! Each request of a traced call is a span of its own, which the server is told: what it traces comes below the request, not
//! beside it. A call that is not traced pays nothing.

use std::time::{Duration, SystemTime};

use http::HeaderValue;

/// What a trace says of a request that went out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestSpan {
    /// The span that the server was told.
    pub id: [u8; 8],
    /// When the request began: before its server's name was looked up.
    pub began: SystemTime,
    /// How long it took until the answer began, or the request failed; `None` if the call ended before that.
    pub took: Option<Duration>,
    /// The status of the answer; `None` if there was none.
    pub status: Option<u16>,
}

impl RequestSpan {
    /// A span below the call's, and the header that names it. `None` if the call's own header is malformed.
    pub(crate) fn below(traceparent: &HeaderValue) -> Option<(Self, HeaderValue)> {
        let mut parts = traceparent.to_str().ok()?.split('-');
        let (version, trace, _, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        // Zero is no span.
        let id = getrandom::u64().ok().filter(|id| *id != 0)?;
        let header = HeaderValue::try_from(format!("{version}-{trace}-{id:016x}-{flags}")).ok()?;
        Some((Self { id: id.to_be_bytes(), began: SystemTime::now(), took: None, status: None }, header))
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::RequestSpan;

    #[test]
    fn a_request_is_named_in_the_place_of_its_call() {
        let call = HeaderValue::from_static("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        let (span, header) = RequestSpan::below(&call).unwrap();
        let id = format!("{:016x}", u64::from_be_bytes(span.id));
        assert_eq!(header, format!("00-0af7651916cd43dd8448eb211c80319c-{id}-01"));
        assert!(id != "b7ad6b7169203331" && RequestSpan::below(&HeaderValue::from_static("00-1")).is_none());
    }
}
