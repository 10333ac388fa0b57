//! Members and their wallets, right at this instant whether or not a sweeper has run (invariant 9).

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Date, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use serde::Serialize;
use uuid::Uuid;

use super::entries::DueLine;
use super::{ReadError, schema};
use crate::domain::decide::{Context, Working};
use crate::domain::enrolment::{MemberReply, Profile};
use crate::domain::ids::{JournalId, MemberId};
use crate::domain::member::{Balances, Lot, Member};
use crate::domain::program::ProgramBook;
use crate::domain::time::{self, Timestamp};
use crate::postgres::clock::{Clock, programme_time};
use crate::postgres::statement::statement;

/// A wallet at an instant.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[schema(as = Wallet)]
pub struct WalletReply {
    /// The points.
    #[serde(flatten)]
    pub balances: Balances,
    /// The instant.
    #[serde(with = "time::serde_canonical")]
    #[schema(value_type = String, format = DateTime)]
    pub as_of: Timestamp,
}

/// A member's wallet; none if there is no such member.
pub fn wallet(
    connection: &mut PgConnection,
    id: MemberId,
    (clock, programs): (&Clock, &ProgramBook),
) -> Result<Option<WalletReply>, ReadError> {
    let found = settled(connection, id, clock, programs)?;
    Ok(found.map(|(work, as_of)| WalletReply { balances: work.member.balances, as_of }))
}

/// A member with what is personal; none if there is no such member.
pub fn by_id(
    connection: &mut PgConnection,
    id: MemberId,
    (clock, programs): (&Clock, &ProgramBook),
) -> Result<Option<MemberReply>, ReadError> {
    let Some((work, _)) = settled(connection, id, clock, programs)? else { return Ok(None) };
    let rows: Vec<(String, Option<NaiveDate>, Vec<String>)> =
        LoadProfile { journal: id.journal(), member: id.uuid() }.load(connection)?;
    let profile = rows.into_iter().next().map(|(external_id, birthday, tags)| Profile { external_id, birthday, tags });
    Ok(profile.map(|profile| MemberReply::of(&work.member, &profile)))
}

/// What has fallen due for a member and is not written yet, the newest first; none if there is no such member.
pub fn due(
    connection: &mut PgConnection,
    id: MemberId,
    (clock, programs): (&Clock, &ProgramBook),
) -> Result<Option<Vec<DueLine>>, ReadError> {
    let found = settled(connection, id, clock, programs)?;
    Ok(found.map(|(work, _)| work.entries.iter().rev().map(DueLine::of).collect()))
}

/// The member enrolled under `external_id`.
pub fn id_of(connection: &mut PgConnection, external_id: &str) -> Result<Option<MemberId>, ReadError> {
    use schema::member_profile::dsl;
    let found = dsl::member_profile.filter(dsl::external_id.eq(external_id)).select(dsl::member).first(connection);
    let found: Option<Uuid> = found.optional()?;
    found.map(|id| MemberId::try_from(id).map_err(|_| ReadError::Corrupt("a member without a member's id"))).transpose()
}

/// Those of `external_ids` that are enrolled, with their members.
pub fn ids_of(connection: &mut PgConnection, external_ids: &[String]) -> Result<HashMap<String, MemberId>, ReadError> {
    const AT_ONCE: usize = 1_000;
    let mut found = HashMap::with_capacity(external_ids.len());
    for external_ids in external_ids.chunks(AT_ONCE) {
        use schema::member_profile::dsl;
        let rows: Vec<(String, Uuid)> = dsl::member_profile
            .filter(dsl::external_id.eq_any(external_ids))
            .select((dsl::external_id, dsl::member))
            .load(connection)?;
        for (external_id, id) in rows {
            let id = MemberId::try_from(id).map_err(|_| ReadError::Corrupt("a member without a member's id"))?;
            found.insert(external_id, id);
        }
    }
    Ok(found)
}

type WalletRow = (String, DateTime<Utc>, i64, i64, i64, i64, Option<DateTime<Utc>>, DateTime<Utc>);
type DueRow = (i64, i64, i64, i64, Option<Uuid>, Option<i64>, Option<i64>, Option<i64>, Option<i64>);
type DueTimes = (Option<DateTime<Utc>>, Option<DateTime<Utc>>);

