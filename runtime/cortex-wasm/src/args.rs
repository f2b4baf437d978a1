//! The command line, as typed.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use cortex_manifest::{ByteSize, Capability, Fuel, ManifestError, Milliseconds, Resources, VariableName};
use cortex_runtime::{BackendKind, BuilderKind, LANGUAGES, Overrides, limits_of};

use crate::exit_status;

mod server;

pub(crate) use server::{Executions as ExecutionsArgs, ExecutionsAction, Serve, Token, TokenAction, TokenScope};

/// Runs tools for AI agents, each call in a fresh WebAssembly sandbox.
#[derive(Debug, Parser)]
#[command(name = "cortex-wasm", version, after_help = exit_status::HELP, disable_help_subcommand = true)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command understands.
#[derive(Debug, ClapArgs)]
pub(crate) struct Global {
    /// A folder with tools; may be given several times [default: ./manifests, then the standard tools]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) manifests: Vec<PathBuf>,
    /// The operator's policy [default: ./cortex.yml, if there is one]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// Never fetch anything
    #[arg(long, global = true)]
    pub(crate) offline: bool,
    /// Say nothing but results and errors
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Call a tool
    Run(Run),
    /// List the tools there are
    List(Reading),
    /// Show what a tool is, takes and may use
    Show(Tool),
    /// Show how a tool would be built and run, and why
    Plan(Tool),
    /// Build tools and compile them for this machine
    Build(Build),
    /// Print the Dockerfile that a tool's image is built from
    Dockerfile(Tool),
    /// List the images of tools, or remove old ones
    Image(Image),
    /// List the containers that belong to this home
    Ps(Reading),
    /// Kill and remove containers
    Stop(Container),
    /// Print what containers have written
    Logs(Container),
    /// Start and stop the services that tools may be granted
    Relic(Relic),
    /// Run tools' health checks and examples
    Test(Test),
    /// Write a new tool that works, to begin with
    New(New),
    /// Show, install or remove what compiles the languages
    Toolchain(Toolchain),
    /// Show what this machine has to build tools with, and what it lacks
    Doctor(Reading),
    /// Show what a tool's component can call, against what it asks for and gets
    Audit(Tool),
    /// Check the operator's policy, or show what it comes to for a tool
    Policy(Policy),
    /// Let a tool have what its manifest asks for
    Grant(Grant),
    /// Take a capability from a tool
    Revoke(Grant),
    /// Keep, list or forget secrets
    Secret(Secret),
    /// Offer the tools to an agent over the Model Context Protocol, on standard input and output
    Mcp(Mcp),
    /// Serve the tools over HTTP and MCP, with a console
    Serve(Serve),
    /// Make, list or revoke the tokens that a server asks for
    Token(Token),
    /// Show what was called, or stop what goes on
    Executions(ExecutionsArgs),
    /// Print the JSON Schema of manifests or of policies, for editors
    Schema {
        /// What of
        #[arg(value_enum, default_value_t = Document::Tool)]
        of: Document,
    },
    /// Show or shrink the cache of compiled code
    Cache(Cache),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the versions of this program and its engine
    Version(Reading),
    /// Compile the component on standard input for a parent process
    #[command(hide = true)]
    Compile {
        /// Bytes of memory
        memory: u64,
        /// Seconds
        time: u64,
    },
}

/// Calls a tool.
#[derive(Debug, ClapArgs)]
pub(crate) struct Run {
    /// A tool's name, or a path to its folder, manifest or component; `#function` selects one of a component's functions
    pub(crate) tool: String,
    /// The input: a JSON object, `-` for standard input, or `@FILE`
    pub(crate) input: Option<String>,
    /// One parameter; JSON where the parameter is not a string. May be given several times
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    #[command(flatten)]
    pub(crate) limits: Limits,
    /// Give the tool the same clocks and randomness as every other call with this seed
    #[arg(long, value_name = "SEED")]
    pub(crate) deterministic: Option<u64>,
    #[command(flatten)]
    pub(crate) reading: Reading,
}

