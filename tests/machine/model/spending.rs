//! Spending, naively: redemptions, adjustments.

use accrue::domain::ids::{MemberId, RedemptionId};
use accrue::domain::journal::entry::derive_id;
use accrue::domain::movement::adjustment::{Adjustment, Side};
use accrue::domain::movement::redemption::{CaptureRequest, Purpose, RedemptionRequest};
use accrue::domain::time::Timestamp;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use uuid::Uuid;

use super::lots::part;
use super::{Lot, MOST, Model, Spending, Takings, Verdict};

impl Model {
    pub(super) fn redeem(&mut self, asked: &RedemptionRequest) -> Verdict {
        let member = asked.member_id;
        self.known_member(member)?;
        self.settle(member);
        self.may_begin(member)?;
        let longest = self.program().redemption.member_hold.after(self.now, self.program().time_zone);
        if self.own.is_some() && asked.hold.is_some_and(|hold| self.now + hold > longest) {
            return Err("member_hold_too_long");
        }
        let mut made = Spending {
            id: RedemptionId::new(member.journal(), self.command),
            member,
            own: self.own.is_some(),
            status: "held",
            points: 0,
            captured: 0,
            returned: 0,
            order: None,
            reward: None,
            value: None,
            made_at: self.now,
            lapses_at: asked.hold.map(|hold| self.now + hold),
            takings: Vec::new(),
        };
        match &asked.purpose {
            Purpose::Order { points, order_id, order_amount } => {
                made.points = *points;
                made.order.clone_from(order_id);
                made.value = self.worth(*points, *order_amount)?;
            }
            Purpose::Reward { reward_id, quantity } => {
                made.points = self.price(member, *reward_id, *quantity)?;
                made.reward = Some((*reward_id, *quantity));
            }
        }
        made.takings = self.person(member).take(made.points)?;
        if made.lapses_at.is_some() {
            self.person(member).hold(&made.takings);
        } else {
            (made.status, made.captured) = ("captured", made.points);
            self.person(member).spend(made.points)?;
        }
        self.spendings.push(made);
        Ok(())
    }

