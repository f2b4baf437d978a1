//! Asks the host for what its input lists, in that order, and answers with what came of each.

use std::time::Duration;

use cortex_tool::host::{self, Level, StateError, state};
use serde_json::{Value, json};

cortex_tool::export!(run);

fn run(input: Value) -> Result<Vec<Value>, cortex_tool::Error> {
    let calls = input["do"].as_array().cloned().unwrap_or_default();
    let answers: Vec<Value> = calls.iter().map(one).collect();
    let failed = answers.iter().find_map(|answer| answer["error"].as_str());
    match failed.filter(|_| input["tolerant"] != json!(true)) {
        Some(error) => Err(cortex_tool::Error::new("state", error)),
        None => Ok(answers),
    }
}

fn one(call: &Value) -> Value {
    let text = |at: usize| call[at].as_str();
    let bytes = |at: usize| match &call[at] {
        // So many bytes, without writing them into the input.
        Value::Number(count) => Some(vec![b'x'; count.as_u64().unwrap() as usize]),
        value => value.as_str().map(|text| text.as_bytes().to_vec()),
    };
    let key = text(1).unwrap_or_default();
    match text(0).unwrap() {
        "get" => answer(state::get(key).map(|value| json!(value.map(|value| String::from_utf8(value).unwrap())))),
        "set" => answer(state::set(key, &bytes(2).unwrap()).map(|()| json!(null))),
        "set for" => {
            let time = Duration::from_millis(call[3].as_u64().unwrap());
            answer(state::set_for(key, &bytes(2).unwrap(), time).map(|()| json!(null)))
        }
        "delete" => answer(state::delete(key).map(|()| json!(null))),
        "keys" => answer(state::keys().map(|keys| json!(keys))),
        "increment" => answer(state::increment(key, call[2].as_u64().unwrap()).map(|sum| json!(sum))),
        "swap" => {
            answer(state::compare_and_swap(key, bytes(2).as_deref(), bytes(3).as_deref()).map(|done| json!(done)))
        }
        "fill" => {
            let all = (0..call[1].as_u64().unwrap()).try_for_each(|number| state::set(&format!("{number:05}"), b""));
            answer(all.map(|()| json!(null)))
        }
        "log" => {
            let level = match text(1).unwrap() {
                "trace" => Level::Trace,
                "debug" => Level::Debug,
                "info" => Level::Info,
                "warn" => Level::Warn,
                "error" => Level::Error,
                _ => Level::Critical,
            };
            for _ in 0..call[4].as_u64().unwrap_or(1) {
                host::log(level, text(2).unwrap(), text(3).unwrap());
            }
            json!(null)
        }
        "progress" => {
            let done = call[1].as_f64().unwrap_or(f64::NAN);
            for _ in 0..call[4].as_u64().unwrap_or(1) {
                host::progress(done, call[2].as_f64(), text(3));
            }
            json!(null)
        }
        "secret" => json!(host::secret_exists(key)),
        "panic" => panic!("as asked"),
        other => panic!("nobody does `{other}`"),
    }
}

fn answer(done: Result<Value, StateError>) -> Value {
    done.unwrap_or_else(|error| json!({ "error": error.to_string() }))
}
