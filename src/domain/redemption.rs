//! Redemptions: points are spent on an order or a reward, at once or by hold and capture.
//!
//! ```text
//! held ─┬─ capture ─▶ captured ── return (all of it) ─▶ returned
//!       ├─ void ────▶ voided
//!       └─ time ────▶ lapsed
//! ```
//!
//! Held points do not expire while they are held, and can be captured after their lot's end; lapsed or voided by the
//! member after it, they expire at once (invariant 12).

mod record;

use rust_decimal::Decimal;
use uuid::Uuid;

use super::account::{Account, Part};
use super::decide::{Context, Event, Working};
use super::entry::{Kind, Posting, derive_id};
use super::fact::Fact;
use super::ids::RedemptionId;
use super::lot::{self, ACTIVE, HELD, Lot, NewLot, Taking};
use super::member::{Member, Misfit};
use super::money::{self, Currency};
use super::refusal::{Refusal, Rejected};
use super::reversal::Given;
use super::reward::Reward;
use super::time::{self, Timestamp};

pub use record::{
    CaptureRequest, LONGEST_HOLD, Maker, Purpose, Redemption, RedemptionReply, RedemptionRequest, RedemptionStatus,
};

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
    let lapses_at = request.hold.map(|hold| now + hold);
    let made_by = if context.own().is_some() { Maker::Member } else { Maker::Client };
    if let (Maker::Member, Some(lapses_at)) = (made_by, lapses_at) {
        check_own_hold(&context, lapses_at)?;
    }
    let mut redemption = Redemption {
        id: RedemptionId::new(work.member.id.journal(), context.command),
        member_id: work.member.id,
        made_by: Some(made_by),
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
        lapses_at,
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

/// Decides a capture of a hold: of so many points of it, or of all. The rest goes back as by [`void`]. The order that it
/// pays stands in it from then on; a hold that was made for another order cannot pay it, nor can a reward's.
pub fn capture(work: &mut Working<'_>, id: RedemptionId, asked: &CaptureRequest) -> Result<RedemptionReply, Rejected> {
    let Context { now, .. } = *work.context();
    work.settle(now)?;
    let mut redemption = in_status(&work.member, id, RedemptionStatus::Held)?;
    if let Some(order) = &asked.order_id {
        let of_another = redemption.order_id.as_ref().is_some_and(|other| other != order);
        if of_another || redemption.reward_id.is_some() {
            return Err(Refusal::RedemptionOfAnotherOrder { redemption_id: id.to_string() }.into());
        }
        redemption.order_id = Some(order.clone());
    }
    let points = asked.points.unwrap_or(redemption.points);
    if points > redemption.points {
        return Err(Refusal::CaptureOverHeld { held: redemption.points }.into());
    }
    if redemption.reward_id.is_some() && points != redemption.points {
        return Err(Refusal::RewardCapturedWhole { held: redemption.points }.into());
    }
    redemption.value = redemption.worth_of(points, redemption.points)?;
    let (captured, rest) = lot::split(&redemption.lots, points);
    let mut postings = lot::postings(&captured, HELD, Account::Redemption);
    let (released, lots) = give_up(work, id, rest)?;
    postings.extend(released);
    (redemption.status, redemption.captured, redemption.lots) = (RedemptionStatus::Captured, points, captured);
    let fact = Fact::Redemption(redemption.clone());
    let event = Event { lots, ..Event::new(Kind::RedemptionCaptured, fact) };
    work.post(event.with_postings(postings))?;
    Ok(RedemptionReply { redemption, wallet: work.member.balances })
}

/// Decides to give a hold up. A member may do so with what it made itself for no order, and another's hold looks to it
/// like one that does not exist.
///
/// What a client gives up after the end of its points' lots gets the programme's grace, so that a payment that fails on
/// the last evening costs nobody points. What a member gives up does not, so that nobody lengthens points by holding
/// them.
pub fn void(work: &mut Working<'_>, id: RedemptionId) -> Result<RedemptionReply, Rejected> {
    let context = *work.context();
    if context.own().is_some_and(|own| own != work.member.id) {
        return Err(Refusal::RedemptionNotFound.into());
    }
    work.settle(context.now)?;
    let mut redemption = in_status(&work.member, id, RedemptionStatus::Held)?;
    if context.own().is_some() && !redemption.is_members_own() {
        return Err(Refusal::HoldOfShop.into());
    }
    redemption.status = RedemptionStatus::Voided;
    let (postings, lots) = give_up(work, id, redemption.lots.clone())?;
    let fact = Fact::Redemption(redemption.clone());
    let event = Event { lots, ..Event::new(Kind::RedemptionVoided, fact) };
    work.post(event.with_postings(postings))?;
    Ok(RedemptionReply { redemption, wallet: work.member.balances })
}

/// Decides a return of captured points: of `points` of them, or of all that have not come back yet. They go to their
/// own lots, in the reverse order of taking; where a lot has ended, they get the programme's grace.
pub fn give_back(work: &mut Working<'_>, id: RedemptionId, points: Option<i64>) -> Result<RedemptionReply, Rejected> {
    let Context { now, .. } = *work.context();
    work.settle(now)?;
    let redemption = in_status(&work.member, id, RedemptionStatus::Captured)?;
    let points = points.unwrap_or(redemption.spent());
    if points > redemption.spent() {
        return Err(Refusal::ReturnOverCaptured { left: redemption.spent() }.into());
    }
    if redemption.reward_id.is_some() && points % redemption.unit().max(1) != 0 {
        return Err(Refusal::RewardReturnedInUnits { unit: redemption.unit() }.into());
    }
    let back = lot::from_the_end(&redemption.lots, redemption.returned, points);
    let homes = back.into_iter().map(|taking| (Home::Lot(taking.lot), taking.points)).collect();
    let redemption = come_back(work, id, homes)?.0;
    Ok(RedemptionReply { redemption, wallet: work.member.balances })
}

/// Where points go that come back after they were captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Home {
    /// To the debt that an order's refunds had left.
    Debt,
    /// To a lot that an order's refunds had taken from.
    Restored(Uuid),
    /// To the lot that they had paid from; where it has ended, under the programme's grace.
    Lot(Uuid),
    /// To what a refund makes due.
    Due,
}

