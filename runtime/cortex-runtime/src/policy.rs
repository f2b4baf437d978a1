//! What a tool gets: its manifest asks, the operator's policy grants.
//!
//! Precedence, from the strongest: a denial; a grant; trust, by which asking is granting. Denials and grants of all entries
//! that name the tool count together, so one more grant never takes anything away. Where entries set one value (trust,
//! ceilings, defaults, variables), the tool's own name beats a pattern, a later entry an earlier one, and any entry what
//! is set for all tools.

mod folders;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cortex_build::Trust;
use cortex_docker::ports_file;
use cortex_manifest::{
    Access, Capabilities, Folder as PolicyFolder, HostPattern, NetworkRule, PolicySpec, Resources, Scheme, SecretUse,
    ToolPolicy,
};
use cortex_sandbox::{
    Decision, Folder, Grants, HostRule, LimitError, Limits, NetworkRule as Rule, OperatorRules, Refusal, RuleScheme,
    Secret, SecretPlace, Service,
};
use fs_err as fs;
use serde::Serialize;

use crate::error::RuntimeError;
use crate::limits::{asked, overrides};
use crate::policy::folders::Place;
use crate::registry::{Tool, ToolSource};
use crate::secrets::{SECRET_VARIABLE, Secrets};
use crate::state::States;
use crate::variables::from_files;

/// The operator's policy. The default is none: asking is granting, within the built-in ceilings.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    spec: PolicySpec,
    path: Option<PathBuf>,
}

/// Something that a tool asks for, and whether it gets it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Permit {
    /// Which capability, as in `permissions`.
    pub capability: &'static str,
    /// What of it.
    pub target: String,
    /// Whether the tool gets it.
    pub granted: bool,
    /// Who said so.
    pub because: String,
    /// What would allow it, if it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow: Option<String>,
    /// Whether the tool itself holds a secret's value.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub exposed: bool,
}

/// The operator: what is allowed, and what there is to give.
pub(crate) struct Operator {
    pub(crate) policy: Policy,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) secrets: Secrets,
    pub(crate) states: States,
    pub(crate) home: PathBuf,
    pub(crate) ceiling: Limits,
}

struct Supplies<'a> {
    states: &'a States,
    home: &'a Path,
    environment: &'a BTreeMap<String, String>,
    secrets: &'a BTreeMap<String, String>,
}

impl Operator {
    /// What a tool gets.
    pub(crate) fn decide(&self, tool: &Tool) -> Result<Decided, RuntimeError> {
        let spec = &tool.spec;
        let wanted = !spec.permissions.secrets.is_empty() || !spec.environment.secrets.is_empty();
        let secrets = if wanted { self.secrets.values(&self.environment)? } else { BTreeMap::new() };
        let supplies =
            Supplies { states: &self.states, home: &self.home, environment: &self.environment, secrets: &secrets };
        self.policy.decide(tool, &supplies, &self.ceiling)
    }
}

/// What a tool's calls get.
pub(crate) struct Decided {
    pub(crate) grants: Grants,
    pub(crate) limits: Result<Limits, LimitError>,
    pub(crate) permits: Vec<Permit>,
}

impl Policy {
    /// Reads a policy.
    pub fn open(path: &Path) -> Result<Self, RuntimeError> {
        let spec = PolicySpec::parse(path, &fs::read_to_string(path)?).map_err(Box::new)?;
        Ok(Self { spec, path: Some(path.to_owned()) })
    }

    /// What it says.
    pub fn spec(&self) -> &PolicySpec {
        &self.spec
    }

    /// The file, for messages.
    fn file(&self) -> String {
        self.path.as_deref().map_or_else(|| "cortex.yml".into(), |path| path.display().to_string())
    }

    /// The folder that its relative paths start from.
    fn folder(&self) -> &Path {
        self.path.as_deref().and_then(Path::parent).unwrap_or(Path::new(""))
    }

    /// What it says about a tool, the most particular last, and whether the tool is trusted.
    fn entries(&self, tool: &Tool) -> (Vec<&ToolPolicy>, bool) {
        let name = tool.spec.name.as_str();
        let all = self.spec.tools.iter().filter(|entry| entry.tool.matches(name));
        // Stable: patterns in their order, then the entries of the tool's own name in theirs.
        let mut entries: Vec<&ToolPolicy> = all.collect();
        entries.sort_by_key(|entry| entry.tool.is_exact());
        let trusted = entries.iter().rev().find_map(|entry| entry.trust).or(self.spec.trust).unwrap_or(true);
        (entries, trusted)
    }

