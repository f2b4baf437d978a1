use std::path::Path;

use serde_json::json;

use super::*;

fn parse(yaml: &str) -> Result<ToolSpec, ManifestError> {
    ToolSpec::parse(Path::new("tools/tool/tool.yml"), yaml)
}

const TOOL: &str = r#"
kind: Tool
version: "1.0"
name: tool
summary: Does something.
implementation:
  runtime: python3
  entrypoint: ./tool.py
  build: { build_args: { B: 2, A: 1 } }
"#;

#[test]
fn a_new_description_or_limit_causes_no_rebuild() {
    let inputs = parse(TOOL).unwrap().build_inputs();
    let same = [
        TOOL.replace("Does something.", "Does something else."),
        TOOL.replace("name: tool", "name: other"),
        TOOL.replace("runtime: python3", "runtime: python"),
        TOOL.replace("./tool.py", "tool.py"),
        TOOL.replace("{ B: 2, A: 1 }", "{ A: 1, B: 2 }"),
        TOOL.replace("  build:", "  resources: { memory: 1G }\n  build:"),
        format!("{TOOL}permissions: {{ state: true }}\ntags: [a]\n"),
    ];
    for yaml in same {
        assert_eq!(parse(&yaml).unwrap().build_inputs(), inputs, "{yaml}");
    }
}

#[test]
fn whatever_a_build_reads_causes_a_rebuild() {
    let inputs = parse(TOOL).unwrap().build_inputs();
    let other = [
        TOOL.replace("python3", "node"),
        TOOL.replace("tool.py", "main.py"),
        TOOL.replace("B: 2", "B: 3"),
        TOOL.replace("  runtime", "  type: binary\n  runtime"),
        TOOL.replace("build: {", "build: { requirements_file: requirements.txt,"),
    ];
    for yaml in other {
        assert_ne!(parse(&yaml).unwrap().build_inputs(), inputs, "{yaml}");
    }
    assert_eq!(
        String::from_utf8(inputs).unwrap(),
        r#"{"type":"script","runtime":"python3","entrypoint":"tool.py","build":{"engine":null,"requirements_file":null,"build_command":null,"build_args":{"A":"1","B":"2"},"dockerfile":null,"target":null,"sha256":null}}"#
    );
}

#[test]
fn nothing_is_permitted_by_default() {
    let permissions = parse(TOOL).unwrap().permissions;
    assert_eq!(permissions, Permissions::default());
    assert!(permissions.network.is_empty() && permissions.filesystem.is_empty() && !permissions.state);
    assert!(permissions.environment.is_empty() && permissions.secrets.is_empty());
}

#[test]
fn a_component_without_a_manifest_is_a_tool_that_asks_for_nothing() {
    let schema = InputSchema::from_json_schema(json!({ "type": "object" })).unwrap();
    let spec = ToolSpec::for_component(ToolName::new("add").unwrap(), "Adds.", schema);
    assert_eq!(spec.implementation.runtime, Some(Runtime::Component));
    assert_eq!(spec.permissions, Permissions::default());
    assert_eq!(spec.input_schema().as_json(), &json!({ "type": "object" }));
}

#[test]
fn an_error_knows_its_place_its_rule_and_its_hint() {
    let error = parse(&TOOL.replace("summary:", "sumary:")).unwrap_err();
    assert_eq!(error.path(), Path::new("tools/tool/tool.yml"));
    assert_eq!((error.line(), error.column()), (5, 1));
    assert!(matches!(error.rule(), Rule::UnknownField { field, .. } if field == "sumary"));
    assert_eq!(error.snippet(), "sumary: Does something.");
    assert_eq!(error.to_string(), "tools/tool/tool.yml:5:1: unknown field `sumary`");
}

#[test]
fn columns_count_characters() {
    let error = parse(&TOOL.replace("Does something.", "\"ä€𝄞\"\nmetadata: { ä€𝄞: 1, ä€𝄞: 2 }")).unwrap_err();
    assert_eq!((error.line(), error.column()), (6, 21));
}

#[test]
fn windows_line_ends_and_a_byte_order_mark_are_read() {
    assert!(parse(&TOOL.replace('\n', "\r\n")).is_ok());
    assert!(parse(&format!("\u{feff}{}", TOOL.trim_start())).is_ok());
}

#[test]
fn a_file_beyond_the_limit_is_not_parsed() {
    let padding = "#".repeat(yaml::MANIFEST_BYTES_MAX - TOOL.len());
    assert!(parse(&format!("{TOOL}{padding}")).is_ok());
    let error = parse(&format!("{TOOL}{padding}#")).unwrap_err();
    assert!(matches!(error.rule(), Rule::FileTooLarge { size_bytes: 1_048_577, limit_bytes: 1_048_576 }));
}

#[test]
fn many_mistakes_are_cut_short() {
    let parameters: String = (0..100).map(|_| "  - { name: '', type: string }\n").collect();
    assert_eq!(parse(&format!("{TOOL}parameters:\n{parameters}")).unwrap_err().problems().len(), 20);
}
