use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::domain::program::Program;
use crate::domain::time;

fn program(rate: &str, rounding: &str, expiry: &str) -> Program {
    Program::read(&json!({
        "name": "Demonstration",
        "currency": "USD",
        "time_zone": "America/New_York",
        "earning": {
            "points_per_unit": rate,
            "rounding": rounding,
            "pending": "14D",
            "expiry": expiry,
            "maximum_order_amount": "1000000000000",
        },
    }))
    .unwrap()
}

fn order(amount: &str) -> EarningFacts<'static> {
    EarningFacts {
        amount: amount.parse().unwrap(),
        occurred_at: time::parse("2026-02-01T03:00:00Z").unwrap(),
        level: None,
    }
}

fn points(rate: &str, rounding: &str, amount: &str) -> i64 {
    let earning = program(rate, rounding, "never").earn(&order(amount)).unwrap();
    earning.points
}

#[test]
fn an_order_earns_by_its_amount_and_says_why() {
    let earning = program("1", "down", "12M_M").earn(&order("29.33")).unwrap();
    assert_eq!(earning.points, 29);
    let calculation = serde_json::to_value(&earning.calculation).unwrap();
    assert_eq!(
        calculation,
        json!([
            { "rule": "base", "amount": "29.33", "points_per_unit": "1", "points": "29.33" },
            { "rule": "rounding", "mode": "down", "points": 29 },
        ])
    );
    let read: Vec<Step> = serde_json::from_value(calculation).unwrap();
    assert_eq!(read, earning.calculation);
}

#[test]
fn the_calculation_writes_numbers_in_one_way() {
    let earning = program("1.500", "half_up", "never").earn(&order("10")).unwrap();
    assert_eq!(
        serde_json::to_value(&earning.calculation[0]).unwrap(),
        json!({ "rule": "base", "amount": "10.00", "points_per_unit": "1.5", "points": "15" })
    );
}

#[test]
fn pending_and_expiry_count_from_the_order_in_the_programs_zone() {
    // 22:00 on 31 January in New York: the year ends with January, not with February.
    let earning = program("1", "down", "12M_M").earn(&order("29.33")).unwrap();
    let active_at = time::canonical(earning.active_at);
    assert_eq!(active_at, "2026-02-15T03:00:00.000000Z");
    let expires_at = time::canonical(earning.expires_at.unwrap());
    assert_eq!(expires_at, "2027-02-01T05:00:00.000000Z");
    let earning = program("1", "down", "never").earn(&order("29.33")).unwrap();
    assert_eq!(earning.expires_at, None);
}

#[test]
fn points_are_rounded_once_by_the_programs_rule() {
    assert_eq!(points("0.5", "down", "4.99"), 2);
    assert_eq!(points("0.5", "half_up", "5"), 3);
    assert_eq!(points("0.5", "half_even", "5"), 2);
    assert_eq!(points("0.5", "half_even", "7"), 4);
    assert_eq!(points("0.5", "half_up", "4.99"), 2);
    assert_eq!(points("0.5", "up", "4.01"), 3);
    assert_eq!(points("0.5", "up", "4"), 2);
    assert_eq!(points("0.000001", "up", "0.01"), 1);
    assert_eq!(points("0.000001", "down", "0.01"), 0);
    assert_eq!(points("0", "up", "29.33"), 0);
    assert_eq!(points("1000000", "down", "0.00"), 0);
}

#[test]
fn points_are_bounded() {
    assert_eq!(points("9007.199254", "down", "1000000000000"), 9_007_199_254_000_000);
    let too_many = program("9007.2", "down", "never").earn(&order("1000000000000"));
    assert_eq!(too_many, Err(EarnFault::TooManyPoints));
    let too_many = program("1000000", "down", "never").earn(&order("1000000000000"));
    assert_eq!(too_many, Err(EarnFault::TooManyPoints));
    assert_eq!(Rounding::Down.apply(Decimal::from(MAX_POINTS)), Ok(MAX_POINTS));
    let half_more = Decimal::from(MAX_POINTS) + Decimal::new(5, 1);
    assert_eq!(Rounding::Down.apply(half_more), Ok(MAX_POINTS));
    assert_eq!(Rounding::HalfUp.apply(half_more), Err(EarnFault::TooManyPoints));
    assert_eq!(Rounding::Up.apply(Decimal::MAX), Err(EarnFault::TooManyPoints));
}

#[test]
fn amounts_are_bounded() {
    let program = program("1", "down", "never");
    let refused = program.earn(&order("1000000000000.01")).unwrap_err();
    let maximum = "1000000000000.00".parse().unwrap();
    assert_eq!(refused, EarnFault::AmountAboveMaximum { maximum });
    assert_eq!(program.earn(&order("-0.01")), Err(EarnFault::NegativeAmount));
    let mut unlimited = program;
    unlimited.earning.maximum_order_amount = None;
    unlimited.earning.points_per_unit = Decimal::from(2);
    let facts = EarningFacts { amount: Decimal::MAX, ..order("0") };
    assert_eq!(unlimited.earn(&facts), Err(EarnFault::TooManyPoints));
}

#[test]
fn the_exact_product_of_the_largest_numbers_fits() {
    let rate: Decimal = "999999.999999".parse().unwrap();
    let amount: Decimal = "999999999999.999".parse().unwrap();
    let product = rate.checked_mul(amount).unwrap();
    assert_eq!(product.to_string(), "999999999998999000.000000001");
}

fn whole(minor: i64, millionths: i64, rounding: Rounding) -> i64 {
    let product = i128::from(minor) * i128::from(millionths);
    let (unit, half) = (100_000_000_i128, 50_000_000_i128);
    let (below, rest) = (product / unit, product % unit);
    let up = match rounding {
        Rounding::Down => false,
        Rounding::HalfUp => rest >= half,
        Rounding::HalfEven => rest > half || (rest == half && below % 2 == 1),
        Rounding::Up => rest > 0,
    };
    i64::try_from(below + i128::from(up)).unwrap()
}

proptest! {
    #[test]
    fn points_equal_those_of_integer_arithmetic(
        minor in 0_i64..=100_000_000_000, millionths in 0_i64..=10_000_000_000, rounding in 0..4_usize,
    ) {
        let (name, rounding) = Rounding::ALL[rounding];
        let rate = Decimal::new(millionths, 6);
        let facts = EarningFacts { amount: Decimal::new(minor, 2), ..order("0") };
        let earning = program(&rate.to_string(), name, "12M").earn(&facts).unwrap();
        prop_assert_eq!(earning.points, whole(minor, millionths, rounding));
    }

    #[test]
    fn a_larger_order_never_earns_less(minor in 0_i64..1_000_000, more in 0_i64..1_000_000, rounding in 0..4_usize) {
        let program = program("1.25", Rounding::ALL[rounding].0, "never");
        let earned = |minor| {
            let facts = EarningFacts { amount: Decimal::new(minor, 2), ..order("0") };
            program.earn(&facts).unwrap().points
        };
        prop_assert!(earned(minor) <= earned(minor + more));
    }
}
