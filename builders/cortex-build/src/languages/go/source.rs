//! Reads Go source as far as it decides how a tool is built: which functions it has, and what no component can do.

use std::io;
use std::path::{Path, PathBuf};

use fs_err as fs;
use walkdir::WalkDir;

use super::{ADDED, Contract};
use crate::plan::Reason;

/// What programs do that WASI has no answer to, and how the reason reads. Of packages, whoever imports them needs them.
const IMPORTS: &[(&str, &str)] = &[
    ("C", "cgo needs a C compiler and the C library of a system"),
    ("os/exec", "a component cannot start other programs"),
    ("plugin", "a component cannot load machine code"),
];

/// Calls of the package `net` that open sockets of their own. `net/http` as a client is another matter.
const CALLS: &[&str] = &[
    "net.Listen(",
    "net.ListenTCP(",
    "net.ListenUDP(",
    "net.ListenPacket(",
    "net.Dial(",
    "net.DialTimeout(",
    "net.DialTCP(",
    "net.DialUDP(",
    "http.ListenAndServe(",
    "http.ListenAndServeTLS(",
];

/// The Go files of a folder that are compiled for WASI.
pub(super) struct Sources(Vec<File>);

struct File {
    /// Relative to the tool's folder.
    path: PathBuf,
    /// Without comments.
    code: String,
    /// Without the content of strings as well. Both keep every line where it was.
    bare: String,
}

impl Sources {
    /// Reads everything below `root` but tests, other systems' files and what is vendored, which was not written for this
    /// tool and imports more than it uses.
    pub(super) fn read(root: &Path) -> io::Result<Self> {
        let mut files = Vec::new();
        let walk = WalkDir::new(root).sort_by_file_name().into_iter().filter_entry(|entry| {
            let name = entry.file_name().to_string_lossy();
            let folder = entry.file_type().is_dir() && matches!(name.as_ref(), "vendor" | "testdata" | "node_modules");
            entry.depth() == 0 || !(folder || name.starts_with(['.', '_']))
        });
        for entry in walk {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy();
            if !entry.file_type().is_file() || name.starts_with(ADDED) || !compiled_for_wasi(&name) {
                continue;
            }
            let Ok(path) = entry.path().strip_prefix(root) else { continue };
            let text = fs::read_to_string(entry.path())?;
            if text.lines().any(|line| line.trim() == "//go:build ignore") {
                continue;
            }
            files.push(File { path: path.to_owned(), code: blank(&text, false), bare: blank(&text, true) });
        }
        Ok(Self(files))
    }

    /// How the package in a folder is called, and where it says so. A program stays a program that has a `Run` as well.
    pub(super) fn contract(&self, package: &Path) -> Option<(Contract, String)> {
        let find = |name: &str| self.of(package).find_map(|file| file.line_of(|line| function(line, name)));
        let main = find("main").map(|place| (Contract::Command, place));
        main.or_else(|| find("Run").map(|place| (Contract::Tool, place)))
    }

    /// Whether any file imports a package.
    pub(super) fn imports(&self, package: &str) -> bool {
        self.0.iter().any(|file| file.imports(package).is_some())
    }

    /// A file in a folder that is not of `package main`, and the package it is of.
    pub(super) fn other_package(&self, package: &Path) -> Option<(String, String)> {
        self.of(package).find_map(|file| {
            let name =
                |line: &str| line.strip_prefix("package ").map(|name| name.trim().trim_end_matches(';').to_owned());
            let found = file.bare.lines().find_map(name).filter(|name| name != "main")?;
            Some((file.line_of(|line| line.starts_with("package "))?, found))
        })
    }

    /// Why the source cannot become a component.
    pub(super) fn needs_docker(&self) -> Vec<Reason> {
        let change = Some("leave it out, and the tool becomes a component".to_owned());
        let mut reasons = Vec::new();
        for file in &self.0 {
            for (package, because) in IMPORTS {
                if let Some(place) = file.imports(package) {
                    let because = format!("{place}: `import \"{package}\"`: {because}");
                    reasons.push(Reason { because, change: change.clone() });
                }
            }
            for call in CALLS {
                if let Some(place) = file.line_of(|line| calls(line, call)) {
                    let call = call.trim_end_matches('(');
                    let because = format!("{place}: `{call}`: a component has no sockets of its own");
                    reasons.push(Reason { because, change: change.clone() });
                }
            }
        }
        reasons
    }

    fn of<'a>(&'a self, package: &'a Path) -> impl Iterator<Item = &'a File> {
        self.0.iter().filter(move |file| file.path.parent() == Some(package))
    }
}

impl File {
    /// `file:line` of the first line of bare code that a test accepts.
    fn line_of(&self, test: impl Fn(&str) -> bool) -> Option<String> {
        let line = self.bare.lines().position(test)? + 1;
        Some(format!("{}:{line}", self.path.display()))
    }

    /// `file:line` of the import of a package, alone or in a group.
    fn imports(&self, package: &str) -> Option<String> {
        let quoted = [format!("\"{package}\""), format!("`{package}`")];
        let mut grouped = false;
        for (number, line) in self.code.lines().enumerate() {
            let line = line.trim();
            let import = line.strip_prefix("import").map(str::trim_start);
            grouped = grouped || import.is_some_and(|rest| rest.starts_with('('));
            if (grouped || import.is_some()) && quoted.iter().any(|name| line.contains(name)) {
                return Some(format!("{}:{}", self.path.display(), number + 1));
            }
            grouped &= !line.contains(')');
        }
        None
    }
}

