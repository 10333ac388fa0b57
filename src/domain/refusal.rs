//! Why a well-formed command is refused. A refusal writes nothing but, under an idempotency key, itself.

#[macro_use]
mod declare;
mod rejected;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::domain::quantity::Quantity;

pub use rejected::Rejected;

/// What kind of no a refusal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// What the command names is not there.
    NotFound,
    /// What is there forbids it; at another time it might be taken.
    Conflict,
    /// What the command asks for is against the rules.
    Unprocessable,
}

refusals! {
    /// No such member, or not one that the caller may know of.
    #[error("there is no such member; enrol the customer first, then send this again")]
    MemberNotFound => NotFound "No such member",
    /// The programme has no tiers.
    #[error("the programme has no tiers")]
    NoTiers => NotFound "The programme has no tiers",
    /// The programme has no tier of that code.
    #[error("the programme has no tier {tier}")]
    UnknownTier {
        /// The code that was asked for.
        #[schema(max_length = 32)]
        tier: String,
    } => Unprocessable "No such tier",
    /// The reward is for members of a higher tier.
    #[error("this reward is for members from the tier {tier} on")]
    TierRequired {
        /// The code of the lowest tier that may have it.
        #[schema(max_length = 32)]
        tier: String,
    } => Conflict "A higher tier is required",
    /// The assignment would be over before it begins.
    #[error("until is not in the future; an assignment ends after now")]
    AssignmentEndsInPast => Unprocessable "The assignment ends in the past",
    /// The natural key of an order is taken by another order.
    #[error("order {order_id} was posted before with other content; an order is posted once")]
    OrderConflict {
        /// The order's id.
        order_id: String,
    } => Conflict "The order was posted before with other content",
    /// The natural key of a member is taken by a member enrolled with other content.
    #[error("a member with this external_id was enrolled before with other content; change it with PATCH")]
    ExternalIdConflict => Conflict "The customer was enrolled before with other content",
    /// The idempotency key was used for another request.
    #[error("this Idempotency-Key was used before for a request with other content; take a new key for a new request")]
    IdempotencyKeyConflict => Conflict "The key was used for another request",
    /// The programme counts in another currency.
    #[error("the programme counts in {expected}; post the amount in that currency")]
    CurrencyMismatch {
        /// The programme's currency.
        expected: String,
    } => Unprocessable "Another currency than the programme's",
    /// More than the programme allows on one order.
    #[error("the amount is over the programme's limit of {maximum} for one order")]
    AmountOverLimit {
        /// The most of one order, in the programme's currency.
        #[schema(rename = "maximum_amount")]
        maximum: String,
    } => Unprocessable "The amount is over the programme's limit",
    /// The order lies further in the future than clocks may differ.
    #[error("occurred_at is more than {minutes} minutes in the future; check the sender's clock")]
    OccurredInFuture {
        /// How far ahead is allowed.
        minutes: i64,
    } => Unprocessable "The order lies in the future",
    /// The member would have joined in the future.
    #[error("joined_at is more than {minutes} minutes in the future; check the sender's clock")]
    JoinedInFuture {
        /// How far ahead is allowed.
        minutes: i64,
    } => Unprocessable "The member joins in the future",
    /// More points than the ledger can count.
    #[error("this would pass 2^53 − 1 points, the most that a wallet can hold")]
    PointsOverLimit => Unprocessable "More points than a wallet can hold",
    /// A programme version would take effect too soon for every instance to know it, or before the present one.
    #[error("effective_at must be at least {seconds} seconds ahead and after every published version's")]
    EffectiveTooSoon {
        /// How far ahead it must be.
        seconds: i64,
    } => Unprocessable "The version takes effect too soon",
    /// There is no such version of the programme.
    #[error("the programme has no version of that number")]
    ProgramVersionNotFound => NotFound "No such version of the programme",
    /// No order with this id was posted with success.
    #[error("no order with this id was posted with success")]
    OrderNotFound => NotFound "No such order",
    /// There is no such redemption.
    #[error("there is no such redemption")]
    RedemptionNotFound => NotFound "No such redemption",
    /// The redemption is in a state in which this cannot be done: a capture or a void needs a hold, a return something
    /// captured.
    #[error("the redemption is {state}; that is not a state in which this can be done")]
    RedemptionStateConflict {
        /// Its status.
        state: String,
    } => Conflict "The redemption is in another state",
    /// A redemption cannot pay an order that it was not made for.
    #[error("redemption {redemption_id} was not made for this order, so it cannot pay it")]
    RedemptionOfAnotherOrder {
        /// Which one.
        redemption_id: String,
    } => Conflict "The redemption is not for this order",
    /// The member has fewer active points than this takes.
    #[error("the member has {available} active points, fewer than this takes")]
    InsufficientPoints {
        /// How many points are active.
        available: i64,
    } => Conflict "Fewer points than that",
    /// The member has fewer pending points than this takes.
    #[error("the member has {available} pending points, fewer than this takes")]
    InsufficientPendingPoints {
        /// How many points are pending.
        available: i64,
    } => Conflict "Fewer pending points than that",
    /// Points would be added to the active ones that become active later.
    #[error("active_at is in the future; add the points to the account pending")]
    ActiveInFuture => Unprocessable "Active points that become active later",
    /// Points would be added to the pending ones that are active already.
    #[error("active_at is not in the future; add the points to the account active")]
    PendingNotInFuture => Unprocessable "Pending points that are active already",
    /// Points would be added that have expired.
    #[error("expires_at is not in the future; what has expired cannot be added")]
    ExpiresInPast => Unprocessable "Points that have expired",
    /// Points would be added that expire before they can be used.
    #[error("the points would expire at {expires_at}, before they become active; give an expires_at after active_at")]
    ExpiresBeforeActive {
        /// When they would expire.
        expires_at: String,
    } => Unprocessable "Points that expire before they become active",
    /// More points would be captured than the hold has.
    #[error("only {held} points are held; capture as many at most")]
    CaptureOverHeld {
        /// How many points are held.
        held: i64,
    } => Unprocessable "More points than are held",
    /// A part of the points of a reward would be captured.
    #[error("a reward is captured whole: all {held} points, or none by voiding it")]
    RewardCapturedWhole {
        /// How many points are held.
        held: i64,
    } => Unprocessable "A reward is captured whole",
    /// The hold's time was over before anything was done with it.
    #[error("the hold lapsed at {lapsed_at} and its points went back; redeem anew")]
    HoldLapsed {
        /// When it lapsed.
        lapsed_at: String,
    } => Conflict "The hold's time is over",
    /// A member would hold points by its own token for longer than the programme lets it.
    #[error("a member may hold points for {maximum} at most")]
    MemberHoldTooLong {
        /// The longest, a period such as `1H`.
        #[schema(rename = "maximum_period")]
        maximum: String,
    } => Unprocessable "A member may not hold points for so long",
    /// A member would give up a hold that it did not make itself, or that is for an order.
    #[error("this hold was made by the shop, or for an order; only the shop can void it")]
    HoldOfShop => Conflict "The hold is not the member's own",
    /// A part of a reward's points would come back that is not the cost of one or several.
    #[error("rewards come back one by one: return a multiple of {unit} points, or all")]
    RewardReturnedInUnits {
        /// What one of the reward cost, in points.
        unit: i64,
    } => Unprocessable "Rewards come back one by one",
    /// More points would come back than are still captured.
    #[error("only {left} captured points have not come back yet")]
    ReturnOverCaptured {
        /// How many points can still come back.
        left: i64,
    } => Unprocessable "More points than are captured",
    /// The points would pay a share of an order, and the programme gives them no value in money.
    #[error(
        "the programme gives points no value in money, so they cannot pay a share of an order; leave order_amount out"
    )]
    PointsWithoutValue => Unprocessable "Points have no value in money",
    /// So few points are worth less than the smallest coin of the currency. Points are never spent for nothing.
    #[error("so few points are worth nothing in money; {least} are the fewest that are worth something")]
    PointsWorthNothing {
        /// The fewest points that are worth something.
        least: i64,
    } => Unprocessable "So few points are worth nothing",
    /// The points would pay more of the order than the programme's share of it.
    #[error("points may pay at most {maximum} of this order")]
    OverOrderShare {
        /// The most that points may pay, in the programme's currency.
        #[schema(rename = "maximum_amount")]
        maximum: String,
    } => Unprocessable "More than points may pay of an order",
    /// The redemptions that pay an order are worth more than its amount.
    #[error("the redemptions are worth more than the order's amount, {amount}")]
    PaidOverAmount {
        /// The order's amount.
        amount: String,
    } => Unprocessable "The redemptions are worth more than the order",
    /// There is no such reward.
    #[error("there is no such reward")]
    RewardNotFound => NotFound "No such reward",
    /// The time is outside the window in which the reward can be redeemed.
    #[error("the reward cannot be redeemed at this time")]
    RewardNotAvailable => Conflict "The reward is not available at this time",
    /// Fewer of the reward are in stock than were asked for.
    #[error("only {left} of the reward are left")]
    RewardOutOfStock {
        /// How many are left.
        left: i64,
    } => Conflict "Not enough of the reward is left",
    /// The member would have more of the reward than one member may have, ever or in the limit's period.
    #[error("a member may have {maximum} of this reward; this one may have {left} more")]
    RewardLimitReached {
        /// How many a member may have.
        maximum: i64,
        /// How many more this one may have.
        left: i64,
    } => Conflict "The member has had as many as it may",
    /// A window of a reward or of a cause would end before it begins, or as it does.
    #[error("the window must end after it begins")]
    WindowEndsBeforeItBegins => Unprocessable "The window ends before it begins",
    /// There is no such cause.
    #[error("there is no such cause")]
    CauseNotFound => NotFound "No such cause",
    /// The time is outside the window in which the cause takes points.
    #[error("the cause takes no points at this time")]
    CauseNotOpen => Conflict "The cause takes no points at this time",
    /// More would be refunded than is left of the order.
    #[error("only {remaining} of the order is left to refund")]
    RefundOverOrder {
        /// What is left to refund, in the order's currency.
        remaining: String,
    } => Unprocessable "More than is left of the order",
    /// The refund would have occurred before its order.
    #[error("the order occurred at {occurred_at}; its refund cannot have occurred before")]
    RefundBeforeOrder {
        /// When the order occurred, RFC 3339 in UTC.
        occurred_at: String,
    } => Unprocessable "A refund before its order",
    /// More of an article would come back than the order has left of it.
    #[error("of {sku} only {left} of the order can still come back")]
    RefundItems {
        /// The article.
        sku: String,
        /// How much of it can still come back, as the `quantity` of an item.
        #[schema(rename = "left_quantity", value_type = String)]
        left: Quantity,
    } => Unprocessable "More items than can still come back",
    /// Items would come back of an order that was posted without any, or whose items were erased.
    #[error("the order has no items, so none can come back; refund an amount alone")]
    OrderWithoutItems => Unprocessable "The order has no items",
    /// Neither money nor items would come back.
    #[error("a refund of nothing must name the items that come back, unless the order cost nothing")]
    RefundOfNothing => Unprocessable "Neither money nor items come back",
    /// More would be refunded than the items that come back cost.
    #[error("the refund is over the price of its items, {worth}")]
    RefundOverItems {
        /// What the items cost.
        worth: String,
    } => Unprocessable "More than the items cost",
    /// The natural key of a refund is taken by another refund of the same order.
    #[error("refund {refund_id} of this order was posted before with other content; a refund is posted once")]
    RefundConflict {
        /// The refund's id.
        refund_id: String,
    } => Conflict "The refund was posted before with other content",
    /// There is no such transfer.
    #[error("there is no such transfer")]
    TransferNotFound => NotFound "No such transfer",
    /// The offer has been answered, was taken back or has lapsed.
    #[error("the transfer is {state}; only an offer that is open can be accepted, declined or cancelled")]
    TransferStateConflict {
        /// Its status.
        state: String,
    } => Conflict "The transfer is in another state",
    /// Giver and receiver are the same member.
    #[error("a member cannot give points to itself")]
    TransferToOneself => Unprocessable "Giver and receiver are the same",
    /// The programme says nothing of transfers, so members cannot give points to each other.
    #[error("the programme has no transfers between members")]
    TransfersNotAllowed => Unprocessable "The programme has no transfers",
    /// The programme wants the receiver to accept every transfer.
    #[error("the programme has no direct transfers; make an offer, which the receiver accepts")]
    DirectTransferNotAllowed => Unprocessable "The programme has no direct transfers",
    /// More points than the programme allows in one transfer.
    #[error("one transfer may have at most {maximum} points")]
    TransferOverLimit {
        /// The most points of one transfer.
        maximum: i64,
    } => Unprocessable "More points than one transfer may have",
    /// More points than the programme lets a member give in one of its days.
    #[error("a member may give {maximum} points a day; {left} more today")]
    TransferOverDailyLimit {
        /// The most points of a day.
        maximum: i64,
        /// How many more today.
        left: i64,
    } => Conflict "More points than a member may give in a day",
    /// No member has the receiver's id or external id, or the receiver has left.
    #[error("there is no member to receive the points")]
    ReceiverNotFound => NotFound "Nobody to receive the points",
    /// The receiver is suspended.
    #[error("the receiver cannot take points at this time")]
    ReceiverNotActive => Conflict "The receiver cannot take points",
    /// The member is suspended and may start nothing new.
    #[error("the member is suspended and may start nothing new")]
    MemberSuspended => Conflict "The member is suspended",
    /// The membership is closed.
    #[error("the membership is closed")]
    MemberClosed => Conflict "The membership is closed",
}

