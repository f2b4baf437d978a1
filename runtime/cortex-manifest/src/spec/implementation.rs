//! How the tool is built, started, bounded and probed.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::build::Build;
use super::field::{path_of, quantity_of, text_of};
use super::health_check::HealthCheck;
use crate::error::{ManifestError, Problems};
use crate::located::{Located, Position};
use crate::path::ManifestPath;
use crate::quantity::{ByteSize, Count, Fuel, MilliCpu, Milliseconds, shorten};
use crate::raw::{
    RawBackend, RawCount, RawHttp, RawImplementation, RawImplementationType, RawResources, RawRunsOn, RawRuntime,
};
use crate::rule::Rule;
use crate::yaml;

/// How the tool is built and run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Implementation {
    #[serde(rename = "type")]
    pub kind: ImplementationType,
    /// `None` only for an api or a binary, which bring their own.
    pub runtime: Option<Runtime>,
    pub entrypoint: Option<Entrypoint>,
    pub backend: Backend,
    pub resources: Resources,
    pub build: Build,
    pub health_check: HealthCheck,
    /// What `runtime` names, if that is an image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Containers that wait, started, for their one call.
    #[serde(skip_serializing_if = "is_zero")]
    pub warm: u8,
    /// Whether one container answers one call after another.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub reuse: bool,
}

/// The most containers that wait for calls of one tool: each holds the memory of a started interpreter.
pub const WARM_MAX: u8 = 16;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &u8) -> bool {
    *number == 0
}

/// What kind of thing the tool is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ImplementationType {
    Script,
    Container,
    Api,
    Binary,
}

/// What the tool is written in or runs on. The original's second names (`python`, `nodejs`, `shell`) are folded in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Runtime {
    Python3,
    Node,
    Go,
    Bash,
    Docker,
    Rust,
    JavaScript,
    TypeScript,
    TinyGo,
    /// A finished WebAssembly component: nothing to build.
    Component,
}

/// What is started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Entrypoint {
    /// A file beside the manifest.
    File(ManifestPath),
    /// For containers and apis: a path inside an image, a command or an address. It is not looked for beside the manifest.
    Foreign(String),
}

/// Where the tool runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// The sandbox where it can, otherwise a container.
    #[default]
    Auto,
    Wasm,
    Docker,
}

/// What one call asks for. `None` is the runtime's default, never "unlimited".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Resources {
    pub memory_bytes: Option<ByteSize>,
    pub cpu_millis: Option<MilliCpu>,
    pub timeout_ms: Option<Milliseconds>,
    pub disk_bytes: Option<ByteSize>,
    pub fuel: Option<Fuel>,
    pub output_bytes: Option<ByteSize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_bytes: Option<ByteSize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instances: Option<Count>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handles: Option<Count>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub copy_bytes: Option<ByteSize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub random_bytes: Option<ByteSize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_lines: Option<Count>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<FileResources>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<StateResources>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpResources>,
}

/// What one call asks to do to files, besides what it writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FileResources {
    pub created: Option<Count>,
    pub path_bytes: Option<ByteSize>,
    pub listed: Option<Count>,
}

/// What a tool asks to keep in its state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct StateResources {
    pub keys: Option<Count>,
    pub size_bytes: Option<ByteSize>,
    pub key_bytes: Option<ByteSize>,
}

/// What the HTTP requests of one call ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct HttpResources {
    pub requests: Option<Count>,
    pub concurrent: Option<Count>,
    pub request_bytes: Option<ByteSize>,
    pub response_bytes: Option<ByteSize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header_bytes: Option<ByteSize>,
    pub timeout_ms: Option<Milliseconds>,
}

impl ImplementationType {
    pub fn as_str(self) -> &'static str {
        match self {
            ImplementationType::Script => "script",
            ImplementationType::Container => "container",
            ImplementationType::Api => "api",
            ImplementationType::Binary => "binary",
        }
    }
}

impl Backend {
    pub fn as_str(self) -> &'static str {
        match self {
            Backend::Auto => "auto",
            Backend::Wasm => "wasm",
            Backend::Docker => "docker",
        }
    }
}

