mod ladder;
mod sections;
mod tiers;

use std::sync::Arc;

use rust_decimal::Decimal;
use serde_json::json;

use super::*;
use crate::domain::journal::canonical;
use crate::domain::program::earning::Rounding;
use crate::domain::time::{self, Timestamp};

const DEMONSTRATION: &str = r#"
name = "Demonstration"
currency = "USD"
time_zone = "America/New_York"

[earning]
points_per_unit = "1"
rounding = "down"
pending = "14D"
expiry = "12M_M"
maximum_order_amount = "100000.00"

[redemption]
point_value = "0.01"
order_share = "0.5"
return_grace = "30D"

[refunds]
policy = "within_balance"

[transfers]
direct = true
offer_ttl = "7D"
maximum_points = 10000
maximum_points_per_day = 20000
"#;

fn lines(faults: &[Fault]) -> Vec<String> {
    faults.iter().map(Fault::to_string).collect()
}

/// The demonstration document after `change`.
fn changed(change: impl FnOnce(&mut Value)) -> Value {
    let document = ProgramDocument::from_toml(DEMONSTRATION).unwrap();
    let mut value = serde_json::to_value(document).unwrap();
    change(&mut value);
    value
}

/// The faults of the demonstration document after `change`.
fn faults_after(change: impl FnOnce(&mut Value)) -> Vec<String> {
    lines(&Program::read(&changed(change)).unwrap_err())
}

/// The one fault of the demonstration document with `value` for this field.
fn fault_of(section: &str, field: &str, value: Value) -> String {
    let mut faults = faults_after(|document| document[section][field] = value);
    assert_eq!(faults.len(), 1, "{faults:?}");
    faults.remove(0)
}

#[test]
fn the_demonstration_is_read_from_toml_and_json_alike() {
    let document = ProgramDocument::from_toml(DEMONSTRATION).unwrap();
    let program = Program::compile(&document).unwrap();
    assert_eq!(program.name, "Demonstration");
    assert_eq!(program.currency.code(), "USD");
    assert_eq!(program.time_zone, Tz::America__New_York);
    assert_eq!(program.earning.rounding, Rounding::Down);
    assert_eq!(program.earning.pending.to_string(), "14D");
    assert_eq!(program.earning.expiry.unwrap().to_string(), "12M_M");
    let maximum = program.earning.maximum_order_amount.unwrap();
    assert_eq!(maximum.to_string(), "100000.00");
    assert_eq!(program.redemption.point_value, Some(Decimal::new(1, 2)));
    assert_eq!(program.redemption.order_share, Decimal::new(5, 1));
    assert_eq!(program.redemption.return_grace.unwrap().to_string(), "30D");
    assert_eq!(program.refunds.policy, RefundPolicy::WithinBalance);
    let transfers = program.transfers.unwrap();
    assert_eq!((transfers.direct, transfers.offer_ttl.to_string()), (true, "7D".to_owned()));
    assert_eq!((transfers.maximum_points, transfers.maximum_points_per_day), (Some(10_000), Some(20_000)));
    let json = serde_json::to_string(&document).unwrap();
    let read: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(Program::read(&read).unwrap(), program);
}

