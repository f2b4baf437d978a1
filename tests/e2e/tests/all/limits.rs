//! What a call may use. Each limit is met by the same guest just under it, which answers, and just over it, which ends with
//! the limit's own ending and a message that names its value.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use cortex_runtime::CallOptions;
use cortex_sandbox::{Allocation, Call, Ending, Grants, Limits, Outcome, Overrides, Sandbox};
use guest_artifacts as guests;
use serde_json::{Value, json};

use crate::host::{self, Tools, block_on, brief, invoke_function, said};

macro_rules! assert_test_exists {
    ($name:ident) => {
        #[expect(unused_imports, reason = "only here to make sure that it exists")]
        use self::$name as _;
    };
}
guest_artifacts::foreach_limit!(assert_test_exists);

const PAGE: u64 = 64 * 1024;

/// Long enough for any guest here on a slow machine, and forever as far as a test is concerned.
const HOUR: Duration = Duration::from_hours(1);

/// Limits that nothing here reaches, to change one of.
const AMPLE: Limits = Limits { fuel: u64::MAX / 2, timeout: HOUR, ..Limits::DEFAULT };

fn answer(outcome: &Outcome) -> Value {
    assert_eq!(outcome.ending, Ending::Success, "{}", brief(outcome));
    serde_json::from_str(outcome.result.as_ref().expect("an answer").get()).unwrap()
}

fn ended(outcome: &Outcome, ending: Ending, message: &str) {
    let error = outcome.error.as_ref().unwrap_or_else(|| panic!("it did not fail: {}", brief(outcome)));
    assert_eq!((outcome.ending, error.message.as_str()), (ending, message), "{}", brief(outcome));
    assert!(outcome.result.is_none(), "{}", brief(outcome));
}

/// A limit that has no ending of its own.
fn reached(outcome: &Outcome, limit: &str, message: &str) {
    ended(outcome, Ending::LimitExceeded, message);
    let error = outcome.error.as_ref().unwrap();
    assert_eq!(error.details.as_ref().unwrap()["limit"], limit);
    let hint = format!("raise `implementation.resources.{limit}` in the manifest");
    assert_eq!(error.hint.as_ref(), Some(&hint));
}

mod limit_spins {
    use super::*;

    #[test]
    fn fuel_lets_a_call_do_as_much_as_it_pays_for_and_no_more() {
        let rounds =
            |rounds: u64, fuel| host::invoke(guests::LIMIT_SPINS, json!({"rounds": rounds}), &Limits { fuel, ..AMPLE });
        let fuel = rounds(100_000, AMPLE.fuel).usage.fuel;
        assert_eq!(answer(&rounds(100_000, fuel)), json!(100_000), "the same call costs the same");
        let over = rounds(100_100, fuel);
        ended(&over, Ending::OutOfFuel, &format!("used up its {fuel} units of fuel"));
        assert_eq!(over.error.unwrap().hint.unwrap(), "raise `implementation.resources.fuel` in the manifest");
        assert!(over.usage.fuel >= fuel, "{} of {fuel}", over.usage.fuel);
    }

    #[test]
    fn a_deadline_ends_a_call_that_computes() {
        let timeout = Duration::from_millis(50);
        let outcome = host::invoke(guests::LIMIT_SPINS, json!({}), &Limits { timeout, ..AMPLE });
        ended(&outcome, Ending::DeadlineExceeded, "still running after 50ms");
        assert_eq!(outcome.error.unwrap().hint.unwrap(), "raise `implementation.resources.timeout` in the manifest");
        let outcome = host::invoke(guests::LIMIT_SPINS, json!({"rounds": 1000}), &AMPLE);
        assert_eq!(answer(&outcome), json!(1000));
    }

    /// The deadlines of other calls pass again and again while this one goes on, on the same engine and the same thread.
    ///
    /// Attack: calls whose time is over beside one whose time is not
    /// Ends: `success` of the other
    #[test]
    fn the_deadline_of_one_call_ends_no_other() {
        let sandbox = Sandbox::new(Allocation::Pooled { calls: 2 }).unwrap();
        let (spins, sleeps) = (host::load(&sandbox, guests::LIMIT_SPINS), host::load(&sandbox, guests::LIMIT_SLEEPS));
        let (grants, short) = (Arc::new(Grants::none()), Limits { timeout: Duration::from_millis(10), ..AMPLE });
        let (forever, a_while) = (json!({}), json!({"ms": 300}));
        let call = |input, limits| Call::new("guest", input, limits, &grants);
        // Whether a deadline passes while the long call goes on is up to the machine, so it is tried until one does.
        let mut passed = 0;
        while passed == 0 {
            let long = block_on(async {
                let long = sandbox.invoke(&sleeps, call(&a_while, &AMPLE));
                tokio::pin!(long);
                loop {
                    tokio::select! {
                        outcome = &mut long => break outcome,
                        outcome = sandbox.invoke(&spins, call(&forever, &short)) => {
                            ended(&outcome, Ending::DeadlineExceeded, "still running after 10ms");
                            passed += 1;
                        }
                    }
                }
            });
            assert_eq!(answer(&long), json!(300));
        }
    }

