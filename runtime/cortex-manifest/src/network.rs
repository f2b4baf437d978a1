//! Servers that a manifest names.
//!
//! A rule that is read more widely than it was meant is a hole in the sandbox. So nothing is guessed: a rule without a
//! scheme is `https`, a rule without a port is the scheme's own port, and a path, a user or a pattern in the middle of a
//! name is refused because the sandbox would not enforce it.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use serde::{Serialize, Serializer};
use thiserror::Error;

use crate::quantity::shorten;

/// Why a text names no server.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidNetworkRule {
    #[error("`{rule}` uses the scheme `{scheme}`, and only `https` and `http` can be granted")]
    Scheme { rule: String, scheme: String },
    #[error("`{rule}` has a scheme, and a host is named without one")]
    SchemeOfHost { rule: String },
    #[error("`{rule}` names no host")]
    NoHost { rule: String },
    #[error("`{rule}` contains a path, a query or a user, and rules cover whole servers")]
    MoreThanAServer { rule: String },
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
}

impl Scheme {
    pub fn as_str(self) -> &'static str {
        match self {
            Scheme::Https => "https",
            Scheme::Http => "http",
        }
    }

    pub fn default_port(self) -> u16 {
        match self {
            Scheme::Https => 443,
            Scheme::Http => 80,
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
}

/// A server, or several, that a tool asks to reach.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetworkRule {
    scheme: Scheme,
    host: HostPattern,
    port: u16,
}

impl NetworkRule {
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    pub fn host(&self) -> &HostPattern {
        &self.host
    }

    pub fn port(&self) -> u16 {
        self.port
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
                _ => return Err(InvalidNetworkRule::Scheme { rule: rule(), scheme: shorten(scheme) }),
            },
        };
        // A copied address often ends in a slash, and that slash means the whole server.
        let server = server.strip_suffix('/').unwrap_or(server);
        if server.contains(['/', '?', '#', '@']) {
            return Err(InvalidNetworkRule::MoreThanAServer { rule: rule() });
        }
        let (host, port) = split_port(server);
        let port = match port {
            None => scheme.default_port(),
            Some(digits) => {
                parse_port(digits).ok_or_else(|| InvalidNetworkRule::Port { rule: rule(), port: shorten(digits) })?
            }
        };
        Ok(NetworkRule { scheme, host: parse_host(text, host)?, port })
    }
}

impl FromStr for HostPattern {
    type Err = InvalidNetworkRule;

    fn from_str(text: &str) -> Result<HostPattern, InvalidNetworkRule> {
        if text.contains("://") {
            return Err(InvalidNetworkRule::SchemeOfHost { rule: shorten(text) });
        }
        if text.contains(['/', '?', '#', '@']) {
            return Err(InvalidNetworkRule::MoreThanAServer { rule: shorten(text) });
        }
        parse_host(text, text)
    }
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

impl fmt::Display for HostPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HostPattern::Exact(host) if host.contains(':') => write!(formatter, "[{host}]"),
            HostPattern::Exact(host) => formatter.write_str(host),
            HostPattern::Below(host) => write!(formatter, "*.{host}"),
            HostPattern::Any => formatter.write_str("*"),
        }
    }
}

impl fmt::Display for NetworkRule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}://{}", self.scheme.as_str(), self.host)?;
        if self.port == self.scheme.default_port() { Ok(()) } else { write!(formatter, ":{}", self.port) }
    }
}

impl Serialize for HostPattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for NetworkRule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
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
        ] {
            assert_eq!(shown(text), Ok(meaning.to_owned()), "{text}");
        }
    }

    #[test]
    fn rules_that_could_not_be_enforced_are_refused() {
        use InvalidNetworkRule as E;
        assert!(matches!(shown("ftp://a.com"), Err(E::Scheme { .. })));
        assert!(matches!(shown("https://"), Err(E::NoHost { .. })));
        assert!(matches!(shown(""), Err(E::NoHost { .. })));
        for text in ["a.com/path", "a.com?x", "user@a.com", "https://a.com/#x", "a.com//"] {
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
