//! Reading canonical texts: in one pass, without copies, and nothing else than canonical texts.

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use serde::Deserialize;

use super::{MAX_DEPTH, MAX_INTEGER};

/// A value as it stands in a canonical text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Json<'a> {
    text: &'a str,
    form: Form<'a>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Form<'a> {
    /// null, true or false.
    Word,
    Integer(i64),
    Text(Cow<'a, str>),
    Array(Vec<Json<'a>>),
    /// In the order of the keys.
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
}

impl<'a> Json<'a> {
    /// The value of a text; none of one that [`super::to_string`] would not have written.
    pub fn read(text: &'a str) -> Option<Self> {
        let mut reader = Reader { text, at: 0 };
        let value = reader.value(MAX_DEPTH)?;
        (reader.at == text.len()).then_some(value)
    }

    /// What an object has under a key.
    pub fn get(&self, key: &str) -> Option<&Json<'a>> {
        match &self.form {
            Form::Object(members) => members.iter().find(|(name, _)| name == key).map(|(_, value)| value),
            _ => None,
        }
    }

    /// A string.
    pub fn as_str(&self) -> Option<&str> {
        match &self.form {
            Form::Text(text) => Some(text),
            _ => None,
        }
    }

    /// An integer.
    pub fn as_i64(&self) -> Option<i64> {
        match self.form {
            Form::Integer(integer) => Some(integer),
            _ => None,
        }
    }

    /// An array.
    pub fn as_array(&self) -> Option<&[Json<'a>]> {
        match &self.form {
            Form::Array(items) => Some(items),
            _ => None,
        }
    }

    /// Is it null?
    pub fn is_null(&self) -> bool {
        self.text == "null"
    }

    /// Its text.
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// What it is as a `T`, if it is one.
    pub fn to<T: Deserialize<'a>>(&self) -> Option<T> {
        serde_json::from_str(self.text).ok()
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth_left: usize) -> Option<Json<'a>> {
        let start = self.at;
        let form = match self.peek()? {
            b'"' => Form::Text(self.string()?),
            b'{' => Form::Object(self.object(depth_left.checked_sub(1)?)?),
            b'[' => Form::Array(self.array(depth_left.checked_sub(1)?)?),
            b'-' | b'0'..=b'9' => Form::Integer(self.integer()?),
            _ => {
                let word = ["null", "true", "false"].into_iter().find(|word| self.text[start..].starts_with(word))?;
                self.at += word.len();
                Form::Word
            }
        };
        Some(Json { text: &self.text[start..self.at], form })
    }

    fn object(&mut self, depth_left: usize) -> Option<Vec<(Cow<'a, str>, Json<'a>)>> {
        self.take(b'{')?;
        let mut members: Vec<(Cow<'a, str>, Json<'a>)> = Vec::new();
        if self.take(b'}').is_some() {
            return Some(members);
        }
        loop {
            let key = self.string().filter(|key| key.is_ascii())?;
            // Each key stands once, in the order of its bytes.
            if members.last().is_some_and(|(before, _)| *before >= key) {
                return None;
            }
            self.take(b':')?;
            members.push((key, self.value(depth_left)?));
            if self.take(b',').is_none() {
                return self.take(b'}').map(|()| members);
            }
        }
    }

    fn array(&mut self, depth_left: usize) -> Option<Vec<Json<'a>>> {
        self.take(b'[')?;
        let mut items = Vec::new();
        if self.take(b']').is_some() {
            return Some(items);
        }
        loop {
            items.push(self.value(depth_left)?);
            if self.take(b',').is_none() {
                return self.take(b']').map(|()| items);
            }
        }
    }

    fn integer(&mut self) -> Option<i64> {
        let rest = &self.text.as_bytes()[self.at..];
        let signed = usize::from(rest.first() == Some(&b'-'));
        let digits = rest[signed..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        // One number has one text: no zeros in front, and no negative zero.
        if rest.get(signed) == Some(&b'0') && (digits > 1 || signed > 0) {
            return None;
        }
        let integer: i64 = self.text[self.at..self.at + signed + digits].parse().ok()?;
        self.at += signed + digits;
        (integer.unsigned_abs() <= MAX_INTEGER.unsigned_abs()).then_some(integer)
    }

    fn string(&mut self) -> Option<Cow<'a, str>> {
        self.take(b'"')?;
        let start = self.at;
        let mut unescaped = String::new();
        let mut copied = start;
        loop {
            match self.peek()? {
                b'"' => break,
                b'\\' => {
                    unescaped.push_str(&self.text[copied..self.at]);
                    unescaped.push(self.escape()?);
                    copied = self.at;
                }
                0..0x20 => return None,
                _ => self.at += 1,
            }
        }
        let last = &self.text[copied..self.at];
        self.at += 1;
        if copied == start {
            return Some(Cow::Borrowed(last));
        }
        unescaped.push_str(last);
        Some(Cow::Owned(unescaped))
    }

    // What is escaped, where there is no other way to write it: each character in one form, and U+0000 in none.
    fn escape(&mut self) -> Option<char> {
        let rest = &self.text[self.at..];
        for (escape, character) in SHORT {
            if rest.as_bytes().get(1) == Some(&escape) {
                self.at += 2;
                return Some(character);
            }
        }
        let digits = rest.strip_prefix("\\u00")?.get(..2)?;
        let code = u8::from_str_radix(digits, 16).ok().filter(|code| (1..0x20).contains(code))?;
        let character = char::from(code);
        let lower = digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
        if !lower || SHORT.iter().any(|(_, short)| *short == character) {
            return None;
        }
        self.at += 6;
        Some(character)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }
}

/// Characters with an escape of their own.
const SHORT: [(u8, char); 7] =
    [(b'"', '"'), (b'\\', '\\'), (b'b', '\u{8}'), (b't', '\t'), (b'n', '\n'), (b'f', '\u{c}'), (b'r', '\r')];
