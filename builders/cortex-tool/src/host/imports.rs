//! The canonical ABI of world `capabilities` of `wit/tool.wit`, written out: what is imported, and the places of its results.
//!
//! A result that does not fit into one value is written where the last argument points. What it points to was allocated by
//! `cabi_realloc`, and is the guest's to free: `Vec` and `String` take it over.

use std::mem::MaybeUninit;

use super::{Level, StateError};

/// The world, encoded as wit-bindgen does it, for wit-component. In the same object as everything that calls [`described`],
/// so that a linker that takes the one takes the other.
#[unsafe(link_section = "component-type:cortex-host")]
#[used]
static COMPONENT_TYPE: [u8; include_bytes!("../host-type.bin").len()] = *include_bytes!("../host-type.bin");

/// Called by everything here: see [`COMPONENT_TYPE`].
#[inline(never)]
fn described() {}

#[link(wasm_import_module = "wasi:logging/logging@0.1.0-draft")]
unsafe extern "C" {
    #[link_name = "log"]
    fn wasi_log(level: i32, context: *const u8, context_len: usize, message: *const u8, message_len: usize);
}

#[link(wasm_import_module = "cortex:tool/host@0.1.0")]
unsafe extern "C" {
    #[link_name = "progress"]
    fn host_progress(done: f64, has_total: i32, total: f64, has_message: i32, message: *const u8, message_len: usize);
    #[link_name = "secret-exists"]
    fn host_secret_exists(name: *const u8, name_len: usize) -> i32;
    #[link_name = "compare-and-swap"]
    fn host_compare_and_swap(
        key: *const u8,
        key_len: usize,
        has_expected: i32,
        expected: *const u8,
        expected_len: usize,
        has_value: i32,
        value: *const u8,
        value_len: usize,
        area: *mut Area,
    );
    #[link_name = "set-for"]
    fn host_set_for(
        key: *const u8,
        key_len: usize,
        value: *const u8,
        value_len: usize,
        milliseconds: u64,
        area: *mut Area,
    );
}

#[link(wasm_import_module = "wasi:keyvalue/store@0.2.0-draft")]
unsafe extern "C" {
    #[link_name = "open"]
    fn store_open(name: *const u8, name_len: usize, area: *mut Area);
    #[link_name = "[resource-drop]bucket"]
    fn bucket_drop(bucket: i32);
    #[link_name = "[method]bucket.get"]
    fn bucket_get(bucket: i32, key: *const u8, key_len: usize, area: *mut Area);
    #[link_name = "[method]bucket.set"]
    fn bucket_set(bucket: i32, key: *const u8, key_len: usize, value: *const u8, value_len: usize, area: *mut Area);
    #[link_name = "[method]bucket.delete"]
    fn bucket_delete(bucket: i32, key: *const u8, key_len: usize, area: *mut Area);
    #[link_name = "[method]bucket.list-keys"]
    fn bucket_list_keys(bucket: i32, has_cursor: i32, cursor: u64, area: *mut Area);
}

#[link(wasm_import_module = "wasi:keyvalue/atomics@0.2.0-draft")]
unsafe extern "C" {
    #[link_name = "increment"]
    fn atomics_increment(bucket: i32, key: *const u8, key_len: usize, delta: u64, area: *mut Area);
}

/// Where a result is written: the largest is that of `list-keys`, of 32 bytes. Discriminants are one byte.
#[repr(C, align(8))]
struct Area([MaybeUninit<u8>; 32]);

impl Area {
    fn new() -> Self {
        Self([MaybeUninit::uninit(); 32])
    }

    /// # Safety
    /// The host has written a byte there.
    unsafe fn byte(&self, at: usize) -> u8 {
        // SAFETY: by this function's contract.
        unsafe { self.0[at].assume_init() }
    }

    /// # Safety
    /// The host has written a word there; `at` is a multiple of four.
    unsafe fn word(&self, at: usize) -> usize {
        // SAFETY: the area is aligned to eight, and by this function's contract.
        unsafe { self.0.as_ptr().add(at).cast::<usize>().read() }
    }

