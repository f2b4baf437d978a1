//! The interface of tools, carried inside this program for the compilers that read it.

use std::io;
use std::path::Path;

use crate::source::sha256;
use crate::store::write_atomically;

macro_rules! wit {
    ($($file:literal),* $(,)?) => {
        &[$(($file, include_bytes!(concat!("../../../wit/", $file)).as_slice())),*]
    };
}

const FILES: &[(&str, &[u8])] = wit![
    "tool.wit",
    "deps/cli.wit",
    "deps/clocks.wit",
    "deps/filesystem.wit",
    "deps/http.wit",
    "deps/io.wit",
    "deps/keyvalue.wit",
    "deps/logging.wit",
    "deps/random.wit",
    "deps/sockets.wit",
];

/// The digest of all of it.
pub(crate) fn digest() -> String {
    sha256(&FILES.iter().flat_map(|(name, text)| [name.as_bytes(), b"\n", *text].concat()).collect::<Vec<u8>>())
}

/// Writes the interface and what it depends on as dependencies of other interfaces.
pub(crate) fn write_dependencies(folder: &Path) -> io::Result<()> {
    FILES.iter().try_for_each(|(name, text)| {
        let name = if name.starts_with("deps/") { (*name).to_owned() } else { format!("deps/{name}") };
        write_atomically(&folder.join(name), text)
    })
}

/// Writes what the interface depends on a second time, under another name and version, for who must tell the two apart.
pub(crate) fn write_renamed(folder: &Path, name: &str, (version, other): (&str, &str)) -> io::Result<()> {
    let dependencies = FILES.iter().filter_map(|(file, text)| Some((file.strip_prefix("deps/")?, text)));
    dependencies.into_iter().try_for_each(|(file, text)| {
        let text = String::from_utf8_lossy(text).replace("wasi:", &format!("{name}:")).replace(version, other);
        write_atomically(&folder.join(format!("deps/{name}-{file}")), text.as_bytes())
    })
}
