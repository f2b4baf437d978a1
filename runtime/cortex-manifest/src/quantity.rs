//! Quantities with units: sizes, durations, processor shares and fuel.
//!
//! Every limit of a call passes through here, so the arithmetic is exact: decimal digits are scaled as integers and
//! never pass through a float, and whatever does not fit is an error rather than a clamped value.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;
use std::time::Duration;

use serde::{Serialize, Serializer};
use thiserror::Error;

/// Why a text is no quantity.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidQuantity {
    #[error("`{text}` is not {expected}")]
    Syntax { text: String, expected: &'static str },
    #[error("`{text}` is not above zero")]
    NotPositive { text: String },
    #[error("`{text}` is less than {smallest}")]
    TooSmall { text: String, smallest: &'static str },
    #[error("`{text}` is more than a 64-bit number holds")]
    TooLarge { text: String },
}

/// What a quantity looks like and how its units scale.
struct Kind {
    expected: &'static str,
    /// The name of the smallest amount that can be held.
    smallest: &'static str,
    /// How many of the smallest amount one unit is, by the unit's lower-case name. The empty name is a bare number.
    units: &'static [(&'static str, u64)],
}

impl Kind {
    fn parse(&self, text: &str) -> Result<NonZeroU64, InvalidQuantity> {
        let syntax = || InvalidQuantity::Syntax { text: shorten(text), expected: self.expected };
        let trimmed = text.trim();
        // A sign is understood so that `-5` is told what is wrong with it.
        let (negative, digits) = match trimmed.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, trimmed.strip_prefix('+').unwrap_or(trimmed)),
        };
        let end = digits.find(|c: char| !matches!(c, '0'..='9' | '.' | '_')).unwrap_or(digits.len());
        let (number, unit) = digits.split_at(end);
        let unit = unit.trim_start().to_ascii_lowercase();
        let factor = self.units.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor).ok_or_else(syntax)?;
        let decimal = Decimal::parse(number).ok_or_else(syntax)?;
        if negative || decimal.is_zero() {
            return Err(InvalidQuantity::NotPositive { text: shorten(text) });
        }
        let amount = decimal.scale(factor).ok_or_else(|| InvalidQuantity::TooLarge { text: shorten(text) })?;
        NonZeroU64::new(amount)
            .ok_or_else(|| InvalidQuantity::TooSmall { text: shorten(text), smallest: self.smallest })
    }
}

/// A decimal number, exactly: `digits` divided by ten to the power of `places`.
struct Decimal {
    digits: u128,
    places: u32,
    /// Set when there were more digits than `digits` holds.
    overflow: bool,
}

impl Decimal {
    fn parse(text: &str) -> Option<Decimal> {
        let (whole, fraction) = match text.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (text, None),
        };
        let starts_with_digit = |part: &str| part.starts_with(|c: char| c.is_ascii_digit());
        if !starts_with_digit(whole) || fraction.is_some_and(|part| !starts_with_digit(part)) {
            return None;
        }
        let mut decimal = Decimal { digits: 0, places: 0, overflow: false };
        for digit in whole.chars().filter(|c| *c != '_') {
            let digit = u128::from(digit.to_digit(10)?);
            match decimal.digits.checked_mul(10).and_then(|digits| digits.checked_add(digit)) {
                // Digits beyond 64 bits can only be too large, and stopping there leaves room for the fraction.
                Some(digits) if digits <= u128::from(u64::MAX) => decimal.digits = digits,
                _ => decimal.overflow = true,
            }
        }
        for digit in fraction.unwrap_or("").chars() {
            let digit = u128::from(digit.to_digit(10)?);
            // Nine places are below every smallest amount; more cannot change the result.
            if decimal.places < 9 {
                decimal.digits = decimal.digits * 10 + digit;
                decimal.places += 1;
            }
        }
        Some(decimal)
    }

    fn is_zero(&self) -> bool {
        self.digits == 0 && !self.overflow
    }

    fn scale(&self, factor: u64) -> Option<u64> {
        if self.overflow {
            return None;
        }
        let scaled = self.digits.checked_mul(u128::from(factor))?;
        u64::try_from(scaled / 10u128.pow(self.places)).ok()
    }
}