impl Runtime {
    pub fn as_str(self) -> &'static str {
        match self {
            Runtime::Python3 => "python3",
            Runtime::Node => "node",
            Runtime::Go => "go",
            Runtime::Bash => "bash",
            Runtime::Docker => "docker",
            Runtime::Rust => "rust",
            Runtime::JavaScript => "javascript",
            Runtime::TypeScript => "typescript",
            Runtime::TinyGo => "tinygo",
            Runtime::Component => "component",
        }
    }

    /// The runtime of a file, by the end of its name.
    pub fn of_file(path: &ManifestPath) -> Option<Runtime> {
        match path.as_path().extension()?.to_str()? {
            "py" => Some(Runtime::Python3),
            "js" | "mjs" => Some(Runtime::JavaScript),
            "ts" => Some(Runtime::TypeScript),
            "go" => Some(Runtime::Go),
            "rs" => Some(Runtime::Rust),
            "sh" | "bash" => Some(Runtime::Bash),
            "wasm" => Some(Runtime::Component),
            _ => None,
        }
    }
}

impl Implementation {
    /// For a component that has no manifest.
    pub(crate) fn of_component() -> Implementation {
        Implementation {
            kind: ImplementationType::Binary,
            runtime: Some(Runtime::Component),
            entrypoint: None,
            backend: Backend::Wasm,
            resources: Resources::default(),
            build: Build::default(),
            health_check: HealthCheck::None,
            image: None,
            warm: 0,
            reuse: false,
        }
    }

    pub(crate) fn from_raw(raw: Located<RawImplementation>, problems: &mut Problems) -> Implementation {
        let Located { value: raw, at } = raw;
        let kind = raw.kind.map_or(ImplementationType::Script, ImplementationType::from);
        let (written, image) = match raw.runtime {
            None => (None, None),
            Some(Located { value: RawRunsOn::Runtime(runtime), .. }) => (Some(Runtime::from(runtime)), None),
            Some(Located { value: RawRunsOn::Image(image), at }) => {
                if !is_image(&image) {
                    problems.add(at, Rule::Image { image: shorten(&image) });
                }
                (Some(Runtime::Docker), Some(image))
            }
        };
        let reuse = raw.reuse.as_ref().is_some_and(|reuse| reuse.value);
        let warm = raw.warm.map_or(0, |warm| warm_from_raw(&warm, reuse, problems));
        if raw.entrypoint.is_none() && (kind == ImplementationType::Binary || written == Some(Runtime::Component)) {
            problems.add(at, Rule::MissingEntrypoint { kind: kind.as_str() });
        }
        // A wrong entry point is reported once; a second message about its runtime would only distract.
        let unwritten = raw.entrypoint.is_none();
        let entrypoint = raw.entrypoint.and_then(|text| parse_entrypoint(kind, written, &text, problems));
        let runtime = match written {
            None if entrypoint.is_some() || unwritten => infer_runtime(kind, entrypoint.as_ref(), at, problems),
            written => written,
        };
        let backend = raw.backend.map_or(Backend::Auto, Backend::from);
        if let (Some(runtime @ Runtime::Docker), Backend::Wasm) = (runtime, backend) {
            problems.add(at, Rule::BackendCannotRun { runtime: runtime.as_str(), backend: backend.as_str() });
        }
        Implementation {
            kind,
            runtime,
            entrypoint,
            backend,
            resources: raw.resources.map(|raw| Resources::from_raw(&raw, problems)).unwrap_or_default(),
            build: raw.build.map(|raw| Build::from_raw(raw, runtime, problems)).unwrap_or_default(),
            health_check: raw.health_check.map(|raw| HealthCheck::from_raw(raw, problems)).unwrap_or_default(),
            image,
            warm,
            reuse,
        }
    }
}

fn warm_from_raw(warm: &Located<RawCount>, reuse: bool, problems: &mut Problems) -> u8 {
    let count = quantity_of::<Count>("warm", Some((&warm.value.0, warm.at)), problems).map_or(0, Count::number);
    if reuse {
        // One waits for the single call of its life, the other has no end of them.
        problems.add(warm.at, Rule::WarmAndReuse);
    }
    if let Ok(count @ ..=WARM_MAX) = u8::try_from(count) {
        return count;
    }
    problems.add(warm.at, Rule::TooManyWarm { count, limit: WARM_MAX });
    0
}

/// `[server[:port]/]name[:tag][@sha256:digest]`, as far as no other character can end up in a Dockerfile.
pub(crate) fn is_image(image: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-/:@".contains(c);
    image.len() <= 255 && image.starts_with(|c: char| c.is_ascii_alphanumeric()) && image.chars().all(allowed)
}

