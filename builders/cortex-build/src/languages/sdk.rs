//! The guest crate `cortex-tool`, carried inside this program, so that a Rust tool that depends on it builds on a
//! machine that has never seen this repository.

use std::io;
use std::path::{Path, PathBuf};

use fs_err as fs;

use crate::source::sha256;

macro_rules! sdk {
    ($($file:literal),* $(,)?) => {
        &[$(($file, include_bytes!(concat!("../../../cortex-tool/", $file)).as_slice())),*]
    };
}

const FILES: &[(&str, &[u8])] = sdk![
    "Cargo.toml",
    "src/abi.rs",
    "src/arena.rs",
    "src/component-type.bin",
    "src/error.rs",
    "src/host-type.bin",
    "src/host.rs",
    "src/host/imports.rs",
    "src/lib.rs",
];

/// The crate's name in a tool's `Cargo.toml`.
pub(crate) const CRATE: &str = "cortex-tool";

/// The digest of the crate's files: part of the digest of every tool that uses it.
pub(crate) fn digest() -> String {
    let mut all = Vec::new();
    for (name, content) in FILES {
        all.extend_from_slice(name.as_bytes());
        all.extend_from_slice(&(content.len() as u64).to_le_bytes());
        all.extend_from_slice(content);
    }
    sha256(&all)
}

/// Where the crate lies in a tool's stage. Inside of it, because cargo mixes the absolute path of a crate that lies
/// outside of the workspace into its symbols, and components would differ from machine to machine.
pub(crate) const FOLDER: &str = ".cortex";

/// Writes the crate into a stage and returns its folder. Files are only written when they differ.
pub(crate) fn unpack(stage: &Path) -> io::Result<PathBuf> {
    let root = stage.join(FOLDER).join(CRATE);
    for (name, content) in FILES {
        let path = root.join(name);
        if fs::read(&path).is_ok_and(|written| written == *content) {
            continue;
        }
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        crate::store::write_atomically(&path, content)?;
    }
    Ok(root)
}

#[cfg(test)]
mod tests {
    use super::FILES;

    #[test]
    fn every_file_of_the_crate_is_carried() {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../cortex-tool/src");
        let mut names = vec!["Cargo.toml".to_owned()];
        for folder in ["", "host/"] {
            for file in fs_err::read_dir(format!("{root}/{folder}")).unwrap() {
                let file = file.unwrap();
                let name = format!("src/{folder}{}", file.file_name().to_string_lossy());
                if name != "src/tests.rs" && file.path().is_file() {
                    names.push(name);
                }
            }
        }
        names.sort();
        let mut carried: Vec<&str> = FILES.iter().map(|(name, _)| *name).collect();
        carried.sort_unstable();
        assert_eq!(carried, names);
    }
}
