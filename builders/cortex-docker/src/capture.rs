//! What a container writes, bounded while it is read.

use std::sync::Arc;

use cortex_sandbox::{Answer, Captured, Contract, Grants, Limits, LiveLines, Observer, Stream};
use serde::Deserialize;

/// What the launcher writes on both streams when the program has ended, before three digits and the line's end.
const EXITED: &[u8] = b"\x1ecortex:exit:";

/// How long all of it is.
const EXITED_BYTES: usize = EXITED.len() + 4;

/// Before an answer of a function.
const ANSWER: u8 = 0x1e;

/// A stream whose last bytes are held back while they may be the launcher's word.
#[derive(Debug, Default)]
struct Held {
    held: Vec<u8>,
    exit_code: Option<i32>,
}

impl Held {
    /// What is known to be the tool's own.
    fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.held.extend_from_slice(bytes);
        if let Some(code) = exit_code(&self.held) {
            self.exit_code = Some(code);
            let own = self.held.len() - EXITED_BYTES;
            self.held.drain(own..);
            return std::mem::take(&mut self.held);
        }
        let own = self.held.len() - begun(&self.held);
        self.held.drain(..own).collect()
    }
}

/// How many of the last bytes could be the beginning of the launcher's word.
fn begun(bytes: &[u8]) -> usize {
    let last = &bytes[bytes.len().saturating_sub(EXITED_BYTES)..];
    let Some(at) = last.iter().rposition(|byte| *byte == EXITED[0]) else { return 0 };
    let word = &last[at..];
    let (fixed, digits) = word.split_at(word.len().min(EXITED.len()));
    let fits = EXITED.starts_with(fixed) && digits.len() <= 3 && digits.iter().all(u8::is_ascii_digit);
    if fits { word.len() } else { 0 }
}

fn exit_code(bytes: &[u8]) -> Option<i32> {
    let word = &bytes[bytes.len().checked_sub(EXITED_BYTES)?..];
    std::str::from_utf8(word.strip_prefix(EXITED)?.strip_suffix(b"\n")?).ok()?.parse().ok()
}

/// What is kept of a stream. The rest is counted.
#[derive(Debug, Default)]
struct Log {
    kept: Vec<u8>,
    dropped_bytes: u64,
    /// Who hears it meanwhile.
    live: Option<LiveLines>,
}

impl Log {
    fn push(&mut self, bytes: &[u8], limit: usize) {
        let taken = bytes.len().min(limit.saturating_sub(self.kept.len()));
        self.kept.extend_from_slice(&bytes[..taken]);
        if let Some(live) = &mut self.live {
            live.feed(&bytes[..taken]);
        }
        self.dropped_bytes += (bytes.len() - taken) as u64;
    }

    fn into_captured(self) -> Captured {
        if let Some(live) = self.live {
            live.finish();
        }
        Captured { text: String::from_utf8_lossy(&self.kept).into_owned(), dropped_bytes: self.dropped_bytes }
    }
}

/// Both streams of one call.
#[derive(Debug)]
pub(crate) struct Capture {
    limit: usize,
    contract: Contract,
    launched: bool,
    held: [Held; 2],
    stdout: Log,
    stderr: Log,
    /// The answer of a function: what follows the last separator.
    answer: Option<Vec<u8>>,
}

/// A result was larger than it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLarge;

impl Capture {
    /// `launched`: the launcher says when the program has ended.
    pub(crate) fn new(limit: usize, contract: Contract, launched: bool) -> Self {
        let held = [Held::default(), Held::default()];
        Self { limit, contract, launched, held, stdout: Log::default(), stderr: Log::default(), answer: None }
    }

    /// Tells somebody what the tool writes, as it comes.
    pub(crate) fn heard_by(mut self, observer: Option<&Arc<dyn Observer>>, limits: &Limits, grants: &Grants) -> Self {
        let Some(observer) = observer else { return self };
        let live = |stream| Some(LiveLines::new(observer, stream, limits, &grants.secrets));
        // A program's standard output is its result.
        if self.contract != Contract::Command {
            self.stdout.live = live(Stream::Stdout);
        }
        self.stderr.live = live(Stream::Stderr);
        self
    }

    /// Standard output. A program's is its result, which must not be cut; a function's is a log, until its answer begins.
    pub(crate) fn stdout(&mut self, bytes: &[u8]) -> Result<(), TooLarge> {
        if !self.launched {
            return self.out(bytes);
        }
        let own = self.held[0].push(bytes);
        self.out(&own)
    }

    fn out(&mut self, mut bytes: &[u8]) -> Result<(), TooLarge> {
        if self.contract == Contract::Command {
            self.stdout.push(bytes, self.limit);
            return if self.stdout.dropped_bytes > 0 { Err(TooLarge) } else { Ok(()) };
        }
        while let Some(at) = bytes.iter().position(|byte| *byte == ANSWER) {
            self.feed(&bytes[..at])?;
            // Whatever looked like an answer before was one of the tool's own separators.
            if let Some(earlier) = self.answer.replace(Vec::new()) {
                self.stdout.push(&earlier, self.limit);
            }
            bytes = &bytes[at + 1..];
        }
        self.feed(bytes)
    }

