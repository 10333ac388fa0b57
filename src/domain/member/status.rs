//! Whether a member takes part.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Whether a member may start something new.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = MemberStatus)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Takes part.
    Active,
    /// Starts nothing new until resumed; what is under way goes on.
    Suspended,
    /// Has left. What comes back to the wallet is forfeit.
    Closed,
    /// Has left, and nothing personal is kept.
    Erased,
}

impl Status {
    const ALL: [Status; 4] = [Status::Active, Status::Suspended, Status::Closed, Status::Erased];

    /// The name in the database and the API.
    pub fn name(self) -> &'static str {
        match self {
            Status::Active => "active",
            Status::Suspended => "suspended",
            Status::Closed => "closed",
            Status::Erased => "erased",
        }
    }

    /// Has the member left for good?
    pub fn has_left(self) -> bool {
        matches!(self, Status::Closed | Status::Erased)
    }
}

impl FromStr for Status {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, UnknownStatus> {
        Self::ALL.into_iter().find(|status| status.name() == text).ok_or(UnknownStatus)
    }
}

/// The text names no status of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be active, suspended, closed or erased")]
pub struct UnknownStatus;