#[test]
fn a_program_keeps_its_document() {
    let document = ProgramDocument::from_toml(DEMONSTRATION).unwrap();
    let program = Program::compile(&document).unwrap();
    assert_eq!(Program::read(&program.document()).unwrap(), program);
    let stored: ProgramDocument = serde_json::from_value(program.document()).unwrap();
    assert_eq!(stored, document);
    let text = canonical::to_string(&program.document()).unwrap();
    assert!(text.starts_with(r#"{"currency":"USD","earning":{"expiry":"12M_M""#));
}

#[test]
fn points_may_never_expire_and_orders_may_have_no_limit() {
    let toml = DEMONSTRATION.replace("12M_M", "never").replace("maximum_order_amount = \"100000.00\"", "");
    let document = ProgramDocument::from_toml(&toml).unwrap();
    let program = Program::compile(&document).unwrap();
    assert_eq!(program.earning.expiry, None);
    assert_eq!(program.earning.maximum_order_amount, None);
    assert!(!program.document()["earning"].as_object().unwrap().contains_key("maximum_order_amount"));
}

#[test]
fn every_fault_of_a_document_is_reported() {
    let toml = r#"
        name = "  "
        curency = "USD"
        time_zone = "New York"
        since = 2026-01-31
        [earning]
        points_per_unit = 1
        rounding = "floor"
        pending = "14"
        expiry = "forever"
        maximum_order_amount = "1.0005"
        [earning.bonus]
    "#;
    let faults = ProgramDocument::from_toml(toml).unwrap_err();
    assert_eq!(
        lines(&faults),
        [
            "/currency: is required",
            "/time_zone: must be an IANA time zone, such as America/New_York",
            "/earning/points_per_unit: must be a plain decimal string, such as \"29.33\"",
            "/earning/rounding: must be one of down, half_up, half_even, up",
            "/earning/pending: must be a period such as 30D, 12M or 2Y, with _D, _M or _Y appended to round up to \
             the end of that day, month or year",
            "/earning/expiry: must be a period such as 30D, 12M or 2Y, with _D, _M or _Y appended to round up to \
             the end of that day, month or year; or be \"never\"",
            "/earning/maximum_order_amount: must have at most 3 decimals",
            "/earning/bonus: is not known here; known are points_per_unit, rounding, pending, expiry, \
             maximum_order_amount",
            "/curency: is not known here; known are name, currency, time_zone, earning, redemption, refunds, \
             transfers, tiers",
            "/since: is not known here; known are name, currency, time_zone, earning, redemption, refunds, \
             transfers, tiers",
        ]
    );
}

#[test]
fn missing_parts_and_other_shapes_are_reported() {
    assert_eq!(
        lines(&Program::read(&json!({})).unwrap_err()),
        ["/name: is required", "/currency: is required", "/time_zone: is required", "/earning: is required",]
    );
    assert_eq!(lines(&Program::read(&json!(null)).unwrap_err()), ["the document must be an object"]);
    let faults = faults_after(|document| document["earning"] = json!([]));
    assert_eq!(faults, ["/earning: must be an object"]);
    let faults = faults_after(|document| document["earning"]["maximum_order_amount"] = json!(null));
    assert_eq!(faults, ["/earning/maximum_order_amount: must be a plain decimal string, such as \"29.33\""]);
}

#[test]
fn values_out_of_bounds_are_reported() {
    let fault = |field: &str, value: Value| fault_of("earning", field, value);
    assert_eq!(fault("points_per_unit", json!("-1")), "/earning/points_per_unit: must not be negative");
    assert_eq!(fault("points_per_unit", json!("1000000.000001")), "/earning/points_per_unit: must be at most 1000000");
    assert_eq!(fault("points_per_unit", json!("0.0000001")), "/earning/points_per_unit: must have at most 6 decimals");
    assert_eq!(fault("maximum_order_amount", json!("0.00")), "/earning/maximum_order_amount: must be above zero");
    assert_eq!(
        fault("maximum_order_amount", json!("1.005")),
        "/earning/maximum_order_amount: must have at most 2 decimals"
    );
    assert_eq!(fault("pending", json!("101Y")), "/earning/pending: must be at most 100 years");
}

#[test]
fn points_must_not_expire_before_they_become_active() {
    let faults = faults_after(|document| document["earning"]["pending"] = json!("13M"));
    assert_eq!(faults, ["/earning/pending: must not be able to end after expiry (12M_M)"]);
}

#[test]
fn text_that_is_not_toml_names_its_line() {
    let faults = ProgramDocument::from_toml("name = \"a\"\ncurrency = \n").unwrap_err();
    assert_eq!(faults.len(), 1);
    let line = faults[0].to_string();
    assert!(line.starts_with("the document is not TOML: line 2: "), "{line}");
    assert!(ProgramDocument::from_toml("name = \"a\"\nname = \"b\"").is_err());
    assert!(ProgramDocument::from_toml("name = inf\nage = nan").is_err());
}

fn version(version: i32, effective_at: &str) -> ProgramVersion {
    let document = ProgramDocument::from_toml(DEMONSTRATION).unwrap();
    ProgramVersion {
        version,
        effective_at: instant(effective_at),
        program: Arc::new(Program::compile(&document).unwrap()),
    }
}

fn instant(text: &str) -> Timestamp {
    time::parse(text).unwrap()
}

#[test]
fn the_version_that_became_effective_last_rules() {
    let book = ProgramBook::new(vec![
        version(4, "2026-03-01T00:00:00Z"),
        version(1, "2026-01-01T00:00:00Z"),
        version(3, "2026-02-01T00:00:00Z"),
        version(2, "2026-03-01T00:00:00Z"),
        version(5, "2026-02-15T00:00:00Z"),
    ])
    .unwrap();
    let at = |text| book.at(instant(text)).version;
    assert_eq!(at("1999-12-31T00:00:00Z"), 1, "the first rules from the beginning of time");
    assert_eq!(at("2026-01-31T23:59:59.999999Z"), 1);
    assert_eq!(at("2026-02-01T00:00:00Z"), 3);
    assert_eq!(at("2026-02-20T00:00:00Z"), 5);
    assert_eq!(at("2026-03-01T00:00:00Z"), 4, "of two, the higher number");
    assert_eq!(at("2026-12-31T00:00:00Z"), 4);
    assert_eq!(book.latest_version().version, 5);
    assert_eq!(book.version(2).unwrap().effective_at, instant("2026-03-01T00:00:00Z"));
    assert_eq!(book.version(6), None);
    assert_eq!(book.versions().len(), 5);
}

#[test]
fn a_book_has_versions_and_none_twice() {
    assert_eq!(ProgramBook::new(Vec::new()), Err(BookFault::Empty));
    let twice = vec![version(1, "2026-01-01T00:00:00Z"), version(1, "2026-02-01T00:00:00Z")];
    assert_eq!(ProgramBook::new(twice), Err(BookFault::Twice(1)));
}