    fn feed(&mut self, bytes: &[u8]) -> Result<(), TooLarge> {
        let Some(answer) = &mut self.answer else {
            self.stdout.push(bytes, self.limit);
            return Ok(());
        };
        // The sign before the answer and the line's end after it are not part of it.
        if answer.len() + bytes.len() > self.limit + 2 {
            return Err(TooLarge);
        }
        answer.extend_from_slice(bytes);
        Ok(())
    }

    /// Standard error.
    pub(crate) fn stderr(&mut self, bytes: &[u8]) {
        if self.launched {
            let own = self.held[1].push(bytes);
            self.stderr.push(&own, self.limit);
        } else {
            self.stderr.push(bytes, self.limit);
        }
    }

    /// The exit code, once both streams have told of it: then nothing is missing.
    pub(crate) fn exit_code(&self) -> Option<i32> {
        self.held[0].exit_code.and(self.held[1].exit_code)
    }

    /// Whether a call of a process that goes on is over.
    pub(crate) fn is_answered(&self) -> bool {
        match self.contract {
            Contract::Command => self.stdout.kept.ends_with(b"\n"),
            Contract::Tool | Contract::Functions => self.answer.as_ref().is_some_and(|answer| answer.ends_with(b"\n")),
        }
    }

    /// What a function answered, or what a program wrote, and both logs.
    pub(crate) fn finish(mut self) -> (Option<Answer>, Captured, Captured) {
        // A program that was killed has no last word: what was held back is its own.
        let held = std::mem::take(&mut self.held);
        let _the_call_has_ended_already = self.out(&held[0].held);
        self.stderr.push(&held[1].held, self.limit);
        let answer = self.answer.take().and_then(|answer| parse(&answer));
        (answer, self.stdout.into_captured(), self.stderr.into_captured())
    }
}

#[derive(Deserialize)]
struct Failed {
    code: String,
    message: String,
    data: Option<String>,
}

fn parse(answer: &[u8]) -> Option<Answer> {
    let (sign, document) = answer.strip_suffix(b"\n").unwrap_or(answer).split_first()?;
    let text = String::from_utf8_lossy(document).into_owned();
    match sign {
        b'+' => Some(Answer::Result(text)),
        b'-' => {
            let Failed { code, message, data } = serde_json::from_str(&text).ok()?;
            Some(Answer::Error { code, message, data })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use cortex_sandbox::{Answer, Contract};

    use super::{Capture, TooLarge};

    #[test]
    fn a_functions_answer_is_apart_from_what_it_prints() {
        let mut capture = Capture::new(100, Contract::Tool, true);
        for piece in ["hello\n\x1e no answer", " of ours\n\x1e+{\"a\"", ":1}\n\x1ecortex:", "exit:000\n"] {
            capture.stdout(piece.as_bytes()).unwrap();
        }
        assert_eq!(capture.exit_code(), None, "standard error may be on its way");
        capture.stderr(b"\x1ecortex:exit:000\n");
        assert_eq!(capture.exit_code(), Some(0));
        let (answer, stdout, _) = capture.finish();
        assert_eq!(answer, Some(Answer::Result("{\"a\":1}".into())));
        assert_eq!(stdout.text, "hello\n no answer of ours\n");
    }

    #[test]
    fn the_launchers_word_is_taken_out_and_a_log_past_its_limit_is_counted() {
        let mut capture = Capture::new(10, Contract::Command, true);
        for piece in ["0123456789 and more than is kept", "\x1ecortex:ex", "it:137\n"] {
            capture.stderr(piece.as_bytes());
        }
        capture.stdout(b"{}\n\x1ecortex:exit:137\n").unwrap();
        assert_eq!(capture.exit_code(), Some(137));
        let (_, stdout, stderr) = capture.finish();
        assert_eq!((stdout.text.as_str(), stderr.text.as_str(), stderr.dropped_bytes), ("{}\n", "0123456789", 22));
    }

    #[test]
    fn what_was_held_back_of_a_killed_program_is_its_own() {
        let mut capture = Capture::new(100, Contract::Command, true);
        capture.stdout(b"half an ans").unwrap();
        assert_eq!(capture.finish().1.text, "half an ans");
    }

    #[test]
    fn a_result_past_its_limit_ends_the_call() {
        let mut capture = Capture::new(4, Contract::Command, false);
        assert_eq!((capture.stdout(b"1234"), capture.stdout(b"5")), (Ok(()), Err(TooLarge)));
        let mut capture = Capture::new(4, Contract::Tool, false);
        assert_eq!(capture.stdout(b"123456\x1e+1234\n"), Ok(()));
        assert!(capture.is_answered());
        assert_eq!(capture.stdout(b"5"), Err(TooLarge));
        assert_eq!(capture.finish().1.dropped_bytes, 2);
    }
}
