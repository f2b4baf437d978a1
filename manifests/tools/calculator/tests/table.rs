//! What the calculator answers where Python does otherwise, and everything it says no to.

use calculator::{DEPTH_MAX, LENGTH_MAX, run};
use cortex_tool::Error;
use serde_json::{Value, json};

fn answer(expression: &str) -> Result<Value, Error> {
    let answer = cortex_tool::call(&json!({ "expression": expression }).to_string(), run)?;
    Ok(serde_json::from_str(&answer).expect("an answer is JSON"))
}

fn error(expression: &str) -> Error {
    match answer(expression) {
        Ok(answer) => panic!("`{expression}` is {answer}"),
        Err(error) => error,
    }
}

#[test]
fn the_answer_has_the_originals_shape() {
    let call = |input| cortex_tool::call(input, run);
    let success = r#"{"status":"success","result":13,"expression":"sqrt(16) + 3^2"}"#;
    assert_eq!(call(r#"{"expression": "sqrt(16) + 3^2"}"#), Ok(success.into()));
    let error = call(r#"{"expression": "1/0"}"#).expect_err("division by zero");
    assert_eq!(error.code, "division_by_zero");
    assert_eq!(error.message, "division by zero (column 2)");
    let data = r#"{"status":"error","error":"division by zero (column 2)","expression":"1/0"}"#;
    assert_eq!(error.data.as_deref(), Some(data));
}

#[test]
fn results_print_as_what_they_are() {
    for (expression, expected) in [
        ("6/2", "3"),
        ("7/2", "3.5"),
        ("sqrt(16)", "4"),
        ("-0.0", "0"),
        ("0.1 + 0.2", "0.30000000000000004"),
        ("2^53 - 1.0", "9007199254740991"),
        ("2.0^53", "9007199254740992.0"),
        ("1e300", "1e+300"),
        ("2^127 - 1 - 1", "1.7014118346046923e+38"),
        ("2^126 + (2^126 - 1)", "170141183460469231731687303715884105727"),
        ("-2^126 - 2^126", "-170141183460469231731687303715884105728"),
        ("10**38 / 10**37", "10"),
        ("log(1000, 10)", "3"),
        ("log10(1000)", "3"),
        ("log2(2**100)", "100"),
        ("1 < 2", "true"),
        ("2 < 1", "false"),
        ("3 ^ 2 ^ 2", "81"),
        ("2^-1", "0.5"),
        (" 1\t+\n2 ", "3"),
        ("007", "7"),
        ("round(2.5, -2**126 - 2**126)", "0"),
        ("round(2.5, 2**126)", "2.5"),
        ("1.e2 + 1E+2 + 1e-0", "201"),
    ] {
        let answer = answer(expression).expect(expression);
        assert_eq!(answer["result"].to_string(), expected, "{expression}");
    }
}

#[test]
fn an_integer_that_left_128_bits_is_said_to_be_approximate() {
    for (expression, approximate) in [
        ("2**127", true),
        ("10**19 * 10**19 * 10**19", true),
        ("2**127 > 5", true),
        ("-2**127", true),
        ("-(-2**126 - 2**126)", true),
        ("abs(-2**126 - 2**126)", true),
        ("gcd(-2**126 - 2**126, 0)", true),
        ("pow(10, 40)", true),
        ("factorial(34)", true),
        ("340282366920938463463374607431768211456", true),
        ("round(2**126 + (2**126 - 1), -38)", true),
        ("(-2**126 - 2**126) // -1", true),
        ("2**126", false),
        ("factorial(33)", false),
        ("pow(10, -3)", false),
        ("10**38 / 3", false),
        ("1e38 * 10", false),
        ("2.0**127", false),
        ("(-2**126 - 2**126) % -1", false),
        ("sqrt(2)", false),
    ] {
        let answer = answer(expression).expect(expression);
        assert_eq!(answer.get("approximate").is_some(), approximate, "{expression} is {answer}");
    }
}

#[test]
fn every_error_says_what_where_and_what_to_do() {
    for (expression, code, message) in [
        ("", "syntax_error", "the expression is empty"),
        ("  ", "syntax_error", "the expression is empty"),
        ("1 +", "syntax_error", "the expression ends too early (column 4)"),
        ("(1 + 2", "syntax_error", "`(` is never closed (column 1)"),
        ("max(1, 2", "syntax_error", "`(` is never closed (column 4)"),
        ("1)", "syntax_error", "`)` closes nothing (column 2)"),
        ("()", "syntax_error", "unexpected `)` (column 2)"),
        ("max(1,)", "syntax_error", "unexpected `)` (column 7)"),
        ("1 * / 2", "syntax_error", "unexpected `/` (column 5)"),
        ("2(3)", "syntax_error", "an operator is missing before `(` (column 2); multiplication needs `*`"),
        ("(2)(3)", "syntax_error", "an operator is missing before `(` (column 4); multiplication needs `*`"),
        ("2pi", "syntax_error", "an operator is missing before `pi` (column 2); multiplication needs `*`"),
        ("2e", "syntax_error", "an operator is missing before `e` (column 2); multiplication needs `*`"),
        ("pi(2)", "syntax_error", "`pi` is a number, not a function (column 1); multiplication needs `*`"),
        ("1 2", "syntax_error", "an operator is missing between two numbers (column 3)"),
        ("1,000 + 1", "syntax_error", "unexpected `,` (column 2); write 1000 or 1_000, not 1,000"),
        ("si", "unknown_name", "unknown name `si` (column 1); did you mean `pi`?"),
        ("1 = 1", "syntax_error", "unexpected `=` (column 3); write `==` to compare"),
        (
            "200 * 15%",
            "syntax_error",
            "the expression ends too early (column 10); `%` is the remainder; a percentage is a division by 100",
        ),
        ("sqrt 4", "syntax_error", "`sqrt` is a function (column 1); write `sqrt(…)`"),
        ("sqr(4)", "unknown_name", "unknown function `sqr` (column 1); did you mean `sqrt`?"),
        ("Pi", "unknown_name", "unknown name `Pi` (column 1); did you mean `pi`?"),
        ("ceiling(1.5)", "unknown_name", "unknown function `ceiling` (column 1); did you mean `ceil`?"),
        ("mod(7, 2)", "unknown_name", "unknown function `mod` (column 1); write `%` for the remainder"),
        ("sqrt()", "wrong_arguments", "`sqrt` takes 1 argument, not 0 (column 1)"),
        ("1 + atan2(1)", "wrong_arguments", "`atan2` takes 2 arguments, not 1 (column 5)"),
        ("log(1, 2, 3)", "wrong_arguments", "`log` takes 1 to 2 arguments, not 3 (column 1)"),
        ("max()", "wrong_arguments", "`max` takes at least 1 argument, not 0 (column 1)"),
        ("2 × 3", "syntax_error", "unexpected character `×` (column 3); write `*`"),
        ("ü + 1", "syntax_error", "unexpected character `ü` (column 1)"),
        ("'ä' + $", "syntax_error", "unexpected character `'` (column 1)"),
        (
            "math.sqrt(2)",
            "syntax_error",
            "unexpected character `.` (column 5); functions have no prefix: write `sqrt(2)`, not `math.sqrt(2)`",
        ),
        ("5!", "syntax_error", "unexpected character `!` (column 2); write `factorial(…)`, or `!=` to compare"),
        ("1.2.3", "syntax_error", "`1.2.` is not a number (column 1)"),
        ("1__0", "syntax_error", "`1__0` is not a number (column 1)"),
        ("1_", "syntax_error", "`1_` is not a number (column 1)"),
        ("1_e5", "syntax_error", "`1_e5` is not a number (column 1)"),
        ("0x", "syntax_error", "`0x` is not a number (column 1)"),
        ("0b12", "syntax_error", "`0b12` is not a number (column 1)"),
        ("0x_1", "syntax_error", "`0x_1` is not a number (column 1)"),
        (
            "0xffffffffffffffffffffffffffffffffff",
            "overflow",
            "`0xffffffffffffffffffffffffffffffffff` needs more than 128 bits (column 1)",
        ),
        ("1e999", "overflow", "the number is larger than 1.8e308 (column 1)"),
        ("1 + 2 / 0", "division_by_zero", "division by zero (column 7)"),
        ("1 % 0", "division_by_zero", "remainder of a division by zero (column 3)"),
        ("0 ** -1", "division_by_zero", "zero to a negative power divides by zero (column 3)"),
        ("sqrt(-1)", "domain_error", "`sqrt` is not defined for -1 (column 1)"),
        ("log(0)", "domain_error", "the logarithm of 0 is not defined (column 1); it takes a number above zero"),
        ("log(2, 1)", "domain_error", "1 is not the base of a logarithm (column 1)"),
        ("(-8) ** (1/3)", "domain_error", "`-8 ** 0.3333333333333333` is not defined (column 6)"),
        ("inf - inf", "domain_error", "`inf - inf` is not defined (column 5)"),
        ("factorial(2.5)", "domain_error", "`factorial` takes whole numbers, not 2.5 (column 1)"),
        (
            "gcd(1e30, 2)",
            "domain_error",
            "`gcd` takes whole numbers, not 1e30 (column 1); a number as large as that is no longer exact",
        ),
        ("factorial(-1)", "domain_error", "`factorial` is not defined for -1 (column 1)"),
        (
            "factorial(1e9)",
            "overflow",
            "`factorial(1000000000)` is too large (column 1); 170 is the last whose factorial is below 1.8e308",
        ),
        ("9**9**9", "overflow", "the result of `**` is larger than 1.8e308 (column 2)"),
        ("1e308 * 10", "overflow", "the result of `*` is larger than 1.8e308 (column 7)"),
        ("inf", "infinite", "the result is infinite, which JSON cannot express"),
        ("(1 < 2) + 1", "type_error", "`+` takes numbers, not true (column 9)"),
        ("-(1 < 2)", "type_error", "`-` takes numbers, not true (column 1)"),
        ("max(1, 2 < 1)", "type_error", "`max` takes numbers, not false (column 1)"),
        (
            "(1 < 2) == 1",
            "type_error",
            "true and false have no order and equal no number (column 9); compare them with each other, by `==` or `!=`",
        ),
    ] {
        let error = error(expression);
        assert_eq!((error.code.as_str(), error.message.as_str()), (code, message), "{expression}");
        let data: Value = serde_json::from_str(&error.data.expect("data")).expect("data is JSON");
        assert_eq!(data, json!({"status": "error", "error": message, "expression": expression}));
    }
}

#[test]
fn a_long_expression_is_shown_around_the_mistake() {
    let expression = format!("{} + sqr(2) + {}", "1 + ".repeat(30) + "1", "1 + ".repeat(30) + "1");
    let expected = "unknown function `sqr` (column 125, near `+ 1 + 1 + 1 + sqr(2) + 1 + 1`); did you mean `sqrt`?";
    assert_eq!(error(&expression).message, expected);
    for name in ["x".into(), "y".repeat(5000)] {
        let message = error(&name).message;
        assert!(message.starts_with("unknown name `") && message.len() < 300, "{message}");
        assert!(message.ends_with("; the names are sqrt cbrt exp ln log log2 log10 pow sin cos tan asin acos atan atan2 sinh cosh tanh degrees radians hypot abs sign floor ceil trunc round min max gcd factorial pi e tau inf"), "{message}");
    }
}

#[test]
fn length_is_bounded() {
    let sum = |length| format!("1{}", "+1".repeat(length / 2));
    assert_eq!(answer(&sum(LENGTH_MAX - 1)).expect("just under")["result"].to_string(), "5000");
    let error = error(&sum(LENGTH_MAX));
    assert_eq!(error.code, "too_long");
    assert!(error.data.expect("data").len() < 300, "the expression is not echoed");
    assert_eq!(self::error(&"(".repeat(1_000_000)).code, "too_long");
    assert_eq!(self::error(&"ä".repeat(LENGTH_MAX)).code, "too_long");
}

#[test]
fn depth_is_bounded_whatever_nests() {
    // How many of these fit is one less where the innermost operand is a level of its own.
    for (open, close) in
        [("(", ")"), ("-", ""), ("+", ""), ("2^", ""), ("1-(", ")"), ("abs(", ")"), ("max(1,", ")"), ("1<(", "<2)")]
    {
        let nested = |depth: usize| format!("{}1{}", open.repeat(depth), close.repeat(depth));
        let error = error(&nested(DEPTH_MAX));
        assert_eq!(error.code, "too_deep", "{open}");
        let under = answer(&nested(DEPTH_MAX - 1)).map_err(|error| error.code);
        assert!(!matches!(under.as_ref().map_err(String::as_str), Err("too_deep")), "{open}: {under:?}");
    }
}

#[test]
fn no_expression_panics() {
    // Every string of up to four of these; a panic fails the test.
    let pieces =
        ["1", "0", ".", "e", "-", "**", "/", "%", "(", ")", ",", "<", "=", "_", "x", "max(", "inf", "'", "é", " "];
    let mut expressions = vec![String::new()];
    for _ in 0..4 {
        let longer = expressions.iter().flat_map(|start| pieces.map(|piece| format!("{start}{piece}")));
        expressions = longer.collect();
        for expression in &expressions {
            match answer(expression) {
                Ok(answer) => assert_eq!(answer["status"], "success"),
                Err(error) => assert!(error.data.is_some() && !error.code.is_empty(), "{expression}"),
            }
        }
    }
}
