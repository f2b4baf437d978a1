//! A cortex-wasm tool as one Rust function: JSON in, JSON out, no WASI.
//!
//! ```
//! #[derive(serde::Deserialize)]
//! struct Input {
//!     a: i64,
//!     b: i64,
//! }
//!
//! fn run(input: Input) -> Result<i64, cortex_tool::Error> {
//!     input.a.checked_add(input.b).ok_or_else(|| cortex_tool::Error::new("overflow", "the sum needs more than 64 bits"))
//! }
//!
//! cortex_tool::export!(run);
//! ```
//!
//! [`export!`] implements world `cortex:tool/tool` of `wit/tool.wit` by hand: the world has one function, and writing out its
//! canonical ABI takes less code than a tool, where compiling wit-bindgen's macro takes a minute. Built as a `cdylib` for
//! `wasm32-unknown-unknown` the tool imports nothing, so the sandbox has nothing to grant; for `wasm32-wasip2` it may use
//! files, clocks and the rest of std, as far as its manifest asks. Any other target exports nothing, and tests call [`call`].
//!
//! [`host`] is what a tool may ask of its host besides WASI: a log, progress, state.
//!
//! # Panics in a tool
//! A panic ends the call as a trap; the instance is thrown away and the host reports it as such. On `wasm32-wasip2` std first
//! prints the message to standard error, which the host keeps. On `wasm32-unknown-unknown` there is no standard error and a
//! panic hook has nowhere to write, so the message is lost: return an [`Error`] for everything that can be foreseen.
//!
//! # Memory
//! In a component the crate is the global allocator as well (`arena.rs` says why); a tool that sets one of its own depends on
//! this crate with `default-features = false`.

#[cfg(target_family = "wasm")]
#[doc(hidden)]
#[expect(unsafe_code, reason = "the canonical ABI passes pointers")]
pub mod abi;
#[cfg(any(test, all(target_family = "wasm", feature = "arena")))]
#[expect(unsafe_code, reason = "an allocator hands out pointers")]
mod arena;
mod error;
pub mod host;

pub use error::Error;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Answers one call without the ABI: what the component does with its input, and what a tool's own tests use.
///
/// Input that does not deserialize is the code `invalid_input`, an answer that does not serialize is `invalid_output`.
pub fn call<I, O, E>(input: &str, run: impl FnOnce(I) -> Result<O, E>) -> Result<String, Error>
where
    I: DeserializeOwned,
    O: Serialize,
    E: Into<Error>,
{
    let input = serde_json::from_str(input).map_err(|error| Error::new("invalid_input", error.to_string()))?;
    let output = run(input).map_err(Into::into)?;
    serde_json::to_string(&output).map_err(|error| Error::new("invalid_output", error.to_string()))
}

/// Makes a function the tool: `export!(run)`, once in a crate of type `cdylib`.
///
/// The function takes any `Deserialize` type and returns `Result` of any `Serialize` type and any error that converts into
/// [`Error`]. Everything lands in the calling crate rather than in this one, because a linker takes from an rlib only the
/// objects that something refers to, and nothing refers to an export or to a custom section.
#[macro_export]
macro_rules! export {
    ($run:path) => {
        const _: () = {
            fn answer(input: &str) -> ::core::result::Result<::std::string::String, $crate::Error> {
                $crate::call(input, $run)
            }
            // The signature of `run` is checked on every target, also where nothing is exported.
            const _: fn(&str) -> ::core::result::Result<::std::string::String, $crate::Error> = answer;

            // What wit-component reads to know which world this module implements.
            #[cfg(target_family = "wasm")]
            #[unsafe(link_section = "component-type:cortex-tool")]
            #[used]
            static COMPONENT_TYPE: [u8; $crate::abi::COMPONENT_TYPE.len()] = *$crate::abi::COMPONENT_TYPE;

            #[cfg(target_family = "wasm")]
            #[unsafe(export_name = "cortex:tool/handler@0.1.0#invoke")]
            unsafe extern "C" fn invoke(input: *mut u8, length: usize) -> *const $crate::abi::ReturnArea {
                // SAFETY: only the canonical ABI calls this export, with a string it wrote into memory from `cabi_realloc`.
                unsafe { $crate::abi::invoke(input, length, answer) }
            }

            #[cfg(target_family = "wasm")]
            #[unsafe(export_name = "cabi_post_cortex:tool/handler@0.1.0#invoke")]
            unsafe extern "C" fn post_return(_: *const $crate::abi::ReturnArea) {
                $crate::abi::post_return();
            }

            #[cfg(target_family = "wasm")]
            #[unsafe(export_name = "cabi_realloc")]
            unsafe extern "C" fn realloc(old: *mut u8, old_size: usize, align: usize, new_size: usize) -> *mut u8 {
                // SAFETY: only the canonical ABI calls this export; it passes blocks that this function returned.
                unsafe { $crate::abi::realloc(old, old_size, align, new_size) }
            }
        };
    };
}

#[cfg(test)]
mod tests;
