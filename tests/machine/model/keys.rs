//! What was asked before, naively: keys, natural ones and others.

use accrue::domain::ids::MemberId;
use accrue::domain::movement::membership::Change;
use accrue::ledger::{ChangeMembership, ChangeProfile, Command, Enrol, EnrolWith, First, Request};

use super::{Expected, Model, Person};

/// The refusals of orders, refunds and enrolments that something later can undo.
const HEALS: [&str; 10] = [
    "amount_over_limit",
    "currency_mismatch",
    "external_id_conflict",
    "member_not_found",
    "member_suspended",
    "occurred_in_future",
    "order_not_found",
    "over_order_share",
    "paid_over_amount",
    "points_over_limit",
];

/// An answer under a key.
#[derive(Clone)]
pub struct Seen {
    pub hash: [u8; 32],
    pub code: &'static str,
    /// Whom its answer says something personal of.
    pub personal: Option<MemberId>,
}

/// Is an answer with this code remembered under a key? Beside a natural key, what can heal is decided anew.
pub fn is_remembered(command: &Command, code: &str) -> bool {
    let natural = matches!(
        command,
        Command::CompleteOrder(_)
            | Command::EnrolWith(EnrolWith(_, First::Order(_)))
            | Command::RefundOrder(_)
            | Command::Enrol(_)
    );
    !(natural && HEALS.contains(&code))
}

impl Model {
    /// What a natural key answers.
    pub(super) fn known(&self, request: &Request) -> Option<Expected> {
        let done = |hash: [u8; 32]| Seen { hash, code: "done", personal: None };
        match &request.command {
            Command::CompleteOrder(order) | Command::EnrolWith(EnrolWith(_, First::Order(order))) => {
                let known = self.orders.get(&order.order_id);
                let known = known.filter(|(journal, _)| *journal == order.member_id.journal());
                known.map(|(_, hash)| done(*hash).again(&request.hash, "order_conflict"))
            }
            Command::RefundOrder(refund) => {
                let seen = self.refunds.get(&(refund.order_id.clone(), refund.refund_id.clone()));
                seen.map(|seen| seen.again(&request.hash, "refund_conflict"))
            }
            Command::Enrol(Enrol(_, enrolment)) => {
                let hash = self.customers.get(&enrolment.external_id);
                hash.map(|hash| done(*hash).again(&request.hash, "external_id_conflict"))
            }
            _ => None,
        }
    }

    /// Whose personal data a key holds: in its answer, or in the hash of what was asked.
    pub(super) fn personal(&self, command: &Command, code: &str) -> Option<MemberId> {
        match command {
            Command::Enrol(Enrol(_, enrolment)) => {
                let is_it =
                    |person: &Person| person.profile.as_ref().is_some_and(|(id, _)| *id == enrolment.external_id);
                self.people.iter().find(|(_, person)| is_it(person)).map(|(id, _)| *id)
            }
            Command::ChangeProfile(ChangeProfile(id, _)) if code == "done" => Some(*id),
            Command::ChangeMembership(ChangeMembership(id, change)) if code == "done" && *change != Change::Erase => {
                Some(*id)
            }
            Command::CompleteOrder(order) | Command::EnrolWith(EnrolWith(_, First::Order(order))) => {
                order.items.as_ref().map(|_| order.member_id)
            }
            Command::RefundOrder(refund) => refund.items.as_ref().map(|_| refund.member_id),
            _ => None,
        }
    }
}

impl Seen {
    pub fn again(&self, hash: &[u8; 32], conflict: &'static str) -> Expected {
        if self.hash == *hash {
            Expected { code: self.code, replayed: true }
        } else {
            Expected { code: conflict, replayed: false }
        }
    }
}
