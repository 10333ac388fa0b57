//! Assignments: an operator gives a member a tier for a while. It is the least that the member has until it ends.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::decide::{Context, Event, Working};
use crate::domain::ids::MemberId;
use crate::domain::journal::entry::Kind;
use crate::domain::member::fact::Fact;
use crate::domain::movement::order::TierChange;
use crate::domain::refusal::{Refusal, Rejected};
use crate::domain::tier::Assigned;
use crate::domain::time::{self, Timestamp};

/// Why a tier is given. Words from a list, since the journal keeps them for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = AssignmentReason)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// For a service that failed.
    Compensation,
    /// As a courtesy.
    Goodwill,
    /// A tier from the programme before this one.
    Migration,
    /// A tier that the member has in another programme.
    StatusMatch,
    /// Anything else.
    Other,
}

impl Reason {
    /// Each with its name.
    pub const ALL: [(&str, Self); 5] = [
        ("compensation", Self::Compensation),
        ("goodwill", Self::Goodwill),
        ("migration", Self::Migration),
        ("status_match", Self::StatusMatch),
        ("other", Self::Other),
    ];
}

/// A tier that is given. It takes the place of what was given before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = TierAssignmentRequest)]
pub struct Assignment {
    /// The tier's code.
    #[schema(min_length = 1, max_length = 32, example = "gold")]
    pub tier: String,
    /// When it ends, RFC 3339 with an offset: in the future.
    #[serde(with = "time::serde_canonical")]
    #[schema(value_type = String, format = DateTime)]
    pub until: Timestamp,
    /// Why.
    pub reason: Reason,
}

/// What an assignment did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = TierAssignmentReceipt)]
pub struct AssignmentReply {
    /// Its id: the `command` of its entry.
    pub id: Uuid,
    /// Whose tier.
    pub member_id: MemberId,
    /// What was given.
    #[serde(flatten)]
    pub assignment: Assignment,
    /// The member's tier before and after. It stays as it is where what follows from the orders is higher.
    pub change: TierChange,
}

/// Gives a member a tier.
pub fn assign(work: &mut Working<'_>, assignment: &Assignment) -> Result<AssignmentReply, Rejected> {
    let Context { now, command, .. } = *work.context();
    work.settle(now)?;
    if work.member.status.has_left() {
        return Err(Refusal::MemberClosed.into());
    }
    if assignment.until <= now {
        return Err(Refusal::AssignmentEndsInPast.into());
    }
    let tiers = work.context().program().tiers.as_ref().ok_or(Refusal::NoTiers)?;
    if tiers.level(&assignment.tier).is_none() {
        return Err(Refusal::UnknownTier { tier: assignment.tier.clone() }.into());
    }
    let before = work.member.tier().map(ToOwned::to_owned);
    let assigned = Assigned { level: assignment.tier.clone(), since: now, until: assignment.until };
    let stands = work.assigned(assigned)?.ok_or(Refusal::NoTiers)?;
    let event = Event::new(Kind::TierAssigned, Fact::Standing(Box::new(stands)));
    work.post(event.with("reason", &assignment.reason))?;
    // Of tiers that have come into force since, a term may have ended.
    work.settle(now)?;
    let after = work.member.tier().map(ToOwned::to_owned);
    let (id, member_id) = (command, work.member.id);
    Ok(AssignmentReply { id, member_id, assignment: assignment.clone(), change: TierChange { before, after } })
}
