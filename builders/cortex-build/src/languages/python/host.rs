//! The module `cortex`, by which a tool reaches its host: whether a tool imports ours, and what it names of it.

use std::path::Path;

use fs_err as fs;

use super::program::code;
use crate::languages::host::{HostUse, properties};

/// The module.
pub(super) const MODULE: &str = include_str!("../../../languages/python/cortex.py");

/// The file of the module.
pub(super) const FILE: &str = "cortex.py";

/// Whether a folder has the module as well: `Some(true)` if it is a copy of ours, whose first line tells.
pub(super) fn provided_in(folder: &Path) -> Option<bool> {
    if let Ok(text) = fs::read_to_string(folder.join(FILE)) {
        return Some(text.lines().next() == MODULE.lines().next());
    }
    folder.join("cortex").is_dir().then_some(false)
}

/// What a source names of the module; `None` if it does not import it.
pub(super) fn used(source: &str) -> Option<HostUse> {
    let bare = code(source);
    let mut used: Option<HostUse> = None;
    let mut add = |more: HostUse| used = Some(used.unwrap_or_default().or(more));
    let mut lines = bare.lines().map(str::trim_start);
    while let Some(line) = lines.next() {
        if let Some(rest) = line.strip_prefix("from cortex import ") {
            let mut names = rest.to_owned();
            while names.contains('(') && !names.contains(')') {
                let Some(line) = lines.next() else { break };
                names.extend([",", line]);
            }
            let word = |name: &str| name.trim().split(' ').next().unwrap_or_default().to_owned();
            let names: Vec<_> = names.split(['(', ',', ')', ';']).map(word).collect();
            let all = names.iter().any(|name| name == "*");
            add(if all { HostUse::EVERYTHING } else { HostUse::default() });
            for name in &names {
                add(HostUse::of_name(name));
            }
        }
        for name in line.strip_prefix("import ").into_iter().flat_map(|names| names.split([',', ';'])) {
            let words: Vec<_> = name.split_whitespace().collect();
            match words[..] {
                ["cortex"] => add(of_module(source, &bare, "cortex")),
                ["cortex", "as", name] => add(of_module(source, &bare, name)),
                _ => {}
            }
        }
    }
    used
}

/// What is named of the module under the name that it has here. Strings count as well, since some are evaluated.
fn of_module(source: &str, bare: &str, name: &str) -> HostUse {
    let imports = |line: &&str| line.trim_start().starts_with("import ");
    let code = bare.lines().filter(|line| !imports(line)).collect::<Vec<_>>().join("\n");
    if properties(&code, name).contains(&None) {
        // It is handed on, and there is no telling what becomes of it.
        return HostUse::EVERYTHING;
    }
    properties(source, name).into_iter().flatten().map(HostUse::of_name).fold(HostUse::default(), HostUse::or)
}

#[cfg(test)]
mod tests {
    use super::{HostUse, used};

    #[test]
    fn what_is_named_of_the_module_counts_and_nothing_else() {
        let log = HostUse::of_name("log");
        let state = HostUse::of_name("state");
        let cases = [
            ("def run(args): return 1\n", None),
            ("import json, cortexlib\nlog = 1\n", None),
            ("# import cortex\nname = 'import cortex'\n", None),
            ("import cortex\n\ndef run(args):\n    cortex.log('info', 'state')\n", Some(log)),
            ("import json, cortex as host\nhost.log('info', f\"{host.state.get('k')}\")\n", Some(log.or(state))),
            ("from cortex import StateError, state as kept  # log\n", Some(state)),
            ("def f():\n    from cortex import (\n        log,\n        state,\n    )\n", Some(log.or(state))),
            ("from cortex import *\n", Some(HostUse::EVERYTHING)),
            ("import cortex\nuse(cortex)\n", Some(HostUse::EVERYTHING)),
            ("from cortex import StateError\n", Some(HostUse::default())),
        ];
        for (source, wanted) in cases {
            assert_eq!(used(source), wanted, "{source}");
        }
    }
}
