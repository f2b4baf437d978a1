//! `cortex-wasm mcp`

mod config;

use std::path::PathBuf;

use anyhow::{Context, bail};
use cortex_runtime::{Allocation, Runtime, Settings};
use cortex_server::mcp::{McpOptions, McpServer, MetaTools, service};
use fs_err as fs;
use tokio_util::sync::CancellationToken;

use super::settings;
use crate::args::{Global, Mcp, McpAction};
use crate::exit_status::ExitStatus;
use crate::printer::Printer;

/// The most calls that run at the same time. Address space for each is reserved at the start.
const CALLS: u32 = 200;

pub(super) fn execute(mcp: &Mcp, global: &Global, printer: &Printer) -> anyhow::Result<ExitStatus> {
    if let Some(McpAction::Config(config)) = &mcp.action {
        return config::execute(config, global, printer);
    }
    log_to_stderr(global.quiet);
    let mut settings = Settings { allocation: Allocation::Pooled { calls: CALLS }, ..settings(global)? };
    let meta_tools = mcp.meta_tools.as_deref().map(|folder| meta_tools(folder, &mut settings.manifests)).transpose()?;
    let runtime = Runtime::new(settings)?;
    let served = tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let options = McpOptions { meta_tools, ..McpOptions::default() };
        let server = McpServer::start(runtime.clone(), options).await?;
        for collision in server.collisions() {
            printer.warning(&collision);
        }
        let stop = CancellationToken::new();
        tokio::spawn(stop_when_asked(stop.clone()));
        match mcp.listen {
            None => Ok(server.serve_stdio(stop).await?),
            Some(address) => {
                if !address.ip().is_loopback() {
                    bail!("`{address}` is no loopback address, and this command asks nobody who they are");
                }
                let listener = tokio::net::TcpListener::bind(address).await;
                let listener = listener.with_context(|| format!("cannot listen on `{address}`"))?;
                printer.note(&format!("MCP at http://{}/mcp", listener.local_addr()?));
                let app = axum::Router::new().nest("/mcp", service(&server, stop.clone()));
                Ok(axum::serve(listener, app).with_graceful_shutdown(stop.cancelled_owned()).await?)
            }
        }
    });
    if let Err(error) = runtime.close() {
        printer.warning(&format!("{:#}", anyhow::Error::from(error)));
    }
    served.map(|()| ExitStatus::Success)
}

/// The folder for new tools. It is looked up last, so that a new tool never replaces another.
pub(super) fn meta_tools(folder: &std::path::Path, manifests: &mut Vec<PathBuf>) -> anyhow::Result<MetaTools> {
    fs::create_dir_all(folder)?;
    let real = fs::canonicalize(folder)?;
    let known = |manifests: &PathBuf| fs::canonicalize(manifests).is_ok_and(|known| known == real);
    if !manifests.iter().any(known) {
        manifests.push(folder.to_owned());
    }
    Ok(MetaTools { folder: folder.to_owned() })
}

/// Standard output belongs to the protocol.
fn log_to_stderr(quiet: bool) {
    use tracing_subscriber::filter::EnvFilter;

    // The protocol's library warns of every mistake that a client makes.
    let filter = EnvFilter::new(if quiet { "error" } else { "warn,rmcp=error" });
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter).with_target(false).init();
}

/// Ends the server on Ctrl-C and, on Unix, on SIGTERM.
pub(super) async fn stop_when_asked(stop: CancellationToken) {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};

        let terminate = signal(SignalKind::terminate());
        if let Ok(mut terminate) = terminate {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            stop.cancel();
            return;
        }
    }
    if tokio::signal::ctrl_c().await.is_ok() {
        stop.cancel();
    }
}
