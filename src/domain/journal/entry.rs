//! Entries and postings: the facts of a journal, and the bytes that are hashed.

use uuid::Uuid;

use crate::domain::digest::{self, sha256};
use crate::domain::ids::{JournalId, MemberId};
use crate::domain::journal::account::Account;
use crate::domain::journal::canonical::{self, NotCanonical};
pub use crate::domain::journal::kind::Kind;
use crate::domain::journal::payload::Payload;
use crate::domain::time::{self, Timestamp};

/// The version of the canonical form that this program writes and reads.
pub const CANONICAL_VERSION: i16 = 1;

/// The most points of anything: what every reader of JSON holds exactly, 2⁵³ − 1.
pub const MAX_POINTS: i64 = canonical::MAX_INTEGER;

/// A SHA-256 digest. The one before a journal's first entry is all zeros.
pub type Hash = digest::Sha256;

/// A line of an entry: `points` leave the account `debit` and arrive in `credit`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posting {
    /// The account that is debited.
    pub debit: Account,
    /// The account that is credited.
    pub credit: Account,
    /// How many; always more than zero.
    pub points: i64,
    /// The lot that the points belong to.
    pub lot: Option<Uuid>,
}

/// An entry that is decided and not yet in its journal.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// A UUID derived from what caused the entry, see [`derive_id`].
    pub id: Uuid,
    /// What it says.
    pub kind: Kind,
    /// Whom it is about; none in journal 0.
    pub member: Option<MemberId>,
    /// Who asked: `client:<name>`, `member:<id>` or `system`.
    pub actor: String,
    /// The command that caused it; none for what time alone caused.
    pub command: Option<Uuid>,
    /// The programme version that it was decided by.
    pub program_version: i32,
    /// When it counts from.
    pub effective_at: Timestamp,
    /// Its content, with ASCII keys, integers only and no free text.
    pub payload: Payload,
    /// Its lines.
    pub postings: Vec<Posting>,
}

/// An entry in its journal, as exports carry it.
///
/// `kind` and the accounts are text here, so that a verifier reads kinds that it does not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The version of the canonical form.
    pub v: i16,
    /// The ledger that the journal belongs to.
    pub ledger: Uuid,
    /// The journal.
    pub journal: JournalId,
    /// The place in the journal, from 1, without gaps.
    pub seq: i64,
    /// See [`Draft::id`].
    pub id: Uuid,
    /// See [`Kind::name`].
    pub kind: String,
    /// See [`Draft::member`].
    pub member: Option<Uuid>,
    /// See [`Draft::actor`].
    pub actor: String,
    /// See [`Draft::command`].
    pub command: Option<Uuid>,
    /// See [`Draft::program_version`].
    pub program_version: i32,
    /// See [`Draft::effective_at`].
    pub effective_at: Timestamp,
    /// When it was written; never runs backwards in a journal.
    pub recorded_at: Timestamp,
    /// The canonical text of the payload.
    pub payload: String,
    /// Its lines, in order.
    pub postings: Vec<Posting>,
}

impl Entry {
    /// The entry of `draft` at its place in a journal.
    ///
    /// Errors: the payload holds something that has no canonical form.
    pub fn record(
        draft: Draft,
        (ledger, journal, seq): (Uuid, JournalId, i64),
        recorded_at: Timestamp,
    ) -> Result<Self, NotCanonical> {
        Ok(Self {
            v: CANONICAL_VERSION,
            ledger,
            journal,
            seq,
            id: draft.id,
            kind: draft.kind.name().to_owned(),
            member: draft.member.map(MemberId::uuid),
            actor: draft.actor,
            command: draft.command,
            program_version: draft.program_version,
            effective_at: draft.effective_at,
            recorded_at,
            payload: draft.payload.into_text()?,
            postings: draft.postings,
        })
    }

    /// The canonical bytes: RFC 8785 JSON of the entry, without its hash.
    pub fn canonical(&self) -> String {
        let mut out = self.room();
        self.write(&mut out, None);
        out
    }

    /// The entry's line in the NDJSON export, without the line's end: the canonical JSON with `hash` in its place.
    pub fn export_line(&self, hash: &Hash) -> String {
        let mut out = self.room();
        self.write(&mut out, Some(hash));
        out
    }

    /// `SHA-256(previous ‖ canonical bytes)` (invariant 7).
    pub fn hash(&self, previous: &Hash) -> Hash {
        sha256(&[previous, self.canonical().as_bytes()])
    }

    fn room(&self) -> String {
        String::with_capacity(640 + self.payload.len() + 128 * self.postings.len())
    }

    /// Appends the canonical JSON to `out`, with `hash` in its place if it is given. The keys stand in the order that
    /// RFC 8785 asks for: that of their code units.
    pub fn write(&self, out: &mut String, hash: Option<&Hash>) {
        out.push_str("{\"actor\":");
        canonical::write_string(out, &self.actor);
        out.push_str(",\"command\":");
        write_uuid(out, self.command);
        out.push_str(",\"effective_at\":\"");
        time::write_canonical(out, self.effective_at);
        out.push('"');
        if let Some(hash) = hash {
            out.push_str(",\"hash\":\"");
            write_hex(out, hash);
            out.push('"');
        }
        out.push_str(",\"id\":");
        write_uuid(out, Some(self.id));
        write_key(out, "journal", self.journal.into());
        out.push_str(",\"kind\":");
        canonical::write_string(out, &self.kind);
        out.push_str(",\"ledger\":");
        write_uuid(out, Some(self.ledger));
        out.push_str(",\"member\":");
        write_uuid(out, self.member);
        out.push_str(",\"payload\":");
        out.push_str(&self.payload);
        out.push_str(",\"postings\":[");
        for (n, posting) in self.postings.iter().enumerate() {
            out.push_str(if n == 0 { "{\"credit\":" } else { ",{\"credit\":" });
            canonical::write_string(out, &posting.credit.name());
            out.push_str(",\"debit\":");
            canonical::write_string(out, &posting.debit.name());
            out.push_str(",\"lot\":");
            write_uuid(out, posting.lot);
            write_key(out, "points", posting.points);
            out.push('}');
        }
        out.push(']');
        write_key(out, "program_version", self.program_version.into());
        out.push_str(",\"recorded_at\":\"");
        time::write_canonical(out, self.recorded_at);
        out.push('"');
        write_key(out, "seq", self.seq);
        write_key(out, "v", self.v.into());
        out.push('}');
    }
}

/// A version 8 UUID that follows from `cause` and `parts` alone, so that deciding again gives the same ids.
///
/// It begins with the 48 bits of time (milliseconds) of `at`, which keeps neighbours in time together in indexes.
pub fn derive_id(at: Timestamp, cause: &[u8], parts: &[&[u8]]) -> Uuid {
    let digest = sha256(&[&[cause], parts].concat());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    bytes[..6].copy_from_slice(&at.timestamp_millis().to_be_bytes()[2..]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// `bytes`, such as a hash, in lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 2);
    write_hex(&mut out, bytes);
    out
}

fn write_hex(out: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        out.push(char::from(DIGITS[usize::from(byte >> 4)]));
        out.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
}

fn write_key(out: &mut String, key: &str, number: i64) {
    out.push_str(",\"");
    out.push_str(key);
    out.push_str("\":");
    canonical::push_integer(out, number);
}

fn write_uuid(out: &mut String, id: Option<Uuid>) {
    match id {
        None => out.push_str("null"),
        Some(id) => {
            out.push('"');
            out.push_str(id.hyphenated().encode_lower(&mut Uuid::encode_buffer()));
            out.push('"');
        }
    }
}
