//! Invariant 11: splitting changes nothing.

use std::sync::Arc;

use chrono::TimeDelta;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::domain::adjustment::{self, Adjustment, Reason, Side};
use crate::domain::member::Member;
use crate::domain::order::{self, Order};
use crate::domain::program::{Program, ProgramBook, ProgramVersion};
use crate::domain::redemption::{Purpose, RedemptionRequest};
use crate::domain::time::{self, Timestamp};

/// An order, by which rules it earned, and what was returned of the points that paid it before it was refunded.
#[derive(Debug, Clone)]
struct Case {
    rules: Rules,
    cents: i64,
    /// Points of each redemption that paid it.
    paid: Vec<i64>,
    /// So many of the first came back by themselves.
    returned: i64,
    /// How many of its own points and others are spent before the refund.
    spent: i64,
    days: i64,
}

#[derive(Debug, Clone)]
struct Rules {
    rate: &'static str,
    rounding: &'static str,
    pending: &'static str,
    policy: &'static str,
    value: &'static str,
}

proptest! {
    #[test]
    fn many_refunds_make_due_and_return_what_one_does(case in cases(), parts in vec(1..4_000_i64, 1..12)) {
        let programs = case.programs();
        let Some(ordered) = case.ordered(&programs) else { return Ok(()) };
        // Tiny parts as they are; what they are more than the order is left out.
        let mut left = case.cents;
        let mut within = Vec::new();
        for part in parts {
            within.extend(Some(part.min(left)).filter(|part| *part > 0));
            left -= part.min(left);
        }
        let parts: Vec<i64> = within;

        let once = case.refunded(&ordered, &programs, &[parts.iter().sum()])?;
        let often = case.refunded(&ordered, &programs, &parts)?;

        let sums = |member: &Member| {
            let order = &member.orders["A-1"];
            let back: i64 = member.redemptions.values().map(|redemption| redemption.returned).sum();
            (order.refunded, order.reversed, order.returned, back)
        };
        prop_assert_eq!(sums(&often), sums(&once));
        if parts.iter().sum::<i64>() == case.cents {
            prop_assert_eq!(often.orders["A-1"].reversed, often.orders["A-1"].points, "all of it is due");
            prop_assert!(often.redemptions.values().all(|redemption| redemption.spent() == 0 || redemption.order_id.is_none()));
        }
        // Without anything waived, nothing else differs either.
        if case.rules.policy == "unlimited" {
            let net = |member: &Member| member.balances.active - member.balances.debt;
            prop_assert_eq!((net(&often), often.balances.pending), (net(&once), once.balances.pending));
            prop_assert_eq!(often.lifetime, once.lifetime);
        }
    }
}

fn cases() -> impl Strategy<Value = Case> {
    let rules = (
        select(vec!["1", "0.5", "0.01", "3.333333", "17"]),
        select(vec!["down", "half_up", "half_even", "up"]),
        select(vec!["0D", "14D"]),
        select(vec!["only_pending", "within_balance", "unlimited"]),
        select(vec!["0.01", "0.015", "0.5"]),
    );
    let rules =
        rules.prop_map(|(rate, rounding, pending, policy, value)| Rules { rate, rounding, pending, policy, value });
    (rules, 1..20_000_i64, vec(1..150_i64, 0..3), 0..60_i64, 0..300_i64, 0..30_i64)
        .prop_map(|(rules, cents, paid, returned, spent, days)| Case { rules, cents, paid, returned, spent, days })
}

impl Case {
    // The order earned by the first version; the second, with another rate, is in force when it is refunded.
    fn programs(&self) -> ProgramBook {
        let Rules { rate, rounding, pending, policy, value } = &self.rules;
        let versions = [(1, 0, *rate), (2, 1, "2")].map(|(version, days, rate)| {
            let document = json!({
                "name": "Refunds", "currency": "USD", "time_zone": "America/New_York",
                "earning": { "points_per_unit": rate, "rounding": rounding, "pending": pending, "expiry": "12M" },
                "redemption": { "point_value": value },
                "refunds": { "policy": policy },
            });
            let program = Arc::new(Program::read(&document).unwrap());
            ProgramVersion { version, effective_at: day(days), program }
        });
        ProgramBook::new(versions.into()).unwrap()
    }

    // None if the points would pay more than the order.
    fn ordered(&self, programs: &ProgramBook) -> Option<Member> {
        let id = MemberId::new(1, Uuid::from_u128(7));
        let mut member = Member::new(id, day(0));
        let gift = Adjustment {
            member_id: id,
            points: 500,
            account: Side::Active,
            active_at: None,
            expires_at: None,
            reason: Reason::Goodwill,
            note: None,
        };
        let mut command = 0;
        let mut decide = |at, member: &mut Member, decide: &mut dyn FnMut(&mut Working<'_>) -> bool| {
            command += 1;
            let mut work = Working::on(member, context(programs, at, command));
            let done = decide(&mut work);
            *member = work.member;
            done
        };
        decide(day(0), &mut member, &mut |work| adjustment::adjust(work, &gift).is_ok());
        for points in &self.paid {
            let purpose = Purpose::Order { points: *points, order_id: None, order_amount: None };
            let request = RedemptionRequest { member_id: id, purpose, hold: Some(TimeDelta::hours(1)) };
            decide(day(0), &mut member, &mut |work| redemption::redeem(work, &request, None).is_ok());
        }
        let redemption_ids: Vec<RedemptionId> = member.redemptions.keys().copied().collect();
        let order = Order {
            order_id: "A-1".to_owned(),
            member_id: id,
            occurred_at: day(0),
            currency: "USD".parse().unwrap(),
            amount: Decimal::new(self.cents, 2),
            discount: None,
            channel: None,
            items: None,
            redemption_ids: redemption_ids.clone(),
        };
        if !decide(day(0), &mut member, &mut |work| order::complete(work, &order).is_ok()) {
            return None;
        }
        let later = day(self.days);
        if let Some(id) = redemption_ids.first().filter(|_| self.returned > 0) {
            let points = Some(self.returned.min(member.redemptions[id].captured));
            decide(later, &mut member, &mut |work| redemption::give_back(work, *id, points).is_ok());
        }
        if self.spent > 0 {
            let purpose = Purpose::Order { points: self.spent, order_id: None, order_amount: None };
            let request = RedemptionRequest { member_id: id, purpose, hold: None };
            let mut work = Working::on(&member, context(programs, later, 99));
            if redemption::redeem(&mut work, &request, None).is_ok() {
                member = work.member;
            }
        }
        Some(member)
    }

    fn refunded(&self, ordered: &Member, programs: &ProgramBook, parts: &[i64]) -> Result<Member, TestCaseError> {
        let mut member = ordered.clone();
        for (n, cents) in (1..).zip(parts) {
            let asked = RefundRequest {
                order_id: "A-1".to_owned(),
                member_id: member.id,
                refund_id: format!("R-{n}"),
                amount: Decimal::new(*cents, 2),
                items: None,
                occurred_at: None,
            };
            let mut work = Working::on(&member, context(programs, day(self.days), 100 + n));
            let done = refund(&mut work, &mut Purchase::default(), &asked);
            prop_assert!(done.is_ok(), "{:?}", done.err());
            member = work.member;
        }
        Ok(member)
    }
}

fn context(programs: &ProgramBook, now: Timestamp, command: u128) -> Context<'_> {
    Context { now, programs, command: Uuid::from_u128((7 << 76) | command), actor: "client:test" }
}

fn day(days: i64) -> Timestamp {
    time::parse("2026-01-01T00:00:00Z").unwrap() + TimeDelta::days(days)
}
