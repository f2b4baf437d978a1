//! The program and its packages in one module, by esbuild: first the program by itself, then with the glue around it.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use fs_err as fs;

use super::host;
use crate::error::BuildError;
use crate::process::Step;

/// Modules of Node that a sandbox can have, and where they come from: files beside the glue, or `unenv`.
const MODULES: &[(&str, &str)] = &[
    ("fs", "./fs.js"),
    ("fs/promises", "./fs_promises.js"),
    ("process", "./process.js"),
    ("readline", "./readline.js"),
    ("timers", "./timers.js"),
    ("timers/promises", "./timers_promises.js"),
    ("assert", "unenv/runtime/node/assert/index"),
    ("buffer", "unenv/runtime/node/buffer/index"),
    ("events", "unenv/runtime/node/events/index"),
    ("os", "unenv/runtime/node/os/index"),
    ("path", "unenv/runtime/node/path/index"),
    ("querystring", "unenv/runtime/node/querystring/index"),
    ("string_decoder", "unenv/runtime/node/string_decoder/index"),
    ("url", "unenv/runtime/node/url/index"),
    ("util", "unenv/runtime/node/util/index"),
];

/// esbuild of a toolchain.
pub(super) struct Esbuild(PathBuf);

impl Esbuild {
    /// The program itself: the script around it adds a stack trace to every message.
    pub(super) fn of(toolchain: &Path) -> io::Result<Self> {
        let platforms = fs::read_dir(toolchain.join("node_modules/@esbuild"))?;
        let mut programs = platforms.flatten().map(|platform| platform.path().join("bin/esbuild"));
        let missing = || io::Error::other("npm installed no esbuild for this machine");
        Ok(Self(programs.find(|program| program.is_file()).ok_or_else(missing)?))
    }

    fn step(&self) -> Step {
        Step::new(&self.0).args([
            "--bundle",
            "--platform=neutral",
            "--main-fields=module,main",
            "--target=es2023",
            "--log-level=warning",
            "--color=false",
        ])
    }

    /// The program and its packages as the body of a function, without the modules of Node.
    pub(super) fn program(&self, folder: &Path, entry: &Path, work: &Path) -> Result<Program, BuildError> {
        let output = work.join("program.js");
        let bundle = |format: &str| {
            let external =
                MODULES.iter().flat_map(|(name, _)| [format!("--external:{name}"), format!("--external:node:{name}")]);
            let external = external.chain([format!("--external:{}", host::MODULE)]);
            let location = format!("--define:import.meta.url=\"file:///{}\"", entry.display());
            let step = self.step().args([format.to_owned(), location]).args(external);
            step.args([argument("--outfile=", &output).as_os_str(), entry.as_os_str()]).dir(folder).run()
        };
        match bundle("--format=cjs") {
            // A function cannot wait; an asynchronous one can, for which esbuild has no format.
            Err(BuildError::Tool { stderr, .. }) if stderr.contains("Top-level await") => {
                bundle("--format=esm")?;
                Ok(Program { text: exports_as_commonjs(&fs::read_to_string(&output)?), waits: true })
            }
            bundled => {
                bundled?;
                Ok(Program { text: fs::read_to_string(&output)?, waits: false })
            }
        }
    }

    /// The program with the glue around it, as the one module that an engine gets. `lower`: with generators in place of
    /// `async` functions, which an engine without an event loop cannot run.
    pub(super) fn whole(&self, glue: &str, lower: bool, work: &Path, toolchain: &Path) -> Result<(), BuildError> {
        let lowered = ["async-await", "async-generator", "for-await"].map(|what| format!("--supported:{what}=false"));
        self.step()
            .args(["--format=esm", "--external:wasi:*", "--external:host:*", "--external:cortex:*"])
            .args(lowered.iter().filter(|_| lower))
            .args([argument("--outfile=", Path::new("bundle.js")).as_os_str(), glue.as_ref()])
            .env("NODE_PATH", toolchain.join("node_modules"))
            .dir(work)
            .run()
            .map(drop)
    }
}

/// A bundled program.
pub(super) struct Program {
    pub(super) text: String,
    /// It waits at its top level.
    waits: bool,
}

