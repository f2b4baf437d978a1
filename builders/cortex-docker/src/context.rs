//! What the engine is sent to build from: the tool's files and the generated ones, in one order, with no times and no owners.

use std::io::Write;
use std::path::{Path, PathBuf};

use cortex_build::{SourceTree, sha256};
use fs_err as fs;
use walkdir::WalkDir;

use crate::error::DockerError;
use crate::ignore::Ignore;
use crate::recipe::Recipe;

/// The largest context. A folder with more is a mistake: data that nobody left out.
const BYTES_MAX: u64 = 256 << 20;
const FILES_MAX: usize = 10_000;

/// Files by their path in the context, sorted.
#[derive(Debug)]
pub(crate) struct Context {
    files: Vec<(String, PathBuf)>,
}

impl Context {
    /// The files of a tool's folder. An author's own Dockerfile sees all of them, as it would with `docker build`; a generated
    /// one sees what every build sees. `.dockerignore` holds for both.
    pub(crate) fn read(folder: &Path, manifest: &str, recipe: &Recipe) -> Result<Self, DockerError> {
        let paths = match recipe.own {
            Some(_) => everything(folder)?,
            None => SourceTree::read(folder, manifest)?.files().to_vec(),
        };
        let ignore = match fs::read_to_string(folder.join(".dockerignore")) {
            Ok(text) => Ignore::parse(&text),
            Err(_) => Ignore::default(),
        };
        let mut files = Vec::new();
        for path in paths {
            let name = path.to_string_lossy().replace('\\', "/");
            // The engine needs its instructions, whatever they say about themselves.
            let needed = recipe.own.as_deref() == Some(name.as_str());
            if needed || !ignore.excludes(&name) {
                files.push((name, folder.join(path)));
            }
        }
        files.sort();
        Ok(Self { files })
    }

    /// The digest of the files' paths, contents and whether they can be executed.
    pub(crate) fn digest(&self) -> Result<String, DockerError> {
        let mut lines = Vec::new();
        for (name, path) in &self.files {
            lines.push(format!("{name} {} {}", executable(path)?, sha256(&fs::read(path)?)));
        }
        Ok(sha256(lines.join("\n").as_bytes()))
    }

    /// The context as a tar archive. The same files give the same bytes.
    pub(crate) fn archive(&self, recipe: &Recipe, dockerfile: &str) -> Result<Vec<u8>, DockerError> {
        let mut archive = tar::Builder::new(Vec::new());
        for (name, path) in &self.files {
            if recipe.own.as_deref() == Some(name.as_str())
                || recipe.files.iter().any(|(generated, _)| generated == name)
            {
                continue;
            }
            let run = executable(path)? || recipe.executable.as_deref() == Some(name.as_str());
            append(&mut archive, name, &fs::read(path)?, if run { 0o755 } else { 0o644 })?;
        }
        for (name, text) in &recipe.files {
            append(&mut archive, name, text.as_bytes(), 0o644)?;
        }
        append(&mut archive, recipe.own.as_deref().unwrap_or(DOCKERFILE), dockerfile.as_bytes(), 0o644)?;
        if recipe.own.is_none() {
            // The engine takes its instructions out before it copies: a changed label must not rebuild the source's layer.
            append(&mut archive, ".dockerignore", format!(".dockerignore\n{DOCKERFILE}\n").as_bytes(), 0o644)?;
        }
        Ok(archive.into_inner()?)
    }
}

/// Where the generated Dockerfile is in the context: a name that no author has.
pub(crate) const DOCKERFILE: &str = ".cortex/Dockerfile";

pub(crate) fn append(
    archive: &mut tar::Builder<impl Write>,
    name: &str,
    bytes: &[u8],
    mode: u32,
) -> std::io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes.len() as u64);
    header.set_mode(mode);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    archive.append_data(&mut header, name, bytes)
}

/// Every file of a folder. What links point to is not part of it.
fn everything(folder: &Path) -> Result<Vec<PathBuf>, DockerError> {
    let (mut files, mut bytes) = (Vec::new(), 0);
    for entry in WalkDir::new(folder).sort_by_file_name().into_iter().filter_entry(|entry| entry.file_name() != ".git")
    {
        let entry = entry.map_err(std::io::Error::from)?;
        let layout = |problem: String, hint: &str| DockerError::Layout {
            tool: folder.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
            problem,
            hint: hint.into(),
        };
        if entry.path_is_symlink() && entry.depth() > 0 {
            let problem = format!("`{}` is a symbolic link", entry.path().display());
            return Err(layout(problem, "copy what it points to into the tool's folder"));
        }
        if !entry.file_type().is_file() {
            continue;
        }
        bytes += entry.metadata().map_err(std::io::Error::from)?.len();
        files.extend(entry.path().strip_prefix(folder).ok().map(Path::to_owned));
        if files.len() > FILES_MAX || bytes > BYTES_MAX {
            let problem = format!("its folder holds more than {FILES_MAX} files or {} MB", BYTES_MAX >> 20);
            return Err(layout(problem, "leave files out in `.dockerignore`"));
        }
    }
    Ok(files)
}

#[cfg(unix)]
fn executable(path: &Path) -> std::io::Result<bool> {
    use std::os::unix::fs::PermissionsExt;
    Ok(fs::metadata(path)?.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn executable(_: &Path) -> std::io::Result<bool> {
    Ok(false)
}
