//! Every rule a manifest can break, with the value that broke it.
//!
//! A rule says what is wrong; its hint says what to write instead. Callers tell rules apart by variant, never by text.

use thiserror::Error;

use crate::input::Violation;
use crate::name::{InvalidName, ToolName};
use crate::network::InvalidNetworkRule;
use crate::path::InvalidPath;
use crate::quantity::InvalidQuantity;
use crate::suggestion;
use crate::uri::InvalidUri;

/// A rule that a manifest broke.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum Rule {
    // The file as YAML.
    #[error("the manifest has {size_bytes} bytes, more than {limit_bytes}")]
    FileTooLarge { size_bytes: usize, limit_bytes: usize },
    #[error("the manifest is not valid YAML: {detail}")]
    Syntax { detail: String },
    #[error("the manifest goes beyond a limit for YAML: {limit}")]
    TooComplex { limit: ComplexityLimit },
    #[error("the manifest is empty")]
    Empty,
    #[error("the manifest holds more than one YAML document")]
    SeveralDocuments,
    #[error("the alias names no anchor that was set before it")]
    UnknownAnchor,
    #[error("the tag `{tag}` means nothing in a manifest")]
    UnknownTag { tag: String },

    // The shape of the document.
    #[error("the key `{key}` is given twice")]
    DuplicateKey { key: String },
    #[error("unknown field `{field}`")]
    UnknownField { field: String, known: Vec<&'static str> },
    #[error("unknown value `{value}`")]
    UnknownValue { value: String, known: Vec<&'static str> },
    #[error("missing field `{field}` in {inside}")]
    MissingField { field: &'static str, inside: &'static str },
    #[error("expected {expected}")]
    WrongType { expected: String },
    #[error("expected {expected}, found `{found}`")]
    WrongValue { expected: String, found: String },
    #[error("the number `{value}` is not finite")]
    NotFinite { value: String },

    // What the document says.
    #[error("`kind` is `{kind}`, not `Tool`")]
    Kind { kind: String },
    #[error("`kind` is `{kind}`, not `Relic`")]
    RelicKind { kind: String },
    #[error("there are {count} relics in the file, not one")]
    RelicCount { count: usize },
    #[error("{port} is no port")]
    Port { port: u64 },
    #[error("`kind` is `{kind}`, not `Policy`")]
    PolicyKind { kind: String },
    #[error("`{pattern}` is neither a tool's name nor a pattern of lower-case letters, digits, `_`, `-` and `*`")]
    ToolPattern { pattern: String },
    #[error("version `{version}` of the format is unknown")]
    Version { version: String },
    #[error("`{field}` is empty")]
    EmptyText { field: &'static str },
    #[error(transparent)]
    Name(InvalidName),
    #[error("`{field}`: {error}")]
    Path { field: &'static str, error: InvalidPath },
    #[error("`{field}`: {error}")]
    Quantity { field: &'static str, error: InvalidQuantity },
    #[error("`{field}`: {error}")]
    Network { field: &'static str, error: InvalidNetworkRule },

    // implementation
    #[error("`entrypoint` is missing, and a `{kind}` has nothing else to run")]
    MissingEntrypoint { kind: &'static str },
    #[error("`runtime` is missing, and the end of the entry point `{entrypoint}` does not tell it")]
    UnknownRuntime { entrypoint: String },
    #[error("`{field}` only applies to `runtime: {runtime}`")]
    OnlyForRuntime { field: &'static str, runtime: &'static str },
    #[error("`{digest}` is no SHA-256 digest of 64 hexadecimal digits")]
    Digest { digest: String },
    #[error("a health check of type `{kind}` needs `{field}`")]
    HealthCheckIncomplete { kind: &'static str, field: &'static str },
    #[error("the health check asks port {port}, which is none of the relic's ports")]
    HealthPort { port: u16 },
    #[error("the health check asks a port, and the relic has none")]
    HealthWithoutPort,
    #[error("`{image}` is no image")]
    Image { image: String },
    #[error("`{name}` is no package of Debian")]
    PackageName { name: String },
    #[error("`warm` is {count}, more than {limit}")]
    TooManyWarm { count: u64, limit: u8 },
    #[error("`warm` and `reuse` exclude each other")]
    WarmAndReuse,
    #[error("`runtime: {runtime}` cannot run on `backend: {backend}`")]
    BackendCannotRun { runtime: &'static str, backend: &'static str },

    // parameters
    #[error("there are {count} parameters, more than {limit}")]
    TooManyParameters { count: usize, limit: usize },
    #[error("the parameter `{name}` is given twice, first on line {first_line}")]
    DuplicateParameter { name: String, first_line: u32 },
    #[error("`enum` of the parameter `{parameter}` has no values")]
    EmptyEnum { parameter: String },
    #[error("`{value}` in `enum` of the parameter `{parameter}` is no {kind}")]
    EnumType { parameter: String, value: String, kind: &'static str },
    #[error("`{key}` does not apply to the parameter `{parameter}`, which is of type `{kind}`")]
    ValidationKey { parameter: String, key: &'static str, kind: &'static str, known: Vec<&'static str> },
    #[error("`{low_key}` of the parameter `{parameter}` is {low}, above `{high_key}`, which is {high}")]
    BoundsCrossed { parameter: String, low_key: &'static str, low: String, high_key: &'static str, high: String },
    #[error("`pattern` of the parameter `{parameter}` is malformed or too large: `{pattern}`")]
    Pattern { parameter: String, pattern: String },
    #[error("`pattern` of the parameter `{parameter}` uses look-around or back-references: `{pattern}`")]
    PatternNotLinear { parameter: String, pattern: String },
    #[error("the default of the parameter `{parameter}` breaks its own rules: {violation}")]
    Default { parameter: String, violation: Box<Violation> },
    #[error("the input of the example `{example}` does not fit the parameters: {violation}")]
    Example { example: String, violation: Box<Violation> },

    // permissions
    #[error("a secret needs one of `header`, `bearer: true`, `query` and `expose: true`")]
    SecretUnused,
    #[error("a secret has both `{first}` and `{second}`")]
    SecretTwice { first: &'static str, second: &'static str },
    #[error("a secret for `{field}` names no hosts")]
    SecretWithoutHosts { field: &'static str },
    #[error("`{key}` of a secret has no meaning with `expose: true`")]
    SecretHostsUnused { key: &'static str },
    #[error("a secret cannot go to every host")]
    SecretForEveryHost,
    #[error("the guest path `{guest}` is given twice")]
    DuplicateGuestPath { guest: String },

    // mcp
    #[error("`{field}` only applies to `publish: resource`")]
    OnlyForResource { field: &'static str },
    #[error(transparent)]
    Uri(InvalidUri),
    #[error("`{parameter}` in the address is no parameter of the tool")]
    UriParameter { parameter: String },
    #[error("the parameter `{parameter}` is required, and the address has no place for it")]
    UriLacksParameter { parameter: String },
    #[error("`ask` needs `result: content`: a tool asks with its result")]
    AskWithoutContent,
    #[error("`output_schema` only applies to `publish: tool`")]
    OutputSchemaOfNoTool,
    #[error("`output_schema` is no JSON Schema that can be used: {detail}")]
    OutputSchema { detail: String },
}

/// Which limit a hostile or broken YAML file ran into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ComplexityLimit {
    #[error("it is nested too deeply")]
    Nesting,
    #[error("its aliases expand to too much")]
    Aliases,
    #[error("it has too many parts")]
    Size,
}

impl Rule {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Rule::UnknownField { field, known } => suggestion::hint(field, known.iter().copied()),
            Rule::UnknownValue { value, known } => suggestion::hint(value, known.iter().copied()),
            Rule::Kind { kind } if kind.eq_ignore_ascii_case("Tool") => Some("write `kind: Tool`".to_owned()),
            Rule::Kind { .. } => Some("this is the manifest of something else; only tools are read here".to_owned()),
            Rule::RelicKind { .. } => Some("write `kind: Relic`".to_owned()),
            Rule::RelicCount { .. } => Some("write a file for each of them".to_owned()),
            Rule::Port { .. } => Some("write a number from 1 to 65535".to_owned()),
            Rule::PolicyKind { .. } => Some("write `kind: Policy`".to_owned()),
            Rule::ToolPattern { .. } => {
                Some("write a name such as `web_search`, or a pattern such as `web_*`".to_owned())
            }
            Rule::Version { .. } => Some("write `version: \"1.0\"`".to_owned()),
            Rule::MissingField { field: "kind", .. } => Some("add `kind: Tool`".to_owned()),
            Rule::MissingField { field: "version", .. } => Some("add `version: \"1.0\"`".to_owned()),
            Rule::MissingField { field, .. } => Some(format!("add `{field}: …`")),
            Rule::Name(error) => name_hint(error),
            Rule::Path { error, .. } => path_hint(error),
            Rule::Quantity { error, .. } => quantity_hint(error),
            Rule::Network { error, .. } => Some(network_hint(error)),
            Rule::UnknownRuntime { .. } => Some("add `runtime: …`, such as `runtime: python3`".to_owned()),
            Rule::MissingEntrypoint { .. } => Some("add `entrypoint: ./…`, the file that is the tool".to_owned()),
            Rule::OnlyForRuntime { field, .. } => Some(format!("leave `{field}` out")),
            Rule::HealthCheckIncomplete { field, .. } => Some(format!("add `{field}: …`, or write `type: none`")),
            Rule::HealthPort { port } => Some(format!("add {port} to `ports` of `deployment`, or leave `port` out")),
            Rule::HealthWithoutPort => {
                Some("add `deployment: { ports: […] }`, or write `type: script` or `type: none`".to_owned())
            }
            Rule::Image { .. } => Some("write `name:tag`, such as `ruby:3.3-slim`".to_owned()),
            Rule::PackageName { .. } => Some("write a name such as `jq`, or `jq=1.6-2.1`".to_owned()),
            Rule::TooManyWarm { limit, .. } => Some(format!("write at most {limit}")),
            Rule::WarmAndReuse => Some("leave one of them out".to_owned()),
            Rule::BackendCannotRun { .. } => Some("write `backend: docker` or leave `backend` out".to_owned()),
            Rule::EmptyEnum { .. } => Some("list the values allowed, or leave `enum` out".to_owned()),
            Rule::EnumType { kind: "string", value, .. } => Some(format!("write it in quotes: `\"{value}\"`")),
            Rule::ValidationKey { kind, known, .. } => Some(validation_hint(kind, known)),
            Rule::BoundsCrossed { low_key, high_key, .. } => Some(format!("swap `{low_key}` and `{high_key}`")),
            Rule::PatternNotLinear { .. } => Some("matching must take linear time; use a plainer pattern".to_owned()),
            Rule::Default { violation, .. } | Rule::Example { violation, .. } => violation.hint().map(str::to_owned),
            Rule::SecretUnused => Some("add `header: Authorization` and `hosts: […]`".to_owned()),
            Rule::SecretTwice { .. } => Some("list the secret twice to use it in two ways".to_owned()),
            Rule::SecretWithoutHosts { .. } => Some("add `hosts: [\"api.example.com\"]`".to_owned()),
            Rule::SecretHostsUnused { key } => Some(format!("leave `{key}` out, or use `header` instead of `expose`")),
            Rule::SecretForEveryHost => Some("name the hosts, or use `*.example.com`".to_owned()),
            Rule::SeveralDocuments => Some("keep one tool in each file".to_owned()),
            Rule::OnlyForResource { field } => Some(format!("leave `{field}` out, or write `publish: resource`")),
            Rule::Uri(InvalidUri::Scheme { .. }) => Some("write it like `notes://today/{topic}`".to_owned()),
            Rule::UriParameter { parameter } => Some(format!("add `{parameter}` to `parameters`")),
            Rule::UriLacksParameter { parameter } => {
                Some(format!("add `{{{parameter}}}` to `uri`, or write `required: false`"))
            }
            Rule::AskWithoutContent => Some("add `result: content`".to_owned()),
            Rule::OutputSchemaOfNoTool => Some("leave `output_schema` out".to_owned()),
            Rule::Uri(_)
            | Rule::OutputSchema { .. }
            | Rule::FileTooLarge { .. }
            | Rule::Syntax { .. }
            | Rule::TooComplex { .. }
            | Rule::Empty
            | Rule::UnknownAnchor
            | Rule::UnknownTag { .. }
            | Rule::DuplicateKey { .. }
            | Rule::WrongType { .. }
            | Rule::WrongValue { .. }
            | Rule::NotFinite { .. }
            | Rule::EmptyText { .. }
            | Rule::Digest { .. }
            | Rule::TooManyParameters { .. }
            | Rule::DuplicateParameter { .. }
            | Rule::Pattern { .. }
            | Rule::EnumType { .. }
            | Rule::DuplicateGuestPath { .. } => None,
        }
    }
}

fn validation_hint(kind: &str, known: &[&str]) -> String {
    if known.is_empty() {
        return format!("a value of type `{kind}` has no rules beyond its type");
    }
    let names: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
    format!("for `{kind}`: {}", names.join(", "))
}

fn name_hint(error: &InvalidName) -> Option<String> {
    match error {
        InvalidName::Start { what: "the tool name", name, .. }
        | InvalidName::Character { what: "the tool name", name, .. } => {
            let lower = name.to_lowercase();
            let words: Vec<&str> =
                lower.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').filter(|word| !word.is_empty()).collect();
            ToolName::new(words.join("_")).ok().map(|fixed| format!("write `{fixed}`"))
        }
        InvalidName::Empty { .. }
        | InvalidName::TooLong { .. }
        | InvalidName::Start { .. }
        | InvalidName::Character { .. } => None,
    }
}

fn path_hint(error: &InvalidPath) -> Option<String> {
    match error {
        InvalidPath::Absolute { .. } => Some("write it relative to the manifest: `./…`".to_owned()),
        InvalidPath::Escapes { .. } => Some("keep the file in the folder of the manifest".to_owned()),
        InvalidPath::Relative { path } => Some(format!("write `/{}`", path.trim_start_matches("./"))),
        InvalidPath::Character { character, .. } if character == "\\" => Some("separate folders with `/`".to_owned()),
        InvalidPath::Root { .. } => Some("name a folder, such as `/data`".to_owned()),
        InvalidPath::Character { .. } | InvalidPath::Empty => None,
    }
}

fn quantity_hint(error: &InvalidQuantity) -> Option<String> {
    match error {
        InvalidQuantity::NotPositive { .. } => Some("leave it out for the default".to_owned()),
        InvalidQuantity::Syntax { .. } | InvalidQuantity::TooSmall { .. } | InvalidQuantity::TooLarge { .. } => None,
    }
}

fn network_hint(error: &InvalidNetworkRule) -> String {
    match error {
        InvalidNetworkRule::MoreThanAServer { .. } => {
            "write only the scheme, the host, the port and how the path begins".to_owned()
        }
        InvalidNetworkRule::Path { .. } => {
            "write how the path begins in plain segments, such as `/v1/users`".to_owned()
        }
        InvalidNetworkRule::Range { .. } => "write it like `[10.0.0.0/8]`, with its first address".to_owned(),
        InvalidNetworkRule::EveryPrivateServer { .. } => {
            "name the host, as in `private://printer.lan`, or use `private://*.lan` or a range".to_owned()
        }
        InvalidNetworkRule::MoreThanAHost { .. } | InvalidNetworkRule::SchemeOfHost { .. } => {
            "write only the name, such as `api.example.com`".to_owned()
        }
        InvalidNetworkRule::Wildcard { .. } => "write `*.example.com`".to_owned(),
        InvalidNetworkRule::Scheme { .. }
        | InvalidNetworkRule::NoHost { .. }
        | InvalidNetworkRule::Port { .. }
        | InvalidNetworkRule::Host { .. } => "write it like `https://api.example.com`".to_owned(),
    }
}