impl Program {
    /// The program as a function of a module, with the modules of Node that it names, and with `added` before it.
    pub(super) fn module(&self, added: &[&str]) -> String {
        let named = MODULES.iter().filter(|(name, _)| {
            let requires = |name: &str| self.text.contains(&format!("require(\"{name}\")"));
            requires(name) || requires(&format!("node:{name}"))
        });
        let (imports, table): (Vec<_>, Vec<_>) = named
            .map(|(name, from)| {
                let variable = format!("node_{}", name.replace('/', "_"));
                (format!("import * as {variable} from {from:?};\n"), format!("{name:?}: {variable}"))
            })
            .unzip();
        let (host_imports, host_module) = host::provided(&self.text).unzip();
        let (imports, table) =
            (imports.into_iter().chain(host_imports), table.into_iter().chain(host_module).collect::<Vec<_>>());
        let added = added.iter().map(|file| format!("import \"./{file}\";\n")).collect::<Vec<_>>().concat();
        let (imports, table) = (imports.collect::<String>(), table.join(", "));
        let (waits, text) = (if self.waits { "async " } else { "" }, &self.text);
        format!(
            "import {{ provide }} from \"./modules.js\";\n{added}{imports}const require = provide({{ {table} }});\n\
             export default {waits}function (module, exports) {{\n{text}\n}}\n"
        )
    }
}

/// An ECMAScript module as esbuild writes it with `require` and `module.exports` in place of `import` and `export`.
fn exports_as_commonjs(module: &str) -> String {
    let mut text = String::new();
    let mut exported = false;
    for line in module.lines() {
        let statement = line.strip_prefix("import ").and_then(|rest| rest.strip_suffix("\";")?.rsplit_once('"'));
        let known = statement.filter(|(_, module)| {
            let module = module.strip_prefix("node:").unwrap_or(module);
            module == host::MODULE || MODULES.iter().any(|(name, _)| *name == module)
        });
        if let Some((bindings, module)) = known {
            text += &required(bindings.trim().trim_end_matches("from").trim(), module);
        } else if line == "export {" {
            exported = true;
            text += "module.exports = {";
        } else if exported && let Some((local, name)) = line.trim().trim_end_matches(',').split_once(" as ") {
            text.extend([name, ": ", local, ","]);
        } else {
            text += &late_imports(line);
        }
        text.push('\n');
    }
    text
}

/// `import("module")` of what is provided, as esbuild itself writes it for `CommonJS`.
fn late_imports(line: &str) -> String {
    let modules = MODULES.iter().flat_map(|(name, _)| [(*name).to_owned(), format!("node:{name}")]);
    modules.chain([host::MODULE.to_owned()]).fold(line.to_owned(), |line, module| {
        line.replace(&format!("import({module:?})"), &format!("Promise.resolve().then(() => require({module:?}))"))
    })
}

/// `import bindings from "module"`, as a constant.
fn required(bindings: &str, module: &str) -> String {
    let source = format!("require({module:?})");
    if bindings.is_empty() {
        return format!("{source};");
    }
    let (default, named) = match bindings.split_once('{') {
        Some((default, named)) => (default.trim().trim_end_matches(','), Some(named.trim_end_matches('}'))),
        None => (bindings, None),
    };
    let default = default.trim().trim_start_matches("* as ");
    let whole = if default.is_empty() { String::new() } else { format!("const {default} = {source};") };
    let named = named.map(|named| format!("const {{{}}} = {source};", named.replace(" as ", ": ")));
    whole + &named.unwrap_or_default()
}

fn argument(name: &str, path: &Path) -> OsString {
    let mut argument = OsString::from(name);
    argument.push(path);
    argument
}

#[cfg(test)]
mod tests {
    use super::exports_as_commonjs;

    #[test]
    fn a_module_that_waits_keeps_its_imports_and_exports() {
        let module = "// main.mjs\nimport fs, { readFileSync as read } from \"node:fs\";\nimport * as path from \"path\";\n\
                      import \"node:process\";\nvar x = await read(0);\nvar y = await import(\"cortex:tool\");\nexport {\n  main_default as default\n};\n";
        assert_eq!(
            exports_as_commonjs(module),
            "// main.mjs\nconst fs = require(\"node:fs\");const { readFileSync: read } = require(\"node:fs\");\n\
             const path = require(\"path\");\nrequire(\"node:process\");\nvar x = await read(0);\n\
             var y = await Promise.resolve().then(() => require(\"cortex:tool\"));\n\
             module.exports = {\ndefault: main_default,\n};\n"
        );
    }
}
