//! A global allocator for a program that lives for one call: a small arena first, std's allocator after it.
//!
//! std's allocator asks the sandbox for its first page with `memory.grow`, a system call for the host, and keeps lists to find
//! freed memory again. Most calls allocate a few kilobytes in all and end. They get them from a static block that is part of
//! the initial memory: the next free byte moves up, and moves back if the last allocation is the first to be freed, which is
//! what a growing string or list does. When the block is used up, std's allocator serves the rest of the call, so memory that
//! a long call frees is found again and at most [`SIZE`] bytes are not.
//!
//! Written against any system allocator and any block size, so that the tests run on the host.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, UnsafeCell};
use std::mem::MaybeUninit;

/// Several times what a call with a small input needs. Memory is only touched, and only has to be cleaned by the host, as far
/// as it is used.
#[cfg(target_family = "wasm")]
const SIZE: usize = 32 * 1024;

#[cfg(target_family = "wasm")]
#[global_allocator]
static ARENA: Arena<SIZE> = Arena::new();

/// Serves from its block until that is used up.
#[repr(align(16))]
pub(crate) struct Arena<const SIZE: usize> {
    block: UnsafeCell<[MaybeUninit<u8>; SIZE]>,
    /// Offset of the next free byte, at most `SIZE`.
    next: Cell<usize>,
}

// SAFETY: a component has one thread; `abi.rs` refuses to compile with the `atomics` feature that would allow another. Tests
// use an arena from the thread that made it.
unsafe impl<const SIZE: usize> Sync for Arena<SIZE> {}

impl<const SIZE: usize> Arena<SIZE> {
    pub(crate) const fn new() -> Self {
        Self { block: UnsafeCell::new([MaybeUninit::uninit(); SIZE]), next: Cell::new(0) }
    }

    fn base(&self) -> *mut u8 {
        self.block.get().cast()
    }

    /// The offset of a pointer into the block; `None` if it points elsewhere, as all of the system's do.
    fn offset(&self, pointer: *mut u8) -> Option<usize> {
        pointer.addr().checked_sub(self.base().addr()).filter(|offset| *offset < SIZE)
    }

    /// Takes the next free bytes, if there are enough.
    fn take(&self, layout: Layout) -> Option<*mut u8> {
        let base = self.base();
        let start = (base.addr() + self.next.get()).next_multiple_of(layout.align()) - base.addr();
        // A layout of no bytes is never asked for, so `start` is inside of the block.
        let end = start.checked_add(layout.size()).filter(|end| *end <= SIZE)?;
        self.next.set(end);
        Some(base.wrapping_add(start))
    }
}

// SAFETY: blocks from the arena are aligned, inside of it and never handed out twice, since `next` moves below a block only when
// that block is freed or shrunk. All others are the system allocator's, told apart by their address.
unsafe impl<const SIZE: usize> GlobalAlloc for Arena<SIZE> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's layout is passed on.
        self.take(layout).unwrap_or_else(|| unsafe { System.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        match self.take(layout) {
            Some(pointer) => {
                // SAFETY: `take` returned as many bytes of the block. They are zeroed because they may have been used before.
                unsafe { pointer.write_bytes(0, layout.size()) };
                pointer
            }
            // SAFETY: the caller's layout is passed on.
            None => unsafe { System.alloc_zeroed(layout) },
        }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        match self.offset(pointer) {
            Some(offset) if offset + layout.size() == self.next.get() => self.next.set(offset),
            Some(_) => {}
            // SAFETY: what is outside of the block came from the system, with the layout that the caller passes.
            None => unsafe { System.dealloc(pointer, layout) },
        }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let Some(offset) = self.offset(pointer) else {
            // SAFETY: what is outside of the block came from the system, with the layout that the caller passes.
            return unsafe { System.realloc(pointer, layout, size) };
        };
        if offset + layout.size() == self.next.get() && size <= SIZE - offset {
            self.next.set(offset + size);
            return pointer;
        }
        if size <= layout.size() {
            return pointer;
        }
        // SAFETY: the caller vouches that `size` is a valid size for this alignment.
        let new = unsafe { self.alloc(Layout::from_size_align_unchecked(size, layout.align())) };
        if !new.is_null() {
            // SAFETY: the old block is live and shorter than the new one, which overlaps no live block.
            unsafe { new.copy_from_nonoverlapping(pointer, layout.size()) };
            // SAFETY: the caller gives the old block up.
            unsafe { self.dealloc(pointer, layout) };
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(size: usize) -> Layout {
        Layout::from_size_align(size, 8).expect("small")
    }

    #[test]
    fn the_last_block_grows_shrinks_and_goes_in_place() {
        let arena = Arena::<256>::new();
        // SAFETY: every block is used with the layout it has at the time.
        unsafe {
            let a = arena.alloc(layout(16));
            assert_eq!(arena.realloc(a, layout(16), 200), a);
            assert_eq!(arena.realloc(a, layout(200), 24), a);
            let b = arena.alloc(layout(8));
            assert_eq!(b.addr(), a.addr() + 24);
            arena.dealloc(b, layout(8));
            assert_eq!(arena.alloc(layout(16)), b);
            assert_eq!(arena.realloc(a, layout(24), 8), a, "an inner block shrinks in place");
        }
    }

    #[test]
    fn an_inner_block_moves_with_its_bytes() {
        let arena = Arena::<256>::new();
        // SAFETY: as above.
        unsafe {
            let a = arena.alloc(layout(4));
            a.copy_from_nonoverlapping(b"abcd".as_ptr(), 4);
            let b = arena.alloc(layout(4));
            let moved = arena.realloc(a, layout(4), 32);
            assert!(moved.addr() > b.addr() && arena.offset(moved).is_some());
            assert_eq!(std::slice::from_raw_parts(moved, 4), b"abcd");
        }
    }

    #[test]
    fn what_does_not_fit_is_the_systems() {
        let arena = Arena::<64>::new();
        // SAFETY: as above.
        unsafe {
            let a = arena.alloc(layout(64));
            assert!(arena.offset(a).is_some());
            a.write_bytes(7, 64);
            let b = arena.alloc(layout(8));
            assert!(arena.offset(b).is_none());
            let b = arena.realloc(b, layout(8), 1000);
            arena.dealloc(b, layout(1000));
            let moved = arena.realloc(a, layout(64), 65);
            assert!(arena.offset(moved).is_none());
            assert_eq!(std::slice::from_raw_parts(moved, 64), [7; 64]);
            assert_eq!(arena.next.get(), 0, "the moved block was the last");
            arena.dealloc(moved, layout(65));
        }
    }

    #[test]
    fn alignment_and_zeros_hold() {
        let arena = Arena::<1024>::new();
        // SAFETY: as above.
        unsafe {
            for align in [1, 2, 4, 8, 16, 32, 64] {
                let layout = Layout::from_size_align(align + 1, align).expect("small");
                let pointer = arena.alloc(layout);
                assert_eq!(pointer.addr() % align, 0);
                pointer.write_bytes(0xff, layout.size());
                arena.dealloc(pointer, layout);
                let zeroed = arena.alloc_zeroed(layout);
                assert!(std::slice::from_raw_parts(zeroed, layout.size()).iter().all(|byte| *byte == 0));
            }
            let huge = Layout::from_size_align(isize::MAX.unsigned_abs() - 64, 1).expect("the largest");
            assert!(arena.take(huge).is_none());
        }
    }
}
