//! Refunds, naively: what they bring back, what they take, and what they claim of what is held.

use std::cmp::Reverse;
use std::collections::VecDeque;

use accrue::domain::ids::MemberId;
use accrue::domain::movement::refund::RefundRequest;
use accrue::domain::program::RefundPolicy;
use uuid::Uuid;

use super::lots::part;
use super::orders::earns;
use super::spending::whole;
use super::{Model, Sale, Takings, Verdict};

/// Where points go that come back.
enum Home {
    /// To what is due, or to debt.
    Due,
    /// To a lot that was taken from.
    Taken(Uuid),
    /// To the lot that had paid.
    Paid(Uuid),
}

impl Model {
    pub(super) fn refund(&mut self, asked: &RefundRequest) -> Verdict {
        let member = asked.member_id;
        self.known_member(member)?;
        self.settle(member);
        let found = self.sales.iter().position(|sale| sale.id == asked.order_id && sale.member == member);
        let n = found.ok_or("order_not_found")?;
        let amount = whole(asked.amount, 100);
        let sale = &self.sales[n];
        // An order of nothing comes back for nothing, once.
        let again = sale.amount == 0 && sale.was_refunded && asked.items.is_none();
        if amount > sale.amount - sale.refunded || again {
            return Err("refund_over_order");
        }
        self.take_items_back(n, asked)?;
        let now = self.now;
        let sale = &mut self.sales[n];
        sale.refunded += amount;
        sale.was_refunded = true;
        sale.refunds.push((now.max(sale.occurred_at), sale.refunded));
        let kept = if sale.amount == 0 { 0 } else { sale.eligible * (sale.amount - sale.refunded) / sale.amount };
        let due = (sale.points - earns(&sale.program, kept, sale.factor)).max(sale.due);
        let more = due - sale.due;
        sale.due = due;
        self.person(member).earned -= more;
        let mut sale = self.sales[n].clone();
        let coming = self.coming(&sale);
        let (of_use, lost): (Vec<_>, Vec<_>) =
            coming.iter().copied().partition(|(_, lot, _)| self.is_of_use(member, *lot));
        let before = self.people[&member].all();
        let mut homes = self.reverse(&mut sale, &of_use);
        let taken = before - self.people[&member].all();
        homes.extend(lost.into_iter().map(|(_, lot, points)| (Home::Paid(lot), points)));
        self.bring_back(&mut sale, &coming, (homes, taken))?;
        self.sales[n] = sale;
        if !self.people[&member].has_left() {
            self.stand_by_refund(member);
        }
        Ok(())
    }

    // Of the points that paid the order, the share that was refunded so far, the longest-lived first: of which spending
    // and lot, and how many.
    fn coming(&mut self, sale: &Sale) -> Vec<(usize, Uuid, i64)> {
        let paid = i128::from(sale.paid_points);
        let share = if sale.amount == 0 { paid } else { paid * sale.refunded / sale.amount };
        let mut left = i64::try_from(share).expect("a part of it") - sale.returned;
        let mut there = Vec::new();
        for id in sale.redemptions.iter().rev() {
            let n = self.spending(*id).expect("it paid");
            let backwards: Takings = self.spendings[n].takings.iter().rev().copied().collect();
            for (lot, points) in part(&backwards, self.spendings[n].returned).1 {
                there.push((self.person(sale.member).lot(lot).end(), n, lot, points));
            }
        }
        there.sort_by_key(|(end, ..)| Reverse(*end));
        let mut coming = Vec::new();
        for (_, n, lot, points) in there {
            let points = points.min(left);
            left -= points;
            if points > 0 {
                coming.push((n, lot, points));
            }
        }
        coming
    }

    // What comes back after its lot's end expires at once, unless the programme has a grace; so does all of whoever left.
    fn is_of_use(&mut self, member: MemberId, lot: Uuid) -> bool {
        let (now, grace) = (self.now, self.program().redemption.return_grace.is_some());
        let person = self.person(member);
        !person.has_left() && (grace || !person.lot(lot).is_over(now))
    }

