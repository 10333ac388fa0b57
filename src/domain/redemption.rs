//! Redemptions: points are spent on an order or a reward, at once or by hold and capture.
//!
//! ```text
//! held ─┬─ capture ─▶ captured ── return (all of it) ─▶ returned
//!       ├─ void ────▶ voided
//!       └─ time ────▶ lapsed
//! ```
//!
//! Held points do not expire while they are held, and can be captured after their lot's end; voided or lapsed after it,
//! they expire at once (invariant 12).

use chrono::TimeDelta;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::account::Account;
use super::decide::{Context, Event, Working};
use super::entry::{Kind, Posting, derive_id};
use super::fact::Fact;
use super::ids::{MemberId, RedemptionId};
use super::lot::{self, ACTIVE, HELD, NewLot, Taking};
use super::member::{Balances, Member, Misfit};
use super::money::{self, Currency};
use super::refusal::{Refusal, Rejected};
use super::reward::Reward;
use super::time::{self, Timestamp};

/// The longest that points can be held.
pub const LONGEST_HOLD: TimeDelta = TimeDelta::days(30);

/// How far a redemption has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RedemptionStatus {
    /// Its points are set aside until it is captured or voided, or lapses.
    Held,
    /// Its points are spent.
    Captured,
    /// It was given up.
    Voided,
    /// Its hold reached its end.
    Lapsed,
    /// All that was captured came back.
    Returned,
}

impl RedemptionStatus {
    /// Each with its name.
    pub const ALL: [(&str, Self); 5] = [
        ("held", Self::Held),
        ("captured", Self::Captured),
        ("voided", Self::Voided),
        ("lapsed", Self::Lapsed),
        ("returned", Self::Returned),
    ];

    /// The name in the database and the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Captured => "captured",
            Self::Voided => "voided",
            Self::Lapsed => "lapsed",
            Self::Returned => "returned",
        }
    }
}

/// Points spent, or set aside to be: as the journal states it and the API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Redemption {
    /// Its id.
    pub id: RedemptionId,
    /// Who redeems.
    pub member_id: MemberId,
    /// How far it has come.
    pub status: RedemptionStatus,
    /// How many points were asked for.
    pub points: i64,
    /// How many of them are spent; what came back later still counts here.
    pub captured: i64,
    /// How many of those came back.
    pub returned: i64,
    /// The order that they pay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub order_id: Option<String>,
    /// The reward that they are redeemed for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reward_id: Option<Uuid>,
    /// How many of the reward.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub quantity: Option<i64>,
    /// What the points are worth in money, a decimal string: those captured, or those held before. Absent where the
    /// programme gives points no value, and for rewards.
    #[serde(default, with = "rust_decimal::serde::str_option", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false, example = "12.50")]
    pub value: Option<Decimal>,
    /// The currency of `value`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false, example = "USD")]
    pub currency: Option<Currency>,
    /// When it was made.
    #[serde(with = "time::serde_canonical")]
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When the hold lapses unless it was captured or voided before; null without a hold.
    #[serde(with = "time::serde_canonical::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub lapses_at: Option<Timestamp>,
    /// The lots that the points are from, in the order of taking: those captured, or all that were held.
    pub lots: Vec<Taking>,
}

impl Redemption {
    /// When it falls due by time alone.
    pub fn due_at(&self) -> Option<Timestamp> {
        self.lapses_at.filter(|_| self.status == RedemptionStatus::Held)
    }

    /// As it stands at `now`, though nothing may have written its lapse (invariant 9).
    pub fn at(self, now: Timestamp) -> Self {
        match self.due_at() {
            Some(due_at) if due_at <= now => Self { status: RedemptionStatus::Lapsed, ..self },
            _ => self,
        }
    }

    /// How many units of its reward it takes from the stock: all, less those that came back.
    pub fn stock_taken(&self) -> i64 {
        let quantity = self.quantity.unwrap_or_default();
        match self.status {
            RedemptionStatus::Held => quantity,
            RedemptionStatus::Captured => quantity - self.returned.checked_div(self.unit()).unwrap_or_default(),
            RedemptionStatus::Voided | RedemptionStatus::Lapsed | RedemptionStatus::Returned => 0,
        }
    }

