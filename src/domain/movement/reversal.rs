//! What a refund takes: where the points come from that an order's refunds have made due, and what comes back with them.
//!
//! Splitting changes nothing (invariant 11), so this follows from the order's refunds as a whole. A refund asks for all
//! that is due so far and is not covered yet, whatever earlier refunds could not take included, and looks for it in one
//! fixed order:
//!
//! 1. the order's own points, pending before active;
//! 2. what comes back of the points that paid the order: it is *set off*, and does not reach the wallet;
//! 3. what earlier refunds of the order brought back, the last first;
//! 4. other active points, soonest-expiring first;
//! 5. by the policy the member's *debt* (`unlimited`), or a *claim* on what is held (`within_balance`). The rest is waived
//!    until the next refund.
//!
//! Where more comes back than is asked for, it makes good what the order's refunds took before in the opposite order
//! (debt, then other points), and what is left goes to the lots that paid, longest-lived first. At one instant the end
//! is that of one refund, however an order is split.
//!
//! What had expired of the order's own lot was never enjoyed and is not asked for. What of it is held past its end is
//! claimed before anything else is taken.
//!
//! Points that expire as they come back (after their end without a grace, or to whoever has left) are worth nothing and
//! cover nothing, as other points that have expired do not.
//!
//! A claim is no more than what is held. What comes back from there pays it first; what is captured or accepted lets it
//! go ([`Member::apply`]). A debt needs none: what comes back repays it. Held points whose lot has ended come back to
//! nobody and pay neither, and an order's own are not asked for then: a claim on them ends, and so does the debt behind
//! which they stand (they are *secured*). So a refund while points are held leaves the sums that one would after they
//! came back; the lots may differ, since what is held is claimed last.

use uuid::Uuid;

use crate::domain::journal::misfit::Misfit;
use crate::domain::member::Member;
use crate::domain::program::RefundPolicy;
use crate::domain::record::lot::{self, Lot, Taking};
use crate::domain::record::order::OrderRecord;
use crate::domain::record::refund::{Given, Reversal};
use crate::domain::time::Timestamp;

/// What a refund asks for, and with what it comes.
pub struct Asked<'a> {
    /// How many points all refunds of the order have made due, with this one.
    pub due: i64,
    /// What comes back of the points that paid the order and can be used then, longest-lived first.
    pub coming: &'a [Taking],
    /// Where points may be taken from.
    pub policy: RefundPolicy,
    /// The present.
    pub now: Timestamp,
}

/// What a refund does.
#[derive(Debug, Default)]
pub struct Plan {
    /// How many of the order's own pending points it takes.
    pub pending: i64,
    /// How many of its own active ones.
    pub active: i64,
    /// Those that earlier refunds had brought back and it takes again, by the lots that they went to.
    pub again: Vec<Taking>,
    /// Other active points that it takes.
    pub others: Vec<Taking>,
    /// How many more points the member owes.
    pub debt: i64,
    /// How many of those that come back go to what is due.
    pub set_off: i64,
    /// How many of those make good debt that the order's refunds had left.
    pub debt_undone: i64,
    /// How many go to other lots that the order's refunds had taken from.
    pub restored: Vec<Taking>,
    /// How many go to the lots that paid.
    pub given: Vec<Taking>,
    /// How many of the order's own points had expired, and are not asked for.
    pub expired: i64,
    /// How many could not be taken; the next refund of the order asks for them.
    pub waived: i64,
    /// The reversal after it, but for where [`given`](Self::given) goes.
    pub reversal: Reversal,
}