    /// # Safety
    /// The host has written 64 bits there; `at` is a multiple of eight.
    unsafe fn long(&self, at: usize) -> u64 {
        // SAFETY: the area is aligned to eight, and by this function's contract.
        unsafe { self.0.as_ptr().add(at).cast::<u64>().read() }
    }

    /// # Safety
    /// The host has written a list of bytes there that nobody else takes over.
    unsafe fn bytes(&self, at: usize) -> Vec<u8> {
        // SAFETY: by this function's contract.
        let (pointer, length) = unsafe { (self.word(at), self.word(at + 4)) };
        if length == 0 {
            return Vec::new();
        }
        // SAFETY: `cabi_realloc` allocated exactly `length` bytes of alignment 1 from the global allocator.
        unsafe { Vec::from_raw_parts(std::ptr::with_exposed_provenance_mut(pointer), length, length) }
    }

    /// # Safety
    /// The host has written a string there that nobody else takes over.
    unsafe fn text(&self, at: usize) -> String {
        // SAFETY: by this function's contract; the canonical ABI passes valid UTF-8.
        unsafe { String::from_utf8_unchecked(self.bytes(at)) }
    }

    /// The error of a result whose payload is at `at`, if it is one.
    ///
    /// # Safety
    /// The host has written a result of `wasi:keyvalue` there.
    unsafe fn result(&self, at: usize) -> Result<(), StateError> {
        // SAFETY: by this function's contract.
        unsafe {
            if self.byte(0) == 0 {
                return Ok(());
            }
            Err(match self.byte(at) {
                0 => StateError::Failed("there is no such bucket".into()),
                1 => StateError::NotGranted,
                _ => StateError::Failed(self.text(at + 4)),
            })
        }
    }
}

/// The tool's own bucket.
struct Bucket(i32);

impl Bucket {
    fn open() -> Result<Self, StateError> {
        described();
        let mut area = Area::new();
        let name = "default";
        // SAFETY: `open` writes a result whose payload, at 4, is a handle or an error.
        unsafe {
            store_open(name.as_ptr(), name.len(), &raw mut area);
            area.result(4)?;
            Ok(Self(area.word(4).cast_signed() as i32))
        }
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        // SAFETY: the handle is open, and closed once.
        unsafe { bucket_drop(self.0) };
    }
}

pub(super) fn log(level: Level, context: &str, message: &str) {
    described();
    // SAFETY: both strings live until the host has copied them.
    unsafe { wasi_log(level as i32, context.as_ptr(), context.len(), message.as_ptr(), message.len()) };
}

pub(super) fn progress(done: f64, total: Option<f64>, message: Option<&str>) {
    described();
    let text = message.unwrap_or_default();
    let (has_total, has_message) = (i32::from(total.is_some()), i32::from(message.is_some()));
    // SAFETY: the string lives until the host has copied it.
    unsafe { host_progress(done, has_total, total.unwrap_or_default(), has_message, text.as_ptr(), text.len()) };
}

pub(super) fn secret_exists(name: &str) -> bool {
    described();
    // SAFETY: the string lives until the host has copied it.
    unsafe { host_secret_exists(name.as_ptr(), name.len()) != 0 }
}

pub(super) fn get(key: &str) -> Result<Option<Vec<u8>>, StateError> {
    let bucket = Bucket::open()?;
    let mut area = Area::new();
    // SAFETY: `get` writes a result whose payload, at 4, is an option of a list, at 8, or an error.
    unsafe {
        bucket_get(bucket.0, key.as_ptr(), key.len(), &raw mut area);
        area.result(4)?;
        Ok((area.byte(4) != 0).then(|| area.bytes(8)))
    }
}

pub(super) fn set(key: &str, value: &[u8]) -> Result<(), StateError> {
    let bucket = Bucket::open()?;
    let mut area = Area::new();
    // SAFETY: `set` writes a result whose payload, at 4, is nothing or an error.
    unsafe {
        bucket_set(bucket.0, key.as_ptr(), key.len(), value.as_ptr(), value.len(), &raw mut area);
        area.result(4)
    }
}

