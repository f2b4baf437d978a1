//! The `implementation` section as it was written: how the tool is built, started, bounded and probed.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{MapOrList, OneOrMany, RawCount, RawCpu, RawDuration, RawRunsOn, RawSize};
use crate::located::Located;

/// How the tool is built and run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Implementation")]
pub(crate) struct RawImplementation {
    /// What kind of thing the tool is. Absent means `script`.
    ///
    /// ```yaml
    /// type: script
    /// ```
    #[serde(rename = "type")]
    pub(crate) kind: Option<RawImplementationType>,
    /// What the tool is written in or runs on: a name, or an image such as `ruby:3.3-slim`, in which `entrypoint` is a command
    /// line. Absent means that the end of `entrypoint` decides.
    ///
    /// ```yaml
    /// runtime: python3
    /// ```
    pub(crate) runtime: Option<Located<RawRunsOn>>,
    /// The file that is the tool, relative to this manifest; for a container or an api, what starts it.
    ///
    /// ```yaml
    /// entrypoint: ./scripts/calculator.py
    /// ```
    pub(crate) entrypoint: Option<Located<String>>,
    /// Where the tool runs. `auto` prefers the sandbox and falls back to a container, saying why.
    ///
    /// ```yaml
    /// backend: auto
    /// ```
    pub(crate) backend: Option<RawBackend>,
    /// What one call may use. Every limit has a default, and a ceiling that the operator sets.
    ///
    /// ```yaml
    /// resources: { memory: 64M, timeout: 5 }
    /// ```
    pub(crate) resources: Option<RawResources>,
    /// How the tool is built.
    ///
    /// ```yaml
    /// build: { engine: pip, requirements_file: requirements.txt }
    /// ```
    pub(crate) build: Option<RawBuild>,
    /// How to find out whether the tool works.
    ///
    /// ```yaml
    /// health_check:
    ///   type: script
    ///   command: ["python3", "scripts/sys_info.py", '{"operation": "health_check"}']
    /// ```
    pub(crate) health_check: Option<Located<RawHealthCheck>>,
    /// Containers that are started before they are needed and wait for their one call. At most 16; only for containers.
    ///
    /// ```yaml
    /// warm: 2
    /// ```
    pub(crate) warm: Option<Located<RawCount>>,
    /// The author's promise that a call leaves nothing behind in the process: one container then answers one call after
    /// another. A program gets each input as a line and answers in a line. Only for containers.
    ///
    /// ```yaml
    /// reuse: true
    /// ```
    pub(crate) reuse: Option<Located<bool>>,
}

/// What kind of thing the tool is.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "ImplementationType")]
pub(crate) enum RawImplementationType {
    Script,
    Container,
    Api,
    Binary,
}

/// What the tool is written in or runs on. `python`, `nodejs` and `shell` are other names of `python3`, `node` and `bash`;
/// `component` is a finished WebAssembly component.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Runtime")]
pub(crate) enum RawRuntime {
    Python3,
    Python,
    Node,
    Nodejs,
    Go,
    Bash,
    Shell,
    Docker,
    Rust,
    JavaScript,
    TypeScript,
    TinyGo,
    Component,
}

/// Where the tool runs.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Backend")]
pub(crate) enum RawBackend {
    Auto,
    Wasm,
    Docker,
}

