//! Servers that a manifest names.
//!
//! A rule that is read more widely than it was meant is a hole in the sandbox. So nothing is guessed: a rule without a
//! scheme is `https`, a rule without a port is the scheme's own port, and a query, a user, a pattern in the middle of a
//! name or a path that could be read in two ways is refused because the sandbox would not enforce it.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use thiserror::Error;

use crate::quantity::shorten;

/// Why a text names no server.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidNetworkRule {
    #[error("`{rule}` uses the scheme `{scheme}`, and only `https`, `http` and `private` can be granted")]
    Scheme { rule: String, scheme: String },
    #[error("`{rule}` has a scheme, and a host is named without one")]
    SchemeOfHost { rule: String },
    #[error("`{rule}` names no host")]
    NoHost { rule: String },
    #[error("`{rule}` contains a path, a query or a user, and a host is named without one")]
    MoreThanAHost { rule: String },
    #[error("`{rule}` contains a query, a fragment or a user, which no rule can")]
    MoreThanAServer { rule: String },
    #[error("`{rule}` has the path `{path}`, which could be read in more than one way")]
    Path { rule: String, path: String },
    #[error("`{rule}` has the address range `{range}`, which is none")]
    Range { rule: String, range: String },
    #[error("`{rule}` opens every private server there is")]
    EveryPrivateServer { rule: String },
    #[error("`{rule}` has the port `{port}`, which is no number from 1 to 65535")]
    Port { rule: String, port: String },
    #[error("`{rule}` has the host `{host}`, which is no host name")]
    Host { rule: String, host: String },
    #[error("`{rule}` has a `*` that is not the whole first part of the name")]
    Wildcard { rule: String },
}

/// How a server is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    Https,
    Http,
    /// Either of them, to a server whose name may resolve to a private or loopback address.
    Private,
}

impl Scheme {
    pub fn as_str(self) -> &'static str {
        match self {
            Scheme::Https => "https",
            Scheme::Http => "http",
            Scheme::Private => "private",
        }
    }

    /// `None` for the scheme that is two.
    pub fn default_port(self) -> Option<u16> {
        match self {
            Scheme::Https => Some(443),
            Scheme::Http => Some(80),
            Scheme::Private => None,
        }
    }
}

/// Which servers a rule covers. Names are lower-case; addresses are in their shortest form, without brackets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HostPattern {
    /// One name or address.
    Exact(String),
    /// Every name below this one, and not the name itself: `*.example.com`.
    Below(String),
    /// Every server: `*`.
    Any,
    /// Every address that begins with the first `bits` bits of this one: `[10.0.0.0/8]`.
    Range {
        /// The first of them.
        address: IpAddr,
        bits: u8,
    },
}

/// A server, or several, that a tool asks to reach.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetworkRule {
    scheme: Scheme,
    host: HostPattern,
    port: Option<u16>,
    path: String,
    methods: Vec<Method>,
}

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
    Options,
}

impl Method {
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
            Method::Options => "OPTIONS",
        }
    }
}

impl NetworkRule {
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    pub fn host(&self) -> &HostPattern {
        &self.host
    }

    /// `None` is the port that the request's scheme has by itself; only with [`Scheme::Private`].
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// Where everything that is covered begins: empty for all, or such as `/v1`, without a slash at its end.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The methods that are covered; empty for all.
    pub fn methods(&self) -> &[Method] {
        &self.methods
    }

    /// The same rule for these methods only.
    #[must_use]
    pub fn with_methods(mut self, methods: Vec<Method>) -> NetworkRule {
        self.methods = methods;
        self
    }

    /// The rule without its methods.
    fn url(&self) -> String {
        let port = self.port.filter(|_| self.port != self.scheme.default_port());
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        format!("{}://{}{port}{}", self.scheme.as_str(), self.host, self.path)
    }
}

impl FromStr for NetworkRule {
    type Err = InvalidNetworkRule;

