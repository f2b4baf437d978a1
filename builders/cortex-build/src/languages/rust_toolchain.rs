//! Finds a Rust that compiles for WebAssembly, or makes one.
//!
//! In this order, each step said in one line:
//! 1. the target is installed in the Rust that the source uses;
//! 2. a standard library that was compiled here before;
//! 3. `rustup target add`;
//! 4. the standard library compiled from its source, when the source of exactly the compiler's version is there: rustup's
//!    `rust-src`, or Debian's `rustc-web` with `rust-web-src`, which root can have installed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use fs_err as fs;

use crate::builder::Progress;
use crate::error::BuildError;
use crate::process::Step;
use crate::store::lock;

/// A cargo and what it needs to be told.
#[derive(Debug)]
pub struct RustToolchain {
    /// The cargo to run.
    pub cargo: PathBuf,
    pub(crate) cargo_home: PathBuf,
    /// As the compiler names itself, such as `rustc 1.95.0 (59807616e 2026-04-14)`.
    pub version: String,
    /// Variables that make it compile for the target that was asked for.
    pub environment: Vec<(String, String)>,
    /// Folders whose names the standard library's panics would carry.
    pub(crate) sysroot_sources: Vec<PathBuf>,
}

/// A compiler and where its parts are.
#[derive(Debug)]
struct Rustc {
    program: PathBuf,
    version: String,
    release: String,
    host: String,
    sysroot: PathBuf,
}

impl Rustc {
    fn ask(program: impl Into<PathBuf>, directory: &Path) -> Result<Self, BuildError> {
        let program = program.into();
        let verbose = Step::new(&program).args(["-vV"]).dir(directory).run()?.stdout;
        let sysroot = Step::new(&program).args(["--print", "sysroot"]).dir(directory).run()?.stdout;
        let field = |name: &str| {
            let value = verbose.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
            value.trim_start_matches(':').trim().to_owned()
        };
        Ok(Self {
            version: verbose.lines().next().unwrap_or_default().to_owned(),
            release: field("release"),
            host: field("host"),
            sysroot: PathBuf::from(sysroot.trim()),
            program,
        })
    }

    fn rustlib(&self, target: &str) -> PathBuf {
        self.sysroot.join("lib/rustlib").join(target)
    }

    fn has(&self, target: &str) -> bool {
        fs::read_dir(self.rustlib(target).join("lib"))
            .is_ok_and(|files| files.flatten().any(|file| file.file_name().to_string_lossy().starts_with("libstd-")))
    }

    /// The standard library's source of exactly this compiler.
    fn source(&self) -> Option<PathBuf> {
        let places = [
            self.sysroot.join("lib/rustlib/src/rust/library"),
            PathBuf::from(format!("/usr/src/rustc-{}/library", self.release)),
        ];
        places.into_iter().find(|place| place.join("sysroot/Cargo.toml").exists())
    }
}

/// Where Debian's compiler is, beside a rustup that comes first on the PATH.
const SYSTEM_RUSTC: &str = "/usr/bin/rustc";

impl RustToolchain {
    /// The version of a Rust that compiles for `target` already. Fetches and compiles nothing.
    pub(crate) fn find(home: &Path, directory: &Path, target: &'static str) -> Option<String> {
        let rustc = Rustc::ask("rustc", directory).ok()?;
        if rustc.has(target) {
            return Some(rustc.version);
        }
        let system = Rustc::ask(SYSTEM_RUSTC, directory).ok();
        let candidates = std::iter::once(rustc).chain(system);
        let mut compiled = candidates.filter(|rustc| Sysroot::at(&home.join("toolchains"), rustc, target).complete());
        compiled.next().map(|rustc| rustc.version)
    }