/// What one call may use. Every limit has a default, and a ceiling that the operator sets.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Resources")]
pub(crate) struct RawResources {
    /// Memory. Units are powers of 1024, as Docker reads them; a bare number is bytes.
    ///
    /// ```yaml
    /// memory: 64M
    /// ```
    pub(crate) memory: Option<Located<RawSize>>,
    /// Share of processor cores.
    ///
    /// ```yaml
    /// cpu: "0.5"
    /// ```
    pub(crate) cpu: Option<Located<RawCpu>>,
    /// Time until the call is stopped. A bare number is seconds.
    ///
    /// ```yaml
    /// timeout: 5
    /// ```
    pub(crate) timeout: Option<Located<RawDuration>>,
    /// Bytes that the call may write to files. Units as for `memory`.
    ///
    /// ```yaml
    /// disk: 16M
    /// ```
    pub(crate) disk: Option<Located<RawSize>>,
    /// Instructions that the call may execute, counted by the sandbox. A count: `2G` is two thousand million.
    ///
    /// ```yaml
    /// fuel: 2G
    /// ```
    pub(crate) fuel: Option<Located<RawCount>>,
    /// Bytes that the call may answer. Units as for `memory`.
    ///
    /// ```yaml
    /// output: 1M
    /// ```
    pub(crate) output: Option<Located<RawSize>>,
    /// Bytes that the call's input may have, as JSON. Units as for `memory`.
    ///
    /// ```yaml
    /// input: 4M
    /// ```
    pub(crate) input: Option<Located<RawSize>>,
    /// Core WebAssembly instances, memories and tables that the tool may consist of: each at most this many.
    ///
    /// ```yaml
    /// instances: 32
    /// ```
    pub(crate) instances: Option<Located<RawCount>>,
    /// Streams, requests, open files and other things of the host's that the call may hold at the same time.
    ///
    /// ```yaml
    /// handles: 4096
    /// ```
    pub(crate) handles: Option<Located<RawCount>>,
    /// Bytes that may go from the tool to the host, or back, in one call of a function of the host's. Units as for `memory`.
    ///
    /// ```yaml
    /// copy: 32M
    /// ```
    pub(crate) copy: Option<Located<RawSize>>,
    /// Random bytes that the call may ask for, in all. Units as for `memory`.
    ///
    /// ```yaml
    /// random: 4M
    /// ```
    pub(crate) random: Option<Located<RawSize>>,
    /// Lines that the call may write into its record. Those beyond are dropped and counted.
    ///
    /// ```yaml
    /// log: 5000
    /// ```
    pub(crate) log: Option<Located<RawCount>>,
    /// What else the call may do to files. What it may write is `disk`.
    ///
    /// ```yaml
    /// files: { created: 5000 }
    /// ```
    pub(crate) files: Option<RawFiles>,
    /// What the tool may keep in its state.
    ///
    /// ```yaml
    /// state: { keys: 50000, size: 64M }
    /// ```
    pub(crate) state: Option<RawStateLimits>,
    /// What the HTTP requests of the call may use.
    ///
    /// ```yaml
    /// http: { requests: 64, response: 32M }
    /// ```
    pub(crate) http: Option<RawHttp>,
}

/// What the HTTP requests of one call may use.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Http")]
pub(crate) struct RawHttp {
    /// How many there may be.
    ///
    /// ```yaml
    /// requests: 64
    /// ```
    pub(crate) requests: Option<Located<RawCount>>,
    /// How many there may be at the same time.
    ///
    /// ```yaml
    /// concurrent: 16
    /// ```
    pub(crate) concurrent: Option<Located<RawCount>>,
    /// Bytes that one request may carry. Units as for `memory`.
    ///
    /// ```yaml
    /// request: 4M
    /// ```
    pub(crate) request: Option<Located<RawSize>>,
    /// Bytes that the answer to one request may have. Units as for `memory`.
    ///
    /// ```yaml
    /// response: 32M
    /// ```
    pub(crate) response: Option<Located<RawSize>>,
    /// Bytes that the headers of one request may have, and those of one answer. Units as for `memory`.
    ///
    /// ```yaml
    /// headers: 128K
    /// ```
    pub(crate) headers: Option<Located<RawSize>>,
    /// Time to connect, to the first byte of the answer, and between two pieces of it: each at most this long.
    ///
    /// ```yaml
    /// timeout: 10
    /// ```
    pub(crate) timeout: Option<Located<RawDuration>>,
}

/// What one call may do to files, besides what it may write.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Files")]
pub(crate) struct RawFiles {
    /// Files, folders and links that may be created.
    ///
    /// ```yaml
    /// created: 5000
    /// ```
    pub(crate) created: Option<Located<RawCount>>,
    /// Bytes that one path may have. Units as for `memory`.
    ///
    /// ```yaml
    /// path: 1K
    /// ```
    pub(crate) path: Option<Located<RawSize>>,
    /// Entries that a folder may have that is listed.
    ///
    /// ```yaml
    /// listed: 500000
    /// ```
    pub(crate) listed: Option<Located<RawCount>>,
}

