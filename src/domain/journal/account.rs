//! The accounts that postings move points between.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// An account. The programme's accounts belong to the journal, the member's to the entry's member.
///
/// Balances are credits less debits, except `debt`, which is what the member owes: debits less credits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Account {
    /// Where points come from.
    Issuance,
    /// Where spent points go.
    Redemption,
    /// Where expired points go.
    Breakage,
    /// The other side of a correction.
    Adjustment,
    /// Points given to a cause.
    Donation(String),
    /// Between two members; zero over all journals whenever no batch is under way.
    Transit,
    /// One of the four accounts of the entry's member.
    Member(Part),
}

/// The parts of a member's wallet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// Earned, not yet usable.
    Pending,
    /// Usable.
    Active,
    /// Set aside for a redemption or an offered transfer.
    Held,
    /// Owed by the member after a reversal.
    Debt,
}

impl Account {
    /// Its name, as postings have it.
    pub fn name(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Account::Issuance => "issuance",
            Account::Redemption => "redemption",
            Account::Breakage => "breakage",
            Account::Adjustment => "adjustment",
            Account::Donation(cause) => return Cow::Owned(format!("donation:{cause}")),
            Account::Transit => "transit",
            Account::Member(Part::Pending) => "pending",
            Account::Member(Part::Active) => "active",
            Account::Member(Part::Held) => "held",
            Account::Member(Part::Debt) => "debt",
        })
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

impl FromStr for Account {
    type Err = UnknownAccount;

    fn from_str(text: &str) -> Result<Self, UnknownAccount> {
        Ok(match text {
            "issuance" => Account::Issuance,
            "redemption" => Account::Redemption,
            "breakage" => Account::Breakage,
            "adjustment" => Account::Adjustment,
            "transit" => Account::Transit,
            "pending" => Account::Member(Part::Pending),
            "active" => Account::Member(Part::Active),
            "held" => Account::Member(Part::Held),
            "debt" => Account::Member(Part::Debt),
            _ => match text.strip_prefix("donation:") {
                Some(cause) if !cause.is_empty() => Account::Donation(cause.to_owned()),
                _ => return Err(UnknownAccount),
            },
        })
    }
}

/// The text names no account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no account has that name")]
pub struct UnknownAccount;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_account_reads_back_from_its_name() {
        let names = "issuance redemption breakage adjustment donation:trees transit pending active held debt";
        for name in names.split(' ') {
            assert_eq!(name.parse::<Account>().unwrap().to_string(), name);
        }
        for nonsense in ["", "donation:", "Active", "member"] {
            assert_eq!(nonsense.parse::<Account>(), Err(UnknownAccount));
        }
    }
}
