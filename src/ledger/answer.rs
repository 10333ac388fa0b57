//! How commands end, and the keys under which that is remembered (invariant 4).

use crate::domain::ids::MemberId;
use crate::domain::refusal::Refusal;

/// An idempotency key in full.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The actor it belongs to.
    pub caller: String,
    /// The operation it belongs to.
    pub operation: String,
    /// The caller's text.
    pub key: String,
}

/// A key that what is asked has of its own. It is taken by success alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NaturalKey<'a> {
    /// An order's id.
    Order(&'a str),
    /// A refund's id, within its order.
    Refund {
        /// The order's.
        order: &'a str,
        /// The refund's.
        refund: &'a str,
    },
    /// A customer's external id.
    Customer(&'a str),
}

impl NaturalKey<'_> {
    /// The refusal where something else has the key.
    pub fn conflict(&self) -> Refusal {
        match self {
            NaturalKey::Order(id) => Refusal::OrderConflict { order_id: (*id).to_owned() },
            NaturalKey::Refund { refund, .. } => Refusal::RefundConflict { refund_id: (*refund).to_owned() },
            NaturalKey::Customer(_) => Refusal::ExternalIdConflict,
        }
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

/// An effect that a key stands for.
#[derive(Debug, Clone)]
pub struct Remembered {
    /// The hash of the request that had it.
    pub hash: Vec<u8>,
    /// What it was answered.
    pub outcome: Outcome,
    /// About whom the answer holds something personal.
    pub member: Option<MemberId>,
}

impl Remembered {
    /// Something that was done.
    pub fn done(hash: impl Into<Vec<u8>>, response: &str) -> Self {
        Self { hash: hash.into(), outcome: Outcome::Done(response.to_owned()), member: None }
    }

    /// What stays of a key when the member whom its answer is about is erased: it is taken, for a request that nobody
    /// can repeat.
    pub fn erased() -> Self {
        Self { hash: vec![0; 32], outcome: Outcome::Refused(Refusal::MemberNotFound), member: None }
    }

    /// The first answer again for the request with the same hash; else the `conflict`.
    pub fn answer(&self, hash: &[u8], conflict: impl FnOnce() -> Refusal) -> Answer {
        if self.hash == hash {
            Answer { outcome: self.outcome.clone(), replayed: true }
        } else {
            Answer { outcome: Outcome::Refused(conflict()), replayed: false }
        }
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
    /// The ledger was opened to be read. Nothing was done.
    #[error("this service only reads; send it to one that writes")]
    ReadOnly,
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
