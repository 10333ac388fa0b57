//! Points on their way to another member.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::ids::{MemberId, TransferId};
use crate::domain::record::due::Due;
use crate::domain::record::lot::Taking;
use crate::domain::record::{Record, Recorded};
use crate::domain::time::{self, Timestamp};

/// How far a transfer has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TransferStatus {
    /// Waits for the receiver; its points are set aside.
    Offered,
    /// The points are the receiver's.
    Accepted,
    /// The receiver wanted none of it.
    Declined,
    /// The giver took it back.
    Cancelled,
    /// Nobody answered in time.
    Lapsed,
}

impl TransferStatus {
    /// Each with its name.
    pub const ALL: [(&str, Self); 5] = [
        ("offered", Self::Offered),
        ("accepted", Self::Accepted),
        ("declined", Self::Declined),
        ("cancelled", Self::Cancelled),
        ("lapsed", Self::Lapsed),
    ];

    /// The name in the database and the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Offered => "offered",
            Self::Accepted => "accepted",
            Self::Declined => "declined",
            Self::Cancelled => "cancelled",
            Self::Lapsed => "lapsed",
        }
    }
}

/// Points on their way to another member, as the giver's journal states it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// Its id.
    pub id: TransferId,
    /// Who gives.
    pub from_member_id: MemberId,
    /// Who receives.
    pub to_member_id: MemberId,
    /// How far it has come.
    pub status: TransferStatus,
    /// How many points.
    pub points: i64,
    /// When it was offered or made.
    #[serde(with = "time::serde_canonical")]
    pub created_at: Timestamp,
    /// When the offer lapses unless it is answered before; null for a direct transfer.
    #[serde(with = "time::serde_canonical::option")]
    pub lapses_at: Option<Timestamp>,
    /// The giver's lots that the points are from.
    pub lots: Vec<Taking>,
}

impl Transfer {
    /// When it falls due by time alone.
    pub fn due_at(&self) -> Option<Timestamp> {
        self.lapses_at.filter(|_| self.status == TransferStatus::Offered)
    }

    /// The transfer as it is at `now`, though nothing may have written that it lapsed (invariant 9).
    pub fn at(self, now: Timestamp) -> Self {
        let lapsed = self.due_at().is_some_and(|due_at| due_at <= now);
        Self { status: if lapsed { TransferStatus::Lapsed } else { self.status }, ..self }
    }
}

impl Recorded for Transfer {
    fn id(&self) -> Uuid {
        self.id.uuid()
    }

    fn member_id(&self) -> MemberId {
        self.from_member_id
    }

    fn status(&self) -> &'static str {
        self.status.name()
    }

    fn created_at(&self) -> Timestamp {
        self.created_at
    }

    fn due(&self) -> Option<(Timestamp, Due)> {
        self.due_at().map(|at| (at, Due::Offer))
    }

    fn ended(&self) -> Record {
        Self { status: TransferStatus::Lapsed, ..self.clone() }.into()
    }

    fn about(&self) -> Option<Uuid> {
        Some(self.to_member_id.uuid())
    }

    fn lots(&self) -> &[Taking] {
        &self.lots
    }

    fn is_open(&self) -> bool {
        self.status == TransferStatus::Offered
    }

    // Towards the giver's limit of a day.
    fn counts(&self) -> bool {
        matches!(self.status, TransferStatus::Offered | TransferStatus::Accepted)
    }

    fn takes(&self) -> Option<(Uuid, i64)> {
        None
    }
}
