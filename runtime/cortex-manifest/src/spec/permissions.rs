//! What a tool asks to touch.
//!
//! Nothing here is granted. The default asks for nothing, and only what was written and understood is asked for.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::error::Problems;
use crate::located::Located;
use crate::name::{HeaderName, QueryName, ToolName, VariableName};
use crate::network::{HostPattern, Method, NetworkRule};
use crate::path::{GuestPath, HostPath, InvalidPath};
use crate::raw::{
    RawAccess, RawFilesystem, RawHostPart, RawMethod, RawNetworkMethods, RawNetworkRule, RawPermissions, RawSecret,
    RawStatePer,
};
use crate::rule::Rule;

/// What a tool asks for. The default is nothing: no server, no folder, no variable, no secret, no state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Permissions {
    pub network: Vec<NetworkRule>,
    pub filesystem: Vec<FolderRequest>,
    pub environment: Vec<VariableName>,
    pub secrets: Vec<SecretRequest>,
    /// A key-value store of its own that outlives a call.
    pub state: bool,
    /// Whose values it holds.
    #[serde(skip_serializing_if = "StatePer::is_tool")]
    pub state_per: StatePer,
    /// What of the host a container may look at.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub host: Vec<HostPart>,
    /// Relics that it may reach under their names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub relics: Vec<ToolName>,
}

/// Whose values a store holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StatePer {
    /// One for all calls.
    #[default]
    Tool,
    /// One for each user of a server.
    User,
    /// One for each session.
    Session,
}

impl StatePer {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
    fn is_tool(&self) -> bool {
        *self == Self::Tool
    }
}

/// What of the host a container may look at, read-only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HostPart {
    Proc,
    Sys,
}

pub(crate) fn host_part(raw: RawHostPart) -> HostPart {
    match raw {
        RawHostPart::Proc => HostPart::Proc,
        RawHostPart::Sys => HostPart::Sys,
    }
}

impl HostPart {
    pub fn as_str(self) -> &'static str {
        match self {
            HostPart::Proc => "proc",
            HostPart::Sys => "sys",
        }
    }
}

/// A folder that a tool asks to open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FolderRequest {
    /// As written: relative to the manifest unless absolute.
    pub host: HostPath,
    pub guest: GuestPath,
    pub access: Access,
}

/// What a tool may do in a folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    #[default]
    Read,
    Write,
    ReadWrite,
}

/// A secret that a tool asks to use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SecretRequest {
    pub name: VariableName,
    #[serde(flatten)]
    pub usage: SecretUse,
}

/// How a secret is used. Only `Exposed` lets the tool see the value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "as", rename_all = "lowercase")]
pub enum SecretUse {
    /// The host puts the value into a header of requests to these hosts.
    Header { header: HeaderName, hosts: Vec<HostPattern> },
    /// The host puts `Authorization: Bearer` and the value into requests to these hosts.
    Bearer { hosts: Vec<HostPattern> },
    /// The host puts the value into the query of requests to these hosts.
    Query { parameter: QueryName, hosts: Vec<HostPattern> },
    /// The tool gets the value as a variable.
    Exposed,
}

impl Permissions {
    pub(super) fn from_raw(raw: RawPermissions, problems: &mut Problems) -> Permissions {
        let mut permissions = Permissions { state: raw.state.unwrap_or(false), ..Permissions::default() };
        permissions.state_per = match raw.state_per {
            None | Some(RawStatePer::Tool) => StatePer::Tool,
            Some(RawStatePer::User) => StatePer::User,
            Some(RawStatePer::Session) => StatePer::Session,
        };
        for rule in raw.network.unwrap_or_default() {
            permissions.network.extend(network_rule(rule, problems));
        }
        let mut guests = BTreeSet::new();
        for folder in raw.filesystem.unwrap_or_default() {
            let at = folder.at;
            let Some(folder) = FolderRequest::from_raw(folder, problems) else { continue };
            if !guests.insert(folder.guest.clone()) {
                problems.add(at, Rule::DuplicateGuestPath { guest: folder.guest.to_string() });
            }
            permissions.filesystem.push(folder);
        }
        for name in raw.environment.unwrap_or_default() {
            permissions.environment.extend(problems.check(name.at, VariableName::new(name.value).map_err(Rule::Name)));
        }
        for secret in raw.secrets.unwrap_or_default() {
            permissions.secrets.extend(SecretRequest::from_raw(secret, problems));
        }
        for part in raw.host.unwrap_or_default() {
            let part = host_part(part.value);
            if !permissions.host.contains(&part) {
                permissions.host.push(part);
            }
        }
        for name in raw.relics.unwrap_or_default() {
            permissions.relics.extend(problems.check(name.at, ToolName::new(name.value).map_err(Rule::Name)));
        }
        permissions
    }
}

