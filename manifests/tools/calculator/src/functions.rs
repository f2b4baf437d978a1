//! The table of functions and constants: what each takes, and how it is computed.

use crate::fault::Fault;
use crate::number::{Number, Operator, truncate};
use std::cmp::Ordering;

/// The constants by name.
const CONSTANTS: [(&str, f64); 4] =
    [("pi", std::f64::consts::PI), ("e", std::f64::consts::E), ("tau", std::f64::consts::TAU), ("inf", f64::INFINITY)];

/// A function of the calculator.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) name: &'static str,
    /// Fewest and most arguments.
    pub(crate) arity: (usize, usize),
    body: Body,
}

#[derive(Debug)]
enum Body {
    /// An operator by another name.
    Operator(Operator),
    /// Takes one real; NaN outside of its domain.
    Real(fn(f64) -> f64),
    /// Takes any numbers, and answers integers with a real only where there is no integer.
    Numbers(fn(&[Number]) -> Result<Number, Fault>),
    /// Takes any numbers, and answers integers with an integer, or with a real if it does not fit.
    Exact(fn(&[Number]) -> Result<Number, Fault>),
}

const ANY: usize = usize::MAX;

static FUNCTIONS: [Function; 31] = [
    real("sqrt", libm::sqrt),
    real("cbrt", libm::cbrt),
    real("exp", libm::exp),
    numbers("ln", (1, 1), |n| logarithm(n[0], None)),
    numbers("log", (1, 2), |n| logarithm(n[0], n.get(1).copied())),
    numbers("log2", (1, 1), |n| logarithm(n[0], Some(Number::Integer(2)))),
    numbers("log10", (1, 1), |n| logarithm(n[0], Some(Number::Integer(10)))),
    Function { name: "pow", arity: (2, 2), body: Body::Operator(Operator::Power) },
    real("sin", libm::sin),
    real("cos", libm::cos),
    real("tan", libm::tan),
    real("asin", libm::asin),
    real("acos", libm::acos),
    real("atan", libm::atan),
    numbers("atan2", (2, 2), |n| Ok(Number::Real(libm::atan2(n[0].real(), n[1].real())))),
    real("sinh", libm::sinh),
    real("cosh", libm::cosh),
    real("tanh", libm::tanh),
    real("degrees", f64::to_degrees),
    real("radians", f64::to_radians),
    numbers("hypot", (1, ANY), |n| Ok(Number::Real(n.iter().fold(0.0, |sum, n| libm::hypot(sum, n.real()))))),
    exact("abs", (1, 1), |n| Ok(absolute(n[0]))),
    exact("sign", (1, 1), |n| Ok(Number::Integer(n[0].compare(Number::Integer(0)) as i128))),
    exact("floor", (1, 1), |n| Ok(to_whole(n[0], libm::floor))),
    exact("ceil", (1, 1), |n| Ok(to_whole(n[0], libm::ceil))),
    exact("trunc", (1, 1), |n| Ok(to_whole(n[0], libm::trunc))),
    exact("round", (1, 2), |n| round(n[0], n.get(1).copied())),
    exact("min", (1, ANY), |n| Ok(first_by(n, Ordering::Less))),
    exact("max", (1, ANY), |n| Ok(first_by(n, Ordering::Greater))),
    exact("gcd", (1, ANY), greatest_common_divisor),
    exact("factorial", (1, 1), |n| factorial(n[0])),
];

const fn real(name: &'static str, body: fn(f64) -> f64) -> Function {
    Function { name, arity: (1, 1), body: Body::Real(body) }
}

const fn numbers(name: &'static str, arity: (usize, usize), body: fn(&[Number]) -> Result<Number, Fault>) -> Function {
    Function { name, arity, body: Body::Numbers(body) }
}

const fn exact(name: &'static str, arity: (usize, usize), body: fn(&[Number]) -> Result<Number, Fault>) -> Function {
    Function { name, arity, body: Body::Exact(body) }
}

impl Function {
    pub(crate) fn apply(&self, arguments: &[Number]) -> Result<Number, Fault> {
        match self.body {
            Body::Operator(operator) => operator.apply(arguments[0], arguments[1]),
            Body::Real(body) => Ok(Number::Real(body(arguments[0].real()))),
            Body::Numbers(body) | Body::Exact(body) => body(arguments),
        }
    }

