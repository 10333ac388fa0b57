//! Where members stand among the tiers, now or at a time that has passed.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use serde::Serialize;
use uuid::Uuid;

use super::members::{self, Settled};
use super::wallet::WalletReply;
use super::{ReadError, Reader, View};
use crate::domain::ids::{JournalId, MemberId};
use crate::domain::journal::canonical::Json;
use crate::domain::journal::entry::{Draft, Kind};
use crate::domain::money::{self, Currency};
use crate::domain::program::level::{Benefit, Level};
use crate::domain::record::order::OrderRecord;
use crate::domain::tier::shown::{Asked, NamedTier, Progress};
use crate::domain::tier::{self, Scene, Standing};
use crate::domain::time::{self, Timestamp};
use crate::load;
use crate::postgres::statement::statement;

/// A member's tier, and the way up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = Tier)]
pub struct TierReply {
    /// What it is, and what it brings.
    #[serde(flatten)]
    pub held: Held,
    /// Since when the member has it; null without one.
    #[serde(with = "time::serde_canonical::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<Timestamp>,
    /// When it is decided anew, at the end of its term and grace; null without one.
    #[serde(with = "time::serde_canonical::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
    /// What counts of the orders of the period, a decimal string in the programme's currency.
    #[schema(example = "1280.00")]
    pub annual_spend: String,
    /// How many orders of the period count.
    #[schema(minimum = 0)]
    pub orders: i64,
    /// The period whose orders count.
    pub period: Period,
    /// The way to the next tier; null from the highest.
    pub progress: Option<Progress>,
    /// The way to keep the tier for another term; null without one.
    pub keep: Option<Keep>,
}

/// The tier that a member has, and what it brings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Held {
    /// The tier's code; null without one.
    #[schema(max_length = 32, example = "gold")]
    pub code: Option<String>,
    /// What people call it, by language tag.
    pub name: BTreeMap<String, String>,
    /// What it brings.
    pub benefits: Vec<Benefit>,
}

/// The period whose orders count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = TierPeriod)]
pub struct Period {
    /// Its first instant.
    #[serde(with = "time::serde_canonical")]
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// The first instant after it.
    #[serde(with = "time::serde_canonical")]
    #[schema(value_type = String, format = DateTime)]
    pub until: Timestamp,
}

/// What keeps the tier for another term.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = TierKeep)]
pub struct Keep {
    /// What is missing, if nothing more is ordered or refunded.
    pub missing: Asked,
    /// Until when it counts.
    #[serde(with = "time::serde_canonical")]
    #[schema(value_type = String, format = DateTime)]
    pub by: Timestamp,
}

/// A level of the programme.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = TierLevel)]
pub struct LevelReply {
    /// Its names.
    #[serde(flatten)]
    pub named: NamedTier,
    /// What it asks for in the period.
    pub requirement: Asked,
    /// What the points of an order are multiplied by, a decimal string.
    #[schema(example = "1.5")]
    pub factor: String,
    /// What it brings.
    pub benefits: Vec<Benefit>,
    /// How many members have it; for clients.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 0)]
    pub members: Option<i64>,
}

/// Something that became of a member's tier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = TierChanged)]
pub struct ChangeView {
    /// The number of its entry in the member's journal.
    pub seq: i64,
    /// What happened: `tier.upgraded`, `tier.renewed`, `tier.downgraded` or `tier.assigned`.
    #[schema(value_type = Kind)]
    pub kind: String,
    /// When it counts from.
    #[serde(with = "time::serde_canonical")]
    #[schema(value_type = String, format = DateTime)]
    pub effective_at: Timestamp,
    /// The tier's code from then on; null without one.
    #[schema(max_length = 32, example = "gold")]
    pub code: Option<String>,
    /// When it is decided anew; null without one.
    #[serde(with = "time::serde_canonical::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
}

/// Why a tier cannot be shown.
pub enum Unseen {
    /// There is no such member.
    NoMember,
    /// The programme has no tiers.
    NoTiers,
    /// The time has not come.
    InFuture,
}