    fn from_str(text: &str) -> Result<NetworkRule, InvalidNetworkRule> {
        let rule = || shorten(text);
        let (scheme, server) = match text.split_once("://") {
            None => (Scheme::Https, text),
            Some((scheme, server)) => match scheme.to_ascii_lowercase().as_str() {
                "https" => (Scheme::Https, server),
                "http" => (Scheme::Http, server),
                "private" => (Scheme::Private, server),
                _ => return Err(InvalidNetworkRule::Scheme { rule: rule(), scheme: shorten(scheme) }),
            },
        };
        if server.contains(['?', '#', '@']) {
            return Err(InvalidNetworkRule::MoreThanAServer { rule: rule() });
        }
        let (server, path) = split_path(server);
        // A copied address often ends in a slash, and that slash means no less.
        let path = path.strip_suffix('/').unwrap_or(path);
        if !is_plain(path) {
            return Err(InvalidNetworkRule::Path { rule: rule(), path: shorten(path) });
        }
        let (host, port) = split_port(server);
        let port = match port {
            None => scheme.default_port(),
            Some(digits) => Some(
                parse_port(digits).ok_or_else(|| InvalidNetworkRule::Port { rule: rule(), port: shorten(digits) })?,
            ),
        };
        let host = parse_host(text, host)?;
        if scheme == Scheme::Private && host == HostPattern::Any {
            return Err(InvalidNetworkRule::EveryPrivateServer { rule: rule() });
        }
        Ok(NetworkRule { scheme, host, port, path: path.to_owned(), methods: Vec::new() })
    }
}

impl FromStr for HostPattern {
    type Err = InvalidNetworkRule;

    fn from_str(text: &str) -> Result<HostPattern, InvalidNetworkRule> {
        if text.contains("://") {
            return Err(InvalidNetworkRule::SchemeOfHost { rule: shorten(text) });
        }
        if text.contains(['/', '?', '#', '@']) {
            return Err(InvalidNetworkRule::MoreThanAHost { rule: shorten(text) });
        }
        parse_host(text, text)
    }
}

/// The slash of a bracketed range begins no path.
fn split_path(server: &str) -> (&str, &str) {
    let after_address = server.find(']').map_or(0, |end| end + 1);
    let slash = server[after_address..].find('/').map_or(server.len(), |slash| after_address + slash);
    server.split_at(slash)
}

/// Whether every server reads a path alike: no dots, no encodings, no empty segments, nothing that ends a path.
fn is_plain(path: &str) -> bool {
    let segment = |segment: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b':');
        !segment.is_empty() && segment != "." && segment != ".." && segment.bytes().all(plain)
    };
    path.is_empty() || path.strip_prefix('/').is_some_and(|path| path.split('/').all(segment))
}

/// The colons of a bracketed IPv6 address separate no port.
fn split_port(server: &str) -> (&str, Option<&str>) {
    let after_address = server.rfind(']').map_or(0, |end| end + 1);
    match server[after_address..].find(':') {
        Some(colon) => (&server[..after_address + colon], Some(&server[after_address + colon + 1..])),
        None => (server, None),
    }
}

fn parse_port(digits: &str) -> Option<u16> {
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok().filter(|port| *port != 0)
}

fn parse_host(rule: &str, host: &str) -> Result<HostPattern, InvalidNetworkRule> {
    let rule = || shorten(rule);
    if host.is_empty() {
        return Err(InvalidNetworkRule::NoHost { rule: rule() });
    }
    let wrong_host = || InvalidNetworkRule::Host { rule: rule(), host: shorten(host) };
    if let Some(address) = host.strip_prefix('[') {
        let address = address.strip_suffix(']').ok_or_else(wrong_host)?;
        if let Some((first, bits)) = address.split_once('/') {
            return parse_range(first, bits)
                .ok_or_else(|| InvalidNetworkRule::Range { rule: rule(), range: shorten(address) });
        }
        let address: Ipv6Addr = address.parse().map_err(|_| wrong_host())?;
        return Ok(HostPattern::Exact(address.to_string()));
    }
    if host == "*" {
        return Ok(HostPattern::Any);
    }
    let (below, name) = match host.strip_prefix("*.") {
        Some(name) => (true, name),
        None => (false, host),
    };
    if name.contains('*') {
        return Err(InvalidNetworkRule::Wildcard { rule: rule() });
    }
    let name = name.to_ascii_lowercase();
    if name.parse::<IpAddr>().is_ok() {
        return if below { Err(InvalidNetworkRule::Wildcard { rule: rule() }) } else { Ok(HostPattern::Exact(name)) };
    }
    if !is_host_name(&name) {
        return Err(wrong_host());
    }
    Ok(if below { HostPattern::Below(name) } else { HostPattern::Exact(name) })
}

