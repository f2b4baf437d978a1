//! The same way out for what runs elsewhere: a container's requests, and tools that are an HTTP endpoint.
//!
//! Whoever holds an [`Egress`] sends requests as a guest does: the same rules, the same addresses, the same limits, the same
//! account. A tunnel, in which nothing can be read, is opened only to a server that was granted whole.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response};
use http_body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use wasmtime_wasi_http::{Error, WasiBody};

use crate::guest::Grants;
use crate::network::client::Client;
use crate::network::connect::{Stream, connect_plain};
use crate::network::ledger::{Account, Full, Ledger, Ticket};
use crate::network::limits::HttpLimits;
use crate::network::rule::Target;
use crate::network::trace::RequestSpan;

/// The way out of one call.
#[derive(Clone, Debug)]
pub struct Egress(Client);

/// Why a request did not go out or was not answered.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Refused(String, bool);

/// The body of an answer. It ends at its limit.
pub struct EgressBody(WasiBody);

/// A connection that was checked before it was opened. It counts as a request until it is dropped.
pub struct Tunnel {
    stream: Pin<Box<dyn Stream>>,
    _ticket: Ticket,
}

impl Egress {
    /// The way out of a call with these grants.
    pub fn new(grants: &Arc<Grants>, limits: HttpLimits) -> Self {
        Self(Client { grants: Arc::clone(grants), limits, traceparent: None, ledger: Arc::new(Ledger::default()) })
    }

    /// The same as a part of a trace, as its W3C `traceparent` names it.
    #[must_use]
    pub fn traced(mut self, traceparent: Option<&str>) -> Self {
        self.0.traceparent = traceparent.and_then(|traceparent| HeaderValue::try_from(traceparent).ok());
        self
    }

    /// Sends a request, whose address is absolute, if it is covered.
    pub async fn send<B>(&self, request: Request<B>) -> Result<Response<EgressBody>, Refused>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let request = request.map(|body| WasiBody::new(Outgoing(Box::pin(body))));
        let (response, rest) = self.0.clone().send(request, None).await.map_err(Refused::from)?;
        // The connection is read as long as the answer is; both end with the call's process or task.
        tokio::spawn(async move {
            let _told_to_the_reader = Pin::from(rest).await;
        });
        Ok(response.map(EgressBody))
    }

    /// Opens a tunnel to a server, as `CONNECT host:port` asks. It carries TLS that ends in the tool, or what a relic speaks, so
    /// neither path nor method can be checked, and no secret be put in.
    pub async fn tunnel(&self, authority: &str) -> Result<Tunnel, Refused> {
        let client = &self.0;
        let ticket = client.ledger.begin(&client.limits).map_err(|full| match full {
            Full::InAll => Refused::from(Error::HttpRequestDenied),
            Full::AtOnce => Refused::from(Error::ConnectionLimitReached),
        })?;
        let malformed = || Refused("the server is malformed".into(), true);
        let uri = format!("https://{authority}/");
        let (parts, ()) =
            Request::builder().method(Method::OPTIONS).uri(uri).body(()).map_err(|_| malformed())?.into_parts();
        let target =
            Target { method: "CONNECT".into(), path: String::new(), ..Target::of(&parts).map_err(|_| malformed())? };
        // A relic may speak anything: the whole of it was granted.
        let route = match client.service(&target)? {
            Some(route) => route,
            None => client.route(&target)?,
        };
        // What is said in it cannot be read, so nobody is told of the trace; that it was opened is a part of it.
        let span = client.traceparent.as_ref().and_then(RequestSpan::below).map(|(span, _)| span);
        let connecting = async { connect_plain(&client.addresses(&target, &route, span.clone()).await?).await };
        let stream = timeout(client.limits.timeout, connecting).await.unwrap_or(Err(Error::ConnectionTimeout));
        if let Some(span) = &span {
            client.ledger.answered(span, None);
        }
        let stream = stream?;
        Ok(Tunnel { stream: Box::pin(stream), _ticket: ticket })
    }

    /// What the requests were so far. The account begins anew.
    pub(crate) fn account(&self) -> Account {
        self.0.ledger.take()
    }

    /// How many requests there were.
    pub fn requests(&self) -> u64 {
        self.0.ledger.requests()
    }
}

impl Refused {
    /// Whether it was refused here and never went out.
    pub fn is_denied(&self) -> bool {
        self.1
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        let denied = matches!(
            error,
            Error::HttpRequestDenied
                | Error::DestinationIpProhibited
                | Error::HttpRequestUriInvalid
                | Error::ConnectionLimitReached
                | Error::HttpRequestHeaderSectionSize(_)
        );
        Self(error.to_string(), denied)
    }
}

impl std::fmt::Debug for EgressBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EgressBody").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tunnel").finish_non_exhaustive()
    }
}

impl Body for EgressBody {
    type Data = Bytes;
    type Error = Refused;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Refused>>> {
        Pin::new(&mut self.0).poll_frame(cx).map(|frame| frame.map(|frame| frame.map_err(Refused::from)))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

/// A body whose errors are told in the words of `wasi:http`.
struct Outgoing<B>(Pin<Box<B>>);

impl<B> Body for Outgoing<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.0.as_mut().poll_frame(cx).map(|frame| frame.map(|frame| frame.map_err(|_| Error::HttpProtocolError)))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

impl AsyncRead for Tunnel {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        self.stream.as_mut().poll_read(cx, buffer)
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        self.stream.as_mut().poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.stream.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.stream.as_mut().poll_shutdown(cx)
    }
}
