//! `.dockerignore`, as `docker build` reads it.
//!
//! A pattern is about a path relative to the folder and everything below it; `*` and `?` stop at slashes, `**` does not; the
//! last pattern that fits decides, and `!` takes an exception back in.

/// The patterns of one file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ignore(Vec<Pattern>);

#[derive(Clone, Debug)]
struct Pattern {
    exception: bool,
    segments: Vec<String>,
}

impl Ignore {
    pub(crate) fn parse(text: &str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let lines = text.lines().filter(|line| !line.starts_with('#')).map(str::trim).filter(|line| !line.is_empty());
        Self(lines.filter_map(Pattern::parse).collect())
    }

    /// Whether a file, named by its path with `/`, stays out.
    pub(crate) fn excludes(&self, path: &str) -> bool {
        let segments: Vec<&str> = path.split('/').collect();
        let mut excluded = false;
        for pattern in &self.0 {
            // What is excluded takes with it what is below.
            let fits = (1..=segments.len()).any(|length| fits(&pattern.segments, &segments[..length]));
            if fits {
                excluded = !pattern.exception;
            }
        }
        excluded
    }
}

impl Pattern {
    fn parse(line: &str) -> Option<Self> {
        let (exception, text) = line.strip_prefix('!').map_or((false, line), |rest| (true, rest.trim()));
        let mut segments: Vec<String> = Vec::new();
        for segment in text.split('/') {
            match segment {
                "" | "." => {}
                ".." => drop(segments.pop()),
                segment => segments.push(segment.to_owned()),
            }
        }
        (!segments.is_empty()).then_some(Self { exception, segments })
    }
}

fn fits(pattern: &[String], path: &[&str]) -> bool {
    match (pattern.split_first(), path.split_first()) {
        (None, None) => true,
        (Some((first, rest)), _) if first == "**" => {
            rest.is_empty() && !path.is_empty() || (0..=path.len()).any(|skipped| fits(rest, &path[skipped..]))
        }
        (Some((first, rest)), Some((name, below))) => {
            let (pattern, name): (Vec<char>, Vec<char>) = (first.chars().collect(), name.chars().collect());
            segment_fits(&pattern, &name) && fits(rest, below)
        }
        _ => false,
    }
}

/// One segment: `*`, `?`, `[a-z]`, `[^a-z]` and `\` before a letter that is meant.
fn segment_fits(pattern: &[char], name: &[char]) -> bool {
    match pattern.split_first() {
        None => name.is_empty(),
        Some(('*', rest)) => (0..=name.len()).any(|taken| segment_fits(rest, &name[taken..])),
        Some((first, rest)) => {
            let Some((letter, left)) = name.split_first() else { return false };
            match first {
                '?' => segment_fits(rest, left),
                '[' => match class(rest) {
                    Some((fits, after)) => fits(*letter) && segment_fits(&rest[after..], left),
                    None => *letter == '[' && segment_fits(rest, left),
                },
                '\\' => rest.first() == Some(letter) && segment_fits(&rest[1..], left),
                first => first == letter && segment_fits(rest, left),
            }
        }
    }
}

/// What is between brackets, and how long it is with the closing one.
fn class(text: &[char]) -> Option<(impl Fn(char) -> bool, usize)> {
    let end = text.iter().skip(1).position(|c| *c == ']')? + 1;
    let (negated, inside) = match text[..end].split_first()? {
        ('^' | '!', inside) => (true, inside),
        _ => (false, &text[..end]),
    };
    let inside = inside.to_vec();
    let fits = move |letter: char| {
        let mut rest = inside.as_slice();
        let mut found = false;
        while let Some((first, more)) = rest.split_first() {
            if let ['-', last, after @ ..] = more {
                found |= (*first..=*last).contains(&letter);
                rest = after;
            } else {
                found |= *first == letter;
                rest = more;
            }
        }
        found != negated
    };
    Some((fits, end + 1))
}

#[cfg(test)]
mod tests {
    use super::Ignore;

    #[test]
    fn patterns_mean_what_docker_says() {
        for (text, yes, no) in [
            ("*.md", "README.md", "docs/README.md"),
            ("**/*.md", "docs/deep/README.md", "docs/README.txt"),
            ("**/*.md", "README.md", "md"),
            ("docs", "docs/a/b.txt", "docs2/a"),
            ("/docs/", "docs/a", "a/docs"),
            ("*/temp*", "a/temporary.txt", "temp"),
            ("*/*/temp*", "a/b/temp", "a/temp"),
            ("temp?", "tempa", "temp"),
            ("a[0-9].txt", "a5.txt", "ab.txt"),
            ("a[^0-9].txt", "ab.txt", "a5.txt"),
            ("**", "anything/at/all", ""),
            ("./a/../b", "b/c", "a"),
            ("a/**/z", "a/z", "z"),
            ("a/**/z", "a/b/c/z", "a/b"),
        ] {
            let ignore = Ignore::parse(text);
            assert!(ignore.excludes(yes), "{text} {yes}");
            assert!(no.is_empty() || !ignore.excludes(no), "{text} {no}");
        }
    }

    #[test]
    fn the_last_pattern_that_fits_decides() {
        let ignore = Ignore::parse("# a comment\n\n*.md\n!README*.md\nREADME-secret.md\n");
        let kept = |path| !ignore.excludes(path);
        assert!(kept("README.md") && !kept("NEWS.md") && !kept("README-secret.md") && kept("main.py"));
    }
}
