//! Members come and go, naively.

use accrue::domain::ids::MemberId;
use accrue::domain::movement::enrolment::{Enrolment, ProfileChange};
use accrue::domain::movement::membership::Change;

use super::tiers::Tier;
use super::{Model, Person, Verdict};

impl Model {
    pub(super) fn enrol(&mut self, id: MemberId, enrolment: &Enrolment) {
        let profile = Some((enrolment.external_id.clone(), None));
        let (joined_at, tier) = (enrolment.joined_at.unwrap_or(self.now), Tier::default());
        let (lots, debt, earned, spent) = (Vec::new(), 0, 0, 0);
        self.people.insert(id, Person { status: "active", lots, debt, earned, spent, joined_at, tier, profile });
    }

    pub(super) fn change_profile(&mut self, id: MemberId, change: &ProfileChange) -> Verdict {
        self.known_member(id)?;
        if self.people[&id].has_left() {
            return Err("member_closed");
        }
        self.settle(id);
        if let (Some(tags), Some(profile)) = (&change.tags, &mut self.person(id).profile) {
            profile.1 = Some(tags.clone());
        }
        Ok(())
    }

    pub(super) fn change_membership(&mut self, id: MemberId, change: Change) -> Verdict {
        self.known_member(id)?;
        self.settle(id);
        let person = self.person(id);
        match change {
            Change::Suspend | Change::Resume if person.has_left() => return Err("member_closed"),
            Change::Suspend => person.status = "suspended",
            Change::Resume => person.status = "active",
            Change::Close => person.close(),
            Change::Erase => {
                person.close();
                person.status = "erased";
                if let Some((customer, _)) = person.profile.take() {
                    self.customers.remove(&customer);
                }
                self.forget(id);
            }
        }
        Ok(())
    }

    // What was asked about the member cannot be repeated: what it said is not kept.
    fn forget(&mut self, id: MemberId) {
        let seen = self.keys.values_mut().chain(self.refunds.values_mut());
        seen.filter(|seen| seen.personal == Some(id)).for_each(|seen| seen.hash = [0; 32]);
        for sale in self.sales.iter_mut().filter(|sale| sale.member == id && sale.items.is_some()) {
            sale.items = None;
            self.orders.get_mut(&sale.id).expect("it was posted").1 = [0; 32];
        }
    }
}

impl Person {
    fn close(&mut self) {
        if !self.has_left() {
            self.status = "closed";
            for lot in &mut self.lots {
                lot.expired += lot.pending + lot.active;
                (lot.pending, lot.active) = (0, 0);
            }
        }
    }
}
