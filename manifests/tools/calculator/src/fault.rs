//! Why an expression has no value: a stable code, a sentence, and where in the expression it went wrong.

/// An expression up to this many characters needs no excerpt: it is echoed in full beside the error.
pub(crate) const EXCERPT_MAX: usize = 60;

/// How many characters an excerpt shows on either side of the place.
const CONTEXT: usize = 15;

/// Why an expression has no value. Boxed, because every token and every step passes in a `Result` beside it.
#[derive(Debug)]
pub(crate) struct Fault(Box<Details>);

#[derive(Debug)]
struct Details {
    code: &'static str,
    message: String,
    hint: Option<String>,
    /// Byte offset into the expression.
    at: Option<usize>,
}

impl Fault {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self(Box::new(Details { code, message: message.into(), hint: None, at: None }))
    }

    pub(crate) fn code(&self) -> &'static str {
        self.0.code
    }

    pub(crate) fn syntax(message: impl Into<String>) -> Self {
        Self::new("syntax_error", message)
    }

    pub(crate) fn domain(message: impl Into<String>) -> Self {
        Self::new("domain_error", message)
    }

    pub(crate) fn division_by_zero(message: &str) -> Self {
        Self::new("division_by_zero", message)
    }

    /// Says where. The innermost place wins, since it was set first.
    pub(crate) fn at(mut self, offset: usize) -> Self {
        self.0.at.get_or_insert(offset);
        self
    }

    /// Says what to write instead.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// The whole sentence: what is wrong, where, and what to write instead.
    pub(crate) fn sentence(&self, expression: &str) -> String {
        let mut sentence = self.0.message.clone();
        if let Some(offset) = self.0.at {
            let column = expression[..offset].chars().count();
            let mut near = String::new();
            if expression.chars().nth(EXCERPT_MAX).is_some() {
                let start = column.saturating_sub(CONTEXT);
                let excerpt: String = expression.chars().skip(start).take(column - start + CONTEXT).collect();
                near = format!(", near `{}`", excerpt.trim());
            }
            sentence = format!("{sentence} (column {}{near})", column + 1);
        }
        if let Some(hint) = &self.0.hint {
            sentence += "; ";
            sentence += hint;
        }
        sentence
    }
}

/// A piece of the expression as a message shows it: a name of nine thousand letters would drown the sentence.
pub(crate) fn shown(text: &str) -> &str {
    const SHOWN_MAX: usize = 40;
    &text[..text.floor_char_boundary(SHOWN_MAX)]
}