    // What one of the reward cost.
    fn unit(&self) -> i64 {
        self.points.checked_div(self.quantity.unwrap_or_default()).unwrap_or_default()
    }

    /// How many captured points have not come back.
    pub fn spent(&self) -> i64 {
        self.captured - self.returned
    }
}

/// Points to be redeemed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RedemptionRequest {
    /// Who redeems.
    pub member_id: MemberId,
    /// For what.
    #[serde(flatten)]
    pub purpose: Purpose,
    /// For how long the points are held, in seconds; none to spend them at once.
    #[serde(rename = "hold_seconds", serialize_with = "seconds")]
    pub hold: Option<TimeDelta>,
}

/// What points are redeemed for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Purpose {
    /// A part of an order.
    Order {
        /// How many points.
        points: i64,
        /// The order, if it has an id already.
        order_id: Option<String>,
        /// The order's amount: the points may pay no more than the programme's share of it.
        order_amount: Option<Decimal>,
    },
    /// A reward.
    Reward {
        /// Which.
        reward_id: Uuid,
        /// How many of it.
        quantity: i64,
    },
}

/// A redemption, and the wallet after what was done to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct RedemptionReply {
    /// The redemption as it now is.
    #[serde(flatten)]
    pub redemption: Redemption,
    /// The wallet right after it.
    pub wallet: Balances,
}

/// Decides a redemption. `reward` is the one that is asked for, if there is one with that id.
pub fn redeem(
    work: &mut Working<'_>,
    request: &RedemptionRequest,
    reward: Option<&Reward>,
) -> Result<RedemptionReply, Rejected> {
    let context = *work.context();
    let now = context.now;
    work.settle(now)?;
    work.may_begin()?;
    let mut redemption = Redemption {
        id: RedemptionId::new(work.member.id.journal(), context.command),
        member_id: work.member.id,
        status: RedemptionStatus::Captured,
        points: 0,
        captured: 0,
        returned: 0,
        order_id: None,
        reward_id: None,
        quantity: None,
        value: None,
        currency: None,
        created_at: now,
        lapses_at: request.hold.map(|hold| now + hold),
        lots: Vec::new(),
    };
    match &request.purpose {
        Purpose::Order { points, order_id, order_amount } => {
            redemption.points = *points;
            redemption.order_id.clone_from(order_id);
            (redemption.value, redemption.currency) = worth(&context, *points, *order_amount)?;
        }
        Purpose::Reward { reward_id, quantity } => {
            let reward = reward.ok_or(Refusal::RewardNotFound)?;
            redemption.points = reward.price(&work.member, *quantity, work.stock_taken.get(reward_id), &context)?;
            (redemption.reward_id, redemption.quantity) = (Some(*reward_id), Some(*quantity));
        }
    }
    redemption.lots = take(&work.member, redemption.points)?;
    let (kind, credit) = match redemption.lapses_at {
        Some(_) => {
            redemption.status = RedemptionStatus::Held;
            (Kind::RedemptionHeld, HELD)
        }
        None => {
            redemption.captured = redemption.points;
            (Kind::RedemptionCaptured, Account::Redemption)
        }
    };
    let postings = lot::postings(&redemption.lots, ACTIVE, credit);
    work.post(Event::new(kind, Fact::Redemption(redemption.clone())).with_postings(postings))?;
    Ok(RedemptionReply { redemption, wallet: work.member.balances })
}

