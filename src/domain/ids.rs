//! Typed identifiers. A member's id names its journal, so a command finds its lane without a query.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Number of a journal. Journal 0 holds what belongs to no member; members live in journals from 1.
pub type JournalId = i16;

/// The highest journal number that a member id can carry (12 bits).
pub const MAX_JOURNAL: JournalId = 4095;

/// A member's id: a version 7 UUID whose 12 bits after the version hold the number of the member's journal.
///
/// A member keeps its journal for good, so the number may stand in the id: every command and every read then
/// knows its journal without asking the database.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(try_from = "Uuid", into = "Uuid")]
#[schema(value_type = Uuid)]
pub struct MemberId(Uuid);

impl MemberId {
    /// The id of a new member of `journal`, made from a random version 7 `seed`.
    pub fn new(journal: JournalId, seed: Uuid) -> Self {
        let mut bytes = seed.into_bytes();
        bytes[6] = 0x70 | ((journal >> 8) as u8 & 0x0f);
        bytes[7] = journal as u8;
        Self(Uuid::from_bytes(bytes))
    }

    /// The journal this member belongs to.
    pub fn journal(self) -> JournalId {
        let bytes = self.0.as_bytes();
        JournalId::from(bytes[6] & 0x0f) << 8 | JournalId::from(bytes[7])
    }

    /// The id as a plain UUID.
    pub fn uuid(self) -> Uuid {
        self.0
    }
}

impl TryFrom<Uuid> for MemberId {
    type Error = NotAMemberId;

    fn try_from(id: Uuid) -> Result<Self, NotAMemberId> {
        let member = Self(id);
        match id.get_version_num() {
            7 if member.journal() > 0 => Ok(member),
            _ => Err(NotAMemberId),
        }
    }
}

impl FromStr for MemberId {
    type Err = NotAMemberId;

    fn from_str(text: &str) -> Result<Self, NotAMemberId> {
        Uuid::try_parse(text).map_err(|_| NotAMemberId)?.try_into()
    }
}

impl From<MemberId> for Uuid {
    fn from(id: MemberId) -> Uuid {
        id.0
    }
}

impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The text or UUID is not an id that a member could have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a member id")]
pub struct NotAMemberId;
