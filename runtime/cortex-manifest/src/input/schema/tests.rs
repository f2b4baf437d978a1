use std::borrow::Cow;

use serde_json::{Value, json};

use super::*;
use crate::input::{InputRule, Violation};

fn schema(properties: Value, required: &[&str]) -> InputSchema {
    let Value::Object(properties) = properties else { panic!("properties are an object") };
    InputSchema::from_json_schema(object_schema(properties, required.iter().map(ToString::to_string).collect()))
        .unwrap()
}

fn violations(schema: &InputSchema, input: &Value) -> Vec<Violation> {
    schema.apply(input).map_or_else(|error| error.violations().to_vec(), |_| Vec::new())
}

fn search() -> InputSchema {
    let properties = json!({
        "query": { "type": "string", "minLength": 1, "maxLength": 5, "pattern": "^[a-z]+$" },
        "max_results": { "type": "integer", "minimum": 1, "maximum": 20, "default": 5 },
        "order": { "type": "string", "enum": ["newest", "oldest"] },
        "sites": { "type": "array", "minItems": 1, "maxItems": 2 },
    });
    schema(properties, &["query"])
}

#[test]
fn defaults_are_filled_in_and_given_values_are_kept() {
    let given = json!({ "query": "wasm" });
    assert_eq!(*search().apply(&given).unwrap(), json!({ "query": "wasm", "max_results": 5 }));
    let given = json!({ "query": "wasm", "max_results": 7 });
    assert!(matches!(search().apply(&given).unwrap(), Cow::Borrowed(same) if *same == given), "nothing to copy");
}

#[test]
fn a_default_satisfies_required() {
    let schema = schema(json!({ "a": { "type": "integer", "default": 1 } }), &["a"]);
    assert!(violations(&schema, &json!({})).is_empty());
}

#[test]
fn an_unknown_name_is_told_with_the_nearest_known_one() {
    let found = violations(&search(), &json!({ "query": "wasm", "max_result": 3 }));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].rule(), &InputRule::UnknownName { name: "max_result".into() });
    assert_eq!(found[0].hint(), Some("did you mean `max_results`?"));
    let found = violations(&search(), &json!({ "query": "wasm", "banana": 3 }));
    assert_eq!(found[0].hint(), Some("known here: `query`, `max_results`, `order`, `sites`"));
}

#[test]
fn every_broken_rule_is_named_with_its_place_and_its_value() {
    let input = json!({ "query": "", "max_results": 21, "order": "newes", "sites": [] });
    let mut found = violations(&search(), &input);
    found.sort_by(|a, b| a.pointer().cmp(b.pointer()));
    let shown: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "`/max_results` is `21`, above 20",
            "`/order` is `\"newes\"`, not one of `\"newest\"`, `\"oldest\"`",
            "`/query` is `\"\"`, below the least length 1",
            "`/query` is `\"\"`, without a match of `^[a-z]+$`",
            "`/sites` is an array of 0, below the least number 1",
        ]
    );
    assert_eq!(found[1].hint(), Some("did you mean `newest`?"));
}

#[test]
fn types_are_not_converted() {
    let found = violations(&search(), &json!({ "query": 5 }));
    assert_eq!(found[0].to_string(), "`/query` is `5`, not of type `string`");
    assert_eq!(violations(&search(), &json!({ "query": null })).len(), 1);
    assert_eq!(violations(&search(), &json!({ "query": "a", "max_results": "5" })).len(), 1);
    assert!(violations(&search(), &json!({ "query": "a", "max_results": 5.0 })).is_empty());
}

#[test]
fn an_input_that_is_no_object_is_refused() {
    for input in [json!(null), json!([]), json!("text"), json!(1)] {
        assert_eq!(violations(&search(), &input).len(), 1);
    }
}

#[test]
fn a_missing_parameter_is_named() {
    assert_eq!(violations(&search(), &json!({}))[0].to_string(), "the input lacks `query`");
}

#[test]
fn schemas_of_other_origin_know_nested_types() {
    let schema = InputSchema::from_json_schema(json!({
        "type": "object",
        "properties": {
            "point": {
                "type": "object",
                "properties": { "latitude": { "type": "number" }, "longitude": { "type": "number" } },
                "required": ["latitude"],
                "additionalProperties": false
            }
        }
    }))
    .unwrap();
    let found = violations(&schema, &json!({ "point": { "latitude": "north", "longitud": 1 } }));
    let shown: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert!(shown.contains(&"`/point` has an unknown name `longitud`".to_owned()), "{shown:?}");
    assert!(shown.contains(&"`/point/latitude` is `\"north\"`, not of type `number`".to_owned()), "{shown:?}");
    let unknown = found.iter().find(|one| matches!(one.rule(), InputRule::UnknownName { .. })).unwrap();
    assert_eq!(unknown.hint(), Some("did you mean `longitude`?"));
}

