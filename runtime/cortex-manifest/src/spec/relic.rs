//! What a relic's manifest means.

use std::path::Path;

use serde::Serialize;

use super::field::quantity_of;
use super::health_check::{Command, Expected};
use super::implementation::{Implementation, is_image};
use super::{Environment, ToolSpec};
use crate::error::{ManifestError, Problems};
use crate::input::InputSchema;
use crate::located::{Located, Position};
use crate::name::ToolName;
use crate::network::Method;
use crate::path::GuestPath;
use crate::quantity::{Count, Milliseconds, shorten};
use crate::raw::{OneOrMany, RawCount, RawEndpoint, RawPraetorianRelic, RawRelic, RawRelicHealth, RawRelicHealthType};
use crate::rule::Rule;
use crate::yaml;

/// A stateful service that tools may be granted.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RelicSpec {
    pub name: ToolName,
    pub summary: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_type: Option<String>,
    /// A finished image. Without it the image is built as that of a tool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// What is started in a finished image, instead of what it says itself.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    pub ports: Vec<u16>,
    pub endpoints: Vec<RelicEndpoint>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_check: Option<RelicHealth>,
    pub volumes: Vec<GuestPath>,
    pub dependencies: Vec<ToolName>,
    /// How it is built and what it may use: a relic is made as a tool is.
    pub program: ToolSpec,
}

/// One thing that a relic can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RelicEndpoint {
    pub name: String,
    pub method: Method,
    pub path: String,
}

/// How to find out whether a relic answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RelicHealth {
    pub probe: RelicProbe,
    pub interval_ms: Milliseconds,
    pub retries: u64,
}

/// What a relic is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum RelicProbe {
    /// A request by HTTP, answered with a status below 400.
    ApiRequest { port: u16, endpoint: String, contains: Option<String> },
    /// A connection that is not closed at once.
    Tcp { port: u16 },
    /// A command in its container.
    Script { command: Command, expected: Expected },
}

impl RelicSpec {
    /// Reads a manifest of either shape. `path` only appears in messages: nothing is opened.
    pub fn parse(path: &Path, yaml: &str) -> Result<RelicSpec, ManifestError> {
        let raw = yaml::read_relic(yaml).map_err(|(at, rule)| ManifestError::one(path, yaml, at, rule))?;
        let mut problems = Problems::default();
        let spec = RelicSpec::from_raw(raw, &mut problems);
        match (problems.into_error(path, yaml), spec) {
            (None, Some(spec)) => Ok(spec),
            (Some(error), _) => Err(error),
            (None, None) => Err(ManifestError::one(path, yaml, Position::START, Rule::Empty)),
        }
    }

    fn from_raw(raw: Located<RawRelic>, problems: &mut Problems) -> Option<RelicSpec> {
        let Located { value: raw, at } = raw;
        for (field, present) in [("name", raw.name.is_some()), ("summary", raw.summary.is_some())] {
            if !present {
                problems.add(at, Rule::MissingField { field, inside: "the relic" });
            }
        }
        if let Some(kind) = raw.kind.as_ref().filter(|kind| kind.value != "Relic") {
            problems.add(kind.at, Rule::RelicKind { kind: shorten(&kind.value) });
        }
        let name = raw.name.and_then(|name| problems.check(name.at, ToolName::new(name.value).map_err(Rule::Name)));
        let (image, command, written) = match raw.deployment {
            None => (None, None, Vec::new()),
            Some(Located { value: deployment, .. }) => {
                (deployment.image, deployment.command, deployment.ports.unwrap_or_default())
            }
        };
        let image = image.and_then(|image| {
            let fits = is_image(&image.value).then(|| image.value.clone());
            problems.check(image.at, fits.ok_or_else(|| Rule::Image { image: shorten(&image.value) }))
        });
        if image.is_none() && raw.implementation.is_none() {
            problems.add(at, Rule::MissingField { field: "implementation", inside: "the relic" });
        }
        let mut ports: Vec<u16> = written.iter().filter_map(|port| port_of(port, problems)).collect();
        let mut endpoints = Vec::new();
        if let Some(interface) = raw.interface {
            endpoints =
                interface.endpoints.unwrap_or_default().into_iter().filter_map(|e| endpoint(e, problems)).collect();
            if ports.is_empty() {
                ports.extend(interface.base_url.and_then(|url| port_of_url(&url.value)));
            }
        }
        let implementation = raw.implementation.map(|raw| Implementation::from_raw(raw, problems));
        let mut program = ToolSpec::for_component(
            name.clone()?,
            "",
            InputSchema::from_json_schema(serde_json::json!({ "type": "object" })).expect("a valid schema"),
        );
        program.implementation = implementation.unwrap_or_else(Implementation::of_component);
        program.environment = raw.environment.map(|raw| Environment::from_raw(raw, problems)).unwrap_or_default();
        let volumes = raw.persistence.and_then(|persistence| persistence.volumes).unwrap_or_default();
        let volumes = volumes.into_iter().filter_map(|path| {
            let parsed = GuestPath::new(&path.value).map_err(|error| Rule::Path { field: "volumes", error });
            problems.check(path.at, parsed)
        });
        let volumes = volumes.collect();
        let mut dependencies = Vec::new();
        for name in raw.dependencies.unwrap_or_default() {
            dependencies.extend(problems.check(name.at, ToolName::new(name.value).map_err(Rule::Name)));
        }
        Some(RelicSpec {
            name: name?,
            summary: raw.summary?.value,
            service_type: raw.service_type,
            image,
            command: match command {
                None => Vec::new(),
                Some(OneOrMany::One(line)) => line.split_whitespace().map(ToOwned::to_owned).collect(),
                Some(OneOrMany::Many(words)) => words.into_iter().map(|word| word.value).collect(),
            },
            health_check: raw.health_check.and_then(|raw| health(raw, &ports, problems)),
            ports,
            endpoints,
            volumes,
            dependencies,
            program,
        })
    }
}

