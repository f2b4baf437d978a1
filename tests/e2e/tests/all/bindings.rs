//! What tools in Python, JavaScript and Go say to their host and keep there: in both contracts the same, and imported only by
//! those that do it. Rust's are in `capabilities.rs`.

use std::path::Path;
use std::sync::{Arc, Mutex};

use cortex_build::Silent;
use cortex_runtime::{
    Allocation, CallOptions, Execution, LogLevel, LogLine, Observer, Runtime, Settings, ToolProgress,
};
use serde_json::json;

use crate::go::go;
use crate::host::{block_on, said};
use crate::source::{Source, answer, home, host};

#[derive(Default)]
struct Heard(Mutex<Vec<ToolProgress>>);

impl Observer for Heard {
    fn log(&self, _: &LogLine) {}

    fn progress(&self, progress: &ToolProgress) {
        self.0.lock().unwrap().push(progress.clone());
    }
}

/// A tool that was granted a state if it is `granted`.
fn tool(name: &str, runtime: &str, granted: bool, files: &[(&str, &str)]) -> Source {
    let source = Source::new(name, runtime, files);
    let manifest = format!(
        "kind: Tool\nversion: \"1.0\"\nname: {name}\nsummary: A tool.\nimplementation: {{ {runtime} }}\n\
         parameters: [{{ name: do, type: string, default: nothing }}]\n{}",
        if granted { "permissions: { state: true }\n" } else { "" }
    );
    source.write("tool.yml", &manifest);
    source
}

fn runtime() -> Runtime {
    Runtime::new(Settings { allocation: Allocation::OnDemand, ..Settings::new(home()) }).unwrap()
}

fn call(runtime: &Runtime, source: &Source) -> (Arc<Execution>, Vec<ToolProgress>) {
    let heard = Arc::new(Heard::default());
    let options = CallOptions { observer: Some(Arc::clone(&heard) as Arc<dyn Observer>), ..CallOptions::default() };
    let ran = block_on(runtime.call(source.path().to_str().unwrap(), &json!({}), options)).unwrap();
    let told = heard.0.lock().unwrap().clone();
    (ran, told)
}

/// The interfaces beyond WASI's own that a tool imports, without their versions.
fn imports(runtime: &Runtime, source: &Source) -> Vec<String> {
    let audit = runtime.audit(source.path().to_str().unwrap(), &Silent).unwrap();
    let names = audit.imports.into_iter().map(|import| import.interface);
    let names = names.filter(|name| ["cortex:", "wasi:logging", "wasi:keyvalue"].iter().any(|it| name.starts_with(it)));
    names.map(|name| name.split('@').next().unwrap_or_default().to_owned()).collect()
}

/// A tool that does everything once answers with this. It logs, says how far it is, and keeps `k` and the number `n`.
fn assert_does_everything(source: &Source) {
    let runtime = runtime();
    for count in 1..3 {
        let (ran, told) = call(&runtime, source);
        let wanted = json!({
            "before": if count == 1 { json!(null) } else { json!("wörld") },
            "swaps": [true, false],
            "count": count,
            "keys": ["k", "n"],
            "gone": null,
            "secret": false,
        });
        assert_eq!(answer(&ran), wanted, "{count}");
        let line =
            |level, context: &str, message: &str| LogLine { level, context: context.into(), message: message.into() };
        let lines = [line(LogLevel::Info, "", "begun"), line(LogLevel::Critical, "some", "žluť")];
        assert_eq!(ran.log, lines);
        let progress =
            |done, total, message: Option<&str>| ToolProgress { done, total, message: message.map(Into::into) };
        assert_eq!(told, [progress(1.0, Some(4.0), Some("a quarter")), progress(2.5, None, None)]);
    }
    let all = ["cortex:tool/host", "wasi:keyvalue/atomics", "wasi:keyvalue/store", "wasi:logging/logging"];
    let mut found = imports(&runtime, source);
    found.sort();
    assert_eq!(found, all);
}

/// A tool whose list of keys takes several pages answers with the length of it.
fn assert_lists_many(source: &Source) {
    let many =
        block_on(runtime().call(source.path().to_str().unwrap(), &json!({ "do": "many" }), CallOptions::default()));
    assert_eq!(answer(&many.unwrap()), json!(1003));
}

