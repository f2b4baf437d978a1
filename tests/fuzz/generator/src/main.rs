//! `generator DIRECTORY COUNT SEED`: writes modules that wasm-smith makes of random bytes. Each exports functions, imports
//! nothing and keeps to the features that the sandbox has.

use std::error::Error;
use std::path::Path;

use arbitrary::Unstructured;
use wasm_smith::{Config, Module};

/// Of so many random bytes a module becomes a few kilobytes large.
const BYTES: usize = 4096;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [directory, count, seed] = arguments.as_slice() else {
        return Err("usage: generator DIRECTORY COUNT SEED".into());
    };
    let mut state: u64 = seed.parse()?;
    for number in 0..count.parse::<u64>()? {
        let bytes: Vec<u8> = std::iter::repeat_with(|| random(&mut state)).take(BYTES).collect();
        // Some bytes make no module.
        if let Ok(module) = Module::new(config(number % 4 == 0), &mut Unstructured::new(&bytes)) {
            std::fs::write(Path::new(directory).join(format!("smith-{number}")), module.to_bytes())?;
        }
    }
    Ok(())
}

/// Functions of numbers are what the host can call; with `everything` they are few, and the rest of the module is richer.
fn config(everything: bool) -> Config {
    Config {
        compact_imports_enabled: false,
        max_imports: 0,
        min_funcs: 1,
        max_funcs: 8,
        min_types: 1,
        min_exports: 1,
        export_everything: true,
        max_memories: 2,
        max_memory32_bytes: 1 << 20,
        max_tables: 2,
        max_table_elements: 1000,
        multi_value_enabled: everything,
        reference_types_enabled: everything,
        simd_enabled: everything,
        tail_call_enabled: true,
        exceptions_enabled: false,
        gc_enabled: false,
        memory64_enabled: false,
        relaxed_simd_enabled: false,
        shared_everything_threads_enabled: false,
        threads_enabled: false,
        wide_arithmetic_enabled: false,
        ..Config::default()
    }
}

/// xorshift64*: the same seed makes the same modules on every machine.
fn random(state: &mut u64) -> u8 {
    *state = (*state).max(1);
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_be_bytes()[0]
}
