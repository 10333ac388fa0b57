//! What redemptions are asked for with.

use chrono::TimeDelta;
use serde_json::Value;
use uuid::Uuid;

use crate::domain::fields::{self, Fields, Wrong};
use crate::domain::journal::entry::MAX_POINTS;
use crate::domain::money;
use crate::domain::movement::order::Order;
use crate::domain::movement::redemption::{CaptureRequest, LONGEST_HOLD, Purpose};
use crate::domain::record::redemption::RedemptionStatus;
use crate::domain::time::parse_span;
use crate::http::call::{Parameter, Shape};
use crate::http::caller::Whose;
use crate::http::input::Read;
use crate::http::page::{PAGE, Page};

/// A redemption to be made: `points`, perhaps with `order_id` and `order_amount`, or `reward_id`, perhaps with
/// `quantity`.
#[derive(utoipa::ToSchema)]
#[schema(as = RedemptionRequest)]
#[expect(dead_code, reason = "the fields are there for the document")]
pub struct RedemptionFields {
    /// Who redeems; a member's token may leave it out, or say `me`.
    #[schema(nullable = false)]
    member_id: Option<String>,
    /// How many points to spend on an order.
    #[schema(nullable = false, minimum = 1, maximum = 9_007_199_254_740_991_i64)]
    points: Option<i64>,
    /// The order, if it has an id already: 1 to 64 visible ASCII characters.
    #[schema(nullable = false, min_length = 1, max_length = 64, pattern = "^[!-~]+$", example = "A-1001")]
    order_id: Option<String>,
    /// The order's amount in the programme's currency, a decimal string: the points may pay no more than the
    /// programme's share of it.
    #[schema(nullable = false, example = "25.00")]
    order_amount: Option<String>,
    /// The reward to redeem for.
    #[schema(nullable = false)]
    reward_id: Option<Uuid>,
    /// How many of the reward; else one.
    #[schema(nullable = false, minimum = 1, maximum = 1_000)]
    quantity: Option<i64>,
    /// Sets the points aside instead of spending them at once.
    #[schema(nullable = false)]
    hold: Option<Hold>,
}

/// For how long points are set aside.
#[derive(utoipa::ToSchema)]
#[schema(as = HoldRequest)]
pub struct Hold {
    /// From `1s` to `30d`: a whole number with `s`, `m`, `h` or `d`. By a member's token at most the programme's
    /// `member_hold`.
    #[schema(value_type = String, example = "15m")]
    pub ttl: TimeDelta,
}

/// How many of the points; absent: all.
#[derive(utoipa::ToSchema)]
#[schema(as = ReturnRequest)]
pub struct PartOfPoints {
    /// How many.
    #[schema(nullable = false, minimum = 1, maximum = 9_007_199_254_740_991_i64)]
    pub points: Option<i64>,
}

/// See [`RedemptionFields`].
pub struct RedemptionBody {
    /// Who redeems.
    pub member_id: Option<Whose>,
    /// For what.
    pub purpose: Purpose,
    /// For how long the points are set aside.
    pub hold: Option<Hold>,
}

impl Read for RedemptionBody {
    fn read(body: &mut Fields<'_>) -> Option<Self> {
        let member_id = body.optional("member_id", fields::parsed);
        let (for_order, for_reward) = (body.has("points"), body.has("reward_id"));
        let points = body.optional("points", read_points);
        let order_id = body.optional("order_id", Order::read_id);
        let amount = fields::decimal(money::MAX_MINOR_UNITS, money::MAX_AMOUNT);
        let order_amount = body.optional("order_amount", fields::above_zero(amount));
        let reward_id = body.optional("reward_id", fields::uuid);
        let quantity = body.optional("quantity", fields::integer(1..=1_000));
        let hold = body.optional_object("hold", |hold| hold.required("ttl", read_ttl).map(|ttl| Hold { ttl }));
        let mut contradiction = |field, message| body.fault(field, Wrong::new("contradiction", message));
        match (for_order, for_reward) {
            (false, false) => contradiction("points", "must be given, or else reward_id"),
            (true, true) => contradiction("reward_id", "must not be given beside points"),
            _ => {}
        }
        if for_reward && !for_order {
            for field in ["order_id", "order_amount"] {
                if body.has(field) {
                    body.fault(field, Wrong::new("contradiction", "goes with points, not with a reward"));
                }
            }
        }
        if for_order && !for_reward && body.has("quantity") {
            body.fault("quantity", Wrong::new("contradiction", "goes with a reward, not with points"));
        }
        let purpose = match reward_id {
            Some(reward_id) => Purpose::Reward { reward_id, quantity: quantity.unwrap_or(1) },
            None => Purpose::Order { points: points?, order_id, order_amount },
        };
        Some(Self { member_id, purpose, hold })
    }
}

impl Read for CaptureRequest {
    const MAY_BE_LEFT_OUT: bool = true;

    fn read(body: &mut Fields<'_>) -> Option<Self> {
        let points = body.optional("points", read_points);
        let order_id = body.optional("order_id", Order::read_id);
        Some(Self { points, order_id })
    }
}

impl Read for PartOfPoints {
    const MAY_BE_LEFT_OUT: bool = true;

    fn read(body: &mut Fields<'_>) -> Option<Self> {
        Some(Self { points: body.optional("points", read_points) })
    }
}

/// The parameters of a page of redemptions.
pub struct RedemptionsQuery {
    /// Whose.
    pub member: Option<Whose>,
    /// Only those in this status.
    pub status: Option<RedemptionStatus>,
    /// Which page.
    pub page: Page<Uuid>,
}

impl RedemptionsQuery {
    /// What [`Read`] reads, for the document.
    pub const PARAMETERS: &[&[Parameter]] = &[
        &[
            Parameter::optional(
                "member",
                "Whose; a client must say, and a member's token means its own.",
                Shape::MEMBER_OR_ME,
            ),
            Parameter::optional("status", "Redemptions in this state alone.", Shape::named::<RedemptionStatus>()),
        ],
        PAGE,
    ];
}

impl Read for RedemptionsQuery {
    fn read(query: &mut Fields<'_>) -> Option<Self> {
        let member = query.optional("member", fields::parsed);
        let status = query.optional("status", fields::one_of(&RedemptionStatus::ALL));
        Some(Self { member, status, page: Page::read(query)? })
    }
}

fn read_points(value: &Value) -> Result<i64, Wrong> {
    fields::integer(1..=MAX_POINTS)(value)
}

fn read_ttl(value: &Value) -> Result<TimeDelta, Wrong> {
    let text = value.as_str().ok_or_else(|| Wrong::new("wrong_type", "must be a string"))?;
    parse_span(text, LONGEST_HOLD).map_err(|fault| Wrong::new("wrong_form", fault.to_string()))
}