/// The file of a script or binary is read by the build, so it must lie in the tool's folder. What starts a container or an
/// api is none of our files.
fn parse_entrypoint(
    kind: ImplementationType,
    runtime: Option<Runtime>,
    text: &Located<String>,
    problems: &mut Problems,
) -> Option<Entrypoint> {
    let foreign = matches!(kind, ImplementationType::Container | ImplementationType::Api);
    if foreign || runtime == Some(Runtime::Docker) {
        return text_of("entrypoint", text, problems).map(Entrypoint::Foreign);
    }
    path_of("entrypoint", text, problems).map(Entrypoint::File)
}

fn infer_runtime(
    kind: ImplementationType,
    entrypoint: Option<&Entrypoint>,
    at: Position,
    problems: &mut Problems,
) -> Option<Runtime> {
    match (kind, entrypoint) {
        (ImplementationType::Container, _) => Some(Runtime::Docker),
        (ImplementationType::Binary, Some(Entrypoint::File(path))) => Runtime::of_file(path),
        (ImplementationType::Script, Some(Entrypoint::File(path))) => {
            let runtime = Runtime::of_file(path);
            if runtime.is_none() {
                problems.add(at, Rule::UnknownRuntime { entrypoint: shorten(path.as_str()) });
            }
            runtime
        }
        (ImplementationType::Script, None) => {
            problems.add(at, Rule::MissingField { field: "runtime", inside: "`implementation`" });
            None
        }
        (ImplementationType::Api, _)
        | (ImplementationType::Script | ImplementationType::Binary, Some(Entrypoint::Foreign(_)))
        | (ImplementationType::Binary, None) => None,
    }
}

impl Resources {
    /// Limits as they are named on a command line: `fuel=500M`, `http.requests=3`.
    pub fn from_names<'a>(limits: impl IntoIterator<Item = &'a str>) -> Result<Resources, ManifestError> {
        let mut sections: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for limit in limits {
            let (name, value) = limit.split_once('=').unwrap_or((limit, ""));
            let (section, name) = name.split_once('.').unwrap_or(("", name));
            // Text in JSON is text in YAML.
            sections.entry(section).or_default().push(format!("{name:?}: {value:?}"));
        }
        let own = sections.remove("").unwrap_or_default();
        let nested = sections.into_iter().map(|(name, limits)| format!("{name:?}: {{ {} }}", limits.join(", ")));
        let yaml = format!("{{ {} }}", own.into_iter().chain(nested).collect::<Vec<_>>().join(", "));
        let path = Path::new("--limit");
        let raw = yaml::read_resources(&yaml).map_err(|(at, rule)| ManifestError::one(path, &yaml, at, rule))?;
        let mut problems = Problems::default();
        let resources = Resources::from_raw(&raw.value, &mut problems);
        problems.into_error(path, &yaml).map_or(Ok(resources), Err)
    }

    pub(crate) fn from_raw(raw: &RawResources, problems: &mut Problems) -> Resources {
        Resources {
            memory_bytes: quantity_of("memory", raw.memory.as_ref().map(|l| (&l.value.0, l.at)), problems),
            cpu_millis: quantity_of("cpu", raw.cpu.as_ref().map(|l| (&l.value.0, l.at)), problems),
            timeout_ms: quantity_of("timeout", raw.timeout.as_ref().map(|l| (&l.value.0, l.at)), problems),
            disk_bytes: quantity_of("disk", raw.disk.as_ref().map(|l| (&l.value.0, l.at)), problems),
            fuel: quantity_of("fuel", raw.fuel.as_ref().map(|l| (&l.value.0, l.at)), problems),
            output_bytes: quantity_of("output", raw.output.as_ref().map(|l| (&l.value.0, l.at)), problems),
            input_bytes: quantity_of("input", raw.input.as_ref().map(|l| (&l.value.0, l.at)), problems),
            instances: quantity_of("instances", raw.instances.as_ref().map(|l| (&l.value.0, l.at)), problems),
            handles: quantity_of("handles", raw.handles.as_ref().map(|l| (&l.value.0, l.at)), problems),
            copy_bytes: quantity_of("copy", raw.copy.as_ref().map(|l| (&l.value.0, l.at)), problems),
            random_bytes: quantity_of("random", raw.random.as_ref().map(|l| (&l.value.0, l.at)), problems),
            log_lines: quantity_of("log", raw.log.as_ref().map(|l| (&l.value.0, l.at)), problems),
            files: raw.files.as_ref().map(|raw| FileResources {
                created: quantity_of("created", raw.created.as_ref().map(|l| (&l.value.0, l.at)), problems),
                path_bytes: quantity_of("path", raw.path.as_ref().map(|l| (&l.value.0, l.at)), problems),
                listed: quantity_of("listed", raw.listed.as_ref().map(|l| (&l.value.0, l.at)), problems),
            }),
            state: raw.state.as_ref().map(|raw| StateResources {
                keys: quantity_of("keys", raw.keys.as_ref().map(|l| (&l.value.0, l.at)), problems),
                size_bytes: quantity_of("size", raw.size.as_ref().map(|l| (&l.value.0, l.at)), problems),
                key_bytes: quantity_of("key", raw.key.as_ref().map(|l| (&l.value.0, l.at)), problems),
            }),
            http: raw.http.as_ref().map(|raw| HttpResources::from_raw(raw, problems)),
        }
    }
}

