//! Relics in both shapes of the original.

use std::path::Path;

use cortex_manifest::RelicSpec;

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
