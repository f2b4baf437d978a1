//! Which backend runs a tool, what builds it, and why: as data, before anything is done.

use std::path::Path;

use cortex_manifest::{Backend, Entrypoint, ImplementationType, Runtime, ToolSpec};
use serde::Serialize;

use crate::builder::Survey;
use crate::languages::language;

/// What runs a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BackendKind {
    /// A component in this process's sandbox.
    Wasm,
    /// A container from a generated image.
    Docker,
    /// An HTTP endpoint, called from the host.
    Api,
}

impl BackendKind {
    /// The name used in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Wasm => "wasm",
            Self::Docker => "docker",
            Self::Api => "api",
        }
    }
}

/// What turns a source into a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BuilderKind {
    /// `cargo build` for a WebAssembly target.
    Rust,
    /// The interpreter and the script in one component, by componentize-py.
    Python,
    /// A bundle and an engine in one component.
    JavaScript,
    /// As JavaScript, after its types were taken off.
    TypeScript,
    /// The larger engine for JavaScript and TypeScript, which is installed only for programs that need it.
    SpiderMonkey,
    /// `go build`, and the module made a component.
    Go,
    /// `tinygo build`.
    TinyGo,
    /// Nothing to build: the entry point is a component.
    Component,
}

impl BuilderKind {
    /// The name used in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Python => "python",
            Self::JavaScript => "javascript",
            Self::TypeScript => "typescript",
            Self::SpiderMonkey => "spidermonkey",
            Self::Go => "go",
            Self::TinyGo => "tinygo",
            Self::Component => "component",
        }
    }

    /// The name used in sentences.
    pub fn language(self) -> &'static str {
        match self {
            Self::Rust => "Rust",
            Self::Python => "Python",
            Self::JavaScript => "JavaScript",
            Self::TypeScript => "TypeScript",
            Self::SpiderMonkey => "SpiderMonkey",
            Self::Go | Self::TinyGo => "Go",
            Self::Component => "a component",
        }
    }
}

/// One reason for a plan, and what would change it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// Why.
    pub because: String,
    /// What to write where for another plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<String>,
}

/// How a tool is built and run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The tool's name.
    pub tool: String,
    /// What runs it.
    pub backend: BackendKind,
    /// What builds it; `None` when the backend does.
    pub builder: Option<BuilderKind>,
    /// Why it is so.
    pub reasons: Vec<Reason>,
    /// Why it cannot be done by this version, when it cannot.
    pub blocked: Option<Reason>,
}

/// Decides how a tool is built and run. Reads the manifest and, where there is one, the tool's folder; runs nothing.
pub fn plan(spec: &ToolSpec, folder: Option<&Path>) -> Plan {
    let implementation = &spec.implementation;
    let mut plan = Plan {
        tool: spec.name.to_string(),
        backend: BackendKind::Wasm,
        builder: None,
        reasons: Vec::new(),
        blocked: None,
    };
    if implementation.kind == ImplementationType::Api {
        plan.because("a tool of type `api` is an endpoint, which is called from the host", None);
        plan.backend = BackendKind::Api;
        return plan;
    }
    if implementation.backend == Backend::Docker {
        plan.because("the manifest says `backend: docker`", Some("leave out `implementation.backend`"));
        return plan.docker();
    }
    if implementation.kind == ImplementationType::Container {
        plan.because("a tool of type `container` is no program that could be compiled", None);
        return plan.docker();
    }
    let builder = match implementation.runtime {
        Some(Runtime::Rust) => BuilderKind::Rust,
        Some(Runtime::Python3) => BuilderKind::Python,
        // The original's name says where a script runs; its file's name says what it is written in.
        Some(Runtime::Node | Runtime::JavaScript) if entrypoint_ends_with(spec, "ts") => BuilderKind::TypeScript,
        Some(Runtime::Node | Runtime::JavaScript) => BuilderKind::JavaScript,
        Some(Runtime::TypeScript) => BuilderKind::TypeScript,
        Some(Runtime::Go) => BuilderKind::Go,
        Some(Runtime::TinyGo) => BuilderKind::TinyGo,
        Some(Runtime::Component) => BuilderKind::Component,
        Some(runtime @ (Runtime::Bash | Runtime::Docker)) => {
            plan.because(format!("`{}` cannot be compiled to a component", runtime.as_str()), None);
            return plan.docker();
        }
        None => {
            plan.because("the entry point is no component and no source that could be compiled", None);
            return plan.docker();
        }
    };
    plan.builder = Some(builder);
    match &implementation.entrypoint {
        Some(Entrypoint::File(file)) if builder == BuilderKind::Component => {
            plan.because(format!("`{file}` is a component already"), None);
        }
        _ => {
            let because = format!("{} compiles to a component", builder.language());
            plan.because(because, Some("`backend: docker` runs it in a container"));
        }
    }
    let survey = match (language(builder), folder) {
        (Some(language), Some(folder)) => language.survey(spec, folder),
        _ => Survey::default(),
    };
    plan.reasons.extend(survey.reasons);
    if survey.needs_docker.is_empty() {
        return plan;
    }
    if implementation.backend == Backend::Wasm {
        // The author insists: the first reason why it cannot work is the answer.
        plan.blocked = survey.needs_docker.into_iter().next();
        return plan;
    }
    plan.builder = None;
    plan.reasons = survey.needs_docker;
    plan.docker()
}

fn entrypoint_ends_with(spec: &ToolSpec, extension: &str) -> bool {
    let Some(Entrypoint::File(file)) = &spec.implementation.entrypoint else { return false };
    file.as_path().extension().is_some_and(|found| found == extension)
}

impl Plan {
    fn because(&mut self, because: impl Into<String>, change: Option<&str>) {
        self.reasons.push(Reason { because: because.into(), change: change.map(Into::into) });
    }

    fn docker(mut self) -> Self {
        self.backend = BackendKind::Docker;
        self
    }
}
