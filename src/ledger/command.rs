//! Commands: what callers ask the ledger to do, and what each needs to be decided.

use std::sync::Arc;
use std::time::Instant;

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::domain::ids::{JournalId, MemberId, RedemptionId, TransferId};
use crate::domain::journal::canonical;
use crate::domain::movement::adjustment::Adjustment;
use crate::domain::movement::donation::{CauseTerms, DonationRequest};
use crate::domain::movement::enrolment::{Enrolment, ProfileChange};
use crate::domain::movement::membership;
use crate::domain::movement::order::Order;
use crate::domain::movement::redemption::{CaptureRequest, RedemptionRequest};
use crate::domain::movement::refund::RefundRequest;
use crate::domain::movement::reward::{RewardPatch, RewardRequest};
use crate::domain::movement::transfer::{Reply, TransferRequest};
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
    /// A part of an order is paid back. Its natural key is the refund's id, within the order.
    RefundOrder(RefundRequest),
    /// A new member under an id made for it. Its natural key is the external id.
    Enrol(MemberId, Enrolment),
    /// An order or an adjustment of a customer who is enrolled with it: both or neither. To whom has been enrolled under
    /// its id by then, it is that order or adjustment and no more; its keys are theirs.
    EnrolWith(Enrolment, First),
    /// New personal data of a member.
    ChangeProfile(MemberId, ProfileChange),
    /// A member is suspended, resumed, closed or erased.
    ChangeMembership(MemberId, membership::Change),
    /// Points are spent, or held to be.
    Redeem(RedemptionRequest),
    /// A hold is captured.
    Capture(RedemptionId, CaptureRequest),
    /// A hold is given up.
    Void(RedemptionId),
    /// So many captured points come back, or all.
    Return(RedemptionId, Option<i64>),
    /// Points are given to a cause.
    Donate(DonationRequest),
    /// Points are offered or given to another member.
    Transfer(TransferRequest),
    /// An offer is answered, or taken back; with the receiver, whose journal is needed.
    AnswerTransfer(TransferId, MemberId, Reply),
    /// An operator corrects a wallet.
    Adjust(Adjustment),
    /// A new reward.
    DefineReward(RewardRequest),
    /// A change of a reward.
    ChangeReward(Uuid, RewardPatch),
    /// A new cause.
    DefineCause(CauseTerms),
    /// What time alone has caused for a member is written down; nothing else is.
    Settle(MemberId),
    /// A new version of the programme.
    Publish(Arc<Program>, Timestamp),
}

/// What a customer may be enrolled with.
#[derive(Debug, Clone)]
pub enum First {
    /// An order.
    Order(Order),
    /// An adjustment.
    Adjustment(Adjustment),
}

impl First {
    /// The id under which the customer is enrolled, or was.
    pub fn member_id(&self) -> MemberId {
        match self {
            First::Order(order) => order.member_id,
            First::Adjustment(adjustment) => adjustment.member_id,
        }
    }

    /// The same of a member who is enrolled already.
    pub fn of_member(self, member_id: MemberId) -> Command {
        match self {
            First::Order(order) => Command::CompleteOrder(Order { member_id, ..order }),
            First::Adjustment(adjustment) => Command::Adjust(Adjustment { member_id, ..adjustment }),
        }
    }
}

impl Command {
    /// The journal whose lane decides it.
    pub fn journal(&self) -> JournalId {
        match self {
            Command::CompleteOrder(order) => order.member_id.journal(),
            Command::RefundOrder(refund) => refund.member_id.journal(),
            Command::Enrol(id, _) | Command::ChangeProfile(id, _) | Command::ChangeMembership(id, _) => id.journal(),
            Command::EnrolWith(_, first) => first.member_id().journal(),
            Command::Settle(id) => id.journal(),
            Command::Redeem(request) => request.member_id.journal(),
            Command::Capture(id, _) | Command::Void(id) | Command::Return(id, _) => id.journal(),
            Command::Donate(request) => request.member_id.journal(),
            Command::Transfer(request) => request.from_member_id.journal(),
            Command::AnswerTransfer(id, ..) => id.journal(),
            Command::Adjust(adjustment) => adjustment.member_id.journal(),
            Command::DefineReward(_) | Command::ChangeReward(..) | Command::DefineCause(_) | Command::Publish(..) => {
                PROGRAM_JOURNAL
            }
        }
    }

