//! What HTTP requests may use. Part of [`Limits`](crate::Limits).

use std::time::Duration;

/// What the HTTP requests of a call may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpLimits {
    /// Requests of one call, refused ones included.
    pub requests: u64,
    /// Requests at the same time: from the request until its answer is read or dropped.
    pub concurrent: u64,
    /// Bytes of one request's body.
    pub request_bytes: u64,
    /// Bytes of one answer's body.
    pub response_bytes: u64,
    /// Bytes of the headers of one request, its address included, and of one answer.
    pub header_bytes: u64,
    /// Time to connect, then to the first byte of the answer, then between any two pieces of it. The deadline of the
    /// call holds for all of them together.
    pub timeout: Duration,
}

impl HttpLimits {
    /// What a tool gets that asks for nothing.
    pub(crate) const DEFAULT: Self = Self {
        // A search and the pages that it found.
        requests: 32,
        concurrent: 8,
        request_bytes: 4 << 20,
        // Beyond that a guest of the default memory could not hold and parse it anyway.
        response_bytes: 16 << 20,
        // Servers commonly refuse more than 8 to 32 KiB.
        header_bytes: 64 << 10,
        timeout: Duration::from_secs(30),
    };

    /// The most that an operator's defaults let a manifest ask for.
    pub(crate) const CEILING: Self = Self {
        requests: 1024,
        concurrent: 64,
        request_bytes: 256 << 20,
        response_bytes: 1 << 30,
        header_bytes: 1 << 20,
        timeout: Duration::from_hours(1),
    };
}

/// The limits of HTTP that a manifest or a caller sets; the rest stays as it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HttpOverrides {
    /// See [`HttpLimits::requests`].
    pub requests: Option<u64>,
    /// See [`HttpLimits::concurrent`].
    pub concurrent: Option<u64>,
    /// See [`HttpLimits::request_bytes`].
    pub request_bytes: Option<u64>,
    /// See [`HttpLimits::response_bytes`].
    pub response_bytes: Option<u64>,
    /// See [`HttpLimits::header_bytes`].
    pub header_bytes: Option<u64>,
    /// See [`HttpLimits::timeout`].
    pub timeout: Option<Duration>,
}
