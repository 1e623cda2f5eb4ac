//! Rust source seen just well enough for the rules: code apart from comments and literals, and which lines are tests.
//!
//! Not a parser. It knows comments (nested ones too), string, byte and raw strings, characters against lifetimes, and
//! brackets; a macro that plays tricks with unbalanced text can deceive it.

/// A Rust file taken apart.
pub struct RustText {
    /// The text with every comment and literal blanked, same length, same lines.
    pub code: String,
    /// String literals, without their quotes, each with the line on which it begins.
    pub literals: Vec<(usize, String)>,
    /// Per line: whether it is test code.
    pub test_lines: Vec<bool>,
    /// Attributes (`#[...]` and `#![...]`): line and the blanked text between the brackets.
    pub attributes: Vec<(usize, String)>,
    /// Modules that are only there for tests and live in another file: `#[cfg(test)] mod name;`.
    pub test_modules: Vec<String>,
}

impl RustText {
    /// Takes a file apart. `all_tests`: the whole file is test code by its place.
    pub fn new(text: &str, all_tests: bool) -> Self {
        let (code, literals) = blank(text);
        let lines = text.lines().count() + 1;
        let mut this = Self {
            code,
            literals,
            test_lines: vec![all_tests; lines],
            attributes: Vec::new(),
            test_modules: Vec::new(),
        };
        this.read_attributes();
        this
    }

    /// Whether line `line` (from 1) is test code.
    pub fn is_test(&self, line: usize) -> bool {
        self.test_lines.get(line - 1).copied().unwrap_or(false)
    }

    /// Lines (from 1) of the code that hold `word` as a whole word.
    pub fn lines_with_word(&self, word: &str) -> impl Iterator<Item = usize> {
        let word = word.to_owned();
        self.code.lines().enumerate().filter(move |(_, line)| has_word(line, &word)).map(|(n, _)| n + 1)
    }

    fn read_attributes(&mut self) {
        let mut at = 0;
        while let Some(found) = self.code.get(at..).and_then(|rest| rest.find('#')) {
            let hash = at + found;
            at = hash + 1;
            let rest = self.code.get(at..).unwrap_or("");
            let trimmed = rest.strip_prefix('!').unwrap_or(rest);
            if !trimmed.starts_with('[') {
                continue;
            }
            let open = self.code.len() - trimmed.len();
            let Some(close) = matching(&self.code, open) else { continue };
            let inner = self.code.get(open + 1..close).unwrap_or("").to_owned();
            let line = line_of(&self.code, hash);
            if is_test_attribute(&inner) {
                self.mark_item(hash, close + 1);
            }
            self.attributes.push((line, inner));
            at = close + 1;
        }
    }

    /// Marks the item after an attribute as test code: up to its `;` or over its braces.
    fn mark_item(&mut self, from: usize, after: usize) {
        let rest = self.code.get(after..).unwrap_or("");
        let Some(stop) = rest.find(['{', ';']).map(|n| after + n) else { return };
        let head = self.code.get(after..stop).unwrap_or("");
        let end = if self.code.as_bytes().get(stop) == Some(&b'{') {
            matching(&self.code, stop).unwrap_or(self.code.len())
        } else {
            if let Some((_, name)) = head.trim().rsplit_once("mod ") {
                self.test_modules.push(name.trim().to_owned());
            }
            stop
        };
        let (first, last) = (line_of(&self.code, from), line_of(&self.code, end));
        for line in self.test_lines.iter_mut().take(last).skip(first - 1) {
            *line = true;
        }
    }
}

fn is_test_attribute(inner: &str) -> bool {
    let inner = inner.trim();
    let path = inner.split(['(', ' ', '=']).next().unwrap_or("");
    match path {
        "cfg" => has_word(inner, "test") && !has_word(inner, "not"),
        _ => path.rsplit("::").next() == Some("test"),
    }
}

/// Whether `word` stands in `text`, with no letter, digit or underscore on either side.
pub fn has_word(text: &str, word: &str) -> bool {
    let is_name = |c: char| c == '_' || c.is_alphanumeric();
    text.match_indices(word).any(|(at, _)| {
        let before = text.get(..at).and_then(|t| t.chars().next_back());
        let after = text.get(at + word.len()..).and_then(|t| t.chars().next());
        !before.is_some_and(is_name) && !after.is_some_and(is_name)
    })
}

/// The line, from 1, of a place in the text.
pub fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|&b| b == b'\n').count() + 1
}

