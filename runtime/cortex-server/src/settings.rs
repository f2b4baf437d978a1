//! What a server is started with.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::auth::Tokens;

/// How a server listens, whom it trusts and what it bounds.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Whom it knows. Without any, everybody who reaches it may do everything.
    pub tokens: Tokens,
    /// Listen beyond this machine without tokens.
    pub insecure: bool,
    /// Names by which it may be called besides `localhost` and addresses.
    pub hosts: Vec<String>,
    /// Origins of other sites' pages that may call it, such as `https://app.example.com`.
    pub origins: Vec<String>,
    /// A certificate chain and its key, both PEM. Without them it speaks plain HTTP.
    pub tls: Option<TlsFiles>,
    /// The largest body of a request.
    pub body_bytes: usize,
    /// How long calls may go on when the server ends.
    pub shutdown: Duration,
    /// Folders whose tools are watched for changes.
    pub watch: Vec<PathBuf>,
}

/// What TLS needs.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The certificate chain.
    pub certificates: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

impl ServerSettings {
    /// For this machine only, without tokens.
    pub fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            tokens: Tokens::default(),
            insecure: false,
            hosts: Vec::new(),
            origins: Vec::new(),
            tls: None,
            // Inputs have at most 1 MiB by default, and JSON may escape each byte with six.
            body_bytes: 8 << 20,
            shutdown: Duration::from_secs(30),
            watch: Vec::new(),
        }
    }
}
