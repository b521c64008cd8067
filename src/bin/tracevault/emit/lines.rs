//! Lines from a stream, numbered, in bounded memory whatever the stream holds.

use std::{
    io::{self, BufRead},
    thread,
};

use tokio::sync::mpsc;

/// A longer line is passed over.
const LONGEST: usize = 16 << 20;
/// How much is read at once.
const BUFFER: usize = 256 << 10;
/// How many chunks may wait. A chunk is what one read gave, and what was left of a line before it.
const AHEAD: usize = 4;

/// A line that is not blank.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) number: u64,
    pub(crate) text: Result<String, &'static str>,
}

type Chunk = io::Result<Vec<Line>>;

/// Reads stdin on a thread of its own, since such a read cannot be given up: the thread ends with the process.
pub(crate) fn of_stdin() -> mpsc::Receiver<Chunk> {
    let (send, receive) = mpsc::channel(AHEAD);
    thread::spawn(move || {
        let mut lines = Lines::new(io::BufReader::with_capacity(BUFFER, io::stdin().lock()));
        while let Some(chunk) = lines.next_chunk().transpose() {
            let failed = chunk.is_err();
            if send.blocking_send(chunk).is_err() || failed {
                return;
            }
        }
    });
    receive
}

struct Lines<R> {
    input: R,
    /// Of the line that is being read, from 1.
    number: u64,
    /// Its beginning.
    partial: Vec<u8>,
    /// It is too long, and is passed over.
    skipping: bool,
    ended: bool,
}

impl<R: BufRead> Lines<R> {
    fn new(input: R) -> Self {
        Self { input, number: 1, partial: Vec::new(), skipping: false, ended: false }
    }

    /// The lines that one read completes: none is kept back while the stream pauses. `None`: the stream has ended.
    fn next_chunk(&mut self) -> io::Result<Option<Vec<Line>>> {
        if self.ended {
            return Ok(None);
        }
        let mut chunk = Vec::new();
        let read = loop {
            match self.input.fill_buf() {
                Ok(bytes) => break bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        };
        let length = read.len();
        if length == 0 {
            self.ended = true;
        }
        let mut pieces = read.split(|byte| *byte == b'\n').peekable();
        while let Some(piece) = pieces.next() {
            if !self.skipping && self.partial.len() + piece.len() > LONGEST {
                self.skipping = true;
                self.partial = Vec::new();
            }
            if !self.skipping {
                self.partial.extend_from_slice(piece);
            }
            if pieces.peek().is_some() || self.ended {
                let text = if std::mem::take(&mut self.skipping) {
                    self.partial.clear();
                    Some(Err("is longer than 16 MiB"))
                } else {
                    finished(std::mem::take(&mut self.partial), self.number == 1)
                };
                chunk.extend(text.map(|text| Line { number: self.number, text }));
                self.number += 1;
            }
        }
        self.input.consume(length);
        Ok(Some(chunk))
    }
}

/// The text of a line; `None`: it is blank.
fn finished(mut bytes: Vec<u8>, first: bool) -> Option<Result<String, &'static str>> {
    if first && bytes.starts_with(b"\xef\xbb\xbf") {
        // Editors on Windows put a byte order mark before the first line.
        bytes.drain(..3);
    }
    if bytes.trim_ascii().is_empty() {
        return None;
    }
    Some(String::from_utf8(bytes).map_err(|_| "is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All lines, read in pieces of this size.
    fn read(input: &[u8], piece: usize) -> Vec<(u64, Result<String, &'static str>)> {
        let mut lines = Lines::new(io::BufReader::with_capacity(piece, input));
        let mut all = Vec::new();
        while let Some(chunk) = lines.next_chunk().unwrap() {
            all.extend(chunk.into_iter().map(|line| (line.number, line.text)));
        }
        all
    }

    #[test]
    fn lines_are_numbered_however_they_arrive() {
        let input = b"\xef\xbb\xbfa\r\n\n \t\r\nb\n\xff\nc";
        let expected =
            [(1, Ok("a\r".to_owned())), (4, Ok("b".to_owned())), (5, Err("is not UTF-8")), (6, Ok("c".into()))];
        for piece in 1..20 {
            assert_eq!(read(input, piece), expected, "in pieces of {piece}");
        }
        assert_eq!(read(b"", 8), []);
        assert_eq!(read(b"\n", 8), []);
        assert_eq!(read(b"a\n", 8), [(1, Ok("a".to_owned()))]);
    }

    #[test]
    fn a_line_of_the_longest_length_passes_and_a_longer_one_does_not() {
        let mut input = vec![b'x'; LONGEST];
        input.push(b'\n');
        input.extend(vec![b'x'; LONGEST + 1]);
        input.extend(b"\nlast");
        let lines = read(&input, BUFFER);
        assert_eq!(lines[0].1.as_ref().map(String::len), Ok(LONGEST));
        assert_eq!(lines[1..], [(2, Err("is longer than 16 MiB")), (3, Ok("last".to_owned()))]);
    }

    #[test]
    fn an_endless_line_is_not_held() {
        let mut lines = Lines::new(io::BufReader::with_capacity(BUFFER, io::Read::take(io::repeat(b'x'), 64 << 20)));
        while lines.next_chunk().unwrap().is_some() {
            assert!(lines.partial.capacity() <= 2 * LONGEST);
        }
    }
}
