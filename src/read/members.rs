//! Members and their wallets, right at this instant whether or not a sweeper has run (invariant 9).

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Date, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use rust_decimal::Decimal;
use serde::Serialize;
use uuid::Uuid;

use super::entries::DueLine;
use super::{ReadError, schema};
use crate::domain::decide::{Context, Working};
use crate::domain::ids::{JournalId, MemberId};
use crate::domain::member::{Balances, Lifetime, Member};
use crate::domain::movement::enrolment::{MemberReply, Profile};
use crate::domain::program::ProgramBook;
use crate::domain::record::Record;
use crate::domain::record::lot::Lot;
use crate::domain::record::order::OrderRecord;
use crate::domain::time::{self, Timestamp};
use crate::postgres::clock::{Clock, programme_present};
use crate::postgres::statement::statement;

/// How many of the instants at which points expire a wallet lists.
const EXPIRING: usize = 10;

/// A wallet at an instant.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[schema(as = Wallet)]
pub struct WalletReply {
    /// What it holds.
    #[serde(flatten)]
    pub contents: WalletContents,
    /// The instant.
    #[serde(with = "time::serde_canonical")]
    #[schema(value_type = String, format = DateTime)]
    pub as_of: Timestamp,
}

/// What a wallet holds, and what it held.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct WalletContents {
    /// The points.
    #[serde(flatten)]
    pub balances: Balances,
    /// How many of the held points go to what refunds made due as soon as they come back; absent where none do.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 1)]
    pub claimed: Option<i64>,
    /// The sums since joining.
    #[serde(flatten)]
    pub lifetime: Lifetime,
    /// When active points will expire, the soonest first; at most ten instants. Points that never expire are not among
    /// them.
    pub expiring: Vec<Expiring>,
}

/// Active points that expire together.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Expiring {
    /// How many.
    pub points: i64,
    /// The first instant at which they can no longer be used.
    #[serde(with = "time::serde_canonical")]
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

/// A member's wallet; none if there is no such member.
pub fn wallet(
    connection: &mut PgConnection,
    id: MemberId,
    (clock, programs): (&Clock, &ProgramBook),
) -> Result<Option<WalletReply>, ReadError> {
    // One snapshot, so that what expires fits the balances.
    connection.build_transaction().read_only().repeatable_read().run(|connection| {
        let Some(Settled { work, lots, as_of }) = settled(connection, id, clock, programs)? else { return Ok(None) };
        let expiring = expiring(connection, &work.member, &lots, as_of)?;
        let Member { balances, lifetime, claimed, .. } = work.member;
        let contents =
            WalletContents { balances, claimed: Some(claimed).filter(|points| *points > 0), lifetime, expiring };
        Ok(Some(WalletReply { contents, as_of }))
    })
}

// What is stored, and what settling changed of it in memory.
fn expiring(
    connection: &mut PgConnection,
    member: &Member,
    before: &BTreeMap<Uuid, Lot>,
    now: Timestamp,
) -> Result<Vec<Expiring>, ReadError> {
    let most = EXPIRING + 1;
    let load = LoadExpiring { member: member.id.uuid(), now, most: most as i64 };
    let stored: Vec<(DateTime<Utc>, i64)> = load.load(connection)?;
    // Beyond the last that was read there may be more of the same instant as one that settling added.
    let horizon = stored.last().filter(|_| stored.len() == most).map(|(expires_at, _)| *expires_at);
    let mut points: BTreeMap<Timestamp, i64> = stored.into_iter().collect();
    for lot in member.lots.values() {
        let was = before.get(&lot.id).map_or(0, |lot| lot.active);
        if let Some(expires_at) = lot.expires_at.filter(|at| *at > now && horizon.is_none_or(|horizon| *at < horizon)) {
            *points.entry(expires_at).or_default() += lot.active - was;
        }
    }
    let listed = points.into_iter().filter(|(_, points)| *points > 0).take(EXPIRING);
    Ok(listed.map(|(expires_at, points)| Expiring { points, expires_at }).collect())
}

/// A member with what is personal; none if there is no such member.
pub fn by_id(
    connection: &mut PgConnection,
    id: MemberId,
    (clock, programs): (&Clock, &ProgramBook),
) -> Result<Option<MemberReply>, ReadError> {
    let Some(Settled { work, .. }) = settled(connection, id, clock, programs)? else { return Ok(None) };
    let rows: Vec<(String, Option<NaiveDate>, Vec<String>)> =
        LoadProfile { journal: id.journal(), member: id.uuid() }.load(connection)?;
    let profile = rows.into_iter().next().map(|(external_id, birthday, tags)| Profile { external_id, birthday, tags });
    Ok(Some(MemberReply::of(&work.member, profile.as_ref())))
}

