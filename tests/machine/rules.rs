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
    tiers: Option<Tiers>,
}

/// Tiers: the period, the term, the grace, where those go who fall, when refunds count, and what of an order does.
type Tiers = (&'static str, &'static str, Option<&'static str>, &'static str, &'static str, &'static str);

impl Rules {
    /// The programme that has these rules.
    pub fn program(&self) -> Arc<Program> {
        Arc::new(Program::read(&self.document()).unwrap_or_else(|faults| panic!("{faults:?}")))
    }

    fn document(&self) -> Value {
        let mut document = json!({
            "name": "Machine", "currency": "USD", "time_zone": "America/New_York",
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
        if let Some((period, term, grace, downgrade, refunds, counts)) = self.tiers {
            let level = |code: &str, factor: &str| json!({ "code": code, "name": { "en": code }, "factor": factor });
            let mut levels =
                [("silver", "1"), ("gold", "1.5"), ("platinum", "0.33")].map(|(code, factor)| level(code, factor));
            levels[0]["orders"] = 2.into();
            levels[1]["annual_spend"] = "60.00".into();
            levels[2]["annual_spend"] = "400.00".into();
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

    /// The same with the tiers of another.
    pub fn with_tiers_of(self, other: &Self) -> Self {
        Self { tiers: other.tiers, ..self }
    }
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
    let kept = (
        select(vec![
            ("calendar_year", "next_period"),
            ("calendar_year", "3M_M"),
            ("membership_year", "next_period"),
            ("rolling_12_months", "12M"),
            ("rolling_12_months", "2M_M"),
        ]),
        select(vec![None, Some("1M"), Some("40D_D")]),
    );
    let changed =
        (select(vec!["one_down", "by_spend"]), select(vec!["at_once", "at_term"]), select(vec!["money", "goods"]));
    let tiers = proptest::option::weighted(0.7, (kept, changed));
    (earning, spending, tiers).prop_map(
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
            tiers: tiers.map(|(((period, term), grace), (downgrade, refunds, counts))| {
                (period, term, grace, downgrade, refunds, counts)
            }),
        },
    )
}

/// A timestamp from its text.
pub fn instant(text: &str) -> Timestamp {
    time::parse(text).expect("a timestamp")
}
