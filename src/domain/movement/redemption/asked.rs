//! What is asked for of redemptions, and what is answered.

use chrono::TimeDelta;
use rust_decimal::Decimal;
use serde::Serialize;
use uuid::Uuid;

use crate::domain::ids::MemberId;
use crate::domain::member::Balances;
use crate::domain::record::redemption::Redemption;

/// The longest that points can be held.
pub const LONGEST_HOLD: TimeDelta = TimeDelta::days(30);

/// Points to be redeemed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RedemptionRequest {
    /// Who redeems.
    pub member_id: MemberId,
    /// For what.
    #[serde(flatten)]
    pub purpose: Purpose,
    /// For how long the points are held, in seconds; none to spend them at once.
    #[serde(rename = "hold_seconds", serialize_with = "seconds")]
    pub hold: Option<TimeDelta>,
}

/// What points are redeemed for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Purpose {
    /// A part of an order.
    Order {
        /// How many points.
        points: i64,
        /// The order, if it has an id already.
        order_id: Option<String>,
        /// The order's amount: the points may pay no more than the programme's share of it.
        order_amount: Option<Decimal>,
    },
    /// A reward.
    Reward {
        /// Which.
        reward_id: Uuid,
        /// How many of it.
        quantity: i64,
    },
}

/// What is captured of a hold.
#[derive(Debug, Clone, PartialEq, Eq, Default, utoipa::ToSchema)]
pub struct CaptureRequest {
    /// How many of its points; absent: all.
    #[schema(nullable = false, minimum = 1, maximum = 9_007_199_254_740_991_i64)]
    pub points: Option<i64>,
    /// The order that they pay: 1 to 64 visible ASCII characters. The order that is posted under this id can then name
    /// the redemption. Absent: the one that the hold was made for, if any.
    #[schema(nullable = false, min_length = 1, max_length = 64, pattern = "^[!-~]+$", example = "A-1001")]
    pub order_id: Option<String>,
}

/// A redemption, and the wallet after what was done to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = RedemptionReceipt)]
pub struct RedemptionReply {
    /// The redemption as it now is.
    #[serde(flatten)]
    pub redemption: Redemption,
    /// The wallet right after it.
    pub wallet: Balances,
}

fn seconds<S: serde::Serializer>(hold: &Option<TimeDelta>, serializer: S) -> Result<S::Ok, S::Error> {
    hold.map(|hold| hold.num_seconds()).serialize(serializer)
}
