//! Why a well-formed command is refused. A refusal writes nothing but, under an idempotency key, itself.

use serde::{Deserialize, Serialize};

use super::member::Misfit;

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
