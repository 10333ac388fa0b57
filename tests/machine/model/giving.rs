//! Giving, naively: donations and transfers.

use accrue::domain::ids::{MemberId, TransferId};
use accrue::domain::journal::entry::derive_id;
use accrue::domain::movement::donation::DonationRequest;
use accrue::domain::movement::transfer::{Reply, TransferRequest};
use accrue::domain::time::local_midnight;

use super::{Gift, Lot, Model, Takings, Verdict};

impl Model {
    pub(super) fn donate(&mut self, asked: &DonationRequest) -> Verdict {
        self.known_member(asked.member_id)?;
        self.settle(asked.member_id);
        self.may_begin(asked.member_id)?;
        let now = self.now;
        let (terms, _) = self.causes.get(&asked.cause_id).ok_or("cause_not_found")?;
        if terms.open_from.is_some_and(|from| now < from) || terms.open_until.is_some_and(|until| now >= until) {
            return Err("cause_not_open");
        }
        let person = self.person(asked.member_id);
        person.take(asked.points)?;
        person.spend(asked.points)?;
        self.causes.get_mut(&asked.cause_id).expect("it was there").1 += asked.points;
        Ok(())
    }

    pub(super) fn transfer(&mut self, asked: &TransferRequest) -> Verdict {
        let (from, to) = (asked.from_member_id, asked.to_member_id);
        self.known_member(from)?;
        self.settle(from);
        self.may_begin(from)?;
        if from == to {
            return Err("transfer_to_oneself");
        }
        self.may_receive(to)?;
        let program = self.program();
        let rules = program.transfers.as_ref().ok_or("transfers_not_allowed")?;
        if asked.direct && !rules.direct {
            return Err("direct_transfer_not_allowed");
        }
        if rules.maximum_points.is_some_and(|most| asked.points > most) {
            return Err("transfer_over_limit");
        }
        let today = local_midnight(self.now.with_timezone(&program.time_zone).date_naive(), program.time_zone);
        let mut given = 0;
        for gift in self.gifts.iter().filter(|gift| gift.from == from && gift.made_at >= today) {
            given += if matches!(gift.status, "offered" | "accepted") { gift.points } else { 0 };
        }
        if rules.maximum_points_per_day.is_some_and(|most| asked.points > most - given) {
            return Err("transfer_over_daily_limit");
        }
        let takings = self.person(from).take(asked.points)?;
        let ends = self.people[&from].lots.iter().filter(|lot| takings.iter().any(|(id, _)| *id == lot.id));
        let first_end = ends.filter_map(|lot| lot.expires_at).min();
        let offer_ends = rules.offer_ttl.after(self.now, program.time_zone);
        self.gifts.push(Gift {
            id: TransferId::new(from.journal(), self.command),
            from,
            to,
            status: if asked.direct { "accepted" } else { "offered" },
            points: asked.points,
            made_at: self.now,
            lapses_at: (!asked.direct).then(|| first_end.map_or(offer_ends, |end| end.min(offer_ends))),
            takings: takings.clone(),
        });
        if asked.direct {
            return self.deliver(from, to, &takings);
        }
        self.person(from).hold(&takings);
        Ok(())
    }

    pub(super) fn answer(&mut self, id: TransferId, reply: Reply) -> Verdict {
        let found = self.gifts.iter().position(|gift| gift.id == id).ok_or("transfer_not_found")?;
        let (from, to) = (self.gifts[found].from, self.gifts[found].to);
        self.settle(from);
        // With its own token a member answers what is its own to answer.
        let party = if reply == Reply::Cancel { from } else { to };
        if self.own.is_some_and(|own| own != party) {
            return Err("transfer_not_found");
        }
        if self.gifts[found].status != "offered" {
            return Err("transfer_state_conflict");
        }
        let (takings, now) = (self.gifts[found].takings.clone(), self.now);
        match reply {
            Reply::Accept => {
                self.gifts[found].status = "accepted";
                for (lot, points) in &takings {
                    self.person(from).lot(*lot).held -= points;
                }
                self.deliver(from, to, &takings)
            }
            Reply::Decline | Reply::Cancel => {
                self.gifts[found].status = if reply == Reply::Decline { "declined" } else { "cancelled" };
                self.release(from, &takings, now);
                Ok(())
            }
        }
    }

    // The points arrive in lots that end when the giver's would have. Whoever takes them in begins something.
    fn deliver(&mut self, from: MemberId, to: MemberId, takings: &Takings) -> Verdict {
        self.settle(to);
        self.may_begin(to)?;
        let (mut arriving, now, command) = (Vec::new(), self.now, self.command);
        for (n, (lot, points)) in (0_u64..).zip(takings) {
            let expires_at = self.person(from).lot(*lot).expires_at;
            let id = derive_id(now, command.as_bytes(), &[b"received", &n.to_be_bytes()]);
            self.person(to).lots.push(Lot::new(id, now, expires_at));
            arriving.push((id, *points));
        }
        self.person(to).arrive(&arriving)
    }

    fn may_receive(&self, to: MemberId) -> Verdict {
        match self.people.get(&to).map(|person| person.status) {
            Some("active") => Ok(()),
            Some("suspended") => Err("receiver_not_active"),
            _ => Err("receiver_not_found"),
        }
    }
}
