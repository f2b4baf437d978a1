//! What the tests of the server need from elsewhere, and the check of its routes against their description.

use anyhow::Context;
use fs_err as fs;

use crate::command::{Program, say};
use crate::layout::Layout;
use crate::python::SCHEMATHESIS;
use crate::steps::End;

/// What drives the browser in the test of the console, as npm names it.
pub(crate) const PLAYWRIGHT: &str = "playwright-core@1.65.1";

/// The checks of schemathesis: no answer is this server's own fault, and each is as described.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance";

/// How many requests are made of each route.
const EXAMPLES: &str = "25";

/// Installs Playwright where the test looks for it. Nothing of it runs while it is installed.
pub(crate) fn playwright(layout: &Layout) -> anyhow::Result<()> {
    let tools = layout.target().join("node-tools");
    let folder = tools.join(PLAYWRIGHT.replace('@', "-"));
    if folder.exists() {
        return Ok(());
    }
    fs::create_dir_all(&tools)?;
    let stage = tempfile::tempdir_in(&tools)?;
    say(&format!("    npm install {PLAYWRIGHT}"));
    let npm = Program::new("npm").args(["install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", "."]);
    npm.arg(PLAYWRIGHT).dir(stage.path()).output()?;
    // Whole or not at all.
    fs::rename(stage.keep(), folder)?;
    Ok(())
}

/// Sends the server whatever its description allows, and some of what it does not.
pub(crate) fn routes(layout: &Layout) -> anyhow::Result<End> {
    let schemathesis = match SCHEMATHESIS.program(layout) {
        Ok(program) => program,
        Err(error) => return Ok(End::Lacking(format!("{}: {error:#}", SCHEMATHESIS.requirement()))),
    };
    let home = tempfile::tempdir_in(layout.target())?;
    // The calculator alone: what other tools answer is theirs, and no fault of the server.
    let server = Program::new(layout.target().join("debug/cortex-wasm"));
    let server = server.args(["serve", "--listen", "127.0.0.1:0", "--log", "error", "--manifests"]).arg(home.path());
    let server = server.dir(home.path()).env("CORTEX_HOME", home.path());
    let (_server, address) = server.start_printing(|line| line.starts_with("http://").then(|| line.to_owned()))?;
    let run = schemathesis.args(["run", "--checks", CHECKS, "--max-examples", EXAMPLES, "--seed", "1", "--no-color"]);
    // Streams of events that never end are no answers to look at.
    let run =
        run.args(["--exclude-path", "/v1/events", "--request-timeout", "60", "--phases", "examples,coverage,fuzzing"]);
    let run = run.arg(format!("{address}/openapi.json")).dir(home.path());
    run.run().context("the routes are not as `/openapi.json` says")?;
    Ok(End::DONE)
}