    /// Finds or makes a Rust for `target`. What is made is kept below `home`; `directory` decides which Rust a
    /// `rust-toolchain.toml` selects.
    pub fn find_or_provision(
        home: &Path,
        directory: &Path,
        target: &'static str,
        offline: bool,
        progress: &dyn Progress,
    ) -> Result<Self, BuildError> {
        let rustc = Rustc::ask("rustc", directory)?;
        if rustc.has(target) {
            return Ok(Self::installed(&rustc));
        }
        let provisioned = home.join("toolchains");
        fs::create_dir_all(&provisioned)?;
        let _only_one = lock(&provisioned.join("rust.lock"))?;
        let system = Rustc::ask(SYSTEM_RUSTC, directory).ok();
        for candidate in std::iter::once(&rustc).chain(&system) {
            let sysroot = Sysroot::at(&provisioned, candidate, target);
            if sysroot.complete() {
                return sysroot.toolchain(candidate, &rustc);
            }
        }
        let mut tried = Vec::new();
        if offline {
            tried.push("nothing may be fetched".to_owned());
        } else {
            progress.step(&format!("rustup target add {target}"));
            let add = Step::new("rustup").args(["target", "add", target]).dir(directory);
            match add.timeout(Duration::from_mins(5)).run() {
                Ok(_) if rustc.has(target) => return Ok(Self::installed(&rustc)),
                Ok(_) => tried.push("rustup added the target to another toolchain".into()),
                Err(error) => tried.push(said("rustup", &error)),
            }
        }
        for candidate in std::iter::once(&rustc).chain(&system) {
            if let Some(source) = candidate.source() {
                return Sysroot::at(&provisioned, candidate, target).compile(candidate, &rustc, &source, progress);
            }
        }
        tried.push("no source of the standard library".into());
        if !offline && is_root() && Path::new("/usr/bin/apt-get").exists() {
            progress.step("apt-get install rustc-web rust-web-src");
            match install_debian_rust() {
                Ok(()) => {
                    let system = Rustc::ask(SYSTEM_RUSTC, directory)?;
                    if let Some(source) = system.source() {
                        return Sysroot::at(&provisioned, &system, target).compile(&system, &rustc, &source, progress);
                    }
                    tried.push("Debian's rust-web-src does not fit its rustc-web".into());
                }
                Err(error) => tried.push(said("apt-get", &error)),
            }
        }
        Err(BuildError::NoToolchain {
            language: "Rust",
            target,
            tried: tried.join("; "),
            hint: format!("run `rustup target add {target}`, or as root `apt-get install rustc-web rust-web-src`"),
        })
    }

    fn installed(rustc: &Rustc) -> Self {
        Self {
            cargo: "cargo".into(),
            cargo_home: cargo_home(),
            version: rustc.version.clone(),
            environment: Vec::new(),
            sysroot_sources: vec![rustc.sysroot.join("lib/rustlib/src/rust")],
        }
    }
}

fn said(program: &str, error: &BuildError) -> String {
    let line = error.stderr().and_then(|stderr| stderr.lines().rfind(|line| !line.trim().is_empty()));
    format!("{program}: {}", line.map_or_else(|| error.to_string(), |line| line.trim().to_owned()))
}

fn cargo_home() -> PathBuf {
    #[expect(clippy::disallowed_methods, reason = "cargo's own rule for where it keeps sources")]
    let (cargo_home, home) = (std::env::var_os("CARGO_HOME"), std::env::var_os("HOME"));
    cargo_home.map_or_else(|| PathBuf::from(home.unwrap_or_default()).join(".cargo"), PathBuf::from)
}

#[cfg(unix)]
fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[cfg(not(unix))]
fn is_root() -> bool {
    false
}

fn install_debian_rust() -> Result<(), BuildError> {
    let apt = |arguments: &[&str]| {
        Step::new("apt-get").args(arguments.iter().copied()).env("DEBIAN_FRONTEND", "noninteractive").run()
    };
    apt(&["update", "-qq"])?;
    apt(&["install", "-y", "-qq", "--no-install-recommends", "rustc-web", "rust-web-src"])?;
    Ok(())
}

/// A standard library that was compiled here, in the layout that `rustc --sysroot` wants.
struct Sysroot {
    root: PathBuf,
    target: &'static str,
}

