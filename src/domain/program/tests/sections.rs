//! The sections that documents published earlier lack.

use super::*;
use crate::domain::time::Period;

/// As they stand in [`DEMONSTRATION`].
const LATER: [&str; 3] = ["redemption", "refunds", "transfers"];

/// The programme of the demonstration document with `value` for this section.
fn with_section(section: &str, value: Value) -> Program {
    Program::read(&changed(|document| document[section] = value)).unwrap()
}

fn redemption(point_value: &str, order_share: &str) -> RedemptionRules {
    with_section("redemption", json!({ "point_value": point_value, "order_share": order_share })).redemption
}

#[test]
fn a_document_without_the_later_sections_reads_as_before() {
    let mut document = ProgramDocument::from_toml(DEMONSTRATION).unwrap();
    (document.redemption, document.refunds, document.transfers) = (None, None, None);
    let program = Program::compile(&document).unwrap();
    assert_eq!(program.redemption, RedemptionRules::default());
    assert_eq!(program.refunds.policy, RefundPolicy::WithinBalance);
    assert_eq!((program.transfers, program.tiers), (None, None));
    let stored = program.document;
    assert!(LATER.iter().all(|section| stored.get(section).is_none()), "{stored}");
    assert_eq!(stored.get("tiers"), None);
    assert_eq!(serde_json::from_value::<ProgramDocument>(stored).unwrap(), document);
}

#[test]
fn empty_sections_have_the_defaults_and_stay_empty() {
    let toml = DEMONSTRATION.split("[redemption]").next().unwrap().to_owned() + "[redemption]\n[refunds]\n[transfers]";
    let document = ProgramDocument::from_toml(&toml).unwrap();
    let program = Program::compile(&document).unwrap();
    let RedemptionRules { point_value, order_share, return_grace, member_hold } = program.redemption;
    assert_eq!((point_value, order_share, return_grace, member_hold), (None, Decimal::ONE, None, Period::HOUR));
    assert_eq!(program.refunds, RefundRules { policy: RefundPolicy::WithinBalance });
    let transfers = program.transfers.unwrap();
    assert_eq!((transfers.direct, transfers.offer_ttl.to_string()), (false, "7D".to_owned()));
    assert_eq!((transfers.maximum_points, transfers.maximum_points_per_day), (None, None));
    assert!(LATER.iter().all(|section| program.document()[section] == json!({})));
}

#[test]
fn the_later_sections_are_objects_of_known_fields() {
    for section in LATER {
        for other in [json!(null), json!(false), json!([])] {
            let faults = faults_after(|document| document[section] = other);
            assert_eq!(faults, [format!("/{section}: must be an object")]);
        }
    }
    let known = [
        ("redemption", "point_value, order_share, return_grace, member_hold"),
        ("refunds", "policy"),
        ("transfers", "direct, offer_ttl, maximum_points, maximum_points_per_day"),
    ];
    for (section, known) in known {
        assert_eq!(
            fault_of(section, "points", json!(1)),
            format!("/{section}/points: is not known here; known are {known}")
        );
    }
}

#[test]
fn every_fault_of_the_later_sections_is_reported_at_once() {
    let faults = faults_after(|document| {
        document["redemption"] = json!({ "point_value": 0.01, "order_share": "half", "return_grace": "30 days" });
        document["refunds"] = json!({ "policy": "whatever" });
        document["transfers"] = json!({
            "direct": "yes", "offer_ttl": 7, "maximum_points": "10000", "maximum_points_per_day": 1.5,
        });
    });
    assert_eq!(
        faults,
        [
            "/redemption/point_value: must be a plain decimal string, such as \"29.33\"",
            "/redemption/order_share: must be a plain decimal string, such as \"29.33\"",
            "/redemption/return_grace: must be a period such as 30D, 12M or 2Y, with _D, _M or _Y appended to round \
             up to the end of that day, month or year",
            "/refunds/policy: must be one of only_pending, within_balance, unlimited",
            "/transfers/direct: must be true or false",
            "/transfers/offer_ttl: must be a string",
            "/transfers/maximum_points: must be an integer from 1 to 9007199254740991",
            "/transfers/maximum_points_per_day: must be an integer from 1 to 9007199254740991",
        ]
    );
}

