//! What a component can call, against what its manifest asks for and what it gets.

use cortex_build::{BackendKind, Progress};
use serde::Serialize;

use crate::error::RuntimeError;
use crate::policy::Permit;
use crate::runtime::Runtime;

/// What was found out about a tool.
#[derive(Debug, Serialize)]
pub struct Audit {
    /// The tool's name.
    pub tool: String,
    /// The component's digest.
    pub component: String,
    /// The interfaces of the host that the component can call.
    pub imports: Vec<Import>,
    /// What the manifest asks for, and whether the tool gets it.
    pub permits: Vec<Permit>,
    /// What is amiss: what is asked for and never used, what is used and never asked for.
    pub warnings: Vec<String>,
}

/// An interface of the host.
#[derive(Debug, Serialize)]
pub struct Import {
    /// Its name in WIT.
    pub interface: String,
    /// The capability that it takes to get anything from it; `None` if every tool has it.
    pub capability: Option<&'static str>,
    /// What comes of calling it.
    pub means: &'static str,
}

/// The interfaces behind which something is that a tool has to ask for, by the beginning of their names.
const GUARDED: &[(&str, &str, &str)] = &[
    ("wasi:http/", "network", "sends HTTP requests to the servers that were granted"),
    ("wasi:filesystem/", "filesystem", "opens files below the folders that were granted"),
    ("wasi:cli/environment", "environment", "reads the variables that were granted, and its arguments"),
    ("wasi:keyvalue/", "state", "keeps values of its own from call to call"),
    ("wasi:sockets/", "sockets", "every socket and every name lookup is refused, to every tool"),
];

/// Those that every tool has.
const FREE: &[(&str, &str)] = &[
    ("wasi:clocks/", "reads clocks and waits"),
    ("wasi:random/", "reads random bytes"),
    ("wasi:io/", "moves bytes between the other interfaces"),
    ("wasi:logging/", "writes lines into the record of the call"),
    ("wasi:cli/", "writes logs and ends"),
    ("cortex:tool/", "tells how far it is, asks whether a secret is there, and swaps values of its own"),
];

/// What a runtime of some language links whether the program uses it or not: asking for none of these is no mistake.
const LINKED_ANYWAY: &[&str] = &["filesystem", "environment", "sockets"];

impl Runtime {
    /// Builds a tool, if need be, and compares what it can call with what it asks for. Blocks.
    pub fn audit(&self, tool: &str, progress: &dyn Progress) -> Result<Audit, RuntimeError> {
        let prepared = self.build(tool, false, progress)?;
        let tool = self.tool(tool)?;
        let permits = self.permits(&tool)?;
        let imports: Vec<Import> = prepared.imports.into_iter().map(Import::new).collect();
        Ok(Audit {
            tool: tool.spec.name.to_string(),
            component: prepared.digest,
            // What a container can call is the kernel's; only a component says so itself.
            warnings: if prepared.backend == BackendKind::Wasm { warnings(&imports, &permits) } else { Vec::new() },
            imports,
            permits,
        })
    }
}

impl Import {
    fn new(interface: String) -> Self {
        let guarded = GUARDED.iter().find(|(start, ..)| interface.starts_with(start));
        let free = || FREE.iter().find(|(start, _)| interface.starts_with(start)).map_or("", |(_, means)| means);
        let (capability, means) =
            guarded.map_or_else(|| (None, free()), |(_, capability, means)| (Some(*capability), *means));
        Self { interface, capability, means }
    }
}

fn warnings(imports: &[Import], permits: &[Permit]) -> Vec<String> {
    let can = |capability: &str| {
        // One function for state is not in `wasi:keyvalue`.
        let state = |import: &Import| capability == "state" && import.interface.starts_with("cortex:tool/host");
        imports.iter().any(|import| import.capability == Some(capability) || state(import))
    };
    let mut warnings = Vec::new();
    for permit in permits {
        // A secret is used by a request, or held as a variable.
        let needs = match permit.capability {
            "secrets" if permit.exposed => "environment",
            "secrets" => "network",
            capability => capability,
        };
        if !can(needs) {
            let (capability, target) = (permit.capability, &permit.target);
            warnings.push(format!("the manifest asks for {capability} `{target}`, and the component cannot use it"));
        }
    }
    for import in imports {
        let Some(capability) = import.capability.filter(|capability| !LINKED_ANYWAY.contains(capability)) else {
            continue;
        };
        if !permits.iter().any(|permit| permit.capability == capability) {
            let interface = &import.interface;
            warnings.push(format!("the component imports `{interface}`, and the manifest asks for no {capability}"));
        }
    }
    warnings
}
