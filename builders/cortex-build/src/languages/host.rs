//! What a tool may import of its host besides WASI: a log, its progress, its state. The Python and the JavaScript module
//! have the same names but for their case; what a source names of them becomes an import of the component, and nothing else.

/// What a source names of the host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct HostUse {
    pub(super) log: bool,
    /// How far the call is, and whether a secret is there.
    pub(super) call: bool,
    pub(super) state: bool,
}

impl HostUse {
    /// Where the source does not tell.
    pub(super) const EVERYTHING: Self = Self { log: true, call: true, state: true };

    /// By the name of one thing in the module. Others, such as an exception, take no import.
    pub(super) fn of_name(name: &str) -> Self {
        let nothing = Self::default();
        match name {
            "log" => Self { log: true, ..nothing },
            "progress" | "secret_exists" | "secretExists" => Self { call: true, ..nothing },
            "state" => Self { state: true, ..nothing },
            _ => nothing,
        }
    }

    pub(super) fn or(self, other: Self) -> Self {
        Self { log: self.log || other.log, call: self.call || other.call, state: self.state || other.state }
    }

    /// The name of a world with these imports beside those of `base`, and its text, to be put below that of `base`.
    pub(super) fn world(self, base: &str) -> (String, String) {
        let log = ["wasi:logging/logging@0.1.0-draft"];
        let host = ["cortex:tool/host@0.1.0"];
        let state = ["wasi:keyvalue/store@0.2.0-draft", "wasi:keyvalue/atomics@0.2.0-draft"];
        let parts = [(self.log, &log[..]), (self.call || self.state, &host), (self.state, &state)];
        let names = parts.into_iter().filter(|(named, _)| *named).flat_map(|(_, names)| names);
        let imports = names.map(|name| format!("    import {name};\n")).collect::<Vec<_>>().concat();
        if imports.is_empty() {
            return (base.to_owned(), String::new());
        }
        (format!("{base}-host"), format!("\nworld {base}-host {{\n    include {base};\n{imports}}}\n"))
    }
}

/// What follows a name wherever it stands by itself in a text: `Some` of the property that is asked of it, `None` of
/// anything else.
pub(super) fn properties<'a>(text: &'a str, name: &str) -> Vec<Option<&'a str>> {
    let part = |character: char| character.is_alphanumeric() || character == '_' || character == '$';
    let mut found = Vec::new();
    for (at, _) in text.match_indices(name) {
        let (before, after) = (&text[..at], &text[at + name.len()..]);
        if before.ends_with(|c| part(c) || c == '.') || after.starts_with(part) {
            continue;
        }
        let property = after.strip_prefix('.').map(|rest| &rest[..rest.find(|c| !part(c)).unwrap_or(rest.len())]);
        found.push(property.filter(|property| !property.is_empty()));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{HostUse, properties};

    #[test]
    fn a_world_has_what_is_named_and_is_the_base_if_nothing_is() {
        assert_eq!(HostUse::default().world("tool"), ("tool".into(), String::new()));
        let (name, text) = HostUse::of_name("log").world("command");
        let wanted = "\nworld command-host {\n    include command;\n    import wasi:logging/logging@0.1.0-draft;\n}\n";
        assert_eq!((name.as_str(), text.as_str()), ("command-host", wanted));
        let (_, text) = HostUse::of_name("state").or(HostUse::of_name("StateError")).world("tool");
        assert!(
            text.contains("keyvalue/store") && text.contains("cortex:tool/host") && !text.contains("logging"),
            "{text}"
        );
    }

    #[test]
    fn a_name_by_itself_and_what_is_asked_of_it() {
        let text = "cortex.log(1); my_cortex.state; x.cortex.state; f(cortex)";
        assert_eq!(properties(text, "cortex"), [Some("log"), None]);
    }
}
