//! Programmes for the machine: every rule that points follow, each in a few values.

use std::sync::Arc;

use accrue::domain::program::Program;
use accrue::domain::time::{self, Timestamp};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

/// When worlds begin, by which their first programme has been in force for long.
pub const BEGINNING: &str = "2026-01-20T12:00:00Z";

/// When their second programme takes effect.
pub const CHANGE: &str = "2026-03-20T12:00:00Z";

/// The largest amount that an order earns on, in cents.
pub const MAXIMUM_ORDER: i64 = 500_000;

/// A programme's rules.
#[derive(Debug, Clone)]
pub struct Rules {
    rate: &'static str,
    rounding: &'static str,
    pending: &'static str,
    expiry: &'static str,
    policy: &'static str,
    grace: Option<&'static str>,
    value: Option<&'static str>,
    share: &'static str,
    member_hold: Option<&'static str>,
    /// Directly too? And the most points, of one and of a day.
    transfers: Option<(bool, Option<(i64, i64)>)>,
    /// In which years begin.
    zone: &'static str,
    tiers: Option<Tiers>,
}

/// Tiers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tiers {
    /// The period, the term and the grace.
    kept: (&'static str, &'static str, Option<&'static str>),
    /// Where those go who fall, when refunds count, and what of an order does.
    counted: (&'static str, &'static str, &'static str),
    /// From the lowest to the highest.
    levels: &'static [Level],
}

/// A level: its code, what its members' points are multiplied by, how many orders it asks for, and how much spend.
pub type Level = (&'static str, &'static str, Option<i64>, Option<&'static str>);

/// What most worlds have.
const USUAL: &[Level] =
    &[("silver", "1", Some(2), None), ("gold", "1.5", None, Some("60.00")), ("platinum", "0.33", None, Some("400.00"))];

/// The same without one level or with one more, with other thresholds, in another order, and others.
const OTHERS: [&[Level]; 8] = [
    &[("silver", "1", Some(2), None), ("gold", "1.5", None, Some("60.00"))],
    &[("gold", "1.5", None, Some("60.00")), ("platinum", "0.33", None, Some("400.00"))],
    &[("silver", "1", Some(2), None), ("platinum", "0.33", None, Some("400.00"))],
    &[
        ("bronze", "2", Some(1), None),
        ("silver", "1", Some(2), None),
        ("gold", "1.5", None, Some("60.00")),
        ("platinum", "0.33", None, Some("400.00")),
    ],
    &[("silver", "1", Some(3), None), ("gold", "1.5", None, Some("30.00")), ("platinum", "0.33", None, Some("150.00"))],
    &[
        ("silver", "1", Some(1), None),
        ("gold", "1.5", None, Some("250.00")),
        ("platinum", "0.33", None, Some("2000.00")),
    ],
    &[("gold", "1.25", Some(2), None), ("silver", "3", None, Some("100.00"))],
    &[("bronze", "1", Some(1), None), ("diamond", "1.5", Some(2), Some("120.00"))],
];

impl Rules {
    /// The programme that has these rules.
    pub fn program(&self) -> Arc<Program> {
        Arc::new(Program::read(&self.document()).unwrap_or_else(|faults| panic!("{faults:?}")))
    }

    fn document(&self) -> Value {
        let mut document = json!({
            "name": "Machine", "currency": "USD", "time_zone": self.zone,
            "earning": {
                "points_per_unit": self.rate, "rounding": self.rounding, "pending": self.pending,
                "expiry": self.expiry, "maximum_order_amount": "5000.00",
            },
            "redemption": { "order_share": self.share },
            "refunds": { "policy": self.policy },
        });
        if let Some(grace) = self.grace {
            document["redemption"]["return_grace"] = grace.into();
        }
        if let Some(member_hold) = self.member_hold {
            document["redemption"]["member_hold"] = member_hold.into();
        }
        if let Some(value) = self.value {
            document["redemption"]["point_value"] = value.into();
        }
        if let Some((direct, limits)) = self.transfers {
            document["transfers"] = json!({ "direct": direct, "offer_ttl": "7D" });
            if let Some((maximum, per_day)) = limits {
                document["transfers"]["maximum_points"] = maximum.into();
                document["transfers"]["maximum_points_per_day"] = per_day.into();
            }
        }
        if let Some(Tiers { kept: (period, term, grace), counted: (downgrade, refunds, counts), levels }) = self.tiers {
            let levels: Vec<Value> = levels.iter().map(level).collect();
            document["tiers"] = json!({
                "period": period, "term": term, "downgrade": downgrade, "refunds": refunds, "counts": counts,
                "levels": levels,
            });
            if let Some(grace) = grace {
                document["tiers"]["grace"] = grace.into();
            }
        }
        document
    }

    /// The same with the tiers of another, and the zone in which they are.
    pub fn with_tiers_of(self, other: &Self) -> Self {
        Self { tiers: other.tiers, zone: other.zone, ..self }
    }

    /// The same with other tiers.
    pub fn with_tiers(self, changed: Changed) -> Self {
        match (changed, self.tiers) {
            (Changed::Levels(levels), Some(tiers)) => Self { tiers: Some(Tiers { levels, ..tiers }), ..self },
            (Changed::Kept(kept), Some(tiers)) => Self { tiers: Some(Tiers { kept, ..tiers }), ..self },
            (Changed::Zone(zone), _) => Self { zone, ..self },
            (Changed::All(tiers), _) => Self { tiers, ..self },
            (Changed::Levels(_) | Changed::Kept(_), None) => self,
        }
    }
}

/// What a version changes of the tiers.
#[derive(Debug, Clone, Copy)]
pub enum Changed {
    Levels(&'static [Level]),
    Kept((&'static str, &'static str, Option<&'static str>)),
    Zone(&'static str),
    All(Option<Tiers>),
}

/// Whatever a version may change of the tiers.
pub fn changes() -> impl Strategy<Value = Changed> {
    prop_oneof![
        4 => levels().prop_map(Changed::Levels),
        2 => kept().prop_map(Changed::Kept),
        1 => select(vec!["UTC", "Asia/Shanghai"]).prop_map(Changed::Zone),
        4 => tiers().prop_map(Changed::All),
    ]
}

fn level(&(code, factor, orders, spend): &Level) -> Value {
    let mut level = json!({ "code": code, "name": { "en": code }, "factor": factor });
    if let Some(orders) = orders {
        level["orders"] = orders.into();
    }
    if let Some(spend) = spend {
        level["annual_spend"] = spend.into();
    }
    level
}

/// Any rules.
pub fn rules() -> impl Strategy<Value = Rules> {
    let earning = (
        select(vec!["1", "0.5", "0.01", "3.333333", "10"]),
        select(vec!["down", "half_up", "half_even", "up"]),
        select(vec!["14D", "0D"]),
        select(vec!["12M_M", "12M", "never", "1M"]),
    );
    let spending = (
        select(vec!["within_balance", "unlimited", "only_pending"]),
        select(vec![None, Some("30D"), Some("1D_D")]),
        select(vec![Some("0.01"), None, Some("0.015"), Some("0.004"), Some("20")]),
        select(vec!["1", "0.5"]),
        select(vec![None, Some("1D")]),
        select(vec![Some((true, None)), Some((true, Some((60, 50)))), Some((false, Some((40, 70)))), None]),
    );
    (earning, spending, tiers()).prop_map(
        |((rate, rounding, pending, expiry), (policy, grace, value, share, member_hold, transfers), tiers)| Rules {
            rate,
            rounding,
            pending,
            expiry,
            policy,
            grace,
            value,
            share,
            member_hold,
            transfers,
            zone: "America/New_York",
            tiers,
        },
    )
}

fn tiers() -> impl Strategy<Value = Option<Tiers>> {
    let counted =
        (select(vec!["one_down", "by_spend"]), select(vec!["at_once", "at_term"]), select(vec!["money", "goods"]));
    let levels = prop_oneof![3 => Just(USUAL), 1 => levels()];
    let tiers = (kept(), counted, levels).prop_map(|(kept, counted, levels)| Tiers { kept, counted, levels });
    proptest::option::weighted(0.7, tiers)
}

fn kept() -> impl Strategy<Value = (&'static str, &'static str, Option<&'static str>)> {
    let term = select(vec![
        ("calendar_year", "next_period"),
        ("calendar_year", "3M_M"),
        ("membership_year", "next_period"),
        ("rolling_12_months", "12M"),
        ("rolling_12_months", "2M_M"),
    ]);
    let grace = select(vec![None, Some("1M"), Some("40D_D")]);
    (term, grace).prop_map(|((period, term), grace)| (period, term, grace))
}

fn levels() -> impl Strategy<Value = &'static [Level]> {
    select(OTHERS.to_vec())
}

/// A timestamp from its text.
pub fn instant(text: &str) -> Timestamp {
    time::parse(text).expect("a timestamp")
}
