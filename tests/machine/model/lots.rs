//! Lots, naively: what is taken from them, and what arrives.

use accrue::domain::time::Timestamp;
use uuid::Uuid;

use super::{Lot, MOST, Person, Takings, Verdict};

impl Person {
    pub(super) fn lot(&mut self, id: Uuid) -> &mut Lot {
        self.lots.iter_mut().find(|lot| lot.id == id).expect("lots are never removed")
    }

    /// Points become active: they repay debt first, in the order in which they arrive.
    pub(super) fn arrive(&mut self, arriving: &[(Uuid, i64)]) -> Verdict {
        for (lot, points) in arriving {
            self.lot(*lot).active += points;
        }
        self.fits()?;
        for (lot, points) in arriving {
            let repaid = self.debt.min(*points);
            self.debt -= repaid;
            self.lot(*lot).active -= repaid;
        }
        Ok(())
    }

    pub(super) fn fits(&self) -> Verdict {
        self.fits_beside(0)
    }

    /// Does what is there fit beside points that are going to be taken?
    pub(super) fn fits_beside(&self, leaving: i128) -> Verdict {
        let counts = [self.all() + leaving, self.earned.into(), self.spent.into()];
        if counts.into_iter().all(|count| count <= i128::from(MOST)) { Ok(()) } else { Err("points_over_limit") }
    }

    /// All points that are in the wallet.
    pub(super) fn all(&self) -> i128 {
        self.lots.iter().map(|lot| i128::from(lot.pending) + i128::from(lot.active + lot.held)).sum()
    }

    /// Takes active points, the soonest-ending first.
    pub(super) fn take(&mut self, points: i64) -> Result<Takings, &'static str> {
        if self.active() < points {
            return Err("insufficient_points");
        }
        Ok(self.take_at_most(points))
    }

    /// Takes pending points, those that become active last first.
    pub(super) fn take_pending(&mut self, points: i64) -> Verdict {
        if self.pending() < points {
            return Err("insufficient_pending_points");
        }
        let mut left = points;
        while left > 0 {
            let pending = self.lots.iter_mut().filter(|lot| lot.pending > 0);
            let lot = pending.max_by_key(|lot| (lot.active_at, lot.id)).expect("there are enough");
            let points = left.min(lot.pending);
            lot.pending -= points;
            left -= points;
        }
        Ok(())
    }

    /// As [`Self::take`], or as many as there are.
    pub(super) fn take_at_most(&mut self, points: i64) -> Takings {
        let (mut left, mut takings) = (points, Vec::new());
        while left > 0 {
            let usable = self.lots.iter_mut().filter(|lot| lot.active > 0);
            let first = usable.min_by_key(|lot| lot.end());
            let Some(lot) = first else { break };
            let points = left.min(lot.active);
            lot.active -= points;
            left -= points;
            takings.push((lot.id, points));
        }
        takings
    }

    pub(super) fn hold(&mut self, takings: &Takings) {
        for (lot, points) in takings {
            self.lot(*lot).held += points;
        }
    }

    pub(super) fn spend(&mut self, points: i64) -> Verdict {
        self.spent += points;
        self.fits()
    }
}

impl Lot {
    pub(super) fn new(id: Uuid, active_at: Timestamp, expires_at: Option<Timestamp>) -> Self {
        Self { id, pending: 0, active: 0, held: 0, expired: 0, active_at, expires_at }
    }

    /// By which lots are sorted: the soonest-ending first.
    pub(super) fn end(&self) -> (bool, Option<Timestamp>, Uuid) {
        (self.expires_at.is_none(), self.expires_at, self.id)
    }

    pub(super) fn is_over(&self, at: Timestamp) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at <= at)
    }
}

/// The first so many points, and the rest.
pub(super) fn part(takings: &Takings, points: i64) -> (Takings, Takings) {
    let (mut first, mut rest, mut left) = (Vec::new(), Vec::new(), points);
    for (lot, points) in takings {
        let here = left.min(*points);
        left -= here;
        first.extend((here > 0).then_some((*lot, here)));
        rest.extend((points - here > 0).then_some((*lot, points - here)));
    }
    (first, rest)
}
