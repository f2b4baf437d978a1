//! How a component sees a call, and what the host makes of what it answers.

use std::sync::Arc;

use cortex_sandbox::{Allocation, Call, Ending, Grants, Limits, Outcome, Sandbox};
use guest_artifacts as guests;
use serde_json::{Value, json};

use crate::host::{self, Tools, block_on, brief, said};

macro_rules! assert_test_exists {
    ($name:ident) => {
        #[expect(unused_imports, reason = "only here to make sure that it exists")]
        use self::$name as _;
    };
}
guest_artifacts::foreach_contract!(assert_test_exists);

fn call(guest: &str, input: Value) -> Outcome {
    host::invoke(guest, input, &Limits::DEFAULT)
}

fn result(outcome: &Outcome) -> Value {
    assert_eq!(outcome.ending, Ending::Success, "{}", brief(outcome));
    serde_json::from_str(outcome.result.as_ref().expect("an answer").get()).unwrap()
}

fn message(outcome: &Outcome) -> &str {
    &outcome.error.as_ref().expect("the call failed").message
}

fn hint(outcome: &Outcome) -> &str {
    outcome.error.as_ref().and_then(|error| error.hint.as_deref()).unwrap_or_default()
}

mod contract_command_input {
    use super::*;

    #[test]
    fn a_command_sees_its_input_as_its_argument_and_as_standard_input() {
        let input =
            json!({"text": "two\nlines, \"quotes\", `$(rm)`, ünï¢ødé 🦀 and \u{0}", "list": [1, 2.5, null, {}]});
        let outcome = call(guests::CONTRACT_COMMAND_INPUT, input.clone());
        assert_eq!(result(&outcome), json!({"name": "guest", "input": input}));
    }

    /// Linux refuses an argument of 128 KiB; a sandbox does not.
    #[test]
    fn an_argument_may_be_as_long_as_an_input_may_be() {
        let input = json!({"text": "x".repeat(1_000_000)});
        let outcome = call(guests::CONTRACT_COMMAND_INPUT, input.clone());
        assert_eq!(result(&outcome)["input"], input);
    }
}

mod contract_command_ends {
    use super::*;

    fn ends(code: u8, stdout: &str, stderr: &str) -> Outcome {
        call(guests::CONTRACT_COMMAND_ENDS, json!({"code": code, "stdout": stdout, "stderr": stderr}))
    }

    #[test]
    fn standard_output_is_the_result_as_it_was_written() {
        let outcome = ends(0, " {\"b\": 1.10, \"a\": 12345678901234567890123}\n", "");
        assert_eq!(outcome.ending, Ending::Success);
        assert_eq!(outcome.result.unwrap().get(), "{\"b\": 1.10, \"a\": 12345678901234567890123}");
        assert_eq!(outcome.stdout.text, "", "what became the result is not told twice");
    }

    #[test]
    fn standard_error_is_kept_beside_the_result() {
        let outcome = ends(0, "1", "one\ntwo\n");
        assert_eq!(result(&outcome), json!(1));
        assert_eq!(outcome.stderr.text, "one\ntwo\n");
    }

    #[test]
    fn a_command_may_have_nothing_to_say() {
        for nothing in ["", "\n", " \t\r\n"] {
            let outcome = ends(0, nothing, "");
            assert_eq!((outcome.ending, outcome.result.is_none()), (Ending::Success, true), "{nothing:?}");
        }
    }

    #[test]
    fn an_answer_that_is_not_json_is_invalid_output_and_is_shown() {
        for answer in ["Hello, world!\n", "{\"a\": 1} {\"b\": 2}", "{\"a\": ", "NaN", "'text'"] {
            let outcome = ends(0, answer, "");
            assert_eq!(outcome.ending, Ending::InvalidOutput, "{answer}");
            assert_eq!(outcome.stdout.text, answer);
            assert!(outcome.result.is_none());
            assert!(message(&outcome).starts_with("the result is not JSON: "), "{}", message(&outcome));
            assert!(hint(&outcome).contains("standard output"), "{}", hint(&outcome));
        }
    }

    #[test]
    fn a_command_that_fails_says_why_in_its_json() {
        for answer in [json!({"error": "no such city"}), json!({"message": "no such city"}), json!("no such city")] {
            let outcome = ends(1, &answer.to_string(), "log\n");
            assert_eq!(outcome.ending, Ending::ToolError);
            assert_eq!(message(&outcome), "no such city");
            assert_eq!(outcome.result.unwrap().get(), answer.to_string());
        }
    }

    #[test]
    fn a_command_that_fails_without_json_says_why_in_its_last_line_of_standard_error() {
        let outcome = ends(1, "half an answ", "first\nno such city\n\n");
        assert_eq!(outcome.ending, Ending::ToolError);
        assert_eq!(message(&outcome), "no such city");
        assert_eq!(outcome.stdout.text, "half an answ");
        assert_eq!(outcome.stderr.text, "first\nno such city\n\n");
        assert!(outcome.result.is_none());
    }

