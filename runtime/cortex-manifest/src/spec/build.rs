//! How a tool is built. Whatever changes here changes the digest of the build.

use std::collections::BTreeMap;

use serde::Serialize;

use super::field::{path_of, text_of};
use super::implementation::Runtime;
use crate::error::Problems;
use crate::located::Located;
use crate::path::ManifestPath;
use crate::quantity::shorten;
use crate::raw::{MapOrList, RawBuild, RawEngine, RawTarget};
use crate::rule::Rule;

/// How the tool is built.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Build {
    pub engine: Option<Engine>,
    pub requirements_file: Option<ManifestPath>,
    pub build_command: Option<String>,
    pub build_args: BuildArgs,
    pub dockerfile: Option<ManifestPath>,
    pub target: Option<Target>,
    pub sha256: Option<Sha256Digest>,
    /// Packages of Debian for the tool's container.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub packages: Vec<String>,
}

/// What builds the tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    Pip,
    Npm,
    Go,
    Docker,
    Cargo,
    /// A small engine for JavaScript, which starts fast.
    QuickJs,
    /// A browser's engine for JavaScript, with more of the web's APIs.
    SpiderMonkey,
}

/// What Rust compiles for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum Target {
    #[serde(rename = "wasm32-wasip2")]
    Wasm32Wasip2,
    #[serde(rename = "wasm32-unknown-unknown")]
    Wasm32UnknownUnknown,
}

impl Target {
    /// The name that `cargo build --target` takes.
    pub fn as_str(self) -> &'static str {
        match self {
            Target::Wasm32Wasip2 => "wasm32-wasip2",
            Target::Wasm32UnknownUnknown => "wasm32-unknown-unknown",
        }
    }
}

/// Values or arguments for the build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum BuildArgs {
    /// Named values, sorted: their order has no meaning and must not cause a rebuild.
    Variables(BTreeMap<String, String>),
    Arguments(Vec<String>),
}

impl Default for BuildArgs {
    fn default() -> BuildArgs {
        BuildArgs::Variables(BTreeMap::new())
    }
}

/// A SHA-256 digest in lower-case hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Sha256Digest(String);

impl Sha256Digest {
    pub fn new(digest: &str) -> Option<Sha256Digest> {
        let valid = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
        valid.then(|| Sha256Digest(digest.to_ascii_lowercase()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Build {
    pub(super) fn from_raw(raw: RawBuild, runtime: Option<Runtime>, problems: &mut Problems) -> Build {
        if let Some(target) = &raw.target
            && runtime != Some(Runtime::Rust)
        {
            problems.add(target.at, Rule::OnlyForRuntime { field: "target", runtime: Runtime::Rust.as_str() });
        }
        if let Some(digest) = &raw.sha256
            && runtime != Some(Runtime::Component)
        {
            problems.add(digest.at, Rule::OnlyForRuntime { field: "sha256", runtime: Runtime::Component.as_str() });
        }
        let engine = raw.engine.map(|engine| (engine.at, Engine::from(engine.value)));
        let script = matches!(runtime, Some(Runtime::Node | Runtime::JavaScript | Runtime::TypeScript));
        let field = match engine {
            Some((at, Engine::QuickJs)) => Some((at, "engine: quickjs")),
            Some((at, Engine::SpiderMonkey)) => Some((at, "engine: spidermonkey")),
            _ => None,
        };
        if let Some((at, field)) = field.filter(|_| !script) {
            problems.add(at, Rule::OnlyForRuntime { field, runtime: Runtime::JavaScript.as_str() });
        }
        let mut packages = Vec::new();
        for Located { value: name, at } in raw.packages.unwrap_or_default() {
            if is_package(&name) {
                packages.push(name);
            } else {
                problems.add(at, Rule::PackageName { name: shorten(&name) });
            }
        }
        Build {
            packages,
            engine: engine.map(|(_, engine)| engine),
            requirements_file: raw.requirements_file.and_then(|path| path_of("requirements_file", &path, problems)),
            build_command: raw.build_command.and_then(|text| text_of("build_command", &text, problems)),
            build_args: raw.build_args.map(BuildArgs::from).unwrap_or_default(),
            dockerfile: raw.dockerfile.and_then(|path| path_of("dockerfile", &path, problems)),
            target: raw.target.map(|target| target.value.into()),
            sha256: raw.sha256.and_then(|digest| {
                let parsed = Sha256Digest::new(&digest.value);
                problems.check(digest.at, parsed.ok_or_else(|| Rule::Digest { digest: shorten(&digest.value) }))
            }),
        }
    }
}

/// Whether a text is a package of Debian, with a version perhaps. It becomes part of a command line, so nothing else may be
/// in it.
fn is_package(text: &str) -> bool {
    let (name, version) = text.split_once('=').unwrap_or((text, "0"));
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.starts_with(letter)
        && name.chars().all(|c| letter(c) || "+.-".contains(c))
        && !version.is_empty()
        && version.chars().all(|c| c.is_ascii_alphanumeric() || "+.-~:".contains(c))
}

impl From<RawEngine> for Engine {
    fn from(raw: RawEngine) -> Engine {
        match raw {
            RawEngine::Pip => Engine::Pip,
            RawEngine::Npm => Engine::Npm,
            RawEngine::Go => Engine::Go,
            RawEngine::Docker => Engine::Docker,
            RawEngine::Cargo => Engine::Cargo,
            RawEngine::QuickJs => Engine::QuickJs,
            RawEngine::SpiderMonkey => Engine::SpiderMonkey,
        }
    }
}

impl From<RawTarget> for Target {
    fn from(raw: RawTarget) -> Target {
        match raw {
            RawTarget::Wasm32Wasip2 => Target::Wasm32Wasip2,
            RawTarget::Wasm32UnknownUnknown => Target::Wasm32UnknownUnknown,
        }
    }
}

impl From<MapOrList> for BuildArgs {
    fn from(raw: MapOrList) -> BuildArgs {
        match raw {
            MapOrList::Map(map) => BuildArgs::Variables(map.into_iter().map(|(name, text)| (name, text.0)).collect()),
            MapOrList::List(list) => BuildArgs::Arguments(list.into_iter().map(|text| text.0).collect()),
        }
    }
}
