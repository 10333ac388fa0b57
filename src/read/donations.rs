//! Donations, of a member or to a cause.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, SmallInt, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use super::{ReadError, View, causes, members};
use crate::domain::ids::{JournalId, MemberId};
use crate::domain::movement::donation::{Donation, receipt_number};
use crate::postgres::statement::statement;

/// A member's donations from the newest to the oldest, those to `cause` alone if it is given; none if there is no such
/// member.
pub fn of_member(
    view: &mut View<'_>,
    member: MemberId,
    cause: Option<Uuid>,
    (before, limit): (Option<Uuid>, i64),
) -> Result<Option<Vec<Donation>>, ReadError> {
    if members::present(view, member)?.is_none() {
        return Ok(None);
    }
    let before = before.unwrap_or(Uuid::max());
    let load = LoadOfMember { journal: member.journal(), member: member.uuid(), cause, before, limit };
    let rows: Vec<DonationRow> = load.load(view.connection)?;
    rows.into_iter().map(donation).collect::<Result<_, _>>().map(Some)
}

/// The donations to a cause, from the newest to the oldest; none if there is no such cause.
pub fn to_cause(
    view: &mut View<'_>,
    cause: Uuid,
    (before, limit): (Option<Uuid>, i64),
) -> Result<Option<Vec<Donation>>, ReadError> {
    if causes::by_id(view, cause)?.is_none() {
        return Ok(None);
    }
    let load = LoadToCause { cause, before: before.unwrap_or(Uuid::max()), limit };
    let rows: Vec<DonationRow> = load.load(view.connection)?;
    rows.into_iter().map(donation).collect::<Result<_, _>>().map(Some)
}

type DonationRow = (Uuid, Uuid, Uuid, i64, JournalId, i64, DateTime<Utc>);

fn donation(row: DonationRow) -> Result<Donation, ReadError> {
    let (id, member, cause_id, points, journal, seq, donated_at) = row;
    let member_id = MemberId::try_from(member).map_err(|_| ReadError::Corrupt("a donation of nobody"))?;
    Ok(Donation { id, member_id, cause_id, points, receipt_number: receipt_number(journal, seq), donated_at })
}

statement! {
    LoadOfMember {
        journal: JournalId => SmallInt,
        member: Uuid => SqlUuid,
        cause: Option<Uuid> => Nullable<SqlUuid>,
        before: Uuid => SqlUuid,
        limit: i64 => BigInt,
    } -> (SqlUuid, SqlUuid, SqlUuid, BigInt, SmallInt, BigInt, Timestamptz),
    "SELECT id, member, cause, points, journal, seq, donated_at FROM donation
     WHERE journal = $1 AND member = $2 AND id < $4 AND ($3::uuid IS NULL OR cause = $3)
     ORDER BY journal DESC, member DESC, id DESC LIMIT $5"
}

statement! {
    LoadToCause { cause: Uuid => SqlUuid, before: Uuid => SqlUuid, limit: i64 => BigInt }
    -> (SqlUuid, SqlUuid, SqlUuid, BigInt, SmallInt, BigInt, Timestamptz),
    "SELECT id, member, cause, points, journal, seq, donated_at FROM donation
     WHERE cause = $1 AND id < $2
     ORDER BY cause DESC, id DESC LIMIT $3"
}