impl HttpResources {
    fn from_raw(raw: &RawHttp, problems: &mut Problems) -> HttpResources {
        HttpResources {
            requests: quantity_of("requests", raw.requests.as_ref().map(|l| (&l.value.0, l.at)), problems),
            concurrent: quantity_of("concurrent", raw.concurrent.as_ref().map(|l| (&l.value.0, l.at)), problems),
            request_bytes: quantity_of("request", raw.request.as_ref().map(|l| (&l.value.0, l.at)), problems),
            response_bytes: quantity_of("response", raw.response.as_ref().map(|l| (&l.value.0, l.at)), problems),
            header_bytes: quantity_of("headers", raw.headers.as_ref().map(|l| (&l.value.0, l.at)), problems),
            timeout_ms: quantity_of("timeout", raw.timeout.as_ref().map(|l| (&l.value.0, l.at)), problems),
        }
    }
}

impl From<RawImplementationType> for ImplementationType {
    fn from(raw: RawImplementationType) -> ImplementationType {
        match raw {
            RawImplementationType::Script => ImplementationType::Script,
            RawImplementationType::Container => ImplementationType::Container,
            RawImplementationType::Api => ImplementationType::Api,
            RawImplementationType::Binary => ImplementationType::Binary,
        }
    }
}

impl From<RawRuntime> for Runtime {
    fn from(raw: RawRuntime) -> Runtime {
        match raw {
            RawRuntime::Python3 | RawRuntime::Python => Runtime::Python3,
            RawRuntime::Node | RawRuntime::Nodejs => Runtime::Node,
            RawRuntime::Go => Runtime::Go,
            RawRuntime::Bash | RawRuntime::Shell => Runtime::Bash,
            RawRuntime::Docker => Runtime::Docker,
            RawRuntime::Rust => Runtime::Rust,
            RawRuntime::JavaScript => Runtime::JavaScript,
            RawRuntime::TypeScript => Runtime::TypeScript,
            RawRuntime::TinyGo => Runtime::TinyGo,
            RawRuntime::Component => Runtime::Component,
        }
    }
}

impl From<RawBackend> for Backend {
    fn from(raw: RawBackend) -> Backend {
        match raw {
            RawBackend::Auto => Backend::Auto,
            RawBackend::Wasm => Backend::Wasm,
            RawBackend::Docker => Backend::Docker,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Resources;

    #[test]
    fn limits_are_named_as_in_a_manifest() {
        let limits = Resources::from_names(["fuel=2G", "http.requests=3", "http.timeout=500ms"]).unwrap();
        assert_eq!(limits.fuel.unwrap().units(), 2_000_000_000);
        let http = limits.http.unwrap();
        assert_eq!((http.requests.unwrap().number(), http.timeout_ms.unwrap().duration().as_millis()), (3, 500));
        for (limit, hint) in
            [("fule=1", Some("did you mean `fuel`?")), ("fuel=0", None), ("fuel", None), ("a: b}=1", None)]
        {
            let error = Resources::from_names([limit]).unwrap_err();
            assert!(hint.is_none() || error.hint().as_deref() == hint, "{limit}: {error} {:?}", error.hint());
        }
    }
}
