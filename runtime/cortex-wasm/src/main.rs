//! The command line: parse, call the runtime, print. Nothing else happens here.

mod args;
mod commands;
mod descriptors;
mod environment;
mod exit_status;
mod failure;
mod input;
mod printer;

use std::process::ExitCode;

use clap::Parser;

use crate::args::Args;
use crate::exit_status::ExitStatus;
use crate::printer::Printer;

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(message) => {
            // Help and version are asked for, everything else is wrong usage. Nobody reads a closed pipe.
            let _ = message.print();
            let asked_for = message.exit_code() == 0;
            return if asked_for { ExitStatus::Success } else { ExitStatus::Usage }.into();
        }
    };
    descriptors::raise_limit();
    let printer = Printer::new(args.global.quiet);
    let format = args.command.format();
    let status = match commands::execute(args, &printer) {
        Ok(status) => status,
        Err(error) => failure::report(&error, format, &printer),
    };
    if let Some(error) = printer.lost() {
        printer.error(&format!("not all output could be written: {error}"), None);
        return ExitStatus::Internal.into();
    }
    status.into()
}