/// Decides a capture of a hold: of `points` of it, or of all. The rest goes back. `order` is the order that it pays, if
/// the capture is the order's own.
pub fn capture(
    work: &mut Working<'_>,
    id: RedemptionId,
    points: Option<i64>,
    order: Option<&str>,
) -> Result<RedemptionReply, Rejected> {
    let Context { now, .. } = *work.context();
    work.settle(now)?;
    let mut redemption = in_status(&work.member, id, RedemptionStatus::Held)?;
    let points = points.unwrap_or(redemption.points);
    if points > redemption.points {
        return Err(Refusal::CaptureOverHeld { held: redemption.points }.into());
    }
    if redemption.reward_id.is_some() && points != redemption.points {
        return Err(Refusal::RewardCapturedWhole { held: redemption.points }.into());
    }
    let (captured, rest) = lot::split(&redemption.lots, points);
    let mut postings = lot::postings(&captured, HELD, Account::Redemption);
    postings.extend(release(&work.member, &rest, now)?);
    // The value of a part is its share of the whole, as every point is worth the same.
    if let (Some(value), Some(currency)) = (redemption.value, redemption.currency) {
        redemption.value = money::share(value, points, redemption.points, currency);
    }
    if let Some(order) = order {
        redemption.order_id = Some(order.to_owned());
    }
    (redemption.status, redemption.captured, redemption.lots) = (RedemptionStatus::Captured, points, captured);
    let fact = Fact::Redemption(redemption.clone());
    work.post(Event::new(Kind::RedemptionCaptured, fact).with_postings(postings))?;
    Ok(RedemptionReply { redemption, wallet: work.member.balances })
}

/// Decides to give a hold up.
pub fn void(work: &mut Working<'_>, id: RedemptionId) -> Result<RedemptionReply, Rejected> {
    let Context { now, .. } = *work.context();
    work.settle(now)?;
    let mut redemption = in_status(&work.member, id, RedemptionStatus::Held)?;
    redemption.status = RedemptionStatus::Voided;
    let postings = release(&work.member, &redemption.lots, now)?;
    let fact = Fact::Redemption(redemption.clone());
    work.post(Event::new(Kind::RedemptionVoided, fact).with_postings(postings))?;
    Ok(RedemptionReply { redemption, wallet: work.member.balances })
}

/// Decides a return of captured points: of `points` of them, or of all that have not come back yet. They go to their
/// own lots, in the reverse order of taking; where a lot has ended, they get the programme's grace.
pub fn give_back(work: &mut Working<'_>, id: RedemptionId, points: Option<i64>) -> Result<RedemptionReply, Rejected> {
    let context = *work.context();
    let now = context.now;
    work.settle(now)?;
    let mut redemption = in_status(&work.member, id, RedemptionStatus::Captured)?;
    let points = points.unwrap_or(redemption.spent());
    if points > redemption.spent() {
        return Err(Refusal::ReturnOverCaptured { left: redemption.spent() }.into());
    }
    if redemption.reward_id.is_some() && points % redemption.unit().max(1) != 0 {
        return Err(Refusal::RewardReturnedInUnits { unit: redemption.unit() }.into());
    }
    let takings = lot::from_the_end(&redemption.lots, redemption.returned, points);
    let (ended, alive) = ended(&work.member, takings, now)?;
    let forfeit = work.member.status.has_left();
    let back = if forfeit { Account::Breakage } else { ACTIVE };
    let mut postings = lot::postings(&alive, Account::Redemption, back);
    let mut lots = Vec::new();
    let late: i64 = ended.iter().map(|taking| taking.points).sum();
    match context.program().redemption.return_grace {
        Some(grace) if late > 0 && !forfeit => {
            let lot = NewLot {
                id: derive_id(now, context.command.as_bytes(), &[b"grace", id.uuid().as_bytes()]),
                active_at: now,
                expires_at: Some(grace.after(now, context.program().time_zone)),
            };
            let taking = Taking { lot: lot.id, points: late };
            postings.extend(lot::postings(&[taking], Account::Redemption, ACTIVE));
            lots.push(lot);
        }
        _ => postings.extend(lot::postings(&ended, Account::Redemption, Account::Breakage)),
    }
    redemption.returned += points;
    if redemption.spent() == 0 {
        redemption.status = RedemptionStatus::Returned;
    }
    let fact = Fact::Redemption(redemption.clone());
    let event = Event { lots, ..Event::new(Kind::RedemptionReturned, fact) };
    work.post(event.with("points", points).with_postings(postings))?;
    Ok(RedemptionReply { redemption, wallet: work.member.balances })
}

