//! What an operator allows: the meaning of `cortex.yml`.
//!
//! Only the meaning of the file is here. What it comes to for a tool is for the runtime to say, which knows the tool.

mod edit;

pub use edit::{Capability, InvalidCapability, with_denial, with_grant, without_grant};

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use crate::error::{ManifestError, Problems};
use crate::located::{Located, Position};
use crate::name::{ToolName, VariableName};
use crate::network::NetworkRule;
use crate::path::HostPath;
use crate::quantity::{ByteSize, Milliseconds, shorten};
use crate::raw::{RawAccess, RawCapabilities, RawCompile, RawFolder, RawPolicy, RawToolPolicy};
use crate::rule::Rule;
use crate::spec::{Access, HostPart, Resources, host_part, network_rule, quantity_of};
use crate::yaml;

/// What an operator allows. The default is what holds without a file: asking is granting.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PolicySpec {
    /// Whether asking is granting, where it was said.
    pub trust: Option<bool>,
    /// As written: relative to the policy unless absolute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace: Option<HostPath>,
    /// The most that any tool may ask for.
    pub ceilings: Resources,
    /// What tools get that ask for nothing.
    pub defaults: Resources,
    /// What compiling one component may use.
    pub compile: CompileResources,
    /// In the order written.
    pub tools: Vec<ToolPolicy>,
}

/// What compiling one component may use. `None` is the runtime's default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CompileResources {
    pub size_bytes: Option<ByteSize>,
    pub time_ms: Option<Milliseconds>,
    pub memory_bytes: Option<ByteSize>,
}

/// What an operator allows some tools.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ToolPolicy {
    /// The line of the file, for people.
    pub line: u32,
    /// Which tools.
    pub tool: ToolPattern,
    pub trust: Option<bool>,
    pub grant: Capabilities,
    /// Servers that the tools get though their manifests do not ask for them.
    pub extend: Vec<NetworkRule>,
    pub deny: Capabilities,
    pub ceilings: Resources,
    pub defaults: Resources,
    pub environment: BTreeMap<VariableName, String>,
}

/// Capabilities to grant or to deny. The default is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Capabilities {
    pub network: Vec<NetworkRule>,
    pub filesystem: Vec<Folder>,
    pub environment: Vec<VariableName>,
    pub secrets: Vec<VariableName>,
    pub state: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub host: Vec<HostPart>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub relics: Vec<ToolName>,
}

/// A folder of the host, and what is below it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Folder {
    /// As written: relative to the policy unless absolute.
    pub host: HostPath,
    /// `None` where nothing was said.
    pub access: Option<Access>,
}

/// A tool's name, or several: `*` stands for any letters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ToolPattern(String);

impl ToolPattern {
    /// Whether it names one tool and no pattern.
    pub fn is_exact(&self) -> bool {
        !self.0.contains('*')
    }

