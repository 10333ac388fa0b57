//! The programme's versions.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, SmallInt, Text, Timestamptz};

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

statement! {
    LoadPage { journal: JournalId => SmallInt, before: i32 => Integer, limit: i64 => BigInt }
    -> (Integer, Timestamptz, Text),
    "SELECT version, effective_at, document FROM program_version
     WHERE journal = $1 AND version < $2 ORDER BY version DESC LIMIT $3"
}
