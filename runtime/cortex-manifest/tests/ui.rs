//! Golden files: every manifest in `tests/ui/good` has the JSON of its `ToolSpec` beside it, every one in `tests/ui/bad`
//! the report of its mistakes. `BLESS=1 cargo test -p cortex-manifest` rewrites them; the diff is then for a person to read.

use std::path::{Path, PathBuf};

use cortex_manifest::{ToolSpec, manifest_schema};
use fs_err as fs;
use serde_json::Value;

fn manifests(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui").join(folder);
    let entries = fs::read_dir(folder).expect("the folder is part of the repository");
    let paths = entries.map(|entry| entry.expect("the folder can be listed").path());
    let mut files: Vec<PathBuf> = paths.filter(|path| path.extension().is_some_and(|end| end == "yml")).collect();
    files.sort();
    files
}

#[expect(clippy::disallowed_methods, reason = "how a person asks for new golden files")]
fn blessing() -> bool {
    std::env::var_os("BLESS").is_some()
}

/// Compares with the golden file, or writes it. Returns what differs.
fn compare(golden: &Path, actual: &str) -> Option<String> {
    if blessing() {
        fs::write(golden, actual).expect("the golden file can be written");
        return None;
    }
    let expected = fs::read_to_string(golden).unwrap_or_default();
    (expected != actual).then(|| format!("{}\n--- expected\n{expected}\n--- actual\n{actual}\n", golden.display()))
}

fn file_name(path: &Path) -> &Path {
    Path::new(path.file_name().expect("a listed file has a name"))
}

#[test]
fn good_manifests_mean_what_their_golden_files_say() {
    let mut differences = String::new();
    for path in manifests("good") {
        let yaml = fs::read_to_string(&path).unwrap();
        match ToolSpec::parse(file_name(&path), &yaml) {
            Ok(spec) => {
                let json = serde_json::to_string_pretty(&spec).unwrap() + "\n";
                differences.extend(compare(&path.with_extension("json"), &json));
            }
            Err(error) => differences.push_str(&error.report().to_string()),
        }
    }
    assert!(differences.is_empty(), "{differences}");
}

#[test]
fn bad_manifests_are_told_what_their_golden_files_say() {
    let mut differences = String::new();
    for path in manifests("bad") {
        let yaml = fs::read_to_string(&path).unwrap();
        match ToolSpec::parse(file_name(&path), &yaml) {
            Ok(_) => differences.extend([path.to_string_lossy().as_ref(), " was accepted\n"]),
            Err(error) => {
                differences.extend(compare(&path.with_extension("err"), &format!("{}\n", error.report())));
            }
        }
    }
    assert!(differences.is_empty(), "{differences}");
}

#[test]
fn every_golden_file_has_its_manifest() {
    if blessing() {
        return; // The other tests are writing them at this moment.
    }
    for (folder, end) in [("good", "json"), ("bad", "err")] {
        let with_manifest = manifests(folder).len();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui").join(folder);
        let golden = fs::read_dir(folder).unwrap().filter(|e| e.as_ref().unwrap().path().extension().unwrap() == end);
        assert_eq!(golden.count(), with_manifest);
    }
}

#[test]
fn the_published_schema_is_up_to_date() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tool.schema.json");
    let json = serde_json::to_string_pretty(&manifest_schema()).unwrap() + "\n";
    assert_eq!(compare(&golden, &json), None);
}

#[test]
fn the_published_schema_accepts_every_good_manifest() {
    let schema = jsonschema::validator_for(&manifest_schema()).unwrap();
    for path in manifests("good") {
        let value: Value = serde_saphyr::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let errors: Vec<String> =
            schema.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{}: {errors:#?}", path.display());
    }
}
