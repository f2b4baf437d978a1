//! The images that tools are built from.

use std::collections::BTreeMap;

/// Which image stands for what. The operator may name others, pinned by digest (`python@sha256:…`), mirrored or hardened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bases(BTreeMap<String, String>);

/// What an image is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Base {
    Python,
    Node,
    /// Where Go compiles. Nothing of it is in the tool's image.
    Go,
    Bash,
    /// What programs of machine code run in, and everything that needs packages of Debian.
    Debian,
}

const DEFAULTS: &[(&str, &str)] = &[
    ("bash", "bash:5"),
    ("debian", "debian:bookworm-slim"),
    ("go", "golang:1.27"),
    ("node", "node:20-slim"),
    ("python3", "python:3.12-slim"),
];

impl Bases {
    /// The names that can be given another image.
    pub const NAMES: &[&str] = &["bash", "debian", "go", "node", "python3"];

    /// The defaults, with some replaced. A name that stands for nothing is returned as the error.
    pub fn with(replaced: &BTreeMap<String, String>) -> Result<Self, String> {
        let mut bases = Self::default();
        for (name, image) in replaced {
            match bases.0.get_mut(name) {
                Some(base) => base.clone_from(image),
                None => return Err(name.clone()),
            }
        }
        Ok(bases)
    }

    pub(crate) fn image(&self, base: Base) -> &str {
        &self.0[base.name()]
    }
}

impl Default for Bases {
    fn default() -> Self {
        Self(DEFAULTS.iter().map(|(name, image)| ((*name).into(), (*image).into())).collect())
    }
}

/// The image of a version.
type ImageOf = fn(&str) -> String;

impl Base {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Python => "python3",
            Self::Node => "node",
            Self::Go => "go",
            Self::Bash => "bash",
            Self::Debian => "debian",
        }
    }

    /// The argument of a build by which a manifest names another version, as the original's manifests do.
    pub(crate) fn version_argument(self) -> Option<(&'static str, ImageOf)> {
        match self {
            Self::Python => Some(("PYTHON_VERSION", |version| format!("python:{version}-slim"))),
            Self::Node => Some(("NODE_VERSION", |version| format!("node:{version}-slim"))),
            Self::Go => Some(("GO_VERSION", |version| format!("golang:{version}"))),
            Self::Bash | Self::Debian => None,
        }
    }
}
