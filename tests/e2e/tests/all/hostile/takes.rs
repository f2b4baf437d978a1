//! Taking from the host more than it has: handles, bytes, time.

use super::*;

/// With what a tool gets that asks for nothing, but for an output that a record can be held to.
const USUAL: &str = "timeout: 1h, output: 64K";

fn takes(input: Value) -> Arc<Execution> {
    Arena::new(guests::HOSTILE_HOST, USUAL, "").call("attack", input)
}

/// Attack: 1,000,000 handles of the host: timers, streams, headers
/// Ends: `limit_exceeded`
#[test]
fn handles_of_the_host_are_counted() {
    for kind in ["waits", "streams", "fields"] {
        let execution = takes(json!({"attack": kind, "count": 1_000_000}));
        assert_ended(&execution, Ending::LimitExceeded, "more than 1024 handles open at once: the limit `handles`");
    }
}

/// Attack: 1,000,000 handles of a resource of the guest's own, which no function of the host hears of
/// Ends: `limit_exceeded`
#[test]
fn handles_of_the_guest_are_counted_as_well() {
    let arena = Arena::new(guests::HOSTILE_HANDLES, LITTLE, "");
    assert_eq!(answer(&arena.call("attack", json!({"count": 1024}))), json!(1024));
    for count in [1025, 1_000_000] {
        let execution = arena.call("attack", json!({ "count": count }));
        assert_ended(&execution, Ending::LimitExceeded, "more than 1024 handles open at once: the limit `handles`");
        assert!(said(&execution).contains("raise `implementation.resources.handles`"), "{}", said(&execution));
    }
}

/// Attack: 1,000,000,000 bytes to standard output, where a command's result is
/// Ends: `output_exceeded`
#[test]
fn a_result_without_end_is_stopped_at_its_limit() {
    let execution = takes(json!({"attack": "stdout", "count": 1_000_000_000}));
    assert_ended(&execution, Ending::OutputExceeded, "the limit is 65536");
    assert!(said(&execution).contains("raise `implementation.resources.output`"), "{}", said(&execution));
    assert_eq!(execution.stdout.text.len(), 64 << 10);
}

/// Attack: 1,000,000,000 bytes to standard error, of which the last line becomes the error message
/// Ends: `tool_error` with 4 KiB of it; 64 KiB of the log are kept, the rest is counted
#[test]
fn a_log_and_an_error_message_without_end_are_cut_off() {
    let execution = takes(json!({"attack": "stderr and fail", "count": 1_000_000_000}));
    assert_ended(&execution, Ending::ToolError, "xxx…");
    assert_eq!(execution.error.as_ref().unwrap().message.len(), 4096 + "…".len());
    assert_eq!((execution.stderr.text.len(), execution.stderr.dropped_bytes), (64 << 10, 1_000_000_000 - (64 << 10)));
}

/// Attack: 1,000,000 empty writes (GHSA-5m8g)
/// Ends: `success`: they leave nothing behind
#[test]
fn empty_writes_leave_nothing_behind() {
    let execution = takes(json!({"attack": "empty writes", "count": 500_000}));
    assert_eq!(execution.ending, Ending::Success, "{:?}", execution.error);
    assert_eq!((execution.stdout.text.as_str(), execution.stderr.text.as_str()), ("", ""));
}

/// Attack: a huge request for random bytes, up to 2^63 - 1 of them
/// Ends: `limit_exceeded`
#[test]
fn random_bytes_are_bounded() {
    for kind in ["random", "insecure random"] {
        for count in [u64::from(u32::MAX), i64::MAX as u64] {
            let execution = takes(json!({"attack": kind, "count": count}));
            assert_ended(&execution, Ending::LimitExceeded, "more than 1048576 random bytes: the limit `random`");
        }
    }
}

/// Attack: an infinite loop in a host call: a wait of 584 years
/// Ends: `deadline_exceeded`
#[test]
fn a_wait_in_the_host_ends_with_the_call_s_time() {
    let arena = Arena::new(guests::HOSTILE_HOST, USUAL, "");
    let execution = arena.call_with("attack", json!({"attack": "sleep"}), hurried());
    assert_ended(&execution, Ending::DeadlineExceeded, "still running after 30ms");
}

/// Attack: waiting for input that never comes
/// Ends: `success`: standard input is the call's input and its end
#[test]
fn standard_input_has_an_end() {
    assert_eq!(takes(json!({"attack": "stdin"})).ending, Ending::Success);
}

/// Attack: one wait for 1,000,000 things at once
/// Ends: `limit_exceeded`: what is lent counts as what is held
#[test]
fn a_list_of_waits_is_as_long_as_handles_are_many() {
    let execution = takes(json!({"attack": "poll", "count": 1_000_000}));
    assert_ended(&execution, Ending::LimitExceeded, "more than 1024 handles open at once: the limit `handles`");
    assert_eq!(takes(json!({"attack": "poll", "count": 1000})).ending, Ending::Success);
}

/// Attack: sockets of any kind, each a file of the host's
/// Ends: `success` without a single one
#[test]
fn no_socket_is_ever_made() {
    assert_eq!(answer(&takes(json!({"attack": "sockets", "count": 1000}))), json!(0));
}

/// Attack: HTTP headers of more bytes than a request may have
/// Ends: `limit_exceeded`
#[test]
fn headers_are_bounded_while_they_are_made() {
    for bytes in [1, 1000, 1 << 20] {
        let execution = takes(json!({"attack": "headers", "count": 1000, "bytes": bytes}));
        assert_ended(
            &execution,
            Ending::LimitExceeded,
            "HTTP headers of more than 65536 bytes: the limit `http.headers`",
        );
    }
}

/// Attack: 500 requests that are never sent, each with a method, a server, a path or a scheme of 1 MiB
/// Ends: `success`: each is refused where it is set, and nothing is kept
#[test]
fn a_request_that_is_never_sent_holds_little_on_the_host() {
    for part in ["methods", "authorities", "paths", "schemes"] {
        let execution = takes(json!({"attack": part, "count": 500, "bytes": 1 << 20}));
        assert_eq!(answer(&execution), json!({"refused": 500}), "{part}");
    }
}

/// Attack: enumeration of the host's environment
/// Ends: `success` with nothing of the host's
#[test]
fn the_environment_is_empty() {
    let expected = json!({"variables": [], "std": [], "arguments": 2, "directory": null, "preopens": 0});
    assert_eq!(answer(&takes(json!({"attack": "environment"}))), expected);
}

/// Attack: a result that is not UTF-8
/// Ends: `invalid_output`
#[test]
fn a_result_that_is_no_text_is_not_mended() {
    let execution = takes(json!({"attack": "not utf-8"}));
    assert_ended(&execution, Ending::InvalidOutput, "the result is not UTF-8");
}

/// Attack: a result that is not JSON
/// Ends: `invalid_output`
#[test]
fn a_result_that_is_not_json_is_no_result() {
    assert_ended(&takes(json!({"attack": "not json"})), Ending::InvalidOutput, "the result is not JSON");
}

/// Attack: JSON nested 10,000 levels deep
/// Ends: `invalid_output`
#[test]
fn a_result_that_is_nested_too_deep_is_no_result() {
    let execution = takes(json!({"attack": "deep json", "count": 10_000}));
    assert_ended(&execution, Ending::InvalidOutput, "nested more than 127 levels deep");
    assert_eq!(takes(json!({"attack": "deep json", "count": 127})).ending, Ending::Success);
}