impl Sysroot {
    fn at(toolchains: &Path, rustc: &Rustc, target: &'static str) -> Self {
        Self { root: toolchains.join(format!("rust-{}-{target}", rustc.release)), target }
    }

    fn complete(&self) -> bool {
        self.root.join("complete").exists()
    }

    /// Compiles the standard library. The folder counts only once its last file is there, so a build that was killed
    /// begins anew.
    fn compile(
        &self,
        rustc: &Rustc,
        linkers: &Rustc,
        source: &Path,
        progress: &dyn Progress,
    ) -> Result<RustToolchain, BuildError> {
        progress
            .step(&format!("compiling the standard library of {} for {} (about a minute)", rustc.release, self.target));
        if self.root.exists() {
            fs::remove_dir_all(&self.root)?;
        }
        let (std, build) = (self.root.join("src"), self.root.join("build"));
        copy_tree(source, &std)?;
        let remap = [format!("--remap-path-prefix={}=/rustc", std.display()), "-Zforce-unstable-if-unmarked".into()];
        Step::new("cargo")
            .args(["build", "--release", "--locked", "-p", "sysroot", "--target", self.target])
            .args(["--features", "panic-unwind,compiler-builtins-mem"])
            .args(["--manifest-path".as_ref(), std.join("sysroot/Cargo.toml").as_os_str()])
            .dir(&std)
            .env("RUSTC", &rustc.program)
            .env("RUSTC_BOOTSTRAP", "1")
            .env("CARGO_TARGET_DIR", &build)
            .env("CARGO_ENCODED_RUSTFLAGS", [remap.as_slice(), &["-Cembed-bitcode=yes".into()]].concat().join("\u{1f}"))
            .env("CARGO_PROFILE_RELEASE_DEBUG", "0")
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "s")
            .run()?;
        let lib = self.root.join("sysroot/lib/rustlib").join(self.target).join("lib");
        fs::create_dir_all(lib.join("self-contained"))?;
        for file in fs::read_dir(build.join(self.target).join("release/deps"))? {
            let path = file?.path();
            if let (Some("rlib"), Some(name)) = (path.extension().and_then(|e| e.to_str()), path.file_name()) {
                fs::copy(&path, lib.join(name))?;
            }
        }
        // Build scripts and macros run on the host, with the host's own standard library.
        #[cfg(unix)]
        fs::os::unix::fs::symlink(rustc.rustlib(&rustc.host), self.root.join("sysroot/lib/rustlib").join(&rustc.host))?;
        if self.target.starts_with("wasm32-wasi") {
            self.add_wasi_libc(&lib.join("self-contained"), progress)?;
        }
        self.write_wrapper(rustc)?;
        fs::remove_dir_all(&std)?;
        fs::remove_dir_all(&build)?;
        fs::write(self.root.join("complete"), &rustc.version)?;
        self.toolchain(rustc, linkers)
    }

    /// The C library under Rust's: Debian's `wasi-libc` of the backports suite, downloaded and unpacked, not installed.
    fn add_wasi_libc(&self, into: &Path, progress: &dyn Progress) -> Result<(), BuildError> {
        progress.step("fetching wasi-libc from Debian backports");
        let apt = self.root.join("apt");
        fs::create_dir_all(apt.join("lists/partial"))?;
        fs::create_dir_all(apt.join("cache/archives/partial"))?;
        let codename = Step::new("sh").args(["-c", ". /etc/os-release && echo $VERSION_CODENAME"]).run()?.stdout;
        let codename = codename.trim();
        let sites = Step::new("apt-get")
            .args(["indextargets", "--format", "$(REPO_URI)", &format!("Codename: {codename}")])
            .run()?
            .stdout;
        let site = sites.lines().find(|site| !site.contains("security")).unwrap_or("http://deb.debian.org/debian");
        let keys = "/usr/share/keyrings/debian-archive-keyring.gpg";
        let sources = apt.join("sources.list");
        fs::write(&sources, format!("deb [signed-by={keys}] {site} {codename}-backports main\n"))?;
        let options: Vec<String> = [
            ("Dir::Etc::sourcelist", sources.display().to_string()),
            ("Dir::Etc::sourceparts", "-".into()),
            ("Dir::State::lists", apt.join("lists").display().to_string()),
            ("Dir::Cache", apt.join("cache").display().to_string()),
            ("APT::Sandbox::User", "root".into()),
        ]
        .into_iter()
        .flat_map(|(name, value)| ["-o".to_owned(), format!("{name}={value}")])
        .collect();
        Step::new("apt-get").args(&options).args(["-qq", "update"]).run()?;
        let package = format!("wasi-libc/{codename}-backports");
        Step::new("apt-get").args(&options).args(["-qq", "download", &package]).dir(&apt).run()?;
        let package = fs::read_dir(&apt)?.flatten().map(|file| file.path());
        for deb in package.filter(|path| path.extension().is_some_and(|extension| extension == "deb")) {
            Step::new("dpkg").args(["-x".as_ref(), deb.as_os_str(), apt.join("unpacked").as_os_str()]).run()?;
        }
        for file in ["crt1-command.o", "crt1-reactor.o", "libc.a"] {
            fs::copy(apt.join("unpacked/usr/lib").join(self.target).join(file), into.join(file))?;
        }
        fs::remove_dir_all(&apt)?;
        Ok(())
    }

    /// `RUSTFLAGS=--sysroot` would miss what is compiled for the host, so the compiler itself is wrapped.
    fn write_wrapper(&self, rustc: &Rustc) -> Result<(), BuildError> {
        let script = format!(
            "#!/bin/sh\nexec '{}' --sysroot '{}' \"$@\"\n",
            rustc.program.display(),
            self.root.join("sysroot").display()
        );
        fs::write(self.wrapper(), script)?;
        #[cfg(unix)]
        fs::set_permissions(self.wrapper(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        Ok(())
    }

    fn wrapper(&self) -> PathBuf {
        self.root.join("rustc")
    }

    /// rustup's own `x86_64` toolchain ships the linkers for WebAssembly that a distribution's leaves out.
    fn toolchain(&self, rustc: &Rustc, linkers: &Rustc) -> Result<RustToolchain, BuildError> {
        let bin = linkers.rustlib(&linkers.host).join("bin");
        let linker = bin.join("wasm-component-ld");
        if !linker.exists() {
            return Err(BuildError::NoToolchain {
                language: "Rust",
                target: self.target,
                tried: format!("`{}` has no `wasm-component-ld`", linkers.sysroot.display()),
                hint: "install Rust with rustup, whose toolchains hold the linkers for WebAssembly".into(),
            });
        }
        let lld = if self.target == "wasm32-unknown-unknown" { bin.join("rust-lld") } else { linker };
        let path = format!("{}:{}", bin.display(), bin.join("gcc-ld").display());
        #[expect(clippy::disallowed_methods, reason = "the linker looks for `wasm-ld` beside itself on the PATH")]
        let old_path = std::env::var("PATH").unwrap_or_default();
        let variable = format!("CARGO_TARGET_{}_LINKER", self.target.replace('-', "_").to_uppercase());
        Ok(RustToolchain {
            cargo: "cargo".into(),
            cargo_home: cargo_home(),
            version: rustc.version.clone(),
            environment: vec![
                ("RUSTC".into(), self.wrapper().display().to_string()),
                ("PATH".into(), format!("{path}:{old_path}")),
                (variable, lld.display().to_string()),
            ],
            sysroot_sources: Vec::new(),
        })
    }
}

fn copy_tree(from: &Path, to: &Path) -> Result<(), BuildError> {
    for entry in walkdir::WalkDir::new(from) {
        let entry = entry.map_err(std::io::Error::from)?;
        let Ok(path) = entry.path().strip_prefix(from) else { continue };
        if entry.file_type().is_dir() {
            fs::create_dir_all(to.join(path))?;
        } else {
            fs::copy(entry.path(), to.join(path))?;
        }
    }
    Ok(())
}