/// A tool that only logs imports nothing else, and one that does nothing of the kind nothing at all.
fn assert_imports_what_it_uses(logs: &Source, silent: &Source) {
    let runtime = runtime();
    assert_eq!(imports(&runtime, logs), ["wasi:logging/logging"]);
    assert_eq!(call(&runtime, logs).0.log.len(), 1);
    assert_eq!(imports(&runtime, silent), [""; 0]);
}

/// A tool that was granted no state fails with the reason, and what to write into its manifest.
fn assert_refused(source: &Source) {
    let (ran, _) = call(&runtime(), source);
    let said = said(&ran);
    assert!(said.contains("no state") && said.contains("permissions:\n  state: true"), "{said}");
}

const PYTHON: &str = r#"
import cortex


def run(args):
    if args["do"] == "many":
        for number in range(1001):
            cortex.state.set(f"many{number}", "")
        return len(cortex.state.list())
    cortex.log("info", "begun")
    cortex.log("critical", "žluť", context="some")
    cortex.progress(1, 4, "a quarter")
    cortex.progress(2.5)
    state = cortex.state
    before = state.get("k")
    swaps = [state.swap("k", before, "x"), state.swap("k", b"other", b"y")]
    state.set("k", "wörld")
    state.set("gone", b"\x00")
    state.delete("gone")
    state.set("short", "lived", ttl=0)
    state.set("long", "lived", ttl=3600.5)
    if state.get("long") != b"lived":
        raise ValueError("it is gone too early")
    state.delete("long")
    return {
        "before": before and before.decode(),
        "swaps": swaps,
        "count": state.increment("n"),
        "keys": state.list(),
        "gone": state.get("gone"),
        "secret": cortex.secret_exists("KEY"),
    }
"#;

#[test]
fn a_python_tool_speaks_to_its_host_and_keeps_values() {
    let runtime = "runtime: python3, entrypoint: ./main.py";
    let function = tool("pyhost", runtime, true, &[("main.py", PYTHON)]);
    assert_does_everything(&function);
    assert_lists_many(&function);
    let program = format!(
        "import json, sys\n{PYTHON}\nif __name__ == \"__main__\":\n    print(json.dumps(run(json.loads(sys.argv[1]))))\n"
    );
    let program = tool("pyhostprogram", runtime, true, &[("main.py", &program)]);
    assert_does_everything(&program);
    let logs = "from cortex import log\n\ndef run(args):\n    log('warn', 'state')\n";
    let logs = tool("pylogs", runtime, false, &[("main.py", logs)]);
    let silent = tool("pysilent", runtime, false, &[("main.py", "def run(args):\n    return 1\n")]);
    assert_imports_what_it_uses(&logs, &silent);
    let refused = "import cortex\n\ndef run(args):\n    return cortex.state.list()\n";
    assert_refused(&tool("pyrefused", runtime, false, &[("main.py", refused)]));
}

/// The module beside the source: on the host it is the one that is found, and in a component it is as good as the builder's.
#[test]
fn a_copy_of_the_python_module_works_without_a_host() {
    let main = "import cortex\nimport sys\n\ncortex.log('warn', 'here', context='c')\ncortex.progress(1, 2)\n\
                try:\n    cortex.state.get('k')\nexcept cortex.StateError as error:\n    print(error, file=sys.stderr)\n\
                print(cortex.secret_exists('KEY') is False and 1)\n";
    let module = include_str!("../../../../builders/cortex-build/languages/python/cortex.py");
    let source =
        tool("pycopy", "runtime: python3, entrypoint: ./main.py", true, &[("main.py", main), ("cortex.py", module)]);
    let (code, stdout, stderr) = host(Path::new("python3"), &["main.py"], source.path());
    assert_eq!((code, stdout.as_str()), (0, "1\n"), "{stderr}");
    let said = "[warn] c: here\n[progress] 1 of 2\nthere is no state here: only a component has a host that keeps it\n";
    assert_eq!(stderr, said);
    let (ran, told) = call(&runtime(), &source);
    assert_eq!((answer(&ran), ran.stderr.text.as_str(), told.len(), ran.log.len()), (json!(1), "", 1, 1));

    // Another module of that name is the tool's own business.
    let other = tool(
        "pyother",
        "runtime: python3",
        false,
        &[
            ("main.py", "import cortex\n\ndef run(args):\n    return cortex.log('x')\n"),
            ("cortex.py", "def log(text):\n    return text\n"),
        ],
    );
    assert_eq!(answer(&call(&runtime(), &other).0), json!("x"));
    assert_eq!(imports(&runtime(), &other), [""; 0]);
}