/// The older shape as the newer one.
pub(crate) fn modern(name: &str, at: Position, old: RawPraetorianRelic) -> Located<RawRelic> {
    let mut snake = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    let deployment =
        crate::raw::RawDeployment { image: old.image, command: None, ports: old.port.map(|port| vec![port]) };
    let interface = crate::raw::RawInterface { kind: None, base_url: None, endpoints: old.operations };
    let summary = old.description.unwrap_or(Located { value: format!("The relic {name}."), at });
    let value = RawRelic {
        kind: None,
        version: None,
        name: Some(Located { value: snake, at }),
        summary: Some(summary),
        author: None,
        state: None,
        description: None,
        tags: None,
        metadata: None,
        service_type: None,
        implementation: old.implementation,
        interface: Some(interface),
        deployment: Some(Located { value: deployment, at }),
        health_check: old.health_check,
        persistence: old.persistence,
        environment: old.environment,
        dependencies: None,
    };
    Located { value, at }
}

fn port_of(port: &Located<RawCount>, problems: &mut Problems) -> Option<u16> {
    let count = quantity_of::<Count>("ports", Some((&port.value.0, port.at)), problems)?.number();
    problems.check(port.at, u16::try_from(count).map_err(|_| Rule::Port { port: count }))
}

/// The port at the end of an address's server.
fn port_of_url(url: &str) -> Option<u16> {
    let server = url.split_once("://").map_or(url, |(_, rest)| rest).split('/').next()?;
    server.rsplit_once(':')?.1.parse().ok()
}

fn endpoint(raw: Located<RawEndpoint>, problems: &mut Problems) -> Option<RelicEndpoint> {
    let Located { value: raw, at } = raw;
    let Some(path) = raw.path.filter(|path| path.starts_with('/')) else {
        problems.add(at, Rule::MissingField { field: "path", inside: "an endpoint of the relic" });
        return None;
    };
    let method = raw.method.map_or(Method::Get, Method::from);
    Some(RelicEndpoint { name: raw.name.unwrap_or_else(|| format!("{} {path}", method.as_str())), method, path })
}

fn health(raw: Located<RawRelicHealth>, ports: &[u16], problems: &mut Problems) -> Option<RelicHealth> {
    const INTERVAL: &str = "500ms";
    const RETRIES: u64 = 60;
    let Located { value: raw, at } = raw;
    let interval = quantity_of("interval", raw.interval.as_ref().map(|l| (&l.value.0, l.at)), problems);
    let retries = quantity_of::<Count>("retries", raw.retries.as_ref().map(|l| (&l.value.0, l.at)), problems);
    let mut port = || match &raw.port {
        Some(written) => {
            let port = port_of(written, problems)?;
            let known = ports.contains(&port).then_some(port);
            problems.check(written.at, known.ok_or(Rule::HealthPort { port }))
        }
        None => problems.check(at, ports.first().copied().ok_or(Rule::HealthWithoutPort)),
    };
    let probe = match raw.kind.unwrap_or(RawRelicHealthType::ApiRequest) {
        RawRelicHealthType::None => return None,
        RawRelicHealthType::ApiRequest => RelicProbe::ApiRequest {
            port: port()?,
            endpoint: raw.endpoint.map_or_else(|| "/health".to_owned(), |endpoint| endpoint.value),
            contains: raw.expected_output_contains,
        },
        RawRelicHealthType::Tcp => RelicProbe::Tcp { port: port()? },
        RawRelicHealthType::Script => {
            let command = raw.command.and_then(|command| Command::from_raw(command.value));
            let incomplete = Rule::HealthCheckIncomplete { kind: "script", field: "command" };
            let expected = Expected {
                exit_code: raw.expected_exit_code.unwrap_or(0),
                output_contains: raw.expected_output_contains,
            };
            RelicProbe::Script { command: problems.check(at, command.ok_or(incomplete))?, expected }
        }
    };
    Some(RelicHealth {
        probe,
        interval_ms: interval.or_else(|| INTERVAL.parse().ok())?,
        retries: retries.map_or(RETRIES, Count::number),
    })
}
