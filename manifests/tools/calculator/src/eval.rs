//! Runs the steps of a program on a stack of values, and turns NaN and overflow into errors.

use crate::fault::Fault;
use crate::functions::Function;
use crate::number::Number;
use crate::parse::{Comparison, Operation, Program};
use std::cmp::Ordering;

/// What an expression or a part of it stands for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value {
    /// The answer of a comparison.
    Boolean(bool),
    /// Everything else.
    Number(Number),
}

/// The value, and whether a whole number left the 128 bits in which integers are exact.
pub(crate) fn evaluate(program: &Program) -> Result<(Value, bool), Fault> {
    let mut machine = Machine { stack: Vec::new(), approximate: program.rounded };
    for step in &program.steps {
        let value = machine.step(&step.operation, &program.comparisons).map_err(|fault| fault.at(step.at))?;
        machine.stack.push(value);
    }
    match machine.pop() {
        Value::Number(Number::Real(real)) if real.is_infinite() => {
            Err(Fault::new("infinite", "the result is infinite, which JSON cannot express"))
        }
        value => Ok((value, machine.approximate)),
    }
}

struct Machine {
    stack: Vec<Value>,
    approximate: bool,
}

impl Machine {
    fn step(&mut self, operation: &Operation, comparisons: &[Comparison]) -> Result<Value, Fault> {
        Ok(Value::Number(match *operation {
            Operation::Push(number) => number,
            Operation::Negate => {
                let operand = [self.pop_number("-")?];
                // Not 0 - x, which would lose the sign of zero that `atan2` looks at.
                let negated = match operand[0] {
                    Number::Integer(integer) => integer.checked_neg().map(Number::Integer),
                    Number::Real(_) => None,
                };
                self.checked("-", &operand, negated.unwrap_or(Number::Real(-operand[0].real())), true)?
            }
            Operation::Apply(operator) => {
                let right = self.pop_number(operator.symbol())?;
                let left = self.pop_number(operator.symbol())?;
                let result = operator.apply(left, right)?;
                self.checked(operator.symbol(), &[left, right], result, operator.is_exact(right))?
            }
            Operation::Compare { first, count } => {
                let operands = self.stack.split_off(self.stack.len() - count - 1);
                return chain(&operands, &comparisons[first..first + count]).map(Value::Boolean);
            }
            Operation::Call { function, arguments } => self.call(function, arguments)?,
        }))
    }

    fn call(&mut self, function: &Function, arguments: usize) -> Result<Number, Fault> {
        let mut numbers = Vec::with_capacity(arguments);
        for _ in 0..arguments {
            numbers.push(self.pop_number(function.name)?);
        }
        numbers.reverse();
        let result = function.apply(&numbers)?;
        self.checked(function.name, &numbers, result, function.is_exact(&numbers))
    }

    /// Refuses what is no number, and notes where integers went in and their integer answer did not fit.
    fn checked(&mut self, name: &str, operands: &[Number], result: Number, exact: bool) -> Result<Number, Fault> {
        let Number::Real(real) = result else { return Ok(result) };
        if real.is_nan() {
            return Err(match operands {
                [left, right] if !name.starts_with(char::is_alphabetic) => {
                    Fault::domain(format!("`{left} {name} {right}` is not defined"))
                }
                _ => {
                    let operands: Vec<_> = operands.iter().take(3).map(ToString::to_string).collect();
                    Fault::domain(format!("`{name}` is not defined for {}", operands.join(", ")))
                }
            });
        }
        if real.is_infinite() && !operands.iter().any(|operand| operand.real().is_infinite()) {
            return Err(Fault::new("overflow", format!("the result of `{name}` is larger than 1.8e308")));
        }
        self.approximate |= exact && operands.iter().all(|operand| matches!(operand, Number::Integer(_)));
        Ok(result)
    }

    fn pop(&mut self) -> Value {
        self.stack.pop().expect("the parser emits an operation after its operands")
    }

    fn pop_number(&mut self, name: &str) -> Result<Number, Fault> {
        match self.pop() {
            Value::Number(number) => Ok(number),
            Value::Boolean(boolean) => Err(Fault::new("type_error", format!("`{name}` takes numbers, not {boolean}"))),
        }
    }
}

/// `a < b <= c` as Python has it: every neighbour compares. All operands have been evaluated, also behind a false one.
fn chain(operands: &[Value], comparisons: &[Comparison]) -> Result<bool, Fault> {
    let mut holds = true;
    for (pair, comparison) in operands.windows(2).zip(comparisons) {
        let ordering = match (pair[0], pair[1]) {
            (Value::Number(left), Value::Number(right)) => left.compare(right),
            (Value::Boolean(left), Value::Boolean(right))
                if matches!(comparison, Comparison::Equal | Comparison::NotEqual) =>
            {
                left.cmp(&right)
            }
            _ => {
                return Err(Fault::new("type_error", "true and false have no order and equal no number")
                    .hint("compare them with each other, by `==` or `!=`"));
            }
        };
        holds &= match comparison {
            Comparison::Equal => ordering == Ordering::Equal,
            Comparison::NotEqual => ordering != Ordering::Equal,
            Comparison::Less => ordering == Ordering::Less,
            Comparison::LessOrEqual => ordering != Ordering::Greater,
            Comparison::Greater => ordering == Ordering::Greater,
            Comparison::GreaterOrEqual => ordering != Ordering::Less,
        };
    }
    Ok(holds)
}