    #[test]
    fn a_command_that_fails_without_a_word_is_told_by_its_exit_code() {
        assert_eq!(message(&ends(1, "", "")), "exited with code 1");
    }

    /// `std::process::exit` knows more codes than the function of WASI 0.2 that it calls: failure is 1.
    #[test]
    fn a_code_of_std_that_is_not_zero_is_one() {
        for code in [1, 2, 7, 255] {
            let error = ends(code, "", "").error.unwrap();
            assert_eq!((error.code.as_str(), error.exit_code), ("tool_error", Some(1)), "{code}");
        }
    }
}

mod contract_command_exit_code {
    use super::*;

    #[test]
    fn a_command_ends_with_the_code_that_it_chooses() {
        for code in [1, 2, 7, 119, 255] {
            let outcome = call(guests::CONTRACT_COMMAND_EXIT_CODE, json!({"code": code}));
            assert_eq!(outcome.ending, Ending::ToolError, "{}", brief(&outcome));
            assert_eq!(outcome.error.unwrap().exit_code, Some(code));
        }
        let outcome = call(guests::CONTRACT_COMMAND_EXIT_CODE, json!({"code": 0}));
        assert_eq!(outcome.ending, Ending::Success);
    }
}

mod contract_command_panics {
    use super::*;

    #[test]
    fn a_panic_is_a_trap_with_its_last_words() {
        let outcome = call(guests::CONTRACT_COMMAND_PANICS, json!({}));
        assert_eq!(outcome.ending, Ending::Trap);
        assert!(message(&outcome).starts_with("crashed: "), "{}", message(&outcome));
        assert!(hint(&outcome).contains("the well is dry"), "{}", hint(&outcome));
        assert_eq!(outcome.stdout.text, "\"half an answer\"\n", "it is no result, but it was said");
        assert!(outcome.result.is_none());
        assert!(outcome.stderr.text.starts_with("about to fail\n"), "{}", outcome.stderr.text);
    }
}

mod contract_command_isolated {
    use super::*;

    /// Attack: files, sockets, name lookup, programs and variables without a grant
    /// Ends: `success`: the guest itself asserts that all of it fails
    #[test]
    fn a_command_without_grants_reaches_no_file_no_network_and_no_variable() {
        assert_eq!(result(&call(guests::CONTRACT_COMMAND_ISOLATED, json!({}))), json!({}));
    }

    #[test]
    fn a_command_sees_the_variables_of_its_manifest_and_no_others() {
        let tools = Tools::new();
        let variables = "environment: { variables: { GREETING: \"good day\", RETRIES: 3 } }\n";
        tools.add("isolated", guests::CONTRACT_COMMAND_ISOLATED, &[], "", variables);
        let execution = tools.call("isolated", json!({}));
        let result: Value = serde_json::from_str(execution.result.as_ref().unwrap().get()).unwrap();
        assert_eq!(result, json!({"GREETING": "good day", "RETRIES": "3"}));
    }
}

mod contract_tool_answers {
    use super::*;

    fn answers(input: Value) -> Outcome {
        call(guests::CONTRACT_TOOL_ANSWERS, input)
    }

    #[test]
    fn a_tool_is_called_with_its_input_and_answers_with_a_value() {
        let input = json!({"text": "ünï¢ødé 🦀 \u{0}\"", "number": 1.5, "deep": [[[{"a": null}]]]});
        assert_eq!(result(&answers(input.clone())), json!({"input": input, "variables": []}));
    }

    #[test]
    fn what_a_tool_prints_is_a_log() {
        let outcome = answers(json!({"stdout": "{\"not\": \"the result\"}", "stderr": "a warning"}));
        assert_eq!(outcome.stdout.text, "{\"not\": \"the result\"}\n");
        assert_eq!(outcome.stderr.text, "a warning\n");
        assert_eq!(result(&outcome)["input"]["stderr"], "a warning");
    }

    #[test]
    fn an_error_of_a_tool_has_its_code_its_message_and_its_data() {
        let outcome =
            answers(json!({"code": "no_such_city", "message": "there is no `Ur`", "data": "{\"near\":[\"Uruk\"]}"}));
        assert_eq!(outcome.ending, Ending::ToolError);
        let error = outcome.error.unwrap();
        assert_eq!((error.code.as_str(), error.message.as_str()), ("no_such_city", "there is no `Ur`"));
        assert_eq!((error.exit_code, error.details), (None, None));
        assert_eq!(outcome.result.unwrap().get(), "{\"near\":[\"Uruk\"]}");
    }