// The member settled in memory up to now, and now.
fn settled<'p>(
    connection: &mut PgConnection,
    id: MemberId,
    clock: &Clock,
    programs: &'p ProgramBook,
) -> Result<Option<(Working<'p>, Timestamp)>, ReadError> {
    let (journal, member) = (id.journal(), id.uuid());
    let rows: Vec<WalletRow> = LoadWallet { journal, member }.load(connection)?;
    let Some((status, joined_at, active, pending, held, debt, due_beyond, now)) = rows.into_iter().next() else {
        return Ok(None);
    };
    let status = status.parse().map_err(|_| ReadError::Corrupt("a member of unknown status"))?;
    let now = clock.read(now);
    let balances = Balances { active, pending, held, debt };
    let mut member = Member { id, status, joined_at, balances, lots: Default::default(), due_beyond };
    if due_beyond.is_some_and(|due_at| due_at <= now) {
        load_due(connection, &mut member, now)?;
    }
    let context = Context { now, programs, command: Uuid::nil(), actor: "system" };
    let mut work = Working::on(&member, context);
    work.settle(now).map_err(|_| ReadError::Corrupt("a wallet that its lots do not make"))?;
    Ok(Some((work, now)))
}

// One statement, so that wallet and lots are of one moment.
fn load_due(connection: &mut PgConnection, member: &mut Member, now: Timestamp) -> Result<(), ReadError> {
    let load = LoadDue { journal: member.id.journal(), member: member.id.uuid(), until: now };
    let rows: Vec<(DueRow, DueTimes)> = load.load(connection)?;
    for (row, (active_at, expires_at)) in rows {
        let (active, pending, held, debt, lot, earned, lot_pending, lot_active, lot_held) = row;
        member.balances = Balances { active, pending, held, debt };
        let known = lot.zip(earned).zip(lot_pending).zip(lot_active).zip(lot_held).zip(active_at);
        if let Some((((((id, earned), pending), active), held), active_at)) = known {
            member.lots.insert(id, Lot { id, earned, pending, active, held, active_at, expires_at });
        }
    }
    Ok(())
}

statement! {
    LoadWallet { journal: JournalId => SmallInt, member: Uuid => SqlUuid }
    -> (Text, Timestamptz, BigInt, BigInt, BigInt, BigInt, Nullable<Timestamptz>, Timestamptz),
    concat!(
        "SELECT m.status, m.joined_at, w.active, w.pending, w.held, w.debt, w.next_due_at,
             GREATEST(", programme_time!(), ", j.recorded_at)
         FROM member m JOIN wallet w ON w.journal = $1 AND w.member = $2 JOIN journal j ON j.id = $1
         WHERE m.journal = $1 AND m.id = $2"
    )
}

statement! {
    LoadDue { journal: JournalId => SmallInt, member: Uuid => SqlUuid, until: Timestamp => Timestamptz }
    -> (
        (
            BigInt, BigInt, BigInt, BigInt, Nullable<SqlUuid>, Nullable<BigInt>, Nullable<BigInt>, Nullable<BigInt>,
            Nullable<BigInt>,
        ),
        (Nullable<Timestamptz>, Nullable<Timestamptz>)
    ),
    "SELECT w.active, w.pending, w.held, w.debt, l.id, l.earned, l.pending, l.active, l.held, l.active_at, l.expires_at
     FROM wallet w LEFT JOIN LATERAL (
         SELECT * FROM lot WHERE member = $2 AND pending > 0 AND active_at <= $3
         UNION ALL
         SELECT * FROM lot WHERE member = $2 AND active > 0 AND pending = 0 AND expires_at <= $3
     ) AS l ON true
     WHERE w.journal = $1 AND w.member = $2"
}

statement! {
    LoadProfile { journal: JournalId => SmallInt, member: Uuid => SqlUuid } -> (Text, Nullable<Date>, Array<Text>),
    "SELECT external_id, birthday, tags FROM member_profile WHERE journal = $1 AND member = $2"
}
