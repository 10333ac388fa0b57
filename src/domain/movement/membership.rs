//! Suspension, its end, closing, and erasure.
//!
//! ```text
//! active ⇄ suspended
//!    └────────┴── close ─▶ closed ── erase ─▶ erased
//! ```
//!
//! A suspended member starts nothing new; what is under way goes on. Closing forfeits what is in the wallet; what is held
//! stays until its redemption is captured or given up, so that no paid checkout is stranded. Erasure closes first.

use serde::Serialize;

use crate::domain::decide::{Context, Event, Working};
use crate::domain::journal::account::{Account, Part};
use crate::domain::journal::entry::{Kind, Posting};
use crate::domain::member::Status;
use crate::domain::member::fact::Fact;
use crate::domain::record::lot::ACTIVE;
use crate::domain::refusal::{Refusal, Rejected};

/// What becomes of a membership.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Nothing new from now on.
    Suspend,
    /// Takes part again.
    Resume,
    /// Leaves.
    Close,
    /// Leaves, and nothing personal is kept.
    Erase,
}

/// Decides a change of a membership. One that is in that state already stays as it is.
pub fn change(work: &mut Working<'_>, change: Change) -> Result<(), Rejected> {
    let Context { now, .. } = *work.context();
    work.settle(now)?;
    let status = work.member.status;
    match (change, status) {
        (Change::Suspend, Status::Active) => post(work, Kind::MemberSuspended, Status::Suspended),
        (Change::Resume, Status::Suspended) => post(work, Kind::MemberResumed, Status::Active),
        (Change::Suspend, Status::Suspended) | (Change::Resume, Status::Active) => Ok(()),
        (Change::Suspend | Change::Resume, Status::Closed | Status::Erased) => Err(Refusal::MemberClosed.into()),
        (Change::Close, Status::Active | Status::Suspended) => close(work),
        (Change::Close, Status::Closed | Status::Erased) | (Change::Erase, Status::Erased) => Ok(()),
        (Change::Erase, Status::Closed) => post(work, Kind::MemberErased, Status::Erased),
        (Change::Erase, Status::Active | Status::Suspended) => {
            close(work)?;
            post(work, Kind::MemberErased, Status::Erased)
        }
    }
}

fn close(work: &mut Working<'_>) -> Result<(), Rejected> {
    let mut postings = Vec::new();
    for lot in work.member.lots.values() {
        for (debit, points) in [(Account::Member(Part::Pending), lot.pending), (ACTIVE, lot.active)] {
            if points > 0 {
                postings.push(Posting { debit, credit: Account::Breakage, points, lot: Some(lot.id) });
            }
        }
    }
    let event = Event::new(Kind::MemberClosed, Fact::Status(Status::Closed));
    work.post(event.with_postings(postings))?;
    Ok(())
}

fn post(work: &mut Working<'_>, kind: Kind, status: Status) -> Result<(), Rejected> {
    work.post(Event::new(kind, Fact::Status(status)))?;
    Ok(())
}
