//! A component that nobody here wrote runs: this one was made by componentize-py from Python and WIT of its own, and its
//! functions take and return every kind of WIT type.

use std::sync::OnceLock;

use cortex_sandbox::{Component, Contract, Ending, Limits, Outcome};
use guest_artifacts as guests;
use serde_json::{Value, json};

use crate::host::{self, Tools, brief, invoke_loaded, load, said, sandbox};

macro_rules! assert_test_exists {
    ($name:ident) => {
        #[expect(unused_imports, reason = "only here to make sure that it exists")]
        use self::$name as _;
    };
}
guest_artifacts::foreach_foreign!(assert_test_exists);

mod foreign_python {
    use super::*;

    fn python() -> &'static Component {
        static PYTHON: OnceLock<Component> = OnceLock::new();
        PYTHON.get_or_init(|| load(sandbox(), guests::FOREIGN_PYTHON))
    }

    #[expect(clippy::needless_pass_by_value, reason = "callers write `json!` in its place")]
    fn call(function: &str, input: Value) -> Outcome {
        invoke_loaded(python(), Some(function), &input, &Limits::DEFAULT)
    }

    fn answer(function: &str, input: Value) -> Value {
        let outcome = call(function, input);
        assert_eq!(outcome.ending, Ending::Success, "{function}: {}", brief(&outcome));
        serde_json::from_str(outcome.result.expect("an answer").get()).unwrap()
    }

    /// What comes back is what went in.
    fn round_trip(function: &str, parameters: Value) {
        let values: Vec<Value> = parameters.as_object().unwrap().values().cloned().collect();
        let expected = if values.len() == 1 { values[0].clone() } else { Value::Array(values) };
        assert_eq!(answer(function, parameters), expected, "{function}");
    }

    fn refused(function: &str, input: Value) -> String {
        let outcome = call(function, input);
        assert_eq!((outcome.ending, outcome.usage.fuel), (Ending::InvalidInput, 0), "{}", brief(&outcome));
        outcome.error.unwrap().message
    }

    fn schema(function: &str) -> Value {
        let mut schema = python().function(Some(function)).unwrap().input_schema.clone();
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        schema.as_object_mut().unwrap().shift_remove("$schema");
        schema
    }

    fn schema_of(function: &str, parameter: &str) -> Value {
        schema(function)["properties"][parameter].take()
    }

    #[test]
    fn every_exported_function_is_known_by_its_interface_and_its_name() {
        assert_eq!(python().contract(), Contract::Functions);
        let mut names: Vec<&str> = python().functions().iter().map(|function| function.name.as_str()).collect();
        names.retain(|name| name.starts_with("echo.") || name.starts_with("accounts.") || !name.contains('.'));
        names.sort_unstable();
        let expected = [
            "accounts.[constructor]account",
            "accounts.[method]account.owner",
            "accounts.close",
            "accounts.open",
            "all-kinds",
            "echo.a-color",
            "echo.a-point",
            "echo.a-shape",
            "echo.an-access",
            "echo.calls",
            "echo.check",
            "echo.crash",
            "echo.divide",
            "echo.floats",
            "echo.integers",
            "echo.letters",
            "echo.lists",
            "echo.nothing",
            "echo.options",
            "echo.pair",
            "echo.results",
            "echo.texts",
            "locate",
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn integers_keep_every_digit() {
        let (s, u) = (i64::MIN, u64::MAX);
        round_trip(
            "integers",
            json!({"a": -128, "b": -32768, "c": i32::MIN, "d": s, "e": 255, "f": 65535, "g": u32::MAX, "h": u}),
        );
        round_trip(
            "integers",
            json!({"a": 127, "b": 32767, "c": i32::MAX, "d": i64::MAX, "e": 0, "f": 0, "g": 0, "h": 0}),
        );
    }

    #[test]
    fn integers_that_do_not_fit_are_refused_by_name() {
        let good = json!({"a": 0, "b": 0, "c": 0, "d": 0, "e": 0, "f": 0, "g": 0, "h": 0});
        for (name, kind, bad) in [
            ("a", "s8", json!(128)),
            ("b", "s16", json!(-32769)),
            ("c", "s32", json!(2_147_483_648_u64)),
            ("d", "s64", json!(u64::MAX)),
            ("e", "u8", json!(256)),
            ("e", "u8", json!(-1)),
            ("f", "u16", json!(1.5)),
            ("g", "u32", json!("1")),
            ("h", "u64", json!(-1)),
            ("h", "u64", json!(1e300)),
            ("a", "s8", Value::Null),
        ] {
            let mut input = good.clone();
            input[name] = bad.clone();
            assert_eq!(
                refused("integers", input),
                format!("`/{name}`: expected an integer that fits {kind}, got `{bad}`")
            );
        }
    }

    /// JSON knows one kind of number: where a whole number is wanted, `3.0` is one.
    #[test]
    fn a_whole_number_may_be_written_with_a_point() {
        let input = json!({"a": 3.0, "b": 0, "c": 0, "d": -0.0, "e": 2e2, "f": 0, "g": 0, "h": 0});
        assert_eq!(answer("integers", input), json!([3, 0, 0, 0, 200, 0, 0, 0]));
    }

    #[test]
    fn floats_keep_their_value_and_what_json_has_no_number_for_is_a_word() {
        round_trip("floats", json!({"single": 0.5, "double": 0.1}));
        round_trip("floats", json!({"single": -1_048_576.5, "double": f64::MAX}));
        round_trip("floats", json!({"single": "Infinity", "double": "-Infinity"}));
        round_trip("floats", json!({"single": "NaN", "double": "NaN"}));
        assert_eq!(answer("floats", json!({"single": 1, "double": -7})), json!([1.0, -7.0]));
        assert_eq!(
            refused("floats", json!({"single": "inf", "double": 0})),
            "`/single`: expected a number, got `\"inf\"`"
        );
    }

    #[test]
    fn booleans_characters_and_texts() {
        round_trip("texts", json!({"flag": true, "letter": "🦀", "text": "ünï¢ødé \u{0} \"quoted\"\n"}));
        round_trip("texts", json!({"flag": false, "letter": " ", "text": ""}));
        let with = |name: &str, value: Value| {
            let mut input = json!({"flag": true, "letter": "a", "text": ""});
            input[name] = value;
            refused("texts", input)
        };
        assert_eq!(with("letter", json!("ab")), "`/letter`: expected a string of one character, got `\"ab\"`");
        assert_eq!(with("letter", json!("")), "`/letter`: expected a string of one character, got `\"\"`");
        assert_eq!(with("flag", json!(1)), "`/flag`: expected a boolean, got `1`");
        assert_eq!(with("text", json!(null)), "`/text`: expected a string, got `null`");
        let long = with("text", json!(["x".repeat(1000)]));
        assert!(long.starts_with("`/text`: expected a string, got `[\"xxx") && long.ends_with("…`"), "{long}");
        assert!(long.len() < 200, "what an agent sent comes back shortened: {long}");
    }

    #[test]
    fn lists_tuples_and_lists_of_lists() {
        round_trip("lists", json!({"bytes": [0, 127, 255], "words": [["a", "b"], [], ["c"]]}));
        round_trip("lists", json!({"bytes": [], "words": []}));
        round_trip("pair", json!({"value": [-1, "one"]}));
        assert_eq!(
            refused("lists", json!({"bytes": [], "words": [["a"], ["b", 3]]})),
            "`/words/1/1`: expected a string, got `3`"
        );
        assert_eq!(
            refused("lists", json!({"bytes": [1, 256], "words": []})),
            "`/bytes/1`: expected an integer that fits u8, got `256`"
        );
        assert_eq!(refused("pair", json!({"value": [1]})), "`/value`: expected an array of 2 elements, got `[1]`");
        assert_eq!(refused("pair", json!({"value": {}})), "`/value`: expected an array, got `{}`");
    }

    #[test]
    fn options_may_be_left_out_and_an_option_in_an_option_is_told_apart_from_none() {
        round_trip("options", json!({"plain": 7, "nested": {"some": "text"}}));
        round_trip("options", json!({"plain": null, "nested": null}));
        round_trip("options", json!({"plain": 0, "nested": {"some": null}}));
        assert_eq!(answer("options", json!({})), json!([null, null]));
        assert_eq!(
            refused("options", json!({"nested": "text"})),
            "`/nested`: expected `null` or an object with `some`, got `\"text\"`"
        );
        assert_eq!(refused("options", json!({"nested": {"some": 1}})), "`/nested/some`: expected a string, got `1`");
    }

    #[test]
    fn results_inside_of_values() {
        round_trip("results", json!({"full": {"ok": 1}, "half": {"ok": null}, "empty": {"ok": null}}));
        round_trip("results", json!({"full": {"err": "no"}, "half": {"err": "no"}, "empty": {"err": null}}));
        let with = |full: Value| refused("results", json!({"full": full, "half": {"ok": null}, "empty": {"ok": null}}));
        assert_eq!(with(json!({"ok": "1"})), "`/full/ok`: expected an integer that fits u32, got `\"1\"`");
        assert_eq!(
            with(json!({"fine": 1})),
            "`/full`: expected an object with one key, `ok` or `err`, got `{\"fine\":1}`"
        );
        assert_eq!(
            with(json!({"ok": 1, "err": "no"})),
            "`/full`: expected an object with one key, `ok` or `err`, got `{\"ok\":1,\"err\":\"no\"}`"
        );
    }

    #[test]
    fn records() {
        round_trip("a-point", json!({"value": {"x": 1, "y": -1, "label": "here"}}));
        assert_eq!(answer("a-point", json!({"value": {"y": 2, "x": 1}})), json!({"x": 1, "y": 2, "label": null}));
        assert_eq!(
            refused("a-point", json!({"value": {"x": 1}})),
            "`/value`: expected an object with `y`, got `{\"x\":1}`"
        );
        assert_eq!(
            refused("a-point", json!({"value": {"x": 1, "y": 1, "z": 1}})),
            "`/value`: expected one of `x`, `y`, `label`, got `\"z\"`"
        );
    }

    #[test]
    fn variants() {
        round_trip("a-shape", json!({"value": {"tag": "circle", "val": 1.5}}));
        round_trip("a-shape", json!({"value": {"tag": "polygon", "val": [{"x": 0, "y": 0, "label": null}]}}));
        round_trip("a-shape", json!({"value": {"tag": "nothing"}}));
        let with = |value: Value| refused("a-shape", json!({"value": value}));
        assert_eq!(
            with(json!({"tag": "square"})),
            "`/value`: expected one of `circle`, `polygon`, `nothing`, got `\"square\"`"
        );
        assert_eq!(with(json!("circle")), "`/value`: expected an object with a `tag`, got `\"circle\"`");
        assert_eq!(with(json!({"tag": "circle"})), "`/value/val`: expected a value, got `{\"tag\":\"circle\"}`");
        assert_eq!(with(json!({"tag": "nothing", "val": 1})), "`/value/val`: expected no value, got `1`");
        assert_eq!(
            with(json!({"tag": "circle", "val": 1, "more": 1})),
            "`/value`: expected one of `tag`, `val`, got `\"more\"`"
        );
        assert_eq!(
            with(json!({"tag": "polygon", "val": [{"x": 0, "y": 0}, {"x": 0, "y": "a"}]})),
            "`/value/val/1/y`: expected an integer that fits s32, got `\"a\"`"
        );
    }

    #[test]
    fn enums_and_flags() {
        round_trip("a-color", json!({"value": "dark-blue"}));
        round_trip("an-access", json!({"value": ["read", "execute-all"]}));
        round_trip("an-access", json!({"value": []}));
        assert_eq!(
            refused("a-color", json!({"value": "pink"})),
            "`/value`: expected one of `red`, `green`, `dark-blue`, got `\"pink\"`"
        );
        assert_eq!(
            refused("an-access", json!({"value": ["read", "fly"]})),
            "`/value/1`: expected one of `read`, `write`, `execute-all`, got `\"fly\"`"
        );
        assert_eq!(refused("an-access", json!({"value": "read"})), "`/value`: expected an array, got `\"read\"`");
    }

    /// A function of the world itself, which belongs to no interface.
    #[test]
    fn every_kind_of_value_at_once() {
        round_trip(
            "all-kinds",
            json!({"value": {
                "flag": true, "small": -5, "large": u64::MAX, "half": 0.25, "letter": "ß", "text": "t", "bytes": [1, 2],
                "pair": [false, "b"], "maybe": {"some": null}, "outcome": {"ok": {"x": 1, "y": 2, "label": "p"}},
                "shape": {"tag": "circle", "val": 2.0}, "color": "red", "access": ["write"],
            }}),
        );
        assert_eq!(answer("locate", json!({"x": 1, "y": -2})), json!("(1, -2)"));
    }

    #[test]
    fn parameters_are_checked_by_name() {
        assert_eq!(refused("locate", json!({"x": 1})), "``: expected an object with `y`, got `{\"x\":1}`");
        assert_eq!(refused("locate", json!({"x": 1, "y": 1, "z": 1})), "``: expected one of `x`, `y`, got `\"z\"`");
        assert_eq!(refused("locate", json!([1, 2])), "``: expected an object, got `[1,2]`");
    }

    #[test]
    fn the_error_of_a_result_is_a_tool_error() {
        assert_eq!(answer("divide", json!({"dividend": 7, "divisor": 2})), json!([3, 1]));
        let outcome = call("divide", json!({"dividend": 7, "divisor": 0}));
        assert_eq!(outcome.ending, Ending::ToolError);
        assert_eq!(outcome.result.unwrap().get(), r#"{"message":"division by zero","dividend":7}"#);
        assert_eq!(outcome.error.unwrap().message, "division by zero");

        assert_eq!(answer("check", json!({"good": true})), Value::Null);
        let outcome = call("check", json!({"good": false}));
        assert_eq!(outcome.ending, Ending::ToolError);
        assert_eq!(outcome.error.unwrap().message, "it is not good");
        assert_eq!(answer("nothing", json!({})), Value::Null);
    }

    #[test]
    fn an_exception_is_a_trap_and_what_was_said_is_kept() {
        let outcome = call("crash", json!({"message": "the well is dry"}));
        assert_eq!(outcome.ending, Ending::Trap, "{}", brief(&outcome));
        assert!(outcome.stderr.text.starts_with("the well is dry\n"), "{}", outcome.stderr.text);
        assert!(outcome.stderr.text.contains("RuntimeError: the well is dry"), "{}", outcome.stderr.text);
    }

    #[test]
    fn every_call_is_the_first_of_its_instance() {
        assert_eq!((answer("calls", json!({})), answer("calls", json!({}))), (json!(1), json!(1)));
    }

    #[test]
    fn the_result_of_a_function_is_bounded_to_the_byte() {
        let letters = |count: u64| {
            invoke_loaded(
                python(),
                Some("letters"),
                &json!({"count": count}),
                &Limits { output_bytes: 1000, ..Limits::DEFAULT },
            )
        };
        assert_eq!(letters(998).ending, Ending::Success);
        let over = letters(999);
        assert_eq!(over.ending, Ending::OutputExceeded);
        assert_eq!(over.error.unwrap().message, "the result has at least 1001 bytes, the limit is 1000");
    }

    #[test]
    fn the_schemas_say_what_the_conversion_takes() {
        assert_eq!(
            schema("locate"),
            json!({
                "type": "object",
                "properties": {
                    "x": {"type": "integer", "minimum": i32::MIN, "maximum": i32::MAX},
                    "y": {"type": "integer", "minimum": i32::MIN, "maximum": i32::MAX},
                },
                "required": ["x", "y"],
                "additionalProperties": false,
            })
        );
        assert_eq!(schema_of("integers", "h"), json!({"type": "integer", "minimum": 0, "maximum": u64::MAX}));
        assert_eq!(
            schema_of("floats", "single"),
            json!({"anyOf": [{"type": "number"}, {"enum": ["NaN", "Infinity", "-Infinity"]}]})
        );
        assert_eq!(schema_of("texts", "letter"), json!({"type": "string", "minLength": 1, "maxLength": 1}));
        assert_eq!(schema_of("texts", "flag"), json!({"type": "boolean"}));
        assert_eq!(
            schema_of("lists", "words"),
            json!({"type": "array", "items": {"type": "array", "items": {"type": "string"}}})
        );
        assert_eq!(
            schema_of("pair", "value"),
            json!({
                "type": "array", "minItems": 2, "items": false,
                "prefixItems": [{"type": "integer", "minimum": i32::MIN, "maximum": i32::MAX}, {"type": "string"}],
            })
        );
        assert_eq!(schema("options")["required"], json!([]));
        assert_eq!(
            schema_of("options", "nested"),
            json!({"anyOf": [{"type": "null"}, {
                "type": "object", "required": ["some"], "additionalProperties": false,
                "properties": {"some": {"anyOf": [{"type": "null"}, {"type": "string"}]}},
            }]})
        );
        let arm = |name: &str, value: Value| json!({"type": "object", "properties": {name: value}, "required": [name], "additionalProperties": false});
        assert_eq!(
            schema_of("results", "half"),
            json!({"oneOf": [arm("ok", json!({"type": "null"})), arm("err", json!({"type": "string"}))]})
        );
        let point = schema_of("a-point", "value");
        assert_eq!(point["required"], json!(["x", "y"]));
        assert_eq!(
            schema_of("a-shape", "value"),
            json!({"oneOf": [
                {"type": "object", "properties": {"tag": {"const": "circle"}, "val": schema_of("floats", "double")},
                 "required": ["tag", "val"], "additionalProperties": false},
                {"type": "object", "properties": {"tag": {"const": "polygon"}, "val": {"type": "array", "items": point}},
                 "required": ["tag", "val"], "additionalProperties": false},
                {"type": "object", "properties": {"tag": {"const": "nothing"}}, "required": ["tag"], "additionalProperties": false},
            ]})
        );
        assert_eq!(schema_of("a-color", "value"), json!({"enum": ["red", "green", "dark-blue"]}));
        assert_eq!(
            schema_of("an-access", "value"),
            json!({"type": "array", "items": {"enum": ["read", "write", "execute-all"]}, "uniqueItems": true})
        );
    }

    #[test]
    fn the_schema_of_a_result_leaves_out_its_error() {
        let output = |function: &str| python().function(Some(function)).unwrap().output_schema.clone();
        let integer = json!({"type": "integer", "minimum": i32::MIN, "maximum": i32::MAX});
        assert_eq!(
            output("divide"),
            Some(json!({"type": "array", "prefixItems": [integer, integer], "items": false, "minItems": 2}))
        );
        assert_eq!((output("check"), output("nothing")), (None, None));
        assert_eq!(output("locate"), Some(json!({"type": "string"})));
    }

    #[test]
    fn a_function_with_a_resource_is_reported_as_unsupported() {
        let unsupported = |name: &str| python().function(Some(name)).unwrap().unsupported.clone();
        assert_eq!(unsupported("accounts.open").unwrap(), "the result holds a resource, which JSON cannot carry");
        assert_eq!(
            unsupported("accounts.close").unwrap(),
            "the parameter `account` holds a resource, which JSON cannot carry"
        );
        assert_eq!(unsupported("all-kinds"), None);

        let execution = Tools::new().call(&format!("{}#accounts.open", guests::FOREIGN_PYTHON), json!({"owner": "me"}));
        assert_eq!(execution.ending, Ending::InvalidInput);
        let said = said(&execution);
        let expected = "unknown_function: the function `accounts.open` cannot be called: the result holds a resource, which \
                        JSON cannot carry";
        assert!(said.starts_with(expected), "{said}");
    }

    #[test]
    fn a_function_is_chosen_by_its_name_or_by_its_interface_and_its_name() {
        let tools = Tools::new();
        for (function, input, expected) in [
            ("locate", json!({"x": 1, "y": 2}), "\"(1, 2)\""),
            ("a-color", json!({"value": "red"}), "\"red\""),
            ("echo.a-color", json!({"value": "red"}), "\"red\""),
        ] {
            let execution = tools.call(&format!("{}#{function}", guests::FOREIGN_PYTHON), input);
            assert_eq!(execution.ending, Ending::Success, "{function}: {:?}", execution.error);
            assert_eq!(execution.result.as_ref().unwrap().get(), expected, "{function}");
            assert_eq!(execution.contract, Some(Contract::Functions));
        }
    }

    #[test]
    fn an_input_is_checked_by_the_schema_of_the_function() {
        let tool = format!("{}#echo.a-point", guests::FOREIGN_PYTHON);
        let execution = Tools::new().call(&tool, json!({"value": {"x": 1, "y": "two"}}));
        assert_eq!((execution.ending, execution.usage.fuel), (Ending::InvalidInput, 0));
        let said = said(&execution);
        assert!(said.contains("/value/y") && said.contains("two"), "{said}");
    }

    #[test]
    fn a_function_that_there_is_not_is_told_with_those_that_there_are() {
        for (function, problem) in
            [("#locat", "the component has no function `locat`"), ("", "the component has several functions")]
        {
            let execution = Tools::new().call(&format!("{}{function}", guests::FOREIGN_PYTHON), json!({}));
            assert_eq!(execution.ending, Ending::InvalidInput);
            let said = said(&execution);
            assert!(said.starts_with(&format!("unknown_function: {problem} (append `#`")), "{said}");
            assert!(said.contains("`locate`") && said.contains("`echo.integers`"), "{said}");
            assert!(!said.contains("`accounts.open`"), "what cannot be called is not offered: {said}");
        }
    }

    #[test]
    fn a_component_that_answers_as_a_whole_has_no_functions() {
        host::load(sandbox(), guests::CONTRACT_TOOL_ANSWERS);
        let execution = Tools::new().call(&format!("{}#run", guests::CONTRACT_TOOL_ANSWERS), json!({}));
        assert_eq!(
            said(&execution),
            "unknown_function: the component answers calls as a whole, it has no function `run` (leave out what follows the `#`)"
        );
    }
}
