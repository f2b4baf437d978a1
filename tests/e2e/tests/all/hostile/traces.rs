//! What a call finds of those before it, and what it can tell of its own instance.

use std::collections::BTreeSet;

use cortex_sandbox::{Allocation, Call, Grants, Limits, Sandbox};

use super::*;
use crate::host::{block_on, brief, load, sandbox};

/// Attack: looking for the previous call in memory, in tables and in globals, where the same slot of a pool is used again (GHSA-6wgr)
/// Ends: `success`: everything is zero
#[test]
fn memory_tables_and_globals_are_new_in_every_call() {
    let pool = Sandbox::new(Allocation::Pooled { calls: 1 }).unwrap();
    let (grants, limits) = (Arc::new(Grants::none()), Limits::DEFAULT);
    for sandbox in [&pool, sandbox()] {
        let component = load(sandbox, guests::HOSTILE_TRACES);
        for _ in 0..8 {
            let (function, input) = (component.function(None), json!({}));
            let call = Call { function, ..Call::new("traces", &input, &limits, &grants) };
            let outcome = block_on(sandbox.invoke(&component, call));
            assert_eq!(outcome.ending, Ending::Success, "{}", brief(&outcome));
            assert_eq!(outcome.result.unwrap().get(), "0", "words that an earlier call left behind");
        }
    }
}

/// Attack: telling instances apart, or the host's generator, by randomness, seeds or hashes that repeat
/// Ends: `success`: every source differs in every call
#[test]
fn every_source_of_randomness_differs_between_instances() {
    let arena = Arena::new(guests::HOSTILE_HOST, "", "");
    let mut seen: Vec<(String, BTreeSet<String>)> = Vec::new();
    for _ in 0..8 {
        let answer = answer(&arena.call("attack", json!({"attack": "randomness"})));
        for (source, value) in answer.as_object().unwrap() {
            match seen.iter_mut().find(|(name, _)| name == source) {
                Some((_, values)) => assert!(values.insert(value.to_string()), "`{source}` was {value} before"),
                None => seen.push((source.clone(), BTreeSet::from([value.to_string()]))),
            }
        }
    }
    assert_eq!(seen.len(), 6);
}
