//! The tiers of the programme, what they bring, and what became of a member's.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use serde::Serialize;
use uuid::Uuid;

use super::members;
use super::wallet::WalletReply;
use super::{ReadError, Reader, View};
use crate::domain::ids::{JournalId, MemberId};
use crate::domain::journal::canonical::Json;
use crate::domain::journal::entry::Kind;
use crate::domain::money::Currency;
use crate::domain::movement::assignment;
use crate::domain::program::level::{Benefit, Level};
use crate::domain::tier::Standing;
use crate::domain::tier::shown::{Asked, NamedTier};
use crate::domain::time::{self, Timestamp};
use crate::postgres::statement::statement;

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
    /// Why it was given; absent unless it was `tier.assigned`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reason: Option<assignment::Reason>,
}

impl Reader {
    /// What a member's tier brings, which its wallet says; none if there is no such member.
    pub async fn benefits(&self, id: MemberId) -> Result<Option<Held>, ReadError> {
        let Some(WalletReply { contents, as_of, .. }) = self.wallet(id).await? else { return Ok(None) };
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
        let payload = Json::read(&payload).ok_or(UNREADABLE)?;
        let reason = payload.get("reason").map(|reason| reason.to().ok_or(UNREADABLE)).transpose()?;
        let standing: Standing = payload.get("standing").and_then(|standing| standing.to()).ok_or(UNREADABLE)?;
        let until = standing.lasts().map(|(_, until)| until);
        Ok(ChangeView { seq, kind, effective_at, code: standing.tier, until, reason })
    };
    rows.into_iter().map(change).collect::<Result<_, _>>().map(Some)
}

const UNREADABLE: ReadError = ReadError::Corrupt("a tier that cannot be read");

impl Held {
    /// A level's; nothing without one.
    pub fn of(level: Option<&Level>) -> Self {
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
    LoadTotals { tiers: Vec<String> => Array<Text> } -> (Text, BigInt),
    "SELECT wanted.tier, COALESCE(total.members, 0)::bigint FROM UNNEST($1) AS wanted (tier)
     CROSS JOIN LATERAL (SELECT sum(members) AS members FROM tier_total WHERE tier = wanted.tier) AS total"
}
