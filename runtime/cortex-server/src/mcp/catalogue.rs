//! Everything that is offered to clients, as of one look at the manifests.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use cortex_runtime::{Publish, Runtime, RuntimeError, ToolSource, ToolSpec};
use rmcp::model::{Prompt, Resource, ResourceTemplate, Tool};

use super::describe;
use super::meta_tools::MetaTools;

/// What is offered. Lists are sorted by name, so that pages of one look fit together.
#[derive(Debug, Default)]
pub(super) struct Catalogue {
    pub(super) tools: Vec<Tool>,
    pub(super) prompts: Vec<Prompt>,
    pub(super) resources: Vec<Resource>,
    pub(super) templates: Vec<ResourceTemplate>,
    pub(super) collisions: Vec<String>,
    published: HashMap<String, Arc<Published>>,
    /// Those published as resources, those with a fixed address first: it is the better match.
    addressed: Vec<Arc<Published>>,
}

/// The values of parameters by name.
pub(super) type Values<'a> = Vec<(&'a str, String)>;

/// A tool under the name that clients use, which is also the one that the runtime knows it by.
#[derive(Debug)]
pub(super) struct Published {
    pub(super) name: String,
    pub(super) spec: ToolSpec,
    /// The folder whose files it is made of, by its real name.
    pub(super) root: Option<PathBuf>,
}

impl Catalogue {
    /// Reads every manifest. Blocks. What is no valid manifest is left out: `cortex-wasm list` tells why.
    pub(super) fn read(runtime: &Runtime, meta_tools: Option<&MetaTools>) -> Result<Self, RuntimeError> {
        let mut catalogue = Self::default();
        for listed in runtime.tools()? {
            let Ok(tool) = listed.tool else { continue };
            if let Some(taken_by) = &listed.taken_by {
                let here = source(&tool.source);
                let there = source(taken_by);
                catalogue
                    .collisions
                    .push(format!("`{}` of `{here}`: the plain name is that of `{there}`", listed.name));
            }
            let root = match tool.source {
                ToolSource::Folder { root, .. } => fs_err::canonicalize(root).ok(),
                ToolSource::Component(_) | ToolSource::Standard => None,
            };
            catalogue.add(Published { name: listed.name, spec: tool.spec, root });
        }
        if meta_tools.is_some() {
            // A tool of the operator's own goes before one of ours.
            let ours = MetaTools::tools().into_iter().filter(|tool| !catalogue.published.contains_key(&*tool.name));
            let ours: Vec<_> = ours.collect();
            catalogue.tools.extend(ours);
            catalogue.tools.sort_by(|a, b| a.name.cmp(&b.name));
        }
        catalogue.addressed.sort_by_key(|published| match &published.spec.mcp.publish {
            Publish::Resource { uri, .. } => uri.parameters().count(),
            Publish::Tool | Publish::Prompt => 0,
        });
        Ok(catalogue)
    }

    fn add(&mut self, published: Published) {
        let published = Arc::new(published);
        let (name, spec) = (published.name.as_str(), &published.spec);
        match &spec.mcp.publish {
            Publish::Tool => self.tools.push(describe::tool(name, spec)),
            Publish::Prompt => self.prompts.push(describe::prompt(name, spec)),
            Publish::Resource { .. } => {
                match describe::resource(name, spec) {
                    Some(Ok(resource)) => self.resources.push(resource),
                    Some(Err(template)) => self.templates.push(template),
                    None => {}
                }
                self.addressed.push(Arc::clone(&published));
            }
        }
        self.published.insert(published.name.clone(), published);
    }

    pub(super) fn tool(&self, name: &str) -> Option<&Arc<Published>> {
        self.published.get(name).filter(|published| published.spec.mcp.publish == Publish::Tool)
    }

    pub(super) fn prompt(&self, name: &str) -> Option<&Arc<Published>> {
        self.published.get(name).filter(|published| published.spec.mcp.publish == Publish::Prompt)
    }

    /// The resource at an address, and the values of its parameters.
    pub(super) fn resource(&self, address: &str) -> Option<(&Arc<Published>, Values<'_>)> {
        self.addressed.iter().find_map(|published| match &published.spec.mcp.publish {
            Publish::Resource { uri, .. } => Some((published, uri.matches(address)?)),
            Publish::Tool | Publish::Prompt => None,
        })
    }

    /// The resource whose template this is.
    pub(super) fn template(&self, template: &str) -> Option<&Arc<Published>> {
        self.addressed.iter().find(|published| match &published.spec.mcp.publish {
            Publish::Resource { uri, .. } => uri.as_str() == template,
            Publish::Tool | Publish::Prompt => false,
        })
    }
}

fn source(source: &ToolSource) -> String {
    match source {
        ToolSource::Folder { root, .. } => root.display().to_string(),
        ToolSource::Component(path) => path.display().to_string(),
        ToolSource::Standard => "the standard tools".into(),
    }
}
