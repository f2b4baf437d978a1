//! Relics in both shapes of the original.

use std::path::Path;

use cortex_manifest::{Command, RelicProbe, RelicSpec};

fn parse(yaml: &str) -> Result<RelicSpec, String> {
    RelicSpec::parse(Path::new("relic.yml"), yaml).map_err(|error| error.report().to_string())
}

#[test]
fn the_newer_shape_says_how_it_is_made_kept_and_asked() {
    let relic = parse(
        "kind: Relic\nversion: \"1.0\"\nname: kv_store\nsummary: Keeps values.\nservice_type: database\n\
         implementation: { runtime: python3, entrypoint: server.py }\n\
         interface: { type: rest_api, base_url: \"http://localhost:8004\", endpoints: [{ name: get_value, path: \"/get/{key}\" }] }\n\
         health_check: { endpoint: /health, retries: 5, interval: 1 }\npersistence: { volumes: [/data] }\ndependencies: [other]\n",
    )
    .unwrap();
    assert_eq!((relic.ports.as_slice(), relic.endpoints[0].path.as_str()), ([8004].as_slice(), "/get/{key}"));
    let health = relic.health_check.unwrap();
    assert_eq!(health.probe, RelicProbe::ApiRequest { port: 8004, endpoint: "/health".into(), contains: None });
    assert_eq!((health.retries, health.interval_ms.duration().as_secs()), (5, 1));
    assert_eq!((relic.volumes[0].as_str(), relic.dependencies[0].as_str()), ("/data", "other"));
}

#[test]
fn the_older_shape_means_the_same() {
    let relic = parse(
        "PraetorianRelics:\n  KeyValueStore:\n    description: Keeps values.\n    port: 8004\n    image: example.com/kv:1\n\
         \x20   operations:\n      - { name: set_value, method: POST, path: /set }\n      - { name: get_value, method: GET, path: \"/get/{key}\" }\n",
    )
    .unwrap();
    assert_eq!((relic.name.as_str(), relic.summary.as_str()), ("key_value_store", "Keeps values."));
    assert_eq!((relic.ports.as_slice(), relic.image.as_deref()), ([8004].as_slice(), Some("example.com/kv:1")));
    assert_eq!(relic.endpoints.len(), 2);
}

#[test]
fn a_health_check_asks_by_http_connects_or_runs_a_command() {
    let health = |check: &str| {
        let yaml = format!(
            "kind: Relic\nname: a\nsummary: b\ndeployment: {{ image: \"c:1\", ports: [1, 2] }}\nhealth_check: {{ {check} }}\n"
        );
        parse(&yaml).map(|relic| relic.health_check.map(|health| health.probe))
    };
    assert_eq!(health("type: none"), Ok(None));
    assert_eq!(health("type: tcp"), Ok(Some(RelicProbe::Tcp { port: 1 })));
    assert_eq!(health("type: tcp, port: 2"), Ok(Some(RelicProbe::Tcp { port: 2 })));
    let Ok(Some(RelicProbe::Script { command, expected })) = health("type: script, command: redis-cli ping") else {
        panic!("a script");
    };
    assert_eq!((command, expected.exit_code), (Command::Shell("redis-cli ping".into()), 0));
    let told = |check: &str| health(check).unwrap_err();
    assert!(told("type: tcp, port: 3").contains("the health check asks port 3, which is none of the relic's ports"));
    assert!(told("type: script").contains("a health check of type `script` needs `command`"));
    assert!(told("type: udp").contains("`udp`"));
    let portless =
        parse("kind: Relic\nname: a\nsummary: b\ndeployment: { image: \"c:1\" }\nhealth_check: { type: tcp }\n");
    assert!(portless.unwrap_err().contains("add `deployment: { ports: […] }`"));
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let report =
        parse("kind: Tool\nname: a\nsummary: b\ndeployment: { image: \"a b\", ports: [70000] }\n").unwrap_err();
    for part in ["relic.yml:1:7: `kind` is `Tool`, not `Relic`", "`a b` is no image", "70000 is no port"] {
        assert!(report.contains(part), "{report}");
    }
    assert!(
        parse("PraetorianRelics:\n  A: { port: 1, image: a }\n  B: { port: 2, image: b }\n")
            .unwrap_err()
            .contains("2 relics")
    );
    assert!(parse("kind: Relic\nname: a\nsummary: b\nunknown: 1\n").unwrap_err().contains("unknown field `unknown`"));
}
