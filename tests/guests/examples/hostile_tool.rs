//! Answers too much: the input's `attack` says what, `count` how much of it.

use serde_json::{Value, json};

fn run(input: Value) -> Result<Value, cortex_tool::Error> {
    let count = usize::try_from(input["count"].as_u64().unwrap_or(1_000_000)).unwrap();
    let many = || "x".repeat(count);
    match input["attack"].as_str().unwrap() {
        "result" => Ok(json!(many())),
        "message" => Err(cortex_tool::Error::new("code", many())),
        "code" => Err(cortex_tool::Error::new(many(), "message")),
        "data" => Err(cortex_tool::Error { data: Some(many()), ..cortex_tool::Error::new("code", "message") }),
        "all" => Err(cortex_tool::Error { data: Some(many()), ..cortex_tool::Error::new(many(), many()) }),
        // The last words of a tool that crashes.
        "panic" => {
            eprintln!("{}", many());
            panic!("{}", many());
        }
        "deep data" => {
            let data = "[".repeat(count) + &"]".repeat(count);
            Err(cortex_tool::Error { data: Some(data), ..cortex_tool::Error::new("code", "message") })
        }
        "input" => Ok(json!(input.to_string().len())),
        attack => panic!("there is no attack `{attack}`"),
    }
}

cortex_tool::export!(run);
