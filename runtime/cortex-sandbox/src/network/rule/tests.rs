use super::{HostRule, NetworkRule, Reach, RuleScheme, Target, is_below};

fn target(method: &str, uri: &str) -> Result<Target, &'static str> {
    let request = http::Request::builder().method(method).uri(uri).body(()).unwrap();
    Target::of(&request.into_parts().0)
}

fn rule(scheme: RuleScheme, host: HostRule, port: Option<u16>) -> NetworkRule {
    NetworkRule { text: String::new(), scheme, host, port, path: String::new(), methods: Vec::new() }
}

fn covers(rule: &NetworkRule, uri: &str) -> Option<Reach> {
    rule.covers(&target("GET", uri).unwrap())
}

#[test]
fn a_name_is_itself_and_nothing_else() {
    let exact = rule(RuleScheme::Https, HostRule::Name("api.example.com".into()), Some(443));
    for uri in ["https://api.example.com/", "https://API.example.com:443/x?y"] {
        assert_eq!(covers(&exact, uri), Some(Reach::Public), "{uri}");
    }
    for uri in [
        "http://api.example.com/",
        "http://api.example.com:443/",
        "https://api.example.com:8443/",
        "https://api.example.com.evil.org/",
        "https://evil-api.example.com/",
        "https://x.api.example.com/",
        "https://example.com/",
        "https://api.example.com./",
        "https://127.0.0.1/",
    ] {
        assert_eq!(covers(&exact, uri), None, "{uri}");
    }
    let below = rule(RuleScheme::Https, HostRule::Below("example.com".into()), None);
    for uri in ["https://a.example.com/", "https://a.b.example.com/"] {
        assert_eq!(covers(&below, uri), Some(Reach::Public), "{uri}");
    }
    for uri in ["https://example.com/", "https://badexample.com/", "https://example.com.evil.org/"] {
        assert_eq!(covers(&below, uri), None, "{uri}");
    }
}

#[test]
fn an_address_is_reached_only_by_a_rule_that_names_it() {
    let any = rule(RuleScheme::Http, HostRule::Any, Some(80));
    assert_eq!(covers(&any, "http://127.0.0.1/"), Some(Reach::Public), "which loopback is not");
    let local = rule(RuleScheme::Http, HostRule::Address("127.0.0.1".parse().unwrap()), Some(80));
    for uri in ["http://127.0.0.1/", "http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/"] {
        assert_eq!(covers(&local, uri), Some(Reach::Named), "{uri}");
    }
    // What some resolvers read as 127.0.0.1 is a name here, and no rule has it.
    for uri in ["http://127.1/", "http://0x7f000001/", "http://2130706433/", "http://localhost/", "http://127.0.0.2/"] {
        assert_eq!(covers(&local, uri), None, "{uri}");
    }
    let range = rule(RuleScheme::Http, HostRule::Range { address: "10.1.0.0".parse().unwrap(), bits: 16 }, Some(80));
    assert_eq!(covers(&range, "http://10.1.255.255/"), Some(Reach::Private));
    assert_eq!(covers(&range, "http://10.2.0.0/"), None);
    assert_eq!(covers(&range, "http://[::ffff:10.1.0.1]/"), Some(Reach::Private));
    let everything = rule(RuleScheme::Http, HostRule::Range { address: "0.0.0.0".parse().unwrap(), bits: 0 }, Some(80));
    assert_eq!(covers(&everything, "http://169.254.169.254/"), Some(Reach::Private), "which metadata is not");
    let private = rule(RuleScheme::Private, HostRule::Name("db.lan".into()), None);
    for uri in ["http://db.lan/", "https://db.lan/", "https://db.lan:443/"] {
        assert_eq!(covers(&private, uri), Some(Reach::Private), "{uri}");
    }
    assert_eq!(covers(&private, "http://db.lan:8080/"), None);
}

#[test]
fn tricks_with_users_ports_and_methods_have_no_target() {
    for uri in [
        "http://api.example.com@127.0.0.1/",
        "http://api.example.com:80@127.0.0.1/",
        "http://user:word@api.example.com/",
        "http://a.com:/",
        "http://a.com:0/",
        "http://a.com:65536/",
        "ftp://a.com/",
        "http://.a.com/",
        "http://[fe80::1]x/",
    ] {
        // Some are no address to begin with.
        let Ok(request) = http::Request::builder().uri(uri).body(()) else { continue };
        assert!(Target::of(&request.into_parts().0).is_err(), "{uri}");
    }
    assert!(target("CONNECT", "http://a.com/").is_err());
    assert_eq!(target("GET", "http://A.com/p?secret=1").unwrap().to_string(), "GET http://a.com/p");
}

#[test]
fn methods_are_those_that_the_rule_names() {
    let get = NetworkRule { methods: vec!["GET".into()], ..rule(RuleScheme::Http, HostRule::Any, None) };
    assert!(get.covers(&target("GET", "http://a.com/").unwrap()).is_some());
    for method in ["POST", "HEAD", "get", "GETX"] {
        assert!(get.covers(&target(method, "http://a.com/").unwrap()).is_none(), "{method}");
    }
}

#[test]
fn a_path_ends_at_a_segment_and_is_read_in_one_way() {
    for path in ["/v1", "/v1/", "/v1/users", "/v1/a%20b", "/v1/.hidden", "/v1/a.b", "/v1/...", "/v1/a;b=1"] {
        assert!(is_below(path, "/v1"), "{path}");
    }
    for path in [
        "/",
        "",
        "/v10",
        "/v1x",
        "/V1",
        "/v2",
        "v1",
        "/%76%31/x",
        "/v1/..",
        "/v1/../admin",
        "/v1/./x",
        "/v1//admin",
        "//v1",
        "/v1/%2e%2e/admin",
        "/v1/%2E./admin",
        "/v1/.%2e/",
        "/v1/..%2fadmin",
        "/v1/%2f..",
        "/v1/a%5cb",
        "/v1/..\\admin",
        "/v1/%252e%252e/x",
        "/v1/..;/admin",
        "/v1/%2e%2e;x=1/admin",
        "/v1/%00",
        "/v1/..%3b/",
        "/v1/%",
    ] {
        assert!(!is_below(path, "/v1"), "{path}");
    }
}
