//! Numbers and their operators: integers exact as far as 128 bits, `f64` for the rest.
//!
//! An operator on two integers answers with an integer if the exact answer is one and fits, and with a real otherwise. It
//! does not say which of the two reasons applied; [`Operator::is_exact`] does, and the machine marks the answer by it.

use crate::fault::Fault;
use std::cmp::Ordering;
use std::fmt;

/// A number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    Integer(i128),
    /// Never NaN: the machine turns that into an error. Infinite only if the expression says `inf`.
    Real(f64),
}

impl Number {
    /// The nearest real.
    pub(crate) fn real(self) -> f64 {
        match self {
            Self::Integer(integer) => nearest(integer),
            Self::Real(real) => real,
        }
    }

    /// The number as an integer, if it is one beyond doubt: `sqrt(16)` is, `1e300` is not.
    pub(crate) fn integer(self) -> Option<i128> {
        match self {
            Self::Integer(integer) => Some(integer),
            Self::Real(real) => whole(real).map(i128::from),
        }
    }

    /// A real without fraction as an integer, where it fits; `floor` and its like answer with this.
    pub(crate) fn from_whole(real: f64) -> Self {
        truncate(real).map_or(Self::Real(real), Self::Integer)
    }

    /// Compares by value, without rounding an integer to a real first: `2**53 + 1 > 2.0**53`.
    pub(crate) fn compare(self, other: Self) -> Ordering {
        match (self, other) {
            (Self::Integer(a), Self::Integer(b)) => a.cmp(&b),
            (Self::Integer(a), Self::Real(b)) => compare(a, b),
            (Self::Real(a), Self::Integer(b)) => compare(b, a).reverse(),
            // Neither is NaN; `partial_cmp` rather than `total_cmp` because 0 equals -0.
            (Self::Real(a), Self::Real(b)) => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(integer) => integer.fmt(f),
            // `Debug` writes 1e300 where `Display` writes three hundred zeros.
            Self::Real(real) => write!(f, "{real:?}"),
        }
    }
}

/// 2^53: below it every whole `f64` is the only integer it can stand for.
const WHOLE_END: f64 = 9_007_199_254_740_992.0;

/// The real as an integer, if it has no fraction and is below 2^53.
pub(crate) fn whole(real: f64) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "the value is whole and below 2^53")]
    (real.abs() < WHOLE_END && real.fract() == 0.0).then_some(real as i64)
}

/// The real without its fraction, if that fits in 128 bits.
pub(crate) fn truncate(real: f64) -> Option<i128> {
    const LIMIT: f64 = 170_141_183_460_469_231_731_687_303_715_884_105_728.0;
    #[expect(clippy::cast_possible_truncation, reason = "cutting the fraction off is the purpose, and the value fits")]
    (real.abs() < LIMIT).then_some(real as i128)
}

#[expect(clippy::cast_precision_loss, reason = "rounding to the nearest real is the purpose")]
fn nearest(integer: i128) -> f64 {
    integer as f64
}

fn compare(integer: i128, real: f64) -> Ordering {
    match truncate(real) {
        Some(truncated) => integer.cmp(&truncated).then(0.0_f64.partial_cmp(&real.fract()).unwrap_or(Ordering::Equal)),
        None if real > 0.0 => Ordering::Less,
        None => Ordering::Greater,
    }
}

/// An operator between two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    FloorDivide,
    Remainder,
    Power,
}

