//! Refunds: how far the points of a refunded order are taken back. When a refund counts against a member's tier is not
//! said here: see [`TierRefunds`](super::tiers::TierRefunds).

use serde::{Deserialize, Serialize};

use crate::domain::fields::{self, Fields};

/// What a refund takes back, as the programme document writes it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefundDocument {
    /// Where the points that a refund takes back may come from. `only_pending`: points of that order that are still
    /// pending; `within_balance`: active points too, never below zero, and held ones as soon as they come back;
    /// `unlimited`: what is missing stays as debt. An order goes by the version in force when it occurred. Absent:
    /// `within_balance`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub policy: Option<RefundPolicy>,
}

/// Where the points that a refund takes back may come from. What cannot be taken is waived until the order's next refund.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RefundPolicy {
    /// Points of that order that are still pending, and no others.
    OnlyPending,
    /// Active points too, never below zero, and a claim on those that are held.
    #[default]
    WithinBalance,
    /// Active points too, and what is missing stays as the member's debt.
    Unlimited,
}

impl RefundPolicy {
    /// Each with its name in documents.
    pub const ALL: [(&str, Self); 3] =
        [("only_pending", Self::OnlyPending), ("within_balance", Self::WithinBalance), ("unlimited", Self::Unlimited)];
}

/// What a refund takes back, compiled from a [`RefundDocument`]. The default is that of a document that says nothing
/// of refunds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RefundRules {
    /// Where the points may come from.
    pub policy: RefundPolicy,
}

impl RefundRules {
    /// Reads the `refunds` object of a document.
    pub fn read(refunds: &mut Fields<'_>) -> Option<Self> {
        let policy = refunds.optional("policy", fields::one_of(&RefundPolicy::ALL)).unwrap_or_default();
        Some(Self { policy })
    }
}
