//! What belongs to no member and is taken by records: a reward's stock.
//!
//! How much there is stands in the journal of what belongs to no member; how much is taken follows from the records in all
//! journals, so that replay rebuilds it whatever order the journals are read in (invariant 3). A decision takes what its
//! records take after it less what they took before it.

/// How much there is of something, and how much of it is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counter {
    /// How much there ever was; none without limit.
    pub most: Option<i64>,
    /// How much is reserved or gone.
    pub taken: i64,
}

impl Counter {
    /// How much is left; none without limit.
    pub fn left(self) -> Option<i64> {
        self.most.map(|most| most - self.taken)
    }

    /// The counter once so much more is taken, or less.
    pub fn take(self, more: i64) -> Self {
        Self { taken: self.taken + more, ..self }
    }

    /// The counter where so much is left from now on; none takes the limit away.
    pub fn with_left(self, left: Option<i64>) -> Self {
        Self { most: left.map(|left| left + self.taken), ..self }
    }
}