/// The address must be the first of its range: `10.1.2.3/8` may be meant as the one or as the other.
fn parse_range(first: &str, bits: &str) -> Option<HostPattern> {
    let address: IpAddr = first.parse().ok()?;
    let bits = Some(bits).filter(|bits| bits.bytes().all(|byte| byte.is_ascii_digit()))?.parse::<u8>().ok()?;
    let beyond = match address {
        IpAddr::V4(address) if bits <= 32 => address.to_bits().checked_shl(bits.into()).unwrap_or(0) != 0,
        IpAddr::V6(address) if bits <= 128 => address.to_bits().checked_shl(bits.into()).unwrap_or(0) != 0,
        _ => return None,
    };
    (!beyond).then_some(HostPattern::Range { address, bits })
}

/// RFC 1123, plus the underscore that real names contain. A name that ends in a number is refused: some resolvers read
/// `127.1` or `0x7f.1` as an address, and the rule would then mean another server than it says.
fn is_host_name(name: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let last = name.rsplit('.').next().unwrap_or_default();
    let numeric = last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x");
    name.len() <= 253 && name.split('.').all(label) && !numeric
}

impl NetworkRule {
    /// Whether every request that `other` covers is covered by this rule as well.
    pub fn contains(&self, other: &NetworkRule) -> bool {
        let scheme = self.scheme == other.scheme || self.scheme == Scheme::Private;
        let port = match self.port.or(self.scheme.default_port()) {
            Some(port) => other.port.or(other.scheme.default_port()) == Some(port),
            // A private rule without a port is for the default port of whichever scheme the request has.
            None => other.port.is_none() || other.port == other.scheme.default_port(),
        };
        let path = other.path.strip_prefix(self.path.as_str());
        let path = path.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let covered = |method| self.methods.contains(method);
        let methods = self.methods.is_empty() || (!other.methods.is_empty() && other.methods.iter().all(covered));
        scheme && port && path && methods && self.host.contains(&other.host)
    }
}

impl HostPattern {
    /// Whether every server of `other` is one of these.
    pub fn contains(&self, other: &HostPattern) -> bool {
        let below = |name: &str, suffix: &str| name.strip_suffix(suffix).is_some_and(|rest| rest.ends_with('.'));
        match (self, other) {
            // An address must be named as such: `*` is the public internet.
            (HostPattern::Any, HostPattern::Exact(host)) => host.parse::<IpAddr>().is_err(),
            (HostPattern::Any, HostPattern::Range { .. }) => false,
            (HostPattern::Any, _) => true,
            (HostPattern::Below(suffix), HostPattern::Exact(name)) => below(name, suffix),
            (HostPattern::Below(suffix), HostPattern::Below(name)) => name == suffix || below(name, suffix),
            (HostPattern::Exact(mine), HostPattern::Exact(host)) => mine == host,
            (HostPattern::Range { address, bits }, HostPattern::Exact(host)) => {
                host.parse().is_ok_and(|host| share_bits(*address, host, *bits))
            }
            (HostPattern::Range { address, bits }, HostPattern::Range { address: other, bits: other_bits }) => {
                other_bits >= bits && share_bits(*address, *other, *bits)
            }
            _ => false,
        }
    }
}

fn share_bits(a: IpAddr, b: IpAddr, bits: u8) -> bool {
    match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros() >= u32::from(bits),
        (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros() >= u32::from(bits),
        _ => false,
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HostPattern::Exact(host) if host.contains(':') => write!(formatter, "[{host}]"),
            HostPattern::Exact(host) => formatter.write_str(host),
            HostPattern::Below(host) => write!(formatter, "*.{host}"),
            HostPattern::Any => formatter.write_str("*"),
            HostPattern::Range { address, bits } => write!(formatter, "[{address}/{bits}]"),
        }
    }
}

impl fmt::Display for NetworkRule {
    /// As it is written in a manifest.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.methods.is_empty() {
            return formatter.write_str(&self.url());
        }
        let methods: Vec<_> = self.methods.iter().map(|method| method.as_str()).collect();
        write!(formatter, "{{ url: \"{}\", methods: [{}] }}", self.url(), methods.join(", "))
    }
}

