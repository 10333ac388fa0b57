//! The levels of the tiers beside each other: their order, and that a member can be on each.

use proptest::prelude::*;

use super::*;
use crate::domain::program::level::{Combine, Requirement};

/// What a level asks for: spend, orders, and which of them.
type Asked<'t> = (Option<&'t str>, Option<i64>, Option<&'t str>);

/// The levels `a`, `b`, `c` and so on, which ask for this, as a document with them writes them.
fn document(levels: &[Asked<'_>]) -> Value {
    let level = |(code, (spend, orders, requirement)): (char, &Asked<'_>)| {
        let mut level = json!({ "code": code, "name": { "en": "A level" } });
        let stated = [("annual_spend", json!(spend)), ("orders", json!(orders)), ("requirement", json!(requirement))];
        stated.into_iter().filter(|(_, value)| !value.is_null()).for_each(|(name, value)| level[name] = value);
        level
    };
    let levels: Vec<Value> = ('a'..).zip(levels).map(level).collect();
    changed(|document| document["tiers"] = json!({ "period": "calendar_year", "levels": levels }))
}

/// Every fault of these levels, which all are contradictions.
fn faults(levels: &[Asked<'_>]) -> Vec<String> {
    let faults = Program::read(&document(levels)).err().unwrap_or_default();
    assert!(faults.iter().all(|fault| fault.code == "contradiction"), "{faults:?}");
    lines(&faults)
}

fn spend(spend: &str) -> Asked<'_> {
    (Some(spend), None, None)
}

const fn orders(orders: i64) -> Asked<'static> {
    (None, Some(orders), None)
}

fn both(spend: &str, orders: i64) -> Asked<'_> {
    (Some(spend), Some(orders), None)
}

fn either(spend: &str, orders: i64) -> Asked<'_> {
    (Some(spend), Some(orders), Some("any"))
}

#[test]
fn a_requirement_is_met_from_its_number_on() {
    let met = |asked: Asked<'_>, spend: &str, orders: i64| {
        let program = Program::read(&document(&[asked])).unwrap();
        program.tiers.unwrap().levels[0].requirement.is_met(spend.parse().unwrap(), orders)
    };
    assert!(met(spend("100"), "100", 0) && !met(spend("100"), "99.99", 1000));
    assert!(met(orders(3), "-5", 3) && !met(orders(3), "1000000000", 2));
    assert!(met(both("100", 3), "100.00", 3) && !met(both("100", 3), "99.99", 3) && !met(both("100", 3), "100", 2));
    assert!(met(either("100", 3), "99.99", 3) && met(either("100", 3), "100", 2));
    assert!(!met(either("100", 3), "99.99", 2));
}

#[test]
fn levels_on_each_of_which_a_member_can_be_are_taken() {
    for levels in [
        &[orders(1), spend("5000"), spend("20000")][..],
        &[orders(1), spend("0.01")],
        &[spend("100"), orders(2)],
        &[spend("100"), both("100", 2), both("100.01", 2)],
        &[either("100", 3), both("100", 3)],
        &[either("100", 3), spend("100")],
        &[either("100", 3), orders(3)],
        &[either("100", 3), either("100", 4)],
        &[orders(5), both("100", 5), either("200", 6)],
    ] {
        assert_eq!(faults(levels), Vec::<String>::new(), "{levels:?}");
    }
}

#[test]
fn a_level_asks_for_no_less_than_those_below_it() {
    assert_eq!(
        faults(&[spend("100"), orders(5), both("99.99", 4), spend("98"), orders(6)]),
        [
            "/tiers/levels/2/annual_spend: must be at least 100.00, which a lower level asks for",
            "/tiers/levels/2/orders: must be at least 5, which a lower level asks for",
            "/tiers/levels/3/annual_spend: must be at least 100.00, which a lower level asks for",
        ]
    );
}

