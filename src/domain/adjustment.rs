//! Adjustments: an operator corrects a wallet, for a reason, in either direction.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::account::Account;
use super::decide::{Context, Event, Working};
use super::entry::{Kind, derive_id};
use super::fact::Fact;
use super::ids::MemberId;
use super::lot::{self, ACTIVE, NewLot, Taking};
use super::member::Balances;
use super::redemption::take;
use super::refusal::{Refusal, Rejected};

/// Why a wallet is corrected. Words from a list, since what an operator writes freely may be personal and the journal
/// keeps it for good; the note is for that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Something was counted wrong.
    Correction,
    /// For a service that failed.
    Compensation,
    /// As a courtesy.
    Goodwill,
    /// Points from the programme before this one.
    Migration,
    /// Points that were got by abuse.
    Fraud,
    /// Anything else; the note says what.
    Other,
}

impl Reason {
    /// Each with its name.
    pub const ALL: [(&str, Self); 6] = [
        ("correction", Self::Correction),
        ("compensation", Self::Compensation),
        ("goodwill", Self::Goodwill),
        ("migration", Self::Migration),
        ("fraud", Self::Fraud),
        ("other", Self::Other),
    ];
}

/// A correction of a wallet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Adjustment {
    /// Whose wallet.
    pub member_id: MemberId,
    /// How many points are added (above zero) or taken (below); not zero. Added ones are active at once and expire as if
    /// they had been earned now.
    #[schema(minimum = -9_007_199_254_740_991_i64, maximum = 9_007_199_254_740_991_i64)]
    pub points: i64,
    /// Why.
    pub reason: Reason,
    /// What else there is to say, at most 500 characters. It may be personal: it is kept outside the journal and
    /// removed when the member is erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_length = 1, max_length = 500)]
    pub note: Option<String>,
}

/// What a correction did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct AdjustmentReply {
    /// Its id: the `command` of its entry.
    pub id: Uuid,
    /// Whose wallet.
    pub member_id: MemberId,
    /// How many points were added or taken.
    pub points: i64,
    /// Why.
    pub reason: Reason,
    /// The wallet right after it.
    pub wallet: Balances,
}

/// Decides an adjustment. A suspended member's wallet can be corrected; that of one who has left cannot.
pub fn adjust(work: &mut Working<'_>, adjustment: &Adjustment) -> Result<AdjustmentReply, Rejected> {
    let Context { now, command, .. } = *work.context();
    work.settle(now)?;
    if work.member.status.has_left() {
        return Err(Refusal::MemberClosed.into());
    }
    let Adjustment { member_id, points, reason, .. } = *adjustment;
    let mut event = Event::new(Kind::PointsAdjusted, Fact::Nothing);
    if points > 0 {
        let program = work.context().program();
        let expires_at = program.earning.expiry.map(|expiry| expiry.after(now, program.time_zone));
        let lot = NewLot { id: derive_id(now, command.as_bytes(), &[b"lot"]), active_at: now, expires_at };
        event.postings = lot::postings(&[Taking { lot: lot.id, points }], Account::Adjustment, ACTIVE);
        event.lots = vec![lot];
    } else {
        event.postings = lot::postings(&take(&work.member, -points)?, ACTIVE, Account::Adjustment);
    }
    work.post(event.with("points", points).with("reason", serde_json::json!(reason)))?;
    Ok(AdjustmentReply { id: command, member_id, points, reason, wallet: work.member.balances })
}
