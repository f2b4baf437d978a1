//! Which tools there are, and where.

use std::path::{Path, PathBuf};

use cortex_manifest::{Entrypoint, InputSchema, ToolName, ToolSpec};
use fs_err as fs;

use crate::error::RuntimeError;
use crate::reference::{Target, ToolReference};
use crate::standard::{STANDARD, StandardTool};

/// A tool: what its manifest says, and where its source or component is.
#[derive(Clone, Debug)]
pub struct Tool {
    /// What the manifest means.
    pub spec: ToolSpec,
    /// Where it comes from.
    pub source: ToolSource,
}

impl Tool {
    /// The component of a tool whose manifest is about a finished one and says nothing of parameters: what it takes, and
    /// whether it is several functions, the component itself knows.
    pub fn undescribed_component(&self) -> Option<PathBuf> {
        let ToolSource::Folder { root, .. } = &self.source else { return None };
        let implementation = &self.spec.implementation;
        let finished = implementation.runtime == Some(cortex_manifest::Runtime::Component);
        match &implementation.entrypoint {
            Some(Entrypoint::File(file)) if finished && self.spec.parameters().is_empty() => {
                Some(root.join(file.as_str()))
            }
            _ => None,
        }
    }
}

/// Where a tool comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolSource {
    /// A folder with a manifest.
    Folder {
        /// The folder.
        root: PathBuf,
        /// The manifest's file name in it.
        manifest: String,
    },
    /// A component without a manifest.
    Component(PathBuf),
    /// One of the standard tools, which are part of this program.
    Standard,
}

/// A tool in a list, or why a folder that looks like one is none.
#[derive(Debug)]
pub struct Listed {
    /// What the tool is called by; for a manifest that is not valid, its folder's name.
    pub name: String,
    /// Who has the tool's plain name, when an earlier manifests folder has a tool of the same one. This one is then called
    /// `namespace.name`.
    pub taken_by: Option<ToolSource>,
    /// The tool.
    pub tool: Result<Tool, RuntimeError>,
}

/// The manifest's name in a tool's folder.
const MANIFESTS: &[&str] = &["tool.yml", "tool.yaml"];

/// The manifests folders, in the order in which a name is looked up.
#[derive(Clone, Debug)]
pub(crate) struct Registry {
    folders: Vec<PathBuf>,
}

impl Registry {
    pub(crate) fn new(folders: Vec<PathBuf>) -> Self {
        Self { folders }
    }

    pub(crate) fn folders(&self) -> &[PathBuf] {
        &self.folders
    }

    /// Finds a tool and reads its manifest.
    pub(crate) fn find(&self, reference: &ToolReference) -> Result<Tool, RuntimeError> {
        match &reference.target {
            Target::Path(path) => at_path(path),
            Target::Name(name) => self.by_name(name),
        }
    }

    /// A folder of the tool's name is looked at first; only then are all manifests read.
    fn by_name(&self, name: &str) -> Result<Tool, RuntimeError> {
        for folder in &self.folders {
            for root in [folder.join("tools").join(name), folder.join(name)] {
                if let Some(manifest) = manifest_in(&root) {
                    let tool = read(&root, manifest)?;
                    if tool.spec.name.as_str() == name {
                        return Ok(tool);
                    }
                }
            }
        }
        for root in self.tool_folders()? {
            if let Some(manifest) = manifest_in(&root)
                && let Ok(tool) = read(&root, manifest)
                && tool.spec.name.as_str() == name
            {
                return Ok(tool);
            }
        }
        // No plain name holds a dot.
        if name.contains('.')
            && let Some(listed) = self.list()?.into_iter().find(|listed| listed.name == name)
        {
            return listed.tool;
        }
        match StandardTool::find(name) {
            Some(tool) => standard(tool),
            None => Err(RuntimeError::UnknownTool { name: name.to_owned(), nearest: self.nearest(name) }),
        }
    }

