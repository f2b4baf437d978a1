//! Where a folder is that a tool asks for, and whether the tool's author may give it away.

use std::path::{Component as Part, Path, PathBuf};

use cortex_manifest::{Access, FolderRequest};

use super::Policy;
use crate::registry::{Tool, ToolSource};

/// What a host path begins with that starts from the operator's workspace.
const WORKSPACE: &str = "workspace:";

/// Where a folder is.
pub(super) struct Place {
    /// Absolute, links resolved as far as it exists.
    pub(super) path: PathBuf,
    /// A base and the way from there, where asking may be enough: the tool's own folder, or the operator's workspace.
    pub(super) own: Option<(PathBuf, PathBuf)>,
}

impl Place {
    /// Or why there is no such place, and what would change that.
    pub(super) fn of(folder: &FolderRequest, tool: &Tool, policy: &Policy) -> Result<Self, (&'static str, String)> {
        let host = folder.host.as_str();
        let root = match &tool.source {
            ToolSource::Folder { root, .. } => Some(normal(root)),
            ToolSource::Component(_) | ToolSource::Standard => None,
        };
        let (base, way) = if let Some(way) = host.strip_prefix(WORKSPACE) {
            let Some(workspace) = &policy.spec.workspace else {
                let hint = format!("add to {}:\nworkspace: ./some/folder", policy.file());
                return Err(("the policy names no workspace", hint));
            };
            (normal(&policy.folder().join(workspace.as_path())), way)
        } else if folder.host.as_path().is_absolute() {
            return Ok(Self { path: normal(folder.host.as_path()), own: None });
        } else {
            let hint = "name a folder of the workspace: `workspace:some/folder`".to_owned();
            (root.clone().ok_or(("the tool has no folder of its own", hint))?, host)
        };
        let path = normal(&base.join(way));
        // A tool that may write its own manifest, or the policy, would grant itself the rest.
        let written = folder.access != Access::Read;
        let rules = root.iter().cloned().chain(policy.path.as_deref().map(normal));
        let rewrites = written && rules.into_iter().any(|rule| rule.starts_with(&path));
        let own = inside(way).filter(|_| !rewrites).map(|below| (base, below));
        Ok(Self { path, own })
    }
}

/// The path without `.` and `..`, if it stays below the folder it starts from.
fn inside(path: &str) -> Option<PathBuf> {
    let mut plain = PathBuf::new();
    for part in Path::new(path).components() {
        match part {
            Part::Normal(name) => plain.push(name),
            Part::CurDir => {}
            Part::ParentDir => {
                if !plain.pop() {
                    return None;
                }
            }
            Part::RootDir | Part::Prefix(_) => return None,
        }
    }
    Some(plain)
}

/// A path without `.` and `..`, links resolved as far as it exists. The part that does not exist yet cannot be a link.
pub(super) fn normal(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).components() {
        match part {
            Part::ParentDir => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    let real = plain.ancestors().find_map(|there| {
        let rest = plain.strip_prefix(there).ok()?;
        let there = fs_err::canonicalize(there).ok()?;
        Some(if rest.as_os_str().is_empty() { there } else { there.join(rest) })
    });
    real.unwrap_or(plain)
}
