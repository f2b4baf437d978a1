//! `cortex-wasm policy`, `grant` and `revoke`

use std::path::{Path, PathBuf};

use anyhow::Context;
use cortex_manifest::{PolicySpec, with_denial, with_grant, without_grant};
use cortex_runtime::{Permit, Policy, Runtime};
use fs_err as fs;
use serde_json::json;

use super::settings;
use crate::args::{Format, Global, Grant, Policy as PolicyArgs, PolicyAction, Reading, Tool};
use crate::exit_status::ExitStatus;
use crate::printer::Printer;

/// The file of a workspace.
const FILE: &str = "cortex.yml";

fn path(global: &Global) -> PathBuf {
    global.policy.clone().unwrap_or_else(|| FILE.into())
}

/// A file that was named has to be there; the workspace's own may be missing.
pub(super) fn open(global: &Global) -> anyhow::Result<Policy> {
    let path = path(global);
    if global.policy.is_none() && !path.exists() {
        return Ok(Policy::default());
    }
    Ok(Policy::open(&path)?)
}

pub(super) fn execute(args: &PolicyArgs, runtime: &Runtime, printer: &Printer) -> anyhow::Result<ExitStatus> {
    match &args.action {
        PolicyAction::Check(reading) => check(*reading, runtime, printer),
        PolicyAction::Explain(tool) => explain(tool, runtime, printer),
    }
}

/// That it can be read was found out at the start.
fn check(reading: Reading, runtime: &Runtime, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let spec = runtime.policy().spec();
    let names: Vec<String> = runtime.tools()?.into_iter().map(|listed| listed.name).collect();
    let idle: Vec<_> = spec.tools.iter().filter(|entry| !names.iter().any(|name| entry.tool.matches(name))).collect();
    match reading.format {
        Format::Json => {
            let idle: Vec<_> = idle.iter().map(|entry| json!({"line": entry.line, "tool": entry.tool})).collect();
            printer.json(&json!({"policy": spec, "names_no_tool": idle}))?;
        }
        Format::Text => {
            printer.data(&format!("{} entries for tools", spec.tools.len()));
            for entry in idle {
                printer.warning(&format!("line {}: `{}` names no tool that there is", entry.line, entry.tool.as_str()));
            }
        }
    }
    Ok(ExitStatus::Success)
}

fn explain(args: &Tool, runtime: &Runtime, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let tool = runtime.tool(&args.tool)?;
    let permits = runtime.permits(&tool)?;
    match args.reading.format {
        Format::Json => printer.json(&json!({"tool": tool.spec.name, "permits": permits}))?,
        Format::Text => {
            if permits.is_empty() {
                printer.data(&format!("{} asks for nothing", tool.spec.name));
            }
            print(&permits, printer);
        }
    }
    Ok(ExitStatus::Success)
}

/// One line for each thing that was asked for, and what would change a refusal.
pub(super) fn print(permits: &[Permit], printer: &Printer) {
    for Permit { capability, target, granted, because, allow, exposed } in permits {
        let word = if *granted { "granted" } else { "refused" };
        printer.data(&format!("{word}  {capability} {target}: {because}"));
        if *exposed && *granted {
            printer.data(
                &printer.red("         the tool itself holds this secret, and can pass it on wherever it reaches"),
            );
        }
        for line in allow.iter().flat_map(|allow| allow.lines()) {
            printer.data(&format!("         {line}"));
        }
    }
}

pub(super) fn grant(args: &Grant, global: &Global, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let path = path(global);
    let changed = with_grant(&read(&path)?, &args.tool, &args.capability);
    write(&path, &changed)?;
    printer.note(&format!("{}: `{}` is granted {}", path.display(), args.tool, args.capability));
    report(args, global, printer)
}

/// A grant that was written by `grant` goes; what is granted otherwise is denied.
pub(super) fn revoke(args: &Grant, global: &Global, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let path = path(global);
    let before = read(&path)?;
    let without = without_grant(&before, &args.tool, &args.capability);
    let changed = if without == before { with_denial(&before, &args.tool, &args.capability) } else { without };
    write(&path, &changed)?;
    printer.note(&format!("{}: `{}` is no longer granted {}", path.display(), args.tool, args.capability));
    report(args, global, printer)
}

/// What it comes to, where the name is a tool's.
fn report(args: &Grant, global: &Global, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let runtime = Runtime::new(settings(global)?)?;
    if let Ok(tool) = runtime.tool(&args.tool) {
        print(&runtime.permits(&tool)?, printer);
    }
    Ok(ExitStatus::Success)
}

fn read(path: &Path) -> anyhow::Result<String> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        read => Ok(read?),
    }
}

/// Only a text that is a policy takes the place of the old one.
fn write(path: &Path, yaml: &str) -> anyhow::Result<()> {
    let by_hand = "the file is written in a way that cannot be changed line by line; change it by hand";
    PolicySpec::parse(path, yaml).context(by_hand)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let file = tempfile::Builder::new().prefix(".cortex").tempfile_in(folder)?;
    fs::write(file.path(), yaml)?;
    file.as_file().sync_all()?;
    // A temporary file is its owner's alone; a policy holds no secret.
    #[cfg(unix)]
    file.as_file().set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    file.persist(path)?;
    Ok(())
}
