//! Commands: what callers ask the ledger to do, and what each needs to be decided.

use std::sync::Arc;
use std::time::Instant;

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::domain::canonical;
use crate::domain::enrolment::{Enrolment, ProfileChange};
use crate::domain::ids::{JournalId, MemberId};
use crate::domain::order::Order;
use crate::domain::program::Program;
use crate::domain::refusal::Refusal;
use crate::domain::time::{self, Timestamp};

/// The journal of what belongs to no member.
pub const PROGRAM_JOURNAL: JournalId = 0;

/// Something to be decided.
#[derive(Clone)]
pub enum Command {
    /// Points for an order. Its natural key is the order's id.
    CompleteOrder(Order),
    /// A new member under an id made for it. Its natural key is the external id.
    Enrol(MemberId, Enrolment),
    /// New personal data of a member.
    ChangeProfile(MemberId, ProfileChange),
    /// What time alone has caused for a member is written down; nothing else is.
    Settle(MemberId),
    /// A new version of the programme.
    Publish(Arc<Program>, Timestamp),
}

impl Command {
    /// The journal whose lane decides it.
    pub fn journal(&self) -> JournalId {
        match self {
            Command::CompleteOrder(order) => order.member_id.journal(),
            Command::Enrol(id, _) | Command::ChangeProfile(id, _) | Command::Settle(id) => id.journal(),
            Command::Publish(..) => PROGRAM_JOURNAL,
        }
    }

    // SHA-256 of the canonical form of what is asked: the same for the same request, however it was spelt. An id that
    // was made for the command is not asked for; a member that a change is meant for is.
    fn hash(&self) -> [u8; 32] {
        let asked = match self {
            Command::CompleteOrder(order) => serde_json::to_value(order),
            Command::Enrol(_, enrolment) => serde_json::to_value(enrolment),
            Command::ChangeProfile(id, change) => serde_json::to_value((id, change)),
            Command::Settle(id) => serde_json::to_value(id),
            Command::Publish(program, effective_at) => {
                serde_json::to_value((program.document(), time::canonical(*effective_at)))
            }
        };
        let asked = asked.ok().and_then(|asked| canonical::to_string(&asked).ok());
        Sha256::digest(asked.expect("commands hold strings, integers and decimals in strings")).into()
    }

    /// The operation that idempotency keys belong to.
    pub fn operation(&self) -> &'static str {
        match self {
            Command::CompleteOrder(_) => "order.complete",
            Command::Enrol(..) => "member.enrol",
            Command::ChangeProfile(..) => "member.change",
            Command::Settle(_) => "member.settle",
            Command::Publish(..) => "program.publish",
        }
    }
}

/// A command with what surrounds it.
pub struct Request {
    /// The command's id, a version 7 UUID made when it was received.
    pub id: Uuid,
    /// Who asks: `client:<name>` or `member:<id>`. Keys belong to the actor.
    pub actor: String,
    /// The caller's idempotency key; commands without a natural key must have one.
    pub key: Option<String>,
    /// SHA-256 of the canonical form of what was asked, to tell a repetition from another request.
    pub hash: [u8; 32],
    /// A command still queued at this time is dropped.
    pub deadline: Instant,
    /// What is asked.
    pub command: Command,
}

impl Request {
    /// A request by `actor` under `key`, made now, that waits until `deadline` at most.
    pub fn new(actor: String, key: Option<String>, deadline: Instant, command: Command) -> Self {
        Self { id: Uuid::now_v7(), actor, key, hash: command.hash(), deadline, command }
    }
}

/// How a command ended. Both ways are committed, or were before (invariants 4 and 5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What was decided.
    pub outcome: Outcome,
    /// Was it decided before, for the same key?
    pub replayed: bool,
}

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Done; the JSON body of the answer.
    Done(String),
    /// Refused by the rules.
    Refused(Refusal),
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// The journal's queue is full. Nothing was done.
    #[error("the ledger has more to do than it can queue")]
    Busy,
    /// The command waited past its deadline and was dropped before it was taken. Nothing was done.
    #[error("the command waited too long and was not taken")]
    Expired,
    /// The database cannot be reached or does not answer in time. Nothing was done.
    #[error("the database cannot be reached")]
    Unavailable,
    /// The connection was lost at COMMIT and the outcome could not be found out.
    #[error("the connection was lost while committing; send the same request again to learn the outcome")]
    OutcomeUnknown,
    /// A fault in the ledger; the log says more. Nothing was done.
    #[error("an internal fault; nothing was done")]
    Fault,
}