/// Looks for what a refund of `order` asks for.
///
/// Errors: a lot that it needs was not loaded.
pub fn plan(member: &Member, order: &OrderRecord, asked: &Asked<'_>) -> Result<Plan, Misfit> {
    let before = &order.reversal;
    let own = order.lot.map(|lot| member.lots.get(&lot).ok_or(Misfit::NotLoaded("a lot"))).transpose()?;
    let expired = own.map_or(0, |lot| lot.expired).min(asked.due);
    let mut plan = Plan { expired, ..Plan::default() };
    let owed = before.debt.min(member.balances.debt);
    let fresh = (asked.due - plan.expired - before.covered).max(0);
    let mut need = Need(fresh + owed);
    plan.pending = need.take(own.map_or(0, |lot| lot.pending));
    let (mut reversal, coming) = (Reversal { claimed: 0, ..before.clone() }, lot::total(asked.coming));
    // Whoever has left owes nothing more, and what is held for whoever has left is forfeit anyway.
    let stays = !member.status.has_left();
    let free = if stays { (member.balances.held - (member.claimed - before.claimed)).max(0) } else { 0 };
    let mut claimed = 0;
    if asked.policy != RefundPolicy::OnlyPending {
        plan.active = need.take(own.map_or(0, |lot| lot.active));
        // These expire when they go back, and are not asked for then, or get a grace. They make good no debt.
        let ended = own.filter(|lot| lot.has_expired(asked.now)).map_or(0, |lot| lot.held);
        claimed = need.take(ended.min(free).min((need.0 - owed).max(0)));
        plan.set_off = need.take(coming);
        plan.again = take_again(member, &mut reversal, &mut need);
        plan.others = others(member, order.lot, &plan.again, &mut need)?;
        plan.others.iter().for_each(|taking| lot::push(&mut reversal.taken, taking.clone()));
    }
    let found = fresh + owed - need.0 - claimed;
    reversal.debt =
        if stays && asked.policy == RefundPolicy::Unlimited { need.take(i64::MAX) } else { need.take(owed) };
    reversal.covered = before.covered - owed + found + reversal.debt;
    plan.debt = (reversal.debt - owed).max(0);
    plan.debt_undone = (owed - reversal.debt).max(0);
    // What is held repays debt first. A debt needs no claim: whatever comes back repays it.
    let claimable = if asked.policy == RefundPolicy::WithinBalance { free - claimed - member.balances.debt } else { 0 };
    reversal.claimed = claimed + need.take(claimable.max(0));
    reversal.secured = reversal.debt.min(own.map_or(0, |lot| lot.held) - claimed).max(0);
    plan.waived = need.0;
    let mut back = Need(coming - plan.set_off);
    plan.restored = restore(member, &mut reversal, &mut back, asked.now);
    // What was set off before comes first: it was longer-lived than what comes now.
    let mut unplaced = std::mem::take(&mut reversal.set_off);
    asked.coming.iter().for_each(|taking| lot::push(&mut unplaced, taking.clone()));
    (plan.given, reversal.set_off) = lot::split(&unplaced, back.0);
    plan.reversal = reversal;
    Ok(plan)
}

// How many points are still looked for.
struct Need(i64);

impl Need {
    // As many as there are, or as are needed.
    fn take(&mut self, there: i64) -> i64 {
        let points = there.min(self.0);
        self.0 -= points;
        points
    }
}

// What earlier refunds of the order brought back, the last first, as far as it is still there. It counts as set off then.
fn take_again(member: &Member, reversal: &mut Reversal, need: &mut Need) -> Vec<Taking> {
    let (mut again, mut kept, mut set_off) = (Vec::new(), Vec::new(), Vec::new());
    for given in std::mem::take(&mut reversal.given).into_iter().rev() {
        let there = given.into.map_or(0, |lot| still_active(member, lot, &again));
        let points = need.take(there.min(given.points));
        if let Some(lot) = given.into.filter(|_| points > 0) {
            set_off.push(Taking { lot: given.lot, points });
            again.push(Taking { lot, points });
        }
        if points < given.points {
            kept.push(Given { points: given.points - points, ..given });
        }
    }
    reversal.given = kept.into_iter().rev().collect();
    let later = std::mem::take(&mut reversal.set_off);
    set_off.into_iter().rev().chain(later).for_each(|taking| lot::push(&mut reversal.set_off, taking));
    again
}

// Active points of other lots than the order's own, less what is taken again.
fn others(member: &Member, own: Option<Uuid>, again: &[Taking], need: &mut Need) -> Result<Vec<Taking>, Misfit> {
    let active = |lot: &Lot| if Some(lot.id) == own { 0 } else { still_active(member, lot.id, again) };
    let taken = member.soonest(need.0, active);
    need.take(lot::total(&taken));
    let loaded: i64 = member.lots.values().map(|lot| lot.active).sum();
    if need.0 > 0 && member.balances.active > loaded {
        return Err(Misfit::NotLoaded("a lot"));
    }
    Ok(taken)
}

fn still_active(member: &Member, lot: Uuid, again: &[Taking]) -> i64 {
    let gone: i64 = again.iter().filter(|taking| taking.lot == lot).map(|taking| taking.points).sum();
    member.lots.get(&lot).map_or(0, |lot| lot.active) - gone
}

// Other points that were taken come back to their lots, the last taken first, unless those have ended.
fn restore(member: &Member, reversal: &mut Reversal, back: &mut Need, now: Timestamp) -> Vec<Taking> {
    let (mut restored, mut kept) = (Vec::new(), Vec::new());
    for Taking { lot, points } in std::mem::take(&mut reversal.taken).into_iter().rev() {
        let is_over = member.lots.get(&lot).is_none_or(|lot| lot.has_expired(now));
        let here = if is_over { 0 } else { back.take(points) };
        for (list, points) in [(&mut restored, here), (&mut kept, points - here)] {
            if points > 0 {
                list.push(Taking { lot, points });
            }
        }
    }
    reversal.taken = kept.into_iter().rev().collect();
    restored
}
