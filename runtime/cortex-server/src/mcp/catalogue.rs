//! Everything that is offered to clients, as of one look at the manifests.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use cortex_runtime::{Function, Publish, Runtime, RuntimeError, ToolSource, ToolSpec};
use rmcp::model::{Prompt, Resource, ResourceTemplate, Tool};

use super::describe;
use super::functions::{Functions, NAME_BYTES_MAX};
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

/// A tool, or one function of a tool, under the name that clients use.
#[derive(Debug)]
pub(super) struct Published {
    pub(super) name: String,
    /// The tool's own name, by which clients are allowed to use it.
    pub(super) tool: String,
    /// What the runtime knows it by: the tool's name, and the function after a `#`.
    pub(super) reference: String,
    pub(super) spec: ToolSpec,
    /// The folder whose files it is made of, by its real name.
    pub(super) root: Option<PathBuf>,
}

impl Catalogue {
    /// Reads every manifest. Blocks. What is no valid manifest is left out: `cortex-wasm list` tells why.
    pub(super) fn read(
        runtime: &Runtime,
        meta_tools: Option<&MetaTools>,
        functions: &Functions,
    ) -> Result<Self, RuntimeError> {
        let mut catalogue = Self::default();
        let mut several = Vec::new();
        for listed in runtime.tools()? {
            let Ok(tool) = listed.tool else { continue };
            if let Some(taken_by) = &listed.taken_by {
                let here = source(&tool.source);
                let there = source(taken_by);
                catalogue
                    .collisions
                    .push(format!("`{}` of `{here}`: the plain name is that of `{there}`", listed.name));
            }
            let of_component = functions.of(runtime, &listed.name, &tool);
            let root = match tool.source {
                ToolSource::Folder { root, .. } => fs_err::canonicalize(root).ok(),
                ToolSource::Component(_) | ToolSource::Standard => None,
            };
            let (name, reference) = (listed.name.clone(), listed.name.clone());
            let published = Published { name, reference, tool: listed.name, spec: tool.spec, root };
            match &*of_component {
                [] => catalogue.add(published, None),
                [only] => catalogue.add(published, Some(only)),
                _ if published.spec.mcp.publish == Publish::Tool => several.push((published, of_component)),
                // A prompt or a resource is one thing.
                _ => catalogue.add(published, None),
            }
        }
        for (published, functions) in &several {
            functions.iter().for_each(|function| catalogue.add_function(published, function));
        }
        catalogue.tools.sort_by(|a, b| a.name.cmp(&b.name));
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

    /// A function of a tool that has several is `tool.function`, unless a tool has that name.
    fn add_function(&mut self, of: &Published, function: &Function) {
        let name = format!("{}.{}", of.tool, function.name);
        if name.len() > NAME_BYTES_MAX || self.published.contains_key(&name) {
            let why = if name.len() > NAME_BYTES_MAX { "the name is too long" } else { "the name is that of a tool" };
            self.collisions.push(format!("the function `{}` of `{}` is not listed: {why}", function.name, of.tool));
            return;
        }
        let reference = format!("{}#{}", of.tool, function.name);
        let (spec, root) = (of.spec.clone(), of.root.clone());
        self.add(Published { name, tool: of.tool.clone(), reference, spec, root }, Some(function));
    }

    /// `function`: the one that knows what the tool takes.
    fn add(&mut self, published: Published, function: Option<&Function>) {
        let published = Arc::new(published);
        let (name, spec) = (published.name.as_str(), &published.spec);
        match &spec.mcp.publish {
            Publish::Tool => {
                self.tools.push(describe::tool(name, spec, function, published.reference != published.tool));
            }
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

    /// The name of the tool that a name is of: its own, or that of the tool whose function it is.
    pub(super) fn owner<'a>(&'a self, name: &'a str) -> &'a str {
        self.published.get(name).map_or(name, |published| &published.tool)
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
