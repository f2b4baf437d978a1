//! What a rule covers. Whatever is not understood is not covered.

use std::fmt;
use std::net::IpAddr;

use http::request::Parts;

use crate::network::address::{Class, canonical};

/// Servers that a tool may send requests to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkRule {
    /// The rule as people write it, for the record.
    pub text: String,
    /// How the server is spoken to.
    pub scheme: RuleScheme,
    /// Which servers.
    pub host: HostRule,
    /// Which port; `None` is the port that the request's scheme has by itself.
    pub port: Option<u16>,
    /// The path at which everything covered begins, such as `/v1`; empty for all.
    pub path: String,
    /// The methods covered, in capitals; empty for all.
    pub methods: Vec<String>,
}

/// How a server is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleScheme {
    /// TLS, on the public internet.
    Https,
    /// Without TLS, on the public internet.
    Http,
    /// Either, and the server's name may resolve to a private or loopback address.
    Private,
}

/// Which servers a rule covers. Names are in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostRule {
    /// One name.
    Name(String),
    /// Every name below this one, and not the name itself.
    Below(String),
    /// Every server on the public internet.
    Any,
    /// This address, whatever it is for: it was named as such.
    Address(IpAddr),
    /// The addresses that begin with the first `bits` bits of `address`. Public, private and loopback ones only.
    Range {
        /// The first address.
        address: IpAddr,
        /// How many bits they share.
        bits: u8,
    },
}

/// Which addresses a server may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reach {
    Public,
    Private,
    /// The address itself was named.
    Named,
}

impl Reach {
    pub(crate) fn allows(self, class: Class) -> bool {
        match self {
            Self::Public => class == Class::Public,
            Self::Private => class == Class::Public || class.is_private(),
            Self::Named => true,
        }
    }
}

impl NetworkRule {
    /// Whether a request would be covered, as far as its method and its address tell: which addresses its server has is
    /// found out, and checked, when it is sent. What is no request is not covered.
    pub fn covers_url(&self, method: &str, url: &str) -> bool {
        Target::parse(method, url).is_some_and(|target| self.covers(&target).is_some())
    }

    /// Whether a request would be denied by this rule as a denial. It covers all that it would cover as a grant, and what
    /// may be read as if it did.
    pub fn denies_url(&self, method: &str, url: &str) -> bool {
        Target::parse(method, url).is_some_and(|target| self.covers_anyhow(&target))
    }

    /// Which addresses the server of a target may have, if the rule covers the target.
    pub(crate) fn covers(&self, target: &Target) -> Option<Reach> {
        let method = self.methods.is_empty() || self.methods.contains(&target.method);
        let path = self.path.is_empty() || is_below(&target.path, &self.path);
        if method && path { self.covers_server(target) } else { None }
    }

    /// Whether it covers the target by any reading: what is denied stays denied however the server is spoken to.
    pub(crate) fn covers_anyhow(&self, target: &Target) -> bool {
        let methods = self.methods.is_empty() || self.methods.contains(&target.method);
        let path = self.path.is_empty() || target.path.starts_with(&self.path) || !is_plain(&target.path);
        let scheme = match self.scheme {
            RuleScheme::Https => target.https,
            RuleScheme::Http => !target.https,
            RuleScheme::Private => true,
        };
        let port = self.port.unwrap_or(target.default_port()) == target.port;
        methods && path && scheme && port && self.host.is(&target.host)
    }

    pub(crate) fn covers_server(&self, target: &Target) -> Option<Reach> {
        let https = match self.scheme {
            RuleScheme::Https => target.https,
            RuleScheme::Http => !target.https,
            RuleScheme::Private => true,
        };
        if !https || self.port.unwrap_or(target.default_port()) != target.port {
            return None;
        }
        let by_name = if self.scheme == RuleScheme::Private { Reach::Private } else { Reach::Public };
        match (&self.host, &target.host) {
            (HostRule::Any, _) => Some(by_name),
            (HostRule::Name(rule), Host::Name(name)) => (rule == name).then_some(by_name),
            (HostRule::Below(rule), Host::Name(name)) => {
                let labels = name.strip_suffix(rule.as_str()).and_then(|labels| labels.strip_suffix('.'));
                labels.is_some_and(|labels| !labels.is_empty()).then_some(by_name)
            }
            (HostRule::Address(rule), Host::Address(address)) => (canonical(*rule) == *address).then_some(Reach::Named),
            (HostRule::Range { address: first, bits }, Host::Address(address)) => {
                in_range(*address, *first, *bits).then_some(Reach::Private)
            }
            _ => None,
        }
    }
}

impl HostRule {
    /// Whether it names the host, whatever addresses that has.
    pub(crate) fn is(&self, host: &Host) -> bool {
        match (self, host) {
            (Self::Any, _) => true,
            (Self::Name(rule), Host::Name(name)) => rule == name,
            (Self::Below(rule), Host::Name(name)) => {
                name.strip_suffix(rule.as_str()).is_some_and(|labels| labels.len() > 1 && labels.ends_with('.'))
            }
            (Self::Address(rule), Host::Address(address)) => canonical(*rule) == *address,
            (Self::Range { address: first, bits }, Host::Address(address)) => in_range(*address, *first, *bits),
            _ => false,
        }
    }
}

