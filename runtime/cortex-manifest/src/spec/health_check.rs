//! How to find out whether a tool works.

use serde::Serialize;

use super::field::quantity_of;
use crate::error::Problems;
use crate::located::{Located, Position};
use crate::quantity::Milliseconds;
use crate::raw::{OneOrMany, RawHealthCheck, RawHealthCheckType};
use crate::rule::Rule;

/// How to find out whether the tool works.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum HealthCheck {
    #[default]
    None,
    /// Runs a command inside the tool's container or sandbox.
    Script { command: Command, expected: Expected, interval_ms: Option<Milliseconds> },
    /// Asks an address of the tool.
    ApiRequest { endpoint: String, expected: Expected, interval_ms: Option<Milliseconds> },
}

/// What a healthy tool answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Expected {
    pub exit_code: u8,
    pub output_contains: Option<String>,
}

/// A command to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Command {
    /// One line for the shell.
    Shell(String),
    /// A program and its arguments; no shell reads them.
    Program(Vec<String>),
}

impl HealthCheck {
    pub(super) fn from_raw(raw: Located<RawHealthCheck>, problems: &mut Problems) -> HealthCheck {
        let Located { value: raw, at } = raw;
        let expected =
            Expected { exit_code: raw.expected_exit_code.unwrap_or(0), output_contains: raw.expected_output_contains };
        let interval_ms = quantity_of("interval", raw.interval.as_ref().map(|l| (&l.value.0, l.at)), problems);
        match raw.kind.unwrap_or(RawHealthCheckType::None) {
            RawHealthCheckType::None => HealthCheck::None,
            RawHealthCheckType::Script => match raw.command.and_then(|command| Command::from_raw(command.value)) {
                Some(command) => HealthCheck::Script { command, expected, interval_ms },
                None => HealthCheck::incomplete("script", "command", at, problems),
            },
            RawHealthCheckType::ApiRequest => match raw.endpoint.filter(|text| !text.value.trim().is_empty()) {
                Some(endpoint) => HealthCheck::ApiRequest { endpoint: endpoint.value, expected, interval_ms },
                None => HealthCheck::incomplete("api_request", "endpoint", at, problems),
            },
        }
    }

    fn incomplete(kind: &'static str, field: &'static str, at: Position, problems: &mut Problems) -> HealthCheck {
        problems.add(at, Rule::HealthCheckIncomplete { kind, field });
        HealthCheck::None
    }
}

impl Command {
    /// `None` for a command of nothing.
    pub(super) fn from_raw(raw: OneOrMany) -> Option<Command> {
        match raw {
            OneOrMany::One(line) => (!line.trim().is_empty()).then_some(Command::Shell(line)),
            OneOrMany::Many(words) => {
                let words: Vec<String> = words.into_iter().map(|word| word.value).collect();
                words.first().is_some_and(|program| !program.trim().is_empty()).then_some(Command::Program(words))
            }
        }
    }
}
