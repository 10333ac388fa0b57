//! Members and their wallets, right at this instant whether or not a sweeper has run (invariant 9).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Date, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use serde::Serialize;
use uuid::Uuid;

use super::ReadError;
use crate::domain::decide::{Context, Working};
use crate::domain::ids::{JournalId, MemberId};
use crate::domain::member::{Balances, Lifetime, Member};
use crate::domain::movement::enrolment::{MemberReply, Profile};
use crate::domain::program::ProgramBook;
use crate::domain::record::lot::Lot;
use crate::domain::time::{self, Timestamp};
use crate::load::{self, Around, MemberColumns, MemberRow, Needs, Purpose, State, member_columns};
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
    // One statement is one snapshot. While nothing is due, nothing has expired that is listed here.
    let load = LoadWallet { journal: id.journal(), member: id.uuid(), most: EXPIRING as i64 };
    let rows: Vec<WalletRow> = load.load(connection)?;
    let Some((row, now, (instants, points))) = rows.into_iter().next() else { return Ok(None) };
    let (member, as_of) = (load::member(row)?, clock.read(now));
    if !is_due(&member, as_of) {
        let listed = instants.into_iter().flatten().zip(points.into_iter().flatten());
        let expiring = listed.map(|(expires_at, points)| Expiring { points, expires_at }).collect();
        return Ok(Some(WalletReply { contents: WalletContents::of(&member, expiring), as_of }));
    }
    snapshot(connection, |connection| {
        let Some(Settled { work, lots, as_of }) = settle(connection, id, (clock, programs))? else { return Ok(None) };
        let expiring = expiring(connection, &work.member, &lots, as_of)?;
        Ok(Some(WalletReply { contents: WalletContents::of(&work.member, expiring), as_of }))
    })
}

impl WalletContents {
    fn of(member: &Member, expiring: Vec<Expiring>) -> Self {
        let claimed = Some(member.claimed).filter(|points| *points > 0);
        Self { balances: member.balances, claimed, lifetime: member.lifetime, expiring }
    }
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
    let Some(Settled { work, .. }) = settled(connection, id, (clock, programs))? else { return Ok(None) };
    let rows: Vec<(String, Option<NaiveDate>, Vec<String>)> =
        LoadProfile { journal: id.journal(), member: id.uuid() }.load(connection)?;
    let profile = rows.into_iter().next().map(|(external_id, birthday, tags)| Profile { external_id, birthday, tags });
    Ok(Some(MemberReply::of(&work.member, profile.as_ref())))
}

/// The present, as a member's journal has it; none if there is no such member.
pub fn present(connection: &mut PgConnection, id: MemberId, clock: &Clock) -> Result<Option<Timestamp>, ReadError> {
    Ok(load::present(connection, id)?.map(|now| clock.read(now)))
}

/// The member enrolled under `external_id`.
pub fn id_of(connection: &mut PgConnection, external_id: &str) -> Result<Option<MemberId>, ReadError> {
    Ok(ids_of(connection, &[external_id.to_owned()])?.remove(external_id))
}

/// Those of `external_ids` that are enrolled, with their members.
pub fn ids_of(connection: &mut PgConnection, external_ids: &[String]) -> Result<HashMap<String, MemberId>, ReadError> {
    const AT_ONCE: usize = 1_000;
    let mut found = HashMap::with_capacity(external_ids.len());
    for external_ids in external_ids.chunks(AT_ONCE) {
        let rows: Vec<(String, Uuid)> = LoadIds { external_ids: external_ids.to_vec() }.load(connection)?;
        for (external_id, id) in rows {
            let id = MemberId::try_from(id).map_err(|_| ReadError::Corrupt("a member without a member's id"))?;
            found.insert(external_id, id);
        }
    }
    Ok(found)
}

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
    (clock, programs): (&Clock, &'p ProgramBook),
) -> Result<Option<Settled<'p>>, ReadError> {
    let Some((member, now)) = load::one(connection, id)? else { return Ok(None) };
    let as_of = clock.read(now);
    if is_due(&member, as_of) {
        return snapshot(connection, |connection| settle(connection, id, (clock, programs)));
    }
    let (work, lots) = (Working::on(&member, seen(as_of, programs)), BTreeMap::new());
    Ok(Some(Settled { work, lots, as_of }))
}

