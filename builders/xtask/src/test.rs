//! `cargo xtask test`: everything that must hold, in one command.

use std::path::Path;

use anyhow::{Context, ensure};

use crate::command::{Program, print, say};
use crate::count::Count;
use crate::layout::Layout;
use crate::steps::{End, Steps};
use crate::{artefacts, deny, fuzz, generate, guests, mcp, server, setup, soak, tidy, vendor_wit};

/// Enough calls for every kind of them many times over, and few enough for a few seconds.
const SOAK_CALLS: u32 = 5_000;

/// `false` when anything failed.
pub(crate) fn run(layout: &Layout, filter: Option<&str>, fuzz_seconds: u32) -> bool {
    let mut steps = Steps::default();
    let mut failed = Vec::new();
    steps.step("setup", || Ok(setup::programs()));
    steps.step("rust for wasm", || setup::rust(layout));
    steps.step("tools", || Ok(setup::tools(layout)));
    if filter.is_none() {
        checks(layout, &mut steps);
    }
    let mut engine = Docker::default();
    steps.step("docker engine", || engine.up(layout));
    steps.step("guests", || done(guests::build(layout)));
    // One call for programs and tests: apart, they would be compiled with other features of their dependencies.
    steps.step("build", || {
        done(
            Program::cargo(layout)
                .args(["build", "--workspace", "--locked", "--lib", "--bins", "--tests", "--examples"])
                .run(),
        )
    });
    steps.step("tests", || {
        // A snapshot that differs fails; it leaves no file behind.
        let workspace = Program::cargo(layout)
            .args(["test", "--workspace", "--locked", "--no-fail-fast"])
            .env("INSTA_UPDATE", "no");
        Ok(End::Tested(harness(engine.told_to_tests(workspace.args(filter)), &mut failed)))
    });
    steps.step("tests on host", || {
        let mut count = Count::default();
        for package in layout.host_packages()? {
            let tests = on_host(layout, "test", &package)?.arg("--no-fail-fast");
            count += harness(tests.args(filter), &mut failed);
        }
        Ok(End::Tested(count))
    });
    if filter.is_none() {
        steps.step("shipped tools", || shipped_tools(layout, &engine));
        steps.step("soak", || Ok(End::Done(soak::run(layout, SOAK_CALLS, 2)?)));
        steps.step("fuzz", || Ok(End::Done(fuzz::run(layout, fuzz_seconds, None)?)));
        mcp::run(layout, &mut steps);
        steps.step("routes", || server::routes(layout));
    }
    drop(engine);
    let count = steps.finish();
    for test in &failed {
        say(&format!("FAILED: {test}"));
    }
    print(&count.to_string());
    count.failed == 0
}

/// The container engine of this run.
#[derive(Debug, Default)]
struct Docker {
    #[cfg(unix)]
    engine: Option<crate::docker::Engine>,
}

impl Docker {
    #[cfg(unix)]
    fn up(&mut self, layout: &Layout) -> anyhow::Result<End> {
        match crate::docker::Engine::up(layout)? {
            Ok(engine) => {
                let about = engine.address.clone();
                self.engine = Some(engine);
                Ok(End::Done(layout.relative(Path::new(about.trim_start_matches("unix://"))).to_string()))
            }
            Err(lacking) => Ok(End::Lacking(lacking)),
        }
    }

    #[cfg(not(unix))]
    fn up(&mut self, _: &Layout) -> anyhow::Result<End> {
        Ok(End::Lacking("no Docker engine is started on this system".into()))
    }

    /// Tells a program where the engine is.
    #[cfg(unix)]
    fn told(&self, program: Program) -> Program {
        match &self.engine {
            Some(engine) => program.env("DOCKER_HOST", &engine.address),
            None => program,
        }
    }

    /// The same to the tests, which leave out those on an engine where there is none: the step before has said so.
    fn told_to_tests(&self, tests: Program) -> Program {
        #[cfg(unix)]
        let there = self.engine.is_some();
        #[cfg(not(unix))]
        let there = false;
        if there { self.told(tests) } else { tests.args(["--", "--skip", "docker::"]) }
    }

    #[cfg(not(unix))]
    fn told(&self, program: Program) -> Program {
        program
    }
}

