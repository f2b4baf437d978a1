//! Answers of the tool contract that are too much.

use super::*;

fn tool(input: Value, resources: &str) -> Arc<Execution> {
    Arena::new(guests::HOSTILE_TOOL, resources, "").call("attack", input)
}

const USUAL: &str = "timeout: 1h, output: 64K";

/// Attack: 1,000,000,000 bytes in the result
/// Ends: `memory_exceeded`, since they have to be somewhere; with the memory for it `output_exceeded`
#[test]
fn a_result_has_to_fit_in_memory_and_in_its_limit() {
    let execution = tool(json!({"attack": "result", "count": 1_000_000_000}), USUAL);
    assert_ended(&execution, Ending::MemoryExceeded, "the limit is 268435456");
    let execution = tool(json!({"attack": "result", "count": 20_000_000}), USUAL);
    assert_ended(&execution, Ending::OutputExceeded, "the limit is 65536");
}

/// Attack: 20,000,000 bytes each in the code and in the message of an error
/// Ends: `tool_error` with the beginning of each
#[test]
fn an_error_is_a_word_and_a_sentence() {
    let execution = tool(json!({"attack": "message", "count": 20_000_000}), USUAL);
    assert_ended(&execution, Ending::ToolError, "code: xxx");
    let execution = tool(json!({"attack": "code", "count": 20_000_000}), USUAL);
    assert_ended(&execution, Ending::ToolError, "…: message");
    assert_eq!(execution.error.as_ref().unwrap().code.len(), 128 + "…".len());
}

/// Attack: 20,000,000 bytes in the data of an error
/// Ends: `output_exceeded`
#[test]
fn the_data_of_an_error_is_bounded_as_a_result_is() {
    for kind in ["data", "all"] {
        let execution = tool(json!({"attack": kind, "count": 20_000_000}), USUAL);
        assert_ended(&execution, Ending::OutputExceeded, "the limit is 65536");
    }
}

/// Attack: last words of 1,000,000 bytes
/// Ends: `trap` with the beginning of them
#[test]
fn last_words_are_cut_off() {
    let execution = tool(json!({"attack": "panic", "count": 1_000_000}), USUAL);
    assert_ended(&execution, Ending::Trap, "the tool's last words: ");
    assert!(execution.error.as_ref().unwrap().hint.as_ref().unwrap().len() < 5000);
    assert_eq!(execution.stderr.text.len(), 64 << 10);
}

/// Attack: data of an error nested 10,000 levels deep
/// Ends: `tool_error`, and the data is text
#[test]
fn data_that_is_nested_too_deep_is_no_data() {
    let execution = tool(json!({"attack": "deep data", "count": 10_000}), USUAL);
    assert_ended(&execution, Ending::ToolError, "message");
    assert!(execution.result.is_none() && execution.error.as_ref().unwrap().details.as_ref().unwrap().is_string());
}
