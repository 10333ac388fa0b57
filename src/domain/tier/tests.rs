use chrono_tz::Tz;
use proptest::prelude::*;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::*;
use crate::domain::fields;
use crate::domain::program::TierRules;
use crate::domain::record::order::OrderRecord;
use crate::domain::record::refund::Reversal;
use crate::domain::time::{self, Timestamp};

const SHANGHAI: Tz = Tz::Asia__Shanghai;

fn at(text: &str) -> Timestamp {
    time::parse(text).unwrap()
}

// Silver from the first order, gold from 5000 and platinum from 20000, with the other rules of `more`.
fn rules(more: Value) -> TierRules {
    let level = |code: &str| json!({ "code": code, "name": { "en": code } });
    let mut levels = ["silver", "gold", "platinum"].map(level);
    levels[0]["orders"] = 1.into();
    levels[1]["annual_spend"] = "5000.00".into();
    levels[2]["annual_spend"] = "20000.00".into();
    let mut document = json!({ "period": "calendar_year", "levels": levels });
    document.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    fields::read(&document, |tiers| TierRules::read(tiers, Some("CNY".parse().unwrap()))).unwrap()
}

fn scene(rules: &TierRules) -> Scene<'_> {
    let currency = "CNY".parse().unwrap();
    Scene { rules, version: 1, currency, zone: SHANGHAI, joined_at: at("2024-02-29T12:00:00+08:00") }
}

fn order(occurred_at: &str, amount: &str) -> OrderRecord {
    OrderRecord {
        order_id: occurred_at.to_owned(),
        occurred_at: at(occurred_at),
        currency: "CNY".parse().unwrap(),
        amount: amount.parse().unwrap(),
        discount: None,
        channel: None,
        paid: Decimal::ZERO,
        paid_points: 0,
        redemptions: Vec::new(),
        points: 0,
        lot: None,
        program_version: 1,
        tier: None,
        was_refunded: false,
        refunded: Decimal::ZERO,
        refunds: Vec::new(),
        reversed: 0,
        returned: 0,
        reversal: Reversal::default(),
    }
}

fn refunded(order: OrderRecord, when: &str, amount: &str) -> OrderRecord {
    let refunded = order.refunded + amount.parse::<Decimal>().unwrap();
    let mut refunds = order.refunds.clone();
    refunds.push((at(when), refunded));
    OrderRecord { was_refunded: true, refunded, refunds, ..order }
}

fn level(standing: &Standing) -> &str {
    standing.rank.level.as_deref().unwrap_or("none")
}

// Where a member with these orders stands at `now`, once all that time decides by then is decided.
fn by(orders: &[OrderRecord], scene: &Scene<'_>, now: &str) -> Standing {
    let mut standing = stand(&Standing::none(1), orders.iter(), scene).0;
    while standing.ends_at.is_some_and(|ends_at| ends_at <= at(now)) {
        standing = decide(&standing, orders.iter(), scene).0;
    }
    standing
}

#[test]
fn a_level_is_reached_at_its_threshold_and_not_a_cent_below() {
    let rules = rules(json!({}));
    let cases = [
        ("0.00", "silver"),
        ("4999.99", "silver"),
        ("5000.00", "gold"),
        ("19999.99", "gold"),
        ("20000.00", "platinum"),
    ];
    for (amount, expected) in cases {
        let standing = by(&[order("2026-03-01T10:00:00Z", amount)], &scene(&rules), "2026-03-01T10:00:00Z");
        assert_eq!(level(&standing), expected, "{amount}");
    }
}

#[test]
fn a_calendar_year_ends_at_midnight_in_the_programmes_zone() {
    let rules = rules(json!({}));
    let last = order("2026-12-31T23:59:59.999999+08:00", "3000.00");
    let next = order("2027-01-01T00:00:00+08:00", "3000.00");
    let early = order("2026-05-01T00:00:00Z", "2000.00");
    assert_eq!(level(&by(&[early.clone(), last], &scene(&rules), "2027-01-02T00:00:00Z")), "gold");
    let standing = by(&[early, next], &scene(&rules), "2027-01-02T00:00:00Z");
    assert_eq!(level(&standing), "silver");
    assert_eq!(standing.ends_at, Some(at("2028-01-01T00:00:00+08:00")));
}

