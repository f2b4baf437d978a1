//! The server: a listener, a task for each connection, and an orderly end.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use cortex_runtime::Runtime;
use fs_err as fs;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::http;
use crate::mcp::{McpError, McpOptions, McpServer, service};
use crate::metrics::Metrics;
use crate::settings::{ServerSettings, TlsFiles};
use crate::state::ServerState;
use crate::watch::watch;

/// How long a client may take for the headers of its next request, and for its part of a TLS handshake.
const HEADERS: Duration = Duration::from_secs(20);
/// The most headers, and their bytes together.
const HEADER_COUNT: usize = 100;
const HEADER_BYTES: usize = 64 << 10;
/// The most connections. Each costs some 10 KB.
const CONNECTIONS: usize = 50_000;
/// What connections get to end after all calls have.
const FAREWELL: Duration = Duration::from_secs(5);

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// Everybody on the network could call.
    #[error("`{address}` is no loopback address, and there are no tokens")]
    Unprotected {
        /// Where it should listen.
        address: SocketAddr,
    },
    /// The port is taken, or is not ours to take.
    #[error("cannot listen on `{address}`")]
    Listen {
        /// Where it should listen.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A certificate or key cannot be read.
    #[error("`{}` holds no PEM of what is needed", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    /// The certificate and the key do not fit.
    #[error("the certificate and the key cannot be used")]
    Tls(#[from] rustls::Error),
    /// MCP does not start.
    #[error(transparent)]
    Mcp(#[from] McpError),
    /// A file cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl ServerError {
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unprotected { .. } => Some(
                "make a token with `cortex-wasm token create USER`, or say `--insecure` if everybody who reaches it may \
                 do everything"
                    .into(),
            ),
            Self::Listen { .. } => Some("choose another address with `--listen`".into()),
            Self::Pem { .. } => Some("give a certificate chain and an unencrypted key, both PEM".into()),
            Self::Tls(_) | Self::Mcp(_) | Self::Io(_) => None,
        }
    }
}

/// A server that listens and does not answer yet.
pub struct Server {
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    state: ServerState,
    metrics: Arc<Metrics>,
    router: Router,
    stop_streams: CancellationToken,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("state", &self.state).field("tls", &self.tls.is_some()).finish_non_exhaustive()
    }
}

impl Server {
    /// Listens. `metrics` are what the runtime's telemetry counts in. Must be called on a tokio runtime.
    pub async fn bind(
        runtime: Runtime,
        settings: ServerSettings,
        mcp: McpOptions,
        metrics: Arc<Metrics>,
    ) -> Result<Self, ServerError> {
        let address = settings.listen;
        if !address.ip().is_loopback() && settings.tokens.is_empty() && !settings.insecure {
            return Err(ServerError::Unprotected { address });
        }
        let tls = settings.tls.as_ref().map(acceptor).transpose()?;
        let listener = TcpListener::bind(address).await.map_err(|source| ServerError::Listen { address, source })?;
        let stop_streams = CancellationToken::new();
        // The guard before it has looked at hosts and origins already.
        let mcp = McpServer::start(runtime.clone(), McpOptions { behind_guard: true, ..mcp }).await?;
        for collision in mcp.collisions() {
            tracing::warn!("{collision}");
        }
        let mcp = service(&mcp, stop_streams.clone());
        let state = ServerState::new(runtime, settings, Arc::clone(&metrics));
        let router = http::router(&state, mcp);
        Ok(Self { listener, tls, state, metrics, router, stop_streams })
    }

    /// Where it listens: the port that was chosen, if it was left to the system.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until `stop` is cancelled; then takes no more calls, and waits for those that go on as long as the settings
    /// say. Returns how many had to be cancelled.
    pub async fn run(self, stop: CancellationToken) -> usize {
        let Self { listener, tls, state, metrics, router, stop_streams } = self;
        let settings = state.settings();
        let watching = watch(state.runtime().clone(), &settings.watch, metrics);
        if let Err(error) = &watching {
            tracing::warn!(%error, "the folders of tools cannot be watched; calls look for changes themselves");
            state.runtime().look_on_calls();
        }
        let graceful = Arc::new(GracefulShutdown::new());
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = listener.accept() => accepted,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Too many open files, mostly: others have to close theirs first.
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                tracing::warn!("a connection was refused: there are {CONNECTIONS} already");
                continue;
            };
            let (tls, router, graceful) = (tls.clone(), router.clone(), Arc::clone(&graceful));
            tokio::spawn(async move {
                connection(stream, tls, router, &graceful).await;
                drop(place);
            });
        }
        // Connections that are open get 503 for new calls, and a client that asks again finds nobody.
        drop(listener);
        tracing::info!("no more calls are taken");
        let cancelled = state.runtime().drain(settings.shutdown).await;
        stop_streams.cancel();
        if let Some(graceful) = Arc::into_inner(graceful) {
            let _ = tokio::time::timeout(FAREWELL, graceful.shutdown()).await;
        }
        cancelled
    }
}

async fn connection(stream: TcpStream, tls: Option<TlsAcceptor>, router: Router, graceful: &GracefulShutdown) {
    // Answers are small and whole: waiting for more of them helps nobody.
    let _ = stream.set_nodelay(true);
    match tls {
        None => serve(stream, router, graceful).await,
        Some(tls) => match tokio::time::timeout(HEADERS, tls.accept(stream)).await {
            Ok(Ok(stream)) => serve(stream, router, graceful).await,
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => tracing::debug!("a TLS handshake took too long"),
        },
    }
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
    graceful: &GracefulShutdown,
) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .max_headers(HEADER_COUNT)
        .max_buf_size(HEADER_BYTES)
        .pipeline_flush(true);
    let connection = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    if let Err(error) = graceful.watch(connection).await {
        tracing::debug!(error = &error as &dyn std::error::Error, "a connection broke off");
    }
}

fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, ServerError> {
    let pem = |path: &PathBuf| {
        let path = path.clone();
        move |source| ServerError::Pem { path, source }
    };
    let chain = fs::read(&files.certificates)?;
    let chain: Vec<CertificateDer<'static>> =
        CertificateDer::pem_slice_iter(&chain).collect::<Result<_, _>>().map_err(pem(&files.certificates))?;
    let key = PrivateKeyDer::from_pem_slice(&fs::read(&files.key)?).map_err(pem(&files.key))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
