//! The tests are in `tests/all`; this crate's only program, `calls`, is what they run in processes of its own.
