//! `cortex-wasm secret`

use std::io::{IsTerminal, Read};

use cortex_runtime::Secrets;

use crate::args::{Format, Secret, SecretAction};
use crate::environment;
use crate::exit_status::ExitStatus;
use crate::printer::Printer;

pub(super) fn execute(args: &Secret, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let secrets = Secrets::new(&environment::home()?);
    match &args.action {
        SecretAction::Set { name } => secrets.set(name, &read_value(printer)?)?,
        SecretAction::List(reading) => {
            let names = secrets.names()?;
            match reading.format {
                Format::Json => printer.json(&names)?,
                Format::Text => names.iter().for_each(|name| printer.data(name)),
            }
        }
        SecretAction::Delete { name } => {
            if !secrets.delete(name)? {
                printer.note(&format!("there was no secret `{name}`"));
            }
        }
    }
    Ok(ExitStatus::Success)
}

/// Never from the command line, which other users of the machine can read. One line feed at the end is the editor's.
fn read_value(printer: &Printer) -> anyhow::Result<String> {
    if std::io::stdin().is_terminal() {
        printer.note("the value (it is not shown):");
        return Ok(rpassword::read_password()?);
    }
    let mut value = String::new();
    std::io::stdin().lock().read_to_string(&mut value)?;
    let value = value.strip_suffix('\n').unwrap_or(&value);
    Ok(value.strip_suffix('\r').unwrap_or(value).to_owned())
}
