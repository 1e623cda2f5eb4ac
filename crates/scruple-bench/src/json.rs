//! A JSON tree that keeps the order of keys, keys that stand twice, and the text of scalars.

/// Levels that are parsed; deeper text is left to the mutations of bytes.
const DEPTH_MAX: usize = 200;

/// A value as it was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Node {
    /// Members in order; keys without their quotes, as written.
    Object(Vec<(String, Node)>),
    /// Items.
    Array(Vec<Node>),
    /// A scalar, quotes included.
    Scalar(String),
}

impl Node {
    /// Parses a text; `None` if it is not one JSON value.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parser = Parser { text, at: 0 };
        let node = parser.value(0)?;
        parser.space();
        (parser.at == text.len()).then_some(node)
    }

    /// Prints it, without white space.
    pub fn print(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    /// Prints it as Synthea does: a member a line, two spaces a level.
    pub fn pretty(&self) -> String {
        let mut out = String::new();
        self.write_pretty(0, &mut out);
        out
    }

    fn write_pretty(&self, level: usize, out: &mut String) {
        let new_line = |level: usize, out: &mut String| {
            out.push('\n');
            out.extend(std::iter::repeat_n("  ", level));
        };
        match self {
            Self::Object(members) if !members.is_empty() => {
                out.push('{');
                for (index, (key, value)) in members.iter().enumerate() {
                    out.push_str(if index > 0 { "," } else { "" });
                    new_line(level + 1, out);
                    out.push_str(&format!("\"{key}\": "));
                    value.write_pretty(level + 1, out);
                }
                new_line(level, out);
                out.push('}');
            }
            Self::Array(items) if !items.is_empty() => {
                out.push_str("[ ");
                for (index, item) in items.iter().enumerate() {
                    out.push_str(if index > 0 { ", " } else { "" });
                    item.write_pretty(level, out);
                }
                out.push_str(" ]");
            }
            _ => self.write(out),
        }
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Scalar(text) => out.push_str(text),
            Self::Array(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (index, (key, value)) in members.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    out.push('"');
                    out.push_str(key);
                    out.push_str("\":");
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Parser<'t> {
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.byte(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        self.space();
        (self.byte() == Some(byte)).then(|| self.at += 1)
    }

    fn string(&mut self) -> Option<&'t str> {
        self.take(b'"')?;
        let start = self.at;
        loop {
            match self.byte()? {
                b'"' => break,
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        let text = self.text.get(start..self.at)?;
        self.at += 1;
        Some(text)
    }

    fn value(&mut self, depth: usize) -> Option<Node> {
        if depth > DEPTH_MAX {
            return None;
        }
        self.space();
        match self.byte()? {
            b'{' => {
                self.at += 1;
                let mut members = Vec::new();
                if self.take(b'}').is_some() {
                    return Some(Node::Object(members));
                }
                loop {
                    self.space();
                    let key = self.string()?.to_owned();
                    self.take(b':')?;
                    members.push((key, self.value(depth + 1)?));
                    if self.take(b',').is_none() {
                        self.take(b'}')?;
                        return Some(Node::Object(members));
                    }
                }
            }
            b'[' => {
                self.at += 1;
                let mut items = Vec::new();
                if self.take(b']').is_some() {
                    return Some(Node::Array(items));
                }
                loop {
                    items.push(self.value(depth + 1)?);
                    if self.take(b',').is_none() {
                        self.take(b']')?;
                        return Some(Node::Array(items));
                    }
                }
            }
            b'"' => {
                let text = self.string()?;
                Some(Node::Scalar(format!("\"{text}\"")))
            }
            _ => {
                let rest = self.text.get(self.at..)?;
                let length =
                    rest.find([',', '}', ']', ' ', '\n', '\r', '\t', '"', '{', '[', ':']).unwrap_or(rest.len());
                let text = rest.get(..length).filter(|text| !text.is_empty())?;
                self.at += length;
                Some(Node::Scalar(text.to_owned()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_prints_as_it_was_written() {
        for text in [r#"{"a":1.50,"a":[null,"\u0041\"",{}],"":[]}"#, "[]", "\"x\"", "-0"] {
            assert_eq!(Node::parse(text).unwrap().print(), text);
        }
        for text in ["{", "{\"a\"}", "[1 2]", "", "\"", "{}x"] {
            assert_eq!(Node::parse(text), None, "{text}");
        }
        assert_eq!(Node::parse(" { \"a\" : [ 1 , 2 ] } ").unwrap().print(), r#"{"a":[1,2]}"#);
    }

    #[test]
    fn a_pretty_tree_is_the_same_tree() {
        let text = r#"{"a":[{"b":1.50},[],2],"c":{},"d":{"e":"f"}}"#;
        let pretty = Node::parse(text).unwrap().pretty();
        assert!(pretty.starts_with("{\n  \"a\": [ {\n    \"b\": 1.50\n  }, [], 2 ],\n"), "{pretty}");
        assert_eq!(Node::parse(&pretty).unwrap().print(), text);
    }
}
