//! The exporters' way out: one HTTP request for each batch.
//!
//! The exporters run on threads of their own, without an executor; the requests run on the server's.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use http::header::HOST;
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use opentelemetry_http::{Bytes, HttpClient, HttpError};
use tokio::net::TcpStream;
use tokio::runtime::Handle;

/// How long a collector may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest answer that is read.
const ANSWER_BYTES: usize = 1 << 20;

/// A client that speaks plain HTTP, as collectors on one's own network do.
#[derive(Clone, Debug)]
pub(crate) struct OtlpClient(Handle);

impl OtlpClient {
    /// Requests run on the current executor.
    pub(crate) fn here() -> Self {
        Self(Handle::current())
    }
}

type Sending<'a> = Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'a>>;

impl HttpClient for OtlpClient {
    fn send_bytes<'life0, 'async_trait>(&'life0 self, request: Request<Bytes>) -> Sending<'async_trait>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        let sending = self.0.spawn(async move { tokio::time::timeout(PATIENCE, send(request)).await });
        Box::pin(async move { sending.await?? })
    }
}

async fn send(request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
    let uri = request.uri().clone();
    if uri.scheme_str() != Some("http") {
        return Err(format!("`{uri}` is not a plain `http` address").into());
    }
    let host = uri.host().ok_or("the collector's address has no host")?;
    let stream = TcpStream::connect((host, uri.port_u16().unwrap_or(80))).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let reading = tokio::spawn(connection);
    let (mut parts, body) = request.into_parts();
    if let Some(authority) = uri.authority() {
        parts.headers.insert(HOST, HeaderValue::try_from(authority.as_str())?);
    }
    parts.uri = uri.path_and_query().map_or("/", |path| path.as_str()).parse::<Uri>()?;
    let response = sender.send_request(Request::from_parts(parts, Full::new(body))).await?;
    let (parts, body) = response.into_parts();
    let bytes = Limited::new(body, ANSWER_BYTES).collect().await?.to_bytes();
    reading.abort();
    Ok(Response::from_parts(parts, bytes))
}
