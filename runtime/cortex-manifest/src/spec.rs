//! What a manifest means.
//!
//! Only these types reach the rest of the system. Each is made by a constructor that can refuse, so whoever holds one need
//! not check it again.

mod build;
mod field;
mod health_check;
mod implementation;
mod mcp;
mod parameter;
mod permissions;
mod relic;

pub use build::{Build, BuildArgs, Engine, Sha256Digest, Target};
pub(crate) use field::quantity_of;
pub use health_check::{Command, Expected, HealthCheck};
pub use implementation::{
    Backend, Entrypoint, FileResources, HttpResources, Implementation, ImplementationType, Resources, Runtime,
    StateResources, WARM_MAX,
};
pub use mcp::{Ask, Mcp, Publish, ResultForm};
pub use parameter::{Parameter, ParameterType, Validation};
pub use permissions::{Access, FolderRequest, HostPart, Permissions, SecretRequest, SecretUse, StatePer};
pub(crate) use permissions::{host_part, network_rule};
pub(crate) use relic::modern;
pub use relic::{RelicEndpoint, RelicHealth, RelicProbe, RelicSpec};

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::error::{ManifestError, Problems};
use crate::input::InputSchema;
use crate::located::{Located, Position};
use crate::name::{ToolName, VariableName};
use crate::path::ManifestPath;
use crate::quantity::shorten;
use crate::raw::{OneOrMany, RawEnvironment, RawExample, RawManifest, RawState};
use crate::rule::Rule;
use crate::yaml;

/// A tool: what it is, how it is built, what it takes and what it asks to touch.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ToolSpec {
    pub name: ToolName,
    pub summary: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    pub state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub returns: Option<String>,
    /// In the order written, each once.
    pub tags: Vec<String>,
    pub metadata: Map<String, Value>,
    pub dependencies: Vec<String>,
    pub implementation: Implementation,
    pub environment: Environment,
    pub permissions: Permissions,
    #[serde(skip_serializing_if = "Mcp::is_default")]
    pub mcp: Mcp,
    pub examples: Vec<Example>,
    /// Private, because the schema is made from them and must go on saying the same.
    parameters: Vec<Parameter>,
    input_schema: InputSchema,
}

/// How settled a tool is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Stable,
    Nightly,
    /// Nothing was promised.
    #[default]
    Unstable,
    Experimental,
    Deprecated,
}

/// Variables that the tool sees when it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Environment {
    pub variables: BTreeMap<VariableName, String>,
    /// Secrets that the operator supplies as variables.
    pub secrets: Vec<VariableName>,
    pub env_files: Vec<ManifestPath>,
}

/// A call that shows how the tool is used. Its input satisfies the tool's schema.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Example {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub input: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
}

/// The part of a manifest that decides what a build makes, in the order in which it is hashed.
#[derive(Serialize)]
struct BuildInputs<'a> {
    #[serde(rename = "type")]
    kind: ImplementationType,
    runtime: Option<Runtime>,
    entrypoint: Option<&'a Entrypoint>,
    build: &'a Build,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<&'a str>,
    /// Whether it asks for a server at all: some languages link their HTTP client only then.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    network: bool,
}

impl ToolSpec {
    /// Reads a manifest. `path` only appears in messages: nothing is opened.
    pub fn parse(path: &Path, yaml: &str) -> Result<ToolSpec, ManifestError> {
        let raw = yaml::read(yaml).map_err(|(at, rule)| ManifestError::one(path, yaml, at, rule))?;
        let mut problems = Problems::default();
        let spec = ToolSpec::from_raw(raw, &mut problems);
        match (problems.into_error(path, yaml), spec) {
            (None, Some(spec)) => Ok(spec),
            (Some(error), _) => Err(error),
            // Every path that yields no spec notes a problem; should one forget, an error beats a panic.
            (None, None) => Err(ManifestError::one(path, yaml, Position::START, Rule::Empty)),
        }
    }

    /// A tool that is only a component: its interface says what it takes, and it asks for nothing.
    pub fn for_component(name: ToolName, summary: impl Into<String>, input_schema: InputSchema) -> ToolSpec {
        ToolSpec {
            name,
            summary: summary.into(),
            author: None,
            state: State::default(),
            description: None,
            returns: None,
            tags: Vec::new(),
            metadata: Map::new(),
            dependencies: Vec::new(),
            implementation: Implementation::of_component(),
            environment: Environment::default(),
            permissions: Permissions::default(),
            mcp: Mcp::default(),
            examples: Vec::new(),
            parameters: Vec::new(),
            input_schema,
        }
    }

