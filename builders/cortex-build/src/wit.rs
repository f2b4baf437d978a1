//! The interface of tools, carried inside this program for the compilers that read it.

use std::io;
use std::path::Path;

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
    "deps/io.wit",
    "deps/keyvalue.wit",
    "deps/logging.wit",
    "deps/random.wit",
    "deps/sockets.wit",
];

/// Writes the interface and what it depends on as dependencies of other interfaces.
pub(crate) fn write_dependencies(folder: &Path) -> io::Result<()> {
    FILES.iter().try_for_each(|(name, text)| {
        let name = if name.starts_with("deps/") { (*name).to_owned() } else { format!("deps/{name}") };
        write_atomically(&folder.join(name), text)
    })
}

/// Writes the interface into a folder.
pub(crate) fn write(folder: &Path) -> io::Result<()> {
    FILES.iter().try_for_each(|(name, text)| write_atomically(&folder.join(name), text))
}
