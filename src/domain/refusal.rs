//! Why a well-formed command is refused. A refusal writes nothing but, under an idempotency key, itself.

use serde::{Deserialize, Serialize};

use crate::domain::journal::misfit::Misfit;
use crate::domain::quantity::Quantity;

/// A decision against a command. Its `code` and facts are what is remembered and shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Refusal {
    /// No such member, or not one that the caller may know of.
    #[error("there is no such member; enrol the customer first, then send this again")]
    MemberNotFound,
    /// The natural key of an order is taken by another order.
    #[error("order {order_id} was posted before with other content; an order is posted once")]
    OrderConflict {
        /// The key.
        order_id: String,
    },
    /// The natural key of a member is taken by a member enrolled with other content.
    #[error("a member with this external_id was enrolled before with other content; change it with PATCH")]
    ExternalIdConflict,
    /// The idempotency key was used for another request.
    #[error("this Idempotency-Key was used before for a request with other content; take a new key for a new request")]
    IdempotencyKeyConflict,
    /// The programme counts in another currency.
    #[error("the programme counts in {expected}; post the amount in that currency")]
    CurrencyMismatch {
        /// The programme's currency.
        expected: String,
    },
    /// More than the programme allows on one order.
    #[error("the amount is over the programme's limit of {maximum} for one order")]
    AmountOverLimit {
        /// The limit, in the programme's currency.
        maximum: String,
    },
    /// The order lies further in the future than clocks may differ.
    #[error("occurred_at is more than {minutes} minutes in the future; check the sender's clock")]
    OccurredInFuture {
        /// How far is allowed.
        minutes: i64,
    },
    /// The member would have joined in the future.
    #[error("joined_at is more than {minutes} minutes in the future; check the sender's clock")]
    JoinedInFuture {
        /// How far is allowed.
        minutes: i64,
    },
    /// More points than the ledger can count.
    #[error("this would pass 2^53 − 1 points, the most that a wallet can hold")]
    PointsOverLimit,
    /// A programme version would take effect too soon for every instance to know it, or before the present one.
    #[error("effective_at must be at least {seconds} seconds ahead and after every published version's")]
    EffectiveTooSoon {
        /// The least lead.
        seconds: i64,
    },
    /// No order with this id was posted with success.
    #[error("no order with this id was posted with success")]
    OrderNotFound,
    /// There is no such redemption.
    #[error("there is no such redemption")]
    RedemptionNotFound,
    /// The redemption is in a state in which this cannot be done: a capture or a void needs a hold, a return something
    /// captured.
    #[error("the redemption is {state}; that is not a state in which this can be done")]
    RedemptionStateConflict {
        /// The state it is in.
        state: String,
    },
    /// A redemption cannot pay an order that it was not made for.
    #[error("redemption {redemption_id} was not made for this order, so it cannot pay it")]
    RedemptionOfAnotherOrder {
        /// The redemption's id.
        redemption_id: String,
    },
    /// The member has fewer active points than this takes.
    #[error("the member has {available} active points, fewer than this takes")]
    InsufficientPoints {
        /// How many points are active.
        available: i64,
    },
    /// The member has fewer pending points than this takes.
    #[error("the member has {available} pending points, fewer than this takes")]
    InsufficientPendingPoints {
        /// How many points are pending.
        available: i64,
    },
    /// Points would be added to the active ones that become active later.
    #[error("active_at is in the future; add the points to the account pending")]
    ActiveInFuture,
    /// Points would be added to the pending ones that are active already.
    #[error("active_at is not in the future; add the points to the account active")]
    PendingNotInFuture,
    /// Points would be added that have expired.
    #[error("expires_at is not in the future; what has expired cannot be added")]
    ExpiresInPast,
    /// Points would be added that expire before they can be used.
    #[error("the points would expire at {expires_at}, before they become active; give an expires_at after active_at")]
    ExpiresBeforeActive {
        /// When they would expire, RFC 3339 in UTC.
        expires_at: String,
    },
    /// More points would be captured than the hold has.
    #[error("only {held} points are held; capture as many at most")]
    CaptureOverHeld {
        /// How many points are held.
        held: i64,
    },
    /// A part of the points of a reward would be captured.
    #[error("a reward is captured whole: all {held} points, or none by voiding it")]
    RewardCapturedWhole {
        /// How many points are held.
        held: i64,
    },
    /// The hold's time was over before anything was done with it.
    #[error("the hold lapsed at {lapsed_at} and its points went back; redeem anew")]
    HoldLapsed {
        /// When, RFC 3339 in UTC.
        lapsed_at: String,
    },
    /// A member would hold points by its own token for longer than the programme lets it.
    #[error("a member may hold points for {maximum} at most")]
    MemberHoldTooLong {
        /// The longest, as the programme writes it: a period such as 1H.
        maximum: String,
    },
    /// A member would give up a hold that it did not make itself, or that is for an order.
    #[error("this hold was made by the shop, or for an order; only the shop can void it")]
    HoldOfShop,
    /// A part of a reward's points would come back that is not the cost of one or several.
    #[error("rewards come back one by one: return a multiple of {unit} points, or all")]
    RewardReturnedInUnits {
        /// What one cost, in points.
        unit: i64,
    },
    /// More points would come back than are still captured.
    #[error("only {left} captured points have not come back yet")]
    ReturnOverCaptured {
        /// How many points are still captured.
        left: i64,
    },
    /// The points would pay a share of an order, and the programme gives them no value in money.
    #[error(
        "the programme gives points no value in money, so they cannot pay a share of an order; leave order_amount out"
    )]
    PointsWithoutValue,
    /// So few points are worth less than the smallest coin of the currency. Points are never spent for nothing.
    #[error("so few points are worth nothing in money; {least} are the fewest that are worth something")]
    PointsWorthNothing {
        /// The fewest points that are worth something.
        least: i64,
    },
    /// The points would pay more of the order than the programme's share of it.
    #[error("points may pay at most {maximum} of this order")]
    OverOrderShare {
        /// The most that points may pay, in the programme's currency.
        maximum: String,
    },
    /// The redemptions that pay an order are worth more than its amount.
    #[error("the redemptions are worth more than the order's amount, {amount}")]
    PaidOverAmount {
        /// The order's amount, in its currency.
        amount: String,
    },
    /// There is no such reward.
    #[error("there is no such reward")]
    RewardNotFound,
    /// The time is outside the window in which the reward can be redeemed.
    #[error("the reward cannot be redeemed at this time")]
    RewardNotAvailable,
    /// Fewer of the reward are in stock than were asked for.
    #[error("only {left} of the reward are left")]
    RewardOutOfStock {
        /// How many are left.
        left: i64,
    },
    /// The member would have more of the reward than one member may have, ever or in the limit's period.
    #[error("a member may have {maximum} of this reward; this one may have {left} more")]
    RewardLimitReached {
        /// How many a member may have.
        maximum: i64,
        /// How many more this member may have.
        left: i64,
    },
    /// A window of a reward or of a cause would end before it begins, or as it does.
    #[error("the window must end after it begins")]
    WindowEndsBeforeItBegins,
    /// There is no such cause.
    #[error("there is no such cause")]
    CauseNotFound,
    /// The time is outside the window in which the cause takes points.
    #[error("the cause takes no points at this time")]
    CauseNotOpen,
    /// More would be refunded than is left of the order.
    #[error("only {remaining} of the order is left to refund")]
    RefundOverOrder {
        /// What is left to refund, in the order's currency.
        remaining: String,
    },
    /// The refund would have occurred before its order.
    #[error("the order occurred at {occurred_at}; its refund cannot have occurred before")]
    RefundBeforeOrder {
        /// When the order occurred, RFC 3339 in UTC.
        occurred_at: String,
    },
    /// More of an article would come back than the order has left of it.
    #[error("of {sku} only {left} of the order can still come back")]
    RefundItems {
        /// The article.
        sku: String,
        /// How much of it can still come back.
        left: Quantity,
    },
    /// Items would come back of an order that was posted without any, or whose items were erased.
    #[error("the order has no items, so none can come back; refund an amount alone")]
    OrderWithoutItems,
    /// Neither money nor items would come back.
    #[error("a refund of nothing must name the items that come back, unless the order cost nothing")]
    RefundOfNothing,
    /// More would be refunded than the items that come back cost.
    #[error("the refund is over the price of its items, {worth}")]
    RefundOverItems {
        /// What the items cost, in the order's currency.
        worth: String,
    },
    /// The natural key of a refund is taken by another refund of the same order.
    #[error("refund {refund_id} of this order was posted before with other content; a refund is posted once")]
    RefundConflict {
        /// The key.
        refund_id: String,
    },
    /// There is no such transfer.
    #[error("there is no such transfer")]
    TransferNotFound,
    /// The offer has been answered, was taken back or has lapsed.
    #[error("the transfer is {state}; only an offer that is open can be accepted, declined or cancelled")]
    TransferStateConflict {
        /// The state it is in.
        state: String,
    },
    /// Giver and receiver are the same member.
    #[error("a member cannot give points to itself")]
    TransferToOneself,
    /// The programme says nothing of transfers, so members cannot give points to each other.
    #[error("the programme has no transfers between members")]
    TransfersNotAllowed,
    /// The programme wants the receiver to accept every transfer.
    #[error("the programme has no direct transfers; make an offer, which the receiver accepts")]
    DirectTransferNotAllowed,
    /// More points than the programme allows in one transfer.
    #[error("one transfer may have at most {maximum} points")]
    TransferOverLimit {
        /// The most of one transfer.
        maximum: i64,
    },
    /// More points than the programme lets a member give in one of its days.
    #[error("a member may give {maximum} points a day; {left} more today")]
    TransferOverDailyLimit {
        /// The most of a day.
        maximum: i64,
        /// How many more today.
        left: i64,
    },
    /// No member has the receiver's id or external id, or the receiver has left.
    #[error("there is no member to receive the points")]
    ReceiverNotFound,
    /// The receiver is suspended.
    #[error("the receiver cannot take points at this time")]
    ReceiverNotActive,
    /// The member is suspended and may start nothing new.
    #[error("the member is suspended and may start nothing new")]
    MemberSuspended,
    /// The membership is closed.
    #[error("the membership is closed")]
    MemberClosed,
}