    /// Whether integers have an integer as their answer, so that a real can only mean that it did not fit.
    pub(crate) fn is_exact(&self, arguments: &[Number]) -> bool {
        match self.body {
            Body::Operator(operator) => operator.is_exact(arguments[1]),
            Body::Real(_) | Body::Numbers(_) => false,
            Body::Exact(_) => true,
        }
    }
}

pub(crate) fn constant(name: &str) -> Option<f64> {
    CONSTANTS.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}

pub(crate) fn function(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name)
}

/// What to write instead of an unknown name.
pub(crate) fn suggestion(name: &str) -> String {
    let names = || FUNCTIONS.iter().map(|function| function.name).chain(CONSTANTS.iter().map(|(name, _)| *name));
    let name = name.to_ascii_lowercase();
    if name == "mod" {
        return "write `%` for the remainder".into();
    }
    // `ceiling` and `fact` are further from `ceil` and `factorial` than from nothing at all, yet start alike.
    let starts_alike =
        |known: &&str| known.len() > 2 && name.len() > 2 && (name.starts_with(known) || known.starts_with(&name));
    // A name of one letter is a variable, and one letter away from `e`.
    let distance_max = if name.len() > 3 { 2 } else { name.len() / 2 };
    // No known name is longer than ten letters, so the distance to a very long one needs no computing.
    let nearest = || {
        let near = |known: &'static str| (distance(known.as_bytes(), name.as_bytes()), known);
        let nearest = if name.len() > 12 { None } else { names().map(near).min() };
        nearest.filter(|(distance, _)| *distance <= distance_max).map(|(_, known)| known)
    };
    match nearest().or_else(|| names().find(starts_alike)) {
        Some(known) => format!("did you mean `{known}`?"),
        None => names().fold("the names are".into(), |list, known| list + " " + known),
    }
}

