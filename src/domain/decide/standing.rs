//! Where a member stands among the tiers, as a decision goes on: by an order or a refund at once, and by time.

use super::{Event, Working};
use crate::domain::journal::entry::Kind;
use crate::domain::journal::misfit::Misfit;
use crate::domain::member::fact::Fact;
use crate::domain::program::ProgramVersion;
use crate::domain::program::level::Level;
use crate::domain::record::order::OrderRecord;
use crate::domain::tier::{self, Assigned, Counted, Scene, Seen, Spending, Standing};
use crate::domain::time::{EARLIEST, Timestamp};

/// What an order does to its member's tier.
#[derive(Default)]
pub struct Outlook {
    /// What all orders come to then, where that does not follow from adding this one.
    pub spending: Option<Box<Spending>>,
    /// Where the member stands then, if that is elsewhere.
    pub stands: Option<Box<(Standing, Spending)>>,
}

impl<'a> Working<'a> {
    /// The level that the member has now, by the rules that gave it; none without one.
    pub fn level(&self) -> Option<&'a Level> {
        let standing = self.member.stands()?;
        standing.level(self.context.programs.tiers(standing.version)?)
    }

    /// How the tier is seen at `at`, when all orders that count are known; none in a programme without tiers.
    pub fn seen(&self, at: Timestamp) -> Option<Seen<'a>> {
        let in_force = self.context.programs.at(self.context.now);
        let standing = self.member.stands();
        let decided_by = standing.and_then(|standing| self.context.programs.version(standing.version));
        let scene = self.scene(decided_by.unwrap_or(in_force))?;
        let none = Standing::none(scene.version);
        let counted = Counted::of(self.member.orders.values(), EARLIEST, &scene);
        Some(tier::look(standing.unwrap_or(&none), &counted, &scene, at))
    }

    /// What an order that is not posted yet will do.
    ///
    /// Errors: the member's other orders decide it, and were not loaded.
    pub fn outlook(&self, order: &OrderRecord) -> Result<Outlook, Misfit> {
        let version = self.context.programs.at(self.context.now);
        let Some(scene) = self.scene(version) else { return Ok(Outlook::default()) };
        let (standing, spending) = (self.member.standing.as_ref(), self.member.spending.as_ref());
        let before = standing.cloned().unwrap_or_else(|| Standing::none(scene.version));
        let added = spending.map(|spending| {
            let mut added = spending.clone();
            added.count(order);
            added
        });
        let foreseen = spending
            .filter(|_| self.is_by(&scene))
            .and_then(|spending| tier::foresee(&before, spending, order, &scene));
        let (stands, spending) = match foreseen {
            Some(foreseen) => foreseen,
            None => {
                // Tiers that came into force since take hold as if the order had arrived when it occurred.
                let earliest = self.context.programs.tiers_since(self.context.now).effective_at.max(before.based_at);
                let at = order.occurred_at.max(earliest).min(self.context.now);
                self.exact(&before, &scene, Some(order), at)?
            }
        };
        let is_new = if standing.is_none() { stands.rank.level.is_some() } else { stands != before };
        let follows = added.as_ref() == Some(&spending);
        Ok(Outlook {
            spending: (!follows && !is_new).then(|| Box::new(spending.clone())),
            stands: is_new.then(|| Box::new((stands, spending))),
        })
    }

    /// Posts where the member stands after an order or a refund.
    pub fn take_stand(&mut self, stands: Option<Box<(Standing, Spending)>>) -> Result<(), Misfit> {
        let Some(stands) = stands else { return Ok(()) };
        let kind = self.kind_of(&stands.0);
        self.post(Event::new(kind, Fact::Standing(stands))).map(|_| ())
    }

    /// After a refund: a tier that the orders no longer reach ends, where the rules say that it does so at once; and so does one
    /// that they did not reach after all, since the refund was before them.
    ///
    /// Errors: the member's orders decide it, and were not loaded.
    pub fn stand_anew(&mut self) -> Result<(), Misfit> {
        let version = self.context.programs.at(self.context.now);
        let Some(scene) = self.scene(version) else { return Ok(()) };
        let Some(before) = self.member.stands().filter(|before| before.rank != before.base) else { return Ok(()) };
        let stands = self.exact(before, &scene, None, self.context.now)?;
        self.take_stand((stands.0.rank != before.rank).then(|| Box::new(stands)))
    }

    /// Where the member stands with what an operator gives it; none in a programme without tiers.
    ///
    /// Errors: the member's orders decide it, and were not loaded.
    pub fn assigned(&self, assigned: Assigned) -> Result<Option<(Standing, Spending)>, Misfit> {
        let Some(scene) = self.scene(self.context.programs.at(self.context.now)) else { return Ok(None) };
        let before = self.member.standing.clone().unwrap_or_else(|| Standing::none(scene.version));
        self.exact(&Standing { assigned: Some(assigned), ..before }, &scene, None, self.context.now).map(Some)
    }

    /// Finds out anew where the member stands, by tiers that have come into force since. In a programme that has none any
    /// more, tiers end with their terms.
    ///
    /// Errors: the member's orders decide it, and were not loaded.
    pub fn review(&mut self) -> Result<(), Misfit> {
        let now = self.context.now;
        self.settle(now)?;
        let Some(scene) = self.scene(self.context.programs.at(now)) else { return Ok(()) };
        if self.member.status.has_left() || self.member.standing.is_some() && self.is_by(&scene) {
            return Ok(());
        }
        let before = self.member.standing.clone().unwrap_or_else(|| Standing::none(scene.version));
        let stands = self.exact(&before, &scene, None, now)?;
        let of = |standing: &Standing| (standing.tier.clone(), standing.rank.clone(), standing.assigned.clone());
        if of(&stands.0) != of(&before) || stands.0.ends_at != before.ends_at {
            self.take_stand(Some(Box::new(stands)))?;
        }
        self.settle(now)
    }

    /// A term or what an operator gave ends.
    pub(super) fn end_term(&mut self, due_at: Timestamp) -> Result<(), Misfit> {
        let Some(mut before) = self.member.standing.clone() else { return Ok(()) };
        before.assigned = before.assigned.filter(|assigned| assigned.until > due_at);
        // What a later version decided of the time before it is not undone by an earlier one.
        let version = self.context.programs.at_or_since(due_at, before.version);
        let stands = match self.scene(version) {
            // What has not ended yet goes on by the rules that gave it. Without tiers nobody gets another.
            None => {
                let spending = self.member.spending.clone().ok_or(Misfit::NotLoaded("what orders come to"))?;
                if before.ends_at.is_some_and(|ends_at| ends_at <= due_at) {
                    let assigned = before.assigned;
                    before = Standing { based_at: due_at, assigned, ..Standing::none(before.version) };
                }
                match self.context.programs.tiers(before.version).filter(|_| before.due_at().is_some()) {
                    Some(rules) => (before.with_tier(rules), spending),
                    None => (Standing { based_at: due_at, ..Standing::none(version.version) }, spending),
                }
            }
            Some(scene) => {
                if !self.is_by(&scene) {
                    before = self.exact(&before, &scene, None, due_at)?.0;
                }
                match before.ends_at.is_some_and(|ends_at| ends_at <= due_at) {
                    true => {
                        self.must_know(&before, &scene)?;
                        tier::decide(&before, self.member.orders.values(), &scene)
                    }
                    false => (
                        before.with_tier(scene.rules),
                        self.member.spending.clone().ok_or(Misfit::NotLoaded("what orders come to"))?,
                    ),
                }
            }
        };
        let kind = self.kind_of(&stands.0);
        let id = self.member.id.uuid();
        self.post_due(due_at, &[id], Event::new(kind, Fact::Standing(Box::new(stands))))
    }

    // What the orders say that were loaded, and one more. Tiers that have come into force since take hold `at` that instant.
    fn exact(
        &self,
        before: &Standing,
        scene: &Scene<'_>,
        order: Option<&OrderRecord>,
        at: Timestamp,
    ) -> Result<(Standing, Spending), Misfit> {
        self.must_know(before, scene)?;
        let orders = self.member.orders.values().chain(order);
        let programs = self.context.programs;
        match programs.tiers(before.version).filter(|_| !programs.same_tiers(before.version, scene.version)) {
            Some(old) => Ok(tier::change_rules(before, old, orders, scene, at)),
            None => Ok(tier::stand(before, orders, scene)),
        }
    }

    fn must_know(&self, before: &Standing, scene: &Scene<'_>) -> Result<(), Misfit> {
        let from = tier::orders_from(before, scene);
        match self.member.orders_since.is_some_and(|since| since <= from) {
            true => Ok(()),
            false => Err(Misfit::NotLoaded("an order that counts towards a tier")),
        }
    }

    // Was all that is kept decided by these very rules?
    fn is_by(&self, scene: &Scene<'_>) -> bool {
        let by = |version: i32| self.context.programs.same_tiers(version, scene.version);
        self.member.standing.as_ref().is_none_or(|standing| by(standing.version))
            && self.member.spending.as_ref().is_some_and(|spending| by(spending.version))
    }

    fn scene(&self, version: &'a ProgramVersion) -> Option<Scene<'a>> {
        Scene::of(version, self.member.joined_at)
    }

    // Up, down, or as high as before, each by the rules that it was decided by.
    fn kind_of(&self, after: &Standing) -> Kind {
        let place = |standing: &Standing| self.context.programs.tiers(standing.version)?.place(standing.tier.as_ref()?);
        let before = self.member.standing.as_ref().and_then(place);
        match place(after).cmp(&before) {
            std::cmp::Ordering::Greater => Kind::TierUpgraded,
            std::cmp::Ordering::Equal => Kind::TierRenewed,
            std::cmp::Ordering::Less => Kind::TierDowngraded,
        }
    }
}
