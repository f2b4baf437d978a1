//! Manifests and policies, as a stranger writes them.

use std::path::Path;

use cortex_manifest::{PolicySpec, ToolSpec};

/// Reads the bytes as a manifest and as a policy. Both end in a value or in a report that fits on a screen, and what is read
/// is read alike the second time.
///
/// # Panics
/// If not.
pub fn manifest(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let path = Path::new("tool.yml");
    match ToolSpec::parse(path, text) {
        Ok(spec) => {
            let again = ToolSpec::parse(path, text).expect("it was read before");
            assert_eq!(format!("{spec:?}"), format!("{again:?}"));
            // A schema that was accepted can be applied to anything.
            for input in ["{}", "null", "[1]", r#"{"a": 1, "text": "x"}"#] {
                let input = serde_json::from_str(input).expect("it is JSON");
                let applied = spec.input_schema().apply(&input);
                assert!(applied.is_ok() || applied.is_err_and(|invalid| !invalid.violations().is_empty()));
            }
        }
        Err(error) => check_report(&error.report().to_string(), text),
    }
    if let Err(error) = PolicySpec::parse(Path::new("cortex.yml"), text) {
        check_report(&error.report().to_string(), text);
    }
}

/// A report says something, and not much more than the lines that it is about.
fn check_report(report: &str, text: &str) {
    assert!(!report.trim().is_empty());
    assert!(report.len() < 64 * 1024 + 20 * text.len(), "{} bytes about {}", report.len(), text.len());
}