impl Refusal {
    /// Its stable code.
    pub fn code(&self) -> &'static str {
        RefusalCode::from(self).name()
    }

    /// What an answer says besides the code and the sentence. There a name has one type, whatever the code: `maximum` and
    /// `left` are whole numbers, and what is money, a period or a quantity has a name of its own.
    pub fn facts(&self) -> Map<String, Value> {
        let Ok(Value::Object(mut facts)) = serde_json::to_value(self) else { return Map::new() };
        facts.remove("code");
        let other = match self {
            Refusal::AmountOverLimit { maximum } | Refusal::OverOrderShare { maximum } => {
                Some(("maximum", "maximum_amount", json!(maximum)))
            }
            Refusal::MemberHoldTooLong { maximum } => Some(("maximum", "maximum_period", json!(maximum))),
            Refusal::RefundItems { left, .. } => Some(("left", "left_quantity", json!(left.to_string()))),
            _ => None,
        };
        if let Some((kept, shown, value)) = other {
            facts.remove(kept);
            facts.insert(shown.to_owned(), value);
        }
        facts
    }

    /// Can the same order, refund or enrolment be taken later, when time has passed or something else was done? Such a
    /// refusal is not remembered beside a natural key, so that whoever sends the same again is not refused for good
    /// (invariant 4).
    ///
    /// All others hold whatever comes: ids are taken for good, what has left, lapsed or was spent stays so, and refunds
    /// only grow.
    pub fn can_heal(&self) -> bool {
        match self {
            // Someone is enrolled, resumed, or erased and so can be enrolled anew; an order is posted.
            Refusal::MemberNotFound
            | Refusal::MemberSuspended
            | Refusal::ExternalIdConflict
            | Refusal::OrderNotFound => true,
            // Time passes, and what lay ahead of the clock is judged by the version that is in force by then.
            Refusal::OccurredInFuture { .. }
            | Refusal::JoinedInFuture { .. }
            | Refusal::CurrencyMismatch { .. }
            | Refusal::AmountOverLimit { .. } => true,
            // Points that were captured for an order come back; a wallet is spent from.
            Refusal::OverOrderShare { .. } | Refusal::PaidOverAmount { .. } | Refusal::PointsOverLimit => true,
            _ => false,
        }
    }
}

impl RefusalCode {
    /// As it is written.
    pub fn name(self) -> &'static str {
        self.into()
    }
}
