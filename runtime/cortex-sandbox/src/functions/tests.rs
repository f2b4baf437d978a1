use wasmtime::{CacheStore, Engine};

use super::Functions;
use crate::compiler::{compile_here, compile_with_functions};
use crate::engine::{Allocation, config};

/// Components with two functions, of which `shared` is the same in all.
fn component(own: u32) -> Vec<u8> {
    wat::parse_str(format!(
        r#"(component
            (core module $m
                (func (export "shared") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 7)))
                (func (export "own") (result i32) (i32.const {own})))
            (core instance $i (instantiate $m))
            (func (export "shared") (param "n" u32) (result u32) (canon lift (core func $i "shared")))
            (func (export "own") (result u32) (canon lift (core func $i "own"))))"#
    ))
    .unwrap()
}

#[test]
fn the_code_is_the_same_with_and_without_functions_that_are_known() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("functions");
    let engine = Engine::new(&config(Allocation::OnDemand)).unwrap();
    for own in [1, 2, 1] {
        let wasm = component(own);
        let expected = compile_here(&engine, &wasm).unwrap();
        assert!(compile_with_functions(&wasm, &file).unwrap() == expected, "{own}");
    }
}

#[test]
fn only_what_is_new_is_compiled_and_written() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("functions");
    let kept = |own| {
        compile_with_functions(&component(own), &file).unwrap();
        Functions::read(&file).kept.len()
    };
    let first = kept(1);
    assert!(first >= 2, "{first}");
    assert_eq!(kept(1), first, "nothing is new");
    assert_eq!(kept(2), first + 1, "one function is");
}

#[test]
fn a_file_that_is_not_what_was_written_holds_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("functions");
    let functions = Functions::default();
    assert!(functions.insert(b"key", b"code".to_vec()));
    functions.write(&file).unwrap();
    let written = fs_err::read(&file).unwrap();
    assert_eq!(Functions::read(&file).get(b"key").as_deref(), Some(b"code".as_slice()));

    for position in 0..written.len() {
        let mut altered = written.clone();
        altered[position] ^= 1;
        fs_err::write(&file, altered).unwrap();
        assert!(Functions::read(&file).get(b"key").is_none(), "byte {position}");
    }
    for length in 0..written.len() {
        fs_err::write(&file, &written[..length]).unwrap();
        assert!(Functions::read(&file).get(b"key").is_none(), "{length} bytes");
    }
}

#[test]
#[cfg(unix)]
fn a_file_that_somebody_else_may_write_holds_nothing() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("functions");
    let functions = Functions::default();
    functions.insert(b"key", b"code".to_vec());
    functions.write(&file).unwrap();
    fs_err::set_permissions(&file, std::fs::Permissions::from_mode(0o666)).unwrap();
    assert!(Functions::read(&file).get(b"key").is_none());
}
