//! Whether a tool does what its manifest says: its health check and its examples.

use std::sync::Arc;

use cortex_manifest::{Command, HealthCheck};
use cortex_sandbox::Ending;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::error::RuntimeError;
use crate::execution::Execution;
use crate::runtime::{CallOptions, Runtime};

/// One thing that was checked.
#[derive(Debug, Serialize)]
pub struct Check {
    /// `health check`, or the example's description.
    pub name: String,
    /// Whether the tool did what was expected; `None` when it could not be checked.
    pub passed: Option<bool>,
    /// Why not, or what kept it from being checked.
    pub problem: Option<String>,
}

/// All that was checked of a tool.
#[derive(Debug, Serialize)]
pub struct CheckReport {
    /// The tool's name.
    pub tool: String,
    /// In the manifest's order, the health check first.
    pub checks: Vec<Check>,
}

impl Runtime {
    /// Runs a tool's health check and its examples.
    pub async fn check(&self, tool: &str, options: CallOptions) -> Result<CheckReport, RuntimeError> {
        let spec = self.tool(tool)?.spec;
        // A tool that cannot be built is one problem, not one a check.
        let mut checks = Vec::new();
        match self.input_schema(tool, options.progress.clone()).await {
            Err(RuntimeError::NotReady { ending: Ending::BackendUnavailable, failure }) => {
                // The machine lacks something, which says nothing about the tool.
                let name = "health check and examples".into();
                checks.push(Check { name, passed: None, problem: Some(failure.message) });
                return Ok(CheckReport { tool: spec.name.to_string(), checks });
            }
            schema => schema?,
        };
        if let Some((input, expected)) = health_check(&spec.implementation.health_check) {
            let name = "health check".to_owned();
            checks.push(match input {
                Some(input) => {
                    let execution = self.call(tool, &input, options.clone()).await?;
                    Check::new(name, problem_with_health(&execution, expected))
                }
                None => {
                    Check { name, passed: None, problem: Some("its command holds no JSON object to call with".into()) }
                }
            });
        }
        for (at, example) in spec.examples.iter().enumerate() {
            let input = Value::Object(example.input.clone());
            let execution = self.call(tool, &input, options.clone()).await?;
            let name = example.description.clone().unwrap_or_else(|| format!("example {}", at + 1));
            checks.push(Check::new(name, problem_with_example(&execution, example.output.as_ref())));
        }
        Ok(CheckReport { tool: spec.name.to_string(), checks })
    }
}

impl Check {
    fn new(name: String, problem: Option<String>) -> Self {
        Self { name, passed: Some(problem.is_none()), problem }
    }
}

/// The original's health checks run a command line in a container, and what they pass to the tool is a JSON object in
/// it. In a sandbox there is no command line, so the tool is called with that object.
fn health_check(check: &HealthCheck) -> Option<(Option<Value>, &cortex_manifest::Expected)> {
    match check {
        HealthCheck::Script { command, expected, .. } => {
            let line = match command {
                Command::Shell(line) => line.clone(),
                Command::Program(words) => words.join(" "),
            };
            Some((json_object_in(&line), expected))
        }
        HealthCheck::ApiRequest { expected, .. } => Some((None, expected)),
        HealthCheck::None => None,
    }
}

fn json_object_in(line: &str) -> Option<Value> {
    let text = &line[line.find('{')?..=line.rfind('}')?];
    let object = |text: &str| serde_json::from_str::<Map<String, Value>>(text).ok().map(Value::Object);
    // Within double quotes a shell wants the JSON's own quotes escaped.
    object(text).or_else(|| object(&text.replace("\\\"", "\"")))
}

fn problem_with_health(execution: &Arc<Execution>, expected: &cortex_manifest::Expected) -> Option<String> {
    let error = execution.error.as_ref();
    // A tool that is no command has no exit code: 0 for an answer, 1 for anything else.
    let exit_code = error.map_or(0, |error| error.exit_code.unwrap_or(1));
    if exit_code != i32::from(expected.exit_code) {
        let why = error.map_or(String::new(), |error| format!(": {}", error.message));
        return Some(format!("exit code {exit_code}, expected {}{why}", expected.exit_code));
    }
    let output = execution.result.as_ref().map_or(execution.stdout.text.as_str(), |result| result.get());
    match &expected.output_contains {
        Some(part) if !output.contains(part.as_str()) => Some(format!("`{output}` does not contain `{part}`")),
        _ => None,
    }
}

/// An example without an output only has to succeed. One whose output says that the tool fails may fail.
fn problem_with_example(execution: &Arc<Execution>, expected: Option<&Value>) -> Option<String> {
    let result: Option<Value> = execution.result.as_ref().and_then(|result| serde_json::from_str(result.get()).ok());
    match (expected, result) {
        (Some(expected), Some(result)) if same(expected, &result) => None,
        (Some(expected), Some(result)) => Some(format!("answered `{result}`, expected `{expected}`")),
        (None, _) if execution.error.is_none() => None,
        (_, _) => Some(match &execution.error {
            Some(error) => format!("{}: {}", execution.ending, error.message),
            None => "answered nothing".into(),
        }),
    }
}

/// Equality of JSON documents as YAML and people write them: `13` and `13.0` are the same number, and the order of keys
/// does not matter.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => x == y || x.as_f64() == y.as_f64(),
        (Value::Array(x), Value::Array(y)) => x.len() == y.len() && x.iter().zip(y).all(|(x, y)| same(x, y)),
        (Value::Object(x), Value::Object(y)) => {
            x.len() == y.len() && x.iter().all(|(key, x)| y.get(key).is_some_and(|y| same(x, y)))
        }
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{json_object_in, same};

    #[test]
    fn the_input_is_found_in_a_command_line() {
        let expected = Some(json!({"expression": "1+1"}));
        assert_eq!(json_object_in(r#"python3 calc.py '{"expression": "1+1"}'"#), expected);
        assert_eq!(json_object_in(r#"python3 calc.py "{\"expression\": \"1+1\"}""#), expected);
        assert_eq!(json_object_in("python3 calc.py"), None);
    }

    #[test]
    fn numbers_are_compared_by_value() {
        assert!(same(&json!({"a": 13, "b": [1]}), &json!({"b": [1.0], "a": 13.0})));
        assert!(!same(&json!({"a": 13}), &json!({"a": 13, "b": 1})));
    }
}
