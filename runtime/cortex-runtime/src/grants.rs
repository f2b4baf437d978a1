//! From what a manifest asks for to what a call may use and reach. For tools of the operator's own folders, asking is
//! granting.

use cortex_manifest::{ByteSize, Count, Fuel, HostPattern, Milliseconds, Scheme};
use cortex_sandbox::{Grants, HostRule, HttpOverrides, NetworkRule, Overrides, RuleScheme};

use crate::registry::Tool;

/// The limits that a manifest asks for.
pub(crate) fn asks(tool: &Tool) -> Overrides {
    let resources = &tool.spec.implementation.resources;
    let http = resources.http.unwrap_or_default();
    Overrides {
        fuel: resources.fuel.map(Fuel::units),
        timeout: resources.timeout_ms.map(Milliseconds::duration),
        memory_bytes: resources.memory_bytes.map(ByteSize::bytes),
        output_bytes: resources.output_bytes.map(|output| usize::try_from(output.bytes()).unwrap_or(usize::MAX)),
        http: HttpOverrides {
            requests: http.requests.map(Count::number),
            concurrent: http.concurrent.map(Count::number),
            request_bytes: http.request_bytes.map(ByteSize::bytes),
            response_bytes: http.response_bytes.map(ByteSize::bytes),
            timeout: http.timeout_ms.map(Milliseconds::duration),
        },
    }
}

/// What a tool gets. Variables that its own manifest sets are the author's, not the host's.
pub(crate) fn grants(tool: &Tool) -> Grants {
    let variables = &tool.spec.environment.variables;
    Grants {
        environment: variables.iter().map(|(name, value)| (name.to_string(), value.clone())).collect(),
        network: tool.spec.permissions.network.iter().map(network_rule).collect(),
    }
}

fn network_rule(asked: &cortex_manifest::NetworkRule) -> NetworkRule {
    NetworkRule {
        text: asked.to_string(),
        scheme: match asked.scheme() {
            Scheme::Https => RuleScheme::Https,
            Scheme::Http => RuleScheme::Http,
            Scheme::Private => RuleScheme::Private,
        },
        host: match asked.host() {
            HostPattern::Exact(host) => match host.parse() {
                Ok(address) => HostRule::Address(address),
                Err(_) => HostRule::Name(host.clone()),
            },
            HostPattern::Below(host) => HostRule::Below(host.clone()),
            HostPattern::Any => HostRule::Any,
            HostPattern::Range { address, bits } => HostRule::Range { address: *address, bits: *bits },
        },
        port: asked.port(),
        path: asked.path().to_owned(),
        methods: asked.methods().iter().map(|method| method.as_str().to_owned()).collect(),
    }
}