#[test]
fn nobody_may_reach_a_level_by_barely_reaching_one_below_it() {
    let in_vain = |place: usize, field: &str, lower: char| {
        format!("/tiers/levels/{place}/{field}: must ask for more: whoever reaches {lower} reaches a higher level too")
    };
    for (levels, place, field, lower) in [
        (&[spend("100"), spend("100.00")][..], 1, "annual_spend", 'a'),
        (&[orders(3), orders(4), orders(4)], 2, "orders", 'b'),
        (&[both("100", 3), both("100", 3)], 1, "annual_spend", 'a'),
        (&[both("100", 3), either("200", 3)], 1, "annual_spend", 'a'),
        (&[spend("100"), either("100", 7)], 1, "annual_spend", 'a'),
        // There is no spend without an order.
        (&[spend("100"), orders(1)], 1, "orders", 'a'),
        // Each of the two ways to reach the first leads to another of the others.
        (&[either("100", 3), spend("100"), orders(3)], 2, "orders", 'a'),
    ] {
        assert_eq!(faults(levels), [in_vain(place, field, lower)], "{levels:?}");
    }
    let equal = [spend("100"), orders(3), either("100", 3)];
    assert_eq!(faults(&equal), [in_vain(2, "annual_spend", 'a'), in_vain(2, "annual_spend", 'b')]);
}

#[test]
fn levels_are_told_apart_by_their_codes() {
    let mut twice = document(&[orders(1), spend("100"), spend("200")]);
    twice["tiers"]["levels"][2]["code"] = json!("a");
    let faults = Program::read(&twice).unwrap_err();
    assert_eq!(lines(&faults), ["/tiers/levels/2/code: must not be that of another level"]);
}

#[test]
fn a_level_that_cannot_be_read_is_not_held_against_the_others() {
    let mut document = document(&[both("100", 3), spend("50"), spend("100")]);
    document["tiers"]["levels"][0]["orders"] = json!("3");
    let found = lines(&Program::read(&document).unwrap_err());
    assert_eq!(found, ["/tiers/levels/0/orders: must be an integer from 1 to 1000000"]);
}

fn any_requirement() -> impl Strategy<Value = Requirement> {
    let combine = prop_oneof![Just(Combine::Any), Just(Combine::All)];
    let stated = (prop::option::of(1_i64..5), prop::option::of(1_i64..5), combine);
    stated.prop_filter_map("asks for nothing", |(spend, orders, combine)| {
        let combine = if spend.is_some() && orders.is_some() { combine } else { Combine::All };
        let annual_spend = spend.map(Decimal::from);
        (spend.is_some() || orders.is_some()).then_some(Requirement { annual_spend, orders, combine })
    })
}

/// Whether a member can be on each of these levels, by trying all that a member can have.
fn can_be_on_each(levels: &[Requirement]) -> bool {
    let states = || (1..7).flat_map(|orders| (0..7).map(move |spend| (Decimal::from(spend), orders)));
    let highest = |(spend, orders)| levels.iter().rposition(|level| level.is_met(spend, orders));
    (0..levels.len()).all(|place| states().any(|state| highest(state) == Some(place)))
}

proptest! {
    #[test]
    fn levels_in_order_are_taken_if_and_only_if_a_member_can_be_on_each(
        levels in prop::collection::vec(any_requirement(), 1..5),
    ) {
        let texts: Vec<Option<String>> =
            levels.iter().map(|level| level.annual_spend.map(|spend| spend.to_string())).collect();
        let asked: Vec<Asked<'_>> = levels.iter().zip(&texts).map(|(level, spend)| {
            let both = level.annual_spend.is_some() && level.orders.is_some();
            let requirement = both.then_some(if level.combine == Combine::Any { "any" } else { "all" });
            (spend.as_deref(), level.orders, requirement)
        }).collect();
        let falls = |stated: Vec<Decimal>| !stated.is_sorted();
        let out_of_order = falls(levels.iter().filter_map(|level| level.annual_spend).collect())
            || falls(levels.iter().filter_map(|level| level.orders.map(Decimal::from)).collect());
        let found = faults(&asked);
        if out_of_order {
            prop_assert!(found.iter().any(|fault| fault.contains("must be at least")), "{:?}", found);
        } else {
            prop_assert_eq!(found.is_empty(), can_be_on_each(&levels), "{:?}", found);
        }
    }
}