    /// The pool has room for one call: the second one only starts once the first has really gone.
    ///
    /// Attack: cancellation in the middle of a computation
    /// Ends: at once, and its place in the pool is free
    #[test]
    fn a_call_that_the_caller_gives_up_stops() {
        let sandbox = Sandbox::new(Allocation::Pooled { calls: 1 }).unwrap();
        let spins = host::load(&sandbox, guests::LIMIT_SPINS);
        let (forever, once, grants) = (json!({}), json!({"rounds": 1}), Arc::new(Grants::none()));
        let call = |input| Call::new("guest", input, &AMPLE, &grants);
        block_on(async {
            let mut first = Box::pin(sandbox.invoke(&spins, call(&forever)));
            // Polled until its first epoch tick: from then on it runs.
            assert!(poll_once(&mut first).await.is_none(), "a call without end has ended");
            let full = sandbox.invoke(&spins, call(&once)).await;
            assert_eq!(full.ending, Ending::BackendUnavailable, "{}", brief(&full));
            assert_eq!(full.error.unwrap().hint.unwrap(), "make fewer calls at the same time");
            drop(first);
            assert_eq!(answer(&sandbox.invoke(&spins, call(&once)).await), json!(1));
        });
    }

    async fn poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
        tokio::select! {
            biased;
            output = future => Some(output),
            () = std::future::ready(()) => None,
        }
    }

    #[test]
    fn a_call_may_lower_a_limit_and_not_raise_it() {
        let tools = Tools::new();
        tools.add("spins", guests::LIMIT_SPINS, &[("rounds", "integer")], "fuel: 10M, timeout: 30m", "");
        let with = |fuel, timeout| CallOptions {
            limits: Overrides { fuel, timeout, ..Overrides::default() },
            ..CallOptions::default()
        };
        let as_it_is = tools.call("spins", json!({}));
        assert_eq!(as_it_is.ending, Ending::OutOfFuel);
        assert!(said(&as_it_is).contains("used up its 10000000 units of fuel"), "{}", said(&as_it_is));

        let lower = tools.call_with("spins", json!({}), with(Some(9_999_999), None));
        assert_eq!(lower.ending, Ending::OutOfFuel);
        assert!(said(&lower).contains("used up its 9999999 units of fuel"), "{}", said(&lower));

        let raised = tools.call_with("spins", json!({"rounds": 1}), with(Some(10_000_001), None));
        assert_eq!((raised.ending, raised.usage.fuel), (Ending::InvalidInput, 0));
        assert_eq!(
            said(&raised),
            "invalid_input: the call asks for a fuel of 10000001, above the tool's own limit of 10000000 \
             (a call may only lower a limit; raise `implementation.resources.fuel` in the manifest)"
        );

        let raised = tools.call_with("spins", json!({"rounds": 1}), with(None, Some(HOUR)));
        assert_eq!(raised.ending, Ending::InvalidInput);
        assert!(said(&raised).contains("a timeout of 3600s, above the tool's own limit of 1800s"), "{}", said(&raised));

        let same = tools.call_with("spins", json!({"rounds": 1}), with(Some(10_000_000), Some(HOUR / 2)));
        assert_eq!(same.ending, Ending::Success, "{:?}", same.error);
    }

    #[test]
    fn a_manifest_may_ask_for_as_much_as_the_operator_allows() {
        let ceiling = Limits { fuel: 1_000_000, timeout: Duration::from_secs(5), ..Limits::CEILING };
        let tools = Tools::with(|settings| cortex_runtime::Settings { ceiling, ..settings });
        let parameters = &[("rounds", "integer")];
        tools.add("at_the_ceiling", guests::LIMIT_SPINS, parameters, "fuel: 1M, timeout: 5", "");
        tools.add("above_the_ceiling", guests::LIMIT_SPINS, parameters, "fuel: 1_000_001, timeout: 5", "");
        assert_eq!(tools.call("at_the_ceiling", json!({"rounds": 1})).ending, Ending::Success);
        let above = tools.call("above_the_ceiling", json!({"rounds": 1}));
        assert_eq!((above.ending, above.usage.fuel), (Ending::Denied, 0));
        assert_eq!(
            said(&above),
            "denied: the manifest asks for a fuel of 1000001, above the operator's ceiling of 1000000 \
             (lower `implementation.resources.fuel` in the manifest)"
        );
    }

    /// An operator who allows less than the defaults means it for tools that ask for nothing, too.
    #[test]
    fn a_manifest_that_asks_for_nothing_gets_no_more_than_the_operator_allows() {
        let ceiling = Limits { fuel: 1_000_000, ..Limits::CEILING };
        let tools = Tools::with(|settings| cortex_runtime::Settings { ceiling, ..settings });
        tools.add("spins", guests::LIMIT_SPINS, &[("rounds", "integer")], "timeout: 1h", "");
        let execution = tools.call("spins", json!({}));
        assert_eq!(execution.ending, Ending::OutOfFuel);
        assert!(said(&execution).contains("used up its 1000000 units of fuel"), "{}", said(&execution));
    }
}