#[test]
fn rules_that_no_manifest_can_express_keep_their_keyword() {
    let schema = InputSchema::from_json_schema(json!({ "anyOf": [{ "type": "string" }, { "type": "null" }] })).unwrap();
    assert_eq!(violations(&schema, &json!(1))[0].rule(), &InputRule::Other { keyword: "anyOf".into() });
}

#[test]
fn a_reference_to_another_document_is_refused_and_not_fetched() {
    for reference in ["https://127.0.0.1:1/schema.json", "file:///etc/passwd", "other.json"] {
        let error = InputSchema::from_json_schema(json!({ "$ref": reference }));
        assert!(matches!(error, Err(InvalidSchema::Unusable { .. })), "{reference}");
    }
    let local = json!({ "$ref": "#/$defs/a", "$defs": { "a": { "type": "integer" } } });
    assert!(InputSchema::from_json_schema(local).is_ok());
}

#[test]
fn what_is_no_schema_is_refused_with_its_place() {
    let error = InputSchema::from_json_schema(json!({ "properties": { "a": { "type": "text" } } })).unwrap_err();
    assert_eq!(error.to_string(), "the JSON Schema cannot be used at `/properties/a/type`");
    assert!(std::error::Error::source(&error).is_some());
}

#[test]
fn a_schema_that_would_exhaust_the_stack_is_refused() {
    let nested = |levels| (0..levels).fold(json!({ "type": "string" }), |schema, _| json!({ "not": schema }));
    assert!(InputSchema::from_json_schema(nested(100)).is_ok());
    assert!(matches!(InputSchema::from_json_schema(nested(300)), Err(InvalidSchema::TooDeep { limit: 128 })));
}

#[test]
fn a_schema_that_refers_to_itself_ends() {
    for schema in [json!({ "$ref": "#" }), json!({ "allOf": [{ "$ref": "#" }] })] {
        assert!(violations(&InputSchema::from_json_schema(schema).unwrap(), &json!({ "a": 1 })).is_empty());
    }
    let list = json!({ "type": "object", "properties": { "next": { "$ref": "#" } }, "additionalProperties": false });
    let list = InputSchema::from_json_schema(list).unwrap();
    let found = violations(&list, &json!({ "next": { "next": { "nxt": 1 } } }));
    assert_eq!(found[0].pointer(), "/next/next");
    assert_eq!(found[0].hint(), Some("did you mean `next`?"));
}

#[test]
fn patterns_that_could_take_exponential_time_are_refused() {
    for pattern in ["(?=a)b", "(a)\\1", "(?<!a)b", "("] {
        assert!(InputSchema::from_json_schema(json!({ "pattern": pattern })).is_err(), "{pattern}");
    }
    // A pattern that would explode when compiled is stopped by its size.
    assert!(InputSchema::from_json_schema(json!({ "pattern": "((a{100}){100}){100}" })).is_err());
}

#[test]
fn a_flood_of_violations_is_cut_short() {
    let schema = schema(json!({ "a": { "type": "array", "items": { "type": "string" } } }), &[]);
    assert_eq!(violations(&schema, &json!({ "a": vec![1; 10_000] })).len(), 16);
    let input: Value = (0..10_000).map(|i| (format!("name{i}"), json!(i))).collect::<serde_json::Map<_, _>>().into();
    assert_eq!(violations(&schema, &input).len(), 16);
    let found = violations(&schema, &json!({ "a": "x".repeat(10_000) }));
    assert!(found[0].to_string().len() < 300);
}

#[test]
fn a_schema_can_be_shared_between_threads() {
    fn shareable<T: Send + Sync + Clone + std::fmt::Debug + 'static>() {}
    shareable::<InputSchema>();
}

#[test]
fn a_tool_that_takes_nothing_refuses_everything_else() {
    assert!(violations(&InputSchema::empty(), &json!({})).is_empty());
    assert_eq!(violations(&InputSchema::empty(), &json!({ "a": 1 })).len(), 1);
}