/// Limits of one call, below the tool's own.
#[derive(Debug, ClapArgs)]
pub(crate) struct Limits {
    /// The most fuel, about one unit an instruction, such as `500M`
    #[arg(long, value_name = "N")]
    fuel: Option<Fuel>,
    /// The most memory, such as `64M`
    #[arg(long, value_name = "SIZE")]
    memory: Option<ByteSize>,
    /// The most time, such as `5s` or `500ms`
    #[arg(long, value_name = "TIME")]
    timeout: Option<Milliseconds>,
    /// Any limit, as `implementation.resources` names it: `disk=1M`, `http.requests=3`. May be given several times
    #[arg(long = "limit", value_name = "NAME=VALUE")]
    named: Vec<String>,
}

impl Limits {
    pub(crate) fn overrides(&self) -> Result<Overrides, ManifestError> {
        let mut limits = limits_of(&Resources::from_names(self.named.iter().map(String::as_str))?);
        limits.fuel = self.fuel.map(Fuel::units).or(limits.fuel);
        limits.timeout = self.timeout.map(Milliseconds::duration).or(limits.timeout);
        limits.memory_bytes = self.memory.map(ByteSize::bytes).or(limits.memory_bytes);
        Ok(limits)
    }
}

/// How to print.
#[derive(Clone, Copy, Debug, ClapArgs)]
pub(crate) struct Reading {
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

/// For people or for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}

/// One tool.
#[derive(Debug, ClapArgs)]
pub(crate) struct Tool {
    /// A tool's name, or a path to its folder, manifest or component
    pub(crate) tool: String,
    #[command(flatten)]
    pub(crate) reading: Reading,
}

/// One tool or all of them.
#[derive(Debug, ClapArgs)]
#[group(required = true, multiple = false)]
pub(crate) struct Selection {
    /// A tool's name, or a path to its folder, manifest or component
    pub(crate) tool: Option<String>,
    /// Every tool that `list` shows
    #[arg(long)]
    pub(crate) all: bool,
}

/// Builds tools.
#[derive(Debug, ClapArgs)]
pub(crate) struct Build {
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// Build even what is there already
    #[arg(long)]
    pub(crate) force: bool,
    /// Build here what comes from elsewhere: its author's code runs on this machine
    #[arg(long)]
    pub(crate) trust: bool,
    /// What to build for, instead of what the plan names
    #[arg(long, value_enum)]
    pub(crate) backend: Option<Target>,
    #[command(flatten)]
    pub(crate) reading: Reading,
}

/// What a tool can be built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Target {
    /// A component
    Wasm,
    /// An image
    Docker,
}

impl Target {
    pub(crate) fn kind(self) -> BackendKind {
        match self {
            Self::Wasm => BackendKind::Wasm,
            Self::Docker => BackendKind::Docker,
        }
    }
}

/// Images.
#[derive(Debug, ClapArgs)]
pub(crate) struct Image {
    #[command(subcommand)]
    pub(crate) action: ImageAction,
}

/// What to do with images.
#[derive(Debug, Subcommand)]
pub(crate) enum ImageAction {
    /// Show them, the newest of a tool first
    List(Reading),
    /// Remove all but the newest of every tool
    Prune {
        /// How many of a tool to keep
        #[arg(long, value_name = "N", default_value_t = 1)]
        keep: usize,
    },
}

/// Relics.
#[derive(Debug, ClapArgs)]
pub(crate) struct Relic {
    #[command(subcommand)]
    pub(crate) action: RelicAction,
}

/// What to do with relics.
#[derive(Debug, Subcommand)]
pub(crate) enum RelicAction {
    /// Start a relic and what it depends on, and wait until it answers
    Start {
        /// The relic's name
        name: String,
    },
    /// Stop a relic; what it kept stays
    Stop {
        /// The relic's name
        name: String,
        /// Remove what it kept as well
        #[arg(long)]
        volumes: bool,
    },
    /// Show whether a relic runs, and where its ports are
    Status {
        /// The relic's name
        name: String,
        #[command(flatten)]
        reading: Reading,
    },
    /// Show all relics there are
    List(Reading),
}

/// Containers of one name.
#[derive(Debug, ClapArgs)]
pub(crate) struct Container {
    /// A container's name or id, or the tool that it runs
    pub(crate) name: String,
}

