//! Files of variables that come with a tool: `NAME=value` lines, as in the original system's `env_file`.

use std::io;
use std::path::Path;

use cortex_manifest::{ManifestPath, VariableName};
use fs_err as fs;

use crate::error::RuntimeError;

/// The variables of all files, later ones last.
pub(crate) fn from_files(root: &Path, files: &[ManifestPath]) -> Result<Vec<(String, String)>, RuntimeError> {
    let mut all = Vec::new();
    for file in files {
        let path = root.join(file.as_path());
        // A link that comes with a tool could give it any file of the host's that has lines with an equals sign.
        if !fs::canonicalize(&path)?.starts_with(fs::canonicalize(root)?) {
            let problem = format!("`{}` leads out of the tool's folder", path.display());
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, problem).into());
        }
        all.extend(fs::read_to_string(path)?.lines().filter_map(variable));
    }
    Ok(all)
}

/// Lines that are empty, comments, or no assignment to a valid name say nothing, as for Docker's `--env-file`.
fn variable(line: &str) -> Option<(String, String)> {
    let line = line.trim();
    if line.starts_with('#') {
        return None;
    }
    let (name, value) = line.strip_prefix("export ").unwrap_or(line).split_once('=')?;
    let name = VariableName::new(name.trim()).ok()?;
    let value = value.trim();
    let quoted = |quote: char| value.strip_prefix(quote).and_then(|value| value.strip_suffix(quote));
    let value = quoted('"').or_else(|| quoted('\'')).unwrap_or(value);
    Some((name.to_string(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::variable;

    #[test]
    fn lines_are_assignments_or_say_nothing() {
        let pair = |name: &str, value: &str| Some((name.to_owned(), value.to_owned()));
        assert_eq!(variable("A=1"), pair("A", "1"));
        assert_eq!(variable(" export B = \"x=y\" "), pair("B", "x=y"));
        assert_eq!(variable("# A=1"), None);
        assert_eq!(variable("1A=1"), None);
        assert_eq!(variable("nothing"), None);
    }
}
