//! Redemption: what points are worth in money, how much of an order they may pay, and what becomes of points that
//! come back.

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::{Deserialize, Serialize};

use crate::domain::fields::{self, Fields};
use crate::domain::money::{self, Currency};
use crate::domain::refusal::Refusal;
use crate::domain::time::Period;

/// The highest value of a point, in units of the programme's currency.
const MAX_POINT_VALUE: u64 = 1_000;

/// The most decimals of a point's value.
const POINT_VALUE_DECIMALS: u32 = 6;

/// The most decimals of the share of an order.
const ORDER_SHARE_DECIMALS: u32 = 4;

/// What points can pay, as the programme document writes it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RedemptionDocument {
    /// What a point is worth in the programme's currency: a decimal string above 0 and up to 1000, with at most 6
    /// decimals. Absent: points have no value in money.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_length = 11, example = "0.01")]
    pub point_value: Option<String>,
    /// The largest share of an order's amount that may be paid with points: a decimal string above 0 and up to 1, with
    /// at most 4 decimals. An order goes by the version in force when it occurred. Absent: 1, the whole order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_length = 6, example = "0.5")]
    pub order_share: Option<String>,
    /// How long points are good for that come back after they were captured, or that a client gives back from a hold,
    /// when they have expired by then: a period such as 30D, from their return. Absent: they expire at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_length = 9, example = "30D")]
    pub return_grace: Option<String>,
    /// How long a member may hold points by its own token at most: a period such as 1H. Absent: 1H.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_length = 9, example = "1H")]
    pub member_hold: Option<String>,
}

/// What points can pay, compiled from a [`RedemptionDocument`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedemptionRules {
    /// What a point is worth in the programme's currency, above zero. `None`: nothing in money.
    pub point_value: Option<Decimal>,
    /// The largest share of an order's amount that may be paid with points, above zero and at most one.
    pub order_share: Decimal,
    /// How long points are good for that come back after a capture, or from a hold by a client, from their return, when
    /// their lot has expired by then. `None`: they expire at once.
    pub return_grace: Option<Period>,
    /// How long a member may hold points by its own token at most.
    pub member_hold: Period,
}

impl RedemptionRules {
    /// Reads the `redemption` object of a document.
    pub fn read(redemption: &mut Fields<'_>) -> Option<Self> {
        let value = fields::above_zero(fields::decimal(POINT_VALUE_DECIMALS, MAX_POINT_VALUE));
        let point_value = redemption.optional("point_value", value);
        let share = fields::above_zero(fields::decimal(ORDER_SHARE_DECIMALS, 1));
        let order_share = redemption.optional("order_share", share).unwrap_or(Decimal::ONE);
        let return_grace = redemption.optional("return_grace", fields::lasting_period);
        let member_hold = redemption.optional("member_hold", fields::lasting_period).unwrap_or(Period::HOUR);
        Some(Self { point_value, order_share, return_grace, member_hold })
    }

    /// What `points`, which are not negative, are worth: rounded down to what `currency` can pay. `None` where points
    /// have no value in money, and beyond what a [`Decimal`] holds.
    pub fn value_of(&self, points: i64, currency: Currency) -> Option<Decimal> {
        money::product_rounded_down(points.into(), self.point_value?, currency)
    }

    /// The fewest points that are worth something in `currency`. `None` where points have no value in money.
    pub fn least_of_worth(&self, currency: Currency) -> Option<i64> {
        let smallest = Decimal::new(1, currency.minor_units());
        smallest.checked_div(self.point_value?)?.ceil().to_i64()
    }

    /// How much of an order of `order_amount`, which is not negative, may be paid with points: rounded down to what
    /// `currency` can pay. `None` beyond what a [`Decimal`] holds, which no amount up to [`money::MAX_AMOUNT`] is.
    pub fn most_for(&self, order_amount: Decimal, currency: Currency) -> Option<Decimal> {
        money::product_rounded_down(order_amount, self.order_share, currency)
    }

    /// Refuses points worth `value` for an order of `amount` if they are more than it may be paid with.
    pub fn check_share(&self, value: Decimal, amount: Decimal, currency: Currency) -> Result<(), Refusal> {
        let most = self.most_for(amount, currency).ok_or(Refusal::PointsOverLimit)?;
        if value > most {
            return Err(Refusal::OverOrderShare { maximum: money::format_amount(most, currency) });
        }
        Ok(())
    }
}

impl Default for RedemptionRules {
    /// Those of a document that says nothing of redemption.
    fn default() -> Self {
        Self { point_value: None, order_share: Decimal::ONE, return_grace: None, member_hold: Period::HOUR }
    }
}
