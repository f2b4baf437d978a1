//! The host-rule matcher: what a rule covers, read by the parser that makes rules and by a reader of addresses of its own.

use cortex_manifest::{HostPattern, Method, NetworkRule as Written, Scheme};
use cortex_sandbox::{HostRule, NetworkRule, RuleScheme};

/// The first line is a rule, the second another one, the third a method, the rest an address.
///
/// # Panics
/// If a rule covers a server, a port or a path that it does not name; if a denial misses what the same words would grant; or
/// if a rule that contains another one covers less.
pub fn rules(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.splitn(4, '\n');
    let (Some(one), Some(other), Some(method), Some(url)) = (lines.next(), lines.next(), lines.next(), lines.next())
    else {
        return;
    };
    let rules: Vec<Written> = [one, other].iter().filter_map(|rule| rule.parse().ok()).collect();
    for rule in &rules {
        let shown = rule.to_string();
        let again: Result<Written, _> = shown.parse();
        assert!(
            rule.methods().is_empty() && again.as_ref().is_ok_and(|again| again == rule) || !rule.methods().is_empty()
        );
        let compiled = compiled(rule);
        if compiled.covers_url(method, url) {
            check_covered(&compiled, url);
            assert!(compiled.denies_url(method, url), "`{shown}` grants {method} {url} and does not deny it");
        }
    }
    let [one, other] = rules.as_slice() else { return };
    for (wide, narrow) in [(one, other), (other, one)] {
        if wide.contains(narrow) && compiled(narrow).covers_url(method, url) {
            assert!(
                compiled(wide).covers_url(method, url),
                "`{wide}` contains `{narrow}`, which covers {method} {url}, and does not cover it"
            );
        }
    }
}

fn compiled(rule: &Written) -> NetworkRule {
    NetworkRule {
        text: rule.to_string(),
        scheme: match rule.scheme() {
            Scheme::Https => RuleScheme::Https,
            Scheme::Http => RuleScheme::Http,
            Scheme::Private => RuleScheme::Private,
        },
        host: match rule.host() {
            HostPattern::Exact(host) => match host.parse() {
                Ok(address) => HostRule::Address(address),
                Err(_) => HostRule::Name(host.clone()),
            },
            HostPattern::Below(host) => HostRule::Below(host.clone()),
            HostPattern::Any => HostRule::Any,
            HostPattern::Range { address, bits } => HostRule::Range { address: *address, bits: *bits },
        },
        port: rule.port(),
        path: rule.path().to_owned(),
        methods: rule.methods().iter().map(|method: &Method| method.as_str().to_owned()).collect(),
    }
}

/// What a rule covers, read from the text of the address and nothing else.
fn check_covered(rule: &NetworkRule, url: &str) {
    let (scheme, rest) = url.split_once("://").expect("what is covered has a scheme");
    let scheme = scheme.to_ascii_lowercase();
    assert!(scheme == "http" || scheme == "https", "{url}");
    let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    assert!(!authority.contains(['@', ' ', '\r', '\n', '\t']), "{url}");
    let host_end = authority.rfind(':').filter(|colon| !authority[*colon..].contains(']')).unwrap_or(authority.len());
    let host = authority[..host_end].to_ascii_lowercase();
    match &rule.host {
        HostRule::Name(name) => assert_eq!(&host, name, "{url}"),
        HostRule::Below(name) => {
            let before = host.strip_suffix(name.as_str()).unwrap_or_else(|| panic!("`{name}` does not end {url}"));
            assert!(before.len() > 1 && before.ends_with('.'), "{url}");
        }
        HostRule::Any | HostRule::Address(_) | HostRule::Range { .. } => {}
    }
    if let Some(port) = rule.port {
        let default = if scheme == "https" { 443 } else { 80 };
        let given = authority[host_end..].trim_start_matches(':');
        assert_eq!(if given.is_empty() { default } else { given.parse().expect("a port") }, port, "{url}");
    }
    let path = path.split(['?', '#']).next().unwrap_or_default();
    assert!(rule.path.is_empty() || below(path, &rule.path), "`{}` is not above {url}", rule.path);
}

/// Whether a path stays below another one in the eyes of a server that decodes as often as it can and follows dots.
fn below(path: &str, rule: &str) -> bool {
    let mut text = path.as_bytes().to_vec();
    for _ in 0..4 {
        text = decoded(&text);
    }
    let text = String::from_utf8_lossy(&text).replace('\\', "/");
    let mut stays: Vec<&str> = Vec::new();
    for segment in text.split('/') {
        match segment.split(';').next().unwrap_or_default() {
            "" | "." => {}
            ".." => drop(stays.pop()),
            _ => stays.push(segment),
        }
    }
    let wanted: Vec<&str> = rule.split('/').filter(|segment| !segment.is_empty()).collect();
    stays.len() >= wanted.len()
        && stays.iter().zip(&wanted).all(|(one, other)| decoded(one.as_bytes()) == decoded(other.as_bytes()))
}

fn decoded(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        let code =
            text.get(at + 1..at + 3).and_then(|code| u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok());
        let (byte, read) = if let (b'%', Some(code)) = (byte, code) { (code, 3) } else { (byte, 1) };
        bytes.push(byte);
        at += read;
    }
    bytes
}
