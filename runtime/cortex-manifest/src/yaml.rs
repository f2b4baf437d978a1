//! Reading YAML from anyone.
//!
//! A manifest may come from a stranger, so the file's size, nesting, parts and alias expansion are bounded before any of it
//! is believed. The YAML library's errors are told apart by their variants and become our rules; no other module sees them.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_saphyr::granit_parser::ErrorKind;
use serde_saphyr::localizer::ExternalMessageSource;
use serde_saphyr::options::{AliasLimits, DuplicateKeyPolicy};
use serde_saphyr::{Budget, DefaultMessageFormatter, Error, MessageFormatter, Options};

use crate::located::{Located, Position};
use crate::quantity::shorten;
use crate::raw::{RawManifest, RawPolicy, RawPraetorian, RawRelic, RawResources};
use crate::rule::{ComplexityLimit, Rule};
use crate::spec::modern;

/// The largest manifest that is read. The original's largest are a few kilobytes; this bounds what a stranger's costs.
pub const MANIFEST_BYTES_MAX: usize = 1024 * 1024;

/// Manifests of the schema need six levels; free values (`metadata`, `default`) may take the rest. Recursion over values,
/// here and wherever they are printed or validated, must fit a small stack.
const NESTING_MAX: usize = 48;

/// An entry of a large enumeration is one node; a thousand parameters with all their keys are some twenty thousand.
const NODES_MAX: usize = 50_000;

/// What aliases may add to the document. "A billion laughs" needs nine levels of nine; honest anchors repeat a few lines.
const ALIAS_EVENTS_MAX: usize = 10_000;

pub(crate) fn read(yaml: &str) -> Result<Located<RawManifest>, (Position, Rule)> {
    let raw = read_as::<RawManifest>(yaml).map_err(|(at, rule)| {
        // An agent or a workflow is full of fields that no tool has; naming the first of them would lead astray.
        let misfit = matches!(rule, Rule::UnknownField { .. } | Rule::WrongType { .. } | Rule::UnknownValue { .. });
        if misfit { other_kind(yaml).unwrap_or((at, rule)) } else { (at, rule) }
    })?;
    raw.ok_or((Position::START, Rule::Empty))
}

/// The operator's own file, under the same bounds.
pub(crate) fn read_policy(yaml: &str) -> Result<Located<RawPolicy>, (Position, Rule)> {
    read_as::<RawPolicy>(yaml)?.ok_or((Position::START, Rule::Empty))
}

/// A relic's manifest in either shape, under the same bounds.
pub(crate) fn read_relic(yaml: &str) -> Result<Located<RawRelic>, (Position, Rule)> {
    if !yaml.lines().any(|line| line.starts_with("PraetorianRelics:")) {
        return read_as::<RawRelic>(yaml)?.ok_or((Position::START, Rule::Empty));
    }
    let raw = read_as::<RawPraetorian>(yaml)?.ok_or((Position::START, Rule::Empty))?.value;
    let Located { value: relics, at } = raw.relics;
    let count = relics.len();
    match (count, relics.into_iter().next()) {
        (1, Some((name, relic))) => Ok(modern(&name, at, relic)),
        _ => Err((at, Rule::RelicCount { count })),
    }
}

/// Limits of one call, under the same bounds.
pub(crate) fn read_resources(yaml: &str) -> Result<Located<RawResources>, (Position, Rule)> {
    read_as::<RawResources>(yaml)?.ok_or((Position::START, Rule::Empty))
}

fn read_as<T: DeserializeOwned>(yaml: &str) -> Result<Option<Located<T>>, (Position, Rule)> {
    if yaml.len() > MANIFEST_BYTES_MAX {
        let rule = Rule::FileTooLarge { size_bytes: yaml.len(), limit_bytes: MANIFEST_BYTES_MAX };
        return Err((Position::START, rule));
    }
    serde_saphyr::from_str_with_options(yaml, options()).map_err(|error| classify(&error))
}

/// The manifest's kind, when it describes something that is no tool.
fn other_kind(yaml: &str) -> Option<(Position, Rule)> {
    #[derive(Deserialize)]
    struct KindOnly {
        kind: Option<Located<String>>,
    }

    let kind = serde_saphyr::from_str_with_options::<KindOnly>(yaml, options()).ok()?.kind?;
    (kind.value != "Tool").then(|| (kind.at, Rule::Kind { kind: shorten(&kind.value) }))
}

fn options() -> Options {
    let mut budget = Budget::default();
    budget.max_depth = NESTING_MAX;
    budget.max_nodes = NODES_MAX;
    budget.max_events = 4 * NODES_MAX;
    budget.max_documents = 2;
    budget.max_aliases = 1_000;
    budget.max_anchors = 1_000;
    budget.max_merge_keys = 1_000;
    budget.max_recorded_anchor_events = ALIAS_EVENTS_MAX;
    budget.max_recorded_anchor_bytes = MANIFEST_BYTES_MAX;
    budget.max_total_scalar_bytes = 2 * MANIFEST_BYTES_MAX;
    let mut aliases = AliasLimits::default();
    aliases.max_total_replayed_events = ALIAS_EVENTS_MAX;
    aliases.max_replay_stack_depth = 8;
    let mut options = Options::default();
    options.budget = Some(budget);
    options.alias_limits = aliases;
    options.duplicate_keys = DuplicateKeyPolicy::Error;
    options.with_snippet = false;
    options.emit_comments = false;
    options.reject_unsupported_tags = true;
    options
}