/// What a tool may keep in its state.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "StateLimits")]
pub(crate) struct RawStateLimits {
    /// How many keys there may be.
    ///
    /// ```yaml
    /// keys: 50000
    /// ```
    pub(crate) keys: Option<Located<RawCount>>,
    /// Bytes that all keys and values may have. Units as for `memory`.
    ///
    /// ```yaml
    /// size: 64M
    /// ```
    pub(crate) size: Option<Located<RawSize>>,
    /// Bytes that one key may have. Units as for `memory`.
    ///
    /// ```yaml
    /// key: 2K
    /// ```
    pub(crate) key: Option<Located<RawSize>>,
}

/// How the tool is built.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Build")]
pub(crate) struct RawBuild {
    /// What builds the tool. `quickjs` and `spidermonkey` are what JavaScript runs on in a component: without it the program
    /// decides, by what it uses.
    ///
    /// ```yaml
    /// engine: pip
    /// ```
    pub(crate) engine: Option<Located<RawEngine>>,
    /// The list of the tool's libraries, relative to this manifest.
    ///
    /// ```yaml
    /// requirements_file: requirements.txt
    /// ```
    pub(crate) requirements_file: Option<Located<String>>,
    /// A command to run instead of the engine's own.
    ///
    /// ```yaml
    /// build_command: npm run build
    /// ```
    pub(crate) build_command: Option<Located<String>>,
    /// Values for the build, as a mapping, or arguments for it, as a list.
    ///
    /// ```yaml
    /// build_args: { PYTHON_VERSION: "3.11" }
    /// ```
    pub(crate) build_args: Option<MapOrList>,
    /// A Dockerfile of your own, relative to this manifest. Without it one is generated when it is needed.
    ///
    /// ```yaml
    /// dockerfile: ./Dockerfile
    /// ```
    pub(crate) dockerfile: Option<Located<String>>,
    /// Packages of Debian that the tool needs in its container.
    ///
    /// ```yaml
    /// packages: [jq, poppler-utils]
    /// ```
    pub(crate) packages: Option<Vec<Located<String>>>,
    /// What Rust compiles for. `wasm32-unknown-unknown` is smaller and has no clock, files or standard streams.
    ///
    /// ```yaml
    /// target: wasm32-wasip2
    /// ```
    pub(crate) target: Option<Located<RawTarget>>,
    /// The SHA-256 digest of a finished component, in hexadecimal. A component that differs is not run.
    ///
    /// ```yaml
    /// sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
    /// ```
    #[schemars(regex(pattern = "^[0-9a-fA-F]{64}$"))]
    pub(crate) sha256: Option<Located<String>>,
}

/// What builds the tool.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Engine")]
pub(crate) enum RawEngine {
    Pip,
    Npm,
    Go,
    Docker,
    Cargo,
    QuickJs,
    SpiderMonkey,
}

/// What Rust compiles for.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[schemars(rename = "Target")]
pub(crate) enum RawTarget {
    #[serde(rename = "wasm32-wasip2")]
    Wasm32Wasip2,
    #[serde(rename = "wasm32-unknown-unknown")]
    Wasm32UnknownUnknown,
}

/// How to find out whether the tool works.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "HealthCheck")]
pub(crate) struct RawHealthCheck {
    /// `script` runs `command`, `api_request` asks `endpoint`, `none` checks nothing. Absent means `none`.
    ///
    /// ```yaml
    /// type: script
    /// ```
    #[serde(rename = "type")]
    pub(crate) kind: Option<RawHealthCheckType>,
    /// The command, as one line for the shell or as a list.
    ///
    /// ```yaml
    /// command: ["python3", "scripts/calculator.py", '{"expression": "1 + 1"}']
    /// ```
    pub(crate) command: Option<Located<OneOrMany>>,
    /// The exit code of a healthy tool. Absent means 0.
    ///
    /// ```yaml
    /// expected_exit_code: 0
    /// ```
    pub(crate) expected_exit_code: Option<u8>,
    /// Text that the output of a healthy tool contains.
    ///
    /// ```yaml
    /// expected_output_contains: success
    /// ```
    pub(crate) expected_output_contains: Option<String>,
    /// What to ask, for `api_request`.
    ///
    /// ```yaml
    /// endpoint: /health
    /// ```
    pub(crate) endpoint: Option<Located<String>>,
    /// Time between two checks. A bare number is seconds.
    ///
    /// ```yaml
    /// interval: 30
    /// ```
    pub(crate) interval: Option<Located<RawDuration>>,
}

/// The kinds of health check.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "HealthCheckType")]
pub(crate) enum RawHealthCheckType {
    Script,
    ApiRequest,
    None,
}
