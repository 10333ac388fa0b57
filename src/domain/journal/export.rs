//! Reading an entry back from its line in the NDJSON export.

use serde_json::Value;
use uuid::Uuid;

use crate::domain::journal::canonical;
use crate::domain::journal::entry::{Entry, Hash, Posting};
use crate::domain::time;

/// Why a line is not an entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Not JSON at all.
    #[error("it is not JSON")]
    NotJson,
    /// A key is absent or holds something else than it should.
    #[error("its `{0}` is missing or has the wrong form")]
    Key(&'static str),
    /// The line has no end.
    #[error("it was cut off")]
    CutOff,
    /// Bytes that are no text, or a CSV row of another length.
    #[error("it is damaged")]
    Damaged,
    /// A CSV file with other columns than an export's.
    #[error("its columns are not those of an export")]
    Columns,
    /// The same content can be written in one way only.
    #[error("it is not in canonical form")]
    NotCanonical,
}

/// The entry and the hash of a line.
///
/// The line must be what the export would write, to the byte: that also refuses keys that stand in it twice, keys
/// that do not belong there, and numbers in other notations.
pub fn read_line(line: &str) -> Result<(Entry, Hash), Unreadable> {
    let value: Value = serde_json::from_str(line).map_err(|_| Unreadable::NotJson)?;
    let (entry, hash) = read_value(&value)?;
    if entry.export_line(&hash) != line {
        return Err(Unreadable::NotCanonical);
    }
    Ok((entry, hash))
}

/// A hash from its hexadecimal text.
pub fn read_hash(text: &str) -> Option<Hash> {
    let mut hash = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (n, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * n..2 * n + 2], 16).ok()?;
    }
    Some(hash)
}

/// The entry and the hash of a line's JSON.
pub fn read_value(value: &Value) -> Result<(Entry, Hash), Unreadable> {
    let text = |key: &'static str| value[key].as_str().ok_or(Unreadable::Key(key));
    let integer = |key: &'static str| value[key].as_i64().ok_or(Unreadable::Key(key));
    let small = |key: &'static str| i16::try_from(integer(key)?).map_err(|_| Unreadable::Key(key));
    let instant = |key: &'static str| time::parse(text(key)?).map_err(|_| Unreadable::Key(key));
    let postings = value["postings"].as_array().ok_or(Unreadable::Key("postings"))?;
    let entry = Entry {
        v: small("v")?,
        ledger: required_uuid(value, "ledger")?,
        journal: small("journal")?,
        seq: integer("seq")?,
        id: required_uuid(value, "id")?,
        kind: text("kind")?.to_owned(),
        member: uuid(value, "member")?,
        actor: text("actor")?.to_owned(),
        command: uuid(value, "command")?,
        program_version: i32::try_from(integer("program_version")?).map_err(|_| Unreadable::Key("program_version"))?,
        effective_at: instant("effective_at")?,
        recorded_at: instant("recorded_at")?,
        payload: canonical::to_string(&value["payload"]).map_err(|_| Unreadable::Key("payload"))?,
        postings: postings.iter().map(posting).collect::<Result<_, _>>()?,
    };
    Ok((entry, read_hash(text("hash")?).ok_or(Unreadable::Key("hash"))?))
}

fn posting(value: &Value) -> Result<Posting, Unreadable> {
    let account = |key: &'static str| {
        let name = value[key].as_str().ok_or(Unreadable::Key("postings"))?;
        name.parse().map_err(|_| Unreadable::Key("postings"))
    };
    Ok(Posting {
        debit: account("debit")?,
        credit: account("credit")?,
        points: value["points"].as_i64().ok_or(Unreadable::Key("postings"))?,
        lot: uuid(value, "lot")?,
    })
}

fn uuid(value: &Value, key: &'static str) -> Result<Option<Uuid>, Unreadable> {
    match &value[key] {
        Value::Null => Ok(None),
        Value::String(text) => Uuid::try_parse(text).map(Some).map_err(|_| Unreadable::Key(key)),
        _ => Err(Unreadable::Key(key)),
    }
}

fn required_uuid(value: &Value, key: &'static str) -> Result<Uuid, Unreadable> {
    uuid(value, key)?.ok_or(Unreadable::Key(key))
}
