//! Earning: what an order is worth in points, when the points become active and when they expire.
//!
//! Base points = eligible amount × points per unit of currency, rounded once, at the end, by the programme's
//! rule. The multiplication is exact: the largest amount and the largest rate have 28 digits together, which is
//! what a [`Decimal`] holds.

#[cfg(test)]
mod tests;

use chrono_tz::Tz;
use rust_decimal::prelude::ToPrimitive;
use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::amount_above_zero;
use crate::domain::fields::{self, Fields, Wrong};
use crate::domain::journal::entry::MAX_POINTS;
use crate::domain::money::{self, Currency};
use crate::domain::program::level::Level;
use crate::domain::time::{Period, Timestamp};

/// The highest rate, in points per unit of currency.
pub const MAX_POINTS_PER_UNIT: u64 = 1_000_000;

/// The most decimals of the rate.
pub const RATE_DECIMALS: u32 = 6;

/// How orders earn points, as the programme document writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EarningDocument {
    /// Points per one unit of currency: a decimal string from 0 to 1000000 with at most 6 decimals.
    #[schema(max_length = 14, example = "1")]
    pub points_per_unit: String,
    /// How the points of an order become a whole number, once, at the end of the calculation.
    pub rounding: Rounding,
    /// From the order's time until its points become active (the return window): a period such as 14D.
    #[schema(max_length = 9, example = "14D")]
    pub pending: String,
    /// From the order's time until its points expire: a period such as 12M_M (twelve months, then to the end of
    /// that month), or "never". Must not be able to end before `pending`.
    #[schema(max_length = 9, example = "12M_M")]
    pub expiry: String,
    /// The largest amount that a single order may earn on: a decimal string above zero, in the programme's
    /// currency. Absent: the service's own limit, 1000000000000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_length = 17, example = "100000.00")]
    pub maximum_order_amount: Option<String>,
}

/// How a calculated number of points becomes a whole one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rounding {
    /// To the whole number below.
    Down,
    /// To the nearest, halves up.
    HalfUp,
    /// To the nearest, halves to the even one.
    HalfEven,
    /// To the whole number above.
    Up,
}

impl Rounding {
    /// Each with its name in documents.
    pub const ALL: [(&str, Self); 4] =
        [("down", Self::Down), ("half_up", Self::HalfUp), ("half_even", Self::HalfEven), ("up", Self::Up)];

    /// The whole number of points that `points`, which is not negative, is rounded to.
    ///
    /// # Errors
    ///
    /// [`EarnFault::TooManyPoints`] above [`MAX_POINTS`].
    pub fn apply(self, points: Decimal) -> Result<i64, EarnFault> {
        let strategy = match self {
            Self::Down => RoundingStrategy::ToZero,
            Self::HalfUp => RoundingStrategy::MidpointAwayFromZero,
            Self::HalfEven => RoundingStrategy::MidpointNearestEven,
            Self::Up => RoundingStrategy::AwayFromZero,
        };
        match points.round_dp_with_strategy(0, strategy).to_i64() {
            Some(whole) if whole <= MAX_POINTS => Ok(whole),
            _ => Err(EarnFault::TooManyPoints),
        }
    }
}

/// How orders earn points, compiled from an [`EarningDocument`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EarningRules {
    /// Points per one unit of currency, not negative. Zero where orders earn by other rules alone.
    pub points_per_unit: Decimal,
    /// How points become a whole number.
    pub rounding: Rounding,
    /// From the order's time until its points become active.
    pub pending: Period,
    /// From the order's time until its points expire. `None`: never.
    pub expiry: Option<Period>,
    /// The largest amount a single order may earn on, above zero.
    pub maximum_order_amount: Option<Decimal>,
}

