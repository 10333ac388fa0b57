//! Invariant 11: splitting changes nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::TimeDelta;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::domain::member::{Lifetime, Member};
use crate::domain::movement::adjustment::{self, Adjustment, Reason, Side};
use crate::domain::movement::order::{self, Order};
use crate::domain::movement::redemption::{Purpose, RedemptionRequest};
use crate::domain::movement::transfer::{self, Reply, TransferRequest};
use crate::domain::program::{Program, ProgramBook, ProgramVersion};
use crate::domain::record::redemption::RedemptionStatus;
use crate::domain::record::refund::Reversal;
use crate::domain::record::transfer::Transfer;
use crate::domain::time::{self, Timestamp};

/// An order, by which rules it earned, and what was returned of the points that paid it before it was refunded.
#[derive(Debug, Clone)]
struct Case {
    rules: Rules,
    cents: i64,
    /// Points that came before, and how many days before.
    gifts: Vec<(i64, i64)>,
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
    grace: Option<&'static str>,
}

/// How points are set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// By a client, whose giving up has the programme's grace.
    Hold,
    /// By the member, whose giving up has none.
    OwnHold,
    /// For another member.
    Offer,
}

proptest! {
    #[test]
    fn many_refunds_make_due_and_return_what_one_does(case in cases(), parts in vec(1..4_000_i64, 1..12)) {
        let programs = case.programs();
        let Some(ordered) = case.ordered(&programs) else { return Ok(()) };
        let ordered = case.used(ordered, &programs);
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

        prop_assert_eq!(View::of(&often), View::of(&once));
        if parts.iter().sum::<i64>() == case.cents {
            prop_assert_eq!(often.orders["A-1"].reversed, often.orders["A-1"].points, "all of it is due");
            prop_assert!(often.records::<Redemption>().all(|redemption| redemption.spent() == 0 || redemption.order_id.is_none()));
        }
    }

    #[test]
    fn a_refund_before_held_points_come_back_ends_as_one_after(
        case in cases(),
        held in 1..200_i64,
        way in select(vec![Way::Hold, Way::OwnHold, Way::Offer]),
        // They were set aside before, and what they are of may have ended since.
        since in prop_oneof![Just(0), 1..30_i64],
        cents in vec(1..20_000_i64, 1..4),
    ) {
        let programs = case.programs();
        let Some(mut ordered) = case.ordered(&programs) else { return Ok(()) };
        let later = day(case.days);
        let member = format!("member:{}", ordered.id);
        let actor = if way == Way::OwnHold { &member } else { "client:test" };
        let begins = Context { actor, ..context(&programs, day((case.days - since).max(0)), 90) };
        let mut take = Working::on(&ordered, begins);
        if !hold(&mut take, held, way) {
            return Ok(());
        }
        ordered = case.used(take.member, &programs);
        let parts: Vec<i64> = cents.iter().scan(case.cents, |left, part| {
            let part = *part.min(left);
            *left -= part;
            Some(part)
        }).filter(|part| *part > 0).collect();

        let after = case.refunded(&released(&ordered, &programs, later)?, &programs, &parts)?;
        let before = released(&case.refunded(&ordered, &programs, &parts)?, &programs, later)?;

        prop_assert_eq!((before.balances, before.lifetime, before.claimed), (after.balances, after.lifetime, 0));
    }
}

// All that a member can see of a wallet. Lots that live equally long are one: a grace makes a lot for each refund.
#[derive(Debug, PartialEq)]
struct View {
    balances: Balances,
    lifetime: Lifetime,
    claimed: i64,
    lots: BTreeMap<(Option<Timestamp>, Timestamp), [i64; 4]>,
    order: (Decimal, i64, i64, i64, i64),
    redemptions: Vec<(i64, RedemptionStatus)>,
}

impl View {
    fn of(member: &Member) -> Self {
        let mut lots: BTreeMap<_, [i64; 4]> = BTreeMap::new();
        for lot in member.lots.values() {
            let sums = lots.entry((lot.expires_at, lot.active_at)).or_default();
            let points = [lot.pending, lot.active, lot.held, lot.expired];
            sums.iter_mut().zip(points).for_each(|(sum, points)| *sum += points);
        }
        lots.retain(|_, sums| *sums != [0; 4]);
        let order = &member.orders["A-1"];
        let Reversal { covered, debt, .. } = order.reversal;
        Self {
            balances: member.balances,
            lifetime: member.lifetime,
            claimed: member.claimed,
            lots,
            order: (order.refunded, order.reversed, order.returned, covered, debt),
            redemptions: member.records::<Redemption>().map(|one| (one.returned, one.status)).collect(),
        }
    }
}

// Sets points aside, by a hold or by an offer; false where there are too few.
fn hold(work: &mut Working<'_>, points: i64, way: Way) -> bool {
    let member_id = work.member.id;
    if way == Way::Offer {
        let to_member_id = MemberId::new(1, Uuid::from_u128(8));
        let receiver = Member::new(to_member_id, day(0));
        let asked = TransferRequest { from_member_id: member_id, to_member_id, points, message: None, direct: false };
        return transfer::offer(work, Some(&receiver), &asked).is_ok();
    }
    let purpose = Purpose::Order { points, order_id: None, order_amount: None };
    let asked = RedemptionRequest { member_id, purpose, hold: Some(TimeDelta::days(30)) };
    redemption::redeem(work, &asked, None).is_ok()
}

