//! Adjustments: an operator corrects a wallet, for a reason, in either direction.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::decide::points::take;
use crate::domain::decide::{Context, Event, Working};
use crate::domain::fields::Wrong;
use crate::domain::ids::MemberId;
use crate::domain::journal::account::Account;
use crate::domain::journal::entry::{Kind, derive_id};
use crate::domain::journal::misfit::Misfit;
use crate::domain::member::fact::Fact;
use crate::domain::member::{Balances, Member};
use crate::domain::record::lot::{self, ACTIVE, NewLot, PENDING, Taking};
use crate::domain::refusal::{Refusal, Rejected};
use crate::domain::time::{self, Timestamp};

/// Why a wallet is corrected. Words from a list, since what an operator writes freely may be personal and the journal
/// keeps it for good; the note is for that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = AdjustmentReason)]
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

/// The part of a wallet that is corrected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AdjustedAccount)]
pub enum Side {
    /// Points that can be used.
    #[default]
    Active,
    /// Points that become active later.
    Pending,
}

impl Side {
    /// Each with its name.
    pub const ALL: [(&str, Self); 2] = [("active", Self::Active), ("pending", Self::Pending)];

    fn is_active(&self) -> bool {
        *self == Self::Active
    }

    fn account(self) -> Account {
        match self {
            Self::Active => ACTIVE,
            Self::Pending => PENDING,
        }
    }
}

/// A correction of a wallet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = AdjustmentRequest)]
pub struct Adjustment {
    /// Whose wallet.
    pub member_id: MemberId,
    /// How many points are added (above zero) or taken (below); not zero. Active ones are taken soonest-expiring first,
    /// pending ones from those that become active last.
    #[schema(minimum = -9_007_199_254_740_991_i64, maximum = 9_007_199_254_740_991_i64)]
    pub points: i64,
    /// Which part of the wallet; left out, the active one.
    #[serde(skip_serializing_if = "Side::is_active")]
    pub account: Side,
    /// When points that are added become active, RFC 3339 with an offset: in the future for pending ones, which need it;
    /// not in the future for active ones, now if it is left out.
    #[serde(with = "time::serde_canonical::option", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub active_at: Option<Timestamp>,
    /// The first instant at which points that are added can no longer be used, RFC 3339 with an offset: in the future, and
    /// after `active_at`. Left out, they expire as if they had been earned now.
    #[serde(with = "time::serde_canonical::option", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub expires_at: Option<Timestamp>,
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
#[schema(as = AdjustmentReceipt)]
pub struct AdjustmentReply {
    /// Its id: the `command` of its entry.
    pub id: Uuid,
    /// Whose wallet.
    pub member_id: MemberId,
    /// How many points were added or taken.
    pub points: i64,
    /// In which part of the wallet.
    pub account: Side,
    /// Why.
    pub reason: Reason,
    /// The wallet right after it.
    pub wallet: Balances,
}

impl Adjustment {
    /// What its fields together get wrong, whatever the time: the field and the fault.
    pub fn contradictions(&self) -> Vec<(&'static str, Wrong)> {
        let mut wrong = Vec::new();
        if self.points < 0 {
            let dates = [("active_at", self.active_at), ("expires_at", self.expires_at)];
            for (field, _) in dates.into_iter().filter(|(_, date)| date.is_some()) {
                wrong.push((field, Wrong::new("contradiction", "is for points that are added; leave it out here")));
            }
        } else if self.account == Side::Pending && self.active_at.is_none() {
            wrong.push(("active_at", Wrong::new("missing", "is required where points are added to pending")));
        } else if self.expires_at.is_some_and(|end| self.active_at.is_some_and(|begin| end <= begin)) {
            wrong.push(("expires_at", Wrong::new("contradiction", "must be after active_at")));
        }
        wrong
    }
}

/// Decides an adjustment, whose fields do not contradict each other. A suspended member's wallet can be corrected; that
/// of one who has left cannot.
pub fn adjust(work: &mut Working<'_>, adjustment: &Adjustment) -> Result<AdjustmentReply, Rejected> {
    let Context { now, command, .. } = *work.context();
    work.settle(now)?;
    if work.member.status.has_left() {
        return Err(Refusal::MemberClosed.into());
    }
    let Adjustment { member_id, points, account, reason, .. } = *adjustment;
    let mut event = Event::new(Kind::PointsAdjusted, Fact::Nothing);
    if points > 0 {
        let lot = added(work, adjustment)?;
        event.postings = lot::postings(&[Taking { lot: lot.id, points }], Account::Adjustment, account.account());
        event.lots = vec![lot];
    } else {
        let takings = match account {
            Side::Active => take(&work.member, -points)?,
            Side::Pending => take_pending(&work.member, -points)?,
        };
        event.postings = lot::postings(&takings, account.account(), Account::Adjustment);
    }
    work.post(event.with("points", &points).with("reason", &reason).with("account", &account))?;
    Ok(AdjustmentReply { id: command, member_id, points, account, reason, wallet: work.member.balances })
}

// The lot of points that are added. What becomes active later is pending, and nothing else is.
fn added(work: &Working<'_>, adjustment: &Adjustment) -> Result<NewLot, Refusal> {
    let Context { now, command, .. } = *work.context();
    let program = work.context().program();
    let active_at = adjustment.active_at.unwrap_or(now);
    match adjustment.account {
        Side::Active if active_at > now => return Err(Refusal::ActiveInFuture),
        Side::Pending if active_at <= now => return Err(Refusal::PendingNotInFuture),
        Side::Active | Side::Pending => {}
    }
    let expiry = program.earning.expiry;
    let expires_at = adjustment.expires_at.or_else(|| expiry.map(|expiry| expiry.after(now, program.time_zone)));
    match expires_at {
        Some(end) if end <= now => Err(Refusal::ExpiresInPast),
        Some(end) if end <= active_at => Err(Refusal::ExpiresBeforeActive { expires_at: time::canonical(end) }),
        _ => Ok(NewLot { id: derive_id(now, command.as_bytes(), &[b"lot"]), active_at, expires_at }),
    }
}

// `points` of the pending ones, those that become active last first: what comes soon is left to the member.
fn take_pending(member: &Member, points: i64) -> Result<Vec<Taking>, Rejected> {
    if member.balances.pending < points {
        return Err(Refusal::InsufficientPendingPoints { available: member.balances.pending }.into());
    }
    let takings = member.latest_pending(points);
    match takings.iter().map(|taking| taking.points).sum::<i64>() == points {
        true => Ok(takings),
        false => Err(Misfit::NotLoaded("a lot").into()),
    }
}