const TYPESCRIPT: &str = r#"
import { log, progress, secretExists, state } from "cortex:tool";

export default (args: { do: string }) => {
  if (args.do === "many") {
    for (let number = 0; number < 1001; number++) state.set(`many${number}`, "");
    return state.list().length;
  }
  log("info", "begun");
  log("critical", "žluť", "some");
  progress(1, 4, "a quarter");
  progress(2.5);
  const before = state.get("k");
  const swaps = [state.swap("k", before, "x"), state.swap("k", "other", new Uint8Array([1]))];
  state.set("k", "wörld");
  state.set("gone", new Uint8Array([0, 255]));
  if (String(state.getBytes("gone")) !== "0,255") throw new Error(`not the same bytes: ${state.getBytes("gone")}`);
  state.delete("gone");
  state.set("short", "lived", { ttl: 0 });
  state.set("long", "lived", { ttl: 3600.5 });
  if (state.get("long") !== "lived") throw new Error("it is gone too early");
  state.delete("long");
  const gone = state.getBytes("gone");
  return { before, swaps, count: state.increment("n"), keys: state.list(), gone, secret: secretExists("KEY") };
};
"#;

#[test]
fn a_javascript_tool_speaks_to_its_host_and_keeps_values() {
    let typescript = "runtime: typescript, entrypoint: ./main.ts";
    let function = tool("tshost", typescript, true, &[("main.ts", TYPESCRIPT)]);
    assert_does_everything(&function);
    assert_lists_many(&function);
    let spidermonkey = "runtime: typescript, entrypoint: ./main.ts, build: { engine: spidermonkey }";
    let function = tool("smhost", spidermonkey, true, &[("main.ts", TYPESCRIPT)]);
    assert_does_everything(&function);
    assert_lists_many(&function);

    let node = "runtime: node, entrypoint: ./main.js";
    let program = TYPESCRIPT
        .replace("import {", "const {")
        .replace("} from \"cortex:tool\"", "} = require(\"cortex:tool\")")
        .replace("export default (args: { do: string })", "const run = (args)");
    let program = format!("{program}\nconsole.log(JSON.stringify(run(JSON.parse(process.argv[2]))));\n");
    assert_does_everything(&tool("jshostprogram", node, true, &[("main.js", &program)]));
    let logs = "const { log } = require('cortex:tool');\nlog('warn', 'state');\n";
    let logs = tool("jslogs", node, false, &[("main.js", logs)]);
    let silent = tool("jssilent", node, false, &[("main.js", "console.log(1);\n")]);
    assert_imports_what_it_uses(&logs, &silent);
    let refused = "import * as cortex from 'cortex:tool';\n\nexport default () => cortex.state.list();\n";
    assert_refused(&tool("jsrefused", "runtime: javascript", false, &[("main.js", refused)]));
}

#[test]
fn a_program_of_node_can_do_without_the_module() {
    let main = "const { log } = await import('cortex:tool').catch(() => ({ log: console.error }));\n\
                log('warn', 'here');\nconsole.log(1);\n";
    let source = tool("jswithout", "runtime: node, entrypoint: ./main.mjs", true, &[("main.mjs", main)]);
    let (code, stdout, stderr) = host(Path::new("node"), &["main.mjs"], source.path());
    assert_eq!((code, stdout.as_str(), stderr.as_str()), (0, "1\n", "warn here\n"));
    let (ran, _) = call(&runtime(), &source);
    assert_eq!((answer(&ran), ran.stderr.text.as_str(), ran.log.len()), (json!(1), "", 1));
}

const GO: &str = r#"package main