/// What has fallen due for a member and is not written yet, the newest first; none if there is no such member.
pub fn due(
    connection: &mut PgConnection,
    id: MemberId,
    (clock, programs): (&Clock, &ProgramBook),
) -> Result<Option<Vec<DueLine>>, ReadError> {
    let found = settled(connection, id, clock, programs)?;
    Ok(found.map(|Settled { work, .. }| work.entries.iter().rev().map(DueLine::of).collect()))
}

/// The present, as a member's journal has it; none if there is no such member.
pub fn present(connection: &mut PgConnection, id: MemberId, clock: &Clock) -> Result<Option<Timestamp>, ReadError> {
    let now: Vec<DateTime<Utc>> = LoadPresent { journal: id.journal(), member: id.uuid() }.load(connection)?;
    Ok(now.first().map(|now| clock.read(*now)))
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

type WalletRow =
    ((String, DateTime<Utc>), (i64, i64, i64, i64), (i64, i64, i64), (Option<DateTime<Utc>>, DateTime<Utc>));
type DueRow = (
    ((i64, i64, i64, i64), i64),
    (Option<Vec<String>>, Option<Vec<String>>, Option<Vec<String>>),
    LotPoints,
    (Option<DateTime<Utc>>, Option<DateTime<Utc>>),
);

/// A member settled in memory.
pub struct Settled<'p> {
    /// The member, and what settling would write.
    pub work: Working<'p>,
    /// Those of its lots that something is due of, as they are stored.
    pub lots: BTreeMap<Uuid, Lot>,
    /// Up to when.
    pub as_of: Timestamp,
}

/// The member settled in memory up to now; none if there is no such member.
pub fn settled<'p>(
    connection: &mut PgConnection,
    id: MemberId,
    clock: &Clock,
    programs: &'p ProgramBook,
) -> Result<Option<Settled<'p>>, ReadError> {
    let (journal, member) = (id.journal(), id.uuid());
    let rows: Vec<WalletRow> = LoadWallet { journal, member }.load(connection)?;
    let Some((person, balances, (lifetime_earned, lifetime_spent, claimed), (due_beyond, now))) =
        rows.into_iter().next()
    else {
        return Ok(None);
    };
    let now = clock.read(now);
    let mut member = Member {
        status: person.0.parse().map_err(|_| ReadError::Corrupt("a member of unknown status"))?,
        balances: self::balances(balances),
        lifetime: Lifetime { lifetime_earned, lifetime_spent },
        claimed,
        due_beyond,
        ..Member::new(id, person.1)
    };
    if due_beyond.is_some_and(|due_at| due_at <= now) {
        load_due(connection, &mut member, now)?;
    }
    let lots = member.lots.clone();
    let context = Context { now, programs, command: Uuid::nil(), actor: "system" };
    let mut work = Working::on(&member, context);
    work.settle(now).map_err(|_| ReadError::Corrupt("a wallet that its lots do not make"))?;
    Ok(Some(Settled { work, lots, as_of: now }))
}

fn balances((active, pending, held, debt): (i64, i64, i64, i64)) -> Balances {
    Balances { active, pending, held, debt }
}

type LotPoints = (Option<Uuid>, Option<i64>, Option<i64>, Option<i64>, Option<i64>, Option<i64>);

fn lot_points((id, earned, pending, active, held, expired): LotPoints) -> Option<(Uuid, [i64; 5])> {
    Some((id?, [earned?, pending?, active?, held?, expired?]))
}

// An order whose refunds have a claim, from what `LoadDue` makes of it.
fn claiming_order(order: &str) -> Option<OrderRecord> {
    let (version, payload, refunded, reversed, returned, reversal): (i32, String, Option<Decimal>, _, _, _) =
        serde_json::from_str(order).ok()?;
    OrderRecord::stored(&payload, version, (refunded, reversed, returned, reversal))
}

// One statement, so that wallet, lots and records are of one moment.
fn load_due(connection: &mut PgConnection, member: &mut Member, now: Timestamp) -> Result<(), ReadError> {
    let load = LoadDue { journal: member.id.journal(), member: member.id.uuid(), until: now };
    let rows: Vec<DueRow> = load.load(connection)?;
    for ((row, claimed), (kinds, states, claiming), lot, (active_at, expires_at)) in rows {
        (member.balances, member.claimed) = (balances(row), claimed);
        for (kind, state) in kinds.into_iter().flatten().zip(states.into_iter().flatten()) {
            let record = Record::stored(&kind, &state);
            let record = record.map_err(|_| ReadError::Corrupt("a record that cannot be read"))?;
            member.records.insert(record.recorded().id(), record);
        }
        for order in claiming.into_iter().flatten() {
            let order = claiming_order(&order).ok_or(ReadError::Corrupt("an order that cannot be read"))?;
            member.orders.insert(order.order_id.clone(), order);
        }
        if let Some(((id, [earned, pending, active, held, expired]), active_at)) = lot_points(lot).zip(active_at) {
            member.lots.insert(id, Lot { id, earned, pending, active, held, expired, active_at, expires_at });
        }
    }
    Ok(())
}

