//! Go: an unmodified program and a function, as components; what goes wrong, in Go's own words; the same bytes twice.

use std::path::{Path, PathBuf};

use cortex_build::{BuilderKind, plan, template};
use cortex_runtime::{Contract, Ending};
use fs_err as fs;
use serde_json::json;

use crate::host::said;
use crate::source::{Source, home, host};

/// A program as anybody would write it for a shell.
const PROGRAM: &str = r#"package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
)

func main() {
	var input struct{ Do string }
	if err := json.Unmarshal([]byte(os.Args[1]), &input); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(7)
	}
	stdin, _ := io.ReadAll(os.Stdin)
	switch input.Do {
	case "exit":
		fmt.Fprintln(os.Stderr, "on purpose")
		os.Exit(42)
	case "panic":
		var none map[string]int
		none["x"] = 1
	}
	json.NewEncoder(os.Stdout).Encode(map[string]any{"same": string(stdin) == os.Args[1], "arguments": len(os.Args)})
}
"#;

#[test]
fn an_unmodified_program_is_a_command_and_ends_as_it_does_on_the_host() {
    let source = Source::new("program", "runtime: go, entrypoint: ./main.go", &[("main.go", PROGRAM)]);
    let ran = source.call(json!({}));
    assert_eq!(ran.ending, Ending::Success, "{:?}", ran.error);
    assert_eq!(ran.contract, Some(Contract::Command));

    for (what, code, message) in [("exit", 42, "on purpose"), ("panic", 2, "assignment to entry in nil map")] {
        let ran = source.call(json!({"do": what}));
        assert_eq!(ran.error.as_ref().unwrap().exit_code, Some(code), "{}", said(&ran));
        assert!(ran.stderr.text.contains(message), "{}", ran.stderr.text);
    }

    // The same file, compiled by the same Go for this machine.
    let program = source.path().join("program");
    let go = |arguments: &[&str]| host(&go(), arguments, source.path());
    assert_eq!(go(&["build", "-o", "program", "main.go"]).0, 0);
    let (code, stdout, _) = host(&program, &["{\"do\":\"nothing\"}"], source.path());
    assert_eq!((code, stdout.trim()), (0, r#"{"arguments":2,"same":false}"#), "nothing was on standard input");
    assert_eq!(ran.result.as_ref().unwrap().get().trim(), r#"{"arguments":2,"same":true}"#);
    let (code, _, stderr) = host(&program, &["{\"do\":\"exit\"}"], source.path());
    assert_eq!((code, stderr.as_str()), (42, "on purpose\n"));
    let (code, _, stderr) = host(&program, &["{\"do\":\"panic\"}"], source.path());
    assert!(code == 2 && stderr.contains("assignment to entry in nil map"), "{code} {stderr}");
}

/// The Go that built the tools: the machine's, or the one below the home.
pub(crate) fn go() -> PathBuf {
    let folders = fs::read_dir(home().join("toolchains")).into_iter().flatten();
    let provisioned = folders.map(|folder| folder.unwrap().path().join("go/bin/go")).find(|go| go.exists());
    provisioned.unwrap_or_else(|| "go".into())
}

const FUNCTION: &str = r#"package main

import (
	"encoding/json"
	"errors"
	"strings"
)

func Run(args json.RawMessage) (any, error) {
	var input struct{ Do string }
	if err := json.Unmarshal(args, &input); err != nil {
		return nil, err
	}
	switch input.Do {
	case "fail":
		return nil, errors.New("the disk is \"full\"")
	case "panic":
		panic("out of luck")
	}
	// Enough garbage for several collections.
	for range 100 {
		_ = strings.Repeat(input.Do, 1<<20/len(input.Do))
	}
	return map[string]any{"length": len(input.Do), "tag": "<b>"}, nil
}
"#;

#[test]
fn a_function_is_a_tool_and_its_errors_and_panics_are_tool_errors() {
    let source = Source::new("function", "runtime: go", &[("run.go", FUNCTION)]);
    let ran = source.call(json!({}));
    assert_eq!((ran.ending, ran.contract), (Ending::Success, Some(Contract::Tool)), "{:?}", ran.error);
    assert_eq!(ran.result.as_ref().unwrap().get(), r#"{"length":7,"tag":"<b>"}"#);
    // Large arguments land in memory while the collector works: the runtime must not notice.
    let long = "é".repeat(400_000);
    let ran = source.call(json!({"do": long}));
    assert_eq!(ran.result.as_ref().unwrap().get(), r#"{"length":800000,"tag":"<b>"}"#);

    assert_eq!(said(&source.call(json!({"do": "fail"}))), "tool_error: the disk is \"full\" (no hint)");
    let ran = source.call(json!({"do": "panic"}));
    assert_eq!(said(&ran), "panic: out of luck (no hint)");
    assert!(ran.stderr.text.contains("main.Run(") && ran.stderr.text.contains("run.go:18"), "{}", ran.stderr.text);
}

/// What the host writes for the HTTP client lands in memory that a program manages only once it has started.
#[test]
fn a_program_with_a_network_starts_and_hears_what_is_refused() {
    let main = "package main\n\nimport (\n\t\"fmt\"\n\t\"net/http\"\n)\n\nfunc main() {\n\
                \t_, err := http.Get(\"http://other.example/\")\n\tfmt.Printf(\"%q\\n\", err.Error())\n}\n";
    let source = Source::new("asks", "runtime: go", &[("main.go", main)]);
    let manifest = fs::read_to_string(source.path().join("tool.yml")).unwrap();
    source.write("tool.yml", &(manifest + "permissions: { network: [\"https://some.example\"] }\n"));
    let ran = source.call(json!({}));
    assert_eq!(ran.ending, Ending::Success, "{:?}", ran.error);
    let said = ran.result.as_ref().unwrap().get();
    assert_eq!(said.trim(), r#""Get \"http://other.example/\": HTTP-request-denied""#);
}

#[test]
fn a_source_that_is_wrong_is_told_in_the_words_of_go_and_leaves_nothing() {
    let home = tempfile::tempdir().unwrap();
    borrow_toolchain(home.path());
    let wrong = "package main\n\nfunc main() {\n\tvar count int = \"two\"\n\tprintln(count)\n}\n";
    let source = Source::new("wrong", "runtime: go, entrypoint: ./cmd/wrong/main.go", &[("cmd/wrong/main.go", wrong)]);
    let error = source.build(home.path(), false).unwrap_err();
    let stderr = error.stderr().unwrap();
    assert!(stderr.contains("cmd/wrong/main.go:4:18: cannot use \"two\""), "{stderr}");
    assert!(error.to_string().ends_with("go` ended with exit status: 1"), "{error}");
    assert!(!home.path().join("components").exists());

    let library = Source::new("library", "runtime: go", &[("lib.go", "package lib\n\nfunc Run() {}\n")]);
    let error = library.build(home.path(), false).unwrap_err();
    assert!(error.to_string().ends_with("lib.go:1: `package lib` is a library, not a program"), "{error}");
}

/// Another home, which has nothing but the toolchain.
fn borrow_toolchain(new: &Path) {
    let warm = Source::new("warm", "runtime: go", &[("main.go", "package main\n\nfunc main() {}\n")]);
    warm.build(&home(), false).unwrap();
    let toolchains = home().join("toolchains");
    if toolchains.exists() {
        std::os::unix::fs::symlink(toolchains, new.join("toolchains")).unwrap();
    }
}

#[test]
fn the_same_source_gives_the_same_bytes_in_another_folder_and_home_and_at_another_time() {
    let another = tempfile::tempdir().unwrap();
    borrow_toolchain(another.path());
    let logs = "package main\n\nimport \"cortex\"\n\nfunc main() { cortex.Log(cortex.Info, \"here\") }\n";
    for (name, file, text) in
        [("program", "main.go", PROGRAM), ("function", "run.go", FUNCTION), ("logs", "main.go", logs)]
    {
        let files = [("go.mod", "module example.com/some\n\ngo 1.24\n"), (file, text)];
        let first = Source::new(name, "runtime: go", &files).build(&home(), false).unwrap();
        let second = Source::new(name, "runtime: go", &files).build(another.path(), false).unwrap();
        assert_eq!(first.component.digest, second.component.digest, "{name}");
        let wasm = first.component.read().unwrap();
        for folder in [home(), another.path().to_owned()] {
            let folder = folder.to_str().unwrap().to_owned().into_bytes();
            assert!(!wasm.windows(folder.len()).any(|bytes| bytes == folder), "{name} names a folder of this machine");
        }
    }
}

#[test]
fn modules_are_vendored_or_the_error_says_how() {
    let files = [
        ("go.mod", "module example.com/some\n\ngo 1.24\n\nrequire example.com/words v1.0.0\n"),
        ("main.go", "package main\n\nimport \"example.com/words\"\n\nfunc main() { println(words.Of()) }\n"),
    ];
    let source = Source::new("vendored", "runtime: go", &files);
    let folder = tempfile::tempdir().unwrap();
    borrow_toolchain(folder.path());
    let error = source.build(folder.path(), true).unwrap_err();
    assert!(error.stderr().unwrap().contains("module lookup disabled by GOPROXY=off"), "{:?}", error.stderr());
    assert!(error.hint().unwrap().contains("go mod vendor"), "{:?}", error.hint());

    source.write("vendor/modules.txt", "# example.com/words v1.0.0\n## explicit; go 1.24\nexample.com/words\n");
    source.write("vendor/example.com/words/words.go", "package words\n\nfunc Of() string { return \"vendored\" }\n");
    source.build(folder.path(), true).unwrap();
}

#[test]
fn a_plan_says_which_contract_was_read_and_why_a_container_is_needed() {
    let reasons = |source: &Source| {
        let plan = plan(&source.spec(), Some(source.path()));
        plan.reasons.into_iter().map(|reason| reason.because).collect::<Vec<_>>()
    };
    let function = Source::new("function", "runtime: go", &[("run.go", FUNCTION)]);
    assert_eq!(
        reasons(&function).last().unwrap(),
        "run.go:9: `func Run` compiles to the tool contract: a function that the host calls"
    );
    let text = "package main\n\nimport \"os/exec\"\n\nfunc main() { exec.Command(\"ls\").Run() }\n";
    let starts = Source::new("starts", "runtime: go", &[("main.go", text)]);
    assert_eq!(reasons(&starts), ["main.go:3: `import \"os/exec\"`: a component cannot start other programs"]);
}

#[test]
fn the_template_is_a_tool_that_answers_its_own_example() {
    let files = template(BuilderKind::Go).iter().map(|(file, text)| (*file, text.replace("{{name}}", "greets")));
    let files: Vec<_> = files.collect();
    let source = Source(tempfile::tempdir().unwrap());
    for (file, text) in &files {
        source.write(file, text);
    }
    assert_eq!(source.call(json!({"name": "Ada"})).result.as_ref().unwrap().get(), r#"{"greeting":"Hello, Ada!"}"#);
    assert_eq!(said(&source.call(json!({"name": ""}))), "tool_error: the name is empty (no hint)");

    // What TinyGo gets around `Run` is Go as well.
    let main = include_str!("../../../../builders/cortex-build/languages/go/tinygo.go");
    source.write("main_of_tinygo.go", main);
    assert_eq!(source.call(json!({"name": "Ada"})).contract, Some(Contract::Command));
    assert_eq!(said(&source.call(json!({"name": ""}))), "tool_error: the name is empty (no hint)");
}
