//! A relic's manifest exactly as it was written, in both shapes of the original.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::located::Located;
use crate::raw::{
    OneOrMany, RawCount, RawDuration, RawEnvironment, RawImplementation, RawMethod, RawState, RawText, RawVersion,
};

/// A stateful service that tools may be granted: one file that says how it is started, kept and reached.
///
/// ```yaml
/// kind: Relic
/// version: "1.0"
/// name: kv_store
/// summary: Keeps values by their keys.
/// implementation: { runtime: python3, entrypoint: server.py }
/// interface: { type: rest_api, base_url: "http://localhost:8004" }
/// persistence: { volumes: [/data] }
/// ```
#[expect(dead_code, reason = "what only people read is accepted and checked for its shape")]
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Relic", title = "Cortex relic manifest")]
pub(crate) struct RawRelic {
    /// What this file describes. Always `Relic`.
    pub(crate) kind: Option<Located<String>>,
    /// The version of this format. Always `"1.0"`.
    pub(crate) version: Option<Located<RawVersion>>,
    /// The name under which tools reach it.
    pub(crate) name: Option<Located<String>>,
    /// One sentence that tells what it keeps.
    pub(crate) summary: Option<Located<String>>,
    /// Who wrote it.
    pub(crate) author: Option<String>,
    /// How settled it is.
    pub(crate) state: Option<RawState>,
    /// A longer text for people and agents.
    pub(crate) description: Option<String>,
    /// Words to find it by.
    pub(crate) tags: Option<Vec<RawText>>,
    /// Anything else worth keeping; it is never interpreted.
    pub(crate) metadata: Option<Map<String, Value>>,
    /// What kind of service it is, in the author's words.
    pub(crate) service_type: Option<String>,
    /// How it is built and started, as of a tool. `image` in `deployment` takes its place.
    pub(crate) implementation: Option<Located<RawImplementation>>,
    /// What it answers.
    pub(crate) interface: Option<RawInterface>,
    /// What it runs as.
    pub(crate) deployment: Option<Located<RawDeployment>>,
    /// How to find out whether it answers.
    pub(crate) health_check: Option<Located<RawRelicHealth>>,
    /// What of it outlives it.
    pub(crate) persistence: Option<RawPersistence>,
    /// Variables that it sees.
    pub(crate) environment: Option<RawEnvironment>,
    /// Other relics that are started before it.
    pub(crate) dependencies: Option<Vec<Located<String>>>,
}

/// What a relic answers.
#[expect(dead_code, reason = "what only people read is accepted and checked for its shape")]
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Interface")]
pub(crate) struct RawInterface {
    /// Such as `rest_api`.
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
    /// Where it listens; its port counts if `deployment.ports` names none.
    pub(crate) base_url: Option<Located<String>>,
    /// What it can be asked.
    pub(crate) endpoints: Option<Vec<Located<RawEndpoint>>>,
}

/// One thing that a relic can be asked.
#[expect(dead_code, reason = "what only people read is accepted and checked for its shape")]
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Endpoint")]
pub(crate) struct RawEndpoint {
    /// Its name, such as `set_value`.
    pub(crate) name: Option<String>,
    /// How it is asked. Absent means `GET`.
    pub(crate) method: Option<RawMethod>,
    /// Where, such as `/get/{key}`.
    pub(crate) path: Option<String>,
    /// What it does.
    pub(crate) description: Option<String>,
}

/// What a relic runs as.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Deployment")]
pub(crate) struct RawDeployment {
    /// A finished image.
    pub(crate) image: Option<Located<String>>,
    /// What is started in it, instead of what it says itself.
    pub(crate) command: Option<OneOrMany>,
    /// The ports on which it listens. Each is published on this machine's loopback.
    pub(crate) ports: Option<Vec<Located<RawCount>>>,
}

/// How to find out whether a relic answers.
///
/// ```yaml
/// health_check: { type: script, command: "redis-cli ping", expected_output_contains: PONG, retries: 20 }
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RelicHealthCheck")]
pub(crate) struct RawRelicHealth {
    /// `api_request` asks by HTTP, `tcp` connects, `script` runs a command in the container, `none` waits for nothing. Absent
    /// means `api_request`.
    #[serde(rename = "type")]
    pub(crate) kind: Option<RawRelicHealthType>,
    /// For `api_request`: what to ask. Absent means `/health`.
    pub(crate) endpoint: Option<Located<String>>,
    /// For `api_request` and `tcp`: which port. Absent means the first of `ports`.
    pub(crate) port: Option<Located<RawCount>>,
    /// For `script`: a line for the container's shell, or a list of a program and its arguments.
    pub(crate) command: Option<Located<OneOrMany>>,
    /// For `script`: the exit code of a healthy relic's command. Absent means 0.
    pub(crate) expected_exit_code: Option<u8>,
    /// Text that the answer, or the output of the command, contains if the relic is healthy.
    pub(crate) expected_output_contains: Option<String>,
    /// Time between two tries. A bare number is seconds.
    pub(crate) interval: Option<Located<RawDuration>>,
    /// How often it is tried. Absent means 60 times.
    pub(crate) retries: Option<Located<RawCount>>,
}

/// How a relic is asked whether it is healthy.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "RelicHealthCheckType")]
pub(crate) enum RawRelicHealthType {
    ApiRequest,
    Tcp,
    Script,
    None,
}

/// What of a relic outlives it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Persistence")]
pub(crate) struct RawPersistence {
    /// Folders in its container that are kept, such as `/data`.
    pub(crate) volumes: Option<Vec<Located<String>>>,
}

/// The original's older shape: `PraetorianRelics: { KeyValueStore: { … } }`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawPraetorian {
    #[serde(rename = "PraetorianRelics")]
    pub(crate) relics: Located<BTreeMap<String, RawPraetorianRelic>>,
}

/// A relic of the older shape.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawPraetorianRelic {
    #[serde(alias = "summary")]
    pub(crate) description: Option<Located<String>>,
    pub(crate) port: Option<Located<RawCount>>,
    pub(crate) implementation: Option<Located<RawImplementation>>,
    pub(crate) image: Option<Located<String>>,
    pub(crate) health_check: Option<Located<RawRelicHealth>>,
    pub(crate) persistence: Option<RawPersistence>,
    pub(crate) environment: Option<RawEnvironment>,
    pub(crate) operations: Option<Vec<Located<RawEndpoint>>>,
}