pub(crate) fn network_rule(raw: Located<RawNetworkRule>, problems: &mut Problems) -> Option<NetworkRule> {
    let Located { value: raw, at } = raw;
    let parse = |url: &str| url.parse().map_err(|error| Rule::Network { field: "network", error });
    let RawNetworkMethods { url, methods } = match raw {
        RawNetworkRule::Server(url) => return problems.check(at, parse(&url)),
        RawNetworkRule::Methods(raw) => raw,
    };
    if url.is_none() {
        problems.add(at, Rule::MissingField { field: "url", inside: "an entry of `permissions.network`" });
    }
    if let Some(methods) = methods.as_ref().filter(|methods| methods.value.is_empty()) {
        // Nothing at all, or everything: nobody knows which was meant.
        problems.add(methods.at, Rule::EmptyText { field: "methods" });
    }
    let rule: NetworkRule = url.and_then(|url| problems.check(url.at, parse(&url.value)))?;
    let methods = methods.map(|methods| methods.value).unwrap_or_default();
    Some(rule.with_methods(methods.into_iter().map(Method::from).collect()))
}

impl From<RawMethod> for Method {
    fn from(raw: RawMethod) -> Method {
        match raw {
            RawMethod::Get => Method::Get,
            RawMethod::Head => Method::Head,
            RawMethod::Post => Method::Post,
            RawMethod::Put => Method::Put,
            RawMethod::Patch => Method::Patch,
            RawMethod::Delete => Method::Delete,
            RawMethod::Options => Method::Options,
        }
    }
}

impl FolderRequest {
    fn from_raw(raw: Located<RawFilesystem>, problems: &mut Problems) -> Option<FolderRequest> {
        const INSIDE: &str = "an entry of `permissions.filesystem`";
        let Located { value: raw, at } = raw;
        if raw.host.is_none() {
            problems.add(at, Rule::MissingField { field: "host", inside: INSIDE });
        }
        if raw.guest.is_none() {
            problems.add(at, Rule::MissingField { field: "guest", inside: INSIDE });
        }
        let path = |field| move |error: InvalidPath| Rule::Path { field, error };
        let host = raw.host.and_then(|text| problems.check(text.at, HostPath::new(&text.value).map_err(path("host"))));
        let guest =
            raw.guest.and_then(|text| problems.check(text.at, GuestPath::new(&text.value).map_err(path("guest"))));
        let access = match raw.access {
            None | Some(RawAccess::Read) => Access::Read,
            Some(RawAccess::Write) => Access::Write,
            Some(RawAccess::ReadWrite) => Access::ReadWrite,
        };
        Some(FolderRequest { host: host?, guest: guest?, access })
    }
}

impl SecretRequest {
    fn from_raw(raw: Located<RawSecret>, problems: &mut Problems) -> Option<SecretRequest> {
        let Located { value: raw, at } = raw;
        if raw.name.is_none() {
            problems.add(at, Rule::MissingField { field: "name", inside: "an entry of `permissions.secrets`" });
        }
        let name = raw.name.and_then(|text| problems.check(text.at, VariableName::new(text.value).map_err(Rule::Name)));
        let hosts_written = raw.hosts.as_ref().is_some_and(|hosts| !hosts.is_empty());
        let hosts = parse_hosts(raw.hosts.unwrap_or_default(), problems);
        let ways = [
            ("header", raw.header.as_ref().map(|header| header.at)),
            ("query", raw.query.as_ref().map(|query| query.at)),
            ("bearer", raw.bearer.unwrap_or(false).then_some(at)),
            ("expose", raw.expose.unwrap_or(false).then_some(at)),
        ];
        let mut written = ways.iter().filter_map(|(way, at)| Some((*way, (*at)?)));
        let usage = match (written.next(), written.next()) {
            (None, _) => Err((at, Rule::SecretUnused)),
            (Some((first, first_at)), Some((second, second_at))) => {
                // The place that is known best: `bearer` and `expose` are only a word.
                let at = if second_at == at { first_at } else { second_at };
                Err((at, Rule::SecretTwice { first, second }))
            }
            (Some(("expose", _)), None) if hosts_written => Err((at, Rule::SecretHostsUnused { key: "hosts" })),
            (Some(("expose", _)), None) => Ok(SecretUse::Exposed),
            (Some((field, _)), None) if !hosts_written => Err((at, Rule::SecretWithoutHosts { field })),
            (Some(_), None) => match (raw.header, raw.query) {
                (Some(header), _) => HeaderName::new(header.value)
                    .map(|header| SecretUse::Header { header, hosts })
                    .map_err(|error| (header.at, Rule::Name(error))),
                (None, Some(query)) => QueryName::new(query.value)
                    .map(|parameter| SecretUse::Query { parameter, hosts })
                    .map_err(|error| (query.at, Rule::Name(error))),
                (None, None) => Ok(SecretUse::Bearer { hosts }),
            },
        };
        match usage {
            Ok(usage) => Some(SecretRequest { name: name?, usage }),
            Err((at, rule)) => {
                problems.add(at, rule);
                None
            }
        }
    }
}

/// A secret for every host is a secret for none: the tool could send it to itself.
fn parse_hosts(raw: Vec<Located<String>>, problems: &mut Problems) -> Vec<HostPattern> {
    let mut hosts = Vec::new();
    for host in raw {
        match host.value.parse() {
            Ok(HostPattern::Any) => problems.add(host.at, Rule::SecretForEveryHost),
            Ok(pattern) => hosts.push(pattern),
            Err(error) => problems.add(host.at, Rule::Network { field: "hosts", error }),
        }
    }
    hosts
}