    /// What the tool takes, in the order written. Empty for a component without a manifest, whose schema says it all.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    pub fn input_schema(&self) -> &InputSchema {
        &self.input_schema
    }

    /// The part of the manifest that decides what a build makes, as canonical JSON: to be hashed into the build's digest.
    /// A new description or limit leaves it unchanged.
    #[expect(clippy::missing_panics_doc, reason = "text keys and plain values cannot fail to serialize")]
    pub fn build_inputs(&self) -> Vec<u8> {
        let implementation = &self.implementation;
        let inputs = BuildInputs {
            kind: implementation.kind,
            runtime: implementation.runtime,
            entrypoint: implementation.entrypoint.as_ref(),
            build: &implementation.build,
            image: implementation.image.as_deref(),
            network: !self.permissions.network.is_empty(),
        };
        serde_json::to_vec(&inputs).expect("plain data with text keys is always JSON")
    }

    fn from_raw(raw: Located<RawManifest>, problems: &mut Problems) -> Option<ToolSpec> {
        let Located { value: raw, at } = raw;
        check_header(&raw, at, problems);
        let name = raw.name.and_then(|text| problems.check(text.at, ToolName::new(text.value).map_err(Rule::Name)));
        let summary = raw.summary.and_then(|text| field::text_of("summary", &text, problems));
        let implementation = raw.implementation.map(|raw| Implementation::from_raw(raw, problems));
        let parameters = parameter::parameters_from_raw(raw.parameters.unwrap_or_default(), problems);
        let input_schema = parameter::input_schema(&parameters);
        let examples = raw.examples.unwrap_or_default();
        let examples = examples_from_raw(examples, input_schema.as_ref().filter(|_| problems.is_empty()), problems);
        let environment = raw.environment.map(|raw| Environment::from_raw(raw, problems)).unwrap_or_default();
        let permissions = raw.permissions.map(|raw| Permissions::from_raw(raw.value, problems)).unwrap_or_default();
        let mcp = raw.mcp.map(|raw| Mcp::from_raw(raw, &parameters, problems)).unwrap_or_default();
        let mut tags: Vec<String> = Vec::new();
        for Located { value: tag, .. } in raw.tags.unwrap_or_default() {
            if !tags.contains(&tag.0) {
                tags.push(tag.0);
            }
        }
        Some(ToolSpec {
            name: name?,
            summary: summary?,
            author: raw.author.map(|author| author.value),
            state: raw.state.map(State::from).unwrap_or_default(),
            description: raw.description.map(|text| text.value),
            returns: raw.returns.map(|text| text.value),
            tags,
            metadata: raw.metadata.unwrap_or_default(),
            dependencies: raw.dependencies.unwrap_or_default().into_iter().map(|name| name.value).collect(),
            implementation: implementation?,
            environment,
            permissions,
            mcp,
            examples,
            parameters,
            input_schema: input_schema?,
        })
    }
}

fn check_header(raw: &RawManifest, at: Position, problems: &mut Problems) {
    let present = [
        ("kind", raw.kind.is_some()),
        ("version", raw.version.is_some()),
        ("name", raw.name.is_some()),
        ("summary", raw.summary.is_some()),
        ("implementation", raw.implementation.is_some()),
    ];
    for (field, present) in present {
        if !present {
            problems.add(at, Rule::MissingField { field, inside: "the manifest" });
        }
    }
    if let Some(kind) = raw.kind.as_ref().filter(|kind| kind.value != "Tool") {
        problems.add(kind.at, Rule::Kind { kind: shorten(&kind.value) });
    }
    if let Some(version) = raw.version.as_ref().filter(|version| version.value.0 != "1.0") {
        problems.add(version.at, Rule::Version { version: shorten(&version.value.0) });
    }
}

/// Examples are only held against parameters that are right themselves.
fn examples_from_raw(
    raw: Vec<Located<RawExample>>,
    schema: Option<&InputSchema>,
    problems: &mut Problems,
) -> Vec<Example> {
    let mut examples = Vec::new();
    for (index, Located { value: raw, at }) in raw.into_iter().enumerate() {
        let at = raw.input.as_ref().map_or(at, |input| input.at);
        let input = raw.input.map(|input| input.value).unwrap_or_default();
        if let Some(schema) = schema {
            let given = Value::Object(input.clone());
            if let Err(error) = schema.apply(&given) {
                let example = raw.description.as_deref().map_or_else(|| format!("number {}", index + 1), shorten);
                for violation in error.violations() {
                    let violation = Box::new(violation.clone());
                    problems.add(at, Rule::Example { example: example.clone(), violation });
                }
            }
        }
        examples.push(Example { description: raw.description, input, output: raw.output });
    }
    examples
}

impl Environment {
    fn from_raw(raw: RawEnvironment, problems: &mut Problems) -> Environment {
        let mut environment = Environment::default();
        for (name, value) in raw.variables.unwrap_or_default() {
            if let Some(name) = problems.check(value.at, VariableName::new(name).map_err(Rule::Name)) {
                environment.variables.insert(name, value.value.0);
            }
        }
        for name in raw.secrets.unwrap_or_default() {
            environment.secrets.extend(problems.check(name.at, VariableName::new(name.value).map_err(Rule::Name)));
        }
        let files = match raw.env_file {
            None => Vec::new(),
            Some(Located { value: OneOrMany::One(file), at }) => vec![Located { value: file, at }],
            Some(Located { value: OneOrMany::Many(files), .. }) => files,
        };
        for file in files {
            environment.env_files.extend(field::path_of("env_file", &file, problems));
        }
        environment
    }
}

impl From<RawState> for State {
    fn from(raw: RawState) -> State {
        match raw {
            RawState::Stable => State::Stable,
            RawState::Nightly => State::Nightly,
            RawState::Unstable => State::Unstable,
            RawState::Experimental => State::Experimental,
            RawState::Deprecated => State::Deprecated,
        }
    }
}

#[cfg(test)]
mod tests;
