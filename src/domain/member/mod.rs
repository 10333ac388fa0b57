//! A member: wallet, lots, and what stands open, and the one rule by which entries change them.

mod claims;
pub mod fact;
mod status;
mod sums;

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::ids::MemberId;
use crate::domain::journal::account::{Account, Part};
use crate::domain::journal::entry::{MAX_POINTS, Posting};
use crate::domain::journal::misfit::Misfit;
use crate::domain::member::fact::Fact;
use crate::domain::record::lot::{self, HELD, Lot, NewLot, Taking};
use crate::domain::record::order::OrderRecord;
use crate::domain::record::{OfRecord, Record};
use crate::domain::tier::{Spending, Standing};
use crate::domain::time::{EARLIEST, Timestamp};

pub use status::{Status, UnknownStatus};
pub use sums::Lifetime;
use sums::add;

/// A member's points. All four are zero or more (invariant 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(description = "A member's points. All four are zero or more.")]
pub struct Balances {
    /// Usable now.
    pub active: i64,
    /// Owed by the member.
    pub debt: i64,
    /// Set aside.
    pub held: i64,
    /// Earned, not yet usable.
    pub pending: i64,
}

/// What the rules know of a member: the balances, and of the rest what a decision needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Who it is.
    pub id: MemberId,
    /// May it start something new?
    pub status: Status,
    /// When the customer joined.
    pub joined_at: Timestamp,
    /// The wallet.
    pub balances: Balances,
    /// The sums since joining.
    pub lifetime: Lifetime,
    /// How many of the held points refunds have a claim on: the sum over the orders.
    pub claimed: i64,
    /// The lots that were loaded or have been made since; all that is due is among them.
    pub lots: BTreeMap<Uuid, Lot>,
    /// The records that were loaded or made since; all that have reached their end are among them.
    pub records: BTreeMap<Uuid, Record>,
    /// The orders that were loaded or recorded since; all whose refunds look to what is held are among them.
    pub orders: BTreeMap<String, OrderRecord>,
    /// Where it stands among the tiers; none before anything was decided of it.
    pub standing: Option<Standing>,
    /// What its orders come to; none before the programme had tiers.
    pub spending: Option<Spending>,
    /// All orders that occurred since then were loaded; none where nobody saw to that.
    pub orders_since: Option<Timestamp>,
    /// When the first of the lots and records that were not loaded falls due.
    pub due_beyond: Option<Timestamp>,
}

impl Member {
    /// A member that has just joined.
    pub fn new(id: MemberId, joined_at: Timestamp) -> Self {
        Self {
            id,
            status: Status::Active,
            joined_at,
            balances: Balances::default(),
            lifetime: Lifetime::default(),
            claimed: 0,
            lots: BTreeMap::new(),
            records: BTreeMap::new(),
            orders: BTreeMap::new(),
            standing: None,
            spending: None,
            // Who has just joined has no orders.
            orders_since: Some(EARLIEST),
            due_beyond: None,
        }
    }

    /// When something of this member next falls due.
    pub fn next_due_at(&self) -> Option<Timestamp> {
        self.points_due_at().into_iter().chain(self.tier_due_at()).min()
    }

    /// When the first of its lots and records falls due.
    pub fn points_due_at(&self) -> Option<Timestamp> {
        let lots = self.lots.values().filter_map(Lot::due_at);
        let records = self.records.values().filter_map(|record| record.recorded().due()).map(|(at, _)| at);
        lots.chain(records).chain(self.due_beyond).min()
    }

    /// Where it stands, as long as it takes part: who has left has no tier.
    pub fn stands(&self) -> Option<&Standing> {
        self.standing.as_ref().filter(|_| !self.status.has_left())
    }

    /// The code of its tier.
    pub fn tier(&self) -> Option<&str> {
        self.stands()?.tier.as_deref()
    }

    /// When time next changes its tier.
    pub fn tier_due_at(&self) -> Option<Timestamp> {
        self.stands()?.due_at()
    }

    /// May there be orders whose refunds look to what is held?
    pub fn may_have_claims(&self) -> bool {
        self.claimed > 0 || self.balances.debt > 0 && self.balances.held > 0
    }

    /// The record of a kind with this id, if there is one.
    pub fn record<T: OfRecord>(&self, id: impl Into<Uuid>) -> Option<&T> {
        self.records.get(&id.into()).and_then(T::of)
    }

