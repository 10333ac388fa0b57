//! The section of tiers: what is read, and every fault of it.

use std::collections::BTreeMap;

use super::*;
use crate::domain::program::level::{Benefit, Combine, Requirement};
use crate::domain::program::tiers::{Counts, Downgrade, QualifyingPeriod, Term, TierRefunds};

const TIERS: &str = r#"
[tiers]
period = "calendar_year"
term = "12M_M"
grace = "30D"
downgrade = "one_down"
refunds = "at_term"
counts = "goods"

[[tiers.levels]]
code = "silver"
name = { en = "Silver", zh-CN = "银卡" }
orders = 1

[[tiers.levels.benefits]]
code = "free_shipping"
name = { en = "Free shipping", zh-CN = "包邮" }

[[tiers.levels]]
code = "gold-2026"
name = { zh-CN = "金卡" }
annual_spend = "5000"
orders = 3
requirement = "any"
factor = "1.25"

[[tiers.levels.benefits]]
code = "early_access"
name = { zh-CN = "优先购" }
value = "48 小时"

[[tiers.levels]]
code = "platinum"
name = { zh-CN = "白金卡" }
annual_spend = "20000.5"
orders = 3
factor = "2"
benefits = []
"#;

/// The document of the demonstration with tiers of two levels, after `change`.
fn tiers_after(change: impl FnOnce(&mut Value)) -> Value {
    changed(|document| {
        document["tiers"] = json!({
            "period": "rolling_12_months",
            "levels": [
                { "code": "silver", "name": { "en": "Silver" }, "orders": 1 },
                { "code": "gold", "name": { "en": "Gold" }, "annual_spend": "100" },
            ],
        });
        change(&mut document["tiers"]);
    })
}

fn read_after(change: impl FnOnce(&mut Value)) -> TierRules {
    Program::read(&tiers_after(change)).unwrap().tiers.unwrap()
}

/// Path, code and message of each fault after `change`; paths count from the section.
fn tier_faults(change: impl FnOnce(&mut Value)) -> Vec<(String, String, String)> {
    let faults = Program::read(&tiers_after(change)).unwrap_err().into_iter();
    faults.map(|fault| (fault.path.strip_prefix("/tiers").unwrap().to_owned(), fault.code, fault.message)).collect()
}

/// Asserts that what stands at `path`, a JSON pointer from the section, has this one fault if it is `value`.
#[track_caller]
fn assert_fault(path: &str, value: Value, code: &str, message: &str) {
    let (parent, field) = path.rsplit_once('/').unwrap();
    let faults = tier_faults(|tiers| tiers.pointer_mut(parent).unwrap()[field] = value);
    assert_eq!(faults, [(path.to_owned(), code.to_owned(), message.to_owned())]);
}

fn names(names: &[(&str, &str)]) -> BTreeMap<String, String> {
    names.iter().map(|(tag, name)| ((*tag).to_owned(), (*name).to_owned())).collect()
}

