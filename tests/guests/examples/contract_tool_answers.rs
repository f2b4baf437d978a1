//! Answers, fails, panics and logs as its input says.

use cortex_tool::Error;
use serde_json::Value;

fn run(input: Value) -> Result<Value, Error> {
    let text = |name: &str| input[name].as_str();
    if let Some(line) = text("stdout") {
        println!("{line}");
    }
    if let Some(line) = text("stderr") {
        eprintln!("{line}");
    }
    if let Some(message) = text("panic") {
        panic!("{message}");
    }
    if let Some(code) = text("code") {
        let mut error = Error::new(code, text("message").unwrap_or_default());
        error.data = text("data").map(ToOwned::to_owned);
        return Err(error);
    }
    assert_eq!(std::env::args().count(), 0, "a tool has no arguments");
    assert_eq!(std::io::read_to_string(std::io::stdin()).unwrap(), "", "a tool's standard input is empty");
    Ok(serde_json::json!({ "input": input, "variables": std::env::vars().collect::<Vec<_>>() }))
}

cortex_tool::export!(run);