impl Refusal {
    /// The stable code, as in the table of problems.
    pub fn code(&self) -> &'static str {
        match self {
            Refusal::MemberNotFound => "member_not_found",
            Refusal::OrderConflict { .. } => "order_conflict",
            Refusal::ExternalIdConflict => "external_id_conflict",
            Refusal::IdempotencyKeyConflict => "idempotency_key_conflict",
            Refusal::CurrencyMismatch { .. } => "currency_mismatch",
            Refusal::AmountOverLimit { .. } => "amount_over_limit",
            Refusal::OccurredInFuture { .. } => "occurred_in_future",
            Refusal::JoinedInFuture { .. } => "joined_in_future",
            Refusal::PointsOverLimit => "points_over_limit",
            Refusal::EffectiveTooSoon { .. } => "effective_too_soon",
            Refusal::OrderNotFound => "order_not_found",
            Refusal::RedemptionNotFound => "redemption_not_found",
            Refusal::RedemptionStateConflict { .. } => "redemption_state_conflict",
            Refusal::RedemptionOfAnotherOrder { .. } => "redemption_of_another_order",
            Refusal::InsufficientPoints { .. } => "insufficient_points",
            Refusal::InsufficientPendingPoints { .. } => "insufficient_pending_points",
            Refusal::ActiveInFuture => "active_in_future",
            Refusal::PendingNotInFuture => "pending_not_in_future",
            Refusal::ExpiresInPast => "expires_in_past",
            Refusal::ExpiresBeforeActive { .. } => "expires_before_active",
            Refusal::CaptureOverHeld { .. } => "capture_over_held",
            Refusal::HoldLapsed { .. } => "hold_lapsed",
            Refusal::MemberHoldTooLong { .. } => "member_hold_too_long",
            Refusal::HoldOfShop => "hold_of_shop",
            Refusal::RewardCapturedWhole { .. } => "reward_captured_whole",
            Refusal::RewardReturnedInUnits { .. } => "reward_returned_in_units",
            Refusal::ReturnOverCaptured { .. } => "return_over_captured",
            Refusal::PointsWithoutValue => "points_without_value",
            Refusal::PointsWorthNothing { .. } => "points_worth_nothing",
            Refusal::OverOrderShare { .. } => "over_order_share",
            Refusal::PaidOverAmount { .. } => "paid_over_amount",
            Refusal::RewardNotFound => "reward_not_found",
            Refusal::RewardNotAvailable => "reward_not_available",
            Refusal::RewardOutOfStock { .. } => "reward_out_of_stock",
            Refusal::RewardLimitReached { .. } => "reward_limit_reached",
            Refusal::WindowEndsBeforeItBegins => "window_ends_before_it_begins",
            Refusal::CauseNotFound => "cause_not_found",
            Refusal::CauseNotOpen => "cause_not_open",
            Refusal::RefundOverOrder { .. } => "refund_over_order",
            Refusal::RefundBeforeOrder { .. } => "refund_before_order",
            Refusal::RefundItems { .. } => "refund_items",
            Refusal::OrderWithoutItems => "order_without_items",
            Refusal::RefundOfNothing => "refund_of_nothing",
            Refusal::RefundOverItems { .. } => "refund_over_items",
            Refusal::RefundConflict { .. } => "refund_conflict",
            Refusal::TransferNotFound => "transfer_not_found",
            Refusal::TransferStateConflict { .. } => "transfer_state_conflict",
            Refusal::TransferToOneself => "transfer_to_oneself",
            Refusal::TransfersNotAllowed => "transfers_not_allowed",
            Refusal::DirectTransferNotAllowed => "direct_transfer_not_allowed",
            Refusal::TransferOverLimit { .. } => "transfer_over_limit",
            Refusal::TransferOverDailyLimit { .. } => "transfer_over_daily_limit",
            Refusal::ReceiverNotFound => "receiver_not_found",
            Refusal::ReceiverNotActive => "receiver_not_active",
            Refusal::MemberSuspended => "member_suspended",
            Refusal::MemberClosed => "member_closed",
        }
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

impl From<Misfit> for Rejected {
    fn from(misfit: Misfit) -> Self {
        match misfit {
            Misfit::TooLarge => Rejected::Refused(Refusal::PointsOverLimit),
            other => Rejected::Corrupt(other),
        }
    }
}

impl From<Refusal> for Rejected {
    fn from(refusal: Refusal) -> Self {
        Rejected::Refused(refusal)
    }
}

/// How a decision can end without entries.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// The rules say no.
    #[error(transparent)]
    Refused(Refusal),
    /// The loaded state contradicts itself; a fault of the ledger, never of the caller.
    #[error("the member's state does not fit its journal")]
    Corrupt(#[source] Misfit),
}