fn classify(error: &Error) -> (Position, Rule) {
    let at = error.location().map_or(Position::START, Position::from);
    (at, rule_of(error))
}

fn rule_of(error: &Error) -> Rule {
    let wrong_type = |expected: &str| Rule::WrongType { expected: expected.to_owned() };
    match error {
        Error::WithSnippet { error, .. } | Error::AliasError { error, .. } => rule_of(error),
        Error::Eof { .. } => Rule::Empty,
        Error::MultipleDocuments { .. } => Rule::SeveralDocuments,
        Error::UnknownAnchor { .. } => Rule::UnknownAnchor,
        Error::UnsupportedTag { tag, .. } => Rule::UnknownTag { tag: shorten(tag) },
        Error::DuplicateMappingKey { key, .. } => {
            Rule::DuplicateKey { key: key.as_deref().map(shorten).unwrap_or_default() }
        }
        Error::SerdeUnknownField { field, expected, .. } => {
            Rule::UnknownField { field: shorten(field), known: expected.clone() }
        }
        Error::SerdeUnknownVariant { variant, expected, .. } => {
            Rule::UnknownValue { value: shorten(variant), known: expected.clone() }
        }
        Error::Unexpected { expected, .. } => wrong_type(shape(expected)),
        Error::NullIntoString { .. } | Error::TaggedScalarCannotDeserializeIntoString { .. } => wrong_type("a string"),
        Error::InvalidScalar { ty, .. } => wrong_type(shape(ty)),
        Error::InvalidBooleanStrict { .. } => wrong_type(shape("bool")),
        Error::ExternallyTaggedEnumExpectedScalarOrMapping { .. }
        | Error::ExpectedStringKeyForExternallyTaggedEnum { .. }
        | Error::UnexpectedValueForUnitEnumVariant { .. } => wrong_type("one word"),
        Error::MergeValueNotMapOrSeqOfMaps { .. } => wrong_type("a mapping to merge"),
        Error::SerdeInvalidType { unexpected, expected, .. }
        | Error::SerdeInvalidValue { unexpected, expected, .. } => {
            Rule::WrongValue { expected: expected_of(expected), found: shorten(unexpected) }
        }
        Error::NonFiniteFloat { value, .. } => Rule::NotFinite { value: shorten(value) },
        Error::Budget { breach, .. } => Rule::TooComplex { limit: limit_of(breach) },
        Error::AliasReplayCounterOverflow { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. }
        | Error::RecursiveReferencesRequireWeakTypes { .. } => Rule::TooComplex { limit: ComplexityLimit::Aliases },
        Error::ExternalMessage { source, .. } if is_too_deep(source) => {
            Rule::TooComplex { limit: ComplexityLimit::Nesting }
        }
        // The library may add variants; whatever they are, they are about the text as YAML.
        other => Rule::Syntax { detail: DefaultMessageFormatter.format_message(other).into_owned() },
    }
}

/// The scanner has a nesting limit of its own, which brackets reach before the budget counts them.
fn is_too_deep(source: &ExternalMessageSource) -> bool {
    match source {
        ExternalMessageSource::Parser(error) => matches!(error.kind(), ErrorKind::RecursionLimitExceeded),
        _ => false,
    }
}

fn limit_of(breach: &serde_saphyr::budget::BudgetBreach) -> ComplexityLimit {
    use serde_saphyr::budget::BudgetBreach;
    match breach {
        BudgetBreach::Depth { .. } => ComplexityLimit::Nesting,
        BudgetBreach::Aliases { .. }
        | BudgetBreach::Anchors { .. }
        | BudgetBreach::AliasAnchorRatio { .. }
        | BudgetBreach::MergeKeys { .. }
        | BudgetBreach::RecordedAnchorEvents { .. }
        | BudgetBreach::RecordedAnchorBytes { .. } => ComplexityLimit::Aliases,
        _ => ComplexityLimit::Size,
    }
}

/// The library names Rust types and parser events; people write values.
fn shape(name: &str) -> &str {
    match name {
        "string scalar" | "String" | "str" | "string" => "a string",
        "bool" | "boolean" => "`true` or `false`",
        "u8" => "a whole number from 0 to 255",
        "u64" => "a whole number that is not negative",
        "mapping start" | "mapping" | "map" => "a mapping",
        "sequence start" | "sequence" => "a list",
        "scalar" => "a single value",
        other => other,
    }
}

/// Serde describes a value by its Rust name, which nobody outside has heard of.
fn expected_of(expected: &str) -> String {
    match expected {
        "a JSON number" => "a number".to_owned(),
        other if other.starts_with("struct ") => "a mapping".to_owned(),
        other => other.to_owned(),
    }
}
