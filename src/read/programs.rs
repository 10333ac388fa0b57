//! The programme's versions.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, SmallInt, Text, Timestamptz};
use serde::Serialize;

use super::reviews::{self, ReviewReply};
use super::{ReadError, View};
use crate::domain::ids::{JournalId, PROGRAM_JOURNAL};
use crate::domain::movement::publication::ProgramVersionReply;
use crate::postgres::statement::statement;

/// Versions from the newest to the oldest, those before number `before` if it is given, at most `limit`.
pub fn page(view: &mut View<'_>, before: Option<i32>, limit: i64) -> Result<Vec<ProgramVersionReply>, ReadError> {
    let load = LoadPage { journal: PROGRAM_JOURNAL, before: before.unwrap_or(i32::MAX), limit };
    let rows: Vec<(i32, DateTime<Utc>, String)> = load.load(view.connection)?;
    rows.into_iter()
        .map(|(version, effective_at, document)| {
            let document = serde_json::from_str(&document);
            let document = document.map_err(|_| ReadError::Corrupt("a programme that is not JSON"))?;
            Ok(ProgramVersionReply { version, effective_at, document })
        })
        .collect()
}

/// A version, and how far the members have been looked at anew after it.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[schema(as = ProgramVersionDetail)]
pub struct VersionReply {
    /// The version.
    #[serde(flatten)]
    pub version: ProgramVersionReply,
    /// How far the members have been looked at anew by its tiers; absent where they are those of the version before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub review: Option<ReviewReply>,
}

/// The version with this number; none if there is none.
pub fn version(view: &mut View<'_>, number: i32) -> Result<Option<VersionReply>, ReadError> {
    let before = number.checked_add(1);
    let found = page(view, before, 1)?.into_iter().find(|version| version.version == number);
    let Some(version) = found else { return Ok(None) };
    let review = match view.programs.changes_tiers(number) {
        true => {
            let journals = reviews::of_journals(view.connection, number)?;
            let members = journals.iter().map(|reviewed| reviewed.members).sum();
            Some(ReviewReply { members, done: journals.iter().all(|reviewed| reviewed.is_done) })
        }
        false => None,
    };
    Ok(Some(VersionReply { version, review }))
}

statement! {
    LoadPage { journal: JournalId => SmallInt, before: i32 => Integer, limit: i64 => BigInt }
    -> (Integer, Timestamptz, Text),
    "SELECT version, effective_at, document FROM program_version
     WHERE journal = $1 AND version < $2 ORDER BY version DESC LIMIT $3"
}
