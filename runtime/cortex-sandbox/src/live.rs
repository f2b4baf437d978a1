//! What a tool writes on a standard stream, told line by line while it runs.
//!
//! For tools that run elsewhere and have no other way to say something in between. The record has the same text, so nothing is
//! kept here but a line that has begun. Secrets are masked before anybody hears them, also where they span lines.

use std::sync::Arc;

use crate::limits::Limits;
use crate::logging::{Observer, Stream};
use crate::secret::{Mask, Secret};

/// Tells an observer the lines of one stream of one call. What is fed must be bounded: a line is kept until it ends.
pub struct LiveLines {
    observer: Arc<dyn Observer>,
    stream: Stream,
    mask: Option<Mask>,
    line: Vec<u8>,
    /// How many lines may still be told.
    left: usize,
}

impl LiveLines {
    /// At most `limits.log_lines` of them are told; the rest is in the record alone.
    pub fn new(observer: &Arc<dyn Observer>, stream: Stream, limits: &Limits, secrets: &[Secret]) -> Self {
        let (observer, mask) = (Arc::clone(observer), Mask::of_all(secrets));
        Self { observer, stream, mask, line: Vec::new(), left: limits.log_lines }
    }

    /// Takes what the tool has written, and tells the lines that have ended.
    pub fn feed(&mut self, bytes: &[u8]) {
        match &mut self.mask {
            None => self.push(bytes),
            Some(mask) => {
                let masked = mask.feed(bytes);
                self.push(&masked);
            }
        }
    }

    /// Tells the last line, if it has no end.
    pub fn finish(mut self) {
        if let Some(mask) = &mut self.mask {
            let rest = mask.finish();
            self.push(&rest);
        }
        if !self.line.is_empty() {
            self.tell();
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(piece);
            if self.line.ends_with(b"\n") {
                self.line.pop();
                self.tell();
            }
        }
    }

    fn tell(&mut self) {
        let line = std::mem::take(&mut self.line);
        if self.left > 0 {
            self.left -= 1;
            let line = line.strip_suffix(b"\r").unwrap_or(&line);
            self.observer.wrote(self.stream, &String::from_utf8_lossy(line));
        }
    }
}

impl std::fmt::Debug for LiveLines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LiveLines").field("stream", &self.stream).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::LiveLines;
    use crate::limits::Limits;
    use crate::logging::{LogLine, Observer, Stream, ToolProgress};
    use crate::secret::{Secret, SecretPlace};

    #[derive(Default)]
    struct Heard(Mutex<Vec<String>>);

    impl Observer for Heard {
        fn log(&self, line: &LogLine) {
            self.0.lock().unwrap().push(format!("{} {}: {}", line.level.as_str(), line.context, line.message));
        }

        fn progress(&self, _: &ToolProgress) {}
    }

    /// What is heard of these pieces: as they come, and at the end.
    fn heard(pieces: &[&[u8]], log_lines: usize) -> [Vec<String>; 2] {
        let heard = Arc::new(Heard::default());
        let limits = Limits { log_lines, ..Limits::DEFAULT };
        let secret =
            Secret { name: "KEY".into(), value: "s3\ncret".into(), place: SecretPlace::Exposed, hosts: Vec::new() };
        let observer = Arc::clone(&heard) as Arc<dyn Observer>;
        let mut lines = LiveLines::new(&observer, Stream::Stderr, &limits, &[secret]);
        for piece in pieces {
            lines.feed(piece);
        }
        let before = std::mem::take(&mut *heard.0.lock().unwrap());
        lines.finish();
        [before, std::mem::take(&mut *heard.0.lock().unwrap())]
    }

    #[test]
    fn a_line_is_told_when_it_ends_and_the_last_one_at_the_end() {
        let [before, after] = heard(&[b"on", b"e\r\n\ntwo\nthr", b"\xff"], 10);
        assert_eq!(before, ["info stderr: one", "info stderr: ", "info stderr: two"]);
        assert_eq!(after, ["info stderr: thr\u{fffd}"]);
    }

    #[test]
    fn a_secret_is_masked_where_it_spans_pieces_and_lines() {
        let [before, after] = heard(&[b"a s3", b"\ncret b\nc s3\n", b"cre\n"], 10);
        assert_eq!(before, ["info stderr: a ******* b", "info stderr: c s3", "info stderr: cre"]);
        assert!(after.is_empty());
    }

    #[test]
    fn lines_past_the_limit_are_not_told() {
        assert_eq!(heard(&[b"1\n2\n3\n4"], 2), [vec!["info stderr: 1".to_owned(), "info stderr: 2".into()], vec![]]);
    }
}