    /// Lower-case letters, digits, `_`, `-` and `*`, at most 64 of them.
    pub fn new(text: &str) -> Option<Self> {
        let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-' | '*');
        let fits = !text.is_empty() && text.len() <= 64 && text.chars().all(letter);
        fits.then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn matches(&self, name: &str) -> bool {
        let mut parts = self.0.split('*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = name.strip_prefix(first) else { return false };
        let mut parts: Vec<&str> = parts.collect();
        let Some(last) = parts.pop() else { return rest.is_empty() };
        // What comes first is found first: that leaves the most for the parts that follow.
        for part in parts {
            let Some(at) = rest.find(part) else { return false };
            rest = &rest[at + part.len()..];
        }
        rest.ends_with(last)
    }

    fn parse(text: &Located<String>, problems: &mut Problems) -> Option<ToolPattern> {
        let fits = Self::new(&text.value).is_some();
        if !fits {
            problems.add(text.at, Rule::ToolPattern { pattern: shorten(&text.value) });
        }
        fits.then(|| ToolPattern(text.value.clone()))
    }
}

impl PolicySpec {
    /// Reads a policy. `path` only appears in messages: nothing is opened.
    pub fn parse(path: &Path, yaml: &str) -> Result<PolicySpec, ManifestError> {
        let raw = yaml::read_policy(yaml).map_err(|(at, rule)| ManifestError::one(path, yaml, at, rule))?;
        let mut problems = Problems::default();
        let spec = PolicySpec::from_raw(raw, &mut problems);
        problems.into_error(path, yaml).map_or(Ok(spec), Err)
    }

    fn from_raw(raw: Located<RawPolicy>, problems: &mut Problems) -> PolicySpec {
        let Located { value: raw, at } = raw;
        check_header(&raw, at, problems);
        let tools = raw.tools.unwrap_or_default();
        PolicySpec {
            trust: raw.trust,
            workspace: raw.workspace.and_then(|path| {
                let parsed = HostPath::new(&path.value).map_err(|error| Rule::Path { field: "workspace", error });
                problems.check(path.at, parsed)
            }),
            ceilings: raw.ceilings.map(|raw| Resources::from_raw(&raw, problems)).unwrap_or_default(),
            defaults: raw.defaults.map(|raw| Resources::from_raw(&raw, problems)).unwrap_or_default(),
            compile: raw.compile.map(|raw| CompileResources::from_raw(&raw, problems)).unwrap_or_default(),
            tools: tools.into_iter().filter_map(|raw| ToolPolicy::from_raw(raw, problems)).collect(),
        }
    }
}

fn check_header(raw: &RawPolicy, at: Position, problems: &mut Problems) {
    for (field, present) in [("kind", raw.kind.is_some()), ("version", raw.version.is_some())] {
        if !present {
            problems.add(at, Rule::MissingField { field, inside: "the policy" });
        }
    }
    if let Some(kind) = raw.kind.as_ref().filter(|kind| kind.value != "Policy") {
        problems.add(kind.at, Rule::PolicyKind { kind: shorten(&kind.value) });
    }
    if let Some(version) = raw.version.as_ref().filter(|version| version.value.0 != "1.0") {
        problems.add(version.at, Rule::Version { version: shorten(&version.value.0) });
    }
}

impl CompileResources {
    fn from_raw(raw: &RawCompile, problems: &mut Problems) -> CompileResources {
        CompileResources {
            size_bytes: quantity_of("size", raw.size.as_ref().map(|l| (&l.value.0, l.at)), problems),
            time_ms: quantity_of("time", raw.time.as_ref().map(|l| (&l.value.0, l.at)), problems),
            memory_bytes: quantity_of("memory", raw.memory.as_ref().map(|l| (&l.value.0, l.at)), problems),
        }
    }
}

impl ToolPolicy {
    fn from_raw(raw: Located<RawToolPolicy>, problems: &mut Problems) -> Option<ToolPolicy> {
        let Located { value: raw, at } = raw;
        if raw.tool.is_none() {
            problems.add(at, Rule::MissingField { field: "tool", inside: "an entry of `tools`" });
        }
        let tool = raw.tool.as_ref().and_then(|tool| ToolPattern::parse(tool, problems));
        let mut environment = BTreeMap::new();
        for (name, value) in raw.environment.unwrap_or_default() {
            if let Some(name) = problems.check(value.at, VariableName::new(name).map_err(Rule::Name)) {
                environment.insert(name, value.value.0);
            }
        }
        Some(ToolPolicy {
            line: at.line,
            trust: raw.trust,
            grant: raw.grant.map(|raw| Capabilities::from_raw(raw, problems)).unwrap_or_default(),
            extend: raw
                .extend
                .and_then(|raw| raw.network)
                .unwrap_or_default()
                .into_iter()
                .filter_map(|rule| network_rule(rule, problems))
                .collect(),
            deny: raw.deny.map(|raw| Capabilities::from_raw(raw, problems)).unwrap_or_default(),
            ceilings: raw.ceilings.map(|raw| Resources::from_raw(&raw, problems)).unwrap_or_default(),
            defaults: raw.defaults.map(|raw| Resources::from_raw(&raw, problems)).unwrap_or_default(),
            environment,
            tool: tool?,
        })
    }
}

impl Capabilities {
    fn from_raw(raw: RawCapabilities, problems: &mut Problems) -> Capabilities {
        let mut all = Capabilities { state: raw.state.unwrap_or(false), ..Capabilities::default() };
        for rule in raw.network.unwrap_or_default() {
            all.network.extend(network_rule(rule, problems));
        }
        for folder in raw.filesystem.unwrap_or_default() {
            all.filesystem.extend(Folder::from_raw(folder, problems));
        }
        all.host = raw.host.unwrap_or_default().into_iter().map(|part| host_part(part.value)).collect();
        for name in raw.relics.unwrap_or_default() {
            all.relics.extend(problems.check(name.at, ToolName::new(name.value).map_err(Rule::Name)));
        }
        let mut names = |names: Option<Vec<Located<String>>>| -> Vec<VariableName> {
            let names = names.unwrap_or_default().into_iter();
            names
                .filter_map(|name| problems.check(name.at, VariableName::new(name.value).map_err(Rule::Name)))
                .collect()
        };
        all.environment = names(raw.environment);
        all.secrets = names(raw.secrets);
        all
    }
}

impl Folder {
    fn from_raw(raw: Located<RawFolder>, problems: &mut Problems) -> Option<Folder> {
        let Located { value: raw, at } = raw;
        let Some(host) = raw.host else {
            problems.add(at, Rule::MissingField { field: "host", inside: "an entry of `filesystem`" });
            return None;
        };
        let path = HostPath::new(&host.value).map_err(|error| Rule::Path { field: "host", error });
        let access = raw.access.map(|access| match access {
            RawAccess::Read => Access::Read,
            RawAccess::Write => Access::Write,
            RawAccess::ReadWrite => Access::ReadWrite,
        });
        Some(Folder { host: problems.check(host.at, path)?, access })
    }
}

#[cfg(test)]
mod tests {
    use super::ToolPattern;

    #[test]
    fn a_star_stands_for_any_letters() {
        for (pattern, yes, no) in [
            ("web_search", "web_search", "web_searches"),
            ("web_*", "web_search", "sys_info"),
            ("*", "anything", ""),
            ("*_info", "sys_info", "sys_info_2"),
            ("a*b*c", "a-b-b-c", "a-c-b"),
            ("a*a", "aa", "a"),
            ("*ab", "xabab", "aba"),
        ] {
            let pattern = ToolPattern(pattern.to_owned());
            assert!(pattern.matches(yes), "{pattern:?} {yes}");
            assert!(no.is_empty() || !pattern.matches(no), "{pattern:?} {no}");
        }
    }
}
