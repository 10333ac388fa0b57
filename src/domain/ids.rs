//! Typed identifiers. A member's id names its journal, so a command finds its lane without a query; so do the ids of
//! what stands in a member's journal.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Number of a journal. Journal 0 holds what belongs to no member; members live in journals from 1.
pub type JournalId = i16;

/// The journal of what belongs to no member.
pub const PROGRAM_JOURNAL: JournalId = 0;

/// The highest journal number that an id can carry (12 bits).
pub const MAX_JOURNAL: JournalId = 4095;

/// Declares an id: a version 7 UUID whose 12 bits after the version hold the number of a journal.
macro_rules! journal_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
        #[serde(try_from = "Uuid", into = "Uuid")]
        #[schema(value_type = Uuid)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id in `journal`, made from a random version 7 `seed`.
            pub fn new(journal: JournalId, seed: Uuid) -> Self {
                let mut bytes = seed.into_bytes();
                bytes[6] = 0x70 | ((journal >> 8) as u8 & 0x0f);
                bytes[7] = journal as u8;
                Self(Uuid::from_bytes(bytes))
            }

            /// The journal it belongs to.
            pub fn journal(self) -> JournalId {
                let bytes = self.0.as_bytes();
                JournalId::from(bytes[6] & 0x0f) << 8 | JournalId::from(bytes[7])
            }

            /// The id as a plain UUID.
            pub fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl TryFrom<Uuid> for $name {
            type Error = NotAnId;

            fn try_from(id: Uuid) -> Result<Self, NotAnId> {
                let typed = Self(id);
                match id.get_version_num() {
                    7 if typed.journal() > 0 => Ok(typed),
                    _ => Err(NotAnId { what: $what }),
                }
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                Uuid::try_parse(text).map_err(|_| NotAnId { what: $what })?.try_into()
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Uuid {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

journal_id! {
    /// A member's id. A member keeps its journal for good, so the number may stand in the id: every command and every
    /// read then knows its journal without asking the database.
    MemberId, "member"
}

journal_id! {
    /// A redemption's id. It carries the journal of the member who redeems.
    RedemptionId, "redemption"
}

journal_id! {
    /// A transfer's id. It carries the journal of the member who gives.
    TransferId, "transfer"
}

/// The text or UUID is not an id of that kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a {what} id")]
pub struct NotAnId {
    what: &'static str,
}
