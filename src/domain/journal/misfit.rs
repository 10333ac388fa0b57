//! Why an entry does not fit the member that it is about.

use uuid::Uuid;

use crate::domain::journal::entry::MAX_POINTS;

/// A posting that cannot be applied to the member it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// Invariant 6.
    #[error("a balance falls below zero")]
    Negative,
    /// Integers in entries stay within 2^53 − 1.
    #[error("a balance passes {MAX_POINTS}")]
    TooLarge,
    /// A posting names a lot that the member does not have.
    #[error("lot {0} is not one of the member's")]
    UnknownLot(Uuid),
    /// A lot comes into being twice.
    #[error("lot {0} exists already")]
    LotExists(Uuid),
    /// The payload's `lots` are not lots.
    #[error("the payload's lots cannot be read")]
    Lots,
    /// The payload states something that cannot be read.
    #[error("the payload's {0} cannot be read")]
    Fact(&'static str),
    /// A refund of an order that the member never had.
    #[error("it refunds an order that is not one of the member's")]
    UnknownOrder,
    /// An order is recorded twice.
    #[error("its order was recorded before")]
    OrderTwice,
    /// What the entry needs was not loaded.
    #[error("{0} was not loaded")]
    NotLoaded(&'static str),
}
