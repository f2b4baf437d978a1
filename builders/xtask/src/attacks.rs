//! The table of attacks in `runtime/SECURITY.md`, made of what the tests of the attacks say of themselves.
//!
//! A test of an attack has two lines of documentation, `Attack: …` and `Ends: …`. An ending in code, such as `trap`, must be
//! one that the test's file asserts, so that the table cannot promise what nothing checks.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use fs_err as fs;

use crate::command::say;
use crate::layout::Layout;

const BEGIN: &str = "<!-- attacks: written by `cargo xtask generate` from the tests -->";
const END: &str = "<!-- end of attacks -->";

/// An attack and the test of it.
#[derive(Debug, PartialEq, Eq)]
struct Attack {
    what: String,
    ends: String,
    test: String,
}

pub(crate) fn run(layout: &Layout, check: bool) -> anyhow::Result<()> {
    let path = layout.root().join("runtime/SECURITY.md");
    let found = fs::read_to_string(&path)?;
    let wanted = with_table(&found, &table(layout)?)?;
    if found == wanted {
        return Ok(());
    }
    ensure!(!check, "`{}` is not what the tests say; run `cargo xtask generate`", layout.relative(&path));
    fs::write(&path, wanted)?;
    say(&format!("wrote `{}`", layout.relative(&path)));
    Ok(())
}

fn table(layout: &Layout) -> anyhow::Result<String> {
    let tests = layout.root().join("tests/e2e/tests/all");
    let mut attacks = Vec::new();
    for file in rust_files(&tests)? {
        let of_file = attacks_of(&module_of(&tests, &file), &fs::read_to_string(&file)?);
        attacks.extend(of_file.with_context(|| format!("`{}`", layout.relative(&file)))?);
    }
    let mut table = format!("{} attacks.\n\n| attack | ends | test |\n|---|---|---|\n", attacks.len());
    for Attack { what, ends, test } in &attacks {
        writeln!(table, "| {} | {} | `{test}` |", what.replace('|', "\\|"), ends.replace('|', "\\|"))?;
    }
    Ok(table)
}

fn with_table(text: &str, table: &str) -> anyhow::Result<String> {
    let parts = text.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) = parts.with_context(|| format!("it has no lines `{BEGIN}` and `{END}`"))?;
    Ok(format!("{before}{BEGIN}\n\n{table}\n{END}{after}"))
}

/// Every Rust file of a folder and those below, sorted.
fn rust_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(rust_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The module that a file is, as the test harness names it.
fn module_of(tests: &Path, file: &Path) -> String {
    let path = file.strip_prefix(tests).unwrap_or(file).with_extension("");
    let names: Vec<_> = path.iter().map(|name| name.to_string_lossy()).collect();
    names.join("::")
}

fn attacks_of(module: &str, text: &str) -> anyhow::Result<Vec<Attack>> {
    let mut attacks = Vec::new();
    let (mut what, mut ends, mut inner) = (None, None, None);
    for line in text.lines() {
        // Modules inside of a file are one level deep and begin at the first column.
        if let Some(name) = line.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(" {")) {
            inner = Some(name.to_owned());
        } else if line == "}" {
            inner = None;
        }
        let line = line.trim_start();
        if let Some(text) = line.strip_prefix("/// Attack: ") {
            what = Some(text.to_owned());
        } else if let Some(text) = line.strip_prefix("/// Ends: ") {
            ends = Some(text.to_owned());
        } else if let Some(name) = line.strip_prefix("fn ").and_then(|rest| rest.split_once('(')).map(|(name, _)| name)
        {
            match (what.take(), ends.take()) {
                (None, None) => {}
                (Some(what), Some(ends)) => {
                    check_endings(&ends, text).with_context(|| format!("the test `{name}`"))?;
                    let path: Vec<&str> = [Some(module), inner.as_deref(), Some(name)].into_iter().flatten().collect();
                    attacks.push(Attack { what, ends, test: path.join("::") });
                }
                _ => bail!("the test `{name}` needs both, `Attack: …` and `Ends: …`"),
            }
        }
    }
    Ok(attacks)
}

/// Endings in code are those of the type `Ending`, and the test's file names them. What asserts success is `answer` as well.
fn check_endings(ends: &str, text: &str) -> anyhow::Result<()> {
    for word in ends.split('`').skip(1).step_by(2).filter(|word| !word.contains('.')) {
        let variant: String = word.split('_').map(capitalised).collect();
        let asserted = text.contains(&format!("Ending::{variant}")) || (word == "success" && text.contains("answer("));
        ensure!(asserted, "it promises `{word}` and no test asserts `Ending::{variant}`");
    }
    Ok(())
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::{Attack, attacks_of, with_table};

    const TEST: &str = "mod inner {\n    /// Attack: a loop\n    /// Ends: `out_of_fuel` soon\n    #[test]\n    fn it_ends() {\n        \
                        assert_eq!(ended, Ending::OutOfFuel);\n    }\n}\n";

    #[test]
    fn a_test_tells_of_its_attack() {
        let expected =
            Attack { what: "a loop".into(), ends: "`out_of_fuel` soon".into(), test: "limits::inner::it_ends".into() };
        assert_eq!(attacks_of("limits", TEST).unwrap(), [expected]);
    }

    #[test]
    fn an_ending_that_nothing_asserts_is_not_promised() {
        assert!(attacks_of("limits", &TEST.replace("`out_of_fuel`", "`trap`")).is_err());
        assert!(attacks_of("limits", &TEST.replace("/// Ends: `out_of_fuel` soon", "")).is_err());
    }

    #[test]
    fn the_table_stands_between_its_marks() {
        let text = format!("before\n{}\nold\n{}\nafter\n", super::BEGIN, super::END);
        let expected = format!("before\n{}\n\nnew\n\n{}\nafter\n", super::BEGIN, super::END);
        assert_eq!(with_table(&text, "new\n").unwrap(), expected);
        assert!(with_table("nothing", "new").is_err());
    }
}
