//! `cortex-wasm mcp`

mod config;

use std::path::PathBuf;

use cortex_runtime::{Allocation, Runtime, Settings};
use cortex_server::mcp::{McpOptions, McpServer, MetaTools};
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
    let executor = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let served = executor.block_on(async {
        let options = McpOptions { meta_tools, ..McpOptions::default() };
        let server = McpServer::start(runtime.clone(), options).await?;
        for collision in server.collisions() {
            printer.warning(&collision);
        }
        let stop = CancellationToken::new();
        tokio::spawn(stop_when_asked(stop.clone()));
        server.serve_stdio(stop).await
    });
    if let Err(error) = runtime.close() {
        printer.warning(&format!("{:#}", anyhow::Error::from(error)));
    }
    served?;
    Ok(ExitStatus::Success)
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
