//! The programme's versions.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::{ReadError, schema};
use crate::domain::movement::publication::ProgramVersionReply;

/// Versions from the newest to the oldest, those before number `before` if it is given, at most `limit`.
pub fn page(
    connection: &mut PgConnection,
    before: Option<i32>,
    limit: i64,
) -> Result<Vec<ProgramVersionReply>, ReadError> {
    use schema::program_version::dsl;
    let rows: Vec<(i32, DateTime<Utc>, String)> = dsl::program_version
        .filter(dsl::journal.eq(0).and(dsl::version.lt(before.unwrap_or(i32::MAX))))
        .order(dsl::version.desc())
        .limit(limit)
        .select((dsl::version, dsl::effective_at, dsl::document))
        .load(connection)?;
    rows.into_iter()
        .map(|(version, effective_at, document)| {
            let document = serde_json::from_str(&document);
            let document = document.map_err(|_| ReadError::Corrupt("a programme that is not JSON"))?;
            Ok(ProgramVersionReply { version, effective_at, document })
        })
        .collect()
}
