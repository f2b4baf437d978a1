//! Changing a policy's text without touching what a person wrote in it.
//!
//! A grant is one line at the end of `tools`, which is how it is found again.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::name::{InvalidName, ToolName, VariableName};
use crate::network::{InvalidNetworkRule, NetworkRule};
use crate::path::{HostPath, InvalidPath};
use crate::quantity::shorten;
use crate::spec::HostPart;

/// One capability, as it is named on a command line: `network=https://api.example.com`, `filesystem=./data:read-write`,
/// `environment=LANG`, `secrets=API_KEY`, `state`, `host=proc` or `relics=kv_store`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Capability {
    Network(NetworkRule),
    Filesystem { host: HostPath, access: &'static str },
    Environment(VariableName),
    Secrets(VariableName),
    State,
    Host(HostPart),
    Relics(ToolName),
}

/// Why a text names no capability.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidCapability {
    #[error(
        "`{text}` is no capability; write `network=https://…`, `filesystem=./…[:read-write]`, `environment=NAME`, \
         `secrets=NAME`, `state`, `host=proc`, `host=sys` or `relics=NAME`"
    )]
    Kind { text: String },
    #[error("`{part}` is no part of the host that a container can look at; write `host=proc` or `host=sys`")]
    Host { part: String },
    #[error(transparent)]
    Network(#[from] InvalidNetworkRule),
    #[error(transparent)]
    Path(#[from] InvalidPath),
    #[error(transparent)]
    Name(#[from] InvalidName),
}

impl FromStr for Capability {
    type Err = InvalidCapability;

    fn from_str(text: &str) -> Result<Capability, InvalidCapability> {
        let unknown = || InvalidCapability::Kind { text: text.to_owned() };
        if text == "state" {
            return Ok(Capability::State);
        }
        let (kind, target) = text.split_once('=').ok_or_else(unknown)?;
        Ok(match kind {
            "network" => Capability::Network(target.parse()?),
            "filesystem" => {
                let (host, access) = ["read-write", "write", "read"]
                    .into_iter()
                    .find_map(|access| Some((target.strip_suffix(access)?.strip_suffix(':')?, access)))
                    .unwrap_or((target, "read"));
                Capability::Filesystem { host: HostPath::new(host)?, access }
            }
            "environment" => Capability::Environment(VariableName::new(target)?),
            "secrets" => Capability::Secrets(VariableName::new(target)?),
            "host" => {
                let part = [HostPart::Proc, HostPart::Sys].into_iter().find(|part| part.as_str() == target);
                Capability::Host(part.ok_or_else(|| InvalidCapability::Host { part: shorten(target) })?)
            }
            "relics" => Capability::Relics(ToolName::new(target)?),
            _ => return Err(unknown()),
        })
    }
}

impl fmt::Display for Capability {
    /// As it stands in a policy, within `grant: { … }`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Capability::Network(rule) => write!(f, "network: [\"{rule}\"]"),
            Capability::Filesystem { host, access } => {
                write!(f, "filesystem: [{{ host: {:?}, access: {access} }}]", host.as_str())
            }
            Capability::Environment(name) => write!(f, "environment: [{name}]"),
            Capability::Secrets(name) => write!(f, "secrets: [{name}]"),
            Capability::State => f.write_str("state: true"),
            Capability::Host(part) => write!(f, "host: [{}]", part.as_str()),
            Capability::Relics(name) => write!(f, "relics: [{name}]"),
        }
    }
}

/// The line that grants or denies a tool a capability. `what` is `grant` or `deny`.
fn line(tool: &str, what: &str, capability: &Capability) -> String {
    format!("{{ tool: \"{tool}\", {what}: {{ {capability} }} }}")
}

/// The policy with a grant, and without the denial that [`with_denial`] wrote. An empty text is a policy to begin.
pub fn with_grant(yaml: &str, tool: &str, capability: &Capability) -> String {
    insert(&remove(yaml, &line(tool, "deny", capability)), &line(tool, "grant", capability))
}

/// The policy without the grant that [`with_grant`] wrote. Other lines may grant it still.
pub fn without_grant(yaml: &str, tool: &str, capability: &Capability) -> String {
    remove(yaml, &line(tool, "grant", capability))
}

/// The policy with a denial, which beats every grant.
pub fn with_denial(yaml: &str, tool: &str, capability: &Capability) -> String {
    insert(&without_grant(yaml, tool, capability), &line(tool, "deny", capability))
}