mod limit_sleeps {
    use super::*;

    #[test]
    fn a_deadline_ends_a_call_that_waits_in_the_host() {
        let sleep =
            |ms: u64, timeout| host::invoke(guests::LIMIT_SLEEPS, json!({"ms": ms}), &Limits { timeout, ..AMPLE });
        assert_eq!(answer(&sleep(1, HOUR)), json!(1));
        let outcome = sleep(24 * 3600 * 1000, Duration::from_millis(30));
        ended(&outcome, Ending::DeadlineExceeded, "still running after 30ms");
        assert!(outcome.usage.fuel < 10_000_000, "it waited and did not compute: {}", outcome.usage.fuel);
    }
}

mod limit_start_spins {
    use super::*;

    /// Attack: computing before the call, while the component is instantiated
    /// Ends: `out_of_fuel`
    #[test]
    fn what_runs_before_the_call_pays_with_the_call_s_fuel() {
        let outcome = host::invoke(guests::LIMIT_START_SPINS, json!({}), &Limits { fuel: 1_000_000, ..AMPLE });
        ended(&outcome, Ending::OutOfFuel, "used up its 1000000 units of fuel");
    }

    #[test]
    fn what_runs_before_the_call_has_the_call_s_deadline() {
        let timeout = Duration::from_millis(30);
        let outcome = host::invoke(guests::LIMIT_START_SPINS, json!({}), &Limits { timeout, ..AMPLE });
        ended(&outcome, Ending::DeadlineExceeded, "still running after 30ms");
    }
}

/// Calls a guest with exactly the memory that it uses, and then with a byte less.
fn exact_memory(guest: &str, input: &Value) {
    let call = |memory_bytes| host::invoke(guest, input.clone(), &Limits { memory_bytes, ..AMPLE });
    let peak = call(AMPLE.memory_bytes).usage.memory_peak_bytes;
    let same = call(peak);
    answer(&same);
    assert_eq!(same.usage.memory_peak_bytes, peak);
    let over = call(peak - 1);
    let message = format!("asked for {peak} bytes of memory and tables in all, the limit is {}", peak - 1);
    ended(&over, Ending::MemoryExceeded, &message);
    assert_eq!(over.error.unwrap().hint.unwrap(), "raise `implementation.resources.memory` in the manifest");
}

mod limit_allocates {
    use super::*;

    #[test]
    fn memory_is_bounded_to_the_byte() {
        exact_memory(guests::LIMIT_ALLOCATES, &json!({"bytes": 10_000_000}));
    }

    /// Attack: a memory bomb in one memory
    /// Ends: `memory_exceeded`
    #[test]
    fn a_call_that_asks_for_more_memory_than_there_is_ends_at_once() {
        let outcome = host::invoke(guests::LIMIT_ALLOCATES, json!({"bytes": 2_000_000_000}), &Limits::DEFAULT);
        assert_eq!(outcome.ending, Ending::MemoryExceeded);
        assert!(outcome.usage.memory_peak_bytes <= Limits::DEFAULT.memory_bytes);
    }

