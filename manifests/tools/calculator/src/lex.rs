//! Tokens: Python's numbers, names, operators.

use crate::fault::{Fault, shown};
use crate::number::Number;
use std::borrow::Cow;
use std::num::IntErrorKind;

/// One token of an expression.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Token<'a> {
    Number {
        value: Number,
        /// Whether a whole number was written that only fits rounded.
        rounded: bool,
    },
    Name(&'a str),
    /// An operator, a parenthesis or a comma, as it was written.
    Symbol(&'static str),
    End,
}

/// Reads tokens off an expression.
#[derive(Debug)]
pub(crate) struct Lexer<'a> {
    expression: &'a str,
    offset: usize,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(expression: &'a str) -> Self {
        Self { expression, offset: 0 }
    }

    /// The next token and the byte offset it starts at.
    pub(crate) fn next(&mut self) -> Result<(Token<'a>, usize), Fault> {
        let rest = self.expression[self.offset..].trim_start();
        let start = self.expression.len() - rest.len();
        let (token, length) = token(rest).map_err(|fault| fault.at(start))?;
        self.offset = start + length;
        Ok((token, start))
    }
}

fn token(rest: &str) -> Result<(Token<'_>, usize), Fault> {
    let Some(first) = rest.chars().next() else { return Ok((Token::End, 0)) };
    let fraction = || rest.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
    if first.is_ascii_digit() || (first == '.' && fraction()) {
        return number(rest);
    }
    if first.is_ascii_alphabetic() || first == '_' {
        let name = &rest[..rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len())];
        return Ok((Token::Name(name), name.len()));
    }
    if let Some(symbol) = symbol(rest) {
        return Ok((Token::Symbol(symbol), symbol.len()));
    }
    let fault = Fault::syntax(format!("unexpected character `{first}`"));
    Err(match first {
        '×' | '·' | '⋅' => fault.hint("write `*`"),
        '÷' => fault.hint("write `/`"),
        '−' | '–' => fault.hint("write `-`"),
        'π' => fault.hint("write `pi`"),
        '²' => fault.hint("write `^2`"),
        '√' => fault.hint("write `sqrt(…)`"),
        '≤' | '≥' | '≠' => fault.hint("write `<=`, `>=` or `!=`"),
        '.' => fault.hint("functions have no prefix: write `sqrt(2)`, not `math.sqrt(2)`"),
        '!' => fault.hint("write `factorial(…)`, or `!=` to compare"),
        '|' => fault.hint("write `abs(…)`"),
        '[' | '{' => fault.hint("group with parentheses"),
        '°' => fault.hint("write `radians(…)`"),
        _ => fault,
    })
}

fn symbol(rest: &str) -> Option<&'static str> {
    Some(match rest.as_bytes() {
        [b'*', b'*', ..] => "**",
        [b'/', b'/', ..] => "//",
        [b'=', b'=', ..] => "==",
        [b'!', b'=', ..] => "!=",
        [b'<', b'=', ..] => "<=",
        [b'>', b'=', ..] => ">=",
        [b'<', ..] => "<",
        [b'>', ..] => ">",
        [b'=', ..] => "=",
        [b'+', ..] => "+",
        [b'-', ..] => "-",
        [b'*', ..] => "*",
        [b'/', ..] => "/",
        [b'%', ..] => "%",
        [b'^', ..] => "^",
        [b'(', ..] => "(",
        [b')', ..] => ")",
        [b',', ..] => ",",
        _ => return None,
    })
}

fn number(rest: &str) -> Result<(Token<'_>, usize), Fault> {
    if let Some(radix) = radix(rest) {
        let end = rest[2..].find(|c: char| !c.is_ascii_alphanumeric() && c != '_').map_or(rest.len(), |end| end + 2);
        let written = &rest[..end];
        let digits = digits(&written[2..], u8::is_ascii_alphanumeric).ok_or_else(|| malformed(written))?;
        let value = i128::from_str_radix(&digits, radix).map_err(|error| match error.kind() {
            IntErrorKind::PosOverflow => {
                Fault::new("overflow", format!("`{}` needs more than 128 bits", shown(written)))
            }
            _ => malformed(written),
        })?;
        return Ok((Token::Number { value: Number::Integer(value), rounded: false }, end));
    }

    let run = |from: usize| {
        rest[from..].find(|c: char| !c.is_ascii_digit() && c != '_').map_or(rest.len(), |length| from + length)
    };
    let mut end = run(0);
    let mut real = false;
    if rest[end..].starts_with('.') {
        real = true;
        end = run(end + 1);
    }
    if rest[end..].starts_with(['e', 'E']) {
        let sign = usize::from(rest[end + 1..].starts_with(['+', '-']));
        let exponent = run(end + 1 + sign);
        // Without digits it is a name: `2e` is 2 times e, for which the parser has a message.
        if exponent > end + 1 + sign {
            real = true;
            end = exponent;
        }
    }
    if rest[end..].starts_with('.') {
        return Err(malformed(&rest[..=end]));
    }
    let written = &rest[..end];
    let plain = digits(written, u8::is_ascii_digit).ok_or_else(|| malformed(written))?;
    if !real && let Ok(value) = plain.parse() {
        return Ok((Token::Number { value: Number::Integer(value), rounded: false }, end));
    }
    match plain.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok((Token::Number { value: Number::Real(value), rounded: !real }, end)),
        Ok(_) => Err(Fault::new("overflow", "the number is larger than 1.8e308")),
        Err(_) => Err(malformed(written)),
    }
}

fn radix(rest: &str) -> Option<u32> {
    match rest.as_bytes() {
        [b'0', b'x' | b'X', ..] => Some(16),
        [b'0', b'o' | b'O', ..] => Some(8),
        [b'0', b'b' | b'B', ..] => Some(2),
        _ => None,
    }
}

/// Drops underscores, each of which must stand between two digits.
fn digits(written: &str, is_digit: fn(&u8) -> bool) -> Option<Cow<'_, str>> {
    if !written.contains('_') {
        return Some(Cow::Borrowed(written));
    }
    let bytes = written.as_bytes();
    let digit = |index: Option<usize>| index.and_then(|index| bytes.get(index)).is_some_and(is_digit);
    let placed = |index: usize| digit(index.checked_sub(1)) && digit(Some(index + 1));
    let all_placed = bytes.iter().enumerate().all(|(index, byte)| *byte != b'_' || placed(index));
    all_placed.then(|| Cow::Owned(written.replace('_', "")))
}

fn malformed(written: &str) -> Fault {
    Fault::syntax(format!("`{}` is not a number", shown(written)))
}
