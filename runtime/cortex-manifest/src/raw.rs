//! The manifest exactly as it was written.
//!
//! These types are the published JSON Schema of `tool.yml`: every doc comment here is shown by editors, so each carries
//! an example. Unknown fields are refused everywhere, because a permission or a limit that was misspelt and then ignored
//! is worse than an error. What must be present is checked in `spec`, where several mistakes can be reported at once.

mod implementation;
mod mcp;
mod network_rule;
mod one_or_many;
mod parameter;
mod permissions;
mod policy;
mod relic;
mod runtime;
mod scalar;

pub(crate) use implementation::{
    RawBackend, RawBuild, RawEngine, RawHealthCheck, RawHealthCheckType, RawHttp, RawImplementation,
    RawImplementationType, RawResources, RawRuntime, RawTarget,
};
pub(crate) use mcp::{RawAsk, RawMcp, RawPublish, RawResultForm};
pub(crate) use network_rule::{RawMethod, RawNetworkMethods, RawNetworkRule};
pub(crate) use one_or_many::{MapOrList, OneOrMany};
pub(crate) use parameter::{RawParameter, RawParameterType, RawValidation};
pub(crate) use permissions::{RawAccess, RawFilesystem, RawHostPart, RawPermissions, RawSecret, RawStatePer};
pub(crate) use policy::{RawCapabilities, RawCompile, RawFolder, RawPolicy, RawToolPolicy};
pub(crate) use relic::{
    RawDeployment, RawEndpoint, RawInterface, RawPraetorian, RawPraetorianRelic, RawRelic, RawRelicHealth,
    RawRelicHealthType,
};
pub(crate) use runtime::RawRunsOn;
pub(crate) use scalar::{RawCount, RawCpu, RawDuration, RawSize, RawText, RawVersion};

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::located::Located;

