//! How far a review is.

use uuid::Uuid;

use crate::domain::ids::JournalId;

/// How far the members of a journal have been looked at anew after a version that has other tiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reviewed {
    /// The journal.
    pub journal: JournalId,
    /// The version.
    pub version: i32,
    /// The last member.
    pub after: Uuid,
    /// How many members by then.
    pub members: i64,
    /// Was it the last of all?
    pub is_done: bool,
}
