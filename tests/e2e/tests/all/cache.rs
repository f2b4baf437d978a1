//! Compiled code on disk. Loading it runs it outside of the sandbox, so whatever is not exactly what was written is compiled
//! anew, and never run.

use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use cortex_sandbox::{Allocation, Call, CompiledCache, Component, Ending, Grants, Limits, Sandbox, digest};
use fs_err as fs;
use guest_artifacts as guests;
use serde_json::json;
use tempfile::TempDir;

use crate::host::{block_on, sandbox};

const HOUR: Duration = Duration::from_hours(1);

/// A cache in a folder of its own.
struct Shelf {
    folder: TempDir,
    cache: CompiledCache,
}

impl Shelf {
    fn new() -> Self {
        Self::limited(u64::MAX)
    }

    fn limited(bytes: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let cache = CompiledCache::new(sandbox(), folder.path().join("compiled"), bytes);
        Self { folder, cache }
    }

    /// Loads a guest; says whether it had to be compiled.
    fn load(&self, guest: &str) -> (Component, bool) {
        let wasm = guest_artifacts::read(guest);
        let (component, cached) = self.cache.load(sandbox(), &digest(&wasm), || Ok(wasm)).unwrap();
        (component, !cached)
    }

    /// The folder of this engine.
    fn engine(&self) -> PathBuf {
        let engines: Vec<_> =
            fs::read_dir(self.folder.path().join("compiled")).unwrap().map(|e| e.unwrap().path()).collect();
        let [only] = engines.as_slice() else { panic!("{engines:?}") };
        only.clone()
    }

    fn record(&self, guest: &str) -> PathBuf {
        self.engine().join(format!("{}.json", digest(&guest_artifacts::read(guest)).replace(':', "-")))
    }

    fn code(&self, guest: &str) -> PathBuf {
        let record: serde_json::Value = serde_json::from_slice(&fs::read(self.record(guest)).unwrap()).unwrap();
        self.engine().join(format!("{}.cwasm", record["code_sha256"].as_str().unwrap()))
    }

    fn files(&self) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(self.engine()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

/// Two guests whose answers tell them apart.
const FORTY_TWO: &str = guests::LIMIT_INSTANCES;
const EIGHT: &str = guests::LIMIT_TABLES;

fn answer(component: &Component) -> serde_json::Value {
    let (limits, grants) = (Limits::DEFAULT, Arc::new(Grants::none()));
    // The functions of the two guests differ in their parameters; a wrong component answers, but wrongly.
    let function = component.function(None);
    let input =
        if function.is_some_and(|function| function.name == "grow") { json!({"elements": 1}) } else { json!({}) };
    let call = Call { function, ..Call::new("guest", &input, &limits, &grants) };
    let outcome = block_on(sandbox().invoke(component, call));
    assert_eq!(outcome.ending, Ending::Success, "{:?}", outcome.error);
    serde_json::from_str(outcome.result.unwrap().get()).unwrap()
}

fn has_end(name: &str, end: &str) -> bool {
    Path::new(name).extension().is_some_and(|found| found == end)
}

fn set_used(path: &Path, ago: Duration) {
    fs::File::open(path).unwrap().file().set_modified(SystemTime::now() - ago).unwrap();
}

#[test]
fn a_component_is_compiled_once() {
    let shelf = Shelf::new();
    let (component, compiled) = shelf.load(FORTY_TWO);
    assert_eq!((answer(&component), compiled), (json!(42), true));
    let wasm = guest_artifacts::read(FORTY_TWO);
    let not_read = || -> io::Result<Vec<u8>> { panic!("the component is read only to compile it") };
    let (component, cached) = shelf.cache.load(sandbox(), &digest(&wasm), not_read).unwrap();
    assert_eq!((answer(&component), cached), (json!(42), true));
}

#[test]
fn both_ways_to_allocate_share_compiled_code() {
    let shelf = Shelf::new();
    shelf.load(FORTY_TWO);
    let pooled = Sandbox::new(Allocation::Pooled { calls: 1 }).unwrap();
    let cache = CompiledCache::new(&pooled, shelf.folder.path().join("compiled"), u64::MAX);
    let wasm = guest_artifacts::read(FORTY_TWO);
    let (_, cached) = cache.load(&pooled, &digest(&wasm), || Ok(wasm)).unwrap();
    assert!(cached);
}

#[test]
fn concurrent_first_loads_compile_once() {
    let shelf = Shelf::new();
    let wasm = guest_artifacts::read(guests::CONTRACT_TOOL_ANSWERS);
    let (component, compiled) = (digest(&wasm), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                let read = || {
                    compiled.fetch_add(1, Ordering::Relaxed);
                    Ok(wasm.clone())
                };
                shelf.cache.load(sandbox(), &component, read).unwrap();
            });
        }
    });
    assert_eq!(compiled.into_inner(), 1);
}

