//! Work without end.

use super::*;

/// Everything here that has no end, and that neither overflows nor waits.
const ENDLESS: &[&str] = &[
    "loop",
    "jump",
    "recurse",
    "tail-call",
    "tail-call-indirect",
    "memory-fill",
    "memory-copy",
    "memory-init",
    "table-fill",
    "table-copy",
    "memory-grow",
];

fn computes(function: &str) -> Arc<Execution> {
    Arena::new(guests::HOSTILE_COMPUTES, LITTLE, "").call(&format!("attack#{function}"), json!({}))
}

fn runs_out_of_fuel(functions: &[&str]) {
    for function in functions {
        let execution = computes(function);
        assert_ended(&execution, Ending::OutOfFuel, "used up its 50000000 units of fuel");
        assert!(said(&execution).contains("raise `implementation.resources.fuel`"), "{}", said(&execution));
        assert!(execution.usage.fuel >= 50_000_000, "{function}: {}", execution.usage.fuel);
    }
}

/// Attack: an infinite loop, by a branch and by a jump table
/// Ends: `out_of_fuel`
#[test]
fn a_loop_without_end_uses_up_its_fuel() {
    runs_out_of_fuel(&["loop", "jump"]);
    assert_eq!(computes("loop").ending, Ending::OutOfFuel);
}

/// Attack: fuel exhaustion in recursion: 2^60 calls, tail calls that need no stack, directly and through a table
/// Ends: `out_of_fuel`
#[test]
fn recursion_without_end_uses_up_its_fuel() {
    runs_out_of_fuel(&["recurse", "tail-call", "tail-call-indirect"]);
    assert_eq!(computes("tail-call").ending, Ending::OutOfFuel);
}

/// Attack: fuel exhaustion in bulk operations: 16 MiB of memory or 100,000 table elements an instruction
/// Ends: `out_of_fuel`
#[test]
fn bulk_operations_pay_for_what_they_move() {
    runs_out_of_fuel(&["memory-fill", "memory-copy", "memory-init", "table-fill", "table-copy", "memory-grow"]);
    assert_eq!(computes("memory-fill").ending, Ending::OutOfFuel);
}

/// Attack: the same with all the fuel in the world
/// Ends: `deadline_exceeded`
#[test]
fn nothing_that_computes_outlives_its_deadline() {
    let arena = Arena::new(guests::HOSTILE_COMPUTES, "fuel: 1T, timeout: 1h", "");
    for function in ENDLESS {
        let execution = arena.call_with(&format!("attack#{function}"), json!({}), hurried());
        assert_ended(&execution, Ending::DeadlineExceeded, "still running after 30ms");
    }
}

/// Attack: stack overflow, with small frames and with large ones
/// Ends: `trap`
#[test]
fn a_stack_that_overflows_is_the_guest_s_own() {
    for function in ["overflow", "overflow-wide"] {
        let execution = computes(function);
        assert_ended(&execution, Ending::Trap, "call stack exhausted");
        let backtrace = &execution.error.as_ref().unwrap().details.as_ref().unwrap()["backtrace"];
        assert!(backtrace.as_array().is_some_and(|frames| frames.len() < 100), "{backtrace}");
    }
}