    #[test]
    fn a_manifest_and_a_call_set_the_memory() {
        let tools = Tools::new();
        tools.add("allocates", guests::LIMIT_ALLOCATES, &[("bytes", "integer")], "memory: 8M", "");
        assert_eq!(tools.call("allocates", json!({"bytes": 4 << 20})).ending, Ending::Success);
        let over = tools.call("allocates", json!({"bytes": 8 << 20}));
        assert_eq!(over.ending, Ending::MemoryExceeded);
        assert!(said(&over).contains("the limit is 8388608"), "{}", said(&over));
        let limits = Overrides { memory_bytes: Some(3 << 20), ..Overrides::default() };
        let lower =
            tools.call_with("allocates", json!({"bytes": 4 << 20}), CallOptions { limits, ..CallOptions::default() });
        assert!(said(&lower).contains("the limit is 3145728"), "{}", said(&lower));
    }
}

mod limit_memories {
    use super::*;

    fn grow(pages: u64, memory_bytes: u64) -> Outcome {
        host::invoke(guests::LIMIT_MEMORIES, json!({"pages": pages}), &Limits { memory_bytes, ..AMPLE })
    }

    /// wasmtime's own limiter would give each of the eight memories as much.
    #[test]
    fn memory_is_bounded_over_all_memories_of_a_call() {
        assert_eq!(answer(&grow(0, 8 << 20)), json!(8));
        let message = "asked for 8388608 bytes of memory and tables in all, the limit is 8388607";
        ended(&grow(0, (8 << 20) - 1), Ending::MemoryExceeded, message);
    }

    /// Attack: a memory bomb spread over eight memories
    /// Ends: `memory_exceeded`
    #[test]
    fn growth_is_bounded_over_all_memories_of_a_call() {
        let grown = (8 << 20) + 8 * PAGE;
        assert_eq!(answer(&grow(1, grown)), json!(8));
        let message = format!("asked for {grown} bytes of memory and tables in all, the limit is {}", grown - 1);
        ended(&grow(1, grown - 1), Ending::MemoryExceeded, &message);
    }
}

mod limit_tables {
    use super::*;

    /// An element of a table takes a pointer on the host.
    ///
    /// Attack: a memory bomb in eight tables
    /// Ends: `memory_exceeded`
    #[test]
    fn tables_count_as_memory() {
        let grow = |elements: u64, memory_bytes| {
            host::invoke(guests::LIMIT_TABLES, json!({"elements": elements}), &Limits { memory_bytes, ..AMPLE })
        };
        let grown = 8 * (1000 + 500) * 8;
        assert_eq!(answer(&grow(500, grown)), json!(8));
        let message = format!("asked for {grown} bytes of memory and tables in all, the limit is {}", grown - 1);
        ended(&grow(500, grown - 1), Ending::MemoryExceeded, &message);
        exact_memory(guests::LIMIT_TABLES, &json!({"elements": 0}));
    }
}

mod limit_own_maximum {
    use super::*;

    /// Beyond its own maximum a memory does not grow, whatever the limits: the guest is told and goes on.
    #[test]
    fn a_maximum_of_the_guest_s_own_is_no_limit_of_the_host_s() {
        let grow = |function: &str, name: &str, by: u64| {
            answer(&invoke_function(guests::LIMIT_OWN_MAXIMUM, Some(function), json!({name: by}), &AMPLE))
        };
        assert_eq!((grow("memory", "pages", 3), grow("memory", "pages", 4)), (json!(1), json!(-1)));
        assert_eq!((grow("table", "elements", 3), grow("table", "elements", 4)), (json!(1), json!(-1)));
        let outcome = invoke_function(guests::LIMIT_OWN_MAXIMUM, Some("memory"), json!({"pages": 4}), &AMPLE);
        assert_eq!(outcome.usage.memory_peak_bytes, PAGE + 8, "what was refused was not used");
    }
}

/// Calls a guest that has nine of something with room for nine, and then for eight.
fn nine_parts(guest: &str) {
    let call = |instances| host::invoke(guest, json!({}), &Limits { instances, ..AMPLE });
    assert_eq!(answer(&call(9)), json!(42));
    let over = call(8);
    assert_eq!(over.ending, Ending::MemoryExceeded, "{}", brief(&over));
    let error = over.error.unwrap();
    assert!(error.message.contains('8'), "the message names the limit: {}", error.message);
}

mod limit_instances {
    use super::*;

    /// Attack: core instances, memories and tables without number
    /// Ends: `memory_exceeded`
    #[test]
    fn core_instances_are_bounded() {
        nine_parts(guests::LIMIT_INSTANCES);
    }
}

