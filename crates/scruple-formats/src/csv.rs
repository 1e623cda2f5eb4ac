//! [`Lines`]: the rows of a table (RFC 4180), one after the other in constant memory.
//!
//! A quote that is never closed would swallow all that follows: past a limit its line alone is refused, and the next line is read as
//! one of its own.

use crate::Refused;
use std::collections::VecDeque;
use std::io::{self, BufRead};

/// Bytes of one row, and of one line.
pub const LINE_BYTES_MAX: usize = 64 * 1024;

/// One row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// The number of its first line, from 1.
    pub number: u64,
    /// Its text.
    pub text: String,
    /// Its cells, or why there are none.
    pub cells: Result<Vec<String>, Refused>,
}

/// The rows of a table.
pub struct Lines<R> {
    from: R,
    delimiter: u8,
    /// Lines that were read and are to be read once more.
    waiting: VecDeque<(u64, Result<String, Refused>)>,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    /// The rows of `from`.
    pub const fn new(from: R, delimiter: u8) -> Self {
        Self { from, delimiter, waiting: VecDeque::new(), number: 0 }
    }

    /// The next row, or `None` at the end. Empty lines are none.
    ///
    /// # Errors
    /// The input failed.
    pub fn next_line(&mut self) -> io::Result<Option<Line>> {
        loop {
            let Some((number, first)) = self.physical()? else { return Ok(None) };
            let mut text = match first {
                Ok(text) if text.trim().is_empty() => continue,
                Ok(text) => text,
                Err(refused) => return Ok(Some(Line { number, text: String::new(), cells: Err(refused) })),
            };
            let mut more = Vec::new();
            let mut may_close = true;
            loop {
                // A line without a quote closes none: then all of it need not be looked at again.
                let found = if may_close { cells(&text, self.delimiter) } else { Cells::Open };
                match found {
                    Cells::Whole(cells) => return Ok(Some(Line { number, text, cells: Ok(cells) })),
                    Cells::Broken => {
                        self.give_back(more);
                        let refused = Refused::new("line", "quote_misplaced");
                        return Ok(Some(Line { number, text: first_of(&text), cells: Err(refused) }));
                    }
                    Cells::Open => {}
                }
                let next = if text.len() > LINE_BYTES_MAX { None } else { self.physical()? };
                match next {
                    Some((at, Ok(line))) => {
                        may_close = line.contains('"');
                        text.push('\n');
                        text.push_str(&line);
                        more.push((at, Ok(line)));
                    }
                    other => {
                        more.extend(other);
                        self.give_back(more);
                        let refused = Refused::new("line", "quote_not_closed");
                        return Ok(Some(Line { number, text: first_of(&text), cells: Err(refused) }));
                    }
                }
            }
        }
    }

    fn give_back(&mut self, lines: Vec<(u64, Result<String, Refused>)>) {
        lines.into_iter().rev().for_each(|line| self.waiting.push_front(line));
    }

    /// The next line as it stands. One that is too long is read to its end and refused.
    fn physical(&mut self) -> io::Result<Option<(u64, Result<String, Refused>)>> {
        if let Some(waiting) = self.waiting.pop_front() {
            return Ok(Some(waiting));
        }
        let mut bytes = Vec::new();
        let (mut any, mut is_long) = (false, false);
        loop {
            let buffer = self.from.fill_buf()?;
            if buffer.is_empty() {
                break;
            }
            any = true;
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(buffer.len(), |end| end + 1);
            if bytes.len() + taken > LINE_BYTES_MAX {
                is_long = true;
            } else {
                bytes.extend_from_slice(buffer.get(..taken).unwrap_or_default());
            }
            self.from.consume(taken);
            if end.is_some() {
                break;
            }
        }
        if !any {
            return Ok(None);
        }
        self.number += 1;
        if is_long {
            return Ok(Some((self.number, Err(Refused::new("line", "too_long")))));
        }
        let mut bytes = bytes.as_slice();
        if self.number == 1 {
            bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        }
        let text = std::str::from_utf8(bytes).map(|text| text.trim_end_matches(['\n', '\r']).to_owned());
        Ok(Some((self.number, text.map_err(|_| Refused::new("line", "not_utf8")))))
    }
}

fn first_of(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

enum Cells {
    Whole(Vec<String>),
    /// A quote is open at the end.
    Open,
    /// A quote stands where none may.
    Broken,
}

fn cells(text: &str, delimiter: u8) -> Cells {
    let delimiter = char::from(delimiter);
    let mut cells = Vec::new();
    let mut letters = text.chars().peekable();
    loop {
        let mut cell = String::new();
        if letters.peek() == Some(&'"') {
            letters.next();
            loop {
                match letters.next() {
                    None => return Cells::Open,
                    Some('"') if letters.peek() == Some(&'"') => {
                        letters.next();
                        cell.push('"');
                    }
                    Some('"') => break,
                    Some(letter) => cell.push(letter),
                }
            }
            match letters.next() {
                None => {
                    cells.push(cell);
                    return Cells::Whole(cells);
                }
                Some(letter) if letter == delimiter => cells.push(cell),
                Some(_) => return Cells::Broken,
            }
            continue;
        }
        loop {
            match letters.next() {
                None => {
                    cells.push(cell);
                    return Cells::Whole(cells);
                }
                Some(letter) if letter == delimiter => break,
                Some(letter) => cell.push(letter),
            }
        }
        cells.push(cell);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &[u8], expected: &[&str]) {
        let mut lines = Lines::new(text, b',');
        let mut found = Vec::new();
        while let Some(line) = lines.next_line().unwrap() {
            let cells = match line.cells {
                Ok(cells) => cells.join("|"),
                Err(refused) => refused.to_string(),
            };
            found.push(format!("{}: {cells}", line.number));
        }
        assert_eq!(found, expected, "{}", String::from_utf8_lossy(text));
    }

    #[test]
    fn rows_are_read_with_quotes_line_ends_and_a_byte_order_mark() {
        check(b"\xef\xbb\xbfa,b\r\n1,\"x,\"\"y\"\"\"\r\n\r\n2,\n", &["1: a|b", "2: 1|x,\"y\"", "4: 2|"]);
        check(b"a,\"b\nc\",d\ne,f", &["1: a|b\nc|d", "3: e|f"]);
        check(b"", &[]);
    }

    #[test]
    fn a_quote_that_is_not_closed_takes_its_own_line_alone() {
        check(b"a,\"b\nc,d\ne,f", &["1: line: quote_not_closed", "2: c|d", "3: e|f"]);
        check(b"a,\"b\"x\nc,d", &["1: line: quote_misplaced", "2: c|d"]);
        let mut long = b"a,\"b\n".to_vec();
        for _ in 0..10_000 {
            long.extend_from_slice(b"0123456789,1\n");
        }
        let mut lines = Lines::new(long.as_slice(), b',');
        assert!(lines.next_line().unwrap().unwrap().cells.is_err());
        let mut rest = 0;
        while let Some(line) = lines.next_line().unwrap() {
            assert!(line.cells.is_ok());
            rest += 1;
        }
        assert_eq!(rest, 10_000);
    }

    #[test]
    fn a_line_that_is_no_text_or_too_long_is_refused_and_the_next_is_read() {
        check(b"\xff\xfe,b\nc,d", &["1: line: not_utf8", "2: c|d"]);
        let long = [vec![b'x'; LINE_BYTES_MAX + 1], b"\nc,d".to_vec()].concat();
        check(&long, &["1: line: too_long", "2: c|d"]);
    }
}
