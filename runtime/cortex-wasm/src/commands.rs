//! One module a command. Each takes what was typed, calls the runtime once and prints.

mod audit;
mod build;
mod cache;
mod container;
mod doctor;
mod executions;
mod list;
mod mcp;
mod new;
mod plan;
mod policy;
mod relic;
mod run;
mod secret;
mod serve;
mod show;
mod test;
mod token;
mod toolchain;
mod version;

use std::path::PathBuf;

use clap::CommandFactory;
use cortex_runtime::{Allocation, CompilerProgram, Runtime, Settings, compile_for_parent};

use crate::args::{Args, Command, Document, Global, Selection};
use crate::environment;
use crate::exit_status::ExitStatus;
use crate::printer::Printer;

/// Does what was asked for.
pub(crate) fn execute(args: Args, printer: &Printer) -> anyhow::Result<ExitStatus> {
    match args.command {
        Command::Schema { of: Document::Tool } => printer.json(&cortex_manifest::manifest_schema())?,
        Command::Schema { of: Document::Policy } => printer.json(&cortex_manifest::policy_schema())?,
        Command::Secret(secret) => return secret::execute(&secret, printer),
        Command::Grant(grant) => return policy::grant(&grant, &args.global, printer),
        Command::Revoke(grant) => return policy::revoke(&grant, &args.global, printer),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Args::command(), "cortex-wasm", &mut script);
            printer.raw(&script);
        }
        Command::Version(reading) => version::execute(reading, printer)?,
        Command::Compile { memory, time } => return Ok(ExitStatus::Child(compile_for_parent(memory, time))),
        Command::Mcp(mcp) => return mcp::execute(&mcp, &args.global, printer),
        Command::Serve(serve) => return serve::execute(&serve, &args.global, printer),
        Command::Token(token) => return token::execute(&token, printer),
        Command::Executions(executions) => return executions::execute(&executions, printer),
        Command::New(new) => return new::execute(&new, printer),
        Command::Toolchain(toolchain) => return toolchain::execute(&toolchain, &args.global, printer),
        Command::Doctor(reading) => return doctor::execute(reading, &args.global, printer),
        command => return with_runtime(command, &args.global, printer),
    }
    Ok(ExitStatus::Success)
}

fn with_runtime(command: Command, global: &Global, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let runtime = Runtime::new(settings(global)?)?;
    let status = match command {
        Command::Run(run) => run::execute(&run, &runtime, printer),
        Command::List(reading) => list::execute(reading, &runtime, printer),
        Command::Show(tool) => show::execute(&tool, &runtime, printer),
        Command::Plan(tool) => plan::execute(&tool, &runtime, printer),
        Command::Build(build) => build::execute(&build, &runtime, printer),
        Command::Dockerfile(tool) => container::dockerfile(&tool, &runtime, printer),
        Command::Image(image) => container::image(&image, &runtime, printer),
        Command::Relic(relic) => relic::execute(&relic, &runtime, printer),
        Command::Ps(reading) => container::list(reading, &runtime, printer),
        Command::Stop(container) => container::stop(&container, &runtime, printer),
        Command::Logs(container) => container::logs(&container, &runtime, printer),
        Command::Test(test) => test::execute(&test, &runtime, printer),
        Command::Cache(cache) => cache::execute(&cache, &runtime, printer),
        Command::Audit(tool) => audit::execute(&tool, &runtime, printer),
        Command::Policy(args) => policy::execute(&args, &runtime, printer),
        // Done above, without a runtime.
        Command::Schema { .. }
        | Command::Secret(_)
        | Command::Mcp(_)
        | Command::Serve(_)
        | Command::Token(_)
        | Command::Executions(_)
        | Command::Grant(_)
        | Command::Revoke(_)
        | Command::Completions { .. }
        | Command::Version(_)
        | Command::Compile { .. }
        | Command::New(_)
        | Command::Toolchain(_)
        | Command::Doctor(_) => Ok(ExitStatus::Success),
    };
    if let Err(error) = runtime.close() {
        printer.warning(&format!("{:#}", anyhow::Error::from(error)));
    }
    status
}

fn settings(global: &Global) -> anyhow::Result<Settings> {
    // The default need not be there; what somebody names should.
    if let Some(missing) = global.manifests.iter().find(|folder| !folder.is_dir()) {
        anyhow::bail!("`--manifests {}`: there is no such folder", missing.display());
    }
    let default = || vec![PathBuf::from("manifests")];
    let manifests = if global.manifests.is_empty() { default() } else { global.manifests.clone() };
    Ok(Settings {
        manifests,
        // One call a process: mapping memory when it is needed beats reserving it for a thousand calls.
        allocation: Allocation::OnDemand,
        offline: global.offline,
        policy: policy::open(global)?,
        environment: environment::variables(),
        // This program again: what is compiled there can use up neither this process's memory nor its time.
        compiler: environment::this_program()
            .map(|program| CompilerProgram { program, arguments: vec!["compile".into()] }),
        docker: environment::docker()?,
        ..Settings::new(environment::home()?)
    })
}

/// A runtime for the futures of one command.
fn block_on<T>(future: impl Future<Output = T>) -> anyhow::Result<T> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(future))
}

/// The names of the tools that were selected. A manifest that is not valid is part of the selection, so that it is
/// reported.
fn selected(selection: &Selection, runtime: &Runtime) -> anyhow::Result<Vec<String>> {
    match &selection.tool {
        Some(tool) => Ok(vec![tool.clone()]),
        None => Ok(runtime.tools()?.into_iter().map(|listed| listed.name).collect()),
    }
}
