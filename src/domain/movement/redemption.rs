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

mod asked;

use rust_decimal::Decimal;
use uuid::Uuid;

use crate::domain::decide::points::{ended, give_up, revive, take};
use crate::domain::decide::{Context, Event, Working};
use crate::domain::ids::RedemptionId;
use crate::domain::journal::account::{Account, Part};
use crate::domain::journal::entry::{Kind, Posting};
use crate::domain::member::Member;
use crate::domain::member::fact::Fact;
use crate::domain::money::{self, Currency};
use crate::domain::movement::reward::Reward;
use crate::domain::record::lot::{self, ACTIVE, HELD, Taking};
use crate::domain::record::redemption::{Maker, Redemption, RedemptionStatus};
use crate::domain::record::refund::Given;
use crate::domain::refusal::{Refusal, Rejected};
use crate::domain::time::{self, Timestamp};

pub use asked::{CaptureRequest, LONGEST_HOLD, Purpose, RedemptionReply, RedemptionRequest};

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
            redemption.points = reward.price(&work.member, *quantity, work.taken.get(reward_id), &context)?;
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
    work.post(Event::new(kind, Fact::Record(redemption.clone().into())).with_postings(postings))?;
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
    let fact = Fact::Record(redemption.clone().into());
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
    let fact = Fact::Record(redemption.clone().into());
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
    let fact = Fact::Record(redemption.clone().into());
    let event = Event { lots, ..Event::new(Kind::RedemptionReturned, fact) };
    work.post(event.with("points", &points).with_postings(postings))?;
    Ok((redemption, went))
}

fn in_status(member: &Member, id: RedemptionId, status: RedemptionStatus) -> Result<Redemption, Refusal> {
    let redemption = member.record::<Redemption>(id).ok_or(Refusal::RedemptionNotFound)?;
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

/// What so many points are worth, checked against the order that they are to pay a part of.
pub(super) fn worth(
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