/// A hold reaches its end; returns the lots that its points go back to.
pub(super) fn lapse(work: &mut Working<'_>, id: Uuid, due_at: Timestamp) -> Result<Vec<Uuid>, Misfit> {
    let held = RedemptionId::try_from(id).ok().and_then(|id| work.member.redemptions.get(&id));
    let mut redemption = held.cloned().ok_or(Misfit::NotLoaded("a redemption"))?;
    redemption.status = RedemptionStatus::Lapsed;
    let postings = release(&work.member, &redemption.lots, due_at)?;
    let lots = redemption.lots.iter().map(|taking| taking.lot).collect();
    let event = Event::new(Kind::RedemptionLapsed, Fact::Redemption(redemption));
    work.post_due(due_at, &[id], event.with_postings(postings))?;
    Ok(lots)
}

/// The soonest-expiring lots for `points`, or a refusal that says how many there are.
pub(super) fn take(member: &Member, points: i64) -> Result<Vec<Taking>, Rejected> {
    if member.balances.active < points {
        return Err(Refusal::InsufficientPoints { available: member.balances.active }.into());
    }
    let takings = member.soonest(points, None);
    match takings.iter().map(|taking| taking.points).sum::<i64>() == points {
        true => Ok(takings),
        false => Err(Misfit::NotLoaded("a lot").into()),
    }
}

/// The postings by which held points go back at `at`: to `active`, or to `breakage` where their lot has ended or the
/// member has left.
pub(super) fn release(member: &Member, takings: &[Taking], at: Timestamp) -> Result<Vec<Posting>, Misfit> {
    let (ended, alive) = ended(member, takings.to_vec(), at)?;
    let back = if member.status.has_left() { Account::Breakage } else { ACTIVE };
    let mut postings = lot::postings(&alive, HELD, back);
    postings.extend(lot::postings(&ended, HELD, Account::Breakage));
    Ok(postings)
}

// Those of `takings` whose lots have ended by `at`, and the others.
fn ended(member: &Member, takings: Vec<Taking>, at: Timestamp) -> Result<(Vec<Taking>, Vec<Taking>), Misfit> {
    let (mut ended, mut alive) = (Vec::new(), Vec::new());
    for taking in takings {
        let lot = member.lots.get(&taking.lot).ok_or(Misfit::NotLoaded("a lot"))?;
        if lot.has_expired(at) { &mut ended } else { &mut alive }.push(taking);
    }
    Ok((ended, alive))
}

fn in_status(member: &Member, id: RedemptionId, status: RedemptionStatus) -> Result<Redemption, Refusal> {
    let redemption = member.redemptions.get(&id).ok_or(Refusal::RedemptionNotFound)?;
    match redemption.status {
        found if found == status => Ok(redemption.clone()),
        RedemptionStatus::Lapsed => {
            Err(Refusal::HoldLapsed { lapsed_at: redemption.lapses_at.map(time::canonical).unwrap_or_default() })
        }
        found => Err(Refusal::RedemptionStateConflict { state: found.name().to_owned() }),
    }
}

// What the points are worth, checked against the order that they are to pay a part of.
fn worth(
    context: &Context<'_>,
    points: i64,
    order_amount: Option<Decimal>,
) -> Result<(Option<Decimal>, Option<Currency>), Refusal> {
    let program = context.program();
    let value = program.redemption.value_of(points, program.currency);
    if value.is_some_and(|value| value > Decimal::from(money::MAX_AMOUNT)) {
        return Err(Refusal::PointsOverLimit);
    }
    if let Some(amount) = order_amount {
        let value = value.ok_or(Refusal::PointsWithoutValue)?;
        program.redemption.check_share(value, amount, program.currency)?;
    }
    Ok((value, value.map(|_| program.currency)))
}

fn seconds<S: serde::Serializer>(hold: &Option<TimeDelta>, serializer: S) -> Result<S::Ok, S::Error> {
    hold.map(|hold| hold.num_seconds()).serialize(serializer)
}
