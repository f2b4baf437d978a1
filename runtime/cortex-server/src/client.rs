//! A small client of this server's own routes, for the command line.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use ::http::{HeaderValue, Method, Request, Uri};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// How long the server may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest answer that is read.
const ANSWER_BYTES: usize = 64 << 20;

/// A server to ask.
#[derive(Clone)]
pub struct Client {
    base: Uri,
    token: Option<String>,
}

impl std::fmt::Debug for Client {
    /// Without the token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("base", &self.base).finish_non_exhaustive()
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// No address of a server.
    #[error("`{text}` is no address of a server")]
    Address {
        /// What was given.
        text: String,
    },
    /// A token would be sent in the clear.
    #[error("the token would go to `{host}` unencrypted")]
    Unencrypted {
        /// Where to.
        host: String,
    },
    /// The server was not reached.
    #[error("`{base}` was not reached")]
    Unreachable {
        /// The server.
        base: String,
        /// What went wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It took too long.
    #[error("`{base}` did not answer within {} s", PATIENCE.as_secs())]
    Timeout {
        /// The server.
        base: String,
    },
    /// The server refused.
    #[error("the server answered {status}: {detail}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The problem's code.
        code: String,
        /// The problem's words.
        detail: String,
        /// What to do next.
        hint: Option<String>,
    },
    /// The answer is no JSON.
    #[error("the server's answer is no JSON")]
    Answer(#[source] serde_json::Error),
}

impl ClientError {
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Address { .. } => Some("such as `http://127.0.0.1:8086`".into()),
            Self::Unencrypted { .. } => Some("use `https`, or an address of this machine".into()),
            Self::Unreachable { .. } => Some("is `cortex-wasm serve` running there?".into()),
            Self::Refused { hint, .. } => hint.clone(),
            Self::Timeout { .. } | Self::Answer(_) => None,
        }
    }
}

impl Client {
    /// For a server's address. A token is never sent unencrypted to another machine.
    pub fn new(base: &str, token: Option<String>) -> Result<Self, ClientError> {
        let wrong = || ClientError::Address { text: base.chars().take(200).collect() };
        let uri: Uri = base.trim_end_matches('/').parse().map_err(|_| wrong())?;
        let (Some(scheme), Some(host)) = (uri.scheme_str(), uri.host()) else { return Err(wrong()) };
        if !["http", "https"].contains(&scheme) {
            return Err(wrong());
        }
        let name = host.trim_start_matches('[').trim_end_matches(']');
        let here = name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        if token.is_some() && scheme == "http" && !here {
            return Err(ClientError::Unencrypted { host: host.to_owned() });
        }
        Ok(Self { base: uri, token })
    }

    /// Asks for something.
    pub async fn get(&self, path: &str) -> Result<Value, ClientError> {
        self.send(Method::GET, path).await
    }

    /// Has something done.
    pub async fn post(&self, path: &str) -> Result<Value, ClientError> {
        self.send(Method::POST, path).await
    }

    async fn send(&self, method: Method, path: &str) -> Result<Value, ClientError> {
        let base = || self.base.to_string();
        let sent = tokio::time::timeout(PATIENCE, self.exchange(method, path)).await;
        let sent = sent.map_err(|_| ClientError::Timeout { base: base() })?;
        let (status, body) = sent.map_err(|source| ClientError::Unreachable { base: base(), source })?;
        let value: Value = serde_json::from_slice(&body).map_err(ClientError::Answer)?;
        if (200..300).contains(&status) {
            return Ok(value);
        }
        let text = |name: &str| value[name].as_str().map(str::to_owned);
        Err(ClientError::Refused {
            status,
            code: text("code").unwrap_or_else(|| "unknown".into()),
            detail: text("detail").unwrap_or_default(),
            hint: text("hint"),
        })
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
    ) -> Result<(u16, Bytes), Box<dyn std::error::Error + Send + Sync>> {
        let host = self.base.host().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let tls = self.base.scheme_str() == Some("https");
        let port = self.base.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let mut request = Request::builder().method(method).uri(path).header(CONTENT_TYPE, "application/json");
        if let Some(authority) = self.base.authority() {
            request = request.header(HOST, authority.as_str());
        }
        if let Some(token) = &self.token {
            let mut value = HeaderValue::try_from(format!("Bearer {token}"))?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        let request = request.body(Full::new(Bytes::new()))?;
        let stream = TcpStream::connect((bare, port)).await?;
        if !tls {
            return over(stream, request).await;
        }
        let mut roots = rustls::RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from(bare.to_owned())?;
        over(TlsConnector::from(Arc::new(config)).connect(name, stream).await?, request).await
    }
}

async fn over(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> Result<(u16, Bytes), Box<dyn std::error::Error + Send + Sync>> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let reading = tokio::spawn(connection);
    let response = sender.send_request(request).await?;
    let status = response.status().as_u16();
    let body = Limited::new(response.into_body(), ANSWER_BYTES).collect().await?.to_bytes();
    reading.abort();
    Ok((status, body))
}
