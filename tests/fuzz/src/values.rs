//! JSON to WIT values and back.

use std::sync::OnceLock;

use cortex_sandbox::{Allocation, Component, Sandbox};
use serde_json::{Value, json};

/// The types that are converted to.
const TYPES: &str = include_str!("values.wat");

/// The first byte chooses a type, the rest is JSON for it.
///
/// # Panics
/// If a value that was taken comes back as another one, or if what comes back is not taken.
pub fn values(data: &[u8]) {
    let [choice, json @ ..] = data else { return };
    let Ok(value) = serde_json::from_slice::<Value>(json) else { return };
    let functions = component().functions();
    let function = &functions[usize::from(*choice) % functions.len()];
    let through = |value: &Value| function.round_trip(&json!({ "v": value }));
    match through(&value) {
        Ok(once) => {
            let once = &once["v"];
            let twice =
                through(once).unwrap_or_else(|error| panic!("{}: {value} became {once}: {error}", function.name));
            assert_eq!(once, &twice["v"], "{}: {value}", function.name);
        }
        Err(error) => {
            // Said in one line, whatever the value was.
            let said = error.to_string();
            assert!(!said.is_empty() && error.got.chars().count() <= 81, "{said}");
        }
    }
}

fn component() -> &'static Component {
    static COMPONENT: OnceLock<Component> = OnceLock::new();
    COMPONENT.get_or_init(|| {
        let wasm = wat::parse_str(TYPES).expect("it is WebAssembly text");
        let sandbox = Sandbox::new(Allocation::OnDemand).expect("the engine starts");
        Component::compile(&sandbox, &wasm).unwrap_or_else(|error| panic!("{error}: {:?}", causes(&error)))
    })
}

fn causes(error: &dyn std::error::Error) -> Vec<String> {
    std::iter::successors(error.source(), |error| error.source()).map(ToString::to_string).collect()
}