/// The place of the bracket that closes the one at `open`.
fn matching(code: &str, open: usize) -> Option<usize> {
    let mut depth = 0usize;
    for (at, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

/// The code with comments and literals replaced by spaces, and the string literals.
fn blank(text: &str) -> (String, Vec<(usize, String)>) {
    let mut out = String::with_capacity(text.len());
    let mut literals = Vec::new();
    let mut rest = text;
    let mut line = 1;
    while let Some(first) = rest.chars().next() {
        let word_before = out.chars().next_back().is_some_and(|c| c == '_' || c.is_alphanumeric());
        let (taken, literal) = match first {
            '/' if rest.starts_with("//") => (rest.find('\n').unwrap_or(rest.len()), None),
            '/' if rest.starts_with("/*") => (block_comment(rest), None),
            '"' => {
                let len = quoted(rest);
                (len, Some((1, 1)))
            }
            'r' if !word_before || prefix_only(&out) => match raw_string(rest) {
                Some((len, hashes)) => (len, Some((hashes + 2, hashes + 1))),
                None => (0, None),
            },
            '\'' => (character(rest), None),
            _ => (0, None),
        };
        if taken == 0 {
            out.push(first);
            rest = rest.get(first.len_utf8()..).unwrap_or("");
            line += usize::from(first == '\n');
            continue;
        }
        let (part, tail) = rest.split_at_checked(taken).unwrap_or((rest, ""));
        if let Some((skip, end)) = literal {
            let inner = part.get(skip..part.len().saturating_sub(end)).unwrap_or("");
            literals.push((line, inner.to_owned()));
        }
        for c in part.chars() {
            if c == '\n' {
                line += 1;
                out.push('\n');
            } else {
                out.extend(std::iter::repeat_n(' ', c.len_utf8()));
            }
        }
        rest = tail;
    }
    (out, literals)
}

/// Whether the last word so far is the `b` or `c` of a byte or C string.
fn prefix_only(out: &str) -> bool {
    let mut back = out.chars().rev();
    matches!(back.next(), Some('b' | 'c')) && !back.next().is_some_and(|c| c == '_' || c.is_alphanumeric())
}

fn block_comment(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut depth = 0usize;
    let mut at = 0;
    while let Some(pair) = bytes.get(at..at + 2) {
        match pair {
            b"/*" => (depth, at) = (depth + 1, at + 2),
            b"*/" => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// Length of a string that begins with its quote.
fn quoted(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Length and number of hashes of a raw string that begins with its `r`.
fn raw_string(text: &str) -> Option<(usize, usize)> {
    let after = text.strip_prefix('r')?;
    let hashes = after.bytes().take_while(|&b| b == b'#').count();
    let body = after.get(hashes..)?.strip_prefix('"')?;
    let close = format!("\"{}", "#".repeat(hashes));
    let end = body.find(&close).map_or(body.len(), |n| n + close.len());
    Some((1 + hashes + 1 + end, hashes))
}

/// Length of a character literal; 0 for a lifetime.
fn character(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), Some(_)) => chars.find(|(_, c)| *c == '\'').map_or(0, |(at, _)| at + 1),
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::RustText;

    #[test]
    fn comments_and_literals_are_blanked_and_lines_stay() {
        let text = "let a = \"x // y\\\" z\"; // sleep(\n/* sleep( /* nested */ sleep( */ let b = r#\"raw \" sleep(\"#;\n\
                    let c = 'x'; let d = '\\''; fn f<'a>(x: &'a str) {} let e = br\"sleep(\"; r#type";
        let rust = RustText::new(text, false);
        assert_eq!(rust.code.len(), text.len());
        assert_eq!(rust.code.lines().count(), text.lines().count());
        assert!(!rust.code.contains("sleep"), "{}", rust.code);
        assert!(rust.code.contains("fn f<'a>(x: &'a str) {}"));
        assert!(rust.code.contains("r#type"));
        let literals: Vec<_> = rust.literals.iter().map(|(line, text)| (*line, text.as_str())).collect();
        assert_eq!(literals, [(1, "x // y\\\" z"), (2, "raw \" sleep("), (3, "sleep(")]);
    }

    #[test]
    fn test_code_is_found_by_its_attribute() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() { }\n}\nfn c() {}\n#[tokio::test]\nasync fn d() {\n}\n\
                    #[cfg(not(test))]\nfn e() {}\n#[cfg(test)]\nmod props;\n";
        let rust = RustText::new(text, false);
        let tests: Vec<usize> = (1..=13).filter(|&n| rust.is_test(n)).collect();
        assert_eq!(tests, [2, 3, 4, 5, 7, 8, 9, 12, 13]);
        assert_eq!(rust.test_modules, ["props"]);
        assert!(RustText::new(text, true).is_test(1));
    }

    #[test]
    fn attributes_may_span_lines() {
        let rust = RustText::new("#![expect(\n    clippy::x,\n    reason = \"]\"\n)]\nfn a() {}", false);
        assert_eq!(rust.attributes.len(), 1);
        assert!(rust.attributes[0].1.contains("reason"));
    }
}