#[test]
fn a_tier_lasts_to_the_end_of_its_term_and_grace_and_is_then_decided_anew() {
    for (downgrade, after) in [("one_down", "gold"), ("by_spend", "silver")] {
        let rules = rules(json!({ "grace": "1M", "downgrade": downgrade }));
        let orders = [order("2026-05-01T00:00:00Z", "20000.00"), order("2027-05-01T00:00:00Z", "1.00")];
        let scene = scene(&rules);
        let before = by(&orders, &scene, "2028-01-31T23:59:59.999999+08:00");
        assert_eq!((level(&before), before.rank.since), ("platinum", Some(at("2026-05-01T00:00:00Z"))));
        let then = by(&orders, &scene, "2028-02-01T00:00:00+08:00");
        assert_eq!((level(&then), then.rank.until), (after, Some(at("2029-01-01T00:00:00+08:00"))));
        assert_eq!(then.rank.since, Some(at("2028-02-01T00:00:00+08:00")));
        assert_eq!(level(&by(&orders, &scene, "2031-01-01T00:00:00Z")), "none", "{downgrade}");
    }
}

#[test]
fn what_is_spent_in_the_grace_keeps_a_tier_and_the_tier_keeps_its_beginning() {
    let rules = rules(json!({ "grace": "1M" }));
    let orders = [order("2026-05-01T00:00:00Z", "5000.00"), order("2028-01-31T23:59:59+08:00", "5000.00")];
    let kept = by(&orders, &scene(&rules), "2028-03-01T00:00:00Z");
    assert_eq!((level(&kept), kept.rank.since), ("gold", Some(at("2026-05-01T00:00:00Z"))));
    assert_eq!(kept.rank.until, Some(at("2029-01-01T00:00:00+08:00")));
}

#[test]
fn a_rolling_year_forgets_what_is_as_old_as_a_year() {
    let rules = rules(json!({ "period": "rolling_12_months", "term": "1M" }));
    let first = order("2026-01-15T12:00:00+08:00", "3000.00");
    for (second, expected) in [("2027-01-15T11:59:59.999999+08:00", "gold"), ("2027-01-15T12:00:00+08:00", "silver")] {
        let standing = by(&[first.clone(), order(second, "2000.00")], &scene(&rules), second);
        assert_eq!(level(&standing), expected, "{second}");
    }
}

#[test]
fn a_membership_that_began_on_29_february_has_its_year_from_the_28th() {
    let rules = rules(json!({ "period": "membership_year" }));
    let scene = scene(&rules);
    for (moment, from, until) in [
        ("2024-02-29T00:00:00+08:00", "2024-02-29T00:00:00+08:00", "2025-02-28T00:00:00+08:00"),
        ("2025-02-28T00:00:00+08:00", "2025-02-28T00:00:00+08:00", "2026-02-28T00:00:00+08:00"),
        ("2028-02-28T23:59:59+08:00", "2027-02-28T00:00:00+08:00", "2028-02-29T00:00:00+08:00"),
        ("2020-01-01T00:00:00+08:00", "2019-02-28T00:00:00+08:00", "2020-02-29T00:00:00+08:00"),
    ] {
        assert_eq!(scene.window(at(moment)), Window { from: at(from), until: at(until) }, "{moment}");
    }
}

#[test]
fn a_refund_ends_a_tier_at_once_or_when_its_term_ends() {
    let paid = order("2026-05-01T00:00:00Z", "5000.00");
    let orders = [refunded(paid, "2026-06-01T00:00:00Z", "0.01")];
    let at_once = rules(json!({}));
    assert_eq!(level(&by(&orders, &scene(&at_once), "2026-06-01T00:00:00Z")), "silver");
    let at_term = rules(json!({ "refunds": "at_term" }));
    assert_eq!(level(&by(&orders, &scene(&at_term), "2027-12-31T00:00:00Z")), "gold");
    let late = order("2027-02-01T00:00:00Z", "1.00");
    let orders = [orders[0].clone(), late];
    assert_eq!(level(&by(&orders, &scene(&at_term), "2028-01-01T00:00:00Z")), "silver");
}