impl EarningRules {
    /// Reads the `earning` object of a document. `currency` is `None` where the document's own has a fault, so
    /// that the faults here are found all the same.
    pub fn read(earning: &mut Fields<'_>, currency: Option<Currency>) -> Option<Self> {
        let rate = fields::decimal(RATE_DECIMALS, MAX_POINTS_PER_UNIT);
        let points_per_unit = earning.required("points_per_unit", rate);
        let rounding = earning.required("rounding", fields::one_of(&Rounding::ALL));
        let pending: Option<Period> = earning.required("pending", fields::parsed);
        let expiry = earning.required("expiry", read_expiry);
        let maximum_order_amount = earning.optional("maximum_order_amount", |value| amount_above_zero(value, currency));
        if let (Some(pending), Some(Some(expiry))) = (pending, expiry)
            && !pending.never_outlasts(&expiry)
        {
            let message = format!("must not be able to end after expiry ({expiry})");
            earning.fault("pending", Wrong::new("contradiction", message));
        }
        Some(Self {
            points_per_unit: points_per_unit?,
            rounding: rounding?,
            pending: pending?,
            expiry: expiry?,
            maximum_order_amount,
        })
    }

    /// What an order earns in `currency`, with days that begin by `zone`, and why. Zero points are an answer too.
    ///
    /// # Errors
    ///
    /// [`EarnFault`].
    pub fn earn(&self, currency: Currency, zone: Tz, facts: &EarningFacts<'_>) -> Result<Earning, EarnFault> {
        if facts.amount < Decimal::ZERO {
            return Err(EarnFault::NegativeAmount);
        }
        if let Some(maximum) = self.maximum_order_amount.filter(|most| facts.amount > *most) {
            return Err(EarnFault::AmountAboveMaximum { maximum });
        }
        let mut unrounded = facts.amount.checked_mul(self.points_per_unit).ok_or(EarnFault::TooManyPoints)?;
        let mut calculation = vec![Step::Base {
            amount: money::in_minor_units(facts.amount, currency),
            points_per_unit: self.points_per_unit.normalize(),
            points: unrounded.normalize(),
        }];
        if let Some(level) = facts.level.filter(|level| level.factor != Decimal::ONE) {
            unrounded = unrounded.normalize().checked_mul(level.factor).ok_or(EarnFault::TooManyPoints)?;
            let (factor, points) = (level.factor.normalize(), unrounded.normalize());
            calculation.push(Step::Tier { code: level.code.clone(), factor, points });
        }
        let points = self.rounding.apply(unrounded)?;
        calculation.push(Step::Rounding { mode: self.rounding, points });
        let (active_at, expires_at) = self.life(zone, facts.occurred_at);
        Ok(Earning { points, active_at, expires_at, calculation })
    }

    /// When points earned at `occurred_at` become active and when they expire.
    ///
    /// Valid rules keep this order but for zones that skipped a whole date; there the points become active as they
    /// expire, so that no lot ever has its activation after its expiry.
    fn life(&self, zone: Tz, occurred_at: Timestamp) -> (Timestamp, Option<Timestamp>) {
        let active_at = self.pending.after(occurred_at, zone);
        match self.expiry {
            None => (active_at, None),
            Some(expiry) => {
                let expires_at = expiry.after(occurred_at, zone);
                (active_at.min(expires_at), Some(expires_at))
            }
        }
    }
}

/// What earning needs to know of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EarningFacts<'a> {
    /// The eligible amount in the programme's currency: goods after discounts, less the part paid with points.
    pub amount: Decimal,
    /// When the order occurred: pending and expiry count from here.
    pub occurred_at: Timestamp,
    /// The tier that the member has; none without one.
    pub level: Option<&'a Level>,
}

/// What an order earns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earning {
    /// Points, from 0 to [`MAX_POINTS`].
    pub points: i64,
    /// When they become active. Never after `expires_at`.
    pub active_at: Timestamp,
    /// When they expire: they can be spent strictly before. `None`: never.
    pub expires_at: Option<Timestamp>,
    /// Why so many, rule by rule.
    pub calculation: Vec<Step>,
}

