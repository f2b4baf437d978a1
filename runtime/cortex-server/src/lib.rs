//! HTTP and MCP over one `Runtime`.