    // Takes what is due and not covered yet, and says where what comes back goes.
    fn reverse(&mut self, sale: &mut Sale, coming: &[(usize, Uuid, i64)]) -> VecDeque<(Home, i64)> {
        let (member, now, policy) = (sale.member, self.now, sale.program.refunds.policy);
        let claims: i64 = self.claiming(member).into_iter().map(|n| self.sales[n].claimed).sum();
        let person = self.person(member);
        let debt = person.debt;
        let held: i64 = person.lots.iter().map(|lot| lot.held).sum();
        let stays = !person.has_left();
        let mut claimable = if stays { held - (claims - sale.claimed) } else { 0 };
        sale.claimed = 0;
        let expired = sale.lot.map_or(0, |lot| person.lot(lot).expired);
        let owed = sale.owed.min(debt);
        let asked = (sale.due - expired.min(sale.due) - sale.covered).max(0) + owed;
        let mut need = asked;
        if let Some(lot) = sale.lot {
            draw(&mut person.lot(lot).pending, &mut need);
        }
        let mut back: i64 = coming.iter().map(|(.., points)| points).sum();
        let all = back;
        if policy != RefundPolicy::OnlyPending {
            if let Some(lot) = sale.lot {
                let own = person.lot(lot);
                draw(&mut own.active, &mut need);
                if own.is_over(now) {
                    let mut there = own.held.min(claimable).min(need - owed);
                    sale.claimed = draw(&mut there, &mut need);
                    claimable -= sale.claimed;
                }
            }
            draw(&mut back, &mut need);
            self.take_again(sale, &mut need);
            let others = self.person(member).take_at_most(need);
            need -= others.iter().map(|(_, points)| points).sum::<i64>();
            sale.taken.extend(others);
        }
        let set_off = all - back;
        let found = asked - need - sale.claimed;
        let person = self.person(member);
        sale.owed = if stays && policy == RefundPolicy::Unlimited { need } else { need.min(owed) };
        need -= sale.owed;
        person.debt += sale.owed - owed;
        sale.covered += found - owed + sale.owed;
        let own_held = sale.lot.map_or(0, |lot| person.lot(lot).held);
        sale.secured = sale.owed.min(own_held - sale.claimed).max(0);
        if policy == RefundPolicy::WithinBalance {
            claimable -= debt;
            sale.claimed += draw(&mut claimable, &mut need);
        }
        let mut homes = VecDeque::from([(Home::Due, (owed - sale.owed).max(0))]);
        for (lot, points) in std::mem::take(&mut sale.taken).into_iter().rev() {
            let person = self.person(member);
            let here = if stays && !person.lot(lot).is_over(now) { points.min(back) } else { 0 };
            back -= here;
            homes.push_back((Home::Taken(lot), here));
            if points > here {
                sale.taken.insert(0, (lot, points - here));
            }
        }
        let mut unplaced = std::mem::take(&mut sale.set_off);
        unplaced.extend(coming.iter().map(|(_, lot, points)| (*lot, *points)));
        let (given, rest) = part(&unplaced, back);
        sale.set_off = rest;
        homes.extend(given.into_iter().map(|(lot, points)| (Home::Paid(lot), points)));
        homes.push_back((Home::Due, set_off - (owed - sale.owed).max(0)));
        homes
    }

    // What earlier refunds of the order brought back is taken again, the last first, if it is still there.
    fn take_again(&mut self, sale: &mut Sale, need: &mut i64) {
        let person = self.person(sale.member);
        let mut kept = Vec::new();
        for (lot, into, points) in std::mem::take(&mut sale.given).into_iter().rev() {
            let mut there = person.lot(into).active.min(points);
            let taken = draw(&mut there, need);
            person.lot(into).active -= taken;
            if taken > 0 {
                sale.set_off.insert(0, (lot, taken));
            }
            if points > taken {
                kept.insert(0, (lot, into, points - taken));
            }
        }
        sale.given = kept;
    }

