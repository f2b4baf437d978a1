//! The only way out of a container: an HTTP proxy of ours on a socket, behind a loopback port.
//!
//! A tool's container has no network but its loopback, which it shares with a forwarder: a container that holds one end of a
//! socket of ours and nothing else. Neither has a route to anywhere. What comes through the socket is a request for the proxy,
//! which applies the rules of the sandbox, connects from the host to addresses that were checked, and puts secrets in. Plain
//! requests can be read, so they are checked whole; what asks for a tunnel gets one only to a server that was granted whole.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use cortex_sandbox::{Egress, EgressBody, Refused};
use http::header::{
    CONNECTION, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName, Method, Request, Response, StatusCode, Uri};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;

/// Whose requests come through a socket at this moment.
#[derive(Debug, Default)]
pub(crate) struct Door(Mutex<Option<Egress>>);

impl Door {
    /// From now on requests are those of this call; with `None` nobody's.
    pub(crate) fn set(&self, egress: Option<Egress>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = egress;
    }

    fn egress(&self) -> Option<Egress> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A proxy that listens on a socket until this is dropped.
#[derive(Debug)]
pub(crate) struct Proxy {
    folder: PathBuf,
    stop: CancellationToken,
}

impl Proxy {
    /// Listens on `proxy.sock` in a new folder. Must run on the engine's thread.
    pub(crate) fn listen(folder: &Path, door: Arc<Door>) -> std::io::Result<Self> {
        use std::os::unix::fs::PermissionsExt;
        fs_err::create_dir_all(folder)?;
        let socket = folder.join("proxy.sock");
        let listener = bind(folder, &socket)?;
        // The forwarder is nobody; on the host nobody else gets through the home's folder.
        fs_err::set_permissions(folder, PermissionsExt::from_mode(0o755))?;
        fs_err::set_permissions(&socket, PermissionsExt::from_mode(0o666))?;
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        tokio::spawn(async move {
            stopped
                .run_until_cancelled(async {
                    while let Ok((stream, _)) = listener.accept().await {
                        let stopped = stopped.clone();
                        let door = Arc::clone(&door);
                        tokio::spawn(async move { stopped.run_until_cancelled(serve(stream, door)).await });
                    }
                })
                .await
        });
        Ok(Self { folder: folder.to_owned(), stop })
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop.cancel();
        let _ = fs_err::remove_dir_all(&self.folder);
    }
}

/// Binds a socket. The system takes about a hundred bytes of a path, and a home folder may be deep: then the folder is named by
/// the number under which it is open.
fn bind(folder: &Path, socket: &Path) -> std::io::Result<UnixListener> {
    const PATH_BYTES: usize = 100;
    if socket.as_os_str().len() <= PATH_BYTES {
        return UnixListener::bind(socket);
    }
    let open = fs_err::File::open(folder)?;
    let number = std::os::fd::AsRawFd::as_raw_fd(open.file());
    UnixListener::bind(format!("/proc/self/fd/{number}/proxy.sock"))
}

async fn serve(stream: UnixStream, door: Arc<Door>) {
    let service = service_fn(move |request| {
        let door = Arc::clone(&door);
        async move { Ok::<_, Infallible>(answer(request, &door).await) }
    });
    // A client that breaks off is its own affair.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades().await;
}

type Body = Either<EgressBody, Full<Bytes>>;

async fn answer(request: Request<Incoming>, door: &Door) -> Response<Body> {
    let Some(egress) = door.egress() else { return said(StatusCode::FORBIDDEN, "no call is going on") };
    let answered =
        if request.method() == Method::CONNECT { tunnel(request, &egress).await } else { pass(request, &egress).await };
    answered.unwrap_or_else(|refused| {
        let status = if refused.is_denied() { StatusCode::FORBIDDEN } else { StatusCode::BAD_GATEWAY };
        said(status, &refused.to_string())
    })
}

fn said(status: StatusCode, message: &str) -> Response<Body> {
    let mut response = Response::new(Either::Right(Full::new(format!("cortex-wasm: {message}\n").into())));
    *response.status_mut() = status;
    response
}

/// A request whose address is whole, or made whole by its `Host`.
async fn pass(mut request: Request<Incoming>, egress: &Egress) -> Result<Response<Body>, Refused> {
    if request.uri().scheme().is_none() {
        let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        match format!("http://{host}{}", request.uri()).parse::<Uri>() {
            Ok(uri) => *request.uri_mut() = uri,
            Err(_) => return Ok(said(StatusCode::BAD_REQUEST, "the request names no server")),
        }
    }
    without_hop(request.headers_mut());
    let mut response = egress.send(request).await?;
    without_hop(response.headers_mut());
    Ok(response.map(Either::Left))
}

async fn tunnel(request: Request<Incoming>, egress: &Egress) -> Result<Response<Body>, Refused> {
    let authority = request.uri().authority().map_or_else(String::new, ToString::to_string);
    let mut server = egress.tunnel(&authority).await?;
    tokio::spawn(async move {
        let Ok(client) = hyper::upgrade::on(request).await else { return };
        let _either_end_may_close = tokio::io::copy_bidirectional(&mut TokioIo::new(client), &mut server).await;
    });
    Ok(Response::new(Either::Right(Full::default())))
}

/// Takes out what concerns one connection only.
fn without_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    let always = [CONNECTION, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE];
    let more = ["keep-alive", "proxy-connection"].map(HeaderName::from_static);
    for name in named.into_iter().chain(always).chain(more) {
        headers.remove(name);
    }
}
