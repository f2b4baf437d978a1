//! Golden files: every folder of `tests/golden` has the Dockerfile beside it that is made of it, or the error.
//! `BLESS=1 cargo test -p cortex-docker` rewrites them; the diff is then for a person to read.

use std::path::{Path, PathBuf};

use cortex_manifest::ToolSpec;
use fs_err as fs;

use crate::backend::DockerBackend;
use crate::bases::Bases;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn made_of(folder: &Path) -> String {
    let yaml = fs::read_to_string(folder.join("tool.yml")).unwrap();
    let spec = ToolSpec::parse(Path::new("tool.yml"), &yaml).unwrap_or_else(|error| panic!("{}", error.report()));
    match DockerBackend::dockerfile(&spec, folder, "tool.yml", &Bases::default()) {
        // The program's own version is not the generator's affair.
        Ok(text) => text.replace(env!("CARGO_PKG_VERSION"), "VERSION"),
        Err(error) => format!("error: {error}\nhint: {}\n", error.hint().unwrap_or_default()),
    }
}

#[test]
fn every_tool_gets_the_dockerfile_of_its_golden_file() {
    #[expect(clippy::disallowed_methods, reason = "how a person asks for new golden files")]
    let blessing = std::env::var_os("BLESS").is_some();
    let mut differences = String::new();
    let mut count = 0;
    for entry in fs::read_dir(golden()).unwrap() {
        let folder = entry.unwrap().path();
        if !folder.is_dir() {
            continue;
        }
        count += 1;
        let (text, file) = (made_of(&folder), folder.with_extension("Dockerfile"));
        assert_eq!(text, made_of(&folder), "the same folder gives the same text");
        if blessing {
            fs::write(file, text).unwrap();
        } else if fs::read_to_string(&file).unwrap_or_default() != text {
            differences.extend([file.display().to_string(), "\n".into(), text, "\n".into()]);
        }
    }
    assert!(differences.is_empty() && count > 8, "{differences}");
}

#[test]
fn a_changed_source_changes_the_digest_and_no_other_line() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(golden().join("python_program/tool.yml"), folder.path().join("tool.yml")).unwrap();
    fs::copy(golden().join("python_program/requirements.txt"), folder.path().join("requirements.txt")).unwrap();
    let with = |source: &str| {
        fs::create_dir_all(folder.path().join("scripts")).unwrap();
        fs::write(folder.path().join("scripts/count.py"), source).unwrap();
        made_of(folder.path())
    };
    let (first, second) = (with("print(1)"), with("print(2)"));
    let differ: Vec<_> = first.lines().zip(second.lines()).filter(|(a, b)| a != b).collect();
    assert!(differ.len() == 1 && differ[0].0.starts_with("LABEL "), "{differ:?}");
    assert_eq!(first, with("print(1)"));
}

#[test]
fn what_dockerignore_leaves_out_is_not_part_of_the_digest() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("tool.yml"), fs::read_to_string(golden().join("bash/tool.yml")).unwrap()).unwrap();
    fs::write(folder.path().join("main.sh"), "echo {}").unwrap();
    fs::write(folder.path().join(".dockerignore"), "notes.txt\n").unwrap();
    let first = made_of(folder.path());
    fs::write(folder.path().join("notes.txt"), "anything").unwrap();
    assert_eq!(made_of(folder.path()), first);
    fs::write(folder.path().join("data.txt"), "anything").unwrap();
    assert_ne!(made_of(folder.path()), first);
}
