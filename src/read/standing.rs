//! Where a member stands among the tiers, and the way up: now, read for many members at a time, or at a time that has passed.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use serde::Serialize;
use uuid::Uuid;

use super::gather::Seen;
use super::members::{self, Settled};
use super::remembered::Remembered;
use super::tiers::Held;
use super::{ReadError, Reader, View};
use crate::domain::ids::{JournalId, MemberId};
use crate::domain::journal::canonical::Json;
use crate::domain::journal::entry::{Draft, Kind};
use crate::domain::member::Status;
use crate::domain::money;
use crate::domain::program::{ProgramBook, ProgramVersion};
use crate::domain::record::order::OrderRecord;
use crate::domain::tier::shown::{Asked, Progress};
use crate::domain::tier::{self, Counted, Scene, Standing};
use crate::domain::time::{self, LATEST, Timestamp};
use crate::load;
use crate::postgres::clock::programme_present;
use crate::postgres::statement::statement;

/// What a tier takes of what is remembered, and each of the member's orders, in bytes, about.
const BYTES: usize = 600;
const BYTES_OF_ORDER: usize = 64;

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
    /// The way to the next tier; null from the highest.
    pub progress: Option<Progress>,
    /// The way to keep the tier for another term; null without one.
    pub keep: Option<Keep>,
    /// The period whose orders count.
    pub period: Period,
    /// Is it another one at every instant?
    #[serde(skip)]
    pub is_rolling: bool,
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

/// Why a tier cannot be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unseen {
    /// There is no such member.
    NoMember,
    /// The programme has no tiers.
    NoTiers,
    /// The time has not come.
    InFuture,
}

/// A tier, or why it cannot be shown.
pub type Shown = Result<Arc<TierReply>, Unseen>;

impl Reader {
    /// A member's tier, now or as of a time that has passed.
    pub async fn tier(&self, id: MemberId, as_of: Option<Timestamp>) -> Result<Shown, ReadError> {
        let seen = if as_of.is_none() { self.tiers.ask(id).await? } else { Some(Seen::Due) };
        match seen {
            Some(Seen::Whole(tier)) => Ok(tier),
            Some(Seen::Due) => self.run(move |view| by_itself(view, id, as_of)).await,
            None => Ok(Err(Unseen::NoMember)),
        }
    }
}

/// What a member's tier is seen by, for as long as nothing is written about it.
#[derive(Debug)]
pub struct Known {
    standing: Option<Standing>,
    joined_at: Timestamp,
    /// When time alone changes something.
    due_at: Option<Timestamp>,
    /// What counts of its orders since then, by the rules of a version; in a programme without tiers nothing does.
    since: Timestamp,
    counted: Counted,
    version: i32,
}

impl Known {
    // The tier at an instant; none if orders count by now that are not known, for another version is in force.
    fn at(&self, programs: &ProgramBook, at: Timestamp) -> Option<Seen<Shown>> {
        if self.due_at.is_some_and(|due_at| due_at <= at) {
            return Some(Seen::Due);
        }
        let Some(sight) = Sight::of(programs, self.standing.as_ref(), self.joined_at, at) else {
            return Some(Seen::Whole(Err(Unseen::NoTiers)));
        };
        let shown = || Seen::Whole(Ok(Arc::new(sight.reply(&self.counted))));
        (self.since <= sight.orders_from() && self.version == sight.scene.version).then(shown)
    }
}

/// The present tiers of those of `ids` who are members.
pub fn together(
    view: &mut View<'_>,
    ids: &BTreeSet<MemberId>,
    remembered: &mut Remembered<Known>,
) -> Result<BTreeMap<MemberId, Seen<Shown>>, ReadError> {
    remembered.or_forget(|remembered| {
        let programs = view.programs;
        let (mut found, left) = remembered.recall(view, ids, |known, at| known.at(programs, at))?;
        if left.members.is_empty() {
            return Ok(found);
        }
        let load = LoadStandings { journals: left.journals, members: left.members };
        for Found { id, known, at, may_be_kept } in view.snapshot(|view| read(view, load))? {
            found.extend(known.at(view.programs, at).map(|seen| (id, seen)));
            if may_be_kept {
                let bytes = BYTES + BYTES_OF_ORDER * known.counted.changes();
                remembered.keep(id, known, bytes);
            }
        }
        Ok(found)
    })
}

/// What is known of a member at an instant.
struct Found {
    id: MemberId,
    known: Known,
    at: Timestamp,
    /// Is it good for later? An order of a checkout whose clock is fast comes to count without being written again.
    may_be_kept: bool,
}