    #[test]
    fn an_error_of_a_tool_may_have_no_data() {
        let outcome = answers(json!({"code": "no_such_city", "message": "there is no `Ur`"}));
        assert_eq!((outcome.ending, outcome.result.is_none()), (Ending::ToolError, true));
    }

    #[test]
    fn data_of_an_error_that_is_not_json_is_a_detail() {
        let outcome = answers(json!({"code": "odd", "message": "odd", "data": "not JSON"}));
        assert_eq!((outcome.ending, outcome.result.is_none()), (Ending::ToolError, true));
        assert_eq!(outcome.error.unwrap().details, Some(json!("not JSON")));
    }

    #[test]
    fn a_panic_is_a_trap_with_its_last_words() {
        let outcome = answers(json!({"panic": "the well is dry"}));
        assert_eq!(outcome.ending, Ending::Trap);
        assert!(hint(&outcome).contains("the well is dry"), "{}", hint(&outcome));
    }

    #[test]
    fn a_tool_sees_the_variables_of_its_manifest() {
        let tools = Tools::new();
        let variables = "environment: { variables: { GREETING: good day } }\n";
        tools.add("answers", guests::CONTRACT_TOOL_ANSWERS, &[], "", variables);
        let execution = tools.call("answers", json!({}));
        let result: Value = serde_json::from_str(execution.result.as_ref().unwrap().get()).unwrap();
        assert_eq!(result["variables"], json!([["GREETING", "good day"]]));
    }

    #[test]
    fn an_input_that_breaks_the_schema_never_starts_the_tool() {
        let tools = Tools::new();
        tools.add("answers", guests::CONTRACT_TOOL_ANSWERS, &[("stderr", "string")], "", "");
        let execution = tools.call("answers", json!({"stderr": 1}));
        assert_eq!(execution.ending, Ending::InvalidInput);
        assert!(said(&execution).contains("/stderr"), "{}", said(&execution));
        assert_eq!((execution.stderr.text.as_str(), execution.usage.fuel), ("", 0));
    }
}

mod contract_tool_remembers {
    use super::*;

    #[test]
    fn every_call_is_the_first_of_its_instance() {
        for number in 0..10 {
            let outcome = call(guests::CONTRACT_TOOL_REMEMBERS, json!({"number": number}));
            assert_eq!(result(&outcome), json!({"calls": 1, "last": null, "file": null, "input": {"number": number}}));
        }
    }

    /// With fewer slots than calls, so that every slot of the pool is used again by another call.
    ///
    /// Attack: finding another call in memory, globals or files, four at a time in four slots
    /// Ends: `success`: nothing is there
    #[test]
    fn calls_at_the_same_time_share_nothing() {
        let sandbox = Sandbox::new(Allocation::Pooled { calls: 4 }).unwrap();
        let component = host::load(&sandbox, guests::CONTRACT_TOOL_REMEMBERS);
        let lanes = 4;
        let lane = |lane: u64| {
            let (sandbox, component) = (&sandbox, &component);
            async move {
                for round in 0..50 {
                    let input = json!({"lane": lane, "round": round});
                    let (limits, grants) = (Limits::DEFAULT, Arc::new(Grants::none()));
                    let call = Call::new("guest", &input, &limits, &grants);
                    let outcome = sandbox.invoke(component, call).await;
                    let expected = json!({"calls": 1, "last": null, "file": null, "input": input});
                    assert_eq!(result(&outcome), expected);
                }
            }
        };
        std::thread::scope(|scope| {
            for number in 0..lanes {
                scope.spawn(move || block_on(lane(number)));
            }
        });
    }
}

mod contract_tool_hostile {
    use super::*;

    fn hostile(case: u64) -> Outcome {
        // Little fuel: two of the cases have no end.
        host::invoke(
            guests::CONTRACT_TOOL_HOSTILE,
            json!({"case": case}),
            &Limits { fuel: 100_000_000, ..Limits::DEFAULT },
        )
    }

    #[test]
    fn the_guest_answers_when_it_means_to() {
        assert_eq!(result(&hostile(0)), json!(7));
    }

    #[test]
    fn a_result_that_is_not_json_is_invalid_output() {
        let outcome = hostile(1);
        assert_eq!(outcome.ending, Ending::InvalidOutput);
        assert_eq!(message(&outcome), "the result is not JSON: expected ident at line 1 column 2");
    }

    /// Attack: results of the tool contract outside of memory, not aligned, not UTF-8, of no case
    /// Ends: `trap`
    #[test]
    fn a_result_that_breaks_the_canonical_abi_is_a_trap() {
        for (case, why) in [
            (2, "a result past the end of memory"),
            (3, "a result that is not aligned"),
            (4, "a string across the end of memory"),
            (5, "a string of 4 GiB"),
            (6, "a string that is not UTF-8"),
            (7, "neither `ok` nor `err`"),
        ] {
            let outcome = hostile(case);
            assert_eq!((outcome.ending, outcome.result.is_none()), (Ending::Trap, true), "{why}: {}", brief(&outcome));
            assert!(message(&outcome).starts_with("crashed: "), "{why}: {}", message(&outcome));
        }
    }

