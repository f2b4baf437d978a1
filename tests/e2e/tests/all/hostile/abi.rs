//! Answers that break the canonical ABI, beside those of the tool contract in `contracts.rs`.

use super::*;

fn abi(function: &str, input: Value) -> Arc<Execution> {
    Arena::new(guests::HOSTILE_ABI, LITTLE, "").call(&format!("attack#{function}"), input)
}

/// Attack: a `cabi_realloc` that traps, recurses, or answers with an address outside of memory or not aligned
/// Ends: `trap`
#[test]
fn the_host_writes_only_where_there_is_memory() {
    for function in ["realloc-traps", "realloc-recurses", "realloc-beyond", "realloc-across"] {
        assert_ended(&abi(function, json!({"text": "some text"})), Ending::Trap, "crashed: ");
    }
    assert_ended(&abi("realloc-unaligned", json!({"numbers": [1, 2]})), Ending::Trap, "crashed: ");
}

/// Attack: a `cabi_realloc` that never returns
/// Ends: `out_of_fuel`
#[test]
fn asking_for_memory_is_paid_with_fuel() {
    assert_ended(&abi("realloc-spins", json!({"text": "some text"})), Ending::OutOfFuel, "50000000");
}

/// Attack: a `cabi_realloc` that takes all memory there is
/// Ends: `memory_exceeded`
#[test]
fn asking_for_memory_is_bounded_by_the_limit() {
    assert_ended(&abi("realloc-grows", json!({"text": "some text"})), Ending::MemoryExceeded, "the limit is 33554432");
}

/// Attack: results whose pointers or lengths are out of bounds, wrap around or are not aligned
/// Ends: `trap`
#[test]
fn the_host_reads_only_what_is_in_memory() {
    for function in [
        "endless-text",
        "endless-list",
        "text-outside",
        "list-outside",
        "length-wraps",
        "list-unaligned",
        "texts-of-texts",
        "result-outside",
    ] {
        assert_ended(&abi(function, json!({})), Ending::Trap, "crashed: ");
    }
}

/// Attack: invalid UTF-8, unpaired surrogates, a number that is no character, a case that does not exist
/// Ends: `trap`
#[test]
fn a_value_of_no_type_is_no_value() {
    for function in ["invalid-utf8", "unpaired-utf16", "no-character", "no-such-case"] {
        assert_ended(&abi(function, json!({})), Ending::Trap, "crashed: ");
    }
}

/// Attack: a right answer and a crash while it is cleaned up
/// Ends: `trap`
#[test]
fn a_crash_after_the_answer_is_a_crash() {
    assert_ended(&abi("clean-up-traps", json!({})), Ending::Trap, "unreachable");
}