    /// The refusal where nothing has the id by which its journal is found.
    pub fn not_found(&self) -> Refusal {
        match self {
            Command::Capture(..) | Command::Void(_) | Command::Return(..) => Refusal::RedemptionNotFound,
            Command::AnswerTransfer(..) => Refusal::TransferNotFound,
            _ => Refusal::MemberNotFound,
        }
    }

    /// Another journal that it writes to, or may.
    pub fn other_journal(&self) -> Option<JournalId> {
        let other = match self {
            Command::Transfer(request) => request.to_member_id.journal(),
            Command::AnswerTransfer(_, receiver, Reply::Accept) => receiver.journal(),
            _ => return None,
        };
        (other != self.journal()).then_some(other)
    }

    // SHA-256 of the canonical form of what is asked: the same for the same request, however it was spelt. An id that
    // was made for the command is not asked for; a member that a change is meant for is.
    pub(super) fn hash(&self) -> [u8; 32] {
        let asked = match self {
            Command::CompleteOrder(order) | Command::EnrolWith(_, First::Order(order)) => serde_json::to_value(order),
            Command::RefundOrder(refund) => serde_json::to_value((&refund.order_id, refund)),
            Command::Enrol(_, enrolment) => serde_json::to_value(enrolment),
            Command::ChangeProfile(id, change) => serde_json::to_value((id, change)),
            Command::ChangeMembership(id, change) => serde_json::to_value((id, change)),
            Command::Redeem(request) => serde_json::to_value(request),
            Command::Capture(id, CaptureRequest { points, order_id: Some(order) }) => {
                serde_json::to_value((id, points, order))
            }
            Command::Capture(id, CaptureRequest { points, order_id: None }) | Command::Return(id, points) => {
                serde_json::to_value((id, points))
            }
            Command::Void(id) => serde_json::to_value(id),
            Command::Donate(request) => serde_json::to_value(request),
            Command::Transfer(request) => serde_json::to_value(request),
            Command::AnswerTransfer(id, _, reply) => serde_json::to_value((id, reply)),
            Command::Adjust(adjustment) | Command::EnrolWith(_, First::Adjustment(adjustment)) => {
                serde_json::to_value(adjustment)
            }
            Command::DefineReward(request) => serde_json::to_value(request),
            Command::ChangeReward(id, patch) => serde_json::to_value((id, patch)),
            Command::DefineCause(terms) => serde_json::to_value(terms),
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
            Command::CompleteOrder(_) | Command::EnrolWith(_, First::Order(_)) => "order.complete",
            Command::RefundOrder(_) => "order.refund",
            Command::Enrol(..) => "member.enrol",
            Command::ChangeProfile(..) => "member.change",
            Command::ChangeMembership(_, membership::Change::Suspend) => "member.suspend",
            Command::ChangeMembership(_, membership::Change::Resume) => "member.resume",
            Command::ChangeMembership(_, membership::Change::Close) => "member.close",
            Command::ChangeMembership(_, membership::Change::Erase) => "member.erase",
            Command::Redeem(_) => "redemption.redeem",
            Command::Capture(..) => "redemption.capture",
            Command::Void(_) => "redemption.void",
            Command::Return(..) => "redemption.return",
            Command::Donate(_) => "points.donate",
            Command::Transfer(_) => "transfer.make",
            Command::AnswerTransfer(_, _, Reply::Accept) => "transfer.accept",
            Command::AnswerTransfer(_, _, Reply::Decline) => "transfer.decline",
            Command::AnswerTransfer(_, _, Reply::Cancel) => "transfer.cancel",
            Command::Adjust(_) | Command::EnrolWith(_, First::Adjustment(_)) => "points.adjust",
            Command::DefineReward(_) => "reward.define",
            Command::ChangeReward(..) => "reward.change",
            Command::DefineCause(_) => "cause.define",
            Command::Settle(_) => "member.settle",
            Command::Publish(..) => "program.publish",
        }
    }

