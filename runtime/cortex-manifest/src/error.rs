//! What is wrong with a manifest, where, and what to do about it.

use std::fmt;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::located::Position;
use crate::quantity::is_inert;
use crate::rule::Rule;

/// More mistakes than this are not listed: the first ones usually cause the rest.
const PROBLEMS_MAX: usize = 20;

/// A line can be a megabyte long, and errors travel.
const SNIPPET_CHARACTERS_MAX: usize = 120;

/// A manifest that broke one rule or several. Shown, it is one `path:line:column: message` for each of them.
#[derive(Clone, Debug, PartialEq, Error)]
#[error("{}", Listing { path, problems })]
pub struct ManifestError {
    path: PathBuf,
    /// In the order of the file, and never empty.
    problems: Vec<Problem>,
}

/// One broken rule and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    position: Position,
    rule: Rule,
    snippet: String,
}

impl Problem {
    pub fn line(&self) -> u32 {
        self.position.line
    }

    pub fn column(&self) -> u32 {
        self.position.column
    }

    pub fn rule(&self) -> &Rule {
        &self.rule
    }

    pub fn hint(&self) -> Option<String> {
        self.rule.hint()
    }

    /// The line of the file, shortened where it is long. Empty where the problem is that a file is empty.
    pub fn snippet(&self) -> &str {
        &self.snippet
    }
}

impl ManifestError {
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The first problem in the order of the file.
    pub fn first(&self) -> &Problem {
        &self.problems[0]
    }

    pub fn line(&self) -> u32 {
        self.first().line()
    }

    pub fn column(&self) -> u32 {
        self.first().column()
    }

    pub fn rule(&self) -> &Rule {
        self.first().rule()
    }

    pub fn hint(&self) -> Option<String> {
        self.first().hint()
    }

    pub fn snippet(&self) -> &str {
        self.first().snippet()
    }

    /// The whole message for a terminal: every problem with its line of the file and its hint.
    pub fn report(&self) -> Report<'_> {
        Report(self)
    }
}

/// See [`ManifestError::report`].
#[derive(Debug)]
pub struct Report<'a>(&'a ManifestError);

impl fmt::Display for Report<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.problems.iter().enumerate() {
            if index > 0 {
                formatter.write_str("\n\n")?;
            }
            write_problem(formatter, &self.0.path, problem)?;
            if !problem.snippet.is_empty() {
                let line = problem.line().to_string();
                write!(formatter, "\n  {line} | {}", problem.snippet)?;
                let before = usize::try_from(problem.column() - 1).unwrap_or(usize::MAX);
                if before < problem.snippet.chars().count() {
                    let (gutter, before) = (" ".repeat(line.len()), " ".repeat(before));
                    write!(formatter, "\n  {gutter} | {before}^")?;
                }
            }
            if let Some(hint) = problem.hint() {
                write!(formatter, "\nhint: {hint}")?;
            }
        }
        Ok(())
    }
}

struct Listing<'a> {
    path: &'a Path,
    problems: &'a [Problem],
}

impl fmt::Display for Listing<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                formatter.write_str("\n")?;
            }
            write_problem(formatter, self.path, problem)?;
        }
        Ok(())
    }
}

fn write_problem(formatter: &mut fmt::Formatter<'_>, path: &Path, problem: &Problem) -> fmt::Result {
    write!(formatter, "{}:{}:{}: {}", path.display(), problem.line(), problem.column(), problem.rule)
}

/// Collects broken rules, so that one run names all of them.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    found: Vec<(Position, Rule)>,
}

impl Problems {
    pub(crate) fn add(&mut self, at: Position, rule: Rule) {
        self.found.push((at, rule));
    }

    /// Keeps the value and notes the rule that it broke instead of it.
    pub(crate) fn check<T>(&mut self, at: Position, result: Result<T, Rule>) -> Option<T> {
        result.map_err(|rule| self.add(at, rule)).ok()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// `None` when no rule was broken.
    pub(crate) fn into_error(mut self, path: &Path, yaml: &str) -> Option<ManifestError> {
        self.found.sort_by_key(|(at, _)| *at);
        self.found.truncate(PROBLEMS_MAX);
        let problems: Vec<Problem> = self
            .found
            .into_iter()
            .map(|(position, rule)| Problem { position, rule, snippet: snippet(yaml, position) })
            .collect();
        (!problems.is_empty()).then(|| ManifestError { path: path.to_owned(), problems })
    }
}

impl ManifestError {
    pub(crate) fn one(path: &Path, yaml: &str, position: Position, rule: Rule) -> ManifestError {
        let problem = Problem { position, rule, snippet: snippet(yaml, position) };
        ManifestError { path: path.to_owned(), problems: vec![problem] }
    }
}

/// Escaping would move the column that the caret points at, so a line with control characters is shown without them.
fn snippet(yaml: &str, position: Position) -> String {
    let index = usize::try_from(position.line - 1).unwrap_or(usize::MAX);
    let line = yaml.lines().nth(index).unwrap_or_default().trim_end();
    let line = line.strip_prefix('\u{feff}').unwrap_or(line);
    let mut shown: String =
        line.chars().take(SNIPPET_CHARACTERS_MAX).map(|c| if is_inert(c) { c } else { ' ' }).collect();
    if line.chars().nth(SNIPPET_CHARACTERS_MAX).is_some() {
        shown.push('…');
    }
    shown
}