#[test]
fn an_order_that_comes_back_whole_is_none() {
    let rules = rules(json!({}));
    let order = refunded(order("2026-05-01T00:00:00Z", "10.00"), "2026-05-02T00:00:00Z", "10.00");
    assert_eq!(level(&by(&[order], &scene(&rules), "2026-06-01T00:00:00Z")), "none");
}

#[test]
fn a_level_that_is_no_more_becomes_the_next_lower_one_until_the_term_ends() {
    let old = rules(json!({}));
    let mut new = rules(json!({}));
    new.levels.remove(1);
    let orders = [order("2026-05-01T00:00:00Z", "6000.00")];
    let gold = by(&orders, &scene(&old), "2026-05-01T00:00:00Z");
    let scene = Scene { version: 2, ..scene(&new) };
    let (standing, _) = change_rules(&gold, &old, orders.iter(), &scene, at("2026-07-01T00:00:00Z"));
    assert_eq!((level(&standing), standing.rank.until), ("silver", gold.rank.until));
}

#[test]
fn a_grace_that_other_rules_take_away_ends_when_they_take_hold() {
    let (old, new) = (rules(json!({ "grace": "1M" })), rules(json!({})));
    let orders = [order("2026-05-01T00:00:00Z", "6000.00")];
    let gold = by(&orders, &scene(&old), "2028-01-10T00:00:00Z");
    let scene = Scene { version: 2, ..scene(&new) };
    let now = at("2028-01-10T00:00:00Z");
    let (standing, _) = change_rules(&gold, &old, orders.iter(), &scene, now);
    assert_eq!((level(&standing), standing.rank.until, standing.ends_at), ("gold", gold.rank.until, Some(now)));
    assert_eq!(level(&decide(&standing, orders.iter(), &scene).0), "none");
}

// Orders of a few years, some of them refunded, whose sums meet the thresholds now and then.
fn some_orders() -> impl Strategy<Value = Vec<OrderRecord>> {
    let one = (0..1_500_i64, 0..8_000_i64, proptest::option::weighted(0.3, (0..300_i64, 0..=4_i64)));
    proptest::collection::vec(one, 1..12).prop_map(|orders| {
        type Drawn = (i64, i64, Option<(i64, i64)>);
        let order = |(n, (day, amount, refund)): (usize, Drawn)| {
            let occurred_at = at("2024-01-01T00:00:00Z") + chrono::TimeDelta::hours(day * 24);
            let whole = OrderRecord { order_id: n.to_string(), occurred_at, ..order("2024-01-01T00:00:00Z", "0.00") };
            let whole = OrderRecord { amount: Decimal::from(amount), ..whole };
            match refund {
                Some((later, quarters)) => {
                    let refunded = Decimal::from(amount * quarters / 4);
                    let refunds = vec![(occurred_at + chrono::TimeDelta::days(later), refunded)];
                    OrderRecord { was_refunded: true, refunded, refunds, ..whole }
                }
                None => whole,
            }
        };
        orders.into_iter().enumerate().map(order).collect()
    })
}

fn some_rules() -> impl Strategy<Value = TierRules> {
    let period = prop_oneof![Just("rolling_12_months"), Just("calendar_year"), Just("membership_year")];
    let refunds = prop_oneof![Just("at_once"), Just("at_term")];
    (period, refunds).prop_map(|(period, refunds)| rules(json!({ "period": period, "refunds": refunds })))
}

