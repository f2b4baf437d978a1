//! Bodies that end at their limit.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};
use wasmtime_wasi_http::{Error, WasiBody};

use crate::network::client::failed;
use crate::network::ledger::{Ledger, Ticket};
use crate::network::limits::HttpLimits;
use crate::secret::Mask;

/// What a guest sends.
pub(crate) struct RequestBody {
    pub(crate) body: WasiBody,
    pub(crate) left: u64,
    pub(crate) limits: HttpLimits,
    pub(crate) ledger: Arc<Ledger>,
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        let sent = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref()).map_or(0, Bytes::len) as u64;
        let Some(left) = self.left.checked_sub(sent) else {
            let limit = self.limits.request_bytes;
            self.ledger.exceeded("request", &format!("a request with more than {limit} bytes"));
            return Poll::Ready(Some(Err(Error::HttpRequestBodySize(Some(limit)))));
        };
        self.left = left;
        if sent > 0 {
            self.ledger.sent(sent);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// What a server answers. hyper reads from the connection only as much as it is asked for, so a guest that does not read
/// fills no memory.
pub(crate) struct ResponseBody {
    pub(crate) body: hyper::body::Incoming,
    pub(crate) left: u64,
    pub(crate) limits: HttpLimits,
    pub(crate) ledger: Arc<Ledger>,
    /// Hides the secrets that the request carried.
    pub(crate) mask: Option<Mask>,
    /// How long to wait for the next piece.
    pub(crate) patience: Duration,
    pub(crate) waiting: Option<Pin<Box<Sleep>>>,
    /// The request goes on until its answer was read or dropped.
    pub(crate) _ticket: Ticket,
}

impl ResponseBody {
    /// The next piece as the server sent it.
    fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) else {
            let patience = self.patience;
            let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(patience)));
            ready!(waiting.as_mut().poll(cx));
            return Poll::Ready(Some(Err(Error::ConnectionReadTimeout)));
        };
        self.waiting = None;
        let frame = match frame {
            None => return Poll::Ready(None),
            Some(Err(error)) => return Poll::Ready(Some(Err(failed(error, &self.limits, &self.ledger)))),
            Some(Ok(frame)) => frame,
        };
        let received = frame.data_ref().map_or(0, Bytes::len) as u64;
        let Some(left) = self.left.checked_sub(received) else {
            let limit = self.limits.response_bytes;
            self.ledger.exceeded("response", &format!("an answer with more than {limit} bytes"));
            return Poll::Ready(Some(Err(Error::HttpResponseBodySize(Some(limit)))));
        };
        self.left = left;
        self.ledger.received(received);
        Poll::Ready(Some(Ok(frame)))
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        loop {
            let frame = ready!(self.poll_sent(cx));
            let Some(mask) = &mut self.mask else { return Poll::Ready(frame) };
            let shown = match &frame {
                None => mask.finish(),
                Some(Ok(frame)) => match frame.data_ref() {
                    Some(bytes) => mask.feed(bytes),
                    None => continue,
                },
                Some(Err(_)) => return Poll::Ready(frame),
            };
            match (shown.is_empty(), frame.is_none()) {
                (false, _) => return Poll::Ready(Some(Ok(Frame::data(shown.into())))),
                (true, true) => return Poll::Ready(None),
                // All of it may be the beginning of a secret.
                (true, false) => {}
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.mask.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
