//! Causes, with what they were given over all journals.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, SmallInt, Text, Uuid as SqlUuid};
use uuid::Uuid;

use super::{ReadError, View};
use crate::domain::ids::{JournalId, PROGRAM_JOURNAL};
use crate::domain::movement::donation::Cause;
use crate::postgres::statement::statement;

/// The cause `id`; none if there is no such cause.
pub fn by_id(view: &mut View<'_>, id: Uuid) -> Result<Option<Cause>, ReadError> {
    let rows: Vec<CauseRow> = LoadCause { journal: PROGRAM_JOURNAL, id }.load(view.connection)?;
    rows.into_iter().next().map(cause).transpose()
}

/// Causes from the newest to the oldest, those older than `before` if it is given, at most `limit`.
pub fn page(view: &mut View<'_>, before: Option<Uuid>, limit: i64) -> Result<Vec<Cause>, ReadError> {
    let load = LoadCauses { journal: PROGRAM_JOURNAL, before: before.unwrap_or(Uuid::max()), limit };
    let rows: Vec<CauseRow> = load.load(view.connection)?;
    rows.into_iter().map(cause).collect()
}

type CauseRow = (Uuid, String, i64, i64);

fn cause((id, terms, total, donations): CauseRow) -> Result<Cause, ReadError> {
    let terms = serde_json::from_str(&terms).map_err(|_| ReadError::Corrupt("a cause that cannot be read"))?;
    Ok(Cause { id, terms, total, donations })
}

statement! {
    LoadCause { journal: JournalId => SmallInt, id: Uuid => SqlUuid } -> (SqlUuid, Text, BigInt, BigInt),
    "SELECT c.id, c.terms, COALESCE(given.points, 0)::bigint, COALESCE(given.donations, 0)::bigint
     FROM cause AS c CROSS JOIN LATERAL (
         SELECT sum(points) AS points, sum(donations) AS donations FROM cause_total WHERE cause = c.id
     ) AS given
     WHERE c.journal = $1 AND c.id = $2"
}

statement! {
    LoadCauses { journal: JournalId => SmallInt, before: Uuid => SqlUuid, limit: i64 => BigInt }
    -> (SqlUuid, Text, BigInt, BigInt),
    "SELECT c.id, c.terms, COALESCE(given.points, 0)::bigint, COALESCE(given.donations, 0)::bigint
     FROM (
         SELECT id, terms FROM cause WHERE journal = $1 AND id < $2 ORDER BY journal DESC, id DESC LIMIT $3
     ) AS c CROSS JOIN LATERAL (
         SELECT sum(points) AS points, sum(donations) AS donations FROM cause_total WHERE cause = c.id
     ) AS given
     ORDER BY c.id DESC"
}