// What the tiers of members are seen by.
fn read(view: &mut View<'_>, load: LoadStandings) -> Result<Vec<Found>, ReadError> {
    let rows: Vec<Row> = load.load(view.connection)?;
    let (mut members, mut wanted) = (Vec::with_capacity(rows.len()), BTreeMap::<JournalId, Vec<_>>::new());
    for ((member, now), (due_at, joined_at, status, standing)) in rows {
        let (id, at) = (MemberId::try_from(member).map_err(|_| UNREADABLE)?, view.clock.read(now));
        let status: Status = status.parse().map_err(|_| UNREADABLE)?;
        let standing = standing.filter(|_| !status.has_left());
        let standing: Option<Standing> =
            standing.map(|text| serde_json::from_str(&text)).transpose().map_err(|_| UNREADABLE)?;
        if let Some(sight) = Sight::of(view.programs, standing.as_ref(), joined_at, at) {
            wanted.entry(id.journal()).or_default().push((id, sight.orders_from()));
        }
        members.push((id, standing, joined_at, due_at, at));
    }
    let mut orders: HashMap<MemberId, Vec<OrderRecord>> = HashMap::new();
    for (journal, wanted) in wanted {
        for (member, order) in load::counted_orders(view.connection, journal, &wanted)? {
            orders.entry(member).or_default().push(order);
        }
    }
    let known = members.into_iter().map(|(id, standing, joined_at, due_at, at)| {
        let orders = orders.remove(&id).unwrap_or_default();
        let sight = Sight::of(view.programs, standing.as_ref(), joined_at, at);
        let since = sight.as_ref().map_or(LATEST, Sight::orders_from);
        let version = sight.as_ref().map_or(0, |sight| sight.scene.version);
        let counted = sight.map(|sight| sight.counted(&orders)).unwrap_or_default();
        let may_be_kept = orders.iter().all(|order| order.occurred_at <= at && is_as_it_was(order, at));
        Found { id, known: Known { standing, joined_at, due_at, since, counted, version }, at, may_be_kept }
    });
    Ok(known.collect())
}

/// A member's tier, settled in memory, now or as of a time that has passed.
fn by_itself(view: &mut View<'_>, id: MemberId, as_of: Option<Timestamp>) -> Result<Shown, ReadError> {
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
            Some(at) => {
                let (standing, is_last) = written(view.connection, id, at)?;
                let due = entries.iter().filter(|entry| is_last && entry.kind.is_of_tier());
                match due.take_while(|entry| entry.effective_at <= at).last() {
                    Some(entry) => Some(stated(entry)?),
                    None => standing,
                }
            }
        };
        let Some(sight) = Sight::of(view.programs, standing.as_ref(), member.joined_at, at) else {
            return Ok(Err(Unseen::NoTiers));
        };
        let orders = load::counted_orders(view.connection, id.journal(), &[(id, sight.orders_from())])?;
        let orders: Vec<OrderRecord> = orders.into_iter().map(|(_, order)| order).collect();
        Ok(Ok(Arc::new(sight.reply(&sight.counted(&orders)))))
    })
}

// What an entry states that settling would write.
fn stated(entry: &Draft) -> Result<Standing, ReadError> {
    let payload = entry.payload.clone().into_text().map_err(|_| UNREADABLE)?;
    standing_in(&payload).ok_or(UNREADABLE)
}

fn standing_in(payload: &str) -> Option<Standing> {
    Json::read(payload)?.get("standing")?.to()
}

// Where a member stood at a time; and whether nothing is written that counts from later on. What was written behind that was
// not known yet, though it may count from before: after a refund a term can turn out to have ended.
fn written(connection: &mut PgConnection, id: MemberId, at: Timestamp) -> Result<(Option<Standing>, bool), ReadError> {
    let (journal, member) = (id.journal(), id.uuid());
    let later: Option<i64> = LoadLater { journal, member, at }.get_result(connection).optional()?;
    let before = later.unwrap_or(i64::MAX);
    let stated: Option<(String, String)> = LoadStated { journal, member, before }.get_result(connection).optional()?;
    // Who has left stands nowhere.
    let stated = stated.filter(|(kind, _)| *kind != Kind::MemberClosed.name());
    let standing = stated.map(|(_, payload)| standing_in(&payload).ok_or(UNREADABLE)).transpose()?;
    Ok((standing, later.is_none()))
}

const UNREADABLE: ReadError = ReadError::Corrupt("a tier that cannot be read");

/// A member at an instant, as far as its tier goes.
struct Sight<'a> {
    at: Timestamp,
    standing: Cow<'a, Standing>,
    scene: Scene<'a>,
}