import (
	"cortex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

func Run(args json.RawMessage) (any, error) {
	var input struct{ Do string }
	if err := json.Unmarshal(args, &input); err != nil {
		return nil, err
	}
	state := cortex.State
	if input.Do == "many" {
		for number := range 1001 {
			if err := state.Set(fmt.Sprint("many", number), nil); err != nil {
				return nil, err
			}
		}
		keys, err := state.List()
		return len(keys), err
	}
	cortex.Log(cortex.Info, "begun")
	cortex.LogIn("some", cortex.Critical, "žluť")
	cortex.Progress(1, 4, "a quarter")
	cortex.Progress(2.5, 0, "")
	before, err := state.Get("k")
	first, err1 := state.Swap("k", before, []byte("x"))
	second, err2 := state.Swap("k", []byte("other"), []byte("y"))
	err3 := state.Set("k", []byte("wörld"))
	err4 := state.Set("gone", []byte{})
	if empty, err := state.Get("gone"); empty == nil {
		return nil, fmt.Errorf("an empty value is none: %w", err)
	}
	err5 := errors.Join(state.SetFor("short", nil, 0), state.SetFor("long", []byte("lived"), time.Hour))
	if long, err := state.Get("long"); string(long) != "lived" {
		return nil, fmt.Errorf("it is gone too early: %w", err)
	}
	err5 = errors.Join(err5, state.Delete("long"), state.Delete("gone"))
	gone, err6 := state.Get("gone")
	count, err7 := state.Increment("n", 1)
	keys, err8 := state.List()
	result := map[string]any{
		"before": nil, "swaps": []bool{first, second}, "count": count, "keys": keys, "gone": gone,
		"secret": cortex.SecretExists("KEY"),
	}
	if before != nil {
		result["before"] = string(before)
	}
	return result, errors.Join(err, err1, err2, err3, err4, err5, err6, err7, err8)
}
"#;

/// A program around `Run`.
const GO_MAIN: &str = r#"package main

import (
	"encoding/json"
	"fmt"
	"os"
)

func main() {
	result, err := Run(json.RawMessage(os.Args[1]))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	json.NewEncoder(os.Stdout).Encode(result)
}
"#;

#[test]
fn a_go_tool_speaks_to_its_host_and_keeps_values() {
    let go = "runtime: go";
    let function = tool("gohost", go, true, &[("run.go", GO)]);
    assert_does_everything(&function);
    assert_lists_many(&function);
    assert_does_everything(&tool("gohostprogram", go, true, &[("run.go", GO), ("main.go", GO_MAIN)]));
    let logs = "package main\n\nimport \"cortex\"\n\nfunc main() { cortex.Log(cortex.Warn, \"state\") }\n";
    let logs = tool("gologs", go, false, &[("main.go", logs)]);
    let silent = tool("gosilent", go, false, &[("main.go", "package main\n\nfunc main() {}\n")]);
    assert_imports_what_it_uses(&logs, &silent);
    let refused = "package main\n\nimport \"cortex\"\n\n\
                   func Run(args struct{}) (any, error) { return cortex.State.Get(\"k\") }\n";
    assert_refused(&tool("gorefused", go, false, &[("main.go", refused)]));
}

#[test]
fn a_copy_of_the_go_package_works_without_a_host() {
    let main = "package main\n\nimport (\n\t\"cortex\"\n\t\"fmt\"\n)\n\nfunc main() {\n\tcortex.LogIn(\"c\", cortex.Warn, \"here\")\n\
                \tcortex.Progress(1, 2, \"half\")\n\t_, err := cortex.State.Get(\"k\")\n\tfmt.Printf(\"%q\\n\", fmt.Sprint(err))\n}\n";
    let module = "module tool.local/gocopy\n\ngo 1.24\n\nrequire cortex v0.0.0\nreplace cortex => ./cortex\n";
    let package = concat!(env!("CARGO_MANIFEST_DIR"), "/../../builders/cortex-build/languages/go/cortex");
    let source = tool("gocopy", "runtime: go", true, &[("main.go", main), ("go.mod", module)]);
    source.write("cortex/go.mod", "module cortex\n\ngo 1.24\n");
    for file in fs_err::read_dir(package).unwrap() {
        let file = file.unwrap();
        let name = format!("cortex/{}", file.file_name().to_string_lossy());
        source.write(&name, &fs_err::read_to_string(file.path()).unwrap());
    }
    // First: on a new machine it is what brings Go.
    let (ran, told) = call(&runtime(), &source);
    let (code, stdout, stderr) = host(&go(), &["run", "."], source.path());
    let none = "\"the tool was granted no state: only a component has a host that keeps it\"\n";
    assert_eq!((code, stdout.as_str(), stderr.as_str()), (0, none, "[warn] c: here\n[progress] 1 of 2: half\n"));
    assert_eq!((answer(&ran), ran.stderr.text.as_str(), told.len(), ran.log.len()), (json!("<nil>"), "", 1, 1));
}
