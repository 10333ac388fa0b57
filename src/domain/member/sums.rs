//! Accumulators: sums over what happened to a member. They stand with the wallet and are changed by the entries that are
//! applied to it, so that an award writes no row more for them. A new one is a field here, what adds to it below, and a
//! column of the wallet ([`crate::domain::member::Member::apply`] and replay need nothing else).

use serde::Serialize;

use crate::domain::journal::account::Account;
use crate::domain::journal::entry::{MAX_POINTS, Posting};
use crate::domain::journal::misfit::Misfit;
use crate::domain::member::fact::Fact;

/// What a member earned and spent since joining. Neither counts what expired, what an operator adjusted or what came
/// from and went to other members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, utoipa::ToSchema)]
pub struct Lifetime {
    /// Points from orders, less those that refunds made due, whether they were taken, had expired or were waived.
    /// (Refunds written before that rule took off only what was taken.)
    pub lifetime_earned: i64,
    /// Points redeemed and donated, less those that came back.
    pub lifetime_spent: i64,
}

impl Lifetime {
    /// Adds a posting of an entry that states `fact`.
    ///
    /// What a refund takes off the points earned stands in its fact: see [`Self::reverse`]. Those of before said it by
    /// their postings alone.
    pub(super) fn count(&mut self, posting: &Posting, fact: &Fact) -> Result<(), Misfit> {
        let by_postings = matches!(fact, Fact::Refund(refund) if refund.reversal.is_none());
        match posting.debit {
            Account::Issuance => add(&mut self.lifetime_earned, posting.points)?,
            Account::Redemption => add(&mut self.lifetime_spent, -posting.points)?,
            _ => {}
        }
        match posting.credit {
            Account::Issuance if by_postings => add(&mut self.lifetime_earned, -posting.points),
            Account::Redemption | Account::Donation(_) => add(&mut self.lifetime_spent, posting.points),
            _ => Ok(()),
        }
    }

    /// Takes off so many points that a refund made due.
    pub(super) fn reverse(&mut self, points: i64) {
        self.lifetime_earned -= points;
    }
}

/// Adds to a balance or a sum, which stays between zero and what an entry can state (invariant 6).
pub(super) fn add(balance: &mut i64, points: i64) -> Result<(), Misfit> {
    match balance.checked_add(points) {
        Some(sum) if (0..=MAX_POINTS).contains(&sum) => *balance = sum,
        Some(sum) if sum < 0 => return Err(Misfit::Negative),
        _ => return Err(Misfit::TooLarge),
    }
    Ok(())
}