#[test]
fn what_is_written_is_the_owner_s_alone() {
    let shelf = Shelf::new();
    shelf.load(FORTY_TWO);
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!(mode(&shelf.folder.path().join("compiled")), 0o700);
    assert_eq!(mode(&shelf.engine()), 0o700);
    assert_eq!(mode(&shelf.code(FORTY_TWO)), 0o600);
    assert_eq!(mode(&shelf.record(FORTY_TWO)), 0o600);
}

/// Loads two guests, damages what belongs to the first, and expects it to be compiled anew, to answer as it should, and to
/// be sound again afterwards.
fn mends(what: &str, damage: impl FnOnce(&Shelf)) {
    let shelf = Shelf::new();
    shelf.load(FORTY_TWO);
    shelf.load(EIGHT);
    damage(&shelf);
    let (component, compiled) = shelf.load(FORTY_TWO);
    assert!(compiled, "{what}: it was loaded");
    assert_eq!(answer(&component), json!(42), "{what}");
    let (component, compiled) = shelf.load(FORTY_TWO);
    assert!(!compiled, "{what}: it is compiled again and again");
    assert_eq!(answer(&component), json!(42), "{what}");
    assert_eq!(answer(&shelf.load(EIGHT).0), json!(8), "{what}: the other one");
}

