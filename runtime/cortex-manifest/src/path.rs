//! Paths that a manifest names.
//!
//! The threat is a manifest that reaches out of its own folder: its build would then read, and its image would then hold,
//! files that nobody gave it. So a path is taken apart here, once, and kept in the one form that cannot climb.

use std::fmt;
use std::path::Path;

use serde::{Serialize, Serializer};
use thiserror::Error;

use crate::quantity::shorten;

/// Why a text is no path that a manifest may name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidPath {
    #[error("the path is empty")]
    Empty,
    #[error("the path `{path}` is absolute")]
    Absolute { path: String },
    #[error("the path `{path}` is not absolute")]
    Relative { path: String },
    #[error("the path `{path}` leaves the folder it starts in")]
    Escapes { path: String },
    #[error("the path `{path}` contains `{character}`")]
    Character { path: String, character: String },
    #[error("the path `{path}` is the root of the file system")]
    Root { path: String },
}

/// A path below the folder of the manifest, without `.` and `..`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ManifestPath(String);

impl ManifestPath {
    pub fn new(path: &str) -> Result<ManifestPath, InvalidPath> {
        check_characters(path)?;
        if path.starts_with('/') || path.starts_with('~') {
            return Err(InvalidPath::Absolute { path: shorten(path) });
        }
        normalize(path).map(ManifestPath)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn as_path(&self) -> &Path {
        Path::new(&self.0)
    }
}

/// An absolute path as a tool sees it, without `.` and `..`, and not the root.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GuestPath(String);

impl GuestPath {
    pub fn new(path: &str) -> Result<GuestPath, InvalidPath> {
        check_characters(path)?;
        let Some(rest) = path.strip_prefix('/') else {
            return Err(InvalidPath::Relative { path: shorten(path) });
        };
        match normalize(rest) {
            Ok(rest) => Ok(GuestPath(format!("/{rest}"))),
            Err(InvalidPath::Empty) => Err(InvalidPath::Root { path: shorten(path) }),
            Err(error) => Err(error),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A folder of the host as it was written. It may point anywhere: naming it only asks, and the operator grants it or not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostPath(String);

impl HostPath {
    pub fn new(path: &str) -> Result<HostPath, InvalidPath> {
        check_characters(path)?;
        Ok(HostPath(path.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn as_path(&self) -> &Path {
        Path::new(&self.0)
    }
}

fn check_characters(path: &str) -> Result<(), InvalidPath> {
    if path.trim().is_empty() {
        return Err(InvalidPath::Empty);
    }
    // A backslash separates on one system and is an ordinary letter on another; refusing it keeps one meaning.
    match path.chars().find(|c| c.is_control() || *c == '\\') {
        Some(wrong) => {
            Err(InvalidPath::Character { path: shorten(path), character: shorten(wrong.encode_utf8(&mut [0; 4])) })
        }
        None => Ok(()),
    }
}

fn normalize(path: &str) -> Result<String, InvalidPath> {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop().ok_or_else(|| InvalidPath::Escapes { path: shorten(path) })?;
            }
            name => parts.push(name),
        }
    }
    if parts.is_empty() { Err(InvalidPath::Empty) } else { Ok(parts.join("/")) }
}

macro_rules! shown_as_text {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
    )*};
}

shown_as_text!(ManifestPath, GuestPath, HostPath);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_path_stays_below_its_folder() {
        let path = |text| ManifestPath::new(text).map(|path| path.to_string());
        assert_eq!(path("./scripts/a.py"), Ok("scripts/a.py".to_owned()));
        assert_eq!(path("src//../src/./main.rs"), Ok("src/main.rs".to_owned()));
        for text in ["..", "../a", "a/../../b", "./../a"] {
            assert!(matches!(path(text), Err(InvalidPath::Escapes { .. })), "{text}");
        }
        assert!(matches!(path("/etc/passwd"), Err(InvalidPath::Absolute { .. })));
        assert!(matches!(path("~/a"), Err(InvalidPath::Absolute { .. })));
        assert!(matches!(path("a\\b"), Err(InvalidPath::Character { .. })));
        assert!(matches!(path("a\0b"), Err(InvalidPath::Character { .. })));
        for text in ["", " ", ".", "./", "a/.."] {
            assert_eq!(path(text), Err(InvalidPath::Empty), "{text}");
        }
    }

    #[test]
    fn a_guest_path_is_absolute_and_not_the_root() {
        let path = |text| GuestPath::new(text).map(|path| path.to_string());
        assert_eq!(path("/data/"), Ok("/data".to_owned()));
        assert!(matches!(path("data"), Err(InvalidPath::Relative { .. })));
        assert!(matches!(path("/../etc"), Err(InvalidPath::Escapes { .. })));
        for text in ["/", "//", "/a/.."] {
            assert!(matches!(path(text), Err(InvalidPath::Root { .. })), "{text}");
        }
    }
}
