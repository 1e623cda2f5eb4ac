//! A small JSON reader that keeps what it reads: numbers and strings as written, the order of keys, duplicates, places.
//!
//! It does not unescape, and it does not know FHIR.

/// The deepest nesting of objects and arrays; the outermost object is the first.
pub const DEPTH_MAX: usize = 64;

/// A JSON value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number as written.
    Number(String),
    /// What stands between the quotes, as written.
    Text(String),
    /// An array.
    List(Vec<Value>),
    /// An object.
    Object(Vec<Member>),
}

/// One key of an object with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// What stands between the quotes, as written.
    pub key: String,
    /// Its value.
    pub value: Value,
    /// Where the key begins in the input.
    pub at: usize,
}

/// Where the input stops being JSON.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {at}")]
pub struct Fault {
    /// Offset in bytes.
    pub at: usize,
    /// What is wrong.
    pub what: &'static str,
}

impl Value {
    /// The members of an object; none of anything else.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        match self {
            Self::Object(members) => members,
            _ => &[],
        }
    }

    /// The items of an array, or the one value that is no array.
    #[must_use]
    pub fn items(&self) -> &[Self] {
        match self {
            Self::List(items) => items,
            other => std::slice::from_ref(other),
        }
    }

    /// The value of the first member with that key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.members().iter().find(|member| member.key == key).map(|member| &member.value)
    }

    /// The raw text of a string.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(raw) => Some(raw),
            _ => None,
        }
    }

    /// The text of a string that is written without an escape.
    #[must_use]
    pub fn plain(&self) -> Option<&str> {
        self.text().filter(|raw| !raw.contains('\\'))
    }

    /// Written again, with no white space.
    #[must_use]
    pub fn print(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Number(raw) => raw.clone(),
            Self::Text(raw) => format!("\"{raw}\""),
            Self::List(items) => format!("[{}]", items.iter().map(Self::print).collect::<Vec<_>>().join(",")),
            Self::Object(members) => {
                let written = members.iter().map(|member| format!("\"{}\":{}", member.key, member.value.print()));
                format!("{{{}}}", written.collect::<Vec<_>>().join(","))
            }
        }
    }
}

/// Reads one value with nothing but white space around it.
///
/// # Errors
/// What is not UTF-8, not RFC 8259, has a lone surrogate escape, or nests deeper than [`DEPTH_MAX`].
pub fn parse(input: &[u8]) -> Result<Value, Fault> {
    let text = std::str::from_utf8(input).map_err(|error| Fault { at: error.valid_up_to(), what: "not UTF-8" })?;
    let text = &with_plain_slashes(text);
    let mut reader = Reader { text, bytes: text.as_bytes(), at: 0 };
    reader.white();
    let value = reader.value(0)?;
    reader.white();
    if reader.at == text.len() { Ok(value) } else { Err(reader.fault("more after the value")) }
}

/// `\/` is `/`.
fn with_plain_slashes(text: &str) -> String {
    let mut plain = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            plain.push(letter);
            continue;
        }
        match letters.next() {
            Some('/') => plain.push('/'),
            next => {
                plain.push('\\');
                plain.extend(next);
            }
        }
    }
    plain
}

struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn fault(&self, what: &'static str) -> Fault {
        Fault { at: self.at, what }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn white(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn take(&mut self, wanted: u8, what: &'static str) -> Result<(), Fault> {
        if self.peek() != Some(wanted) {
            return Err(self.fault(what));
        }
        self.at += 1;
        Ok(())
    }

    fn value(&mut self, depth: usize) -> Result<Value, Fault> {
        match self.peek() {
            Some(b'{' | b'[') if depth == DEPTH_MAX => Err(self.fault("nested too deep")),
            Some(b'{') => self.object(depth + 1),
            Some(b'[') => self.list(depth + 1),
            Some(b'"') => Ok(Value::Text(self.string()?)),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => {
                for (word, value) in [("true", Value::Bool(true)), ("false", Value::Bool(false)), ("null", Value::Null)]
                {
                    if self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(word.as_bytes())) {
                        self.at += word.len();
                        return Ok(value);
                    }
                }
                Err(self.fault("no value"))
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value, Fault> {
        self.take(b'{', "no object")?;
        let mut members = Vec::new();
        self.white();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Value::Object(members));
        }
        loop {
            self.white();
            let at = self.at;
            let key = self.string()?;
            if key.contains('\\') {
                return Err(self.fault("a key with an escape"));
            }
            self.white();
            self.take(b':', "no colon")?;
            self.white();
            let value = self.value(depth)?;
            members.push(Member { key, value, at });
            self.white();
            if self.peek() == Some(b',') {
                self.at += 1;
            } else {
                self.take(b'}', "no end of the object")?;
                return Ok(Value::Object(members));
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<Value, Fault> {
        self.take(b'[', "no array")?;
        let mut items = Vec::new();
        self.white();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Value::List(items));
        }
        loop {
            self.white();
            items.push(self.value(depth)?);
            self.white();
            if self.peek() == Some(b',') {
                self.at += 1;
            } else {
                self.take(b']', "no end of the array")?;
                return Ok(Value::List(items));
            }
        }
    }

    fn digits(&mut self) -> Result<(), Fault> {
        let from = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == from { Err(self.fault("no digit")) } else { Ok(()) }
    }

    fn number(&mut self) -> Result<Value, Fault> {
        let from = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(Value::Number(self.text.get(from..self.at).unwrap_or_default().to_owned()))
    }

    fn string(&mut self) -> Result<String, Fault> {
        self.take(b'"', "no string")?;
        let from = self.at;
        loop {
            match self.peek() {
                None => return Err(self.fault("no end of the string")),
                Some(b'"') => break,
                Some(0..=0x1f) => return Err(self.fault("a control character")),
                Some(b'\\') => self.escape()?,
                Some(_) => self.at += 1,
            }
        }
        let raw = self.text.get(from..self.at).unwrap_or_default().to_owned();
        self.at += 1;
        Ok(raw)
    }

    fn escape(&mut self) -> Result<(), Fault> {
        self.take(b'\\', "no escape")?;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 1;
                Ok(())
            }
            Some(b'u') => match self.unit()? {
                0xdc00..=0xdfff => Err(self.fault("a lone surrogate")),
                0xd800..=0xdbff => {
                    self.take(b'\\', "a lone surrogate")?;
                    if self.peek() == Some(b'u') && matches!(self.unit()?, 0xdc00..=0xdfff) {
                        Ok(())
                    } else {
                        Err(self.fault("a lone surrogate"))
                    }
                }
                _ => Ok(()),
            },
            _ => Err(self.fault("no such escape")),
        }
    }

    fn unit(&mut self) -> Result<u32, Fault> {
        self.take(b'u', "no such escape")?;
        let digits = self.bytes.get(self.at..self.at + 4).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let Some(digits) = digits else { return Err(self.fault("no such escape")) };
        let unit = std::str::from_utf8(digits).ok().and_then(|digits| u32::from_str_radix(digits, 16).ok());
        self.at += 4;
        unit.ok_or(Fault { at: self.at, what: "no such escape" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_is_written() {
        let input = " { \"a\" : [ 1.50 , -0e+2 , \"\\u0041\\n\" , { } , [ ] , null ] , \"a\" : true } ";
        let printed = r#"{"a":[1.50,-0e+2,"\u0041\n",{},[],null],"a":true}"#;
        assert_eq!(parse(input.as_bytes()).map(|value| value.print()), Ok(printed.to_owned()));
    }

    #[test]
    fn refuses_what_is_not_rfc_8259() {
        for bad in [
            "",
            "{",
            "[1,]",
            "{\"a\":1,}",
            "01",
            "1.",
            ".5",
            "+1",
            "1e",
            "nul",
            "\"\t\"",
            "\"\\x\"",
            "\"\\u12g4\"",
            "\"\\ud800\"",
            "\"\\ud800\\u0041\"",
            "\"\\udc00\"",
            "{a:1}",
            "1 2",
            "'a'",
            "\u{feff}{}",
            "[1 2]",
        ] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(parse(b"\"\xff\"").is_err());
        assert!(parse(b"\"\\ud83d\\ude00\"").is_ok());
    }

    #[test]
    fn nests_to_the_limit_and_no_deeper() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(nested(DEPTH_MAX).as_bytes()).is_ok());
        assert!(parse(nested(DEPTH_MAX + 1).as_bytes()).is_err());
    }
}
