//! How many tests passed, failed and were skipped.

use std::fmt;
use std::ops::AddAssign;

/// A count of tests. Its text is the closing line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Count {
    /// Reads what a test harness of Rust says at its end: `test result: ok. 3 passed; 0 failed; 1 ignored; …`.
    pub(crate) fn of_harness(line: &str) -> Option<Self> {
        let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
        Self::read(counts.split("; "))
    }

    /// Reads a closing line: `3 passed, 0 failed, 1 skipped`.
    pub(crate) fn of_closing_line(line: &str) -> Option<Self> {
        Self::read(line.split(", ")).filter(|count| count.to_string() == line)
    }

    fn read<'a>(parts: impl Iterator<Item = &'a str>) -> Option<Self> {
        let (mut passed, mut failed, mut skipped) = (None, None, None);
        for part in parts {
            let (number, what) = part.trim().split_once(' ')?;
            let into = match what {
                "passed" => &mut passed,
                "failed" => &mut failed,
                "ignored" | "skipped" => &mut skipped,
                _ => continue,
            };
            *into = Some(number.parse().ok()?);
        }
        Some(Self { passed: passed?, failed: failed?, skipped: skipped? })
    }
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

#[cfg(test)]
mod tests {
    use super::Count;

    #[test]
    fn the_end_of_a_harness_is_read() {
        let line = "test result: FAILED. 12 passed; 1 failed; 2 ignored; 0 measured; 7 filtered out; finished in 0.31s";
        assert_eq!(Count::of_harness(line), Some(Count { passed: 12, failed: 1, skipped: 2 }));
        assert_eq!(Count::of_harness("test result_is_read ... ok"), None);
    }

    #[test]
    fn only_a_whole_closing_line_is_read() {
        let line = "4 passed, 0 failed, 1 skipped";
        assert_eq!(Count::of_closing_line(line), Some(Count { passed: 4, failed: 0, skipped: 1 }));
        assert_eq!(Count::of_closing_line("calculator: 4 passed, 0 failed, 1 skipped"), None);
    }
}
