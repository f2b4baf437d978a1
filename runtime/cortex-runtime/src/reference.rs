//! How a caller names a tool: by name, or by a path to its folder, its manifest or its component.

use std::fmt;
use std::path::PathBuf;

/// A tool, and the function in it where it has several: `calculator`, `./tools/mine`, `./component.wasm#function`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ToolReference {
    /// What comes before the `#`.
    pub target: Target,
    /// The function after the `#`.
    pub function: Option<String>,
}

/// Where a tool is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// A name, looked up in the manifests folders and then among the standard tools.
    Name(String),
    /// A path to a folder, a manifest or a component.
    Path(PathBuf),
}

impl From<&str> for ToolReference {
    /// Whatever looks like a path is one: it has a separator, or the end of a manifest's or a component's name.
    fn from(text: &str) -> Self {
        let (target, function) = match text.split_once('#') {
            Some((target, function)) => (target, Some(function.to_owned())),
            None => (text, None),
        };
        let is_path = target.contains(['/', '\\'])
            || target.starts_with('.')
            || [".wasm", ".yml", ".yaml"].iter().any(|end| target.ends_with(end));
        let target = if is_path { Target::Path(target.into()) } else { Target::Name(target.into()) };
        Self { target, function }
    }
}

impl fmt::Display for ToolReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.target {
            Target::Name(name) => f.write_str(name)?,
            Target::Path(path) => write!(f, "{}", path.display())?,
        }
        match &self.function {
            Some(function) => write!(f, "#{function}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Target, ToolReference};

    #[test]
    fn what_looks_like_a_path_is_one() {
        for path in ["./calculator", "tools/calculator", "tool.yml", "adder.wasm", "."] {
            assert!(matches!(ToolReference::from(path).target, Target::Path(_)), "{path}");
        }
        assert_eq!(ToolReference::from("calculator").target, Target::Name("calculator".into()));
    }

    #[test]
    fn a_function_follows_the_hash() {
        let reference = ToolReference::from("./adder.wasm#math.add");
        assert_eq!(reference.function.as_deref(), Some("math.add"));
        assert_eq!(reference.to_string(), "./adder.wasm#math.add");
    }
}
