//! The input is the first argument and standard input, both the same JSON, and there is no second argument.

use std::io::Read;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    assert_eq!(arguments.len(), 2, "{arguments:?}");
    let mut stdin = String::new();
    std::io::stdin().read_to_string(&mut stdin).expect("standard input can be read to its end");
    assert_eq!(arguments[1], stdin);
    let input: serde_json::Value = serde_json::from_str(&stdin).expect("the input is JSON");
    println!("{}", serde_json::json!({ "name": arguments[0], "input": input }));
}
