//! Compares with what Python answered to `python.tsv`, which `python.py` writes.

use calculator::{Input, run};
use serde_json::Value;

/// How many neighbouring reals apart two implementations of a function may be. Python calls the C library of the machine that
/// wrote the table, and either may be wrong in the last place; a chain of calls multiplies that.
const NEIGHBOURS_MAX: f64 = 8.0;

#[test]
fn python_agrees() {
    let mut wrong = Vec::new();
    for line in include_str!("python.tsv").lines().filter(|line| !line.starts_with('#')) {
        let (expression, expected) = line.split_once('\t').expect("two columns");
        let answer = match cortex_tool::call(&serde_json::json!({ "expression": expression }).to_string(), run) {
            Ok(answer) => serde_json::from_str::<Value>(&answer).expect("JSON")["result"].to_string(),
            Err(error) => error.code,
        };
        if !agrees(expression, &answer, expected) {
            wrong.push(format!("{expression} is {answer}, Python says {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn agrees(expression: &str, answer: &str, expected: &str) -> bool {
    match expected {
        "true" | "false" => answer == expected,
        "ZeroDivisionError" => matches!(answer, "division_by_zero" | "domain_error"),
        "ValueError" => answer == "domain_error",
        "OverflowError" => matches!(answer, "overflow" | "infinite"),
        number if number.parse::<i128>().is_ok() => answer == number,
        // Nothing rounds but the four operations, which IEEE 754 defines to the last bit.
        number if !expression.contains(|c: char| c.is_ascii_alphabetic()) && !expression.contains("**") => {
            near(answer, number, 0.0)
        }
        number => near(answer, number, NEIGHBOURS_MAX),
    }
}

fn near(answer: &str, expected: &str, neighbours: f64) -> bool {
    let (Ok(answer), Ok(expected)) = (answer.parse::<f64>(), expected.parse::<f64>()) else { return false };
    (answer - expected).abs() <= expected.abs() * f64::EPSILON * neighbours
}

#[test]
fn input_is_an_object_with_an_expression() {
    assert_eq!(run(Input { expression: "1".into() }).map(|_| ()), Ok(()));
    assert_eq!(cortex_tool::call(r#"{"expr": "1"}"#, run).expect_err("no expression").code, "invalid_input");
}
