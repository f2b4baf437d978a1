//! From a host to a connection: resolved once, every address checked, connected to what was checked.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, oneshot};
use tokio_rustls::TlsConnector;
use wasmtime_wasi_http::Error;

use crate::network::rule::{Host, Target};

pub(crate) trait Stream: AsyncRead + AsyncWrite + Send {}
impl<T: AsyncRead + AsyncWrite + Send> Stream for T {}

/// Lookups at the same time, of all calls together. A lookup cannot be taken back: the system's resolver goes on for
/// half a minute after the call that wanted it has ended.
static LOOKUPS: Semaphore = Semaphore::const_new(64);

/// The addresses of a host. At least one.
pub(crate) async fn resolve(host: &Host, port: u16) -> Result<Vec<SocketAddr>, Error> {
    let name = match host {
        Host::Address(address) => return Ok(vec![SocketAddr::new(*address, port)]),
        Host::Name(name) => name.clone(),
    };
    let unknown = || Error::DnsError { rcode: None, info_code: None };
    let permit = LOOKUPS.acquire().await.map_err(|_| unknown())?;
    let (answer, answered) = oneshot::channel();
    // A thread of its own: tokio's would keep a program from ending until the resolver gives up.
    let look = move || {
        let _permit = permit;
        let _nobody_waits = answer.send((name.as_str(), port).to_socket_addrs().map(Iterator::collect));
    };
    std::thread::Builder::new().name("resolve".into()).spawn(look).map_err(|_| unknown())?;
    let addresses: io::Result<Vec<SocketAddr>> = answered.await.map_err(|_| unknown())?;
    addresses.ok().filter(|addresses| !addresses.is_empty()).ok_or_else(unknown)
}

/// A connection to one of the addresses, tried in their order.
pub(crate) async fn connect(target: &Target, addresses: &[SocketAddr]) -> Result<Pin<Box<dyn Stream>>, Error> {
    let stream = connect_plain(addresses).await?;
    if !target.https {
        return Ok(Box::pin(stream));
    }
    let name = match &target.host {
        Host::Name(name) => ServerName::try_from(name.clone()).map_err(|_| Error::HttpRequestUriInvalid)?,
        Host::Address(address) => ServerName::from(IpAddr::clone(address)),
    };
    let connector = TlsConnector::from(tls()?);
    Ok(Box::pin(connector.connect(name, stream).await.map_err(|error| {
        let certificate = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
        match certificate {
            Some(rustls::Error::InvalidCertificate(_)) => Error::TlsCertificateError,
            _ => Error::Tls(error),
        }
    })?))
}

/// The same without TLS of ours.
pub(crate) async fn connect_plain(addresses: &[SocketAddr]) -> Result<TcpStream, Error> {
    let stream = TcpStream::connect(addresses).await.map_err(|error| match error.kind() {
        io::ErrorKind::ConnectionRefused => Error::ConnectionRefused,
        _ => Error::Connect(error),
    })?;
    // Requests are small and waited for.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

/// TLS with the system's roots, read when the first request needs them. `SSL_CERT_FILE` and `SSL_CERT_DIR` say where they
/// are if they are elsewhere, as for every other program.
fn tls() -> Result<Arc<ClientConfig>, Error> {
    static TLS: OnceLock<Option<Arc<ClientConfig>>> = OnceLock::new();
    let load = || {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().ok()?;
        Some(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
    };
    TLS.get_or_init(load).clone().ok_or(Error::ConfigurationError)
}