    /// Every tool, sorted by name. The first folder with a name has it; tools of the same name in later ones are called
    /// `namespace.name`, after their folder. A standard tool is replaced by a tool of its name: that is what its name is for.
    pub(crate) fn list(&self) -> Result<Vec<Listed>, RuntimeError> {
        let mut all: Vec<Listed> = Vec::new();
        for (folder, namespace) in self.folders.iter().zip(self.namespaces()) {
            for root in tool_folders(folder)? {
                let Some(manifest) = manifest_in(&root) else { continue };
                let tool = read(&root, manifest);
                let folder = || root.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
                let name = tool.as_ref().map_or_else(|_| folder(), |tool| tool.spec.name.to_string());
                let first = all.iter().find(|listed| listed.name == name);
                let taken_by = first.and_then(|listed| Some(listed.tool.as_ref().ok()?.source.clone()));
                let name = if first.is_some() { format!("{namespace}.{name}") } else { name };
                // Two of a name in one folder are a mistake, and only the first is found.
                if !all.iter().any(|listed| listed.name == name) {
                    all.push(Listed { name, taken_by, tool });
                }
            }
        }
        for tool in STANDARD {
            if !all.iter().any(|listed| listed.name == tool.name) {
                all.push(Listed { name: tool.name.to_owned(), taken_by: None, tool: standard(tool) });
            }
        }
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    /// What each manifests folder is called where names collide: after itself, or after what it is in where it has a
    /// name that all of them have. The second of a name has a `2`.
    fn namespaces(&self) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        for folder in &self.folders {
            let real = fs::canonicalize(folder).unwrap_or_else(|_| folder.clone());
            let mut names = real.iter().rev().map(|name| plain(&name.to_string_lossy()));
            let name = names.find(|name| !matches!(name.as_str(), "" | "manifests" | "tools")).unwrap_or_default();
            let name = if name.is_empty() { "manifests".to_owned() } else { name };
            let mut numbered = (2..).map(|number| format!("{name}{number}"));
            let free = std::iter::once(name.clone()).chain(&mut numbered).find(|name| !all.contains(name));
            all.extend(free);
        }
        all
    }

    /// Folders of all manifests folders that could hold a tool.
    fn tool_folders(&self) -> Result<Vec<PathBuf>, RuntimeError> {
        let mut all = Vec::new();
        for folder in &self.folders {
            all.extend(tool_folders(folder)?);
        }
        Ok(all)
    }

    fn nearest(&self, name: &str) -> Option<String> {
        let names = self.list().ok()?.into_iter().map(|listed| listed.name);
        let near = names.map(|known| (strsim::damerau_levenshtein(&known, name), known));
        near.filter(|(distance, _)| *distance <= 2.max(name.len() / 3)).min().map(|(_, known)| known)
    }
}

/// Folders that could hold a tool: those in `tools` of a manifests folder, and those in the folder itself.
fn tool_folders(folder: &Path) -> Result<Vec<PathBuf>, RuntimeError> {
    let mut all = Vec::new();
    for parent in [folder.join("tools"), folder.to_owned()] {
        let Ok(entries) = fs::read_dir(&parent) else { continue };
        let mut roots = Vec::new();
        for entry in entries {
            roots.push(entry?.path());
        }
        roots.sort();
        all.extend(roots);
    }
    Ok(all)
}

/// A name of lower-case letters, digits, `_` and `-`.
fn plain(name: &str) -> String {
    let allowed =
        |c: char| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') { c.to_ascii_lowercase() } else { '_' };
    name.trim_matches('/').chars().map(allowed).collect()
}

fn manifest_in(root: &Path) -> Option<&'static str> {
    MANIFESTS.iter().copied().find(|manifest| root.join(manifest).is_file())
}

fn read(root: &Path, manifest: &str) -> Result<Tool, RuntimeError> {
    let path = root.join(manifest);
    let spec = ToolSpec::parse(&path, &fs::read_to_string(&path)?).map_err(Box::new)?;
    Ok(Tool { spec, source: ToolSource::Folder { root: root.to_owned(), manifest: manifest.to_owned() } })
}

fn standard(tool: &'static StandardTool) -> Result<Tool, RuntimeError> {
    let path = PathBuf::from(format!("<standard>/{}/tool.yml", tool.name));
    let spec = ToolSpec::parse(&path, tool.manifest).map_err(Box::new)?;
    Ok(Tool { spec, source: ToolSource::Standard })
}

fn at_path(path: &Path) -> Result<Tool, RuntimeError> {
    let no_tool = |problem| RuntimeError::NoTool { path: path.to_owned(), problem };
    if path.is_dir() {
        let manifest = manifest_in(path).ok_or_else(|| no_tool("the folder holds no `tool.yml`"))?;
        return read(path, manifest);
    }
    if !path.is_file() {
        return Err(no_tool("there is no such file or folder"));
    }
    if path.extension().is_some_and(|extension| extension == "wasm") {
        return Ok(bare_component(path));
    }
    let root = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let manifest = path.file_name().and_then(|name| name.to_str());
    read(root, manifest.ok_or_else(|| no_tool("its name is not valid UTF-8"))?)
}

/// A component without a manifest is named after its file. What it takes is known once it is loaded.
fn bare_component(path: &Path) -> Tool {
    let stem = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().to_lowercase());
    let name: String = stem.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).take(60).collect();
    let name = ToolName::new(name.as_str()).or_else(|_| ToolName::new(format!("tool_{name}")));
    let name = name.unwrap_or_else(|_| ToolName::new("tool").expect("a valid name"));
    let spec = ToolSpec::for_component(name, format!("the component `{}`", path.display()), any_object());
    Tool { spec, source: ToolSource::Component(path.to_owned()) }
}

/// Whatever the component itself makes of it.
fn any_object() -> InputSchema {
    InputSchema::from_json_schema(serde_json::json!({"type": "object"})).expect("a valid schema")
}