/// The number of letters to insert, drop or change to get from one name to the other (Levenshtein).
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, to) in b.iter().enumerate() {
            let change = diagonal + usize::from(from != to);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

fn absolute(number: Number) -> Number {
    match number {
        Number::Integer(integer) => integer.checked_abs().map_or(Number::Real(number.real().abs()), Number::Integer),
        Number::Real(real) => Number::Real(real.abs()),
    }
}

fn to_whole(number: Number, body: fn(f64) -> f64) -> Number {
    match number {
        Number::Integer(_) => number,
        Number::Real(real) => Number::from_whole(body(real)),
    }
}

/// The smallest or the largest; the first of those that are equal, as Python has it.
fn first_by(numbers: &[Number], ordering: Ordering) -> Number {
    numbers[1..].iter().fold(numbers[0], |best, next| if next.compare(best) == ordering { *next } else { best })
}

/// The natural logarithm, or the one to a base. The common bases have routines of their own that are exact where the quotient
/// of two natural logarithms is not: `log(1000, 10)` is 3, for which Python says 2.9999999999999996.
fn logarithm(number: Number, base: Option<Number>) -> Result<Number, Fault> {
    let real = number.real();
    if real <= 0.0 {
        return Err(
            Fault::domain(format!("the logarithm of {number} is not defined")).hint("it takes a number above zero")
        );
    }
    let Some(base) = base else { return Ok(Number::Real(libm::log(real))) };
    match base.real() {
        2.0 => Ok(Number::Real(libm::log2(real))),
        10.0 => Ok(Number::Real(libm::log10(real))),
        1.0 | ..=0.0 => Err(Fault::domain(format!("{base} is not the base of a logarithm"))),
        base => Ok(Number::Real(libm::log(real) / libm::log(base))),
    }
}

/// A whole argument, also where it was computed as a real: `gcd(sqrt(16), 6)`.
fn whole_argument(function: &str, number: Number) -> Result<i128, Fault> {
    number.integer().ok_or_else(|| {
        let fault = Fault::domain(format!("`{function}` takes whole numbers, not {number}"));
        if number.real().fract() == 0.0 { fault.hint("a number as large as that is no longer exact") } else { fault }
    })
}

fn greatest_common_divisor(numbers: &[Number]) -> Result<Number, Fault> {
    let mut divisor = 0_u128;
    for number in numbers {
        let mut other = whole_argument("gcd", *number)?.unsigned_abs();
        while other != 0 {
            (divisor, other) = (other, divisor % other);
        }
    }
    // 2^127 alone does not fit; it is a power of two, so the real is exact as well.
    Ok(i128::try_from(divisor).map_or_else(|_| Number::Real(-Number::Integer(i128::MIN).real()), Number::Integer))
}

/// Exact as far as 33!, which is the last in 128 bits; 170! is the last that `f64` holds.
fn factorial(number: Number) -> Result<Number, Fault> {
    const EXACT_END: i128 = 34;
    const END: i128 = 171;
    let n = whole_argument("factorial", number)?;
    match n {
        ..0 => return Err(Fault::domain(format!("`factorial` is not defined for {n}"))),
        END.. => {
            let message = format!("`factorial({n})` is too large");
            return Err(Fault::new("overflow", message).hint("170 is the last whose factorial is below 1.8e308"));
        }
        _ => {}
    }
    let exact: i128 = (2..=n.min(EXACT_END - 1)).product();
    if n < EXACT_END {
        return Ok(Number::Integer(exact));
    }
    // The product as the sum of two reals, the second holding what rounding took from the first: a plain product would lose
    // a bit in each of the up to 137 multiplications.
    let mut high = Number::Integer(exact).real();
    let mut low = truncate(high).map_or(0.0, |rounded| Number::Integer(exact - rounded).real());
    for factor in EXACT_END..=n {
        let factor = Number::Integer(factor).real();
        let product = high * factor;
        low = libm::fma(high, factor, -product) + low * factor;
        high = product + low;
        low -= high - product;
    }
    Ok(Number::Real(high))
}

/// Python's `round`: to the even neighbour when the decimal is exactly between two, judged on the exact value of the `f64`.
fn round(number: Number, digits: Option<Number>) -> Result<Number, Fault> {
    // The smallest f64 is 5e-324: there is nothing to round after as many digits that would show in the result.
    const DIGITS_MAX: i128 = 324;
    let digits = digits.map_or(Ok(0), |digits| whole_argument("round", digits))?.clamp(-DIGITS_MAX, DIGITS_MAX);
    match number {
        Number::Integer(integer) if digits < 0 => Ok(round_integer(integer, digits, false)),
        Number::Integer(_) => Ok(number),
        Number::Real(real) if real.is_infinite() || digits >= DIGITS_MAX => Ok(number),
        Number::Real(real) if digits == 0 => Ok(Number::from_whole(libm::rint(real))),
        Number::Real(real) if digits < 0 => match truncate(libm::floor(real)) {
            Some(floor) => Ok(round_integer(floor, digits, real.fract() != 0.0)),
            None => Err(Fault::domain("`round` to tens takes numbers of 128 bits")),
        },
        Number::Real(real) => {
            let digits = usize::try_from(digits).unwrap_or_default();
            // Formatting rounds the exact decimal value, ties to even, which no arithmetic with powers of ten does.
            Ok(Number::Real(format!("{real:.digits$}").parse().unwrap_or(real)))
        }
    }
}

/// Rounds `integer`, plus a fraction if there is one, to a multiple of 10^-digits. `digits` is negative.
fn round_integer(integer: i128, digits: i128, fraction: bool) -> Number {
    let places = u32::try_from(-digits).unwrap_or(u32::MAX);
    // Half of 10^39 is more than any integer here.
    let Some(unit) = 10_i128.checked_pow(places) else { return Number::Integer(0) };
    let (quotient, remainder) = (integer.div_euclid(unit), integer.rem_euclid(unit));
    let up = match remainder.cmp(&(unit - remainder)) {
        // The fraction is below 1 and half the unit is whole, so it cannot make up the difference.
        Ordering::Less => false,
        Ordering::Equal => fraction || quotient % 2 != 0,
        Ordering::Greater => true,
    };
    let quotient = quotient + i128::from(up);
    let real = || Number::Real(Number::Integer(quotient).real() * Number::Integer(unit).real());
    quotient.checked_mul(unit).map_or_else(real, Number::Integer)
}