    /// Whether a tool's source may be built on this machine.
    pub(crate) fn trust(&self, tool: &Tool) -> Trust {
        if self.entries(tool).1 { Trust::Trusted } else { Trust::Untrusted }
    }

    fn decide(&self, tool: &Tool, supplies: &Supplies<'_>, ceiling: &Limits) -> Result<Decided, RuntimeError> {
        let (entries, trusted) = self.entries(tool);
        let judge = Judge { policy: self, entries, trusted, tool, permits: Vec::new() };
        judge.decide(supplies, ceiling)
    }
}

struct Judge<'a> {
    policy: &'a Policy,
    entries: Vec<&'a ToolPolicy>,
    trusted: bool,
    tool: &'a Tool,
    permits: Vec<Permit>,
}

impl Judge<'_> {
    fn decide(mut self, supplies: &Supplies<'_>, ceiling: &Limits) -> Result<Decided, RuntimeError> {
        let mut grants = Grants::none();
        self.network(&mut grants);
        self.environment(&mut grants, supplies)?;
        self.secrets(&mut grants, supplies);
        self.folders(&mut grants);
        self.state(&mut grants, supplies);
        self.host();
        self.relics(&mut grants, supplies);
        let limits = self.limits(ceiling);
        grants.refused = self.permits.iter().filter(|permit| !permit.granted).map(Refusal::from).collect();
        Ok(Decided { grants, limits, permits: self.permits })
    }

    fn network(&mut self, grants: &mut Grants) {
        let asked = &self.tool.spec.permissions.network;
        for rule in asked {
            let any = |of: &Capabilities| of.network.iter().any(|mine| mine.contains(rule));
            self.judge("network", rule.to_string(), any, any, &format!("network: [{}]", quoted(rule)));
        }
        let extended: Vec<_> =
            self.entries.iter().flat_map(|entry| entry.extend.iter().map(|rule| (rule, entry.line))).collect();
        for (rule, line) in &extended {
            let because = format!("{}:{line} adds it to what the manifest asks for", self.policy.file());
            let (capability, target) = ("network", rule.to_string());
            let permit = Permit { capability, target, granted: true, because, allow: None, exposed: false };
            self.permits.push(permit);
        }
        let extended = || extended.iter().map(|(rule, _)| network_rule(rule));
        grants.network = asked.iter().map(network_rule).chain(extended()).collect();
        let rules = |pick: fn(&ToolPolicy) -> &Capabilities| {
            self.entries.iter().flat_map(|entry| &pick(entry).network).map(network_rule).collect()
        };
        grants.operator = OperatorRules {
            granted: (!self.trusted).then(|| {
                let granted: Vec<Rule> = rules(|entry| &entry.grant);
                granted.into_iter().chain(extended()).collect()
            }),
            denied: rules(|entry| &entry.deny),
            tool: self.tool.spec.name.to_string(),
        };
    }

    /// Variables that the manifest sets are the author's, not the host's: nobody has to grant them.
    fn environment(&mut self, grants: &mut Grants, supplies: &Supplies<'_>) -> Result<(), RuntimeError> {
        let mut all: BTreeMap<String, String> = BTreeMap::new();
        let environment = &self.tool.spec.environment;
        if let ToolSource::Folder { root, .. } = &self.tool.source {
            all.extend(from_files(root, &environment.env_files)?);
        }
        all.extend(environment.variables.iter().map(|(name, value)| (name.to_string(), value.clone())));
        for name in &self.tool.spec.permissions.environment {
            if let Some(secret) = name.as_str().strip_prefix(SECRET_VARIABLE) {
                self.permits.push(Permit {
                    capability: "environment",
                    target: name.to_string(),
                    granted: false,
                    because: "the variable holds a secret, which is never given as a variable of the host's".into(),
                    allow: Some(format!("ask for `{secret}` by `permissions.secrets` of the manifest")),
                    exposed: false,
                });
                continue;
            }
            let any = |of: &Capabilities| of.environment.contains(name);
            let granted = self.judge("environment", name.to_string(), any, any, &format!("environment: [{name}]"));
            if let (true, Some(value)) = (granted, supplies.environment.get(name.as_str())) {
                all.insert(name.to_string(), value.clone());
            }
        }
        for (name, value) in self.entries.iter().flat_map(|entry| &entry.environment) {
            let asked =
                self.tool.spec.permissions.environment.contains(name) || environment.variables.contains_key(name);
            if asked {
                all.insert(name.to_string(), value.clone());
            }
        }
        grants.environment = all.into_iter().collect();
        Ok(())
    }

    fn secrets(&mut self, grants: &mut Grants, supplies: &Supplies<'_>) {
        let spec = &self.tool.spec;
        // The original's way, where the tool itself holds the value.
        let exposed = spec.environment.secrets.iter().map(|name| (name, &SecretUse::Exposed));
        let asked = spec.permissions.secrets.iter().map(|secret| (&secret.name, &secret.usage)).chain(exposed);
        for (name, usage) in asked {
            let any = |of: &Capabilities| of.secrets.contains(name);
            let granted = self.judge("secrets", name.to_string(), any, any, &format!("secrets: [{name}]"));
            let Some(permit) = self.permits.last_mut() else { continue };
            permit.exposed = *usage == SecretUse::Exposed;
            let Some(value) = supplies.secrets.get(name.as_str()) else {
                if granted {
                    permit.granted = false;
                    permit.because = "no value was set".into();
                    permit.allow = Some(format!("run `cortex-wasm secret set {name}`"));
                }
                continue;
            };
            if granted {
                let (place, hosts) = match usage {
                    SecretUse::Header { header, hosts } => (SecretPlace::Header(header.to_string()), hosts.as_slice()),
                    SecretUse::Bearer { hosts } => (SecretPlace::Bearer, hosts.as_slice()),
                    SecretUse::Query { parameter, hosts } => {
                        (SecretPlace::Query(parameter.to_string()), hosts.as_slice())
                    }
                    SecretUse::Exposed => (SecretPlace::Exposed, [].as_slice()),
                };
                let hosts = hosts.iter().map(host_rule).collect();
                grants.secrets.push(Secret { name: name.to_string(), value: value.clone(), place, hosts });
            }
        }
    }

    fn folders(&mut self, grants: &mut Grants) {
        for folder in &self.tool.spec.permissions.filesystem {
            let target = format!("{} at {}", folder.host.as_str(), folder.guest.as_str());
            let place = match Place::of(folder, self.tool, self.policy) {
                Ok(place) => place,
                Err((because, allow)) => {
                    let (because, allow) = (because.to_owned(), Some(allow));
                    let permit =
                        Permit { capability: "filesystem", target, granted: false, because, allow, exposed: false };
                    self.permits.push(permit);
                    continue;
                }
            };
            let policy = self.policy;
            let at = |named: &PolicyFolder| folders::normal(&policy.folder().join(named.host.as_path()));
            let granted =
                |named: &PolicyFolder| place.path.starts_with(at(named)) && grants_access(named, folder.access);
            let denied = |named: &PolicyFolder| {
                // Below what is denied, and around it: the one that opens the folder around it reaches it.
                let touches = place.path.starts_with(at(named)) || at(named).starts_with(&place.path);
                touches && denies_access(named, folder.access)
            };
            let access = access_name(folder.access);
            let line = format!("filesystem: [{{ host: {:?}, access: {access} }}]", place.path.display().to_string());
            // What lies elsewhere is the operator's: asking is never enough for it.
            let trusted = self.trusted;
            self.trusted &= place.own.is_some();
            let allowed = self.judge(
                "filesystem",
                target,
                |of| of.filesystem.iter().any(denied),
                |of| of.filesystem.iter().any(granted),
                &line,
            );
            self.trusted = trusted;
            let named = || {
                let base = self.entries.iter().flat_map(|entry| &entry.grant.filesystem).find(|named| granted(named));
                let base = base.map(at)?;
                let below = place.path.strip_prefix(&base).ok()?.to_owned();
                Some((base, below))
            };
            let way = if trusted { place.own.clone().or_else(named) } else { named() };
            if let (true, Some((base, below))) = (allowed, way) {
                let writable = folder.access != Access::Read;
                grants.folders.push(Folder { base, below, guest: folder.guest.to_string(), writable });
            }
        }
    }

    fn state(&mut self, grants: &mut Grants, supplies: &Supplies<'_>) {
        if self.tool.spec.permissions.state {
            let any = |of: &Capabilities| of.state;
            let granted = self.judge("state", self.tool.spec.name.to_string(), any, any, "state: true");
            grants.state = granted.then(|| supplies.states.of_tool(self.tool));
        }
    }

    /// What of the machine a container may look at. The sandbox has no way to show it.
    fn host(&mut self) {
        for part in &self.tool.spec.permissions.host {
            let any = |of: &Capabilities| of.host.contains(part);
            let name = part.as_str();
            self.judge("host", name.to_owned(), any, any, &format!("host: [{name}]"));
        }
    }

    /// Services that the tool reaches under their own names. Where one is, only its file says, for as long as it runs.
    fn relics(&mut self, grants: &mut Grants, supplies: &Supplies<'_>) {
        for relic in &self.tool.spec.permissions.relics {
            let any = |of: &Capabilities| of.relics.contains(relic);
            if self.judge("relics", relic.to_string(), any, any, &format!("relics: [{relic}]")) {
                grants
                    .services
                    .push(Service { name: relic.to_string(), ports: ports_file(supplies.home, relic.as_str()) });
            }
        }
    }

    fn limits(&self, ceiling: &Limits) -> Result<Limits, LimitError> {
        let mut ceiling = ceiling.clone();
        let mut defaults = Limits::DEFAULT;
        let set = |pick: fn(&ToolPolicy) -> &Resources, all: &Resources, limits: &mut Limits| {
            overrides(all).set(limits);
            self.entries.iter().for_each(|entry| overrides(pick(entry)).set(limits));
        };
        set(|entry| &entry.ceilings, &self.policy.spec.ceilings, &mut ceiling);
        set(|entry| &entry.defaults, &self.policy.spec.defaults, &mut defaults);
        Limits::of_tool(&ceiling, &defaults, &asked(self.tool))
    }

    /// Enters what becomes of one thing that was asked for.
    fn judge(
        &mut self,
        capability: &'static str,
        target: String,
        denied: impl Fn(&Capabilities) -> bool,
        granted: impl Fn(&Capabilities) -> bool,
        line: &str,
    ) -> bool {
        let file = self.policy.file();
        let denial = self.entries.iter().find(|entry| denied(&entry.deny));
        let grant = self.entries.iter().find(|entry| granted(&entry.grant));
        let (granted, because, allow) = match (denial, grant) {
            (Some(entry), _) => {
                let line = entry.line;
                (false, format!("{file}:{line} denies it"), Some(format!("take it out of `deny` in {file}:{line}")))
            }
            (None, Some(entry)) => (true, format!("{file}:{} grants it", entry.line), None),
            (None, None) if self.trusted => (true, "the manifest asks for it, and its tools are trusted".into(), None),
            (None, None) => {
                let name = &self.tool.spec.name;
                let lines = format!("add to {file}:\ntools:\n  - {{ tool: {name}, grant: {{ {line} }} }}");
                (false, "nothing in the policy grants it".into(), Some(lines))
            }
        };
        self.permits.push(Permit { capability, target, granted, because, allow, exposed: false });
        granted
    }
}

