//! How a decision can end without entries.

use super::Refusal;
use crate::domain::journal::misfit::Misfit;

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