/// Whether a line declares a function of a package. `gofmt` begins declarations at the left, and so does everybody.
fn function(line: &str, name: &str) -> bool {
    let declared = line.strip_prefix("func").map(str::trim_start).and_then(|rest| rest.strip_prefix(name));
    declared.is_some_and(|rest| rest.trim_start().starts_with(['(', '[']))
}

/// Whether a line calls a function, which is more than the end of another's name.
fn calls(line: &str, call: &str) -> bool {
    let word = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    line.match_indices(call).any(|(at, _)| !line[..at].ends_with(word))
}

/// Whether Go compiles a file for WASI, by its name: `x_linux.go` and `x_arm64.go` are for others, `x_test.go` for tests.
fn compiled_for_wasi(name: &str) -> bool {
    const OTHERS: &[&str] = &[
        "aix",
        "android",
        "darwin",
        "dragonfly",
        "freebsd",
        "illumos",
        "ios",
        "js",
        "linux",
        "netbsd",
        "openbsd",
        "plan9",
        "solaris",
        "windows",
        "386",
        "amd64",
        "arm",
        "arm64",
        "loong64",
        "mips",
        "mips64",
        "ppc64",
        "ppc64le",
        "riscv64",
        "s390x",
        "test",
    ];
    let Some(stem) = name.strip_suffix(".go") else { return false };
    !stem.split('_').skip(1).any(|part| OTHERS.contains(&part))
}

/// Replaces comments, and with `strings` the content of strings as well, by nothing; lines stay where they are.
fn blank(text: &str, strings: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match (c, rest.peek()) {
            ('/', Some('/')) => while rest.next_if(|c| *c != '\n').is_some() {},
            ('/', Some('*')) => {
                let mut before = ' ';
                rest.next();
                for c in rest.by_ref() {
                    out.extend((c == '\n').then_some(c));
                    if (before, c) == ('*', '/') {
                        break;
                    }
                    before = c;
                }
            }
            ('"' | '`' | '\'', _) => {
                out.push(c);
                while let Some(inside) = rest.next() {
                    if inside == c || inside == '\n' || !strings {
                        out.push(inside);
                    }
                    if inside == c {
                        break;
                    }
                    if inside == '\\' && c != '`' {
                        let escaped = rest.next();
                        out.extend(escaped.filter(|_| !strings));
                    }
                }
            }
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Contract, Sources, fs};

    fn sources(files: &[(&str, &str)]) -> Sources {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::create_dir_all(folder.path().join(name).parent().unwrap()).unwrap();
            fs::write(folder.path().join(name), text).unwrap();
        }
        Sources::read(folder.path()).unwrap()
    }

    fn reasons(files: &[(&str, &str)]) -> Vec<String> {
        sources(files).needs_docker().into_iter().map(|reason| reason.because).collect()
    }

    #[test]
    fn a_program_wins_over_a_function_and_what_is_not_compiled_does_not_count() {
        let run = ("run.go", "package main\n\nfunc Run(args Input) (any, error) { return nil, nil }\n");
        let main = ("main.go", "package main\nfunc main() {}\n");
        let not = [
            ("a_test.go", "package main\nfunc main() {}\n"),
            ("b_windows.go", "package main\nfunc main() {}\n"),
            ("c.go", "//go:build ignore\n\npackage main\nfunc main() {}\n"),
            ("d.go", "package main\n/*\nfunc main() {}\n*/\nvar s = `\nfunc main() {}\n`\n"),
            ("cmd/e.go", "package main\nfunc main() {}\n"),
            ("vendor/f.go", "package main\nfunc main() {}\n"),
        ];
        let at_top = |files: &[_]| sources(files).contract(Path::new(""));
        assert_eq!(at_top(&not), None);
        assert_eq!(at_top(&[&not[..], &[run]].concat()), Some((Contract::Tool, "run.go:3".into())));
        assert_eq!(at_top(&[run, main]), Some((Contract::Command, "main.go:2".into())));
    }

    #[test]
    fn what_no_component_can_do_is_named_with_its_line() {
        let source = "package main\n\nimport (\n\t\"fmt\"\n\trun \"os/exec\"\n)\n\nimport \"C\"\n\nfunc main() {\n\
                      \tfmt.Println(\"net.Dial(\")\n\tl, _ := net.Listen(\"tcp\", \":1\")\n}\n";
        assert_eq!(
            reasons(&[("main.go", source)]),
            [
                "main.go:8: `import \"C\"`: cgo needs a C compiler and the C library of a system",
                "main.go:5: `import \"os/exec\"`: a component cannot start other programs",
                "main.go:12: `net.Listen`: a component has no sockets of its own",
            ]
        );
    }

    #[test]
    fn words_in_comments_and_strings_are_no_reasons() {
        let source = "package main\n\nimport \"fmt\" // not \"os/exec\"\n\nvar help = \"import \\\"plugin\\\"\"\n\
                      /* net.Dial( */\nvar quote = '\"'\nfunc main() { my_net.Dial(1); fmt.Println(`net.Dial(`) }\n";
        assert_eq!(reasons(&[("main.go", source)]), [""; 0]);
    }
}
