//! Versions of the programme that have other tiers, naively: when they take hold of a member, and what it keeps.

use accrue::domain::ids::MemberId;
use accrue::domain::program::TierRules;
use accrue::domain::time::Timestamp;

use super::Model;

impl Model {
    /// The number of the version by which the tiers in force came into force.
    pub fn version(&self) -> i32 {
        i32::try_from(self.tiers_at(self.now)).expect("there are two") + 1
    }

    /// The tiers of the version at this place.
    pub(super) fn tiers_by(&self, place: usize) -> Option<&TierRules> {
        self.programs[place].1.tiers.as_ref()
    }

    /// The place of the version by which the tiers of that time came into force.
    pub(super) fn tiers_at(&self, at: Timestamp) -> usize {
        let mut place = self.programs.iter().rposition(|(effective_at, _)| *effective_at <= at).unwrap_or(0);
        // Worlds have one currency.
        let tiers = |place: usize| (&self.programs[place].1.tiers, self.programs[place].1.time_zone);
        while place > 0 && tiers(place) == tiers(place - 1) {
            place -= 1;
        }
        place
    }

    /// The tiers in force take hold of a member, if they have not: it keeps what it has until its term ends, and of a level
    /// that they have no more it keeps the next lower one. Of whoever never had a tier, all that it ordered is looked at.
    /// Says whether they did.
    pub(super) fn take_hold(&mut self, member: MemberId, at: Timestamp) -> bool {
        let (by, before) = (self.tiers_at(at), self.people[&member].tier.clone());
        let Some(new) = self.tiers_by(by).filter(|_| by > before.by) else { return false };
        let kept = |level: usize| {
            let old = &self.tiers_by(before.by).expect("there was a tier by them").levels[..=level];
            old.iter().rev().find_map(|level| new.place(&level.code))
        };
        let level = before.level.and_then(kept);
        let given = before.given.and_then(|(level, until)| kept(level).map(|level| (level, until)));
        let until = before.until.filter(|_| level.is_some());
        let tier = &mut self.person(member).tier;
        tier.by = by;
        if before.had {
            (tier.level, tier.until, tier.given) = (level, until, given);
            (tier.base, tier.based_at) = ((level, until), at);
        }
        true
    }

    /// A new order: the tiers in force take hold when it occurred, but not before they came into force.
    pub(super) fn stand_by_order(&mut self, member: MemberId, occurred_at: Timestamp) {
        let since = self.programs[self.tiers_at(self.now)].0;
        let earliest = since.max(self.people[&member].tier.based_at);
        if self.program().tiers.is_some() {
            self.take_hold(member, occurred_at.max(earliest).min(self.now));
            self.restand(member);
        }
    }

    /// A refund: it takes nothing that an earlier version gave, and where it changes nothing, no version takes hold.
    pub(super) fn stand_by_refund(&mut self, member: MemberId) {
        let (before, rank) = (self.people[&member].tier.clone(), self.rank_of(member));
        if self.program().tiers.is_none() || before.level == before.base.0 {
            return;
        }
        self.take_hold(member, self.now);
        self.restand(member);
        if self.rank_of(member) == rank {
            self.person(member).tier = before;
        }
    }

    /// A member's turn comes. One that changes nothing leaves it where it was.
    pub(super) fn review(&mut self, member: MemberId) {
        self.settle(member);
        if self.program().tiers.is_none() || self.people[&member].has_left() {
            return;
        }
        let (before, seen) = (self.people[&member].tier.clone(), self.seen(member));
        self.take_hold(member, self.now);
        self.restand(member);
        if self.seen(member) == seen {
            self.person(member).tier = before;
        }
        self.settle(member);
    }

    // What can be seen of a tier: what it is, what follows from the orders and until when, and what was given.
    fn seen(&self, member: MemberId) -> impl PartialEq + use<> {
        let tier = &self.people[&member].tier;
        let given = tier.given.map(|(level, until)| (self.code_by(tier.by, level), until));
        (self.tier_of(member), self.rank_of(member), self.term_ends_at(member), given)
    }

    // What follows from the orders: the level's code, and until when.
    fn rank_of(&self, member: MemberId) -> Option<(String, Option<Timestamp>)> {
        let tier = &self.people[&member].tier;
        Some((self.code_by(tier.by, tier.level?), tier.until))
    }

    fn code_by(&self, by: usize, level: usize) -> String {
        self.tiers_by(by).expect("they have levels").levels[level].code.clone()
    }
}
