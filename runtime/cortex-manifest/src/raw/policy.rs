//! The operator's policy exactly as it was written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::located::Located;
use crate::raw::{RawAccess, RawDuration, RawHostPart, RawNetworkRule, RawResources, RawSize, RawText, RawVersion};

/// What an operator of cortex-wasm allows: the file `cortex.yml` of a workspace.
///
/// A manifest asks, this file grants. Without it, the tools of the workspace get what they ask for, within the built-in
/// ceilings.
///
/// ```yaml
/// kind: Policy
/// version: "1.0"
/// tools:
///   - tool: web_search
///     grant: { network: ["https://api.duckduckgo.com"] }
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Policy", title = "Cortex policy")]
pub(crate) struct RawPolicy {
    /// What this file describes. Always `Policy`.
    ///
    /// ```yaml
    /// kind: Policy
    /// ```
    #[schemars(required, extend("const" = "Policy"))]
    pub(crate) kind: Option<Located<String>>,
    /// The version of this format. Always `"1.0"`.
    ///
    /// ```yaml
    /// version: "1.0"
    /// ```
    #[schemars(required)]
    pub(crate) version: Option<Located<RawVersion>>,
    /// Whether asking is granting. Absent means `true`; `false` grants only what `grant` lists.
    ///
    /// ```yaml
    /// trust: false
    /// ```
    pub(crate) trust: Option<bool>,
    /// A folder for the tools to work in, relative to this file unless absolute. Manifests name what is in it as
    /// `workspace:some/folder`.
    ///
    /// ```yaml
    /// workspace: ./work
    /// ```
    pub(crate) workspace: Option<Located<String>>,
    /// The most that any tool may ask for.
    ///
    /// ```yaml
    /// ceilings: { memory: 1G, timeout: 60 }
    /// ```
    pub(crate) ceilings: Option<RawResources>,
    /// What tools get that ask for nothing.
    ///
    /// ```yaml
    /// defaults: { timeout: 10 }
    /// ```
    pub(crate) defaults: Option<RawResources>,
    /// What compiling one component for this machine may use.
    ///
    /// ```yaml
    /// compile: { size: 64M, time: 300, memory: 2G }
    /// ```
    pub(crate) compile: Option<RawCompile>,
    /// What single tools get. All entries count that name a tool; where two set the same value, an entry with the tool's
    /// own name beats a pattern, and a later entry an earlier one.
    ///
    /// ```yaml
    /// tools: [{ tool: "web_*", ceilings: { timeout: 20 } }]
    /// ```
    pub(crate) tools: Option<Vec<Located<RawToolPolicy>>>,
}

/// What compiling one component for this machine may use. Time and memory bound those that were not built here.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Compile")]
pub(crate) struct RawCompile {
    /// Bytes of the component. Units are powers of 1024; a bare number is bytes. Absent means `64M`.
    ///
    /// ```yaml
    /// size: 64M
    /// ```
    pub(crate) size: Option<Located<RawSize>>,
    /// Time. A bare number is seconds. Absent means `300`.
    ///
    /// ```yaml
    /// time: 300
    /// ```
    pub(crate) time: Option<Located<RawDuration>>,
    /// Memory. Units as for `size`. Absent means `2G`.
    ///
    /// ```yaml
    /// memory: 2G
    /// ```
    pub(crate) memory: Option<Located<RawSize>>,
}

/// What the operator allows some tools.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ToolPolicy")]
pub(crate) struct RawToolPolicy {
    /// A tool's name, or a pattern: `*` stands for any letters.
    ///
    /// ```yaml
    /// tool: "web_*"
    /// ```
    #[schemars(required, regex(pattern = "^[a-z*][a-z0-9_*-]{0,63}$"))]
    pub(crate) tool: Option<Located<String>>,
    /// Whether asking is granting for these tools.
    ///
    /// ```yaml
    /// trust: false
    /// ```
    pub(crate) trust: Option<bool>,
    /// What these tools get of what they ask for, besides what they are trusted with.
    ///
    /// ```yaml
    /// grant: { network: ["https://api.example.com"], state: true }
    /// ```
    pub(crate) grant: Option<RawCapabilities>,
    /// What these tools get though their manifests do not ask for it: for a server of your own in place of the author's.
    ///
    /// ```yaml
    /// extend: { network: ["http://127.0.0.1:8080"] }
    /// ```
    pub(crate) extend: Option<RawExtension>,
    /// What these tools never get. It beats every grant.
    ///
    /// ```yaml
    /// deny: { environment: ["HOME"] }
    /// ```
    pub(crate) deny: Option<RawCapabilities>,
    /// The most that these tools may ask for.
    ///
    /// ```yaml
    /// ceilings: { memory: 2G }
    /// ```
    pub(crate) ceilings: Option<RawResources>,
    /// What these tools get where they ask for nothing.
    ///
    /// ```yaml
    /// defaults: { memory: 128M }
    /// ```
    pub(crate) defaults: Option<RawResources>,
    /// Values of variables that these tools' manifests set or ask for: the operator's own instead of the author's or the
    /// host's.
    ///
    /// ```yaml
    /// environment: { SEARCH_URL: "http://localhost:8080" }
    /// ```
    pub(crate) environment: Option<BTreeMap<String, Located<RawText>>>,
}

/// Capabilities that a manifest does not ask for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Extension")]
pub(crate) struct RawExtension {
    /// Servers, written as in a manifest.
    ///
    /// ```yaml
    /// network: ["http://127.0.0.1:8080"]
    /// ```
    pub(crate) network: Option<Vec<Located<RawNetworkRule>>>,
}

/// Capabilities to grant or to deny.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Capabilities")]
pub(crate) struct RawCapabilities {
    /// Servers, written as in a manifest.
    ///
    /// ```yaml
    /// network: ["https://*.example.com"]
    /// ```
    pub(crate) network: Option<Vec<Located<RawNetworkRule>>>,
    /// Folders of the host and what is below them, relative to this file unless absolute.
    ///
    /// ```yaml
    /// filesystem: [{ host: ./data, access: read }]
    /// ```
    pub(crate) filesystem: Option<Vec<Located<RawFolder>>>,
    /// Variables of the host.
    ///
    /// ```yaml
    /// environment: ["LANG"]
    /// ```
    pub(crate) environment: Option<Vec<Located<String>>>,
    /// Secrets, by name.
    ///
    /// ```yaml
    /// secrets: ["SEARCH_KEY"]
    /// ```
    pub(crate) secrets: Option<Vec<Located<String>>>,
    /// A key-value store of the tool's own.
    ///
    /// ```yaml
    /// state: true
    /// ```
    pub(crate) state: Option<bool>,
    /// What of the host containers may look at.
    ///
    /// ```yaml
    /// host: [proc, sys]
    /// ```
    pub(crate) host: Option<Vec<Located<RawHostPart>>>,
    /// Relics, by name.
    ///
    /// ```yaml
    /// relics: [kv_store]
    /// ```
    pub(crate) relics: Option<Vec<Located<String>>>,
}

/// A folder of the host.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Folder")]
pub(crate) struct RawFolder {
    /// The folder.
    ///
    /// ```yaml
    /// host: ./data
    /// ```
    #[schemars(required)]
    pub(crate) host: Option<Located<String>>,
    /// What may be done there: in a grant, absent means `read`; in a denial, everything.
    ///
    /// ```yaml
    /// access: read-write
    /// ```
    pub(crate) access: Option<RawAccess>,
}