mod limit_memory_count {
    use super::*;

    #[test]
    fn memories_are_bounded_in_number() {
        nine_parts(guests::LIMIT_MEMORY_COUNT);
    }
}

mod limit_table_count {
    use super::*;

    #[test]
    fn tables_are_bounded_in_number() {
        nine_parts(guests::LIMIT_TABLE_COUNT);
    }
}

mod limit_recurses {
    use super::*;

    #[test]
    fn the_stack_is_bounded_and_its_end_is_a_trap() {
        let down = |depth: u64| host::invoke(guests::LIMIT_RECURSES, json!({"depth": depth}), &AMPLE);
        assert_eq!(answer(&down(100)), json!(100));
        let outcome = down(10_000_000);
        assert_eq!(outcome.ending, Ending::Trap, "{}", brief(&outcome));
    }
}

mod limit_prints {
    use super::*;

    fn prints(result: u64, log: u64, output_bytes: usize) -> Outcome {
        let input = json!({"result": result, "log": log});
        host::invoke(guests::LIMIT_PRINTS, input, &Limits { output_bytes, ..AMPLE })
    }

    #[test]
    fn the_result_of_a_command_is_bounded_to_the_byte() {
        assert_eq!(answer(&prints(100_000, 0, 100_000)).as_str().unwrap().len(), 99_998);
        let over = prints(100_001, 0, 100_000);
        ended(&over, Ending::OutputExceeded, "the result has at least 100001 bytes, the limit is 100000");
        assert!(over.error.unwrap().hint.unwrap().contains("raise `implementation.resources.output` in the manifest"));
    }

    #[test]
    fn a_command_that_prints_without_end_is_stopped_at_the_limit() {
        let over = prints(50_000_000, 0, 100_000);
        ended(&over, Ending::OutputExceeded, "the result has at least 100001 bytes, the limit is 100000");
        assert!(over.stdout.text.len() <= 100_000);
    }

    #[test]
    fn the_log_of_a_command_is_cut_off_and_the_command_goes_on() {
        let outcome = prints(10, 1000, 1000);
        assert_eq!((outcome.stderr.text.len(), outcome.stderr.dropped_bytes), (1000, 0));
        let outcome = prints(10, 2_000_000, 1000);
        assert_eq!((outcome.stderr.text.len(), outcome.stderr.dropped_bytes), (1000, 1_999_000));
        assert_eq!(answer(&outcome), json!("xxxxxxxx"));
    }

    #[test]
    fn a_manifest_and_a_call_set_the_output() {
        let tools = Tools::new();
        tools.add("prints", guests::LIMIT_PRINTS, &[("result", "integer")], "output: 1000", "");
        assert_eq!(tools.call("prints", json!({"result": 1000})).ending, Ending::Success);
        assert_eq!(tools.call("prints", json!({"result": 1001})).ending, Ending::OutputExceeded);
        let limits = Overrides { output_bytes: Some(999), ..Overrides::default() };
        let lower =
            tools.call_with("prints", json!({"result": 1000}), CallOptions { limits, ..CallOptions::default() });
        assert!(said(&lower).contains("the result has at least 1000 bytes, the limit is 999"), "{}", said(&lower));
    }
}

mod limit_returns {
    use super::*;

    fn returns(input: Value, output_bytes: usize) -> Outcome {
        host::invoke(guests::LIMIT_RETURNS, input, &Limits { output_bytes, ..AMPLE })
    }

    #[test]
    fn the_result_of_a_tool_is_bounded_to_the_byte() {
        assert_eq!(answer(&returns(json!({"result": 100_000}), 100_000)).as_str().unwrap().len(), 99_998);
        let over = returns(json!({"result": 100_001}), 100_000);
        ended(&over, Ending::OutputExceeded, "the result has at least 100001 bytes, the limit is 100000");
    }

    /// The data of an error stands in place of the result.
    #[test]
    fn the_data_of_an_error_is_bounded_as_a_result_is() {
        let under = returns(json!({"data": 100_000}), 100_000);
        assert_eq!((under.ending, under.result.unwrap().get().len()), (Ending::ToolError, 100_000));
        let over = returns(json!({"data": 100_001}), 100_000);
        ended(&over, Ending::OutputExceeded, "the result has at least 100001 bytes, the limit is 100000");
    }

