//! The input of a call: the schema it must satisfy, compiled once and applied to every call.
//!
//! Inputs come from agents and must not reach a tool unchecked. A schema comes from a manifest or from a component's
//! interface, so it is not trusted either: it never causes a fetch, and its patterns run in linear time.

mod schema;
mod violation;

pub(crate) use schema::is_backtracking_pattern;
pub use schema::{InputSchema, InvalidSchema};
pub use violation::{InputRule, InvalidInput, Violation};