fn rewrite(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

/// Attack: a truncated or foreign `.cwasm` in the cache
/// Ends: never loaded: it is compiled anew
#[test]
fn damaged_code_is_compiled_anew() {
    mends("truncated", |shelf| rewrite(&shelf.code(FORTY_TWO), |code| code.truncate(code.len() / 2)));
    mends("cut by one byte", |shelf| rewrite(&shelf.code(FORTY_TWO), |code| code.truncate(code.len() - 1)));
    mends("empty", |shelf| rewrite(&shelf.code(FORTY_TWO), Vec::clear));
    mends("grown", |shelf| rewrite(&shelf.code(FORTY_TWO), |code| code.push(0)));
    mends("missing", |shelf| fs::remove_file(shelf.code(FORTY_TWO)).unwrap());
}

/// Attack: a `.cwasm` with one flipped bit
/// Ends: never loaded: it is compiled anew
#[test]
fn one_flipped_bit_anywhere_in_the_code_is_seen() {
    let places: [fn(usize) -> usize; 4] = [|_| 0, |length| length / 3, |length| length / 2, |length| length - 1];
    for place in places {
        mends("a flipped bit", |shelf| {
            rewrite(&shelf.code(FORTY_TWO), |code| {
                let at = place(code.len());
                code[at] ^= 1;
            });
        });
    }
}

/// Sound code of the right engine that would load and run, of the size that was recorded.
///
/// Attack: the `.cwasm` of another component under this one's name
/// Ends: never loaded: it is compiled anew
#[test]
fn code_of_another_component_is_not_run() {
    mends("the other's code", |shelf| {
        let (code, other) = (shelf.code(FORTY_TWO), shelf.code(EIGHT));
        fs::copy(other, &code).unwrap();
        let bytes = fs::metadata(&code).unwrap().len();
        rewrite(&shelf.record(FORTY_TWO), |record| {
            let mut json: serde_json::Value = serde_json::from_slice(record).unwrap();
            json["code_bytes"] = bytes.into();
            *record = serde_json::to_vec(&json).unwrap();
        });
    });
    mends("a link to the other's code", |shelf| {
        let code = shelf.code(FORTY_TWO);
        fs::remove_file(&code).unwrap();
        fs::os::unix::fs::symlink(shelf.code(EIGHT), &code).unwrap();
    });
}

#[test]
fn a_record_of_another_component_is_not_believed() {
    mends("the other's record", |shelf| {
        fs::copy(shelf.record(EIGHT), shelf.record(FORTY_TWO)).unwrap();
    });
}

#[test]
fn a_damaged_record_is_not_believed() {
    mends("truncated", |shelf| rewrite(&shelf.record(FORTY_TWO), |record| record.truncate(20)));
    mends("empty", |shelf| rewrite(&shelf.record(FORTY_TWO), Vec::clear));
    mends("no JSON", |shelf| rewrite(&shelf.record(FORTY_TWO), |record| *record = b"\0\0\0\0".to_vec()));
    mends("missing", |shelf| fs::remove_file(shelf.record(FORTY_TWO)).unwrap());
    mends("a path", |shelf| {
        // The file is there and could be read, if the name were used as it is.
        let outside = shelf.folder.path().join("outside.cwasm");
        fs::copy(shelf.code(EIGHT), &outside).unwrap();
        let (bytes, outside) = (fs::metadata(&outside).unwrap().len(), outside.with_extension(""));
        let record = json!({"code_sha256": outside, "code_bytes": bytes});
        fs::write(shelf.record(FORTY_TWO), record.to_string()).unwrap();
    });
    mends("fields that it never had", |shelf| {
        rewrite(&shelf.record(FORTY_TWO), |record| {
            let mut json: serde_json::Value = serde_json::from_slice(record).unwrap();
            json["trusted"] = true.into();
            *record = serde_json::to_vec(&json).unwrap();
        });
    });
}

/// Attack: a `.cwasm` that another user may write
/// Ends: never loaded: it is compiled anew
#[test]
fn a_file_that_others_may_write_is_not_believed() {
    for mode in [0o666, 0o620, 0o602] {
        let others_may_write = |path: PathBuf| fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
        mends("code", |shelf| others_may_write(shelf.code(FORTY_TWO)));
        mends("record", |shelf| others_may_write(shelf.record(FORTY_TWO)));
    }
}

/// Only root can give a file away, so that is who this test needs.
#[test]
fn a_file_of_another_user_is_not_believed() {
    let give_away = |path: PathBuf| std::os::unix::fs::chown(&path, Some(65534), None);
    let probe = tempfile::NamedTempFile::new().unwrap();
    if give_away(probe.path().to_owned()).is_err() {
        println!("not checked: only root can give a file to another user");
        return;
    }
    mends("code", |shelf| give_away(shelf.code(FORTY_TWO)).unwrap());
    mends("record", |shelf| give_away(shelf.record(FORTY_TWO)).unwrap());
}

#[test]
fn the_entries_used_longest_ago_go_first() {
    let shelf = Shelf::new();
    let guests = [FORTY_TWO, EIGHT, guests::LIMIT_MEMORIES];
    for (guest, age) in guests.into_iter().zip([30, 10, 20]) {
        shelf.load(guest);
        set_used(&shelf.record(guest), Duration::from_secs(age * 60));
    }
    let usage = shelf.cache.usage().unwrap();
    let in_order: Vec<&str> = usage.entries.iter().map(|entry| entry.component.as_str()).collect();
    let expected = [EIGHT, guests::LIMIT_MEMORIES, FORTY_TWO].map(|guest| digest(&guest_artifacts::read(guest)));
    assert_eq!(in_order, expected, "the one used last comes first");
    assert_eq!(usage.bytes, usage.entries.iter().map(|entry| entry.bytes).sum::<u64>());
    assert!(usage.entries.iter().all(|entry| entry.current));

    let keep = usage.entries[0].bytes + usage.entries[1].bytes;
    let freed = shelf.cache.prune(keep).unwrap();
    assert!(freed >= usage.entries[2].bytes, "{freed}");
    assert_eq!(shelf.cache.usage().unwrap().bytes, keep);
    assert!(!shelf.load(EIGHT).1 && !shelf.load(guests::LIMIT_MEMORIES).1, "what is left is not compiled again");
    assert!(shelf.load(FORTY_TWO).1, "what is gone is");
}

/// Recency is written down at most once an hour.
#[test]
fn a_load_counts_as_use() {
    let shelf = Shelf::new();
    shelf.load(FORTY_TWO);
    shelf.load(EIGHT);
    set_used(&shelf.record(FORTY_TWO), 3 * HOUR);
    set_used(&shelf.record(EIGHT), 2 * HOUR);
    shelf.load(FORTY_TWO);
    let first = &shelf.cache.usage().unwrap().entries[0];
    assert_eq!(first.component, digest(&guest_artifacts::read(FORTY_TWO)));
}

#[test]
fn a_full_cache_makes_room_for_what_is_new() {
    let shelf = Shelf::new();
    shelf.load(EIGHT);
    let bytes = shelf.cache.usage().unwrap().bytes;
    shelf.cache.prune(0).unwrap();
    shelf.load(FORTY_TWO);
    set_used(&shelf.record(FORTY_TWO), HOUR);

    let full = CompiledCache::new(sandbox(), shelf.folder.path().join("compiled"), bytes);
    let wasm = guest_artifacts::read(EIGHT);
    let (component, _) = full.load(sandbox(), &digest(&wasm), || Ok(wasm.clone())).unwrap();
    assert_eq!(answer(&component), json!(8));
    let left: Vec<String> = full.usage().unwrap().entries.into_iter().map(|entry| entry.component).collect();
    assert_eq!(left, [digest(&wasm)]);
}

#[test]
fn a_component_larger_than_the_cache_runs_all_the_same() {
    let shelf = Shelf::limited(0);
    for _ in 0..2 {
        let (component, compiled) = shelf.load(FORTY_TWO);
        assert_eq!((answer(&component), compiled), (json!(42), true));
    }
    assert_eq!(shelf.cache.usage().unwrap().bytes, 0);
}

#[test]
fn code_that_two_components_share_goes_with_the_last_of_them() {
    let shelf = Shelf::new();
    let plain = guest_artifacts::read(FORTY_TWO);
    // A custom section named `note`: another component with the same code.
    let noted = [&plain[..], b"\0\x05\x04note"].concat();
    let load = |wasm: &[u8]| shelf.cache.load(sandbox(), &digest(wasm), || Ok(wasm.to_owned())).unwrap();
    load(&plain);
    let codes = || shelf.files().iter().filter(|name| has_end(name, "cwasm")).count();
    let before = codes();
    load(&noted);
    assert_eq!((before, codes()), (1, 1), "the code is the same");
    set_used(&shelf.record(FORTY_TWO), HOUR);
    shelf.cache.prune(fs::metadata(shelf.code(FORTY_TWO)).unwrap().len()).unwrap();
    let (component, cached) = load(&noted);
    assert_eq!((answer(&component), cached), (json!(42), true));
    assert_eq!(shelf.cache.usage().unwrap().entries.len(), 1);
}

/// Attack: a `.cwasm` of another version of the engine
/// Ends: never loaded
#[test]
fn another_engine_s_code_is_shown_and_pruned_and_never_loaded() {
    let shelf = Shelf::new();
    shelf.load(FORTY_TWO);
    let (engine, other) = (shelf.engine(), shelf.folder.path().join("compiled/wasmtime-47-0123456789abcdef"));
    fs::rename(&engine, &other).unwrap();
    let (_, compiled) = shelf.load(FORTY_TWO);
    assert!(compiled, "the code of another engine was loaded");
    let usage = shelf.cache.usage().unwrap();
    let mut current: Vec<bool> = usage.entries.iter().map(|entry| entry.current).collect();
    current.sort_unstable();
    assert_eq!(current, [false, true]);
    let freed = shelf.cache.prune(0).unwrap();
    assert!(freed >= usage.bytes, "{freed} of {}", usage.bytes);
    assert!(!other.exists() && !engine.exists());
    assert!(shelf.load(FORTY_TWO).1);
}

/// A crash leaves files that no record names. The young ones may be another process's compilation under way.
#[test]
fn what_a_crash_left_behind_goes_when_it_is_old() {
    let shelf = Shelf::new();
    shelf.load(FORTY_TWO);
    let sound = shelf.files();
    for name in [".tmpAbCdEf", "0000.cwasm", "sha256-0000.lock"] {
        for (suffix, age) in [("", Duration::ZERO), (".old", 2 * HOUR)] {
            let path = shelf.engine().join(format!("{name}{suffix}"));
            fs::write(&path, "half").unwrap();
            set_used(&path, age);
        }
    }
    shelf.cache.prune(u64::MAX).unwrap();
    let mut expected = sound;
    expected.extend([".tmpAbCdEf", "0000.cwasm", "sha256-0000.lock"].map(String::from));
    expected.sort();
    assert_eq!(shelf.files(), expected);
    assert!(!shelf.load(FORTY_TWO).1, "what is sound is left alone");
}

#[test]
fn a_component_that_does_not_compile_leaves_nothing_to_load() {
    let shelf = Shelf::new();
    let broken = b"\0asm\x0d\0\x01\0 and nonsense".to_vec();
    for _ in 0..2 {
        let error = shelf.cache.load(sandbox(), &digest(&broken), || Ok(broken.clone())).unwrap_err();
        assert_eq!(error.to_string(), "not a valid WebAssembly component");
    }
    assert!(shelf.cache.usage().unwrap().entries.is_empty());
    assert!(shelf.files().iter().all(|name| has_end(name, "lock")), "{:?}", shelf.files());
}

#[test]
fn a_cache_that_cannot_be_written_is_told_by_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("compiled");
    fs::write(&root, "a file").unwrap();
    let cache = CompiledCache::new(sandbox(), &root, u64::MAX);
    let wasm = guest_artifacts::read(FORTY_TWO);
    let error = cache.load(sandbox(), &digest(&wasm), || Ok(wasm)).unwrap_err();
    assert_eq!(error.to_string(), format!("the cache at `{}` cannot be used", root.display()));
}