#[test]
fn tiers_are_read_from_toml_and_json_alike_and_stay_as_they_were_written() {
    let document = ProgramDocument::from_toml(&(DEMONSTRATION.to_owned() + TIERS)).unwrap();
    let program = Program::compile(&document).unwrap();
    let tiers = program.tiers.as_ref().unwrap();
    assert_eq!(tiers.period, QualifyingPeriod::CalendarYear);
    assert_eq!(tiers.term, Term::Span("12M_M".parse().unwrap()));
    assert_eq!(tiers.grace.unwrap().to_string(), "30D");
    assert_eq!(
        (tiers.downgrade, tiers.refunds, tiers.counts),
        (Downgrade::OneDown, TierRefunds::AtTerm, Counts::Goods)
    );
    let [silver, gold, platinum] = tiers.levels.as_slice() else { panic!("{:?}", tiers.levels) };
    assert_eq!(silver.name, names(&[("en", "Silver"), ("zh-CN", "银卡")]));
    let free_shipping = names(&[("en", "Free shipping"), ("zh-CN", "包邮")]);
    let benefit = Benefit { code: "free_shipping".to_owned(), name: free_shipping, value: None };
    assert_eq!(silver.benefits, [benefit]);
    assert_eq!(silver.requirement, Requirement { annual_spend: None, orders: Some(1), combine: Combine::All });
    let five_thousand = Some(Decimal::from(5000));
    assert_eq!(gold.requirement, Requirement { annual_spend: five_thousand, orders: Some(3), combine: Combine::Any });
    assert_eq!(gold.benefits[0].value.as_deref(), Some("48 小时"));
    assert_eq!(platinum.requirement.annual_spend.unwrap().to_string(), "20000.50", "in the currency's decimals");
    assert_eq!((platinum.requirement.combine, platinum.benefits.len()), (Combine::All, 0));
    assert_eq!([silver, gold, platinum].map(|level| level.factor.to_string()), ["1", "1.25", "2"]);
    let places = ["silver", "gold-2026", "platinum", "gold"].map(|code| tiers.place(code));
    assert_eq!(places, [Some(0), Some(1), Some(2), None]);
    assert_eq!(Program::read(&program.document()).unwrap(), program);
    assert_eq!(serde_json::from_value::<ProgramDocument>(program.document()).unwrap(), document);
    let text = canonical::to_string(&program.document()).unwrap();
    assert!(text.contains(r#""tiers":{"counts":"goods","downgrade":"one_down","grace":"30D","levels":[{"#), "{text}");
}

#[test]
fn tiers_that_say_little_have_the_defaults() {
    let rules = read_after(|_| ());
    assert_eq!((rules.term, rules.grace), (Term::Span("12M".parse().unwrap()), None));
    assert_eq!(
        (rules.downgrade, rules.refunds, rules.counts),
        (Downgrade::BySpend, TierRefunds::AtOnce, Counts::Money)
    );
    assert!(rules.levels.iter().all(|level| level.factor == Decimal::ONE && level.benefits.is_empty()));
    for period in ["calendar_year", "membership_year"] {
        assert_eq!(read_after(|tiers| tiers["period"] = json!(period)).term, Term::NextPeriod);
    }
    let stored = Program::read(&tiers_after(|_| ())).unwrap().document();
    assert_eq!(
        serde_json::to_value(serde_json::from_value::<ProgramDocument>(stored.clone()).unwrap()).unwrap(),
        stored
    );
}

#[test]
fn every_word_of_the_tiers_is_read_by_its_name() {
    for (name, period) in QualifyingPeriod::ALL {
        assert_eq!(read_after(|tiers| tiers["period"] = json!(name)).period, period);
        assert_eq!(serde_json::to_value(period).unwrap(), name);
    }
    for (name, downgrade) in Downgrade::ALL {
        assert_eq!(read_after(|tiers| tiers["downgrade"] = json!(name)).downgrade, downgrade);
        assert_eq!(serde_json::to_value(downgrade).unwrap(), name);
    }
    for (name, refunds) in TierRefunds::ALL {
        assert_eq!(read_after(|tiers| tiers["refunds"] = json!(name)).refunds, refunds);
        assert_eq!(serde_json::to_value(refunds).unwrap(), name);
    }
    for (name, counts) in Counts::ALL {
        assert_eq!(read_after(|tiers| tiers["counts"] = json!(name)).counts, counts);
        assert_eq!(serde_json::to_value(counts).unwrap(), name);
    }
    for (name, combine) in Combine::ALL {
        let both = |tiers: &mut Value| {
            tiers["levels"][1]["orders"] = json!(2);
            tiers["levels"][1]["requirement"] = json!(name);
        };
        assert_eq!(read_after(both).levels[1].requirement.combine, combine);
        assert_eq!(serde_json::to_value(combine).unwrap(), name);
    }
}

#[test]
fn every_fault_of_the_tiers_is_reported_at_once() {
    let faults = tier_faults(|tiers| {
        *tiers = json!({
            "period": "year", "term": "forever", "grace": "0D", "downgrade": 1, "refunds": "never", "counts": null, "by": 1,
            "levels": [
                { "code": "Silver", "name": { "zh_CN": "银卡" }, "factor": "-0.5", "benefits": [
                    { "code": "", "name": {}, "value": "" },
                    { "code": "gift" },
                    { "code": "gift", "name": { "en": "A gift", "de": 1 }, "values": [] },
                ] },
                7,
                { "code": "gold", "name": "Gold", "annual_spend": "0", "orders": 0, "requirement": "some", "factor": 1.5 },
                { "code": "gold", "name": { "en": "G" }, "orders": 2, "requirement": "any", "level": 4, "benefits": {} },
                { "code": "best", "name": { "en": "B" }, "orders": 1, "annual_spend": "9.999" },
            ],
        });
    });
    let expected = [
        ("/period", "not_one_of"),
        ("/term", "wrong_form"),
        ("/grace", "out_of_range"),
        ("/downgrade", "wrong_type"),
        ("/refunds", "not_one_of"),
        ("/counts", "wrong_type"),
        ("/levels/0/code", "wrong_form"),
        ("/levels/0/name/zh_CN", "wrong_form"),
        ("/levels/0/annual_spend", "contradiction"),
        ("/levels/0/factor", "negative"),
        ("/levels/0/benefits/0/code", "wrong_length"),
        ("/levels/0/benefits/0/name", "wrong_length"),
        ("/levels/0/benefits/0/value", "wrong_length"),
        ("/levels/0/benefits/1/name", "missing"),
        ("/levels/0/benefits/2/code", "contradiction"),
        ("/levels/0/benefits/2/name/de", "wrong_type"),
        ("/levels/0/benefits/2/values", "unknown"),
        ("/levels/1", "wrong_type"),
        ("/levels/2/name", "wrong_type"),
        ("/levels/2/annual_spend", "out_of_range"),
        ("/levels/2/orders", "out_of_range"),
        ("/levels/2/requirement", "not_one_of"),
        ("/levels/2/factor", "wrong_type"),
        ("/levels/3/requirement", "contradiction"),
        ("/levels/3/code", "contradiction"),
        ("/levels/3/benefits", "wrong_type"),
        ("/levels/3/level", "unknown"),
        ("/levels/4/annual_spend", "too_many_decimals"),
        ("/by", "unknown"),
    ];
    let found: Vec<(&str, &str)> = faults.iter().map(|(path, code, _)| (path.as_str(), code.as_str())).collect();
    assert_eq!(found, expected);
}

#[test]
fn the_section_asks_for_a_period_and_levels() {
    let missing = |path: &str| (path.to_owned(), "missing".to_owned(), "is required".to_owned());
    assert_eq!(tier_faults(|tiers| *tiers = json!({})), [missing("/period"), missing("/levels")]);
    let faults = tier_faults(|tiers| tiers["levels"] = json!([{ "orders": 1 }]));
    assert_eq!(faults, [missing("/levels/0/code"), missing("/levels/0/name")]);
    assert_fault("/levels", json!([]), "wrong_length", "must have 1 to 20 items");
    let of_spend = |n: i64| json!({ "code": format!("l{n}"), "name": { "en": "L" }, "annual_spend": n.to_string() });
    let levels = |most: i64| (1..=most).map(of_spend).collect::<Value>();
    assert_fault("/levels", levels(21), "wrong_length", "must have 1 to 20 items");
    assert_eq!(read_after(|tiers| tiers["levels"] = levels(20)).levels.len(), 20);
}

#[test]
fn a_term_lasts_a_day_and_a_rolling_period_has_no_next_one() {
    let message = "must be a period such as 12M: none comes after rolling_12_months";
    assert_fault("/term", json!("next_period"), "contradiction", message);
    for short in ["0D", "23H", "0D_D", "0Y_Y"] {
        assert_fault("/term", json!(short), "out_of_range", "must be at least a day");
    }
    let message = "must be a period such as 30D, 12M or 2Y, with _D, _M or _Y appended to round up to the end of that \
                   day, month or year; or be \"next_period\"";
    assert_fault("/term", json!("12 months"), "wrong_form", message);
    assert_fault("/grace", json!("0H"), "out_of_range", "must be longer than nothing");
    for (term, grace) in [("24H", "1H"), ("1D", "0D_D"), ("100Y", "100Y_Y")] {
        let rules = read_after(|tiers| {
            tiers["term"] = json!(term);
            tiers["grace"] = json!(grace);
        });
        assert_eq!((rules.term, rules.grace), (Term::Span(term.parse().unwrap()), Some(grace.parse().unwrap())));
    }
    let rules = read_after(|tiers| {
        tiers["period"] = json!("membership_year");
        tiers["term"] = json!("next_period");
    });
    assert_eq!(rules.term, Term::NextPeriod);
}

#[test]
fn codes_names_and_values_are_bounded() {
    let longest = "a-z_0".to_owned() + &"9".repeat(27);
    assert_eq!(read_after(|tiers| tiers["levels"][0]["code"] = json!(longest)).levels[0].code, longest);
    assert_fault("/levels/0/code", json!("9".repeat(33)), "wrong_length", "must have 1 to 32 characters");
    for code in ["Silver", "silver card", "银", "silver.1", "silver\n"] {
        let faults = tier_faults(|tiers| tiers["levels"][0]["code"] = json!(code));
        assert_eq!((faults.len(), faults[0].1.as_str()), (1, "wrong_form"), "{code:?}: {faults:?}");
    }
    let name = |name: Value| json!({ "en": name });
    let longest = "é".repeat(100);
    let rules = read_after(|tiers| tiers["levels"][0]["name"] = name(json!(longest)));
    assert_eq!(rules.levels[0].name, names(&[("en", &longest)]));
    let too_long = tier_faults(|tiers| tiers["levels"][0]["name"] = name(json!("é".repeat(101))));
    assert_eq!((too_long[0].0.as_str(), too_long[0].1.as_str()), ("/levels/0/name/en", "wrong_length"));
    let languages = |most: u32| (0..most).map(|n| (format!("en-{n:03}"), json!("Silver"))).collect::<Value>();
    assert_fault("/levels/0/name", languages(51), "wrong_length", "must have 1 to 50 entries");
    assert_eq!(read_after(|tiers| tiers["levels"][0]["name"] = languages(50)).levels[0].name.len(), 50);
    let benefit = |n: usize, value: &str| json!({ "code": format!("b{n}"), "name": { "en": "B" }, "value": value });
    let benefits = |most: usize| (0..most).map(|n| benefit(n, &"é".repeat(200))).collect::<Value>();
    assert_fault("/levels/0/benefits", benefits(51), "wrong_length", "must have 0 to 50 items");
    assert_eq!(read_after(|tiers| tiers["levels"][0]["benefits"] = benefits(50)).levels[0].benefits.len(), 50);
    let too_long = tier_faults(|tiers| tiers["levels"][0]["benefits"] = json!([benefit(0, &"é".repeat(201))]));
    assert_eq!((too_long[0].0.as_str(), too_long[0].1.as_str()), ("/levels/0/benefits/0/value", "wrong_length"));
}

#[test]
fn factors_are_exact_and_bounded() {
    for (factor, code) in [
        (json!("-1"), "negative"),
        (json!("1.005"), "too_many_decimals"),
        (json!("100.01"), "too_large"),
        (json!("1,5"), "wrong_form"),
        (json!(2), "wrong_type"),
    ] {
        let faults = tier_faults(|tiers| tiers["levels"][1]["factor"] = factor);
        assert_eq!((faults.len(), faults[0].0.as_str(), faults[0].1.as_str()), (1, "/levels/1/factor", code));
    }
    for factor in ["0", "0.00", "0.01", "1.25", "100.00"] {
        let rules = read_after(|tiers| tiers["levels"][1]["factor"] = json!(factor));
        assert_eq!(rules.levels[1].factor.to_string(), factor);
    }
}

#[test]
fn the_most_points_times_any_factor_are_exact() {
    let (amount, rate): (Decimal, Decimal) = ("90071992547.409".parse().unwrap(), "98999.999999".parse().unwrap());
    let points = amount.checked_mul(rate).unwrap().checked_mul("1.01".parse().unwrap()).unwrap();
    assert_eq!(points.to_string(), "9006298534724453.19752711691");
}

#[test]
fn the_faults_of_tiers_are_found_beside_one_of_the_currency() {
    let mut document = tiers_after(|tiers| tiers["levels"][1]["annual_spend"] = json!("0.000"));
    document["currency"] = json!("dollars");
    let faults = Program::read(&document).unwrap_err();
    let found: Vec<(&str, &str)> = faults.iter().map(|fault| (fault.path.as_str(), fault.code.as_str())).collect();
    assert_eq!(found, [("/currency", "wrong_form"), ("/tiers/levels/1/annual_spend", "out_of_range")]);
}