/// What is checked without running a test.
fn checks(layout: &Layout, steps: &mut Steps) {
    steps.step("format", || done(format(layout)));
    steps.step("tidy", || done(tidy::run(layout)));
    steps.step("vendored wit", || done(vendor_wit::run(layout, true)));
    steps.step("generated", || done(generate::run(layout, true)));
    match deny::program(layout) {
        Ok(_) => {
            steps.step("dependencies", || done(deny::tree(layout)));
            steps.step("advisories", || Ok(deny::advisories(layout)?.map_or(End::DONE, End::Unreachable)));
        }
        Err(error) => steps.step("dependencies", || Ok(End::Lacking(format!("cargo-deny: {error:#}")))),
    }
    steps.step("artefacts", || Ok(End::Done(artefacts::check(layout)?)));
    steps.step("lints", || done(lint(layout)));
}

fn done(result: anyhow::Result<()>) -> anyhow::Result<End> {
    result.map(|()| End::DONE)
}

fn format(layout: &Layout) -> anyhow::Result<()> {
    let mut packages = layout.host_packages()?;
    packages.extend([layout.guests(), layout.fuzz_generator(), layout.root().to_owned()]);
    let mut wrong = Vec::new();
    for package in packages {
        let manifest = package.join("Cargo.toml");
        let all = (package == layout.root()).then_some("--all");
        let check = Program::cargo(layout).arg("fmt").args(all).arg("--manifest-path").arg(&manifest).arg("--check");
        if check.run().is_err() {
            wrong.push(layout.relative(&manifest).to_string());
        }
    }
    ensure!(wrong.is_empty(), "not formatted: {}; run `cargo fmt --all`", wrong.join(", "));
    Ok(())
}

fn lint(layout: &Layout) -> anyhow::Result<()> {
    let workspace = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
    let mut result = Program::cargo(layout).args(workspace).run();
    for package in layout.host_packages()? {
        let linted = on_host(layout, "clippy", &package)?.args(["--all-targets", "--", "-D", "warnings"]).run();
        result = result.and(linted);
    }
    result.context("clippy complains")
}

/// Cargo on a package that is a workspace of its own, for the machine that this runs on.
fn on_host(layout: &Layout, command: &str, package: &Path) -> anyhow::Result<Program> {
    let cargo = Program::cargo(layout).arg(command).args(deny::patch(layout, package)?);
    let cargo = cargo.args(["--locked", "--manifest-path"]).arg(package.join("Cargo.toml"));
    Ok(cargo.arg("--target-dir").arg(layout.target().join("guests-host")))
}

/// Runs tests, passes on what they print and adds up what the harnesses say at their ends.
fn harness(tests: Program, failed: &mut Vec<String>) -> Count {
    let mut count = Count::default();
    let worked = tests.lines(|line| {
        print(line);
        if let Some(of_this) = Count::of_harness(line) {
            count += of_this;
        }
        if let Some(name) = line.strip_prefix("test ").and_then(|line| line.strip_suffix(" ... FAILED")) {
            failed.push(name.to_owned());
        }
    });
    match worked {
        Ok(true) => {}
        Ok(false) if count.failed > 0 => {}
        Ok(false) => {
            count.failed += 1;
            failed.push("the tests cannot be built, or one of their programs broke off: see above".into());
        }
        Err(error) => {
            count.failed += 1;
            failed.push(format!("{error:#}"));
        }
    }
    count
}

/// Health checks and examples of what is shipped, by the program itself, with a home that knows nothing yet.
fn shipped_tools(layout: &Layout, engine: &Docker) -> anyhow::Result<End> {
    let home = tempfile::tempdir_in(layout.target())?;
    let program = layout.target().join("debug/cortex-wasm");
    let mut count = None;
    let tests = Program::new(program).args(["test", "--all"]).dir(layout.root()).env("CORTEX_HOME", home.path());
    let worked = engine.told(tests).lines(|line| match Count::of_closing_line(line) {
        // It would read as if everything were over.
        Some(sum) => count = Some(sum),
        None => print(line),
    })?;
    let count = count.context("`cortex-wasm test` broke off")?;
    ensure!(worked || count.failed > 0, "`cortex-wasm test` failed after `{count}`");
    Ok(End::Tested(count))
}