impl Operator {
    pub(crate) fn symbol(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::FloorDivide => "//",
            Self::Remainder => "%",
            Self::Power => "**",
        }
    }

    /// Whether integers have an integer as their answer, so that a real can only mean that it did not fit.
    pub(crate) fn is_exact(self, right: Number) -> bool {
        match self {
            Self::Add | Self::Subtract | Self::Multiply | Self::FloorDivide | Self::Remainder => true,
            Self::Divide => false,
            Self::Power => right.compare(Number::Integer(0)).is_ge(),
        }
    }

    /// The answer; NaN where there is none, and infinite where it is too large.
    pub(crate) fn apply(self, left: Number, right: Number) -> Result<Number, Fault> {
        let zero = right.compare(Number::Integer(0)).is_eq();
        match self {
            Self::Divide | Self::FloorDivide if zero => return Err(Fault::division_by_zero("division by zero")),
            Self::Remainder if zero => return Err(Fault::division_by_zero("remainder of a division by zero")),
            Self::Power if left.real() == 0.0 && right.real() < 0.0 => {
                return Err(Fault::division_by_zero("zero to a negative power divides by zero"));
            }
            _ => {}
        }
        if let (Number::Integer(a), Number::Integer(b)) = (left, right)
            && let Some(exact) = self.apply_to_integers(a, b)
        {
            return Ok(Number::Integer(exact));
        }
        Ok(Number::Real(match (self, left, right) {
            (Self::Divide, Number::Integer(a), Number::Integer(b)) => nearest_quotient(a, b),
            _ => self.apply_to_reals(left.real(), right.real()),
        }))
    }

    /// `None` if the answer is no integer or does not fit. A divisor is not zero.
    fn apply_to_integers(self, a: i128, b: i128) -> Option<i128> {
        match self {
            Self::Add => a.checked_add(b),
            Self::Subtract => a.checked_sub(b),
            Self::Multiply => a.checked_mul(b),
            Self::Divide => a.checked_div(b).filter(|_| a.wrapping_rem(b) == 0),
            Self::FloorDivide => a.checked_div(b).map(|quotient| quotient - i128::from(floored_remainder(a, b).1)),
            Self::Remainder => Some(floored_remainder(a, b).0),
            Self::Power => match u32::try_from(b) {
                Ok(exponent) => a.checked_pow(exponent),
                // These three alone have large powers that fit.
                Err(_) if b > 0 && matches!(a, -1..=1) => Some(if b % 2 == 0 { a * a } else { a }),
                Err(_) => None,
            },
        }
    }

    fn apply_to_reals(self, a: f64, b: f64) -> f64 {
        match self {
            Self::Add => a + b,
            Self::Subtract => a - b,
            Self::Multiply => a * b,
            Self::Divide => a / b,
            Self::FloorDivide => floored_division(a, b).0,
            Self::Remainder => floored_division(a, b).1,
            Self::Power => libm::pow(a, b),
        }
    }
}

/// The real nearest to a quotient of integers, as in Python: rounding either of them first could be off by one in the last place.
/// `a` is no multiple of `b`, or the quotient is the one that does not fit, so the loop always has a remainder to feed on.
fn nearest_quotient(a: i128, b: i128) -> f64 {
    // A real has 53 bits. Two more, of which the last also stands for everything behind it, decide how to round to them.
    const QUOTIENT_MIN: u128 = 1 << 55;
    if whole(nearest(a)).is_some() && whole(nearest(b)).is_some() {
        return nearest(a) / nearest(b);
    }
    let divisor = b.unsigned_abs();
    let (mut quotient, mut remainder) = (a.unsigned_abs() / divisor, a.unsigned_abs() % divisor);
    let mut exponent = 0;
    while quotient < QUOTIENT_MIN {
        remainder <<= 1;
        let bit = remainder >= divisor;
        remainder -= if bit { divisor } else { 0 };
        quotient = quotient << 1 | u128::from(bit);
        exponent -= 1;
    }
    #[expect(clippy::cast_precision_loss, reason = "rounding to the nearest real is the purpose")]
    let rounded = libm::ldexp((quotient | u128::from(remainder != 0)) as f64, exponent);
    if (a < 0) == (b < 0) { rounded } else { -rounded }
}

/// The remainder with the sign of the divisor, and whether Rust's, which has that of the dividend, had to be moved.
fn floored_remainder(a: i128, b: i128) -> (i128, bool) {
    // Wrapping: the one division that overflows, of the smallest integer by -1, leaves no remainder.
    let remainder = a.wrapping_rem(b);
    if remainder != 0 && (remainder < 0) != (b < 0) { (remainder + b, true) } else { (remainder, false) }
}

/// Python's `divmod`. The quotient comes from the remainder, which is exact, rather than from rounding `a / b`: `1 // 0.1`
/// is 9, since ten times the `f64` nearest to 0.1 is more than 1.
fn floored_division(a: f64, b: f64) -> (f64, f64) {
    let mut remainder = libm::fmod(a, b);
    let mut quotient = (a - remainder) / b;
    if remainder == 0.0 {
        remainder = remainder.copysign(b);
    } else if (remainder < 0.0) != (b < 0.0) {
        remainder += b;
        quotient -= 1.0;
    }
    // The quotient is whole but for rounding.
    (libm::round(quotient), remainder)
}
