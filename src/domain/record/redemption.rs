//! A redemption as the journal states it and the API shows it.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::ids::{MemberId, RedemptionId};
use crate::domain::money::{self, Currency};
use crate::domain::record::due::Due;
use crate::domain::record::lot::Taking;
use crate::domain::record::{Record, Recorded};
use crate::domain::refusal::Refusal;
use crate::domain::time::{self, Timestamp};

/// How far a redemption has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RedemptionStatus {
    /// Its points are set aside until it is captured or voided, or lapses.
    Held,
    /// Its points are spent.
    Captured,
    /// It was given up.
    Voided,
    /// Its hold reached its end.
    Lapsed,
    /// All that was captured came back.
    Returned,
}

impl RedemptionStatus {
    /// Each with its name.
    pub const ALL: [(&str, Self); 5] = [
        ("held", Self::Held),
        ("captured", Self::Captured),
        ("voided", Self::Voided),
        ("lapsed", Self::Lapsed),
        ("returned", Self::Returned),
    ];

    /// The name in the database and the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Captured => "captured",
            Self::Voided => "voided",
            Self::Lapsed => "lapsed",
            Self::Returned => "returned",
        }
    }
}

/// Who made a redemption.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = RedemptionMaker)]
#[serde(rename_all = "snake_case")]
pub enum Maker {
    /// A client of the shop, such as the checkout.
    Client,
    /// The member, by its own token.
    Member,
}

/// Points spent, or set aside to be: as the journal states it and the API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Redemption {
    /// Its id.
    pub id: RedemptionId,
    /// Who redeems.
    pub member_id: MemberId,
    /// Who made it. Absent where it was made before this was written down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub made_by: Option<Maker>,
    /// How far it has come.
    pub status: RedemptionStatus,
    /// How many points were asked for.
    pub points: i64,
    /// How many of them are spent; what came back later still counts here.
    pub captured: i64,
    /// How many of those came back.
    pub returned: i64,
    /// The order that they pay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub order_id: Option<String>,
    /// The reward that they are redeemed for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reward_id: Option<Uuid>,
    /// How many of the reward.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub quantity: Option<i64>,
    /// What the points are worth in money, a decimal string: those captured, or those held before. Absent where the
    /// programme gives points no value, and for rewards.
    #[serde(default, with = "rust_decimal::serde::str_option", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false, example = "12.50")]
    pub value: Option<Decimal>,
    /// The currency of `value`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false, example = "USD")]
    pub currency: Option<Currency>,
    /// When it was made.
    #[serde(with = "time::serde_canonical")]
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When the hold lapses unless it was captured or voided before; null without a hold.
    #[serde(with = "time::serde_canonical::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub lapses_at: Option<Timestamp>,
    /// The lots that the points are from, in the order of taking: those captured, or all that were held.
    pub lots: Vec<Taking>,
}

impl Redemption {
    /// When it falls due by time alone.
    pub fn due_at(&self) -> Option<Timestamp> {
        self.lapses_at.filter(|_| self.status == RedemptionStatus::Held)
    }

    /// As it stands at `now`, though nothing may have written its lapse (invariant 9).
    pub fn at(self, now: Timestamp) -> Self {
        match self.due_at() {
            Some(due_at) if due_at <= now => Self { status: RedemptionStatus::Lapsed, ..self },
            _ => self,
        }
    }

    /// How many units of its reward it takes from the stock: all, less those that came back.
    pub fn stock_taken(&self) -> i64 {
        let quantity = self.quantity.unwrap_or_default();
        match self.status {
            RedemptionStatus::Held => quantity,
            RedemptionStatus::Captured => quantity - self.returned.checked_div(self.unit()).unwrap_or_default(),
            RedemptionStatus::Voided | RedemptionStatus::Lapsed | RedemptionStatus::Returned => 0,
        }
    }

    /// What one of the reward cost.
    pub fn unit(&self) -> i64 {
        self.points.checked_div(self.quantity.unwrap_or_default()).unwrap_or_default()
    }

    /// What `part` of its `whole` points is worth: its share of the value, as every point is worth the same. `None`
    /// where it has no value in money.
    ///
    /// Errors: the part is worth less than the smallest coin, so that its points would be spent for nothing.
    pub fn worth_of(&self, part: i64, whole: i64) -> Result<Option<Decimal>, Refusal> {
        let (Some(value), Some(currency)) = (self.value, self.currency) else { return Ok(None) };
        let worth = money::share(value, part, whole, currency).ok_or(Refusal::PointsOverLimit)?;
        if worth.is_zero() {
            // All of what was made before there was this refusal may be worth nothing.
            let coins = money::in_minor(value, currency).filter(|coins| *coins > 0);
            let least = coins.map_or(whole + 1, |coins| (whole - 1) / coins + 1);
            return Err(Refusal::PointsWorthNothing { least });
        }
        Ok(Some(worth))
    }

    /// Is it the member's own affair: made by its own token, and for no order?
    pub fn is_members_own(&self) -> bool {
        self.made_by == Some(Maker::Member) && self.order_id.is_none()
    }

    /// How many captured points have not come back.
    pub fn spent(&self) -> i64 {
        self.captured - self.returned
    }
}

impl Recorded for Redemption {
    fn id(&self) -> Uuid {
        self.id.uuid()
    }

    fn member_id(&self) -> MemberId {
        self.member_id
    }

    fn status(&self) -> &'static str {
        self.status.name()
    }

    fn created_at(&self) -> Timestamp {
        self.created_at
    }

    fn due(&self) -> Option<(Timestamp, Due)> {
        self.due_at().map(|at| (at, Due::Hold))
    }

    fn ended(&self) -> Record {
        Self { status: RedemptionStatus::Lapsed, ..self.clone() }.into()
    }

    fn about(&self) -> Option<Uuid> {
        self.reward_id
    }

    fn lots(&self) -> &[Taking] {
        &self.lots
    }

    fn is_open(&self) -> bool {
        matches!(self.status, RedemptionStatus::Held | RedemptionStatus::Captured)
    }

    fn counts(&self) -> bool {
        self.reward_id.is_some() && self.is_open()
    }

    fn takes(&self) -> Option<(Uuid, i64)> {
        self.reward_id.map(|reward| (reward, self.stock_taken()))
    }
}