fn remove(yaml: &str, entry: &str) -> String {
    let kept = yaml.split_inclusive('\n').filter(|line| line.trim().strip_prefix("- ").map(str::trim) != Some(entry));
    let kept: String = kept.collect();
    // A list that lost its last entry would be a null.
    let mut lines: Vec<&str> = kept.lines().collect();
    if let Some(at) = lines.iter().position(|line| line.trim_end() == "tools:")
        && !lines[at + 1..].iter().take_while(|line| is_below(line)).any(|line| line.trim_start().starts_with('-'))
    {
        lines[at] = "tools: []";
    }
    text(&lines)
}

/// After the last entry of `tools`, indented as the entries there are.
fn insert(yaml: &str, entry: &str) -> String {
    if yaml.lines().any(|line| line.trim().strip_prefix("- ").map(str::trim) == Some(entry)) {
        return yaml.to_owned();
    }
    let mut lines: Vec<String> = yaml.lines().map(ToOwned::to_owned).collect();
    if lines.iter().all(|line| line.trim().is_empty() || line.starts_with('#')) {
        lines.extend(["kind: Policy".to_owned(), "version: \"1.0\"".to_owned()]);
    }
    let at = lines.iter().position(|line| matches!(line.trim_end(), "tools:" | "tools: []"));
    let at = at.unwrap_or_else(|| {
        lines.push("tools:".to_owned());
        lines.len() - 1
    });
    "tools:".clone_into(&mut lines[at]);
    let below = lines[at + 1..].iter().take_while(|line| is_below(line)).count();
    let list = &lines[at + 1..=at + below];
    let indent = list.iter().find_map(|line| line.find("- ").filter(|at| line[..*at].trim().is_empty())).unwrap_or(2);
    let end =
        list.iter().rposition(|line| !line.trim().is_empty() && !line.starts_with('#')).map_or(0, |last| last + 1);
    lines.insert(at + 1 + end, format!("{}- {entry}", " ".repeat(indent)));
    text(&lines)
}

/// Lines, each with its end.
fn text<L: AsRef<str>>(lines: &[L]) -> String {
    lines.iter().flat_map(|line| [line.as_ref(), "\n"]).collect()
}

/// Whether a line belongs to the list that began above it.
fn is_below(line: &str) -> bool {
    line.trim().is_empty() || line.starts_with([' ', '-', '#'])
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Capability, with_denial, with_grant, without_grant};
    use crate::PolicySpec;

    fn network() -> Capability {
        "network=https://api.example.com".parse().unwrap()
    }

    #[test]
    fn a_grant_is_one_line_that_can_be_taken_back() {
        let begun = with_grant("", "web_search", &network());
        let lines = "kind: Policy\nversion: \"1.0\"\ntools:\n  - { tool: \"web_search\", grant: { network: [\"https://api.example.com\"] } }\n";
        assert_eq!(begun, lines);
        assert_eq!(with_grant(&begun, "web_search", &network()), begun, "twice is once");
        assert_eq!(without_grant(&begun, "web_search", &network()), "kind: Policy\nversion: \"1.0\"\ntools: []\n");
        let denied = with_denial(&begun, "web_search", &network());
        assert!(denied.contains("deny") && !denied.contains("grant"), "{denied}");
        assert_eq!(with_grant(&denied, "web_search", &network()), begun);
    }

    #[test]
    fn what_a_person_wrote_stays() {
        let written = "# ours\nkind: Policy\nversion: \"1.0\"\ntools:\n- tool: a\n  trust: false # why\n\n# at the end\ntrust: true\n";
        let changed = with_grant(written, "b", &Capability::State);
        let spec = PolicySpec::parse(Path::new("cortex.yml"), &changed).unwrap();
        assert_eq!((spec.tools.len(), spec.trust), (2, Some(true)), "{changed}");
        assert!(
            changed.starts_with("# ours\n") && changed.contains("trust: false # why\n- { tool: \"b\""),
            "{changed}"
        );
    }

    #[test]
    fn every_capability_reads_back() {
        let all = [
            "network=*.a.com",
            "filesystem=./data:read-write",
            "filesystem=/srv",
            "environment=LANG",
            "secrets=K",
            "state",
            "host=proc",
            "host=sys",
            "relics=kv_store",
        ];
        for text in all {
            let capability: Capability = text.parse().unwrap();
            let yaml = with_grant("", "t", &capability);
            let spec = PolicySpec::parse(Path::new("cortex.yml"), &yaml).expect(&yaml);
            assert_eq!(spec.tools.len(), 1);
            assert_eq!(without_grant(&yaml, "t", &capability), "kind: Policy\nversion: \"1.0\"\ntools: []\n", "{text}");
        }
        for text in ["disk=1", "network=ftp://a", "host", "host=dev", "relics", "relics=KV store"] {
            assert!(text.parse::<Capability>().is_err(), "{text}");
        }
        assert!("host=dev".parse::<Capability>().unwrap_err().to_string().contains("`host=proc` or `host=sys`"));
    }
}
