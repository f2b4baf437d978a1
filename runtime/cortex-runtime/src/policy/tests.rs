//! Precedence, and that one more grant never takes anything away.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cortex_manifest::{PolicySpec, ToolSpec};
use cortex_sandbox::Limits;

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