/// The same within a snapshot.
pub fn settle<'p>(
    connection: &mut PgConnection,
    id: MemberId,
    (clock, programs): (&Clock, &'p ProgramBook),
) -> Result<Option<Settled<'p>>, ReadError> {
    let Some((member, now)) = load::one(connection, id)? else { return Ok(None) };
    let as_of = clock.read(now);
    let mut state = State::default();
    let is_due = is_due(&member, as_of);
    state.members.insert(id, member);
    if is_due {
        let around = Around { purpose: Purpose::Show, now: as_of, programs };
        load::stand(connection, &BTreeSet::from([id.journal()]), &mut Needs::default(), &around, &mut state)?;
    }
    let Some(member) = state.members.remove(&id) else { return Ok(None) };
    let mut work = Working::on(&member, seen(as_of, programs));
    work.settle(as_of).map_err(|_| ReadError::Corrupt("a wallet that its lots do not make"))?;
    Ok(Some(Settled { work, lots: member.lots, as_of }))
}

/// Runs queries of which all see the database as it is now.
pub fn snapshot<T>(
    connection: &mut PgConnection,
    query: impl FnOnce(&mut PgConnection) -> Result<T, ReadError>,
) -> Result<T, ReadError> {
    connection.build_transaction().read_only().repeatable_read().run(query)
}

fn is_due(member: &Member, now: Timestamp) -> bool {
    member.next_due_at().is_some_and(|due_at| due_at <= now)
}

fn seen(now: Timestamp, programs: &ProgramBook) -> Context<'_> {
    Context { now, programs, command: Uuid::nil(), actor: "system" }
}

type WalletRow = (MemberRow, DateTime<Utc>, (Option<Vec<DateTime<Utc>>>, Option<Vec<i64>>));

statement! {
    // The index has the order, so that no more lots are read than are listed.
    LoadWallet { journal: JournalId => SmallInt, member: Uuid => SqlUuid, most: i64 => BigInt }
    -> (MemberColumns, Timestamptz, (Nullable<Array<Timestamptz>>, Nullable<Array<BigInt>>)),
    concat!(
        "SELECT ", member_columns!(), ", ", programme_present!("j.recorded_at"), ",
             e.instants, e.points
         FROM member m JOIN wallet w ON w.journal = $1 AND w.member = $2 JOIN journal j ON j.id = $1
         CROSS JOIN LATERAL (
             SELECT array_agg(expires_at ORDER BY expires_at) AS instants, array_agg(points ORDER BY expires_at) AS points
             FROM (
                 SELECT expires_at, sum(active)::bigint AS points FROM lot
                 WHERE member = $2 AND active > 0 AND expires_at IS NOT NULL
                 GROUP BY expires_at ORDER BY expires_at LIMIT $3
             ) AS soonest
         ) AS e
         WHERE m.journal = $1 AND m.id = $2"
    )
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
    LoadIds { external_ids: Vec<String> => Array<Text> } -> (Text, SqlUuid),
    "SELECT p.external_id, p.member FROM UNNEST($1) AS wanted (external_id)
     CROSS JOIN LATERAL (SELECT * FROM member_profile WHERE external_id = wanted.external_id OFFSET 0) AS p"
}

statement! {
    LoadProfile { journal: JournalId => SmallInt, member: Uuid => SqlUuid } -> (Text, Nullable<Date>, Array<Text>),
    "SELECT external_id, birthday, tags FROM member_profile WHERE journal = $1 AND member = $2"
}
