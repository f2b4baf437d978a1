//! Which backend runs a tool, what builds it, and why: as data, before anything is done.

use cortex_manifest::{Backend, Entrypoint, ImplementationType, Runtime, ToolSpec};
use serde::Serialize;

/// What runs a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BackendKind {
    /// A component in this process's sandbox.
    Wasm,
    /// A container from a generated image.
    Docker,
}

impl BackendKind {
    /// The name used in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Wasm => "wasm",
            Self::Docker => "docker",
        }
    }
}

/// What turns a source into a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BuilderKind {
    /// `cargo build` for a WebAssembly target.
    Rust,
    /// Nothing to build: the entry point is a component.
    Component,
}

impl BuilderKind {
    /// The name used in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Component => "component",
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

/// Decides how a tool is built and run. Pure: reads nothing but the manifest.
pub fn plan(spec: &ToolSpec) -> Plan {
    let implementation = &spec.implementation;
    let mut plan = Plan {
        tool: spec.name.to_string(),
        backend: BackendKind::Wasm,
        builder: None,
        reasons: Vec::new(),
        blocked: None,
    };
    if implementation.backend == Backend::Docker {
        plan.because("the manifest says `backend: docker`", Some("leave out `implementation.backend`"));
        return plan.docker();
    }
    if matches!(implementation.kind, ImplementationType::Container | ImplementationType::Api) {
        let kind = implementation.kind.as_str();
        plan.because(format!("a tool of type `{kind}` is no program that could be compiled"), None);
        return plan.docker();
    }
    match implementation.runtime {
        Some(Runtime::Rust) => {
            plan.builder = Some(BuilderKind::Rust);
            plan.because("Rust compiles to a component", Some("`backend: docker` runs it in a container"));
        }
        Some(Runtime::Component) => {
            plan.builder = Some(BuilderKind::Component);
            let file = match &implementation.entrypoint {
                Some(Entrypoint::File(path)) => path.to_string(),
                _ => "the entry point".into(),
            };
            plan.because(format!("`{file}` is a component already"), None);
        }
        Some(runtime @ (Runtime::Bash | Runtime::Docker)) => {
            plan.because(format!("`{}` cannot be compiled to a component", runtime.as_str()), None);
            return plan.docker();
        }
        Some(runtime) => {
            let reason = Reason {
                because: format!("this version has no builder for `{}`", runtime.as_str()),
                change: Some("write the tool in Rust, or name a finished component with `runtime: component`".into()),
            };
            plan.blocked = Some(reason);
        }
        None => {
            plan.because("the entry point is no component and no source that could be compiled", None);
            return plan.docker();
        }
    }
    plan
}

impl Plan {
    fn because(&mut self, because: impl Into<String>, change: Option<&str>) {
        self.reasons.push(Reason { because: because.into(), change: change.map(Into::into) });
    }

    fn docker(mut self) -> Self {
        self.backend = BackendKind::Docker;
        self.blocked = Some(Reason {
            because: "this version has no Docker backend".into(),
            change: Some("use a tool that compiles to a component".into()),
        });
        self
    }
}
