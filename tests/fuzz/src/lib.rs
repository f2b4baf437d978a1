//! What is fuzzed: everything that reads what a stranger wrote. Each target is a function of bytes that panics when something
//! is not as it must be; `fuzz_targets/` makes programs of them, `cargo xtask fuzz` builds and runs those.
//!
//! The corpus in `corpus/` is kept: what once was wrong, and what leads a fuzzer to the places worth looking at.

mod invoke;
mod manifest;
mod rules;
mod values;

pub use invoke::invoke;
pub use manifest::manifest;
pub use rules::rules;
pub use values::values;

/// Makes a fuzz target the program: the function that libFuzzer calls.
#[macro_export]
macro_rules! program {
    ($target:path) => {
        /// What libFuzzer calls.
        #[expect(unsafe_code, reason = "libFuzzer is C++ and hands over a pointer and a length")]
        #[unsafe(no_mangle)]
        extern "C" fn LLVMFuzzerTestOneInput(data: *const u8, size: usize) -> i32 {
            let data = if size == 0 {
                &[]
            } else {
                // SAFETY: libFuzzer's contract: `size` bytes at `data` are there, and stay as they are, until this returns.
                unsafe { std::slice::from_raw_parts(data, size) }
            };
            $target(data);
            0
        }
    };
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use fs_err as fs;

    /// Every entry of a target's corpus, which must not be empty.
    fn replay(name: &str, target: fn(&[u8])) {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
        let mut count = 0;
        for entry in fs::read_dir(corpus).unwrap() {
            let path = entry.unwrap().path();
            // The harness shows it if the target panics.
            println!("{}", path.display());
            target(&fs::read(path).unwrap());
            count += 1;
        }
        assert!(count > 0);
    }

    #[test]
    fn the_corpus_of_invoke_passes() {
        replay("invoke", crate::invoke);
    }

    #[test]
    fn the_corpus_of_manifest_passes() {
        replay("manifest", crate::manifest);
    }

    #[test]
    fn the_corpus_of_rules_passes() {
        replay("rules", crate::rules);
    }

    #[test]
    fn the_corpus_of_values_passes() {
        replay("values", crate::values);
    }
}