/// Can captured points of `lot` be used once they are back? Else they expire as they come.
pub(super) fn is_of_use(work: &Working<'_>, lot: Uuid) -> bool {
    let (member, context) = (&work.member, work.context());
    let has_ended = member.lots.get(&lot).is_some_and(|lot| lot.has_expired(context.now));
    let has_grace = context.program().redemption.return_grace.is_some();
    !member.status.has_left() && (!has_ended || has_grace)
}

/// Posts that captured points come back, and says where those went that can be used.
pub(super) fn come_back(
    work: &mut Working<'_>,
    id: RedemptionId,
    homes: Vec<(Home, i64)>,
) -> Result<(Redemption, Vec<Given>), Rejected> {
    let mut redemption = in_status(&work.member, id, RedemptionStatus::Captured)?;
    let (mut postings, mut takings, mut points) = (Vec::new(), Vec::new(), 0);
    for (home, share) in homes {
        points += share;
        let (credit, lot) = match home {
            Home::Debt => (Account::Member(Part::Debt), None),
            Home::Restored(lot) => (ACTIVE, Some(lot)),
            Home::Due => (Account::Issuance, None),
            Home::Lot(lot) => {
                takings.push(Taking { lot, points: share });
                continue;
            }
        };
        postings.push(Posting { debit: Account::Redemption, credit, points: share, lot });
    }
    let (ended, alive) = ended(&work.member, takings, work.context().now)?;
    let forfeit = work.member.status.has_left();
    let back = if forfeit { Account::Breakage } else { ACTIVE };
    postings.extend(lot::postings(&alive, Account::Redemption, back));
    let (late, lots) = revive(work, id, &ended, Account::Redemption);
    postings.extend(late);
    let graced = lots.first().map(|lot| lot.id);
    let went = alive.into_iter().filter(|_| !forfeit).map(|taking| (Some(taking.lot), taking));
    let went = went.chain(ended.into_iter().filter(|_| graced.is_some()).map(|taking| (graced, taking)));
    let went = went.map(|(into, Taking { lot, points })| Given { lot, into, points }).collect();
    redemption.returned += points;
    if redemption.spent() == 0 {
        redemption.status = RedemptionStatus::Returned;
    }
    let fact = Fact::Redemption(redemption.clone());
    let event = Event { lots, ..Event::new(Kind::RedemptionReturned, fact) };
    work.post(event.with("points", points).with_postings(postings))?;
    Ok((redemption, went))
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
    let takings = member.soonest(points, |lot| lot.active);
    match lot::total(&takings) == points {
        true => Ok(takings),
        false => Err(Misfit::NotLoaded("a lot").into()),
    }
}

