//! The rules that no compiler knows.

use std::path::{Component, Path};

use anyhow::{bail, ensure};
use fs_err as fs;

use crate::command::{Program, say};
use crate::layout::Layout;

/// Lines of a Rust file without its tests: from here on it is listed, and from there on it fails.
const LINES_LISTED: usize = 500;
const LINES_MAX: usize = 1_000;

/// Names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] = &["common", "helpers", "misc", "utils"];

/// Put together, so that this file passes.
const NOT_IN_RUST: &[&str] = &[concat!("todo", "!"), concat!("unimplemented", "!"), concat!("#[", "ignore")];
const NOT_ANYWHERE: &[&str] = &[concat!("/", "work/"), concat!("/", "root/")];

/// Checks every file that git knows or would add.
pub(crate) fn run(layout: &Layout) -> anyhow::Result<()> {
    let listed = Program::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .dir(layout.root())
        .output()?;
    ensure!(!listed.is_empty(), "git lists no files");
    let mut problems = Vec::new();
    for file in listed.split('\0').filter(|file| !file.is_empty()) {
        let path = layout.root().join(file);
        // Deleted and not yet committed.
        if path.exists() {
            check_file(layout, Path::new(file), &fs::read(path)?, &mut problems);
        }
    }
    check_standard(layout, &mut problems)?;
    for problem in &problems {
        say(problem);
    }
    match problems.len() {
        0 => Ok(()),
        count => bail!("{count} problems; the first: {}", problems[0]),
    }
}

fn check_file(layout: &Layout, file: &Path, content: &[u8], problems: &mut Vec<String>) {
    let shown = file.display();
    let names = file.components().filter_map(|part| match part {
        Component::Normal(name) => Path::new(name).file_stem()?.to_str(),
        _ => None,
    });
    for name in names.filter(|name| EMPTY_NAMES.contains(name)) {
        problems.push(format!("{shown}: the name `{name}` says nothing about what is inside"));
    }
    for path in NOT_ANYWHERE {
        if content.windows(path.len()).any(|window| window == path.as_bytes()) {
            problems.push(format!("{shown}: `{path}` is a path of one machine"));
        }
    }
    let Ok(text) = std::str::from_utf8(content) else { return };
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("rs") => check_rust(file, text, problems),
        Some("md") => check_links(layout, file, text, problems),
        _ => {}
    }
}

fn check_rust(file: &Path, text: &str, problems: &mut Vec<String>) {
    let shown = file.display();
    for (number, line) in text.lines().enumerate() {
        for word in NOT_IN_RUST.iter().filter(|word| line.contains(**word)) {
            problems.push(format!("{shown}:{}: `{word}`", number + 1));
        }
    }
    let lines = lines_without_tests(file, text);
    if lines > LINES_MAX {
        problems.push(format!("{shown}: {lines} lines, more than {LINES_MAX}"));
    } else if lines > LINES_LISTED {
        say(&format!("    {shown} has {lines} lines"));
    }
}

fn lines_without_tests(file: &Path, text: &str) -> usize {
    let is_test = file.iter().any(|part| part == "tests" || part == "tests.rs");
    if is_test {
        0
    } else {
        text.lines().take_while(|line| *line != "#[cfg(test)]" && !line.starts_with("#[cfg(all(test")).count()
    }
}

/// Links to files of the repository must lead somewhere.
fn check_links(layout: &Layout, file: &Path, text: &str, problems: &mut Vec<String>) {
    let folder = layout.root().join(file.parent().unwrap_or(Path::new("")));
    for (number, target) in links(text) {
        let path = target.split('#').next().unwrap_or_default();
        let outside = path.is_empty() || path.contains("://") || path.starts_with("mailto:");
        let found = match path.strip_prefix('/') {
            Some(path) => layout.root().join(path).exists(),
            None => folder.join(path).exists(),
        };
        if !outside && !found {
            problems.push(format!("{}:{number}: the link `{target}` leads nowhere", file.display()));
        }
    }
}

/// The targets of inline links and link definitions, with their lines, outside of code.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut links = Vec::new();
    let mut in_code = false;
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        // Every second part is code.
        for part in line.split('`').step_by(2) {
            let inline = part.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
            links.extend(inline.map(|target| (number + 1, target.trim_matches(['<', '>']))));
        }
        let definition = line.strip_prefix('[').and_then(|rest| rest.split_once("]: "));
        links.extend(definition.map(|(_, target)| (number + 1, target.trim())));
    }
    links
}

/// Every tool that is shipped is part of the program, and nothing else is.
fn check_standard(layout: &Layout, problems: &mut Vec<String>) -> anyhow::Result<()> {
    let path = layout.root().join("runtime/cortex-runtime/src/standard.rs");
    let text = fs::read_to_string(&path)?;
    let list = text.split_once("= standard![").and_then(|(_, rest)| rest.split_once(']'));
    let listed: Vec<&str> = list.map_or("", |(list, _)| list).split('"').skip(1).step_by(2).collect();
    let tools = layout.shipped_tools()?;
    let shipped: Vec<&str> = tools.iter().map(|tool| tool.spec.name.as_str()).collect();
    if listed != shipped {
        problems.push(format!("{}: lists {listed:?}, `manifests/tools` holds {shipped:?}", layout.relative(&path)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{lines_without_tests, links};

    #[test]
    fn links_are_found_outside_of_code() {
        let text = "[a](a.md#x) and `[b](b.md)` and [c](<c.md> \"title\")\n```\n[d](d.md)\n```\n[e]: e.md\n";
        assert_eq!(links(text), [(1, "a.md#x"), (1, "c.md"), (5, "e.md")]);
    }

    #[test]
    fn tests_do_not_count_as_lines() {
        let text = "fn main() {}\n#[cfg(test)]\nmod tests {}\n";
        assert_eq!(lines_without_tests(Path::new("src/main.rs"), text), 1);
        assert_eq!(lines_without_tests(Path::new("src/tests.rs"), text), 0);
    }
}
