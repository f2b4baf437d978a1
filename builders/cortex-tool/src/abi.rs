//! The canonical ABI of `cortex:tool/handler@0.1.0#invoke`, written out: what [`export!`](crate::export) forwards to.
//!
//! Layout of `result<string, tool-error>` on wasm32, in words of four bytes (a discriminant is one byte, and memory is little
//! endian, so a word of 0 or 1 writes it and its padding):
//! ```text
//! ok:   [0] [pointer] [length]
//! err:  [1] [code pointer] [code length] [message pointer] [message length] [0 | 1] [data pointer] [data length]
//! ```
//! An instance is entered once at a time and a component has one thread, so the area and what it points to are statics: they
//! live from the end of `invoke` until the host has copied the answer and calls `post_return`.

use crate::Error;
use std::alloc::Layout;
#[cfg(not(target_os = "wasi"))]
use std::alloc::{alloc, realloc as grow};
use std::cell::{Cell, UnsafeCell};

/// World `tool` of `wit/tool.wit`, encoded by `wit_component::metadata::encode` as wit-bindgen does it.
pub const COMPONENT_TYPE: &[u8; 237] = include_bytes!("component-type.bin");

/// The words that `invoke` returns a pointer to.
#[derive(Debug)]
#[repr(C)]
pub struct ReturnArea([usize; 8]);

/// A static of the one thread that a component has.
struct OneThread<T>(T);

// SAFETY: without the `atomics` target feature no second thread can run in the instance; with it, the assertion below fails.
unsafe impl<T> Sync for OneThread<T> {}

const _: () = assert!(!cfg!(target_feature = "atomics"), "the return area is not safe to share between threads");

static AREA: OneThread<UnsafeCell<ReturnArea>> = OneThread(UnsafeCell::new(ReturnArea([0; 8])));

/// Owns the strings that the area points to.
static ANSWER: OneThread<Cell<Option<Result<String, Error>>>> = OneThread(Cell::new(None));

/// Lifts the input, answers, and lowers the answer into the area.
///
/// # Safety
/// `input` and `length` must be a string that the canonical ABI wrote into memory from [`realloc`]; it is freed here.
pub unsafe fn invoke(input: *mut u8, length: usize, answer: fn(&str) -> Result<String, Error>) -> *const ReturnArea {
    run_constructors();
    // SAFETY: `realloc` allocated exactly `length` bytes of alignment 1 for it, or returned a dangling pointer for no bytes.
    let input = unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(input, length)) };
    // SAFETY: the canonical ABI passes valid UTF-8.
    let answer = answer(unsafe { std::str::from_utf8_unchecked(&input) });
    drop(input);

    let words = match &answer {
        Ok(result) => [0, address(result), result.len(), 0, 0, 0, 0, 0],
        Err(Error { code, message, data }) => {
            let (some, data) = data.as_ref().map_or((0, ""), |data| (1, data));
            [1, address(code), code.len(), address(message), message.len(), some, address(data), data.len()]
        }
    };
    // Moving the strings moves their headers; the bytes pointed to stay where they are.
    ANSWER.0.set(Some(answer));
    // SAFETY: one thread, and the host reads the area only after this function has returned.
    unsafe { *AREA.0.get() = ReturnArea(words) };
    AREA.0.get()
}

/// Frees the answer, after the host has copied it.
pub fn post_return() {
    ANSWER.0.set(None);
}

/// On WASI the canonical ABI gets its memory from libc and not from the arena: libc's own imports, such as the one for
/// variables, pass what they were given to `free`, which does not know the arena. What comes from here and is freed by Rust
/// finds its way back, since the arena tells blocks apart by their address.
#[cfg(target_os = "wasi")]
unsafe fn alloc(layout: Layout) -> *mut u8 {
    // SAFETY: the caller's layout is passed on.
    unsafe { std::alloc::GlobalAlloc::alloc(&std::alloc::System, layout) }
}

/// See [`alloc`].
#[cfg(target_os = "wasi")]
unsafe fn grow(old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
    // SAFETY: what the caller vouches for is passed on; blocks of the canonical ABI are all from `alloc`.
    unsafe { std::alloc::GlobalAlloc::realloc(&std::alloc::System, old, layout, size) }
}

/// The allocator that the canonical ABI asks for memory. Traps when there is none.
///
/// # Safety
/// `old` must come from here with `old_size` and `align`, or `old_size` must be 0; `align` must be a power of two.
pub unsafe fn realloc(old: *mut u8, old_size: usize, align: usize, new_size: usize) -> *mut u8 {
    if new_size == 0 {
        // What `Vec` holds for no bytes: aligned, not null, never dereferenced.
        return std::ptr::without_provenance_mut(align);
    }
    // SAFETY: the canonical ABI passes a power of two, and 32-bit sizes that fit in a memory of 4 GiB.
    let layout = |size| unsafe { Layout::from_size_align_unchecked(size, align) };
    let new = if old_size == 0 {
        // SAFETY: `new_size` is not zero.
        unsafe { alloc(layout(new_size)) }
    } else {
        // SAFETY: by this function's contract `old` is a live block of this layout; `new_size` is not zero.
        unsafe { grow(old, layout(old_size), new_size) }
    };
    if new.is_null() { core::arch::wasm32::unreachable() } else { new }
}

/// Runs static constructors that a dependency may have, once.
///
/// On `wasm32-unknown-unknown` nobody else does. Left alone, wasm-ld would run them before every export, `cabi_realloc`
/// included; naming the symbol tells it not to. On WASI, std's start-up code runs them.
#[cfg(target_os = "unknown")]
fn run_constructors() {
    static DONE: OneThread<Cell<bool>> = OneThread(Cell::new(false));
    unsafe extern "C" {
        fn __wasm_call_ctors();
    }
    if !DONE.0.replace(true) {
        // SAFETY: wasm-ld defines the function, without parameters or result; it runs once, before any code of the tool.
        unsafe { __wasm_call_ctors() };
    }
}

#[cfg(not(target_os = "unknown"))]
fn run_constructors() {}

fn address(text: &str) -> usize {
    text.as_ptr().addr()
}