/// A member's tier, now or as of a time that has passed.
pub fn tier(
    view: &mut View<'_>,
    id: MemberId,
    as_of: Option<Timestamp>,
) -> Result<Result<TierReply, Unseen>, ReadError> {
    view.snapshot(|view| {
        let Some(Settled { member, entries, as_of: now, .. }) = members::settle(view, id)? else {
            return Ok(Err(Unseen::NoMember));
        };
        let at = as_of.unwrap_or(now);
        if at > now {
            return Ok(Err(Unseen::InFuture));
        }
        let standing = match as_of {
            None => member.stands().cloned(),
            Some(at) => match entries.iter().rev().find(|entry| entry.kind.is_of_tier() && entry.effective_at <= at) {
                Some(entry) => Some(stated(entry)?),
                None => written(view.connection, id, at)?,
            },
        };
        // Of a member whom a new version has not come to yet, the tier and the way up are those of the old one.
        let decided_by = standing.as_ref().and_then(|standing| view.programs.version(standing.version));
        let version = decided_by.unwrap_or_else(|| view.programs.at(at));
        let Some(scene) = Scene::of(version, member.joined_at) else { return Ok(Err(Unseen::NoTiers)) };
        let standing = standing.unwrap_or_else(|| Standing::none(scene.version));
        let since = tier::orders_from(&standing, &scene).min(scene.window(at).from);
        let orders = load::counted_orders(view.connection, id.journal(), &[(id, since)])?;
        let orders = orders.into_iter().map(|(_, order)| order).filter(|order| order.occurred_at <= at);
        let orders: Vec<OrderRecord> = orders.map(|order| as_it_was(order, at)).collect();
        Ok(Ok(reply(&standing, &orders, &scene, at, version.program.currency)))
    })
}

impl Reader {
    /// What a member's tier brings, which its wallet says; none if there is no such member.
    pub async fn benefits(&self, id: MemberId) -> Result<Option<Held>, ReadError> {
        let Some(WalletReply { contents, as_of }) = self.wallet(id).await? else { return Ok(None) };
        let programs = self.programs.book();
        Ok(Some(Held::of(contents.tier.and_then(|tier| programs.level(&tier.code, as_of)))))
    }
}

/// The levels of the programme in force, the lowest first, with how many members have each if they are to be `counted`;
/// none if it has no tiers.
pub fn levels(view: &mut View<'_>, counted: bool) -> Result<Option<Vec<LevelReply>>, ReadError> {
    let now = view.clock.look(view.connection)?.now;
    let program = &view.programs.at(now).program;
    let Some(rules) = &program.tiers else { return Ok(None) };
    let tiers = rules.levels.iter().map(|level| level.code.clone()).collect();
    let members: Option<BTreeMap<String, i64>> = match counted {
        true => Some(LoadTotals { tiers }.load::<(String, i64)>(view.connection)?.into_iter().collect()),
        false => None,
    };
    let count = |code: &str| members.as_ref().map(|members| members.get(code).copied().unwrap_or_default());
    let level = |level: &Level| shown(level, program.currency, count(&level.code));
    Ok(Some(rules.levels.iter().map(level).collect()))
}

/// What became of a member's tier, from the newest to the oldest: before the entry `before`, at most `limit`; none if there
/// is no such member.
pub fn history(
    view: &mut View<'_>,
    id: MemberId,
    (before, limit): (Option<i64>, i64),
) -> Result<Option<Vec<ChangeView>>, ReadError> {
    if members::present(view, id)?.is_none() {
        return Ok(None);
    }
    let load = LoadPage { journal: id.journal(), member: id.uuid(), before: before.unwrap_or(i64::MAX), limit };
    let rows: Vec<(i64, String, DateTime<Utc>, String)> = load.load(view.connection)?;
    let change = |(seq, kind, effective_at, payload): (i64, String, DateTime<Utc>, String)| {
        let standing = standing_in(&payload).ok_or(UNREADABLE)?;
        Ok(ChangeView { seq, kind, effective_at, until: standing.lasts().map(|(_, until)| until), code: standing.tier })
    };
    rows.into_iter().map(change).collect::<Result<_, _>>().map(Some)
}

