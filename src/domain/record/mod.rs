//! What a member owns, as the journal states it: lots, orders and what their refunds did, and *records*; and what falls
//! due of it.
//!
//! A record has a life cycle of its own, and every entry about it states it whole. All are loaded, written, replayed,
//! compared and read in one way. A new one is a file here that implements [`Recorded`], and a line in the list of
//! `records!` below.

pub mod counter;
pub mod due;
pub mod items;
pub mod lot;
pub mod order;
pub mod redemption;
pub mod refund;
pub mod transfer;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

use crate::domain::ids::MemberId;
use crate::domain::record::due::Due;
use crate::domain::record::lot::Taking;
use crate::domain::record::redemption::Redemption;
use crate::domain::record::transfer::Transfer;
use crate::domain::time::Timestamp;

/// What the ledger needs to know of any record.
pub trait Recorded {
    /// Its id, which is no other record's.
    fn id(&self) -> Uuid;

    /// Whose it is; it stands in that member's journal.
    fn member_id(&self) -> MemberId;

    /// How far it has come.
    fn status(&self) -> &'static str;

    /// When it came into being.
    fn created_at(&self) -> Timestamp;

    /// When time alone ends it, and as what; none where nothing does any more.
    fn due(&self) -> Option<(Timestamp, Due)>;

    /// What it becomes when time ends it.
    fn ended(&self) -> Record;

    /// Who or what it is about besides its member: a receiver, a reward.
    fn about(&self) -> Option<Uuid>;

    /// The lots that its points are from.
    fn lots(&self) -> &[Taking];

    /// May its points still move?
    fn is_open(&self) -> bool;

    /// Does it count towards a limit on records like it?
    fn counts(&self) -> bool;

    /// What it takes of a counter that belongs to no member: which, and how many units.
    fn takes(&self) -> Option<(Uuid, i64)>;
}

/// A kind of record.
pub trait OfRecord: Sized {
    /// Its name: the key in an entry's payload, and the kind in the database.
    const NAME: &'static str;

    /// The record, if it is of this kind.
    fn of(record: &Record) -> Option<&Self>;
}

macro_rules! records {
    ($($kind:ident = $name:literal),+ $(,)?) => {
        /// A record of any kind.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
        #[serde(untagged)]
        pub enum Record {
            $(#[doc = concat!("A ", $name, ".")] $kind($kind)),+
        }

        impl Record {
            /// The names of all kinds.
            pub const NAMES: &'static [&'static str] = &[$($name),+];

            /// The name of its kind.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Record::$kind(_) => $name),+
                }
            }

            /// What every record says of itself.
            pub fn recorded(&self) -> &dyn Recorded {
                match self {
                    $(Record::$kind(record) => record),+
                }
            }

            /// The record of the kind `name` that `state` states.
            ///
            /// Errors: there is no such kind, or it cannot be read as one.
            pub fn read<'de, D: Deserializer<'de>>(name: &str, state: D) -> Result<Self, D::Error> {
                match name {
                    $($name => $kind::deserialize(state).map(Record::$kind),)+
                    _ => Err(D::Error::custom("no record is called that")),
                }
            }

            /// The same from text, as it is stored.
            pub fn stored(name: &str, state: &str) -> Result<Self, serde_json::Error> {
                Self::read(name, &mut serde_json::Deserializer::from_str(state))
            }
        }

        $(
            impl OfRecord for $kind {
                const NAME: &'static str = $name;

                fn of(record: &Record) -> Option<&Self> {
                    match record {
                        Record::$kind(record) => Some(record),
                        _ => None,
                    }
                }
            }

            impl From<$kind> for Record {
                fn from(record: $kind) -> Self {
                    Record::$kind(record)
                }
            }
        )+
    };
}

records! {
    Redemption = "redemption",
    Transfer = "transfer",
}
