//! Members and their wallets, right at this instant whether or not a sweeper has run (invariant 9).

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Date, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use serde::Serialize;
use uuid::Uuid;

use super::{ReadError, View};
use crate::domain::decide::{Context, Working};
use crate::domain::ids::{JournalId, MemberId};
use crate::domain::journal::entry::Draft;
use crate::domain::member::{Balances, Lifetime, Member};
use crate::domain::movement::enrolment::{MemberReply, Profile};
use crate::domain::record::lot::Lot;
use crate::domain::time::{self, Timestamp};
use crate::load::{self, Aim, Around, MemberColumns, MemberRow, Needs, State, member_columns};
use crate::postgres::clock::programme_present;
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
pub fn wallet(view: &mut View<'_>, id: MemberId) -> Result<Option<WalletReply>, ReadError> {
    // One statement is one snapshot. While nothing is due, nothing has expired that is listed here.
    let load = LoadWallet { journal: id.journal(), member: id.uuid(), most: EXPIRING as i64 };
    let rows: Vec<WalletRow> = load.load(view.connection)?;
    let Some((row, now, (instants, points))) = rows.into_iter().next() else { return Ok(None) };
    let (member, as_of) = (load::member(row)?, view.clock.read(now));
    if !is_due(&member, as_of) {
        let listed = instants.into_iter().flatten().zip(points.into_iter().flatten());
        let expiring = listed.map(|(expires_at, points)| Expiring { points, expires_at }).collect();
        return Ok(Some(WalletReply { contents: WalletContents::of(&member, expiring), as_of }));
    }
    view.snapshot(|view| {
        let Some(Settled { member, lots, as_of, .. }) = settle(view, id)? else { return Ok(None) };
        let expiring = expiring(view.connection, &member, &lots, as_of)?;
        Ok(Some(WalletReply { contents: WalletContents::of(&member, expiring), as_of }))
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
    let load = LoadExpiring { journal: member.id.journal(), member: member.id.uuid(), now, most: most as i64 };
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
pub fn by_id(view: &mut View<'_>, id: MemberId) -> Result<Option<MemberReply>, ReadError> {
    let Some(Settled { member, .. }) = settled(view, id)? else { return Ok(None) };
    let rows: Vec<(String, Option<NaiveDate>, Vec<String>)> =
        LoadProfile { journal: id.journal(), member: id.uuid() }.load(view.connection)?;
    let profile = rows.into_iter().next().map(|(external_id, birthday, tags)| Profile { external_id, birthday, tags });
    Ok(Some(MemberReply::of(&member, profile.as_ref())))
}

/// The same of the customer who was enrolled under `external_id`.
pub fn by_external_id(view: &mut View<'_>, external_id: &str) -> Result<Option<MemberReply>, ReadError> {
    let rows: Vec<Uuid> = LoadId { external_id: external_id.to_owned() }.load(view.connection)?;
    let Some(id) = rows.into_iter().next() else { return Ok(None) };
    by_id(view, MemberId::try_from(id).map_err(|_| ReadError::Corrupt("a member without a member's id"))?)
}

/// The present, as a member's journal has it; none if there is no such member.
pub fn present(view: &mut View<'_>, id: MemberId) -> Result<Option<Timestamp>, ReadError> {
    Ok(load::present(view.connection, id)?.map(|now| view.clock.read(now)))
}

/// A member settled in memory.
pub struct Settled {
    /// The member as it is by then.
    pub member: Member,
    /// What settling would write.
    pub entries: Vec<Draft>,
    /// Those of its lots that something was due of, as they are stored.
    pub lots: BTreeMap<Uuid, Lot>,
    /// Up to when.
    pub as_of: Timestamp,
}

/// The member settled in memory up to now; none if there is no such member.
pub fn settled(view: &mut View<'_>, id: MemberId) -> Result<Option<Settled>, ReadError> {
    let Some((member, now)) = load::one(view.connection, id)? else { return Ok(None) };
    let as_of = view.clock.read(now);
    if is_due(&member, as_of) {
        return view.snapshot(|view| settle(view, id));
    }
    Ok(Some(Settled { member, entries: Vec::new(), lots: BTreeMap::new(), as_of }))
}

/// The same within a snapshot.
pub fn settle(view: &mut View<'_>, id: MemberId) -> Result<Option<Settled>, ReadError> {
    let Some((member, now)) = load::one(view.connection, id)? else { return Ok(None) };
    let (as_of, programs) = (view.clock.read(now), view.programs);
    let (mut state, is_due) = (State::default(), is_due(&member, as_of));
    state.members.insert(id, member);
    if is_due {
        let around = Around { aim: Aim::Show, now: as_of, programs };
        let journals = BTreeSet::from([id.journal()]);
        load::stand(view.connection, &journals, &mut Needs::default(), &around, &mut state)?;
    }
    let Some(member) = state.members.remove(&id) else { return Ok(None) };
    let mut work = Working::on(&member, Context { now: as_of, programs, command: Uuid::nil(), actor: "system" });
    work.settle(as_of).map_err(|_| ReadError::Corrupt("a wallet that its lots do not make"))?;
    Ok(Some(Settled { member: work.member, entries: work.entries, lots: member.lots, as_of }))
}

fn is_due(member: &Member, now: Timestamp) -> bool {
    member.next_due_at().is_some_and(|due_at| due_at <= now)
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
                 WHERE journal = $1 AND member = $2 AND active > 0 AND expires_at IS NOT NULL
                 GROUP BY expires_at ORDER BY expires_at LIMIT $3
             ) AS soonest
         ) AS e
         WHERE m.journal = $1 AND m.id = $2"
    )
}

statement! {
    // The index has the order, so that no more is read than is listed.
    LoadExpiring {
        journal: JournalId => SmallInt,
        member: Uuid => SqlUuid,
        now: Timestamp => Timestamptz,
        most: i64 => BigInt,
    } -> (Timestamptz, BigInt),
    "SELECT expires_at, sum(active)::bigint FROM lot
     WHERE journal = $1 AND member = $2 AND active > 0 AND expires_at > $3
     GROUP BY expires_at ORDER BY expires_at LIMIT $4"
}

statement! {
    LoadId { external_id: String => Text } -> SqlUuid,
    "SELECT member FROM member_profile WHERE external_id = $1"
}

statement! {
    LoadProfile { journal: JournalId => SmallInt, member: Uuid => SqlUuid } -> (Text, Nullable<Date>, Array<Text>),
    "SELECT external_id, birthday, tags FROM member_profile WHERE journal = $1 AND member = $2"
}
