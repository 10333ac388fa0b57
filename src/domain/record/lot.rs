//! Lots: points that came together, with their own activation and expiry, and which of them are taken first.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::journal::account::{Account, Part};
use crate::domain::journal::canonical::Json;
use crate::domain::journal::entry::Posting;
use crate::domain::journal::misfit::Misfit;
use crate::domain::time::{self, Timestamp};

/// Points that came together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lot {
    /// Its id.
    pub id: Uuid,
    /// How many points it began with.
    pub earned: i64,
    /// How many of them are not usable yet.
    pub pending: i64,
    /// How many are usable.
    pub active: i64,
    /// How many are set aside.
    pub held: i64,
    /// How many of its points expired or were forfeit, less those that a refund took again.
    pub expired: i64,
    /// When pending points of it become active.
    pub active_at: Timestamp,
    /// The first instant at which they can no longer be used; none if they never expire.
    pub expires_at: Option<Timestamp>,
}

impl Lot {
    /// When something falls due by time alone: activation of what is pending, or else expiry of what is active. What is
    /// held does not expire while it is.
    pub fn due_at(&self) -> Option<Timestamp> {
        if self.pending > 0 {
            Some(self.active_at)
        } else if self.active > 0 {
            self.expires_at
        } else {
            None
        }
    }

    /// Are its points past their life at `at`?
    pub fn has_expired(&self, at: Timestamp) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at <= at)
    }

    /// The order in which lots are spent: soonest-expiring first. The statement that loads them sorts the same way.
    pub fn spent_before(&self, other: &Lot) -> Ordering {
        let end = |lot: &Lot| (lot.expires_at.is_none(), lot.expires_at, lot.id);
        end(self).cmp(&end(other))
    }
}

/// A lot that an entry brings into being. Entries carry it in full, so that each journal rebuilds its own members
/// (invariant 3): under the key `lots` of the payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewLot {
    /// Its id.
    pub id: Uuid,
    /// See [`Lot::active_at`].
    #[serde(with = "time::serde_canonical")]
    pub active_at: Timestamp,
    /// See [`Lot::expires_at`].
    #[serde(with = "time::serde_canonical::option")]
    pub expires_at: Option<Timestamp>,
}

impl NewLot {
    /// The lots that an entry's payload carries; none if it has no key `lots`.
    ///
    /// Errors: the key holds something else than lots.
    pub fn all_from(payload: &Json<'_>) -> Result<Vec<Self>, Misfit> {
        let Some(lots) = payload.get("lots") else { return Ok(Vec::new()) };
        let lots = lots.as_array().ok_or(Misfit::Lots)?;
        lots.iter().map(|lot| Self::from_json(lot).ok_or(Misfit::Lots)).collect()
    }

    fn from_json(lot: &Json<'_>) -> Option<Self> {
        let instant = |key: &str| time::parse(lot.get(key)?.as_str()?).ok();
        Some(Self {
            id: lot.get("id")?.as_str()?.parse().ok()?,
            active_at: instant("active_at")?,
            expires_at: match lot.get("expires_at")? {
                end if end.is_null() => None,
                _ => Some(instant("expires_at")?),
            },
        })
    }
}

/// Points taken from one lot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Taking {
    /// The lot.
    pub lot: Uuid,
    /// How many.
    #[schema(minimum = 1)]
    pub points: i64,
}

/// The first `points` of what `lots` have, or all of it.
pub fn at_most(points: i64, lots: impl Iterator<Item = Taking>) -> Vec<Taking> {
    split(&lots.collect::<Vec<_>>(), points).0
}

/// The first `points` of `takings`, and the rest.
pub fn split(takings: &[Taking], points: i64) -> (Vec<Taking>, Vec<Taking>) {
    let (mut first, mut rest, mut left) = (Vec::new(), Vec::new(), points);
    for Taking { lot, points } in takings {
        let here = left.min(*points);
        left -= here;
        for (part, points) in [(&mut first, here), (&mut rest, points - here)] {
            if points > 0 {
                part.push(Taking { lot: *lot, points });
            }
        }
    }
    (first, rest)
}

/// `points` from the end of `takings`, the last taken first, after `skipped` that went the same way before.
pub fn from_the_end(takings: &[Taking], skipped: i64, points: i64) -> Vec<Taking> {
    let backwards: Vec<Taking> = takings.iter().rev().cloned().collect();
    split(&split(&backwards, skipped).1, points).0
}

/// How many points `takings` are.
pub fn total(takings: &[Taking]) -> i64 {
    takings.iter().map(|taking| taking.points).sum()
}

/// Adds a taking to the last one if that is from the same lot, or else behind it.
pub fn push(takings: &mut Vec<Taking>, taking: Taking) {
    match takings.last_mut() {
        Some(last) if last.lot == taking.lot => last.points += taking.points,
        _ => takings.push(taking),
    }
}

/// The postings that move `takings` from `debit` to `credit`, each with its lot.
pub fn postings(takings: &[Taking], debit: Account, credit: Account) -> Vec<Posting> {
    let posting = |Taking { lot, points }: &Taking| Posting {
        debit: debit.clone(),
        credit: credit.clone(),
        points: *points,
        lot: Some(*lot),
    };
    takings.iter().map(posting).collect()
}

/// The account of a member's points that can be used.
pub const ACTIVE: Account = Account::Member(Part::Active);

/// The account of a member's points that become active later.
pub const PENDING: Account = Account::Member(Part::Pending);

/// The account of a member's points that are set aside.
pub const HELD: Account = Account::Member(Part::Held);

#[cfg(test)]
mod tests {
    use super::*;

    fn takings(points: &[(u128, i64)]) -> Vec<Taking> {
        points.iter().map(|(lot, points)| Taking { lot: Uuid::from_u128(*lot), points: *points }).collect()
    }

    #[test]
    fn takings_split_within_a_lot() {
        let (first, rest) = split(&takings(&[(1, 5), (2, 5), (3, 5)]), 7);
        assert_eq!((first, rest), (takings(&[(1, 5), (2, 2)]), takings(&[(2, 3), (3, 5)])));
    }

    #[test]
    fn what_comes_back_in_parts_comes_back_as_what_comes_back_at_once() {
        let taken = takings(&[(1, 5), (2, 5), (3, 5)]);
        assert_eq!(from_the_end(&taken, 0, 15), takings(&[(3, 5), (2, 5), (1, 5)]));
        assert_eq!(from_the_end(&taken, 0, 7), takings(&[(3, 5), (2, 2)]));
        assert_eq!(from_the_end(&taken, 7, 4), takings(&[(2, 3), (1, 1)]));
    }
}