pub(super) fn set_for(key: &str, value: &[u8], milliseconds: u64) -> Result<(), StateError> {
    described();
    let mut area = Area::new();
    // SAFETY: everything lives until the host has copied it. The result's payload, at 4, is nothing or a string.
    unsafe {
        host_set_for(key.as_ptr(), key.len(), value.as_ptr(), value.len(), milliseconds, &raw mut area);
        if area.byte(0) == 0 { Ok(()) } else { Err(StateError::Failed(area.text(4))) }
    }
}

pub(super) fn delete(key: &str) -> Result<(), StateError> {
    let bucket = Bucket::open()?;
    let mut area = Area::new();
    // SAFETY: `delete` writes a result whose payload, at 4, is nothing or an error.
    unsafe {
        bucket_delete(bucket.0, key.as_ptr(), key.len(), &raw mut area);
        area.result(4)
    }
}

pub(super) fn keys() -> Result<Vec<String>, StateError> {
    let bucket = Bucket::open()?;
    let (mut keys, mut cursor) = (Vec::new(), None);
    loop {
        let mut area = Area::new();
        // SAFETY: `list-keys` writes a result whose payload, at 8, is a list of strings, at 8, and an option of 64 bits, at
        // 16, or an error.
        unsafe {
            bucket_list_keys(bucket.0, i32::from(cursor.is_some()), cursor.unwrap_or_default(), &raw mut area);
            area.result(8)?;
            keys.extend(strings(area.word(8), area.word(12)));
            if area.byte(16) == 0 {
                return Ok(keys);
            }
            cursor = Some(area.long(24));
        }
    }
}

/// Takes over a list of strings.
///
/// # Safety
/// `cabi_realloc` allocated it, with each string, and nobody else takes them over.
unsafe fn strings(pointer: usize, length: usize) -> Vec<String> {
    if length == 0 {
        return Vec::new();
    }
    // SAFETY: by this function's contract; a string is a pointer and a length, of alignment 4.
    let pairs: Vec<[usize; 2]> =
        unsafe { Vec::from_raw_parts(std::ptr::with_exposed_provenance_mut(pointer), length, length) };
    let text = |[pointer, length]: [usize; 2]| {
        if length == 0 {
            return String::new();
        }
        // SAFETY: as above, with alignment 1; the canonical ABI passes valid UTF-8.
        unsafe { String::from_raw_parts(std::ptr::with_exposed_provenance_mut(pointer), length, length) }
    };
    pairs.into_iter().map(text).collect()
}

pub(super) fn increment(key: &str, delta: u64) -> Result<u64, StateError> {
    let bucket = Bucket::open()?;
    let mut area = Area::new();
    // SAFETY: `increment` writes a result whose payload, at 8, is 64 bits or an error.
    unsafe {
        atomics_increment(bucket.0, key.as_ptr(), key.len(), delta, &raw mut area);
        area.result(8)?;
        Ok(area.long(8))
    }
}

pub(super) fn compare_and_swap(key: &str, expected: Option<&[u8]>, value: Option<&[u8]>) -> Result<bool, StateError> {
    described();
    let mut area = Area::new();
    let (has_expected, expected) = (i32::from(expected.is_some()), expected.unwrap_or_default());
    let (has_value, value) = (i32::from(value.is_some()), value.unwrap_or_default());
    // SAFETY: everything lives until the host has copied it. The result's payload, at 4, is a byte or a string.
    unsafe {
        host_compare_and_swap(
            key.as_ptr(),
            key.len(),
            has_expected,
            expected.as_ptr(),
            expected.len(),
            has_value,
            value.as_ptr(),
            value.len(),
            &raw mut area,
        );
        if area.byte(0) == 0 { Ok(area.byte(4) != 0) } else { Err(StateError::Failed(area.text(4))) }
    }
}
