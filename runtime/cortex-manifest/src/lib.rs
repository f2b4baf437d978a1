//! Tool manifests: from YAML to a [`ToolSpec`] that the rest of cortex-wasm can trust.
//!
//! This is the only crate that knows YAML. It guards three things: nothing in a manifest is ignored (an unknown field is an
//! error with its place and the nearest valid name), nothing in it reaches beyond what it says (paths stay in the tool's
//! folder, network rules mean exactly one thing, permissions default to none), and reading one cannot be made to take long
//! (size, nesting and aliases are bounded, patterns run in linear time, no reference is fetched).
//!
//! ```
//! use std::path::Path;
//!
//! use cortex_manifest::ToolSpec;
//! use serde_json::json;
//!
//! let yaml = r#"
//! kind: Tool
//! version: "1.0"
//! name: greet
//! summary: Greets someone.
//! implementation: { entrypoint: greet.py }
//! parameters:
//!   - { name: who, type: string, default: world }
//! "#;
//! let tool = ToolSpec::parse(Path::new("greet/tool.yml"), yaml)?;
//! let given = json!({});
//! let input = tool.input_schema().apply(&given).expect("the default fits");
//! assert_eq!(*input, json!({ "who": "world" }));
//!
//! let error = ToolSpec::parse(Path::new("greet/tool.yml"), &yaml.replace("summary", "sumary")).unwrap_err();
//! assert_eq!(error.to_string(), "greet/tool.yml:5:1: unknown field `sumary`");
//! assert_eq!(error.hint().as_deref(), Some("did you mean `summary`?"));
//! # Ok::<(), cortex_manifest::ManifestError>(())
//! ```
//!
//! It reads no file, no environment and no clock: text goes in, a value or an error comes out.

mod error;
mod input;
mod located;
mod name;
mod network;
mod path;
mod policy;
mod quantity;
mod raw;
mod rule;
mod schema;
mod spec;
mod suggestion;
mod uri;
mod yaml;

pub use error::{ManifestError, Problem, Report};
pub use input::{InputRule, InputSchema, InvalidInput, InvalidSchema, Violation};
pub use name::{HeaderName, InvalidName, ParameterName, QueryName, ToolName, VariableName};
pub use network::{HostPattern, InvalidNetworkRule, Method, NetworkRule, Scheme};
pub use path::{GuestPath, HostPath, InvalidPath, ManifestPath};
pub use policy::{
    Capabilities, Capability, CompileResources, Folder, InvalidCapability, PolicySpec, ToolPattern, ToolPolicy,
    with_denial, with_grant, without_grant,
};
pub use quantity::{ByteSize, Count, Fuel, InvalidQuantity, MilliCpu, Milliseconds};
pub use rule::{ComplexityLimit, Rule};
pub use schema::{manifest_schema, policy_schema, relic_schema};
pub use spec::{
    Access, Ask, Backend, Build, BuildArgs, Command, Engine, Entrypoint, Environment, Example, Expected, FileResources,
    FolderRequest, HealthCheck, HostPart, HttpResources, Implementation, ImplementationType, Mcp, Parameter,
    ParameterType, Permissions, Publish, RelicEndpoint, RelicHealth, RelicProbe, RelicSpec, Resources, ResultForm,
    Runtime, SecretRequest, SecretUse, Sha256Digest, State, StatePer, StateResources, Target, ToolSpec, Validation,
    WARM_MAX,
};
pub use uri::{InvalidUri, UriTemplate};
pub use yaml::MANIFEST_BYTES_MAX;