/// A tool of cortex-wasm: one file that says what the tool is, how it is built, what it takes and what it may touch.
///
/// ```yaml
/// kind: Tool
/// version: "1.0"
/// name: calculator
/// summary: Evaluates an arithmetic expression.
/// implementation:
///   type: script
///   runtime: python3
///   entrypoint: ./scripts/calculator.py
/// parameters:
///   - name: expression
///     type: string
///     required: true
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Tool", title = "Cortex tool manifest")]
pub(crate) struct RawManifest {
    /// What this file describes. Always `Tool`.
    ///
    /// ```yaml
    /// kind: Tool
    /// ```
    #[schemars(required, extend("const" = "Tool"))]
    pub(crate) kind: Option<Located<String>>,
    /// The version of this format. Always `"1.0"`.
    ///
    /// ```yaml
    /// version: "1.0"
    /// ```
    #[schemars(required)]
    pub(crate) version: Option<Located<RawVersion>>,
    /// The name the tool is called by: lower-case letters, digits, `_` and `-`, starting with a letter, at most 64.
    ///
    /// ```yaml
    /// name: web_search
    /// ```
    #[schemars(required, regex(pattern = "^[a-z][a-z0-9_-]{0,63}$"))]
    pub(crate) name: Option<Located<String>>,
    /// One sentence that tells an agent when to use the tool.
    ///
    /// ```yaml
    /// summary: Searches the web and returns titles, snippets and links.
    /// ```
    #[schemars(required, length(min = 1))]
    pub(crate) summary: Option<Located<String>>,
    /// Who wrote the tool. The original's documentation asks for it; a tool without an author still runs.
    ///
    /// ```yaml
    /// author: PRAETORIAN_CHIMERA
    /// ```
    pub(crate) author: Option<Located<String>>,
    /// How settled the tool is. Absent means `unstable`: nothing was promised.
    ///
    /// ```yaml
    /// state: stable
    /// ```
    pub(crate) state: Option<RawState>,
    /// A longer text for people and agents.
    ///
    /// ```yaml
    /// description: |
    ///   Knows + - * / ** and the usual functions.
    /// ```
    pub(crate) description: Option<Located<String>>,
    /// What comes back, in words.
    ///
    /// ```yaml
    /// returns: An object with `status` and `result`.
    /// ```
    pub(crate) returns: Option<Located<String>>,
    /// Words to find the tool by. Repeated ones count once.
    ///
    /// ```yaml
    /// tags: [math, utility]
    /// ```
    pub(crate) tags: Option<Vec<Located<RawText>>>,
    /// Anything else worth keeping; it is stored and shown, never interpreted.
    ///
    /// ```yaml
    /// metadata:
    ///   category: utility
    /// ```
    pub(crate) metadata: Option<Map<String, Value>>,
    /// Names of other manifests that this one uses.
    ///
    /// ```yaml
    /// dependencies: []
    /// ```
    pub(crate) dependencies: Option<Vec<Located<String>>>,
    /// How the tool is built and run.
    ///
    /// ```yaml
    /// implementation:
    ///   type: script
    ///   runtime: python3
    ///   entrypoint: ./scripts/calculator.py
    /// ```
    #[schemars(required)]
    pub(crate) implementation: Option<Located<RawImplementation>>,
    /// What the tool takes, in the order in which people should read it.
    ///
    /// ```yaml
    /// parameters:
    ///   - name: query
    ///     type: string
    ///     description: What to search for.
    ///     required: true
    /// ```
    pub(crate) parameters: Option<Vec<Located<RawParameter>>>,
    /// Variables that the tool sees when it runs.
    ///
    /// ```yaml
    /// environment:
    ///   variables:
    ///     LOG_LEVEL: info
    /// ```
    pub(crate) environment: Option<RawEnvironment>,
    /// What the tool asks to touch. Everything that is not listed is denied.
    ///
    /// ```yaml
    /// permissions:
    ///   network: ["https://api.duckduckgo.com"]
    /// ```
    pub(crate) permissions: Option<Located<RawPermissions>>,
    /// How the tool appears to clients that speak the Model Context Protocol.
    ///
    /// ```yaml
    /// mcp:
    ///   title: Web search
    /// ```
    pub(crate) mcp: Option<Located<RawMcp>>,
    /// Calls that show how the tool is used. Each input must satisfy the parameters.
    ///
    /// ```yaml
    /// examples:
    ///   - description: Adds two numbers.
    ///     input: { expression: "2 + 2" }
    ///     output: { status: success, result: 4 }
    /// ```
    pub(crate) examples: Option<Vec<Located<RawExample>>>,
}

/// How settled a tool is. The original's documentation and its code name different words; all of them are accepted.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "State")]
pub(crate) enum RawState {
    Stable,
    Nightly,
    Unstable,
    Experimental,
    Deprecated,
}

/// Variables that the tool sees when it runs.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Environment")]
pub(crate) struct RawEnvironment {
    /// Fixed values. Numbers and booleans reach the tool as the text written here.
    ///
    /// ```yaml
    /// variables:
    ///   LOG_LEVEL: info
    ///   RETRIES: 3
    /// ```
    pub(crate) variables: Option<BTreeMap<String, Located<RawText>>>,
    /// Names of secrets that the operator supplies as variables. The tool sees their values: prefer `permissions.secrets`.
    ///
    /// ```yaml
    /// secrets: [API_KEY]
    /// ```
    pub(crate) secrets: Option<Vec<Located<String>>>,
    /// Files of `NAME=value` lines beside the manifest: one path or a list.
    ///
    /// ```yaml
    /// env_file: [".env"]
    /// ```
    pub(crate) env_file: Option<Located<OneOrMany>>,
}

/// A call that shows how the tool is used.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Example")]
pub(crate) struct RawExample {
    /// What the example shows.
    ///
    /// ```yaml
    /// description: Adds two numbers.
    /// ```
    pub(crate) description: Option<String>,
    /// The input of the call; it must satisfy the parameters. Absent means `{}`.
    ///
    /// ```yaml
    /// input: { expression: "2 + 2" }
    /// ```
    pub(crate) input: Option<Located<Map<String, Value>>>,
    /// What the tool answers.
    ///
    /// ```yaml
    /// output: { status: success, result: 4 }
    /// ```
    pub(crate) output: Option<Value>,
}