/// One rule of a calculation, with what it was given and what it made of it, as the journal keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case")]
pub enum Step {
    /// Points by amount.
    Base {
        /// The eligible amount, with the currency's decimals.
        #[serde(with = "rust_decimal::serde::str")]
        amount: Decimal,
        /// The programme's rate.
        #[serde(with = "rust_decimal::serde::str")]
        points_per_unit: Decimal,
        /// Their product, not yet rounded.
        #[serde(with = "rust_decimal::serde::str")]
        points: Decimal,
    },
    /// More or fewer by the member's tier.
    Tier {
        /// The tier's code.
        code: String,
        /// Its factor.
        #[serde(with = "rust_decimal::serde::str")]
        factor: Decimal,
        /// The points so far, multiplied by it and not yet rounded.
        #[serde(with = "rust_decimal::serde::str")]
        points: Decimal,
    },
    /// The one rounding, at the end.
    Rounding {
        /// The programme's rule.
        mode: Rounding,
        /// Whole points.
        points: i64,
    },
}

/// A step as answers show it: no two of its forms have a field of the same name and of two types, which generated clients
/// of some languages cannot read. Answers that were given before had `points` in the place of `unrounded_points`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = CalculationStep)]
#[serde(tag = "rule", rename_all = "snake_case")]
pub enum ShownStep {
    /// Points by amount.
    Base {
        /// The eligible amount, a decimal string with the currency's decimals.
        #[serde(with = "rust_decimal::serde::str")]
        #[schema(value_type = String, example = "29.33")]
        amount: Decimal,
        /// The programme's rate, a decimal string.
        #[serde(with = "rust_decimal::serde::str")]
        #[schema(value_type = String, example = "1")]
        points_per_unit: Decimal,
        /// Their product, a decimal string, not yet rounded.
        #[serde(with = "rust_decimal::serde::str", alias = "points")]
        #[schema(value_type = String, example = "29.33")]
        unrounded_points: Decimal,
    },
    /// More or fewer by the tier that the member had.
    Tier {
        /// The tier's code.
        #[schema(max_length = 32, example = "gold")]
        code: String,
        /// Its factor, a decimal string.
        #[serde(with = "rust_decimal::serde::str")]
        #[schema(value_type = String, example = "1.5")]
        factor: Decimal,
        /// The points so far multiplied by it, a decimal string, not yet rounded.
        #[serde(with = "rust_decimal::serde::str")]
        #[schema(value_type = String, example = "43.995")]
        unrounded_points: Decimal,
    },
    /// The one rounding, at the end.
    Rounding {
        /// The programme's rule.
        mode: Rounding,
        /// Whole points.
        #[schema(minimum = 0, example = 29)]
        points: i64,
    },
}

impl From<Step> for ShownStep {
    fn from(step: Step) -> Self {
        match step {
            Step::Base { amount, points_per_unit, points } => {
                ShownStep::Base { amount, points_per_unit, unrounded_points: points }
            }
            Step::Tier { code, factor, points } => ShownStep::Tier { code, factor, unrounded_points: points },
            Step::Rounding { mode, points } => ShownStep::Rounding { mode, points },
        }
    }
}

/// Why an order cannot earn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EarnFault {
    /// The amount is below zero.
    #[error("the amount is negative")]
    NegativeAmount,
    /// The amount is above the programme's limit for a single order.
    #[error("the amount is above the programme's maximum for an order, {maximum}")]
    AmountAboveMaximum {
        /// The limit, in the programme's currency.
        maximum: Decimal,
    },
    /// More than [`MAX_POINTS`].
    #[error("the order would earn more than {MAX_POINTS} points")]
    TooManyPoints,
}

/// A period, or "never" for `None`.
fn read_expiry(value: &Value) -> Result<Option<Period>, Wrong> {
    if value.as_str() == Some("never") {
        return Ok(None);
    }
    fields::parsed(value)
        .map(Some)
        .map_err(|wrong| Wrong::new(wrong.code, format!("{}; or be \"never\"", wrong.message)))
}