    /// Has it a key of its own: an order's id, a refund's, a customer's?
    pub fn has_natural_key(&self) -> bool {
        matches!(
            self,
            Command::CompleteOrder(_)
                | Command::EnrolWith(_, First::Order(_))
                | Command::RefundOrder(_)
                | Command::Enrol(..)
        )
    }

    /// The member about whom a key of this command holds something personal: its answer `outcome` (who the customer is),
    /// or the hash of what was asked (what was bought, what somebody wrote).
    pub fn personal(&self, outcome: &Outcome) -> Option<MemberId> {
        match (self, outcome) {
            (Command::Enrol(id, _) | Command::ChangeProfile(id, _), Outcome::Done(_)) => Some(*id),
            (Command::ChangeMembership(id, change), Outcome::Done(_)) => {
                Some(*id).filter(|_| *change != membership::Change::Erase)
            }
            (Command::CompleteOrder(order) | Command::EnrolWith(_, First::Order(order)), _) => {
                Some(order.member_id).filter(|_| order.items.is_some())
            }
            (Command::RefundOrder(refund), _) => Some(refund.member_id).filter(|_| refund.items.is_some()),
            (Command::Transfer(request), _) => Some(request.from_member_id).filter(|_| request.message.is_some()),
            (Command::Adjust(adjustment) | Command::EnrolWith(_, First::Adjustment(adjustment)), _) => {
                Some(adjustment.member_id).filter(|_| adjustment.note.is_some())
            }
            _ => None,
        }
    }
}

/// An idempotency key in full (invariant 4).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The actor it belongs to.
    pub caller: String,
    /// The operation it belongs to.
    pub operation: String,
    /// The caller's text.
    pub key: String,
}

/// A command with what surrounds it.
pub struct Request {
    /// The command's id, a version 7 UUID made when it was received.
    pub id: Uuid,
    /// Who asks: `client:<name>` or `member:<id>`. Keys belong to the actor.
    pub actor: String,
    /// The caller's idempotency key; commands without a natural key must have one.
    pub key: Option<String>,
    /// Is the key taken by success alone, as a natural key is? Else a refusal is remembered under it.
    pub natural: bool,
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
        Self { id: Uuid::now_v7(), actor, key, natural: false, hash: command.hash(), deadline, command }
    }

    /// With a key that names what is asked, as the line of a file does: taken by success alone.
    pub fn with_natural_key(self, key: String) -> Self {
        Self { key: Some(key), natural: true, ..self }
    }

    /// The key in full, if the caller gave one.
    pub fn full_key(&self) -> Option<Key> {
        let (caller, operation) = (self.actor.clone(), self.command.operation().to_owned());
        self.key.clone().map(|key| Key { caller, operation, key })
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

impl Outcome {
    /// Is it a refusal that is decided anew when `command` is sent again? Beside a natural key, one that can heal is.
    pub fn can_heal(&self, command: &Command) -> bool {
        matches!(self, Outcome::Refused(refusal) if command.has_natural_key() && refusal.can_heal())
    }
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
    /// The journal's last entry lies more than a minute ahead of the database's clock. Nothing was done: it would count
    /// from a time that has not come.
    #[error("the ledger's last entry lies ahead of the database's clock; nothing is decided until they agree")]
    ClockBehind,
    /// The connection was lost at COMMIT and the outcome could not be found out.
    #[error("the connection was lost while committing; send the same request again to learn the outcome")]
    OutcomeUnknown,
    /// A fault in the ledger; the log says more. Nothing was done.
    #[error("an internal fault; nothing was done")]
    Fault,
}