// Everything that is held goes back: whoever made a hold gives it up.
fn released(member: &Member, programs: &ProgramBook, now: Timestamp) -> Result<Member, TestCaseError> {
    let mut member = member.clone();
    let holds = member.records::<Redemption>().filter(|one| one.status == RedemptionStatus::Held);
    let holds: Vec<(RedemptionId, bool)> = holds.map(|one| (one.id, one.is_members_own())).collect();
    for (id, is_own) in holds {
        let own = format!("member:{}", member.id);
        let actor = if is_own { &own } else { "client:test" };
        let mut work = Working::on(&member, Context { actor, ..context(programs, now, 300) });
        prop_assert!(redemption::void(&mut work, id).is_ok());
        member = work.member;
    }
    let offers = member.records::<Transfer>().filter(|offer| offer.due_at().is_some_and(|at| at > now));
    let offers: Vec<_> = offers.map(|offer| (offer.id, offer.to_member_id)).collect();
    for offer in offers {
        let mut work = Working::on(&member, context(programs, now, 301));
        prop_assert!(transfer::answer(&mut work, offer.0, Reply::Cancel).is_ok());
        member = work.member;
    }
    Ok(member)
}

fn cases() -> impl Strategy<Value = Case> {
    let rules = (
        select(vec!["1", "0.5", "0.01", "3.333333", "17"]),
        select(vec!["down", "half_up", "half_even", "up"]),
        select(vec!["0D", "14D"]),
        select(vec!["only_pending", "within_balance", "unlimited"]),
        select(vec!["0.01", "0.015", "0.5"]),
        select(vec![None, Some("30D")]),
    );
    let rules = rules.prop_map(|(rate, rounding, pending, policy, value, grace)| Rules {
        rate,
        rounding,
        pending,
        policy,
        value,
        grace,
    });
    // Gifts last for a year: after some days some or all of them have ended, and so have the order's points.
    let days = prop_oneof![3 => 0..30_i64, 1 => 340..400_i64];
    let gifts = vec((1..300_i64, 0..30_i64), 1..4);
    (rules, 1..20_000_i64, gifts, vec(1..150_i64, 0..3), 0..60_i64, 0..300_i64, days).prop_map(
        |(rules, cents, gifts, paid, returned, spent, days)| Case { rules, cents, gifts, paid, returned, spent, days },
    )
}

impl Case {
    // The order earned by the first version; the second, with another rate, is in force when it is refunded.
    fn programs(&self) -> ProgramBook {
        let Rules { rate, rounding, pending, policy, value, grace } = &self.rules;
        let versions = [(1, 0, *rate), (2, 1, "2")].map(|(version, days, rate)| {
            let mut document = json!({
                "name": "Refunds", "currency": "USD", "time_zone": "America/New_York",
                "earning": { "points_per_unit": rate, "rounding": rounding, "pending": pending, "expiry": "12M" },
                "redemption": { "point_value": value, "member_hold": "30D" },
                "refunds": { "policy": policy },
                "transfers": {},
            });
            if let Some(grace) = grace {
                document["redemption"]["return_grace"] = (*grace).into();
            }
            let program = Arc::new(Program::read(&document).unwrap());
            ProgramVersion { version, effective_at: day(days), program }
        });
        ProgramBook::new(versions.into()).unwrap()
    }

    // None if the points would pay more than the order.
    fn ordered(&self, programs: &ProgramBook) -> Option<Member> {
        let id = MemberId::new(1, Uuid::from_u128(7));
        let mut member = Member::new(id, day(0));
        let mut command = 0;
        let mut decide = |at, member: &mut Member, decide: &mut dyn FnMut(&mut Working<'_>) -> bool| {
            command += 1;
            let mut work = Working::on(member, context(programs, at, command));
            let done = decide(&mut work);
            *member = work.member;
            done
        };
        for (points, age) in &self.gifts {
            let gift = Adjustment {
                member_id: id,
                points: *points,
                account: Side::Active,
                active_at: None,
                expires_at: None,
                reason: Reason::Goodwill,
                note: None,
            };
            decide(day(-age), &mut member, &mut |work| adjustment::adjust(work, &gift).is_ok());
        }
        for points in &self.paid {
            let purpose = Purpose::Order { points: *points, order_id: None, order_amount: None };
            let request = RedemptionRequest { member_id: id, purpose, hold: Some(TimeDelta::hours(1)) };
            decide(day(0), &mut member, &mut |work| redemption::redeem(work, &request, None).is_ok());
        }
        let redemption_ids: Vec<RedemptionId> = member.records::<Redemption>().map(|one| one.id).collect();
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
        Some(member)
    }

    // What paid comes back in part, and points are spent, on the day of the refunds.
    fn used(&self, mut member: Member, programs: &ProgramBook) -> Member {
        let later = day(self.days);
        let paid = member.records::<Redemption>().find(|one| one.status == RedemptionStatus::Captured);
        if let Some((id, captured)) = paid.map(|one| (one.id, one.captured)).filter(|_| self.returned > 0) {
            let mut work = Working::on(&member, context(programs, later, 98));
            if redemption::give_back(&mut work, id, Some(self.returned.min(captured))).is_ok() {
                member = work.member;
            }
        }
        if self.spent > 0 {
            let purpose = Purpose::Order { points: self.spent, order_id: None, order_amount: None };
            let request = RedemptionRequest { member_id: member.id, purpose, hold: None };
            let mut work = Working::on(&member, context(programs, later, 99));
            if redemption::redeem(&mut work, &request, None).is_ok() {
                member = work.member;
            }
        }
        member
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