impl Serialize for HostPattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for NetworkRule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.methods.is_empty() {
            return serializer.serialize_str(&self.url());
        }
        let mut rule = serializer.serialize_struct("NetworkRule", 2)?;
        rule.serialize_field("url", &self.url())?;
        rule.serialize_field("methods", &self.methods)?;
        rule.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Result<String, InvalidNetworkRule> {
        text.parse::<NetworkRule>().map(|rule| rule.to_string())
    }

    #[test]
    fn a_rule_means_one_scheme_and_one_port() {
        for (text, meaning) in [
            ("api.example.com", "https://api.example.com"),
            ("HTTPS://API.Example.com/", "https://api.example.com"),
            ("http://localhost:8080", "http://localhost:8080"),
            ("http://localhost:80", "http://localhost"),
            ("*.example.com", "https://*.example.com"),
            ("https://*", "https://*"),
            ("10.0.0.1:8443", "https://10.0.0.1:8443"),
            ("http://[::1]:9000", "http://[::1]:9000"),
            ("[0:0::1]", "https://[::1]"),
            ("https://a.com/v1/users/", "https://a.com/v1/users"),
            ("a.com/~me/x.y:z", "https://a.com/~me/x.y:z"),
            ("http://[10.0.0.0/8]:8080/v1", "http://[10.0.0.0/8]:8080/v1"),
            ("http://[fd00:0::/8]", "http://[fd00::/8]"),
            ("private://db.lan", "private://db.lan"),
            ("private://*.lan:443", "private://*.lan:443"),
        ] {
            assert_eq!(shown(text), Ok(meaning.to_owned()), "{text}");
        }
    }

    #[test]
    fn a_rule_contains_those_that_cover_less() {
        for (rule, contained, not) in [
            ("https://*", "a.com", "http://a.com"),
            ("https://*", "*.a.com", "https://10.0.0.1"),
            ("*.a.com", "x.a.com", "a.com"),
            ("*.a.com", "*.x.a.com", "xa.com"),
            ("a.com/v1", "a.com/v1/users", "a.com/v10"),
            ("a.com/v1", "a.com/v1", "a.com"),
            ("private://a.com", "http://a.com", "http://b.com"),
            ("http://[10.0.0.0/8]:80", "http://10.1.2.3", "http://11.0.0.1"),
            ("http://[10.0.0.0/8]", "http://[10.1.0.0/16]", "http://[0.0.0.0/0]"),
            ("a.com:8443", "a.com:8443", "a.com"),
        ] {
            let read = |text: &str| text.parse::<NetworkRule>().unwrap();
            assert!(read(rule).contains(&read(contained)), "{rule} {contained}");
            assert!(!read(rule).contains(&read(not)), "{rule} {not}");
        }
    }

    #[test]
    fn rules_that_could_not_be_enforced_are_refused() {
        use InvalidNetworkRule as E;
        assert!(matches!(shown("ftp://a.com"), Err(E::Scheme { .. })));
        assert!(matches!(shown("https://"), Err(E::NoHost { .. })));
        assert!(matches!(shown(""), Err(E::NoHost { .. })));
        for text in
            ["a.com/..", "a.com//", "a.com/a//b", "a.com/%2e", "a.com/*", "a.com/a;b", "a.com/./b", "a.com/a\\b"]
        {
            assert!(matches!(shown(text), Err(E::Path { .. })), "{text}");
        }
        for text in
            ["[10.0.0.1/8]", "[10.0.0.0/33]", "[10.0.0.0/]", "[10.0.0.0/+8]", "[fd00::1/8]", "[::/129]", "[a.com/8]"]
        {
            assert!(matches!(shown(text), Err(E::Range { .. })), "{text}");
        }
        assert!(matches!(shown("private://*"), Err(E::EveryPrivateServer { .. })));
        for text in ["a.com/path", "a.com?x", "[10.0.0.0/8]"] {
            assert!(matches!(text.parse::<HostPattern>(), Err(E::MoreThanAHost { .. })), "{text}");
        }
        for text in ["a.com?x", "user@a.com", "https://a.com/#x", "https://a.com/?x"] {
            assert!(matches!(shown(text), Err(E::MoreThanAServer { .. })), "{text}");
        }
        for text in ["a.com:0", "a.com:65536", "a.com:", "a.com:+80", "a.com:x", "::1", "[::1"] {
            assert!(matches!(shown(text), Err(E::Port { .. })), "{text}");
        }
        for text in ["a..com", "-a.com", "a b.com", "exämple.com", "127.1", "0x7f000001", "[zz]", "a.com."] {
            assert!(matches!(shown(text), Err(E::Host { .. })), "{text}");
        }
        for text in ["a.*.com", "*a.com", "**", "*.10.0.0.1"] {
            assert!(matches!(shown(text), Err(E::Wildcard { .. })), "{text}");
        }
    }
}
