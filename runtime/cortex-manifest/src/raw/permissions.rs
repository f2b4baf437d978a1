//! The `permissions` section as it was written: what the tool asks for. The operator decides what it gets.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::located::Located;
use crate::raw::RawNetworkRule;

/// What the tool asks to touch. Everything that is not listed is denied.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Permissions")]
pub(crate) struct RawPermissions {
    /// Servers that the tool may send HTTP requests to: `[scheme://]host[:port][/path]`. Without a scheme it is `https`;
    /// `*.example.com` is every name below `example.com`, and `*` is every server. A path covers itself and what is below
    /// it. Only addresses of the public internet are reached, unless the rule names an address (`http://127.0.0.1:8080`)
    /// or a range of them in brackets (`http://[10.0.0.0/8]:8080`), or has the scheme `private`, which is http and https
    /// to a server whose name may resolve to a private or loopback address. `{ url, methods }` covers only some methods.
    ///
    /// ```yaml
    /// network:
    ///   - https://api.duckduckgo.com
    ///   - private://localhost:8080
    ///   - { url: "https://api.example.com/v1", methods: [GET, HEAD] }
    /// ```
    pub(crate) network: Option<Vec<Located<RawNetworkRule>>>,
    /// Folders that the tool may open.
    ///
    /// ```yaml
    /// filesystem: [{ host: ./data, guest: /data, access: read }]
    /// ```
    pub(crate) filesystem: Option<Vec<Located<RawFilesystem>>>,
    /// Variables of the host that the tool may read.
    ///
    /// ```yaml
    /// environment: ["LANG"]
    /// ```
    pub(crate) environment: Option<Vec<Located<String>>>,
    /// Secrets that requests of the tool carry. The host puts the value in; the tool never sees it.
    ///
    /// ```yaml
    /// secrets: [{ name: SEARCH_KEY, header: Authorization, hosts: ["api.example.com"] }]
    /// ```
    pub(crate) secrets: Option<Vec<Located<RawSecret>>>,
    /// Whether the tool has a key-value store of its own that outlives a call.
    ///
    /// ```yaml
    /// state: true
    /// ```
    pub(crate) state: Option<bool>,
    /// Whose values the store holds: the `tool`'s (the default), those of each `user` of a server, or of each `session`.
    ///
    /// ```yaml
    /// state_per: user
    /// ```
    pub(crate) state_per: Option<RawStatePer>,
    /// What of the host a container may look at, read-only: `proc` at `/host/proc`, `sys` at `/host/sys`. It then sees every
    /// process of the host. Not for the sandbox.
    ///
    /// ```yaml
    /// host: [proc, sys]
    /// ```
    pub(crate) host: Option<Vec<Located<RawHostPart>>>,
    /// Relics that the tool may reach, each under its own name: `http://kv_store:8004`.
    ///
    /// ```yaml
    /// relics: [kv_store]
    /// ```
    pub(crate) relics: Option<Vec<Located<String>>>,
}

/// What of the host a container may look at.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "HostPart")]
pub(crate) enum RawHostPart {
    Proc,
    Sys,
}

/// A folder that the tool may open.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Filesystem")]
pub(crate) struct RawFilesystem {
    /// The folder on the host, relative to this manifest, or `workspace:some/folder` for one in the operator's workspace.
    /// Anything else, an absolute path or a way out of this manifest's folder, takes a grant of the operator's policy. So
    /// does writing to a folder that holds this manifest.
    ///
    /// ```yaml
    /// host: ./data
    /// ```
    #[schemars(required)]
    pub(crate) host: Option<Located<String>>,
    /// Where the tool sees it: an absolute path.
    ///
    /// ```yaml
    /// guest: /data
    /// ```
    #[schemars(required, regex(pattern = "^/."))]
    pub(crate) guest: Option<Located<String>>,
    /// What the tool may do there. Absent means `read`. In the sandbox `write` is `read-write`: there are no folders that
    /// are only written. What a tool may write to is no part of its source.
    ///
    /// ```yaml
    /// access: read
    /// ```
    pub(crate) access: Option<RawAccess>,
}

/// Whose values a store holds.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "StatePer")]
pub(crate) enum RawStatePer {
    Tool,
    User,
    Session,
}

/// What a tool may do in a folder.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Access")]
pub(crate) enum RawAccess {
    Read,
    Write,
    ReadWrite,
}

/// A secret that requests of the tool carry. One of `header`, `bearer`, `query` and `expose` says how.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Secret")]
pub(crate) struct RawSecret {
    /// The name under which the operator stores the value.
    ///
    /// ```yaml
    /// name: SEARCH_KEY
    /// ```
    #[schemars(required, regex(pattern = "^[A-Za-z_][A-Za-z0-9_]{0,127}$"))]
    pub(crate) name: Option<Located<String>>,
    /// The request header that carries the value.
    ///
    /// ```yaml
    /// header: Authorization
    /// ```
    pub(crate) header: Option<Located<String>>,
    /// The query parameter that carries the value.
    ///
    /// ```yaml
    /// query: api_key
    /// ```
    pub(crate) query: Option<Located<String>>,
    /// Whether the value goes behind `Authorization: Bearer`.
    ///
    /// ```yaml
    /// bearer: true
    /// ```
    pub(crate) bearer: Option<bool>,
    /// The only servers that get the value: names, or `*.example.com`. Needed with all but `expose`.
    ///
    /// ```yaml
    /// hosts: ["api.example.com"]
    /// ```
    pub(crate) hosts: Option<Vec<Located<String>>>,
    /// Gives the value to the tool itself, as a variable. It can then leak whatever the tool can reach: avoid it.
    ///
    /// ```yaml
    /// expose: true
    /// ```
    pub(crate) expose: Option<bool>,
}
