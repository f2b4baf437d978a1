//! The standard calculator: `{"expression": "2 + 2"}` to `{"status": "success", "result": 4, "expression": "2 + 2"}`.
//!
//! The expression comes from a language model, so two things matter more than features: an answer that looks exact is exact,
//! and no expression, however hostile, ends in anything but an answer or an error that says what to write instead. Hence a
//! small parser of its own rather than an evaluator crate: those at hand compute in `f64` alone or overflow at 64 bits, report
//! errors without a position, and bound neither depth nor the size of a power.
//!
//! Semantics follow Python, which models write by habit, with these differences:
//! - `^` is the power, like `**`. Both bind tighter than a minus on their left (`-2^2` is -4) and associate to the right.
//! - A whole result is printed as an integer, `6/2` and `sqrt(16)` included, up to 2^53, where `f64` stops counting by one.
//! - Integers are exact as far as 128 bits. A larger one becomes an `f64`, and the answer carries `"approximate": true`.
//! - What Python answers with `nan`, `inf` or a complex number is an error, because JSON has none of them.
//! - True and false are results, not numbers: they can be compared with `==` and `!=`, not added.
//!
//! Modules, in the order an expression passes them: [`lex`] to tokens, [`parse`] to steps of a stack machine, [`eval`] runs
//! them with the operators of [`number`] and the table of [`functions`]; [`fault`] is how any of them says no.

mod eval;
mod fault;
mod functions;
mod lex;
mod number;
mod parse;

use cortex_tool::Error;
use eval::Value;
use fault::Fault;
use number::Number;
use serde::{Deserialize, Serialize, Serializer};

/// Longest expression in bytes. Arithmetic that a person or a model writes is a few hundred; this leaves room for a long sum.
/// Tokens, steps and work are at most linear in it (no operator or function takes more than a few microseconds), so it is what
/// bounds them: the worst expressions found take a millisecond and two megabytes.
pub const LENGTH_MAX: usize = 10_000;

/// Deepest nesting of parentheses, calls, signs and powers, each of which recurses in the parser. The 512 KiB of stack that
/// wasmtime gives a component by default end between 600 and 900 levels, where a call would trap; nobody can read a hundred.
pub const DEPTH_MAX: usize = 100;

/// What the tool is asked.
#[derive(Debug, Deserialize)]
pub struct Input {
    /// The expression to evaluate.
    pub expression: String,
}

/// The answer, and the shape of an error as well: the original calculator's JSON.
#[derive(Debug, Serialize)]
#[serde(tag = "status", rename_all = "lowercase")]
enum Output {
    Success {
        result: Value,
        expression: String,
        /// Whether a whole number left the 128 bits in which integers are exact.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        approximate: bool,
    },
    Error {
        error: String,
        /// As it was asked, or its start if it was too long.
        expression: String,
    },
}

cortex_tool::export!(run);

/// Evaluates the expression.
pub fn run(input: Input) -> Result<impl Serialize, Error> {
    let Input { mut expression } = input;
    match answer(&expression) {
        Ok((result, approximate)) => Ok(Output::Success { result, expression, approximate }),
        Err(fault) => {
            let error = fault.sentence(&expression);
            if expression.len() > LENGTH_MAX {
                expression.truncate(expression.floor_char_boundary(fault::EXCERPT_MAX));
                expression.push('…');
            }
            Err(Error::new(fault.code(), &*error).with_data(&Output::Error { error, expression }))
        }
    }
}

fn answer(expression: &str) -> Result<(Value, bool), Fault> {
    if expression.len() > LENGTH_MAX {
        let length = expression.len();
        return Err(Fault::new(
            "too_long",
            format!("the expression has {length} bytes, more than the {LENGTH_MAX} allowed"),
        ));
    }
    let program = parse::parse(expression)?;
    eval::evaluate(&program)
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            Self::Boolean(boolean) => serializer.serialize_bool(boolean),
            Self::Number(Number::Real(real)) => match number::whole(real) {
                Some(integer) => serializer.serialize_i64(integer),
                None => serializer.serialize_f64(real),
            },
            // Written as digits, however many; a reader that keeps numbers in 64 bits has to round them itself.
            Self::Number(Number::Integer(integer)) => serializer.serialize_i128(integer),
        }
    }
}