proptest! {
    // What can be foreseen is what a look at all orders finds, and the sums are never too small.
    #[test]
    fn what_is_foreseen_is_what_all_orders_come_to(mut orders in some_orders(), rules in some_rules()) {
        let scene = scene(&rules);
        orders.iter_mut().for_each(|order| (order.was_refunded, order.refunded, order.refunds) = (false, Decimal::ZERO, Vec::new()));
        orders.sort_by_key(|order| order.occurred_at);
        let (mut standing, mut spending) = stand(&Standing::none(1), orders[..1].iter(), &scene);
        for n in 1..orders.len() {
            let exact = stand(&standing, orders[..=n].iter(), &scene);
            match foresee(&standing, &spending, &orders[n], &scene) {
                Some((foreseen, sums)) => {
                    prop_assert_eq!(&foreseen, &exact.0);
                    prop_assert!(sums.amount >= exact.1.amount && sums.orders >= exact.1.orders);
                    if scene.has_fixed_ends() {
                        prop_assert_eq!(&sums, &exact.1);
                    }
                    (standing, spending) = (foreseen, sums);
                }
                None => (standing, spending) = exact,
            }
            if standing.ends_at.is_some_and(|ends_at| n + 1 < orders.len() && ends_at <= orders[n + 1].occurred_at) {
                (standing, spending) = decide(&standing, orders[..=n].iter(), &scene);
            }
        }
    }

    // A naive look at each instant finds the same: the highest level that was reached since the base.
    #[test]
    fn a_tier_is_the_highest_that_was_reached(orders in some_orders(), rules in some_rules()) {
        let scene = scene(&rules);
        let (standing, _) = stand(&Standing::none(1), orders.iter(), &scene);
        let ends_at = standing.ends_at.unwrap_or(time::LATEST);
        let mut instants: Vec<Timestamp> = orders.iter().map(|order| order.occurred_at).collect();
        instants.extend(orders.iter().flat_map(|order| &order.refunds).map(|(at, _)| *at));
        let highest = instants.iter().filter(|at| **at < ends_at).filter_map(|at| naive(&orders, &scene, *at)).max();
        prop_assert_eq!(standing.rank.level.as_ref().and_then(|level| rules.place(level)), highest);
    }
}

fn naive(orders: &[OrderRecord], scene: &Scene<'_>, at: Timestamp) -> Option<usize> {
    let from = scene.window(at).from;
    let there = orders.iter().filter(|order| order.occurred_at <= at && order.occurred_at >= from);
    let left = there.map(|order| {
        let seen = order.refunds.iter().filter(|(when, _)| {
            scene.rules.refunds == crate::domain::program::tiers::TierRefunds::AtOnce || *when <= at
        });
        let refunded = seen.map(|(_, refunded)| *refunded).max();
        (
            order.amount - refunded.unwrap_or_default(),
            i64::from(refunded.is_none_or(|refunded| refunded < order.amount)),
        )
    });
    let (spend, count) = left.fold((Decimal::ZERO, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    scene.rules.levels.iter().rposition(|level| level.requirement.is_met(spend, count))
}

#[test]
fn a_refund_takes_nothing_from_sums_that_its_order_is_not_in() {
    let rules = rules(json!({ "period": "rolling_12_months", "term": "2M_M" }));
    let scene = scene(&rules);
    let first = order("2024-12-16T12:00:00Z", "6000.00");
    let part = refunded(first.clone(), "2026-01-20T12:00:00Z", "5000.00");
    let sums = |spending: &Spending| (spending.amount.to_string(), spending.orders);
    // A term ended within its year, and one when it was out of it.
    for (now, before, after) in [("2025-06-20T12:00:00Z", "6000.00", "1000.00"), ("2026-01-20T12:00:00Z", "0", "0")] {
        let standing = by(std::slice::from_ref(&first), &scene, now);
        let mut spending = stand(&standing, [&first].into_iter(), &scene).1;
        let count = i64::from(before != "0");
        assert_eq!(sums(&spending), (before.to_owned(), count), "{now}");
        spending.recount(&first, &part);
        assert_eq!(sums(&spending), (after.to_owned(), count), "{now}");
    }
}

#[test]
fn sums_from_before_they_said_their_currency_are_read_and_said_as_they_were() {
    let text = r#"{"version":1,"counts":"money","from":"2026-01-01T00:00:00.000000Z","latest":"2026-01-02T00:00:00.000000Z","amount":"100.00","orders":1}"#;
    let mut spending: Spending = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_string(&spending).unwrap(), text);
    let dollars = OrderRecord { currency: "USD".parse().unwrap(), ..order("2026-01-03T00:00:00Z", "20.00") };
    spending.count(&dollars);
    assert_eq!((spending.amount.to_string(), spending.orders), ("120.00".to_owned(), 2));
    spending.currency = Some("CNY".parse().unwrap());
    spending.count(&dollars);
    assert_eq!((spending.amount.to_string(), spending.orders), ("120.00".to_owned(), 3));
}