impl<'a> Sight<'a> {
    // None in a programme without tiers. Of a member whom a new version has not come to yet, the tier and the way up are those
    // of the old one.
    fn of(
        programs: &'a ProgramBook,
        standing: Option<&'a Standing>,
        joined_at: Timestamp,
        at: Timestamp,
    ) -> Option<Self> {
        let decided_by = standing.and_then(|standing| programs.version(standing.version));
        let version: &ProgramVersion = decided_by.unwrap_or_else(|| programs.at(at));
        let scene = Scene::of(version, joined_at)?;
        let standing = standing.map_or_else(|| Cow::Owned(Standing::none(scene.version)), Cow::Borrowed);
        Some(Self { at, standing, scene })
    }

    // The orders of the period around the instant must be known. No later one begins before it.
    fn orders_from(&self) -> Timestamp {
        self.scene.window(self.at).from
    }

    // What counts of orders as they were then.
    fn counted(&self, orders: &[OrderRecord]) -> Counted {
        let by_then = orders.iter().filter(|order| order.occurred_at <= self.at);
        let orders: Vec<Cow<'_, OrderRecord>> = by_then.map(|order| as_it_was(order, self.at)).collect();
        Counted::of(orders.iter().map(Cow::as_ref), self.orders_from(), &self.scene)
    }

    fn reply(&self, counted: &Counted) -> TierReply {
        let seen = tier::look(&self.standing, counted, &self.scene, self.at);
        let (since, until) = self.standing.lasts().unzip();
        let currency = self.scene.currency;
        let missing = |missing| Asked::of_missing(missing, currency);
        TierReply {
            held: Held::of(seen.level),
            since,
            until,
            annual_spend: money::format_amount(seen.annual_spend, currency),
            orders: seen.orders,
            period: Period { from: seen.period.from, until: seen.period.until },
            is_rolling: !self.scene.has_fixed_ends(),
            progress: seen.next.map(|next| Progress::of(&next, seen.level, currency)),
            keep: seen.keep.map(|keep| Keep { missing: missing(keep.missing), by: keep.by }),
        }
    }
}

fn is_as_it_was(order: &OrderRecord, at: Timestamp) -> bool {
    order.refunds.iter().all(|(when, _)| *when <= at)
}

fn as_it_was(order: &OrderRecord, at: Timestamp) -> Cow<'_, OrderRecord> {
    if is_as_it_was(order, at) {
        return Cow::Borrowed(order);
    }
    let refunds = order.refunds.iter().filter(|(when, _)| *when <= at).copied().collect();
    Cow::Owned(order.clone().with_refunds(refunds))
}

type Row = ((Uuid, DateTime<Utc>), (Option<DateTime<Utc>>, DateTime<Utc>, String, Option<String>));

statement! {
    LoadStandings { journals: Vec<JournalId> => Array<SmallInt>, members: Vec<Uuid> => Array<SqlUuid> }
    -> ((SqlUuid, Timestamptz), (Nullable<Timestamptz>, Timestamptz, Text, Nullable<Text>)),
    concat!(
        "SELECT m.id, ", programme_present!("j.recorded_at"), ", w.next_due_at, m.joined_at, m.status, m.standing
         FROM UNNEST($1, $2) AS wanted (journal, id)
         CROSS JOIN LATERAL (SELECT * FROM member WHERE id = wanted.id AND journal = wanted.journal OFFSET 0) AS m
         CROSS JOIN LATERAL (SELECT * FROM wallet WHERE journal = wanted.journal AND member = wanted.id OFFSET 0) AS w
         CROSS JOIN LATERAL (SELECT recorded_at FROM journal WHERE id = wanted.journal OFFSET 0) AS j"
    )
}

statement! {
    LoadLater { journal: JournalId => SmallInt, member: Uuid => SqlUuid, at: Timestamp => Timestamptz } -> BigInt,
    "SELECT seq FROM entry
     WHERE journal = $1 AND member = $2 AND effective_at > $3
         AND (starts_with(kind, 'tier.') OR kind = 'member.closed')
     ORDER BY journal, member, seq LIMIT 1"
}

statement! {
    LoadStated { journal: JournalId => SmallInt, member: Uuid => SqlUuid, before: i64 => BigInt } -> (Text, Text),
    "SELECT kind, payload FROM entry
     WHERE journal = $1 AND member = $2 AND seq < $3
         AND (starts_with(kind, 'tier.') OR kind = 'member.closed')
     ORDER BY journal DESC, member DESC, seq DESC LIMIT 1"
}