statement! {
    LoadPresent { journal: JournalId => SmallInt, member: Uuid => SqlUuid } -> Timestamptz,
    concat!(
        "SELECT ", programme_present!("j.recorded_at"), "
         FROM member m JOIN journal j ON j.id = $1 WHERE m.journal = $1 AND m.id = $2"
    )
}

statement! {
    LoadWallet { journal: JournalId => SmallInt, member: Uuid => SqlUuid }
    -> (
        (Text, Timestamptz), (BigInt, BigInt, BigInt, BigInt), (BigInt, BigInt, BigInt), (Nullable<Timestamptz>, Timestamptz)
    ),
    concat!(
        "SELECT m.status, m.joined_at, w.active, w.pending, w.held, w.debt, w.lifetime_earned, w.lifetime_spent,
             w.claimed, w.next_due_at, ", programme_present!("j.recorded_at"), "
         FROM member m JOIN wallet w ON w.journal = $1 AND w.member = $2 JOIN journal j ON j.id = $1
         WHERE m.journal = $1 AND m.id = $2"
    )
}

statement! {
    LoadDue { journal: JournalId => SmallInt, member: Uuid => SqlUuid, until: Timestamp => Timestamptz }
    -> (
        ((BigInt, BigInt, BigInt, BigInt), BigInt),
        (Nullable<Array<Text>>, Nullable<Array<Text>>, Nullable<Array<Text>>),
        (
            Nullable<SqlUuid>, Nullable<BigInt>, Nullable<BigInt>, Nullable<BigInt>, Nullable<BigInt>, Nullable<BigInt>
        ),
        (Nullable<Timestamptz>, Nullable<Timestamptz>)
    ),
    "WITH due AS MATERIALIZED (
         SELECT kind, state FROM record WHERE member = $2 AND due_at <= $3 ORDER BY id
     ), claiming AS MATERIALIZED (
         SELECT json_build_array(e.program_version, e.payload, o.refunded::text, o.reversed, o.returned, o.reversal)::text
             AS stored
         FROM (SELECT * FROM orders WHERE member = $2 AND claimed > 0 OFFSET 0) AS o
         CROSS JOIN LATERAL (SELECT * FROM entry WHERE journal = $1 AND seq = o.seq OFFSET 0) AS e
     )
     SELECT w.active, w.pending, w.held, w.debt, w.claimed, (SELECT array_agg(kind) FROM due),
         (SELECT array_agg(state) FROM due), (SELECT array_agg(stored) FROM claiming), l.id, l.earned, l.pending,
         l.active, l.held, l.expired, l.active_at, l.expires_at
     FROM wallet w LEFT JOIN LATERAL (
         SELECT * FROM lot WHERE member = $2 AND pending > 0 AND active_at <= $3
         UNION ALL
         SELECT * FROM lot WHERE member = $2 AND active > 0 AND pending = 0 AND expires_at <= $3
         UNION ALL
         SELECT held.* FROM due
         CROSS JOIN LATERAL json_array_elements(due.state::json -> 'lots') AS taking
         CROSS JOIN LATERAL (SELECT * FROM lot WHERE journal = $1 AND id = (taking ->> 'lot')::uuid OFFSET 0) AS held
     ) AS l ON true
     WHERE w.journal = $1 AND w.member = $2"
}

statement! {
    // The index has the order, so that no more is read than is listed.
    LoadExpiring { member: Uuid => SqlUuid, now: Timestamp => Timestamptz, most: i64 => BigInt }
    -> (Timestamptz, BigInt),
    "SELECT expires_at, sum(active)::bigint FROM lot
     WHERE member = $1 AND active > 0 AND expires_at > $2
     GROUP BY expires_at ORDER BY expires_at LIMIT $3"
}

statement! {
    LoadProfile { journal: JournalId => SmallInt, member: Uuid => SqlUuid } -> (Text, Nullable<Date>, Array<Text>),
    "SELECT external_id, birthday, tags FROM member_profile WHERE journal = $1 AND member = $2"
}
