//! The module `cortex:tool`, by which a program reaches its host: what a bundled program names of it, and the files that
//! bring that and no more.

use crate::languages::host::{HostUse, properties};

/// The module's name. No package can have it, since it looks like an address.
pub(super) const MODULE: &str = "cortex:tool";

/// The files beside the glue, what of the host each one needs, and what each one exports.
const FILES: &[(&str, HostUse, &str)] = &[
    ("./cortex_log.js", HostUse { log: true, call: false, state: false }, "log"),
    ("./cortex_call.js", HostUse { log: false, call: true, state: false }, "progress, secretExists"),
    ("./cortex_state.js", HostUse { log: false, call: false, state: true }, "state"),
];

/// What a program names of the module, from the text that esbuild makes of it, where every import is a `require`.
pub(super) fn used(text: &str) -> HostUse {
    let require = format!("require(\"{MODULE}\")");
    let uses = text.match_indices(&require).map(|(at, _)| of_one(text, at, at + require.len()));
    uses.fold(HostUse::default(), HostUse::or)
}

fn of_one(text: &str, start: usize, end: usize) -> HostUse {
    if let [Some(property)] = properties(&text[start..], &text[start..end])[..1] {
        return HostUse::of_name(property);
    }
    let before = text[..start].trim_end_matches(|c: char| c == '(' || c.is_alphanumeric() || c == '_').trim_end();
    let Some(left) = before.strip_suffix('=').map(str::trim_end) else { return HostUse::EVERYTHING };
    if let Some(names) = left.strip_suffix('}').and_then(|left| left.rsplit_once('{')) {
        let name = |pair: &str| pair.split(':').next().unwrap_or_default().trim().to_owned();
        return names.1.split(',').map(|pair| HostUse::of_name(&name(pair))).fold(HostUse::default(), HostUse::or);
    }
    let variable = left.rsplit(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).next().unwrap_or_default();
    // The variable may be called as the module is.
    let text = text.replace(MODULE, "");
    let uses = properties(&text, variable);
    // Where it is declared nothing is asked of it, nor where it is handed on.
    if variable.is_empty() || uses.iter().filter(|property| property.is_none()).count() > 1 {
        return HostUse::EVERYTHING;
    }
    uses.into_iter().flatten().map(HostUse::of_name).fold(HostUse::default(), HostUse::or)
}

/// The imports that bring what is used, and an object of it for `require`; `None` for a program without the module.
pub(super) fn provided(text: &str) -> Option<(String, String)> {
    text.contains(&format!("require(\"{MODULE}\")")).then(|| {
        let used = used(text);
        let files = FILES.iter().filter(|(_, needs, _)| used.or(*needs) == used);
        let (imports, names): (Vec<_>, Vec<_>) =
            files.map(|(file, _, names)| (format!("import {{ {names} }} from {file:?};\n"), *names)).unzip();
        (imports.concat(), format!("{MODULE:?}: {{ {} }}", names.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::{HostUse, provided, used};

    #[test]
    fn what_a_bundle_names_of_the_module_counts_and_nothing_else() {
        let (log, state) = (HostUse::of_name("log"), HostUse::of_name("state"));
        let cases = [
            ("console.log(state);", HostUse::default()),
            (
                "var import_cortex_tool = require(\"cortex:tool\");\n(0, import_cortex_tool.log)(\"info\", \"state\");",
                log,
            ),
            ("var cortex = __toESM(require(\"cortex:tool\"));\ncortex.log(1);\ncortex.state.get(2);", log.or(state)),
            ("const { log: say, StateError } = require(\"cortex:tool\");\nstate();", log),
            ("require(\"cortex:tool\").state.get(1);", state),
            ("const cortex = require(\"cortex:tool\");\nuse(cortex);", HostUse::EVERYTHING),
            ("use(require(\"cortex:tool\"));", HostUse::EVERYTHING),
        ];
        for (text, wanted) in cases {
            assert_eq!(used(text), wanted, "{text}");
        }
    }

    #[test]
    fn a_program_gets_the_files_of_what_it_uses() {
        assert_eq!(provided("console.log(1)"), None);
        let (imports, object) = provided("require(\"cortex:tool\").progress(1)").unwrap();
        assert_eq!(imports, "import { progress, secretExists } from \"./cortex_call.js\";\n");
        assert_eq!(object, "\"cortex:tool\": { progress, secretExists }");
    }
}