    // What comes back is posted before the refund takes what it makes due, and has to fit beside that.
    fn bring_back(
        &mut self,
        sale: &mut Sale,
        coming: &[(usize, Uuid, i64)],
        (mut homes, taken): (VecDeque<(Home, i64)>, i128),
    ) -> Verdict {
        let mut shares: Vec<(usize, i64)> = Vec::new();
        for (n, _, points) in coming {
            match shares.iter_mut().find(|(spending, _)| spending == n) {
                Some(share) => share.1 += points,
                None => shares.push((*n, *points)),
            }
        }
        for (n, points) in shares {
            sale.returned += points;
            self.spendings[n].come_back(points);
            let (mut left, mut arriving, mut paid) = (points, Vec::new(), Vec::new());
            while left > 0 {
                let (home, there) = homes.pop_front().expect("as many as come");
                let here = there.min(left);
                left -= here;
                match home {
                    Home::Due => {}
                    Home::Taken(lot) => arriving.push((lot, here)),
                    Home::Paid(lot) => paid.push((lot, here)),
                }
                if there > here {
                    homes.push_front((home, there - here));
                }
            }
            let id = self.spendings[n].id;
            self.person(sale.member).spent -= points;
            let given = self.give(sale.member, id, paid);
            for (lot, into, points) in given {
                arriving.extend(into.map(|into| (into, points)));
                sale.given.extend(into.map(|into| (lot, into, points)));
            }
            self.person(sale.member).arrive(&arriving)?;
            self.people[&sale.member].fits_beside(taken)?;
        }
        Ok(())
    }

    /// What was set aside of a lot that is over expires. Where it was what an order brought, no refund asks for it any more,
    /// and what the order's refunds left as debt for it is no longer owed.
    pub(super) fn expire_held(&mut self, member: MemberId, lot: Uuid, points: i64) {
        let own = self.claiming(member).into_iter().find(|n| self.sales[*n].lot == Some(lot));
        let debt = self.person(member).debt;
        let repaid = own.map_or(0, |n| self.sales[n].secured.min(points).min(debt));
        let person = self.person(member);
        person.debt -= repaid;
        person.lot(lot).held -= points;
        person.lot(lot).expired += points - repaid;
        if let Some(n) = own {
            let sale = &mut self.sales[n];
            sale.secured -= repaid;
            sale.claimed -= sale.claimed.min(points - repaid);
        }
        self.let_claims_go(member);
    }

    /// The member's sales whose refunds look to what is held, the oldest first.
    pub(super) fn claiming(&self, member: MemberId) -> Vec<usize> {
        let looks = |n: &usize| self.sales[*n].member == member && self.sales[*n].claimed + self.sales[*n].secured > 0;
        let mut claiming: Vec<usize> = (0..self.sales.len()).filter(looks).collect();
        claiming.sort_by_key(|n| (self.sales[*n].occurred_at, self.sales[*n].id.clone()));
        claiming
    }

    /// What is no longer held pays claims first: of the claiming orders' own lots, then soonest-ending. Gives the rest.
    pub(super) fn pay_claims(&mut self, member: MemberId, takings: &Takings) -> Takings {
        let claiming = self.claiming(member);
        if claiming.is_empty() {
            return takings.clone();
        }
        let own: Vec<Option<Uuid>> = claiming.iter().map(|n| self.sales[*n].lot).collect();
        let person = self.person(member);
        let mut sorted = takings.clone();
        sorted.sort_by_key(|(lot, _)| (!own.contains(&Some(*lot)), person.lot(*lot).end()));
        let claims: i64 = claiming.iter().map(|n| self.sales[*n].claimed).sum();
        let (paying, rest) = part(&sorted, claims);
        for (lot, points) in paying {
            self.person(member).lot(lot).held -= points;
            let mut left = points;
            for n in &claiming {
                let sale = &mut self.sales[*n];
                sale.covered += draw(&mut sale.claimed, &mut left);
            }
        }
        rest
    }

    /// No more is claimed than is held; the youngest claims end first.
    pub(super) fn let_claims_go(&mut self, member: MemberId) {
        let held: i64 = self.people[&member].lots.iter().map(|lot| lot.held).sum();
        let claiming = self.claiming(member);
        let mut over = claiming.iter().map(|n| self.sales[*n].claimed).sum::<i64>() - held;
        for n in claiming.iter().rev() {
            draw(&mut self.sales[*n].claimed, &mut over);
        }
        // What stands behind a debt is an order's own, and held, and owed.
        let owed = self.people[&member].debt;
        for n in claiming {
            let sale = &mut self.sales[n];
            let held = |lot| self.people[&member].lots.iter().find(|one| one.id == lot).map_or(0, |one| one.held);
            sale.secured = sale.secured.min(sale.lot.map_or(0, held)).min(owed);
        }
    }
}

// Takes as many as there are, or as are needed.
fn draw(there: &mut i64, need: &mut i64) -> i64 {
    let points = (*there).min(*need).max(0);
    *there -= points;
    *need -= points;
    points
}
