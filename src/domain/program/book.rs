//! The versions of the programme, and which of them rules when.

use std::sync::Arc;

use super::level::Level;
use super::{Program, TierRules};
use crate::domain::time::Timestamp;

/// One version of the programme. Versions never change once published.
#[derive(Debug, Clone, PartialEq)]
pub struct ProgramVersion {
    /// Its number; later published, higher.
    pub version: i32,
    /// From when on it rules.
    pub effective_at: Timestamp,
    /// The rules.
    pub program: Arc<Program>,
}

/// All versions of the programme: at least one, so that every time has its rules.
///
/// Among the versions effective at a time, the one that became effective last rules, and of two that became
/// effective together the one with the higher number. The first rules from the beginning of time: orders may be
/// older than the programme.
#[derive(Debug, Clone, PartialEq)]
pub struct ProgramBook {
    /// In the order of (effective_at, version). Never empty.
    versions: Vec<ProgramVersion>,
}

impl ProgramBook {
    /// The book of these versions, in any order.
    ///
    /// # Errors
    ///
    /// [`BookFault`].
    pub fn new(mut versions: Vec<ProgramVersion>) -> Result<Self, BookFault> {
        if versions.is_empty() {
            return Err(BookFault::Empty);
        }
        versions.sort_by_key(|version| version.version);
        if let Some(twice) = versions.windows(2).find(|pair| pair[0].version == pair[1].version) {
            return Err(BookFault::Twice(twice[0].version));
        }
        versions.sort_by_key(|version| (version.effective_at, version.version));
        Ok(Self { versions })
    }

    /// Adds a version that was published later. One that is there already changes nothing.
    pub fn add(&mut self, version: ProgramVersion) {
        if self.version(version.version).is_none() {
            self.versions.push(version);
            self.versions.sort_by_key(|version| (version.effective_at, version.version));
        }
    }

    /// The version that rules at `time`.
    pub fn at(&self, time: Timestamp) -> &ProgramVersion {
        let ruled = self.ruled(time);
        &ruled[ruled.len() - 1]
    }

    /// The version that rules at `time`, or the one with this number if it took effect later.
    pub fn at_or_since(&self, time: Timestamp, number: i32) -> &ProgramVersion {
        let since = |version: &ProgramVersion| (version.effective_at, version.version);
        let ruling = self.at(time);
        self.version(number).filter(|version| since(version) > since(ruling)).unwrap_or(ruling)
    }

    /// The versions that ruled from one time to another, in their order: at least the one that ruled at the first.
    pub fn between(&self, from: Timestamp, until: Timestamp) -> &[ProgramVersion] {
        &self.ruled(until)[self.ruled(from).len() - 1..]
    }

    // The versions that ruled by `time`, the last of them then: at least the first.
    fn ruled(&self, time: Timestamp) -> &[ProgramVersion] {
        &self.versions[..self.versions.partition_point(|version| version.effective_at <= time).max(1)]
    }

    /// The version with this number, such as an entry has recorded.
    pub fn version(&self, number: i32) -> Option<&ProgramVersion> {
        self.versions.iter().find(|version| version.version == number)
    }

    /// The tiers of the version with this number; none if it has none.
    pub fn tiers(&self, number: i32) -> Option<&TierRules> {
        self.version(number)?.program.tiers.as_ref()
    }

    /// Does a member stand alike by the tiers of two versions?
    pub fn same_tiers(&self, one: i32, other: i32) -> bool {
        let programs =
            || self.version(one).map(|one| &one.program).zip(self.version(other).map(|other| &other.program));
        one == other || programs().is_some_and(|(one, other)| one.has_tiers_of(other))
    }

    /// The version by which the tiers of `time` came into force: the first of those in a row that have the same.
    pub fn tiers_since(&self, time: Timestamp) -> &ProgramVersion {
        let (ruling, ruled) = (self.at(time), self.ruled(time).iter().rev());
        ruled.take_while(|version| version.program.has_tiers_of(&ruling.program)).last().unwrap_or(ruling)
    }

    /// Has the version with this number other tiers than the one that ruled before it? The first has not.
    pub fn changes_tiers(&self, number: i32) -> bool {
        let place = self.versions.iter().position(|version| version.version == number);
        let before = place.and_then(|place| Some((&self.versions[place], self.versions.get(place.checked_sub(1)?)?)));
        before.is_some_and(|(version, before)| !version.program.has_tiers_of(&before.program))
    }

    /// What a level of this code is at `time`: of the versions that ruled by then and have one, the last says it.
    pub fn level(&self, code: &str, time: Timestamp) -> Option<&Level> {
        self.ruled(time).iter().rev().find_map(|version| version.program.tiers.as_ref()?.level(code))
    }

    /// The version published last, be it effective or not.
    pub fn latest_version(&self) -> &ProgramVersion {
        self.versions.iter().max_by_key(|version| version.version).expect("a book is made with at least one version")
    }

    /// All versions in the order in which they become effective.
    pub fn versions(&self) -> &[ProgramVersion] {
        &self.versions
    }
}

/// Why versions do not make a book.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BookFault {
    /// There is none.
    #[error("a programme needs at least one version")]
    Empty,
    /// Two have the same number.
    #[error("version {0} of the programme is there twice")]
    Twice(i32),
}