fn in_range(address: IpAddr, first: IpAddr, bits: u8) -> bool {
    match (address, first) {
        (IpAddr::V4(address), IpAddr::V4(first)) => {
            let differ = address.to_bits() ^ first.to_bits();
            differ.leading_zeros() >= u32::from(bits)
        }
        (IpAddr::V6(address), IpAddr::V6(first)) => {
            let differ = address.to_bits() ^ first.to_bits();
            differ.leading_zeros() >= u32::from(bits)
        }
        _ => false,
    }
}

/// Whether a path is `rule` or below it, however the server reads it. A path that two readers could read in two ways is
/// below nothing: dots, encoded dots, slashes and backslashes, empty segments, and encodings of encodings.
fn is_below(path: &str, rule: &str) -> bool {
    let rest = path.strip_prefix(rule);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) && is_plain(path)
}

fn is_plain(path: &str) -> bool {
    let Some(segments) = path.strip_prefix('/') else { return false };
    // The last segment is empty for a path that ends in a slash.
    let inner = segments.strip_suffix('/').unwrap_or(segments);
    inner.split('/').all(|segment| {
        // Some servers cut what follows a semicolon before they look for dots.
        let name = decode(segment);
        let name = name.split(|byte| *byte == b';').next().unwrap_or_default();
        !name.is_empty() && !matches!(name, b"." | b"..")
    }) && !decode(path).iter().any(|byte| matches!(byte, b'\\' | b'%' | 0..=0x1f))
        && String::from_utf8_lossy(&decode(path)).matches('/').count() == path.matches('/').count()
}

fn decode(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let code =
            bytes.get(at + 1..at + 3).and_then(|code| u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok());
        let (byte, read) = if let (b'%', Some(code)) = (byte, code) { (code, 3) } else { (byte, 1) };
        decoded.push(byte);
        at += read;
    }
    decoded
}

/// Where a request goes, read once: what is checked is what is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) method: String,
    pub(crate) https: bool,
    pub(crate) host: Host,
    pub(crate) port: u16,
    pub(crate) path: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    Name(String),
    /// In its shortest form: IPv4 where it is IPv4.
    Address(IpAddr),
}

impl Target {
    fn parse(method: &str, url: &str) -> Option<Self> {
        let request = http::Request::builder().method(method).uri(url).body(()).ok()?;
        Self::of(&request.into_parts().0).ok()
    }

    /// Reads where a request goes, or says what is wrong with it.
    pub(crate) fn of(request: &Parts) -> Result<Self, &'static str> {
        let uri = &request.uri;
        let https = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err("its scheme is neither `https` nor `http`"),
        };
        let authority = uri.authority().ok_or("it names no server")?;
        // `http://trusted.example@attacker.example/` and its like.
        if authority.as_str().contains('@') {
            return Err("its address carries a user");
        }
        let host = authority.host();
        let port = match authority.as_str().strip_prefix(host) {
            Some("") => {
                if https {
                    443
                } else {
                    80
                }
            }
            Some(port) => parse_port(port).ok_or("its port is no number from 1 to 65535")?,
            None => return Err("its server is malformed"),
        };
        let host = Host::parse(host).ok_or("its host is neither a name nor an address")?;
        if request.method == http::Method::CONNECT {
            return Err("`CONNECT` would make a tunnel of it");
        }
        Ok(Self { method: request.method.as_str().to_owned(), https, host, port, path: uri.path().to_owned() })
    }

    pub(crate) fn default_port(&self) -> u16 {
        if self.https { 443 } else { 80 }
    }

    /// The host, and the port unless it is the scheme's own: the `Host` header, and what a rule looks like.
    pub(crate) fn server(&self) -> String {
        if self.port == self.default_port() { self.host.to_string() } else { format!("{}:{}", self.host, self.port) }
    }

    pub(crate) fn scheme(&self) -> &'static str {
        if self.https { "https" } else { "http" }
    }
}

/// The longest path that is shown or recorded.
const PATH_SHOWN: usize = 200;

impl fmt::Display for Target {
    /// Without the query: it may hold what is nobody's business.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.path.floor_char_boundary(PATH_SHOWN);
        let cut = if shown < self.path.len() { "…" } else { "" };
        write!(f, "{} {}://{}{}{cut}", self.method, self.scheme(), self.server(), &self.path[..shown])
    }
}

impl Host {
    fn parse(host: &str) -> Option<Self> {
        if let Some(address) = host.strip_prefix('[') {
            let address = address.strip_suffix(']')?.parse().ok()?;
            return Some(Self::Address(canonical(IpAddr::V6(address))));
        }
        if let Ok(address) = host.parse() {
            return Some(Self::Address(address));
        }
        let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let name = !host.is_empty() && host.len() <= 253 && host.bytes().all(known) && !host.starts_with('.');
        name.then(|| Self::Name(host.to_ascii_lowercase()))
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V4(address)) => address.fmt(f),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

fn parse_port(port: &str) -> Option<u16> {
    let digits = port.strip_prefix(':')?;
    if digits.len() > 5 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok().filter(|port| *port != 0)
}

#[cfg(test)]
mod tests;
