//! HTTP and MCP over one `Runtime`.

pub mod mcp;
