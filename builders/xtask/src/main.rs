//! The chores of this repository: what is checked, generated, vendored and rebuilt. `cargo xtask help` lists them.

mod artefacts;
mod attacks;
mod command;
mod count;
mod deny;
#[cfg(unix)]
mod docker;
mod fuzz;
mod generate;
mod guests;
mod layout;
mod load;
mod mcp;
mod python;
mod server;
mod setup;
mod soak;
mod steps;
mod test;
mod tidy;
mod toolchain;
mod vendor_wit;

use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};

use crate::command::{Program, say};
use crate::layout::Layout;

/// The chores of this repository.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Args {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// Installs what the tests need, then formats, lints, audits, builds the guests and runs every test
    ///
    /// Ends with a line `N passed, N failed, N skipped`. A check that fails counts as one failure. With `CI=true` what this
    /// machine lacks is a failure instead of being skipped.
    Test {
        /// Run only the tests whose name contains this, and no other check
        filter: Option<String>,
        /// How long each fuzz target runs
        #[arg(long, default_value_t = 60)]
        fuzz_seconds: u32,
    },
    /// Fuzzes what reads a stranger's words: manifests, host rules, values and whole components
    Fuzz {
        /// Only this target
        target: Option<String>,
        /// How long each target runs
        #[arg(long, default_value_t = 60)]
        seconds: u32,
    },
    /// Makes many calls of every kind and reports endings, memory, open files and temporary files
    Soak {
        /// How many calls
        #[arg(long, default_value_t = 200_000)]
        calls: u32,
        /// On how many threads
        #[arg(long, default_value_t = 4)]
        threads: u32,
    },
    /// Builds the guest programs of the tests into `target/guests`
    Guests,
    /// Rebuilds the components that are shipped beside their source
    Artefacts {
        /// Change nothing; fail where source and component disagree
        #[arg(long)]
        check: bool,
    },
    /// Copies the WASI packages of `wit/deps` from the crate `wasmtime-wasi`
    VendorWit {
        /// Change nothing; fail where they differ
        #[arg(long)]
        check: bool,
    },
    /// Writes what is generated from `wit/`
    Generate {
        /// Change nothing; fail where it differs
        #[arg(long)]
        check: bool,
    },
    /// Checks the rules that no compiler knows: sizes, names, links, paths of one machine
    Tidy,
    /// Starts a container engine with base images of this machine's own, prints its address and keeps it until it is
    /// interrupted
    Docker,
    /// Checks licences, sources, duplicates and advisories of every dependency
    Deny,
    /// Runs the official suites of the Model Context Protocol against the server that was built last
    Mcp,
    /// Measures the server under load, compared with axum alone
    Load,
    /// Runs the benchmarks of `cortex-runtime`
    Bench {
        /// Passed on to `cargo bench`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

fn main() -> ExitCode {
    if let Some(code) = fuzz::rustc() {
        return code;
    }
    match run(&Args::parse().chore) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// `false` when the chore itself has said what is wrong.
fn run(chore: &Chore) -> anyhow::Result<bool> {
    let layout = Layout::new()?;
    match chore {
        Chore::Test { filter, fuzz_seconds } => return Ok(test::run(&layout, filter.as_deref(), *fuzz_seconds)),
        Chore::Fuzz { target, seconds } => say(&fuzz::run(&layout, *seconds, target.as_deref())?),
        Chore::Soak { calls, threads } => say(&soak::run(&layout, *calls, *threads)?),
        Chore::Guests => guests::build(&layout)?,
        Chore::Artefacts { check: true } => say(&artefacts::check(&layout)?),
        Chore::Artefacts { check: false } => artefacts::rebuild(&layout)?,
        Chore::VendorWit { check } => vendor_wit::run(&layout, *check)?,
        Chore::Generate { check } => generate::run(&layout, *check)?,
        Chore::Tidy => tidy::run(&layout)?,
        #[cfg(unix)]
        Chore::Docker => match docker::Engine::up(&layout)? {
            Ok(engine) => {
                command::print(&format!("export DOCKER_HOST={}", engine.address));
                command::wait_for_end_of_input();
            }
            Err(lacking) => anyhow::bail!(lacking),
        },
        #[cfg(not(unix))]
        Chore::Docker => anyhow::bail!("only on Unix"),
        Chore::Deny => {
            deny::tree(&layout)?;
            if let Some(unreachable) = deny::advisories(&layout)? {
                say(&unreachable);
            }
        }
        Chore::Mcp => {
            let mut steps = steps::Steps::default();
            mcp::run(&layout, &mut steps);
            return Ok(steps.finish().failed == 0);
        }
        Chore::Load => load::run(&layout)?,
        Chore::Bench { arguments } => {
            let bench = Program::cargo(&layout).args(["bench", "-p", "cortex-runtime"]).args(arguments);
            bench.passing_stdout().run().context("`cargo bench` failed")?;
        }
    }
    Ok(true)
}
