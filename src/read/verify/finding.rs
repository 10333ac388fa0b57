//! Which of many faults is the first, whatever order threads find them in.

use std::sync::{Mutex, PoisonError};

use crate::domain::audit::{Fault, Wrong};
use crate::domain::ids::JournalId;
use crate::read::not_verified::NotVerified;

/// Where something is wrong, in the order in which it is named: by journal its entries by number, then its head and its
/// tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    journal: JournalId,
    seq: i64,
    check: Check,
}

/// What was checked there, in the order of checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// The place of an entry in its chain.
    Link,
    /// That its order or refund was not recorded before.
    Once,
    /// What it says.
    Replay,
    /// The head of a journal.
    Head,
    /// How many members there are.
    Count,
    /// Members with their wallets and lots.
    Members,
    /// Lots that are nobody's.
    Lots,
    /// The other tables.
    Tables,
}

/// The first of the faults that were found so far.
#[derive(Debug, Default)]
pub struct First(Mutex<Option<(Place, NotVerified)>>);

impl First {
    /// An entry is wrong.
    pub fn entry(&self, journal: JournalId, seq: i64, check: Check, fault: Fault) {
        self.put(Place { journal, seq, check }, Wrong { journal, seq, fault }.into());
    }

    /// An entry cannot even be read as one.
    pub fn unreadable(&self, journal: JournalId, seq: i64, wrong: NotVerified) {
        self.put(Place { journal, seq, check: Check::Link }, wrong);
    }

    /// A journal's head or a table is wrong.
    pub fn table(&self, journal: JournalId, check: Check, fault: String) {
        self.put(Place { journal, seq: i64::MAX, check }, NotVerified::Projection { journal, fault });
    }

    /// Fails with the first fault, if there is one.
    pub fn check(self) -> Result<(), NotVerified> {
        match self.0.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some((_, wrong)) => Err(wrong),
            None => Ok(()),
        }
    }

    fn put(&self, place: Place, wrong: NotVerified) {
        let mut first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Of faults at one place, such as two members', always the same one is named.
        let comes_first = |(before, other): &(Place, NotVerified)| {
            place.cmp(before).then_with(|| wrong.to_string().cmp(&other.to_string())).is_lt()
        };
        if first.as_ref().is_none_or(comes_first) {
            *first = Some((place, wrong));
        }
    }
}
