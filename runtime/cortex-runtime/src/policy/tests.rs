//! Precedence, and that one more grant never takes anything away.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cortex_manifest::{NetworkRule, PolicySpec, ToolSpec};
use cortex_sandbox::Limits;
use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_assert, prop_oneof, proptest};
use proptest::sample::select;

use super::{Operator, Policy};
use crate::registry::{Tool, ToolSource};
use crate::secrets::Secrets;
use crate::state::States;

const ASKS: &str = "permissions:
  network: [\"https://api.example.com\"]
  environment: [LANG]
  secrets: [{ name: KEY, bearer: true, hosts: [api.example.com] }]
  filesystem: [{ host: ./data, guest: /data, access: read-write }, { host: /srv, guest: /srv }]
  state: true
";

fn tool(sections: &str) -> Tool {
    let yaml = format!(
        "kind: Tool\nversion: \"1.0\"\nname: asks\nsummary: Asks.\nimplementation: {{ entrypoint: ./a.py }}\n{sections}"
    );
    let spec = ToolSpec::parse(Path::new("tool.yml"), &yaml).unwrap();
    Tool { spec, source: ToolSource::Folder { root: PathBuf::from("/nowhere/asks"), manifest: "tool.yml".into() } }
}

fn operator(policy: &str) -> Operator {
    let yaml = format!("kind: Policy\nversion: \"1.0\"\n{policy}");
    let spec = PolicySpec::parse(Path::new("cortex.yml"), &yaml).unwrap_or_else(|error| panic!("{}", error.report()));
    let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    Operator {
        policy: Policy { spec, path: Some("/nowhere/cortex.yml".into()) },
        environment: BTreeMap::from([variable("LANG", "C"), variable("CORTEX_SECRET_KEY", "s3cret-value")]),
        secrets: Secrets::new(Path::new("/nowhere")),
        states: States::new(Path::new("/nowhere")),
        home: "/nowhere".into(),
        ceiling: Limits::CEILING,
    }
}

/// What is granted, as `capability target`.
fn granted(policy: &str) -> Vec<String> {
    let decided = operator(policy).decide(&tool(ASKS)).unwrap();
    let granted = decided.permits.iter().filter(|permit| permit.granted);
    granted.map(|permit| format!("{} {}", permit.capability, permit.target)).collect()
}

#[test]
fn without_a_policy_asking_is_granting_in_the_tool_s_own_folder() {
    let all = granted("");
    assert_eq!(all.len(), 5, "{all:?}");
    assert!(!all.iter().any(|granted| granted.contains("/srv")), "what is elsewhere is the operator's to give");
}

#[test]
fn a_denial_beats_a_grant_and_a_grant_beats_distrust() {
    let deny = "tools: [{ tool: asks, deny: { state: true } }, { tool: '*', grant: { state: true } }]";
    assert!(!granted(deny).contains(&"state asks".to_owned()));
    assert_eq!(granted("trust: false"), Vec::<String>::new());
    let some = granted(
        "trust: false\ntools: [{ tool: 'a*', grant: { environment: [LANG] } }, { tool: asks, grant: { state: true } }]",
    );
    assert_eq!(some, ["environment LANG", "state asks"]);
    let folder = granted("tools: [{ tool: asks, grant: { filesystem: [{ host: / }] } }]");
    assert!(folder.contains(&"filesystem /srv at /srv".to_owned()), "{folder:?}");
}

#[test]
fn the_tool_s_own_name_beats_a_pattern_and_a_later_entry_an_earlier_one() {
    let timeout = |policy: &str| {
        let decided = operator(policy).decide(&tool("")).unwrap();
        decided.limits.unwrap().timeout.as_secs()
    };
    assert_eq!(timeout("defaults: { timeout: 7 }"), 7);
    let entries = "tools:\n- { tool: asks, defaults: { timeout: 3 } }\n- { tool: '*', defaults: { timeout: 4 } }\n";
    assert_eq!(timeout(entries), 3);
    let entries = "tools:\n- { tool: 'a*', defaults: { timeout: 3 } }\n- { tool: '*', defaults: { timeout: 4 } }\n";
    assert_eq!(timeout(entries), 4);
    assert_eq!(timeout("ceilings: { timeout: 2 }"), 2, "a ceiling holds for those that ask for nothing");
    let asks = tool("").spec.name.to_string();
    let above = operator("ceilings: { timeout: 2 }");
    let spec = "kind: Tool\nversion: \"1.0\"\nname: asks\nsummary: A.\nimplementation: { entrypoint: ./a.py, resources: { timeout: 3 } }\n";
    let tool = Tool { spec: ToolSpec::parse(Path::new("t"), spec).unwrap(), ..tool("") };
    let error = above.decide(&tool).unwrap().limits.unwrap_err().to_string();
    assert_eq!(
        (asks.as_str(), error.as_str()),
        ("asks", "the manifest asks for a timeout of 3s, above the operator's ceiling of 2s")
    );
}

/// Over every policy of up to three entries out of these: with an entry that grants, nothing is granted less.
#[test]
fn one_more_grant_takes_nothing_away() {
    const ENTRIES: &[&str] = &[
        "{ tool: asks, grant: { network: ['https://api.example.com'] } }",
        "{ tool: '*', grant: { network: ['https://*.example.com'], state: true } }",
        "{ tool: asks, grant: { environment: [LANG], secrets: [KEY] } }",
        "{ tool: 'as*', grant: { filesystem: [{ host: /, access: read-write }] } }",
        "{ tool: asks, deny: { environment: [LANG] } }",
        "{ tool: '*', deny: { network: ['https://api.example.com'] } }",
        "{ tool: asks, trust: false }",
        "{ tool: '*', trust: true }",
    ];
    for mask in 0_u32..(1 << ENTRIES.len()) {
        let chosen: Vec<&str> = (0..ENTRIES.len()).filter(|at| mask & (1 << at) != 0).map(|at| ENTRIES[at]).collect();
        if chosen.len() > 3 {
            continue;
        }
        let before = granted(&format!("tools: [{}]", chosen.join(", ")));
        for more in ENTRIES.iter().filter(|entry| entry.contains("grant")) {
            let after = granted(&format!("tools: [{}]", [chosen.as_slice(), &[*more]].concat().join(", ")));
            assert!(
                before.iter().all(|granted| after.contains(granted)),
                "{chosen:?} and {more}: {before:?} {after:?}"
            );
        }
    }
}

#[test]
fn a_refusal_names_the_lines_that_would_allow_it() {
    let decided = operator("trust: false").decide(&tool(ASKS)).unwrap();
    let network = &decided.grants.refused[0];
    assert_eq!(
        network.hint,
        "add to /nowhere/cortex.yml:\ntools:\n  - { tool: asks, grant: { network: [\"https://api.example.com\"] } }"
    );
    let denied = operator("tools:\n- { tool: asks, deny: { state: true } }").decide(&tool(ASKS)).unwrap();
    let state = denied.permits.iter().find(|permit| permit.capability == "state").unwrap();
    assert_eq!(state.because, "/nowhere/cortex.yml:4 denies it");
}

#[test]
fn what_a_container_may_see_and_which_relics_it_reaches_is_granted_one_by_one() {
    let asks = tool("permissions: { host: [proc, sys], relics: [counts, others] }\n");
    let decide = |policy: &str| operator(policy).decide(&asks).unwrap();
    let granted = |policy: &str| -> Vec<String> {
        let permits = decide(policy).permits.into_iter().filter(|permit| permit.granted);
        permits.map(|permit| format!("{} {}", permit.capability, permit.target)).collect()
    };
    assert_eq!(granted(""), ["host proc", "host sys", "relics counts", "relics others"]);
    assert_eq!(granted("trust: false"), Vec::<String>::new());
    let some = "trust: false\ntools: [{ tool: asks, grant: { host: [sys], relics: [others] } }]";
    assert_eq!(granted(some), ["host sys", "relics others"]);
    let services: Vec<String> = decide(some).grants.services.into_iter().map(|service| service.name).collect();
    assert_eq!(services, ["others"]);
    let hints: Vec<String> = decide(some).grants.refused.into_iter().map(|refusal| refusal.hint).collect();
    let line = |what: &str| format!("add to /nowhere/cortex.yml:\ntools:\n  - {{ tool: asks, grant: {{ {what} }} }}");
    assert_eq!(hints, [line("host: [proc]"), line("relics: [counts]")]);
    assert_eq!(granted("tools: [{ tool: asks, deny: { host: [proc], relics: [counts, others] } }]"), ["host sys"]);
}

/// Names of tools in a policy, of which all but the last concern the tool.
const TOOLS: &[&str] = &["asks", "'*'", "'a*'", "other"];

/// What an entry may say, of which each takes something that the tool asks for.
const CAPABILITIES: &[&str] = &[
    "network: ['https://api.example.com']",
    "network: ['https://*.example.com/v1']",
    "network: ['https://*']",
    "environment: [LANG]",
    "secrets: [KEY]",
    "filesystem: [{ host: /srv }]",
    "filesystem: [{ host: /, access: read-write }]",
    "state: true",
];

/// One entry: a grant, a denial, trust, or what it all is worth.
fn entry() -> impl Strategy<Value = String> {
    let capability = || (0..TOOLS.len(), 0..CAPABILITIES.len());
    prop_oneof![
        3 => capability().prop_map(|(tool, what)| format!("{{ tool: {}, grant: {{ {} }} }}", TOOLS[tool], CAPABILITIES[what])),
        2 => capability().prop_map(|(tool, what)| format!("{{ tool: {}, deny: {{ {} }} }}", TOOLS[tool], CAPABILITIES[what])),
        1 => (0..TOOLS.len(), any::<bool>()).prop_map(|(tool, trust)| format!("{{ tool: {}, trust: {trust} }}", TOOLS[tool])),
        1 => (0..TOOLS.len(), 1..100).prop_map(|(tool, fuel)| format!("{{ tool: {}, ceilings: {{ fuel: {fuel}M }} }}", TOOLS[tool])),
    ]
}

fn policy_of(trust: bool, entries: &[String]) -> String {
    format!("trust: {trust}\ntools: [{}]", entries.join(", "))
}

/// A rule of parts that often meet, and an address of the same parts.
fn rule() -> impl Strategy<Value = String> {
    let scheme = select(vec!["https", "http", "private"]);
    let host =
        select(vec!["a.example.com", "*.example.com", "b.a.example.com", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", "*"]);
    let port = select(vec!["", ":80", ":443", ":8080"]);
    let path = select(vec!["", "/v1", "/v1/a", "/v10"]);
    (scheme, host, port, path).prop_map(|(scheme, host, port, path)| format!("{scheme}://{host}{port}{path}"))
}

fn address() -> impl Strategy<Value = String> {
    let scheme = select(vec!["https", "http"]);
    let host = select(vec![
        "a.example.com",
        "A.Example.Com",
        "b.a.example.com",
        "example.com",
        "10.1.2.3",
        "10.200.0.1",
        "[::1]",
    ]);
    let port = select(vec!["", ":80", ":443", ":8080"]);
    let path = select(vec!["/", "/v1", "/v1/", "/v1/a/b?c", "/v10", "/v1/../a", "/v1%2fa", "/v1/./a"]);
    (scheme, host, port, path).prop_map(|(scheme, host, port, path)| format!("{scheme}://{host}{port}{path}"))
}

proptest! {
    #[test]
    fn granting_more_never_denies_something(
        trust in any::<bool>(), entries in vec(entry(), 0..6), tool in 0..TOOLS.len(), what in 0..CAPABILITIES.len(), at in 0_usize..7,
    ) {
        let before = granted(&policy_of(trust, &entries));
        let mut more = entries.clone();
        more.insert(at.min(entries.len()), format!("{{ tool: {}, grant: {{ {} }} }}", TOOLS[tool], CAPABILITIES[what]));
        let after = granted(&policy_of(trust, &more));
        prop_assert!(before.iter().all(|granted| after.contains(granted)), "{:?} was {:?} and is {:?}", more, before, after);
    }

    #[test]
    fn denying_more_never_grants_something(
        trust in any::<bool>(), entries in vec(entry(), 0..6), tool in 0..TOOLS.len(), what in 0..CAPABILITIES.len(), at in 0_usize..7,
    ) {
        let before = granted(&policy_of(trust, &entries));
        let mut more = entries.clone();
        more.insert(at.min(entries.len()), format!("{{ tool: {}, deny: {{ {} }} }}", TOOLS[tool], CAPABILITIES[what]));
        let after = granted(&policy_of(trust, &more));
        prop_assert!(after.iter().all(|granted| before.contains(granted)), "{:?} was {:?} and is {:?}", more, before, after);
    }

    /// The manifest's reader of rules and the sandbox's matcher are two programs that must agree.
    #[test]
    fn a_rule_that_contains_another_one_covers_all_that_it_covers(wide in rule(), narrow in rule(), url in address()) {
        let (Ok(wide), Ok(narrow)) = (wide.parse::<NetworkRule>(), narrow.parse::<NetworkRule>()) else { return Ok(()) };
        let (compiled_wide, compiled_narrow) = (super::network_rule(&wide), super::network_rule(&narrow));
        if wide.contains(&narrow) && compiled_narrow.covers_url("GET", &url) {
            prop_assert!(compiled_wide.covers_url("GET", &url), "{} contains {}, and does not cover {}", wide, narrow, url);
        }
        if compiled_wide.covers_url("GET", &url) {
            prop_assert!(compiled_wide.denies_url("GET", &url), "{} grants {} and would not deny it", wide, url);
        }
    }
}