    #[test]
    fn the_message_of_an_error_is_cut_off() {
        let outcome = returns(json!({"data": 2, "message": 1_000_000}), 100_000);
        assert_eq!(outcome.ending, Ending::ToolError);
        assert_eq!(outcome.error.unwrap().message, format!("{}…", "x".repeat(4096)));
    }

    /// A result is copied out of the guest in one host call, which has a limit of its own.
    #[test]
    fn a_result_far_above_the_limit_is_told_in_the_same_words() {
        for bytes in [10_000_000, 100_000_000] {
            let limits = Limits { output_bytes: 1_000_000, memory_bytes: 4 << 30, ..AMPLE };
            let over = host::invoke(guests::LIMIT_RETURNS, json!({"result": bytes}), &limits);
            assert_eq!(over.ending, Ending::OutputExceeded, "{}", brief(&over));
            let message = over.error.unwrap().message;
            assert!(message.ends_with("the limit is 1000000"), "{message}");
        }
    }
}

mod limit_logs {
    use super::*;

    #[test]
    fn what_a_tool_writes_past_the_limit_is_counted_and_thrown_away() {
        let logs = |stdout: u64, stderr: u64| {
            let input = json!({"stdout": stdout, "stderr": stderr});
            let outcome = host::invoke(guests::LIMIT_LOGS, input, &Limits { output_bytes: 5000, ..AMPLE });
            assert_eq!(answer(&outcome), json!("done"));
            let (out, err) = (outcome.stdout, outcome.stderr);
            [out.text.len() as u64, out.dropped_bytes, err.text.len() as u64, err.dropped_bytes]
        };
        assert_eq!(logs(5000, 5000), [5000, 0, 5000, 0]);
        assert_eq!(logs(5001, 5002), [5000, 1, 5000, 2]);
        assert_eq!(logs(3_000_000, 7), [5000, 2_995_000, 7, 0]);
    }
}

mod limit_handles {
    use super::*;

    #[test]
    fn handles_on_the_host_are_bounded() {
        let open = |count: u64| {
            host::invoke(guests::LIMIT_HANDLES, json!({"count": count}), &Limits { handles: 300, ..AMPLE })
        };
        // One of these is two entries in the host's table: the moment and the wait for it. std keeps some open as well.
        assert_eq!(answer(&open(140)), json!(140));
        let over = open(150);
        reached(&over, "handles", "more than 300 handles open at once: the limit `handles`");
    }
}

mod limit_random {
    use super::*;

    #[test]
    fn random_bytes_are_bounded_over_the_whole_call() {
        let limits = Limits { random_bytes: 1000, ..AMPLE };
        let random = |bytes: u64, times: u64| {
            host::invoke(guests::LIMIT_RANDOM, json!({"bytes": bytes, "times": times}), &limits)
        };
        let within = random(100, 9);
        assert_eq!(answer(&within), json!(900));
        // std takes some for itself.
        assert!((900..=1000).contains(&within.usage.random_bytes), "{:?}", within.usage);
        for (bytes, times) in [(1001, 1), (100, 11), (1 << 40, 1)] {
            reached(&random(bytes, times), "random", "more than 1000 random bytes: the limit `random`");
        }
    }
}

mod limit_copies {
    use super::*;

    /// Attack: one call of the host with more bytes than it copies
    /// Ends: `limit_exceeded`
    #[test]
    fn what_one_host_call_copies_out_of_the_guest_is_bounded() {
        let copies = |bytes: u64| host::invoke(guests::LIMIT_COPIES, json!({"bytes": bytes}), &AMPLE);
        assert_eq!(answer(&copies(15 << 20)), json!(15 << 20));
        let over = copies(17 << 20);
        reached(&over, "copy", "one host call that copies more than 16777216 bytes: the limit `copy`");
    }
}

/// The host refuses an input before the guest sees it. The size is that of the JSON text.
#[test]
fn an_input_is_bounded_to_the_byte() {
    let limits = Limits { input_bytes: 1000, ..AMPLE };
    // `{"text":"…"}` is 11 bytes and the text.
    let send =
        |bytes: usize| host::invoke(guests::CONTRACT_TOOL_ANSWERS, json!({"text": "x".repeat(bytes - 11)}), &limits);
    assert_eq!(answer(&send(1000))["input"]["text"].as_str().unwrap().len(), 989);
    let over = send(1001);
    ended(&over, Ending::InvalidInput, "the input has 1001 bytes, the limit is 1000");
    assert_eq!(over.usage.fuel, 0);
}
