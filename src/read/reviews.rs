//! How far the members have been looked at anew after a version of the programme that has other tiers.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Integer, Nullable, SmallInt, Uuid as SqlUuid};
use serde::Serialize;
use uuid::Uuid;

use super::ReadError;
use crate::domain::ids::{JournalId, MemberId};
use crate::domain::tier::Reviewed;
use crate::postgres::statement::statement;

/// How far the members have been looked at anew after a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = TierReview)]
pub struct ReviewReply {
    /// How many members by now.
    #[schema(minimum = 0)]
    pub members: i64,
    /// Was it all of them? Until then the tier of the others is the one that they have.
    pub done: bool,
}

// The last member, how many by then, and was it all; none where nobody has begun.
type Seen = (Option<Uuid>, Option<i64>, Option<bool>);

/// How far each journal is with a version; from the beginning where nobody has begun.
pub fn of_journals(connection: &mut PgConnection, version: i32) -> QueryResult<Vec<Reviewed>> {
    let rows: Vec<(JournalId, Seen)> = LoadReviews { version }.load(connection)?;
    let reviewed = |(journal, (after, members, is_done)): (JournalId, Seen)| {
        let (after, members, is_done) = (after.unwrap_or_default(), members.unwrap_or_default(), is_done == Some(true));
        Reviewed { journal, version, after, members, is_done }
    };
    Ok(rows.into_iter().map(reviewed).collect())
}

/// The members of a journal behind one of them, in the order of their ids, at most `limit`.
pub fn next_members(
    connection: &mut PgConnection,
    journal: JournalId,
    after: Uuid,
    limit: i64,
) -> Result<Vec<MemberId>, ReadError> {
    let ids: Vec<Uuid> = LoadMembersAfter { journal, after, limit }.load(connection)?;
    let member = |id| MemberId::try_from(id).map_err(|_| ReadError::Corrupt("a member without a member's id"));
    ids.into_iter().map(member).collect()
}

statement! {
    LoadReviews { version: i32 => Integer } -> (SmallInt, (Nullable<SqlUuid>, Nullable<BigInt>, Nullable<Bool>)),
    "SELECT j.id, r.after, r.members, r.done
     FROM journal AS j
     LEFT JOIN LATERAL (SELECT * FROM tier_review WHERE journal = j.id AND version = $1 OFFSET 0) AS r ON true
     WHERE j.id > 0 ORDER BY j.id"
}

statement! {
    LoadMembersAfter { journal: JournalId => SmallInt, after: Uuid => SqlUuid, limit: i64 => BigInt } -> SqlUuid,
    "SELECT id FROM member WHERE journal = $1 AND id > $2 ORDER BY journal, id LIMIT $3"
}
