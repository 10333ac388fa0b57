//! What an order is answered.

use rust_decimal::Decimal;
use serde::Serialize;

use crate::domain::ids::MemberId;
use crate::domain::journal::canonical::Json;
use crate::domain::member::Balances;
use crate::domain::program::earning::{ShownStep, Step};
use crate::domain::program::level::Level;
use crate::domain::record::lot::NewLot;
use crate::domain::time::{self, Timestamp};

/// What an order brought: the answer to the checkout, and again whenever the order is sent again.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[schema(as = OrderReceipt)]
pub struct OrderReply {
    /// The order.
    pub order_id: String,
    /// Who ordered.
    pub member_id: MemberId,
    /// The points, and why.
    pub earned: Earned,
    /// What was paid with points, where redemptions paid a part.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub paid: Option<Paid>,
    /// The member's tier, where it had one or has one now.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub tier: Option<TierChange>,
    /// The wallet right after it.
    pub wallet: Balances,
}

impl OrderReply {
    /// The answer again, from the payload of the entry that recorded the order of `member_id`: what is answered is not
    /// stored a second time. None if it cannot be read, and where it does not follow: of an order that earned nothing the
    /// entry does not state the life of points, and where time did more to the wallet at once, that is stated by the
    /// entries after it.
    pub fn of_entry(order_id: String, member_id: MemberId, payload: &str) -> Option<Self> {
        let payload = Json::read(payload)?;
        let order = payload.get("order")?;
        let lot = NewLot::all_from(&payload).ok()?.into_iter().next()?;
        let steps: Vec<Step> = payload.get("calculation")?.to()?;
        let paid = |points: &Json<'_>| {
            Some(Paid { points: points.as_i64()?, value: order.get("paid")?.as_str()?.parse().ok()? })
        };
        Some(Self {
            order_id,
            member_id,
            earned: Earned {
                points: payload.get("points")?.as_i64()?,
                active_at: lot.active_at,
                expires_at: lot.expires_at,
                calculation: steps.into_iter().map(ShownStep::from).collect(),
            },
            paid: match order.get("paid_points") {
                Some(points) => Some(paid(points)?),
                None => None,
            },
            tier: order.get("tier").and_then(Json::as_str).map(TierChange::stays),
            wallet: payload.get("balance")?.to()?,
        })
    }
}

/// A member's tier before an order and after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct TierChange {
    /// The code of the tier that the order earned by; null without one.
    #[schema(max_length = 32, example = "silver")]
    pub before: Option<String>,
    /// The code of the tier that the member has now; null without one.
    #[schema(max_length = 32, example = "gold")]
    pub after: Option<String>,
}

impl TierChange {
    /// From one level to another; none where there is neither.
    pub fn of(before: Option<&Level>, after: Option<&Level>) -> Option<Self> {
        let code = |level: Option<&Level>| level.map(|level| level.code.clone());
        before.or(after).map(|_| Self { before: code(before), after: code(after) })
    }

    fn stays(code: &str) -> Self {
        Self { before: Some(code.to_owned()), after: Some(code.to_owned()) }
    }
}

/// What points paid of an order.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Paid {
    /// How many.
    pub points: i64,
    /// What they are worth, a decimal string in the order's currency.
    #[serde(with = "rust_decimal::serde::str")]
    #[schema(value_type = String, example = "5.00")]
    pub value: Decimal,
}

/// Points earned by an order.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Earned {
    /// How many; zero is possible.
    pub points: i64,
    /// When they become active.
    #[serde(with = "time::serde_canonical")]
    #[schema(value_type = String, format = DateTime)]
    pub active_at: Timestamp,
    /// The first instant at which they can no longer be used; null if they never expire.
    #[serde(with = "time::serde_canonical::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// Rule by rule.
    pub calculation: Vec<ShownStep>,
}
