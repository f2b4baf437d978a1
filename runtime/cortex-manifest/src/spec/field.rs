//! Single fields whose rule is the same wherever they stand.

use std::str::FromStr;

use crate::error::Problems;
use crate::located::{Located, Position};
use crate::path::ManifestPath;
use crate::quantity::InvalidQuantity;
use crate::rule::Rule;

pub(super) fn text_of(field: &'static str, text: &Located<String>, problems: &mut Problems) -> Option<String> {
    if text.value.trim().is_empty() {
        problems.add(text.at, Rule::EmptyText { field });
        return None;
    }
    Some(text.value.clone())
}

pub(super) fn path_of(field: &'static str, path: &Located<String>, problems: &mut Problems) -> Option<ManifestPath> {
    problems.check(path.at, ManifestPath::new(&path.value).map_err(|error| Rule::Path { field, error }))
}

pub(crate) fn quantity_of<T>(
    field: &'static str,
    written: Option<(&String, Position)>,
    problems: &mut Problems,
) -> Option<T>
where
    T: FromStr<Err = InvalidQuantity>,
{
    let (text, at) = written?;
    problems.check(at, text.parse().map_err(|error| Rule::Quantity { field, error }))
}