/// The postings by which held points go back at `at`. Where their lot has ended they expire, but for those that stand
/// behind a debt; the others go first to what refunds claim of them, and then to `active`, or to `breakage` where the
/// member has left.
pub(super) fn release(member: &Member, takings: &[Taking], at: Timestamp) -> Result<Vec<Posting>, Misfit> {
    let (ended, alive) = ended(member, takings.to_vec(), at)?;
    let mut postings = Vec::new();
    for taking in ended {
        let points = member.secured(taking.lot).min(taking.points);
        let (repaying, over) = lot::split(&[taking], points);
        postings.extend(lot::postings(&repaying, HELD, Account::Member(Part::Debt)));
        postings.extend(lot::postings(&over, HELD, Account::Breakage));
    }
    let claims = member.claimed - member.claims_let_go(&postings);
    let (claimed, free) = claimed(member, &alive, claims)?;
    let home = if member.status.has_left() { Account::Breakage } else { ACTIVE };
    postings.extend(lot::postings(&claimed, HELD, Account::Issuance));
    postings.extend(lot::postings(&free, HELD, home));
    Ok(postings)
}

// Those of `takings` that go to `claims` of refunds, and the others: points of a claiming order's own lot first, then the
// soonest-expiring, as a refund takes them.
fn claimed(member: &Member, takings: &[Taking], claims: i64) -> Result<(Vec<Taking>, Vec<Taking>), Misfit> {
    if claims == 0 {
        return Ok((Vec::new(), takings.to_vec()));
    }
    let own: Vec<Uuid> = member.claiming().iter().filter_map(|order| order.lot).collect();
    let mut lots = Vec::new();
    for taking in takings {
        lots.push((member.lots.get(&taking.lot).ok_or(Misfit::NotLoaded("a lot"))?, taking.points));
    }
    lots.sort_by(|(one, _), (other, _)| {
        let is_foreign = |lot: &Lot| !own.contains(&lot.id);
        is_foreign(one).cmp(&is_foreign(other)).then_with(|| one.spent_before(other))
    });
    let takings: Vec<Taking> = lots.into_iter().map(|(lot, points)| Taking { lot: lot.id, points }).collect();
    Ok(lot::split(&takings, claims))
}

// The postings by which held points go back because somebody gave them up, and the lots that they bring.
fn give_up(work: &Working<'_>, id: RedemptionId, takings: Vec<Taking>) -> Result<(Vec<Posting>, Vec<NewLot>), Misfit> {
    let context = work.context();
    let has_grace = context.program().redemption.return_grace.is_some() && context.own().is_none();
    if !has_grace || work.member.status.has_left() {
        return Ok((release(&work.member, &takings, context.now)?, Vec::new()));
    }
    let (claimed, free) = claimed(&work.member, &takings, work.member.claimed)?;
    let (ended, alive) = ended(&work.member, free, context.now)?;
    let mut postings = lot::postings(&claimed, HELD, Account::Issuance);
    postings.extend(lot::postings(&alive, HELD, ACTIVE));
    let (late, lots) = revive(work, id, &ended, HELD);
    postings.extend(late);
    Ok((postings, lots))
}

// The postings by which points of lots that have ended come back from `source`, under the programme's grace in a lot of
// their own, and that lot. Without a grace, or where the member has left, they expire.
fn revive(work: &Working<'_>, id: RedemptionId, ended: &[Taking], source: Account) -> (Vec<Posting>, Vec<NewLot>) {
    let context = work.context();
    let late = lot::total(ended);
    let grace = context.program().redemption.return_grace;
    let Some(grace) = grace.filter(|_| late > 0 && !work.member.status.has_left()) else {
        return (lot::postings(ended, source, Account::Breakage), Vec::new());
    };
    let lot = NewLot {
        id: derive_id(context.now, context.command.as_bytes(), &[b"grace", id.uuid().as_bytes()]),
        active_at: context.now,
        expires_at: Some(grace.after(context.now, context.program().time_zone)),
    };
    let taking = Taking { lot: lot.id, points: late };
    // A posting touches one lot: what changes its lot within the wallet goes through `transit`.
    let (mut postings, source) = match source {
        HELD => (lot::postings(ended, HELD, Account::Transit), Account::Transit),
        outside => (Vec::new(), outside),
    };
    postings.extend(lot::postings(&[taking], source, ACTIVE));
    (postings, vec![lot])
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

// A hold that a member makes with its own token ends in the time that the programme gives it.
fn check_own_hold(context: &Context<'_>, lapses_at: Timestamp) -> Result<(), Refusal> {
    let (longest, time_zone) = (context.program().redemption.member_hold, context.program().time_zone);
    if lapses_at > longest.after(context.now, time_zone) {
        return Err(Refusal::MemberHoldTooLong { maximum: longest.to_string() });
    }
    Ok(())
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
    if value.is_some_and(|value| value.is_zero()) {
        let least = program.redemption.least_of_worth(program.currency).ok_or(Refusal::PointsOverLimit)?;
        return Err(Refusal::PointsWorthNothing { least });
    }
    if let Some(amount) = order_amount {
        let value = value.ok_or(Refusal::PointsWithoutValue)?;
        program.redemption.check_share(value, amount, program.currency)?;
    }
    Ok((value, value.map(|_| program.currency)))
}