/// Tests tools.
#[derive(Debug, ClapArgs)]
pub(crate) struct Test {
    #[command(flatten)]
    pub(crate) selection: Selection,
    #[command(flatten)]
    pub(crate) reading: Reading,
}

/// Where tools are looked up, and new ones written.
pub(crate) const TOOLS: &str = "manifests/tools";

/// Writes a new tool.
#[derive(Debug, ClapArgs)]
pub(crate) struct New {
    /// The tool's name: a lower-case letter, then lower-case letters, digits, `_` and `-`
    pub(crate) name: String,
    /// What it is written in
    #[arg(long, value_enum)]
    pub(crate) lang: Lang,
    /// The folder that gets the tool's folder
    #[arg(long, value_name = "DIR", default_value = TOOLS)]
    pub(crate) dir: PathBuf,
}

/// A language that tools are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "lowercase")]
pub(crate) enum Lang {
    Rust,
    Go,
    JavaScript,
    TypeScript,
    Python,
    TinyGo,
}

impl Lang {
    pub(crate) fn kind(self) -> BuilderKind {
        match self {
            Self::Rust => BuilderKind::Rust,
            Self::Go => BuilderKind::Go,
            Self::JavaScript => BuilderKind::JavaScript,
            Self::TypeScript => BuilderKind::TypeScript,
            Self::Python => BuilderKind::Python,
            Self::TinyGo => BuilderKind::TinyGo,
        }
    }
}

/// The toolchains.
#[derive(Debug, ClapArgs)]
pub(crate) struct Toolchain {
    #[command(subcommand)]
    pub(crate) action: ToolchainAction,
}

/// What to do with the toolchains.
#[derive(Debug, Subcommand)]
pub(crate) enum ToolchainAction {
    /// Show which are there, and what the others would cost
    List(Reading),
    /// Install now what first builds would install
    Install(Languages),
    /// Remove what was installed; what the machine has itself stays
    Remove(Languages),
}

/// Some languages or all of them.
#[derive(Debug, ClapArgs)]
#[group(required = true, multiple = false)]
pub(crate) struct Languages {
    /// The languages
    #[arg(value_parser = kind_parser(), value_name = "LANG")]
    pub(crate) languages: Vec<BuilderKind>,
    /// Every language
    #[arg(long)]
    pub(crate) all: bool,
}

impl Languages {
    pub(crate) fn kinds(&self) -> impl Iterator<Item = BuilderKind> {
        let every: &[BuilderKind] = if self.all { LANGUAGES } else { &[] };
        self.languages.iter().chain(every).copied()
    }
}

/// Everything that can be installed, by its name: the languages and the second engine of one of them.
fn kind_parser() -> impl TypedValueParser<Value = BuilderKind> {
    let kind = |name: String| LANGUAGES.iter().copied().find(|kind| kind.as_str() == name);
    PossibleValuesParser::new(LANGUAGES.iter().map(|kind| kind.as_str()))
        .map(move |name| kind(name).expect("only these names are taken"))
}

/// The files that people write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Document {
    /// A tool's manifest, `tool.yml`
    Tool,
    /// The operator's policy, `cortex.yml`
    Policy,
}

/// The operator's policy.
#[derive(Debug, ClapArgs)]
pub(crate) struct Policy {
    #[command(subcommand)]
    pub(crate) action: PolicyAction,
}

/// What to do with the policy.
#[derive(Debug, Subcommand)]
pub(crate) enum PolicyAction {
    /// Say what is wrong with it, and which of its entries name no tool
    Check(Reading),
    /// Show what a tool asks for, what it gets, and which line says so
    Explain(Tool),
}

/// A capability of a tool.
#[derive(Debug, ClapArgs)]
pub(crate) struct Grant {
    /// A tool's name, or a pattern such as `web_*`
    pub(crate) tool: String,
    /// `network=https://…`, `filesystem=./…[:read-write]`, `environment=NAME`, `secrets=NAME`, `state`, `host=proc`, `host=sys` or
    /// `relics=NAME`
    pub(crate) capability: Capability,
}

