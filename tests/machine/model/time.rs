//! Time, naively: what falls due, and what is set aside until then.

use accrue::domain::ids::MemberId;
use accrue::domain::time::Timestamp;
use uuid::Uuid;

use super::Model;

impl Model {
    /// What time alone will do to a member: when, what, and to which lot, hold or offer.
    pub(super) fn due(&self, member: MemberId) -> Vec<(Timestamp, &'static str, Uuid)> {
        let mut due = Vec::new();
        due.extend(self.tier_ends_at(member).map(|at| (at, "a term", member.uuid())));
        for lot in &self.people[&member].lots {
            if lot.pending > 0 {
                due.push((lot.active_at, "points.activated", lot.id));
            }
            if let Some(expires_at) = lot.expires_at.filter(|_| lot.active > 0) {
                due.push((expires_at, "points.expired", lot.id));
            }
        }
        for hold in self.spendings.iter().filter(|hold| hold.member == member && hold.status == "held") {
            due.extend(hold.lapses_at.map(|at| (at, "redemption.lapsed", hold.id.uuid())));
        }
        for offer in self.gifts.iter().filter(|offer| offer.from == member && offer.status == "offered") {
            due.extend(offer.lapses_at.map(|at| (at, "transfer.lapsed", offer.id.uuid())));
        }
        due
    }

    /// Does what is due, the earliest first, until nothing is.
    pub(super) fn settle(&mut self, member: MemberId) {
        while let Some((at, what, id)) = self.due(member).into_iter().filter(|due| due.0 <= self.now).min() {
            match what {
                "a term" => self.end_term(member, at),
                "points.activated" => {
                    let person = self.person(member);
                    let lot = person.lot(id);
                    let points = std::mem::take(&mut lot.pending);
                    person.arrive(&[(id, points)]).expect("it was in the wallet");
                }
                "points.expired" => {
                    let lot = self.person(member).lot(id);
                    lot.expired += std::mem::take(&mut lot.active);
                }
                "redemption.lapsed" => {
                    let hold = self.spendings.iter_mut().find(|hold| hold.id.uuid() == id).expect("it is due");
                    hold.status = "lapsed";
                    let takings = hold.takings.clone();
                    self.release(member, &takings, at);
                }
                _ => {
                    let offer = self.gifts.iter_mut().find(|offer| offer.id.uuid() == id).expect("it is due");
                    offer.status = "lapsed";
                    let takings = offer.takings.clone();
                    self.release(member, &takings, at);
                }
            }
        }
    }

    /// What of a member's points is set aside.
    pub(super) fn open(&self, member: MemberId) -> impl Iterator<Item = (Uuid, i64)> {
        let holds = self.spendings.iter().filter(move |hold| hold.member == member && hold.status == "held");
        let offers = self.gifts.iter().filter(move |offer| offer.from == member && offer.status == "offered");
        holds.flat_map(|hold| hold.takings.clone()).chain(offers.flat_map(|offer| offer.takings.clone()))
    }
}