const UNREADABLE: ReadError = ReadError::Corrupt("a tier that cannot be read");

// What an entry states that settling would write.
fn stated(entry: &Draft) -> Result<Standing, ReadError> {
    let payload = entry.payload.clone().into_text().map_err(|_| UNREADABLE)?;
    standing_in(&payload).ok_or(UNREADABLE)
}

fn standing_in(payload: &str) -> Option<Standing> {
    Json::read(payload)?.get("standing")?.to()
}

// What the last entry states that counted by `at`; nothing once the member had left.
fn written(connection: &mut PgConnection, id: MemberId, at: Timestamp) -> Result<Option<Standing>, ReadError> {
    let rows: Vec<(String, String)> = LoadStated { journal: id.journal(), member: id.uuid(), at }.load(connection)?;
    let Some((_, payload)) = rows.first().filter(|(kind, _)| *kind != Kind::MemberClosed.name()) else {
        return Ok(None);
    };
    standing_in(payload).ok_or(UNREADABLE).map(Some)
}

fn as_it_was(mut order: OrderRecord, at: Timestamp) -> OrderRecord {
    let refunds = std::mem::take(&mut order.refunds).into_iter().filter(|(when, _)| *when <= at).collect();
    order.with_refunds(refunds)
}

fn reply(
    standing: &Standing,
    orders: &[OrderRecord],
    scene: &Scene<'_>,
    at: Timestamp,
    currency: Currency,
) -> TierReply {
    let seen = tier::look(standing, orders.iter(), scene, at);
    let (since, until) = standing.lasts().unzip();
    let money = |amount| money::format_amount(amount, currency);
    TierReply {
        held: Held::of(seen.level),
        since,
        until,
        annual_spend: money(seen.annual_spend),
        orders: seen.orders,
        period: Period { from: seen.period.from, until: seen.period.until },
        progress: seen.next.map(|next| Progress::of(&next, seen.level, currency)),
        keep: seen.keep.map(|keep| Keep { missing: Asked::of_missing(keep.missing, currency), by: keep.by }),
    }
}

impl Held {
    fn of(level: Option<&Level>) -> Self {
        let (code, name) = level.map(|level| (level.code.clone(), level.name.clone())).unzip();
        let benefits = level.map(|level| level.benefits.clone()).unwrap_or_default();
        Self { code, name: name.unwrap_or_default(), benefits }
    }
}

fn shown(level: &Level, currency: Currency, members: Option<i64>) -> LevelReply {
    let (requirement, factor) = (Asked::of(&level.requirement, currency), level.factor.normalize().to_string());
    LevelReply { named: NamedTier::of(level), requirement, factor, benefits: level.benefits.clone(), members }
}

statement! {
    // The index of members and numbers has the order; entries of other kinds are passed over.
    LoadPage {
        journal: JournalId => SmallInt,
        member: Uuid => SqlUuid,
        before: i64 => BigInt,
        limit: i64 => BigInt,
    } -> (BigInt, Text, Timestamptz, Text),
    "SELECT seq, kind, effective_at, payload FROM entry
     WHERE journal = $1 AND member = $2 AND seq < $3
         AND starts_with(kind, 'tier.')
     ORDER BY journal DESC, member DESC, seq DESC LIMIT $4"
}

statement! {
    LoadStated { journal: JournalId => SmallInt, member: Uuid => SqlUuid, at: Timestamp => Timestamptz }
    -> (Text, Text),
    "SELECT kind, payload FROM entry
     WHERE journal = $1 AND member = $2 AND effective_at <= $3
         AND (starts_with(kind, 'tier.') OR kind = 'member.closed')
     ORDER BY journal DESC, member DESC, seq DESC LIMIT 1"
}

statement! {
    LoadTotals { tiers: Vec<String> => Array<Text> } -> (Text, BigInt),
    "SELECT wanted.tier, COALESCE(total.members, 0)::bigint FROM UNNEST($1) AS wanted (tier)
     CROSS JOIN LATERAL (SELECT sum(members) AS members FROM tier_total WHERE tier = wanted.tier) AS total"
}