/// Secrets.
#[derive(Debug, ClapArgs)]
pub(crate) struct Secret {
    #[command(subcommand)]
    pub(crate) action: SecretAction,
}

/// What to do with secrets.
#[derive(Debug, Subcommand)]
pub(crate) enum SecretAction {
    /// Keep a value, read from standard input
    Set {
        /// The name by which manifests ask for it
        name: VariableName,
    },
    /// Show the names, never the values
    List(Reading),
    /// Forget a value
    Delete {
        /// The name by which manifests ask for it
        name: VariableName,
    },
}

/// Offers the tools over MCP, on standard input and output. `serve` does so over HTTP, at `/mcp`.
#[derive(Debug, ClapArgs)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Mcp {
    #[command(subcommand)]
    pub(crate) action: Option<McpAction>,
    /// Let agents search, build and write tools; new ones are written into this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) meta_tools: Option<PathBuf>,
}

/// What to do besides serving.
#[derive(Debug, Subcommand)]
pub(crate) enum McpAction {
    /// Print what an agent's settings need to use the tools
    Config(McpConfig),
}

/// The settings of an agent.
#[derive(Debug, ClapArgs)]
pub(crate) struct McpConfig {
    /// The agent
    #[arg(value_enum)]
    pub(crate) agent: Agent,
    /// The address of a server that runs already; without it, the agent starts one
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// The folder that the server's agents may write tools into
    #[arg(long, value_name = "DIR", conflicts_with = "url")]
    pub(crate) meta_tools: Option<PathBuf>,
}

/// A program whose model calls tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Agent {
    ClaudeDesktop,
    ClaudeCode,
    Cursor,
    #[value(name = "vscode")]
    VsCode,
    Zed,
    Windsurf,
    Codex,
    GeminiCli,
}

/// The cache of compiled code.
#[derive(Debug, ClapArgs)]
pub(crate) struct Cache {
    #[command(subcommand)]
    pub(crate) action: Option<CacheAction>,
}

/// What to do with the cache.
#[derive(Debug, Subcommand)]
pub(crate) enum CacheAction {
    /// Show what it holds (the default)
    Info(Reading),
    /// Drop the code that was unused longest
    Prune {
        /// How much to keep, such as `500M`; without it, nothing
        #[arg(long, value_name = "SIZE")]
        keep: Option<ByteSize>,
    },
}

impl Command {
    /// How an error of this command is printed.
    pub(crate) fn format(&self) -> Format {
        match self {
            Self::Run(run) => run.reading.format,
            Self::Executions(executions) => executions.reading().format,
            Self::Build(build) => build.reading.format,
            Self::Test(test) => test.reading.format,
            Self::Show(tool)
            | Self::Plan(tool)
            | Self::Audit(tool)
            | Self::Dockerfile(tool)
            | Self::Policy(Policy { action: PolicyAction::Explain(tool) }) => tool.reading.format,
            Self::List(reading)
            | Self::Version(reading)
            | Self::Token(Token { action: TokenAction::List(reading) })
            | Self::Doctor(reading)
            | Self::Ps(reading)
            | Self::Image(Image { action: ImageAction::List(reading) })
            | Self::Relic(Relic { action: RelicAction::List(reading) | RelicAction::Status { reading, .. } })
            | Self::Toolchain(Toolchain { action: ToolchainAction::List(reading) })
            | Self::Policy(Policy { action: PolicyAction::Check(reading) })
            | Self::Secret(Secret { action: SecretAction::List(reading) })
            | Self::Cache(Cache { action: Some(CacheAction::Info(reading)) }) => reading.format,
            Self::Cache(_)
            | Self::Image(_)
            | Self::Relic(_)
            | Self::Stop(_)
            | Self::Logs(_)
            | Self::New(_)
            | Self::Toolchain(_)
            | Self::Grant(_)
            | Self::Revoke(_)
            | Self::Secret(_)
            | Self::Mcp(_)
            | Self::Serve(_)
            | Self::Token(_)
            | Self::Schema { .. }
            | Self::Completions { .. }
            | Self::Compile { .. } => Format::Text,
        }
    }
}
