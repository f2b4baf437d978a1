//! What is typed about servers: serving, their tokens, their executions.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand, ValueEnum};
use cortex_manifest::{ByteSize, Milliseconds};

use super::Reading;

/// Serves the tools.
#[derive(Debug, ClapArgs)]
pub(crate) struct Serve {
    /// Where to listen; beyond this machine, tokens are needed
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8086")]
    pub(crate) listen: SocketAddr,
    /// Let everybody who reaches the address do everything, without tokens
    #[arg(long)]
    pub(crate) insecure: bool,
    /// A name by which the server may be called, besides addresses and `localhost`; may be given several times
    #[arg(long = "allow-host", value_name = "NAME")]
    pub(crate) hosts: Vec<String>,
    /// An origin whose pages may call the server, such as `https://app.example.com`; may be given several times
    #[arg(long = "allow-origin", value_name = "ORIGIN")]
    pub(crate) origins: Vec<String>,
    /// A certificate chain (PEM), to serve HTTPS
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The key of the certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// The most calls that run at the same time
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) calls: u32,
    /// The most calls of one tool that wait for their turn
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub(crate) queue_each: usize,
    /// The most calls of all tools that wait for their turn
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    pub(crate) queue: usize,
    /// The largest body of a request
    #[arg(long, value_name = "SIZE", default_value = "8M")]
    pub(crate) body_limit: ByteSize,
    /// How long calls may go on when the server ends
    #[arg(long, value_name = "TIME", default_value = "30s")]
    pub(crate) shutdown_timeout: Milliseconds,
    /// How many executions are kept
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    pub(crate) keep: u64,
    /// How long executions are kept
    #[arg(long, value_name = "DAYS", default_value_t = 90)]
    pub(crate) keep_days: u32,
    /// About how large the record of executions may grow
    #[arg(long, value_name = "SIZE", default_value = "4G")]
    pub(crate) keep_size: ByteSize,
    /// Send traces and metrics to this collector by OTLP over HTTP, such as `http://localhost:4318`
    #[arg(long, value_name = "URL")]
    pub(crate) otlp: Option<String>,
    /// Log lines as JSON
    #[arg(long)]
    pub(crate) log_json: bool,
    /// What to log: a level, or filters such as `info,cortex_server=debug`
    #[arg(long, value_name = "FILTER", default_value = "info")]
    pub(crate) log: String,
    /// Let agents search, build and write tools over MCP; new ones are written into this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) meta_tools: Option<PathBuf>,
}

/// The tokens.
#[derive(Debug, ClapArgs)]
pub(crate) struct Token {
    #[command(subcommand)]
    pub(crate) action: TokenAction,
}

/// What to do with tokens.
#[derive(Debug, Subcommand)]
pub(crate) enum TokenAction {
    /// Make a token and print it, this once
    Create {
        /// Whose it is: executions carry the name
        user: String,
        /// What it is good for; may be given several times
        #[arg(long = "scope", value_enum, default_value = "call")]
        scopes: Vec<TokenScope>,
        /// Which tools it is good for, such as `web_*` [default: all]; may be given several times
        #[arg(long = "tool", value_name = "PATTERN")]
        tools: Vec<String>,
    },
    /// Show whose tokens there are, never the tokens
    List(Reading),
    /// Forget the tokens of a user; servers have to be started anew
    Revoke {
        /// Whose
        user: String,
    },
}

/// What a token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TokenScope {
    /// Seeing and calling tools
    Call,
    /// Building tools
    Build,
    /// Everything
    Admin,
}

/// The executions.
#[derive(Debug, ClapArgs)]
pub(crate) struct Executions {
    /// A server to ask instead of the file, such as `http://127.0.0.1:8086`; its token is in `CORTEX_TOKEN`
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) server: Option<String>,
    #[command(subcommand)]
    pub(crate) action: ExecutionsAction,
}

/// What to do with executions.
#[derive(Debug, Subcommand)]
pub(crate) enum ExecutionsAction {
    /// List them, the latest first
    List {
        /// Of this tool only
        #[arg(long)]
        tool: Option<String>,
        /// With this status only: pending, running, success, failed, timeout, cancelled or interrupted
        #[arg(long)]
        status: Option<String>,
        /// Of this session only
        #[arg(long)]
        session: Option<String>,
        /// Of this user only
        #[arg(long)]
        user: Option<String>,
        /// Older than this one
        #[arg(long, value_name = "ID")]
        before: Option<String>,
        /// How many
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
        limit: u16,
        #[command(flatten)]
        reading: Reading,
    },
    /// Show all that was recorded of one
    Show {
        /// Which one
        id: String,
        #[command(flatten)]
        reading: Reading,
    },
    /// Show what a tool has written
    Logs {
        /// Of which execution
        id: String,
        #[command(flatten)]
        reading: Reading,
    },
    /// Stop a call that goes on, in whichever process
    Cancel {
        /// Which one
        id: String,
        #[command(flatten)]
        reading: Reading,
    },
}

impl Executions {
    pub(crate) fn reading(&self) -> Reading {
        match &self.action {
            ExecutionsAction::List { reading, .. }
            | ExecutionsAction::Show { reading, .. }
            | ExecutionsAction::Logs { reading, .. }
            | ExecutionsAction::Cancel { reading, .. } => *reading,
        }
    }
}