impl From<&Permit> for Refusal {
    fn from(permit: &Permit) -> Self {
        let decision = Decision {
            capability: permit.capability,
            target: permit.target.clone(),
            allowed: false,
            rule: None,
            reason: Some(permit.because.clone()),
            request: None,
        };
        Self { decision, hint: permit.allow.clone().unwrap_or_default() }
    }
}

/// Whoever may write may read: WASI has no folders that are only written.
fn grants_access(named: &PolicyFolder, wanted: Access) -> bool {
    wanted == Access::Read || named.access.unwrap_or_default() != Access::Read
}

/// Every access reads, so a denial of reading denies all of them.
fn denies_access(named: &PolicyFolder, wanted: Access) -> bool {
    named.access != Some(Access::Write) || wanted != Access::Read
}

fn access_name(access: Access) -> &'static str {
    match access {
        Access::Read => "read",
        Access::Write => "write",
        Access::ReadWrite => "read-write",
    }
}

fn quoted(rule: &NetworkRule) -> String {
    let text = rule.to_string();
    if text.starts_with('{') { text } else { format!("\"{text}\"") }
}

fn network_rule(asked: &NetworkRule) -> Rule {
    Rule {
        text: asked.to_string(),
        scheme: match asked.scheme() {
            Scheme::Https => RuleScheme::Https,
            Scheme::Http => RuleScheme::Http,
            Scheme::Private => RuleScheme::Private,
        },
        host: host_rule(asked.host()),
        port: asked.port(),
        path: asked.path().to_owned(),
        methods: asked.methods().iter().map(|method| method.as_str().to_owned()).collect(),
    }
}

fn host_rule(host: &HostPattern) -> HostRule {
    match host {
        HostPattern::Exact(host) => match host.parse() {
            Ok(address) => HostRule::Address(address),
            Err(_) => HostRule::Name(host.clone()),
        },
        HostPattern::Below(host) => HostRule::Below(host.clone()),
        HostPattern::Any => HostRule::Any,
        HostPattern::Range { address, bits } => HostRule::Range { address: *address, bits: *bits },
    }
}

#[cfg(test)]
mod tests;
