//! From tokens to the steps of a stack machine, by precedence climbing.
//!
//! Loosest to tightest: comparisons; `+ -`; `* / // %`; sign; `** ^`, whose right side may have a sign. Steps in the order of
//! execution rather than a tree: evaluation does not recurse, and nothing has to be freed recursively.

use crate::DEPTH_MAX;
use crate::fault::{Fault, shown};
use crate::functions::{Function, constant, function, suggestion};
use crate::lex::{Lexer, Token};
use crate::number::{Number, Operator};

/// What an expression compiles to.
#[derive(Debug, Default)]
pub(crate) struct Program {
    pub(crate) steps: Vec<Step>,
    /// The comparisons of all chains, in order.
    pub(crate) comparisons: Vec<Comparison>,
    /// Whether a whole number in the expression only fits rounded.
    pub(crate) rounded: bool,
}

/// One step, and the byte offset of what asks for it.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) operation: Operation,
    pub(crate) at: usize,
}

#[derive(Debug)]
pub(crate) enum Operation {
    Push(Number),
    Negate,
    Apply(Operator),
    /// Takes one operand more than there are comparisons from `first` on.
    Compare {
        first: usize,
        count: usize,
    },
    Call {
        function: &'static Function,
        arguments: usize,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// Compiles an expression.
pub(crate) fn parse(expression: &str) -> Result<Program, Fault> {
    let mut lexer = Lexer::new(expression);
    let (token, at) = lexer.next()?;
    if token == Token::End {
        return Err(Fault::syntax("the expression is empty"));
    }
    let mut parser = Parser { lexer, token, at, after_percent: false, depth: 0, program: Program::default() };
    parser.expression()?;
    if parser.token == Token::End { Ok(parser.program) } else { Err(parser.misplaced()) }
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    /// The token to be read, and where it starts.
    token: Token<'a>,
    at: usize,
    /// Whether the token before it was a percent sign.
    after_percent: bool,
    depth: usize,
    program: Program,
}

impl Parser<'_> {
    fn advance(&mut self) -> Result<(), Fault> {
        self.after_percent = self.token == Token::Symbol("%");
        (self.token, self.at) = self.lexer.next()?;
        Ok(())
    }

    fn emit(&mut self, operation: Operation, at: usize) {
        self.program.steps.push(Step { operation, at });
    }

    fn expression(&mut self) -> Result<(), Fault> {
        self.binary(0)?;
        // Comparisons in an operand append theirs before this chain's, so the chain is kept aside until it is complete.
        let (mut chain, at) = (Vec::new(), self.at);
        while let Token::Symbol(symbol) = self.token
            && let Some(comparison) = comparison(symbol)
        {
            self.advance()?;
            self.binary(0)?;
            chain.push(comparison);
        }
        if !chain.is_empty() {
            let (first, count) = (self.program.comparisons.len(), chain.len());
            self.program.comparisons.append(&mut chain);
            self.emit(Operation::Compare { first, count }, at);
        }
        Ok(())
    }

    /// Operators that bind at least as tightly as `tightness_min`, all of which associate to the left.
    fn binary(&mut self, tightness_min: u8) -> Result<(), Fault> {
        self.signed()?;
        while let Token::Symbol(symbol) = self.token
            && let Some((operator, tightness)) = operator(symbol)
            && tightness >= tightness_min
        {
            let at = self.at;
            self.advance()?;
            self.binary(tightness + 1)?;
            self.emit(Operation::Apply(operator), at);
        }
        Ok(())
    }

    /// A sign and what it applies to. Every recursion passes here, so this is where depth is counted.
    fn signed(&mut self) -> Result<(), Fault> {
        if self.depth == DEPTH_MAX {
            let message = format!("the expression is nested deeper than {DEPTH_MAX} levels");
            return Err(Fault::new("too_deep", message).at(self.at));
        }
        self.depth += 1;
        let at = self.at;
        match self.token {
            Token::Symbol("-") => {
                self.advance()?;
                self.signed()?;
                self.emit(Operation::Negate, at);
            }
            Token::Symbol("+") => {
                self.advance()?;
                self.signed()?;
            }
            _ => self.power()?,
        }
        self.depth -= 1;
        Ok(())
    }

    fn power(&mut self) -> Result<(), Fault> {
        self.atom()?;
        if let Token::Symbol("^" | "**") = self.token {
            let at = self.at;
            self.advance()?;
            self.signed()?;
            self.emit(Operation::Apply(Operator::Power), at);
        }
        Ok(())
    }

    fn atom(&mut self) -> Result<(), Fault> {
        let at = self.at;
        match self.token {
            Token::Number { value, rounded } => {
                self.program.rounded |= rounded;
                self.advance()?;
                self.emit(Operation::Push(value), at);
                Ok(())
            }
            Token::Name(name) => self.name(name),
            Token::Symbol("(") => {
                self.advance()?;
                self.expression()?;
                self.close(at)
            }
            Token::Symbol(_) | Token::End => Err(self.missing_operand()),
        }
    }

    fn name(&mut self, name: &str) -> Result<(), Fault> {
        let at = self.at;
        self.advance()?;
        let called = self.token == Token::Symbol("(");
        if let Some(value) = constant(name) {
            if called {
                return Err(Fault::syntax(format!("`{name}` is a number, not a function"))
                    .at(at)
                    .hint("multiplication needs `*`"));
            }
            self.emit(Operation::Push(Number::Real(value)), at);
            return Ok(());
        }
        let Some(function) = function(name) else {
            let kind = if called { "function" } else { "name" };
            let message = format!("unknown {kind} `{}`", shown(name));
            return Err(Fault::new("unknown_name", message).at(at).hint(suggestion(name)));
        };
        if !called {
            let hint = format!("write `{name}(…)`");
            return Err(Fault::syntax(format!("`{name}` is a function")).at(at).hint(hint));
        }
        let arguments = self.arguments()?;
        let (least, most) = function.arity;
        if arguments < least || arguments > most {
            let takes = match function.arity {
                (1, usize::MAX) => "at least 1 argument".into(),
                (1, 1) => "1 argument".into(),
                (a, b) if a == b => format!("{a} arguments"),
                (a, b) => format!("{a} to {b} arguments"),
            };
            let message = format!("`{name}` takes {takes}, not {arguments}");
            return Err(Fault::new("wrong_arguments", message).at(at));
        }
        self.emit(Operation::Call { function, arguments }, at);
        Ok(())
    }

    /// The arguments between parentheses; says how many there are.
    fn arguments(&mut self) -> Result<usize, Fault> {
        let open = self.at;
        self.advance()?;
        if self.token == Token::Symbol(")") {
            self.advance()?;
            return Ok(0);
        }
        let mut count = 1;
        self.expression()?;
        while self.token == Token::Symbol(",") {
            self.advance()?;
            self.expression()?;
            count += 1;
        }
        self.close(open)?;
        Ok(count)
    }

    fn close(&mut self, open: usize) -> Result<(), Fault> {
        match self.token {
            Token::Symbol(")") => self.advance(),
            Token::End => Err(Fault::syntax("`(` is never closed").at(open)),
            _ => Err(self.misplaced()),
        }
    }

    /// Why the token cannot stand where a number, a name or `(` must.
    fn missing_operand(&self) -> Fault {
        let fault = match self.token {
            Token::Symbol(symbol) => Fault::syntax(format!("unexpected `{symbol}`")),
            _ => Fault::syntax("the expression ends too early"),
        };
        let fault = fault.at(self.at);
        if self.after_percent {
            return fault.hint("`%` is the remainder; a percentage is a division by 100");
        }
        fault
    }

    /// Why the token cannot follow a complete operand.
    fn misplaced(&self) -> Fault {
        let fault = match self.token {
            Token::Symbol(")") => Fault::syntax("`)` closes nothing"),
            Token::Symbol("=") => Fault::syntax("unexpected `=`").hint("write `==` to compare"),
            Token::Symbol(",") => Fault::syntax("unexpected `,`").hint("write 1000 or 1_000, not 1,000"),
            Token::Symbol("(") => Fault::syntax("an operator is missing before `(`").hint("multiplication needs `*`"),
            Token::Symbol(symbol) => Fault::syntax(format!("unexpected `{symbol}`")),
            Token::Name(name) => {
                let fault = Fault::syntax(format!("an operator is missing before `{}`", shown(name)));
                fault.hint("multiplication needs `*`")
            }
            Token::Number { .. } => Fault::syntax("an operator is missing between two numbers"),
            Token::End => Fault::syntax("the expression ends too early"),
        };
        fault.at(self.at)
    }
}

fn operator(symbol: &str) -> Option<(Operator, u8)> {
    Some(match symbol {
        "+" => (Operator::Add, 1),
        "-" => (Operator::Subtract, 1),
        "*" => (Operator::Multiply, 2),
        "/" => (Operator::Divide, 2),
        "//" => (Operator::FloorDivide, 2),
        "%" => (Operator::Remainder, 2),
        _ => return None,
    })
}

fn comparison(symbol: &str) -> Option<Comparison> {
    Some(match symbol {
        "==" => Comparison::Equal,
        "!=" => Comparison::NotEqual,
        "<" => Comparison::Less,
        "<=" => Comparison::LessOrEqual,
        ">" => Comparison::Greater,
        ">=" => Comparison::GreaterOrEqual,
        _ => return None,
    })
}
