//! The nearest valid name, for hints.
//!
//! A wrong guess is worse than none, so a name is only suggested when few letters separate it from what was written.

/// Longer names are not compared: the comparison is quadratic and what is written may come from anyone.
const CHARACTERS_MAX: usize = 64;

pub(crate) fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = written.chars().count();
    if length == 0 || length > CHARACTERS_MAX {
        return None;
    }
    let written = written.to_lowercase();
    // A third of the letters: `timout` finds `timeout`, and `x` finds nothing but its own upper case.
    let distance_max = length / 3;
    known
        .into_iter()
        .filter(|name| name.len() <= CHARACTERS_MAX)
        .map(|name| (strsim::damerau_levenshtein(&written, &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= distance_max)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// "did you mean ..." where something is near, otherwise the names that would be right.
pub(crate) fn hint<'a, I>(written: &str, known: I) -> Option<String>
where
    I: IntoIterator<Item = &'a str>,
    I::IntoIter: Clone,
{
    const NAMES_MAX: usize = 24;
    let known = known.into_iter();
    if let Some(name) = nearest(written, known.clone()) {
        return Some(format!("did you mean `{name}`?"));
    }
    let mut names: Vec<String> = known.clone().take(NAMES_MAX).map(|name| format!("`{name}`")).collect();
    if names.is_empty() {
        return None;
    }
    if known.count() > NAMES_MAX {
        names.push("…".to_owned());
    }
    Some(format!("known here: {}", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_hand_finds_its_name() {
        let known = ["memory", "cpu", "timeout"];
        assert_eq!(nearest("timout", known), Some("timeout"));
        assert_eq!(nearest("Memory", known), Some("memory"));
        assert_eq!(nearest("meomry", known), Some("memory"));
    }

    #[test]
    fn nothing_is_suggested_when_nothing_is_near() {
        let known = ["memory", "cpu", "timeout"];
        assert_eq!(nearest("banana", known), None);
        assert_eq!(nearest("", known), None);
        assert_eq!(nearest(&"m".repeat(10_000), known), None);
        assert_eq!(hint("banana", known).as_deref(), Some("known here: `memory`, `cpu`, `timeout`"));
        assert_eq!(hint("banana", []), None);
    }
}
