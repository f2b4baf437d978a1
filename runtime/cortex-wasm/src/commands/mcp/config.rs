//! `cortex-wasm mcp config`: what an agent's settings need.

use std::path::{Path, PathBuf};

use anyhow::bail;
use serde_json::{Value, json};

use crate::args::{Agent, Global, McpConfig};
use crate::exit_status::ExitStatus;
use crate::printer::Printer;

/// What the server is called in the settings.
const NAME: &str = "cortex-wasm";

/// What an agent needs to know of the server.
enum Server {
    /// It starts one.
    Command { program: String, arguments: Vec<String> },
    /// It finds one.
    Url(String),
}

pub(super) fn execute(config: &McpConfig, global: &Global, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let server = if let Some(url) = &config.url {
        Server::Url(url.clone())
    } else {
        let program = text(&std::env::current_exe()?)?;
        Server::Command { program, arguments: arguments(config, global)? }
    };
    let (place, snippet) = snippet(config.agent, &server)?;
    printer.note(&format!("# {place}"));
    printer.data(&snippet);
    Ok(ExitStatus::Success)
}

/// The arguments of the server. An agent starts it in a folder of its own choosing, so every path is absolute.
fn arguments(config: &McpConfig, global: &Global) -> anyhow::Result<Vec<String>> {
    let absolute = |path: &Path| text(&std::path::absolute(path)?);
    let mut arguments = vec!["mcp".to_owned()];
    let here = [PathBuf::from("manifests")];
    let manifests = if global.manifests.is_empty() { &here[..] } else { &global.manifests };
    for folder in manifests.iter().filter(|folder| !global.manifests.is_empty() || folder.is_dir()) {
        arguments.extend(["--manifests".into(), absolute(folder)?]);
    }
    let policy = global.policy.clone().or_else(|| Some(PathBuf::from("cortex.yml")).filter(|policy| policy.is_file()));
    if let Some(policy) = policy {
        arguments.extend(["--policy".into(), absolute(&policy)?]);
    }
    if global.offline {
        arguments.push("--offline".into());
    }
    if let Some(folder) = &config.meta_tools {
        arguments.extend(["--meta-tools".into(), absolute(folder)?]);
    }
    Ok(arguments)
}

fn text(path: &Path) -> anyhow::Result<String> {
    match path.to_str() {
        Some(path) => Ok(path.to_owned()),
        None => bail!("`{}` is not valid UTF-8, which settings files have to be", path.display()),
    }
}

/// Where the settings are, and what to add to them.
fn snippet(agent: Agent, server: &Server) -> anyhow::Result<(&'static str, String)> {
    // The key of the address differs, and so does whether the kind of transport is named.
    let entry = |kind: Option<(&str, &str)>, url_key: &str| {
        let mut entry = match server {
            Server::Command { program, arguments } => json!({ "command": program, "args": arguments }),
            Server::Url(url) => json!({ url_key: url }),
        };
        if let Some((stdio, http)) = kind {
            entry["type"] = if matches!(server, Server::Url(_)) { http } else { stdio }.into();
        }
        entry
    };
    let servers = |key: &str, entry: Value| serde_json::to_string_pretty(&json!({ key: { NAME: entry } }));
    Ok(match agent {
        Agent::ClaudeDesktop => match server {
            Server::Url(_) => bail!(
                "Claude Desktop's settings file names only servers that it starts; leave out `--url`, or add the address \
                 under Settings, Connectors"
            ),
            Server::Command { .. } => (
                "claude_desktop_config.json (Settings, Developer, Edit Config)",
                servers("mcpServers", entry(None, "url"))?,
            ),
        },
        Agent::ClaudeCode => (
            ".mcp.json in the project, or pass the value of `cortex-wasm` to `claude mcp add-json cortex-wasm`",
            servers("mcpServers", entry(Some(("stdio", "http")), "url"))?,
        ),
        Agent::Cursor => {
            (".cursor/mcp.json in the project, or ~/.cursor/mcp.json", servers("mcpServers", entry(None, "url"))?)
        }
        Agent::VsCode => (
            ".vscode/mcp.json in the project, or `MCP: Open User Configuration`",
            servers("servers", entry(Some(("stdio", "http")), "url"))?,
        ),
        Agent::Zed => ("settings.json of Zed (`zed: open settings`)", servers("context_servers", entry(None, "url"))?),
        Agent::Windsurf => ("~/.codeium/windsurf/mcp_config.json", servers("mcpServers", entry(None, "serverUrl"))?),
        Agent::GeminiCli => (
            ".gemini/settings.json in the project, or ~/.gemini/settings.json",
            servers("mcpServers", entry(None, "httpUrl"))?,
        ),
        Agent::Codex => ("~/.codex/config.toml", toml(server)),
    })
}

/// JSON's strings are TOML's basic strings, escapes included, but for `\/`, which is never written.
fn toml(server: &Server) -> String {
    let quoted = |text: &String| Value::from(text.as_str()).to_string();
    match server {
        Server::Url(url) => format!("[mcp_servers.{NAME}]\nurl = {}", quoted(url)),
        Server::Command { program, arguments } => {
            let arguments: Vec<_> = arguments.iter().map(quoted).collect();
            format!("[mcp_servers.{NAME}]\ncommand = {}\nargs = [{}]", quoted(program), arguments.join(", "))
        }
    }
}
