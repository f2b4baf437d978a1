//! `cortex-wasm serve`

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use cortex_runtime::{Allocation, QueueLimits, Retention, Runtime, Settings};
use cortex_server::mcp::McpOptions;
use cortex_server::{Metrics, Server, ServerSettings, ServerTelemetry, TlsFiles, TokenFile, Tokens};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use super::{mcp, settings};
use crate::args::{Global, Serve};
use crate::environment;
use crate::exit_status::ExitStatus;
use crate::printer::Printer;

pub(super) fn execute(serve: &Serve, global: &Global, printer: &Printer) -> anyhow::Result<ExitStatus> {
    log(serve)?;
    open_files(printer);
    let executor = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let metrics = Arc::new(Metrics::default());
    let telemetry = match &serve.otlp {
        None => ServerTelemetry::new(Arc::clone(&metrics)),
        Some(endpoint) => executor
            .block_on(async { ServerTelemetry::with_otlp(Arc::clone(&metrics), endpoint) })
            .with_context(|| format!("`{endpoint}` is no address of a collector"))?,
    };
    let telemetry = Arc::new(telemetry);
    let mut of_runtime = runtime_settings(serve, global)?;
    let meta_tools =
        serve.meta_tools.as_deref().map(|folder| mcp::meta_tools(folder, &mut of_runtime.manifests)).transpose()?;
    of_runtime.telemetry = Some(Arc::clone(&telemetry) as _);
    let of_server = server_settings(serve, &of_runtime)?;
    let runtime = Runtime::new(of_runtime)?;
    let protected = !of_server.tokens.is_empty();
    let served = executor.block_on(async {
        let stop = CancellationToken::new();
        tokio::spawn(mcp::stop_when_asked(stop.clone()));
        let options = McpOptions { meta_tools, ..McpOptions::default() };
        let server = Server::bind(runtime.clone(), of_server, options, metrics).await?;
        let scheme = if serve.tls_cert.is_some() { "https" } else { "http" };
        printer.data(&format!("{scheme}://{}", server.address()?));
        if !protected {
            printer.note("no tokens: everybody who reaches this address may do everything");
        }
        let cancelled = server.run(stop).await;
        if cancelled > 0 {
            printer.warning(&format!("{cancelled} calls did not end in time and were cancelled"));
        }
        anyhow::Ok(())
    });
    telemetry.shutdown();
    // What still holds the runtime, such as a stream that nobody closed, goes with the executor.
    executor.shutdown_timeout(Duration::from_secs(5));
    if let Err(error) = runtime.close() {
        printer.warning(&format!("{:#}", anyhow::Error::from(error)));
    }
    served.map(|()| ExitStatus::Success)
}

fn runtime_settings(serve: &Serve, global: &Global) -> anyhow::Result<Settings> {
    let running = usize::try_from(serve.calls)?;
    Ok(Settings {
        allocation: Allocation::Pooled { calls: serve.calls },
        queue: Some(QueueLimits { running, waiting_each: serve.queue_each, waiting: serve.queue }),
        retention: Retention {
            count: serve.keep,
            age: Duration::from_hours(24 * u64::from(serve.keep_days)),
            bytes: serve.keep_size.bytes(),
        },
        watched: true,
        ..settings(global)?
    })
}

fn server_settings(serve: &Serve, runtime: &Settings) -> anyhow::Result<ServerSettings> {
    let tls = serve.tls_cert.clone().zip(serve.tls_key.clone());
    Ok(ServerSettings {
        tokens: Tokens::new(&TokenFile::of_home(&environment::home()?).read()?)?,
        insecure: serve.insecure,
        hosts: serve.hosts.clone(),
        origins: serve.origins.clone(),
        tls: tls.map(|(certificates, key)| TlsFiles { certificates, key }),
        body_bytes: usize::try_from(serve.body_limit.bytes())?,
        shutdown: serve.shutdown_timeout.duration(),
        watch: runtime.manifests.clone(),
        ..ServerSettings::new(serve.listen)
    })
}

/// Each connection is an open file, of clients and of tools; the usual limit of 1,024 is from when programs could not
/// handle more.
#[cfg_attr(not(unix), expect(unused_variables, reason = "other systems have no such limit"))]
fn open_files(printer: &Printer) {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, getrlimit, setrlimit};
        let mut limit = getrlimit(Resource::Nofile);
        limit.current = limit.maximum;
        if let Err(error) = setrlimit(Resource::Nofile, limit) {
            printer.warning(&format!("the limit of open files stays as it is: {error}"));
        }
    }
}

/// Standard output has the address; logs are for whoever operates the server.
fn log(serve: &Serve) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&serve.log).with_context(|| format!("`{}` is no filter of logs", serve.log))?;
    let logs = tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter);
    if serve.log_json {
        logs.json().init();
    } else {
        logs.with_target(false).init();
    }
    Ok(())
}