    /// The records of a kind, in the order of their ids.
    pub fn records<T: OfRecord + 'static>(&self) -> impl Iterator<Item = &T> {
        self.records.values().filter_map(T::of)
    }

    /// `points` of those that `usable` finds in each lot, or as many as there are, soonest-expiring first; of lots that
    /// end together the older first.
    pub fn soonest(&self, points: i64, usable: impl Fn(&Lot) -> i64) -> Vec<Taking> {
        let there = self.lots.values().map(|lot| (lot, usable(lot)));
        let mut lots: Vec<(&Lot, i64)> = there.filter(|(_, usable)| *usable > 0).collect();
        lots.sort_unstable_by(|(one, _), (other, _)| one.spent_before(other));
        lot::at_most(points, lots.into_iter().map(|(lot, points)| Taking { lot: lot.id, points }))
    }

    /// `points` of the pending ones, or as many as there are, those that become active last first; of lots that become
    /// active together the newer first. The statement that loads them sorts the same way.
    pub fn latest_pending(&self, points: i64) -> Vec<Taking> {
        let mut lots: Vec<&Lot> = self.lots.values().filter(|lot| lot.pending > 0).collect();
        lots.sort_unstable_by_key(|lot| Reverse((lot.active_at, lot.id)));
        lot::at_most(points, lots.into_iter().map(|lot| Taking { lot: lot.id, points: lot.pending }))
    }

    /// Applies an entry: creates its lots, moves its postings' points in the wallet and in the lots alike, and takes up
    /// the fact that it states.
    ///
    /// The posting path and replay both come through here, so what replay rebuilds is what was written
    /// (invariant 3).
    ///
    /// Errors: a posting does not fit the member; the member is then half changed and must be thrown away.
    pub fn apply(&mut self, fact: &Fact, postings: &[Posting], lots: &[NewLot]) -> Result<(), Misfit> {
        for lot in lots {
            let NewLot { id, active_at, expires_at } = *lot;
            let new = Lot { id, earned: 0, pending: 0, active: 0, held: 0, expired: 0, active_at, expires_at };
            if self.lots.insert(id, new).is_some() {
                return Err(Misfit::LotExists(id));
            }
        }
        for posting in postings {
            self.move_points(posting, -posting.points, &posting.debit)?;
            self.move_points(posting, posting.points, &posting.credit)?;
            self.lifetime.count(posting, fact)?;
            if posting.debit == HELD {
                self.leave_held(posting)?;
            }
            if posting.credit == Account::Member(Part::Debt) {
                self.cut_secured();
            }
            // What a lot begins with comes from outside the wallet; the same entry may move it on within.
            let created = lots.iter().any(|lot| Some(lot.id) == posting.lot);
            let from_outside = created && !matches!(posting.debit, Account::Member(_));
            if let (true, Some(lot)) = (from_outside, posting.lot.and_then(|id| self.lots.get_mut(&id))) {
                lot.earned += posting.points;
            }
        }
        // The limit is on the whole wallet, so that what time moves within it can never pass the limit.
        let Balances { active, pending, held, .. } = self.balances;
        if active.saturating_add(pending).saturating_add(held) > MAX_POINTS {
            return Err(Misfit::TooLarge);
        }
        self.take_up(fact)?;
        self.let_claims_go()
    }

    /// The postings by which points that `arrived` in `active` repay debt. Debt is repaid whenever points become
    /// active, whatever brought them, so that with a debt nothing is ever active.
    pub fn repayment(&self, arrived: &[Posting]) -> Vec<Posting> {
        let mut left = self.balances.debt.min(self.balances.active);
        let mut postings: Vec<Posting> = Vec::new();
        for posting in arrived.iter().filter(|posting| posting.credit == Account::Member(Part::Active)) {
            let points = posting.points.min(left);
            if points > 0 {
                left -= points;
                let (debit, credit) = (Account::Member(Part::Active), Account::Member(Part::Debt));
                postings.push(Posting { debit, credit, points, lot: posting.lot });
            }
        }
        postings
    }

    // Takes up what an entry states besides points.
    fn take_up(&mut self, fact: &Fact) -> Result<(), Misfit> {
        match fact {
            Fact::Nothing => {}
            Fact::Status(status) => self.status = *status,
            Fact::Record(record) => {
                self.records.insert(record.recorded().id(), record.clone());
            }
            Fact::Standing(stands) => {
                let (standing, spending) = stands.as_ref().clone();
                (self.standing, self.spending) = (Some(standing), Some(spending));
            }
            Fact::Order(order, spending) => {
                match (spending, &mut self.spending) {
                    (Some(spending), mine) => *mine = Some(Spending::clone(spending)),
                    (None, Some(mine)) => mine.count(order),
                    (None, None) => {}
                }
                if self.orders.insert(order.order_id.clone(), OrderRecord::clone(order)).is_some() {
                    return Err(Misfit::OrderTwice);
                }
            }
            Fact::Refund(refund) => {
                let order = self.orders.get_mut(&refund.order_id).ok_or(Misfit::UnknownOrder)?;
                let (reversed, claimed) = (order.reversed, order.reversal.claimed);
                let before = self.spending.is_some().then(|| order.clone());
                order.refund(refund);
                if let (Some(spending), Some(before)) = (&mut self.spending, before) {
                    spending.recount(&before, order);
                }
                if refund.reversal.is_some() {
                    self.lifetime.reverse(order.reversed - reversed);
                }
                self.claimed += order.reversal.claimed - claimed;
            }
        }
        Ok(())
    }

    fn move_points(&mut self, posting: &Posting, points: i64, account: &Account) -> Result<(), Misfit> {
        if let (Account::Breakage, Some(id)) = (account, posting.lot) {
            return add(&mut self.lots.get_mut(&id).ok_or(Misfit::UnknownLot(id))?.expired, points);
        }
        let Account::Member(part) = *account else { return Ok(()) };
        let balances = &mut self.balances;
        let (balance, points) = match part {
            Part::Pending => (&mut balances.pending, points),
            Part::Active => (&mut balances.active, points),
            Part::Held => (&mut balances.held, points),
            // What the member owes grows with debits.
            Part::Debt => (&mut balances.debt, -points),
        };
        add(balance, points)?;
        let Some(id) = posting.lot else { return Ok(()) };
        let lot = self.lots.get_mut(&id).ok_or(Misfit::UnknownLot(id))?;
        match part {
            Part::Pending => add(&mut lot.pending, points),
            Part::Active => add(&mut lot.active, points),
            Part::Held => add(&mut lot.held, points),
            Part::Debt => Ok(()),
        }
    }
}