/// Error texts reach terminals and agents, so what they quote is bounded.
pub(crate) fn shorten(text: &str) -> String {
    const CHARACTERS_MAX: usize = 80;
    let mut shown = String::new();
    for c in text.chars().take(CHARACTERS_MAX) {
        if is_inert(c) { shown.push(c) } else { shown.extend(c.escape_debug()) }
    }
    if text.chars().nth(CHARACTERS_MAX).is_some() {
        shown.push('…');
    }
    shown
}

/// Whether a character only shows itself: control characters and those that turn the direction of text do more.
pub(crate) fn is_inert(c: char) -> bool {
    matches!(c, '"' | '\'' | '\\') || c.escape_debug().count() == 1
}

macro_rules! quantity {
    ($(#[$doc:meta])* $name:ident, $getter:ident, $kind:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(NonZeroU64);

        impl $name {
            /// `None` for zero: a limit of nothing is no limit that a tool can run under.
            pub fn new(amount: u64) -> Option<Self> {
                NonZeroU64::new(amount).map(Self)
            }

            pub fn $getter(self) -> u64 {
                self.0.get()
            }
        }

        impl FromStr for $name {
            type Err = InvalidQuantity;

            fn from_str(text: &str) -> Result<Self, InvalidQuantity> {
                $kind.parse(text).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_u64(self.0.get())
            }
        }
    };
}

quantity! {
    /// A size in bytes, such as `64M`. Units are powers of 1024 whatever their spelling, as Docker reads them.
    ByteSize, bytes, Kind {
        expected: "a size such as `64M` or a number of bytes",
        smallest: "one byte",
        units: &[
            ("", 1), ("b", 1),
            ("k", 1 << 10), ("kb", 1 << 10), ("ki", 1 << 10), ("kib", 1 << 10),
            ("m", 1 << 20), ("mb", 1 << 20), ("mi", 1 << 20), ("mib", 1 << 20),
            ("g", 1 << 30), ("gb", 1 << 30), ("gi", 1 << 30), ("gib", 1 << 30),
            ("t", 1 << 40), ("tb", 1 << 40), ("ti", 1 << 40), ("tib", 1 << 40),
        ],
    }
}

quantity! {
    /// A span of time in milliseconds, such as `500ms`. A bare number is seconds, as in the original.
    Milliseconds, millis, Kind {
        expected: "a number of seconds or a time such as `500ms`, `5s`, `2m` or `1h`",
        smallest: "one millisecond",
        units: &[("", 1_000), ("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)],
    }
}

quantity! {
    /// A share of processor cores in thousandths: `0.5` is 500.
    MilliCpu, millis, Kind {
        expected: "a number of processor cores such as `0.5`",
        smallest: "a thousandth of a core",
        units: &[("", 1_000)],
    }
}

quantity! {
    /// A number of instructions, such as `2G`. A count, so units are powers of ten.
    Fuel, units, Kind {
        expected: "a count such as `2G` or `500000`",
        smallest: "one",
        units: &[("", 1), ("k", 1_000), ("m", 1_000_000), ("g", 1_000_000_000), ("t", 1_000_000_000_000)],
    }
}

quantity! {
    /// A number of things, such as `64`.
    Count, number, Kind {
        expected: "a count such as `64`",
        smallest: "one",
        units: &[("", 1), ("k", 1_000), ("m", 1_000_000), ("g", 1_000_000_000), ("t", 1_000_000_000_000)],
    }
}

impl Milliseconds {
    pub fn duration(self) -> Duration {
        Duration::from_millis(self.0.get())
    }
}

impl fmt::Display for ByteSize {
    /// The largest unit that divides the size, so that what is shown is exact.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.bytes();
        for (shift, unit) in [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")] {
            if bytes.trailing_zeros() >= shift {
                return write!(formatter, "{} {unit}", bytes >> shift);
            }
        }
        write!(formatter, "{bytes} B")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Result<u64, InvalidQuantity> {
        text.parse::<ByteSize>().map(ByteSize::bytes)
    }

    fn millis(text: &str) -> Result<u64, InvalidQuantity> {
        text.parse::<Milliseconds>().map(Milliseconds::millis)
    }

    #[test]
    fn sizes_are_powers_of_1024_in_every_spelling() {
        for text in
            ["64M", "64m", "64MB", "64mb", "64Mi", "64MiB", "64 MiB", "65536K", "67108864", "67_108_864", "67108864b"]
        {
            assert_eq!(bytes(text), Ok(64 << 20), "{text}");
        }
        assert_eq!(bytes("1.5G"), Ok(3 << 29));
        assert_eq!(bytes("1T"), Ok(1 << 40));
        assert_eq!(bytes("0.5K"), Ok(512));
    }

    #[test]
    fn sizes_that_are_nothing_are_refused() {
        for text in ["0", "-1", "-64M", "0M", "0.0G", "-0"] {
            assert!(matches!(bytes(text), Err(InvalidQuantity::NotPositive { .. })), "{text}");
        }
        assert!(matches!(bytes("0.5"), Err(InvalidQuantity::TooSmall { .. })));
    }

    #[test]
    fn sizes_that_are_no_sizes_are_refused() {
        for text in [
            "", " ", "M", "64X", "64MM", "sixty", "1.2.3", ".5M", "5.", "1e9", "_1", "NaN", "inf", "0x10", "64 M B",
            "١M",
        ] {
            assert!(matches!(bytes(text), Err(InvalidQuantity::Syntax { .. })), "{text}");
        }
    }

    #[test]
    fn sizes_fit_64_bits_or_are_refused() {
        assert_eq!(bytes("18446744073709551615"), Ok(u64::MAX));
        assert_eq!(bytes("16777215T"), Ok(16_777_215 << 40));
        for text in ["18446744073709551616", "16777216T", "99999999999999999999999999999999999999999999G"] {
            assert!(matches!(bytes(text), Err(InvalidQuantity::TooLarge { .. })), "{text}");
        }
    }

    #[test]
    fn a_bare_duration_is_seconds() {
        assert_eq!(millis("5"), Ok(5_000));
        assert_eq!(millis("0.25"), Ok(250));
        assert_eq!(millis("500ms"), Ok(500));
        assert_eq!(millis("5s"), Ok(5_000));
        assert_eq!(millis("1.5m"), Ok(90_000));
        assert_eq!(millis("1h"), Ok(3_600_000));
        assert!(matches!(millis("0.0001"), Err(InvalidQuantity::TooSmall { .. })));
        assert!(matches!(millis("5 days"), Err(InvalidQuantity::Syntax { .. })));
        assert!(matches!(millis("-5"), Err(InvalidQuantity::NotPositive { .. })));
    }

    #[test]
    fn fuel_is_a_count_and_processors_are_thousandths() {
        assert_eq!("2G".parse::<Fuel>().map(Fuel::units), Ok(2_000_000_000));
        assert_eq!("0.5".parse::<MilliCpu>().map(MilliCpu::millis), Ok(500));
        assert!(matches!("0.5M".parse::<MilliCpu>(), Err(InvalidQuantity::Syntax { .. })));
        assert!(matches!("2GB".parse::<Fuel>(), Err(InvalidQuantity::Syntax { .. })));
    }

    #[test]
    fn sizes_are_shown_exactly() {
        assert_eq!(ByteSize::new(64 << 20).unwrap().to_string(), "64 MiB");
        assert_eq!(ByteSize::new(1_500).unwrap().to_string(), "1500 B");
    }

    #[test]
    fn quoted_text_is_bounded_and_inert() {
        assert_eq!(shorten("a\u{1b}[31m"), "a\\u{1b}[31m");
        assert_eq!(shorten("a\u{202e}b"), "a\\u{202e}b");
        assert_eq!(shorten("say \"a\\b\""), "say \"a\\b\"");
        assert_eq!(shorten(&"x".repeat(100)).chars().count(), 81);
    }
}
