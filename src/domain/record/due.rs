//! What falls due by time alone, and in which order.

use crate::domain::journal::entry::Kind;

/// What time alone does. At one instant it happens in this order, whatever the names are: a new one goes where it
/// belongs, and those that are here keep their places among each other, since journals were written by them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Due {
    /// A tier's term ends: before anything that is granted by tier.
    Term,
    /// Pending points become usable.
    Activation,
    /// Points reach the end of their life.
    Expiry,
    /// A hold reaches its end.
    Hold,
    /// An offer to another member reaches its end.
    Offer,
}

impl Due {
    /// All, in their order.
    pub const ALL: [Due; 5] = [Due::Term, Due::Activation, Due::Expiry, Due::Hold, Due::Offer];

    /// Does it happen to lots, all of which share an entry? Else to a record, which has an entry of its own.
    pub fn is_of_lots(self) -> bool {
        matches!(self, Due::Activation | Due::Expiry)
    }

    /// What the entry says that writes it down.
    pub fn kind(self) -> Kind {
        match self {
            Due::Term => Kind::TierRenewed,
            Due::Activation => Kind::PointsActivated,
            Due::Expiry => Kind::PointsExpired,
            Due::Hold => Kind::RedemptionLapsed,
            Due::Offer => Kind::TransferLapsed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn journals_so_far_were_written_in_this_order() {
        let named = ["tier.renewed", "points.activated", "points.expired", "redemption.lapsed", "transfer.lapsed"];
        assert!(Due::ALL.is_sorted() && Due::ALL.map(|due| due.kind().name()) == named);
    }
}