    #[test]
    fn an_input_that_is_sent_past_the_end_of_memory_is_a_trap() {
        assert_eq!(hostile(100).ending, Ending::Trap);
    }

    #[test]
    fn recursion_without_end_overflows_the_stack_of_the_guest_alone() {
        let outcome = hostile(8);
        assert_eq!(outcome.ending, Ending::Trap);
        assert!(message(&outcome).contains("call stack exhausted"), "{}", message(&outcome));
    }

    /// The host cleans up after an answer by calling the guest once more, under the same limits.
    ///
    /// Attack: a right answer and a clean-up without end
    /// Ends: `out_of_fuel`
    #[test]
    fn a_clean_up_without_end_is_stopped() {
        assert_eq!(hostile(9).ending, Ending::OutOfFuel);
    }
}

mod contract_start_traps {
    use super::*;

    #[test]
    fn a_crash_before_the_call_is_a_crash_of_the_call() {
        let outcome = call(guests::CONTRACT_START_TRAPS, json!({}));
        assert_eq!(outcome.ending, Ending::Trap);
        assert!(message(&outcome).contains("unreachable"), "{}", message(&outcome));
    }
}

/// Components that cannot be called at all, each by path.
fn refused(guest: &str) -> (Ending, String) {
    guest_artifacts::check(guest);
    let execution = Tools::new().call(guest, json!({}));
    assert_eq!(execution.usage.fuel, 0, "nothing ran");
    (execution.ending, said(&execution))
}

mod contract_core_module {
    use super::*;

    #[test]
    fn a_core_module_is_told_how_it_becomes_a_component() {
        let (ending, said) = refused(guests::CONTRACT_CORE_MODULE);
        assert_eq!(ending, Ending::BuildFailed);
        assert!(said.contains("a core WebAssembly module, not a component"), "{said}");
        assert!(said.contains("wasm-tools component new"), "{said}");
    }
}

mod contract_exports_nothing {
    use super::*;

    #[test]
    fn a_component_without_anything_to_call_says_what_could_be_called() {
        let (ending, said) = refused(guests::CONTRACT_EXPORTS_NOTHING);
        assert_eq!(ending, Ending::BuildFailed);
        assert!(said.contains("exports neither `wasi:cli/run`, `cortex:tool/handler` nor a function"), "{said}");
    }
}

mod contract_imports_unknown {
    use super::*;

    /// Attack: an import that no host interface provides
    /// Ends: `denied` before anything runs
    #[test]
    fn an_import_that_nobody_provides_is_denied_by_name() {
        let (ending, said) = refused(guests::CONTRACT_IMPORTS_UNKNOWN);
        assert_eq!(ending, Ending::Denied);
        assert!(said.contains("imports `acme:rockets/pad@1.0.0`, which this host does not provide"), "{said}");
        assert!(said.contains("wasi:cli@0.2"), "{said}");
    }
}

mod contract_imports_mistyped {
    use super::*;

    #[test]
    fn a_known_import_of_another_type_does_not_link() {
        let (ending, said) = refused(guests::CONTRACT_IMPORTS_MISTYPED);
        assert_eq!(ending, Ending::BuildFailed);
        assert!(said.contains("the component's imports do not match the host's interfaces"), "{said}");
        assert!(said.contains("get-random-u64"), "{said}");
    }
}

mod contract_imports_types {
    use super::*;

    #[test]
    fn an_import_of_types_alone_asks_for_nothing() {
        assert_eq!(result(&call(guests::CONTRACT_IMPORTS_TYPES, json!({}))), json!(42));
    }
}

#[test]
fn bytes_that_are_no_wasm_are_not_compiled() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tool.wasm");
    fs_err::write(&path, "#!/bin/sh\necho pwned\n").unwrap();
    let execution = Tools::new().call(path.to_str().unwrap(), json!({}));
    assert_eq!(execution.ending, Ending::BuildFailed);
    assert!(said(&execution).contains("not a valid WebAssembly component"), "{}", said(&execution));
}

#[test]
fn a_component_that_was_cut_off_is_not_compiled() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tool.wasm");
    let whole = guest_artifacts::read(guests::CONTRACT_TOOL_ANSWERS);
    fs_err::write(&path, &whole[..whole.len() / 2]).unwrap();
    let execution = Tools::new().call(path.to_str().unwrap(), json!({}));
    assert_eq!(execution.ending, Ending::BuildFailed);
    assert!(said(&execution).contains("not a valid WebAssembly component"), "{}", said(&execution));
}
