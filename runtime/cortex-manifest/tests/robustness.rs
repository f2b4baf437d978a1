//! Broken and hostile text: whatever is given, reading ends in a value or in an error that points into the text.

use std::path::Path;

use cortex_manifest::{ComplexityLimit, Rule, ToolSpec};
use fs_err as fs;

const HEAD: &str =
    "kind: Tool\nversion: \"1.0\"\nname: tool\nsummary: Does something.\nimplementation: { entrypoint: tool.py }\n";

fn samples() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui/good");
    let mut paths: Vec<_> = fs::read_dir(folder)
        .expect("the folder is part of the repository")
        .map(|entry| entry.expect("the folder can be listed").path())
        .collect();
    paths.sort();
    let manifests = paths.iter().filter(|path| path.extension().is_some_and(|end| end == "yml"));
    manifests.map(|path| fs::read_to_string(path).expect("a sample can be read")).collect()
}

/// Reads the text and, where it is refused, checks that every message points into it.
fn read(yaml: &str) {
    if let Err(error) = ToolSpec::parse(Path::new("tool.yml"), yaml) {
        let lines = u32::try_from(yaml.lines().count()).expect("samples are short");
        for problem in error.problems() {
            assert!(problem.line() >= 1 && problem.line() <= lines + 1, "{}", error.report());
            assert!(problem.column() >= 1);
        }
        assert!(!error.report().to_string().is_empty());
    }
}

fn refused(yaml: &str) -> Rule {
    ToolSpec::parse(Path::new("tool.yml"), yaml).expect_err("the text is refused").rule().clone()
}

/// A fixed sequence, so that a failure can be repeated.
struct Sequence(u64);

impl Sequence {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits fit") % limit
    }
}

#[test]
fn a_file_cut_off_anywhere_is_read_or_refused() {
    for sample in samples() {
        for (end, _) in sample.char_indices().step_by(3) {
            read(&sample[..end]);
        }
    }
}

#[test]
fn a_file_with_any_character_changed_is_read_or_refused() {
    const CHARACTERS: &[char] = &[
        '\0', '\t', '\n', '\r', ' ', '!', '"', '#', '%', '&', '\'', '*', ',', '-', '.', '0', '9', ':', '<', '>', '?',
        '@', '[', '\\', ']', 'a', '{', '|', '}', '~', '\u{85}', '\u{2028}', '\u{feff}', 'ä', '𝄞',
    ];
    let mut sequence = Sequence(1);
    for sample in samples() {
        let characters: Vec<char> = sample.chars().collect();
        for _ in 0..300 {
            let mut changed = characters.clone();
            for _ in 0..=sequence.below(3) {
                let place = sequence.below(changed.len());
                changed[place] = CHARACTERS[sequence.below(CHARACTERS.len())];
            }
            read(&changed.into_iter().collect::<String>());
        }
    }
}

#[test]
fn nesting_is_bounded_in_every_style() {
    let flow = format!("{HEAD}metadata: {{ a: {}{} }}\n", "[".repeat(10_000), "]".repeat(10_000));
    let block: String = (1..1_000).flat_map(|depth| [" ".repeat(depth), "a:\n".to_owned()]).collect();
    let dashes = format!("{HEAD}metadata:\n  a:\n   {}x\n", "- ".repeat(10_000));
    let maps = format!("{HEAD}metadata: {}\n", "{ a: ".repeat(10_000));
    assert_eq!(refused(&flow), Rule::TooComplex { limit: ComplexityLimit::Nesting });
    assert_eq!(refused(&format!("{HEAD}metadata:\n{block}")), Rule::TooComplex { limit: ComplexityLimit::Nesting });
    assert_eq!(refused(&dashes), Rule::TooComplex { limit: ComplexityLimit::Nesting });
    assert_eq!(refused(&maps), Rule::TooComplex { limit: ComplexityLimit::Nesting });
}

#[test]
fn aliases_cannot_multiply() {
    let big = "1, ".repeat(2_000);
    let quadratic = format!("{HEAD}metadata:\n  a: &a [{big}]\n  b: [{}]\n", "*a, ".repeat(900));
    assert_eq!(refused(&quadratic), Rule::TooComplex { limit: ComplexityLimit::Aliases });
    let text = format!("{HEAD}metadata:\n  a: &a \"{}\"\n  b: [{}]\n", "x".repeat(500_000), "*a, ".repeat(900));
    assert_eq!(refused(&text), Rule::TooComplex { limit: ComplexityLimit::Size });
    let cyclic = format!("{HEAD}metadata: &a\n  b: *a\n");
    assert_eq!(refused(&cyclic), Rule::TooComplex { limit: ComplexityLimit::Aliases });
}

#[test]
fn the_number_of_parts_is_bounded() {
    let wide = format!("{HEAD}tags: [{}]\n", "a, ".repeat(100_000));
    assert_eq!(refused(&wide), Rule::TooComplex { limit: ComplexityLimit::Size });
}

#[test]
fn a_message_never_repeats_a_long_value() {
    let long = "x".repeat(100_000);
    for yaml in [
        HEAD.replace("name: tool", &format!("name: {long}")),
        HEAD.replace("kind: Tool", &format!("kind: {long}")),
        format!("{HEAD}{long}: 1\n"),
        format!("{HEAD}state: {long}\n"),
        format!("{HEAD}parameters:\n  - {{ name: a, type: integer, default: {long} }}\n"),
        format!("{HEAD}permissions: {{ network: [\"{long}\"] }}\n"),
    ] {
        let report = ToolSpec::parse(Path::new("tool.yml"), &yaml).unwrap_err().report().to_string();
        assert!(report.len() < 1_000, "{report}");
    }
}

#[test]
fn a_message_never_carries_control_characters_to_a_terminal() {
    let yaml = HEAD.replace("name: tool", "name: \"a\\e[31m\\u202e\"");
    let error = ToolSpec::parse(Path::new("tool.yml"), &yaml).unwrap_err();
    assert!(!error.report().to_string().contains(['\u{1b}', '\u{202e}']), "{}", error.report());
}