#[test]
fn what_points_can_pay_is_bounded() {
    let fault = |field: &str, value: &str| fault_of("redemption", field, json!(value));
    assert_eq!(fault("point_value", "0"), "/redemption/point_value: must be above zero");
    assert_eq!(fault("point_value", "0.000000"), "/redemption/point_value: must be above zero");
    assert_eq!(fault("point_value", "-0.01"), "/redemption/point_value: must not be negative");
    assert_eq!(fault("point_value", "1000.000001"), "/redemption/point_value: must be at most 1000");
    assert_eq!(fault("point_value", "0.0000001"), "/redemption/point_value: must have at most 6 decimals");
    assert_eq!(fault("order_share", "0.0000"), "/redemption/order_share: must be above zero");
    assert_eq!(fault("order_share", "-1"), "/redemption/order_share: must not be negative");
    assert_eq!(fault("order_share", "1.0001"), "/redemption/order_share: must be at most 1");
    assert_eq!(fault("order_share", "0.00001"), "/redemption/order_share: must have at most 4 decimals");
    assert_eq!(fault("return_grace", "101Y"), "/redemption/return_grace: must be at most 100 years");
    assert_eq!(fault("member_hold", "0H"), "/redemption/member_hold: must be longer than nothing");
    let program = with_section("redemption", json!({ "member_hold": "1D_D" }));
    assert_eq!(program.redemption.member_hold.to_string(), "1D_D");
    for (point_value, order_share) in [("0.000001", "0.0001"), ("1000.000000", "1.0000")] {
        let program = with_section("redemption", json!({ "point_value": point_value, "order_share": order_share }));
        assert_eq!(program.redemption.point_value.unwrap().to_string(), point_value);
        assert_eq!(program.redemption.order_share.to_string(), order_share);
    }
}

#[test]
fn every_refund_policy_is_read_by_its_name() {
    for (name, policy) in RefundPolicy::ALL {
        assert_eq!(with_section("refunds", json!({ "policy": name })).refunds.policy, policy);
        assert_eq!(serde_json::to_value(policy).unwrap(), name);
    }
    assert_eq!(
        fault_of("refunds", "policy", json!(null)),
        "/refunds/policy: must be a string",
        "null is not the same as absent"
    );
}

#[test]
fn transfers_are_bounded() {
    let fault = |field: &str, value: Value| fault_of("transfers", field, value);
    for empty in ["0H", "0D", "0M", "0Y"] {
        assert_eq!(fault("offer_ttl", json!(empty)), "/transfers/offer_ttl: must be longer than nothing");
    }
    assert_eq!(fault("offer_ttl", json!("101Y")), "/transfers/offer_ttl: must be at most 100 years");
    for field in ["maximum_points", "maximum_points_per_day"] {
        let expected = format!("/transfers/{field}: must be an integer from 1 to 9007199254740991");
        for points in [json!(0), json!(-1), json!(9_007_199_254_740_992_i64), json!(null)] {
            assert_eq!(fault(field, points), expected);
        }
    }
    for (ttl, points) in [("1H", 1), ("0D_D", 9_007_199_254_740_991_i64)] {
        let rules = json!({ "offer_ttl": ttl, "maximum_points": points, "maximum_points_per_day": points });
        let transfers = with_section("transfers", rules).transfers.unwrap();
        assert_eq!(transfers.offer_ttl.to_string(), ttl);
        assert_eq!((transfers.maximum_points, transfers.maximum_points_per_day), (Some(points), Some(points)));
    }
}

#[test]
fn points_are_worth_what_the_currency_can_pay_rounded_down() {
    let worth = |points: i64, point_value: &str, currency: &str| {
        redemption(point_value, "1").value_of(points, currency.parse().unwrap()).unwrap().to_string()
    };
    assert_eq!(worth(150, "0.01", "USD"), "1.50");
    assert_eq!(worth(0, "0.01", "USD"), "0.00");
    assert_eq!(worth(199, "0.005", "USD"), "0.99");
    assert_eq!(worth(1, "0.009999", "USD"), "0.00");
    assert_eq!(worth(3, "0.333333", "USD"), "0.99");
    assert_eq!(worth(199, "0.01", "JPY"), "1");
    assert_eq!(worth(7, "1.5", "JPY"), "10");
    assert_eq!(worth(199, "0.0055", "KWD"), "1.094");
    assert_eq!(worth(2, "0.01", "KWD"), "0.020");
}

#[test]
fn the_most_points_of_the_most_worth_are_exact() {
    let most = redemption("999.999999", "1").value_of(9_007_199_254_740_991, "KWD".parse().unwrap()).unwrap();
    assert_eq!(most.to_string(), "9007199245733791745.259");
}

#[test]
fn points_without_a_value_are_worth_nothing_in_money() {
    assert_eq!(RedemptionRules::default().value_of(100, "USD".parse().unwrap()), None);
}

#[test]
fn a_share_of_an_order_is_rounded_down() {
    let most = |amount: &str, order_share: &str, currency: &str| {
        let rules = redemption("0.01", order_share);
        rules.most_for(amount.parse().unwrap(), currency.parse().unwrap()).map(|most| most.to_string())
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(most("29.33", "0.5", "USD"), some("14.66"));
    assert_eq!(most("29.33", "1", "USD"), some("29.33"));
    assert_eq!(most("29.33", "1.0000", "USD"), some("29.33"));
    assert_eq!(most("0.01", "0.9999", "USD"), some("0.00"));
    assert_eq!(most("0.00", "0.5", "USD"), some("0.00"));
    assert_eq!(most("1981", "0.5", "JPY"), some("990"));
    assert_eq!(most("0.999", "0.5", "KWD"), some("0.499"));
    assert_eq!(most("1000000000000.00", "0.9999", "USD"), some("999900000000.00"));
    assert_eq!(most(&Decimal::MAX.to_string(), "0.5", "JPY"), None, "the exact product has too many digits");
}