    // What points are worth in cents; none where they have no value in money.
    fn worth(&self, points: i64, order_amount: Option<Decimal>) -> Result<Option<i128>, &'static str> {
        let rules = &self.program().redemption;
        // Values have at most six decimals, shares at most four.
        let millionths = rules.point_value.map(|value| whole(value, 1_000_000));
        let value = millionths.map(|millionths| i128::from(points) * millionths / 10_000);
        if value.is_some_and(|cents| cents > 100_000_000_000_000) {
            return Err("points_over_limit");
        }
        if value == Some(0) {
            return Err("points_worth_nothing");
        }
        if let Some(amount) = order_amount {
            let most = whole(amount, 100) * whole(rules.order_share, 10_000) / 10_000;
            if value.ok_or("points_without_value")? > most {
                return Err("over_order_share");
            }
        }
        Ok(value)
    }

    fn price(&self, member: MemberId, reward: Uuid, quantity: i64) -> Result<i64, &'static str> {
        let goods = self.rewards.get(&reward).ok_or("reward_not_found")?;
        let terms = &goods.terms;
        if terms.available_from.is_some_and(|from| self.now < from)
            || terms.available_until.is_some_and(|until| self.now >= until)
        {
            return Err("reward_not_available");
        }
        if terms.min_tier.as_ref().is_some_and(|least| !self.has_tier(member, least)) {
            return Err("tier_required");
        }
        if goods.supplied.is_some_and(|supplied| self.taken(reward) + quantity > supplied) {
            return Err("reward_out_of_stock");
        }
        if let Some(limit) = &terms.limit {
            let zone = self.program().time_zone;
            let mut had = 0;
            for spending in self.spendings.iter().filter(|spending| spending.member == member) {
                let within = limit.period.is_none_or(|period| period.after(spending.made_at, zone) > self.now);
                let counts = matches!(spending.status, "held" | "captured") && within;
                had += if counts { spending.kept_of(reward) } else { 0 };
            }
            if had + quantity > limit.quantity {
                return Err("reward_limit_reached");
            }
        }
        terms.points.checked_mul(quantity).filter(|points| *points <= MOST).ok_or("points_over_limit")
    }

    pub(super) fn capture(&mut self, id: RedemptionId, asked: &CaptureRequest) -> Verdict {
        let n = self.spending(id)?;
        let member = self.spendings[n].member;
        self.settle(member);
        self.spendings[n].must_be("held")?;
        let hold = &mut self.spendings[n];
        if let Some(order) = &asked.order_id {
            if hold.reward.is_some() || hold.order.as_ref().is_some_and(|other| other != order) {
                return Err("redemption_of_another_order");
            }
            hold.order = Some(order.clone());
        }
        let points = asked.points.unwrap_or(hold.points);
        if points > hold.points {
            return Err("capture_over_held");
        }
        if hold.reward.is_some() && points < hold.points {
            return Err("reward_captured_whole");
        }
        let (captured, rest) = part(&hold.takings, points);
        let worth = hold.value.map(|value| value * i128::from(points) / i128::from(hold.points));
        if worth == Some(0) {
            return Err("points_worth_nothing");
        }
        hold.value = worth;
        (hold.status, hold.captured, hold.takings) = ("captured", points, captured.clone());
        let person = self.person(member);
        for (lot, points) in captured {
            person.lot(lot).held -= points;
        }
        person.spend(points)?;
        self.give_up(member, id, rest)
    }

    pub(super) fn void(&mut self, id: RedemptionId) -> Verdict {
        let n = self.spending(id)?;
        let member = self.spendings[n].member;
        if self.own.is_some_and(|own| own != member) {
            return Err("redemption_not_found");
        }
        self.settle(member);
        self.spendings[n].must_be("held")?;
        if self.own.is_some() && (!self.spendings[n].own || self.spendings[n].order.is_some()) {
            return Err("hold_of_shop");
        }
        self.spendings[n].status = "voided";
        let takings = self.spendings[n].takings.clone();
        self.give_up(member, id, takings)
    }

    // What was set aside goes back. A client's giving up revives what is over; a member's own does not.
    fn give_up(&mut self, member: MemberId, id: RedemptionId, takings: Takings) -> Verdict {
        let now = self.now;
        if self.own.is_some() || self.program().redemption.return_grace.is_none() {
            self.release(member, &takings, now);
            return Ok(());
        }
        let free = self.pay_claims(member, &takings);
        let person = self.person(member);
        for (lot, points) in &free {
            person.lot(*lot).held -= points;
        }
        let given = self.give(member, id, free);
        let arriving: Takings = given.iter().filter_map(|(_, into, points)| into.map(|into| (into, *points))).collect();
        self.person(member).arrive(&arriving)
    }

    /// Where points go that come back to the lots that they were taken from: there, or where those are over to a lot of
    /// their own, if the programme has a grace; nowhere if nobody is there to have them.
    pub(super) fn give(
        &mut self,
        member: MemberId,
        id: RedemptionId,
        takings: Takings,
    ) -> Vec<(Uuid, Option<Uuid>, i64)> {
        let (now, command, program) = (self.now, self.command, self.program());
        let person = self.person(member);
        let grace = program.redemption.return_grace.filter(|_| !person.has_left());
        let graced = derive_id(now, command.as_bytes(), &[b"grace", id.uuid().as_bytes()]);
        let (mut alive, mut late) = (Vec::new(), Vec::new());
        for (lot, points) in takings {
            let is_over = person.lot(lot).is_over(now);
            let into = match grace {
                _ if !is_over && !person.has_left() => Some(lot),
                Some(_) if is_over => Some(graced),
                _ => None,
            };
            if into.is_none() {
                person.lot(lot).expired += points;
            }
            if is_over { &mut late } else { &mut alive }.push((lot, into, points));
        }
        if let Some(grace) = grace.filter(|_| !late.is_empty()) {
            person.lots.push(Lot::new(graced, now, Some(grace.after(now, program.time_zone))));
        }
        alive.extend(late);
        alive
    }

    /// What was set aside goes back, unless its lot is over or nobody is there to have it.
    pub(super) fn release(&mut self, member: MemberId, takings: &Takings, at: Timestamp) {
        let person = self.person(member);
        let (over, alive): (Takings, Takings) =
            takings.iter().copied().partition(|(lot, _)| person.lot(*lot).is_over(at));
        for (lot, points) in over {
            self.expire_held(member, lot, points);
        }
        for (lot, points) in self.pay_claims(member, &alive) {
            let person = self.person(member);
            person.lot(lot).held -= points;
            if person.has_left() {
                person.lot(lot).expired += points;
            } else {
                person.arrive(&[(lot, points)]).expect("it was in the wallet");
            }
        }
        self.let_claims_go(member);
    }

    pub(super) fn give_back(&mut self, id: RedemptionId, points: Option<i64>) -> Verdict {
        let n = self.spending(id)?;
        let member = self.spendings[n].member;
        self.settle(member);
        self.spendings[n].must_be("captured")?;
        let spent = self.spendings[n].captured - self.spendings[n].returned;
        let points = points.unwrap_or(spent);
        if points > spent {
            return Err("return_over_captured");
        }
        if let Some((_, quantity)) = self.spendings[n].reward
            && points % (self.spendings[n].points / quantity) != 0
        {
            return Err("reward_returned_in_units");
        }
        // Point by point from the end, where they were taken last.
        let backwards: Takings = self.spendings[n].takings.iter().rev().copied().collect();
        let (_, not_yet_back) = part(&backwards, self.spendings[n].returned);
        let (back, _) = part(&not_yet_back, points);
        self.spendings[n].come_back(points);
        self.person(member).spent -= points;
        let given = self.give(member, id, back);
        let arriving: Takings = given.iter().filter_map(|(_, into, points)| into.map(|into| (into, *points))).collect();
        self.person(member).arrive(&arriving)
    }

    pub(super) fn adjust(&mut self, asked: &Adjustment) -> Verdict {
        let member = asked.member_id;
        self.known_member(member)?;
        self.settle(member);
        let (now, command, program) = (self.now, self.command, self.program());
        let person = self.person(member);
        if person.has_left() {
            return Err("member_closed");
        }
        match (asked.points < 0, asked.account) {
            (true, Side::Active) => return person.take(-asked.points).map(|_| ()),
            (true, Side::Pending) => return person.take_pending(-asked.points),
            (false, _) => {}
        }
        let active_at = asked.active_at.unwrap_or(now);
        match asked.account {
            Side::Active if active_at > now => return Err("active_in_future"),
            Side::Pending if active_at <= now => return Err("pending_not_in_future"),
            _ => {}
        }
        let as_if_earned_now = program.earning.expiry.map(|expiry| expiry.after(now, program.time_zone));
        let mut lot = Lot::new(derive_id(now, command.as_bytes(), &[b"lot"]), active_at, as_if_earned_now);
        lot.expires_at = asked.expires_at.or(lot.expires_at);
        if lot.is_over(now) {
            return Err("expires_in_past");
        }
        if lot.is_over(active_at) {
            return Err("expires_before_active");
        }
        let id = lot.id;
        person.lots.push(lot);
        if asked.account == Side::Pending {
            person.lot(id).pending = asked.points;
            return person.fits();
        }
        person.arrive(&[(id, asked.points)])
    }

    pub(super) fn spending(&self, id: RedemptionId) -> Result<usize, &'static str> {
        self.spendings.iter().position(|spending| spending.id == id).ok_or("redemption_not_found")
    }
}

/// A decimal in parts of which `parts` make one.
pub(super) fn whole(decimal: Decimal, parts: i64) -> i128 {
    (decimal * Decimal::from(parts)).to_i128().expect("it is far smaller")
}
