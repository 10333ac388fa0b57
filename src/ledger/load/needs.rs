//! What the commands of a batch need to be decided.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::super::command::{Command, First, Key, Request};
use crate::domain::ids::{JournalId, MemberId, RedemptionId};
use crate::domain::movement::adjustment::{Adjustment, Side};
use crate::domain::movement::membership::Change;
use crate::domain::movement::order::Order;
use crate::domain::movement::redemption::Purpose;
use crate::domain::movement::reward::Reward;
use crate::domain::record::order::OrderRecord;

/// What the commands of a batch name, each once.
#[derive(Default)]
pub struct Needs {
    /// Members.
    pub members: BTreeSet<MemberId>,
    /// Members with their profiles.
    pub profiles: BTreeSet<MemberId>,
    /// How many active points may be taken of a member.
    pub points: BTreeMap<MemberId, i64>,
    /// How many pending points may be taken of a member.
    pub pending: BTreeMap<MemberId, i64>,
    /// Members with all their points.
    pub all_points: BTreeSet<MemberId>,
    /// Orders that may have been posted.
    pub orders: BTreeSet<String>,
    /// Refunds that may have been posted, by order and id.
    pub refunds: BTreeSet<(String, String)>,
    /// Orders that are refunded, with whose they are.
    pub refunded: BTreeMap<String, MemberId>,
    /// Records, each with its journal.
    pub records: BTreeSet<(JournalId, Uuid)>,
    /// Members whose transfers of the day count.
    pub givers: BTreeSet<MemberId>,
    /// Rewards.
    pub rewards: BTreeSet<Uuid>,
    /// Who redeems for which reward, and how many in all.
    pub redeemers: BTreeMap<(MemberId, Uuid), i64>,
    /// Causes.
    pub causes: BTreeSet<Uuid>,
    /// Customers that may be enrolled.
    pub external_ids: BTreeSet<String>,
    /// Idempotency keys.
    pub keys: BTreeSet<Key>,
    /// Is one of them beside a natural key? A refusal that can heal takes no such key, and so meets no index that would
    /// tell of the same key in another journal.
    pub keys_anywhere: bool,
}

impl Needs {
    /// Those of `requests`.
    pub fn of(requests: &[Request]) -> Self {
        let mut needs = Self::default();
        for request in requests {
            needs.add(&request.command);
            needs.keys.extend(request.full_key());
            needs.keys_anywhere |= request.key.is_some() && request.command.has_natural_key();
        }
        // What an order of the same batch earns, and so what its refund may take, is not known yet.
        let of_batch = needs.refunded.iter().filter(|(order, _)| needs.orders.contains(*order));
        let of_batch: Vec<MemberId> = of_batch.map(|(_, member)| *member).collect();
        needs.all_points.extend(of_batch);
        needs
    }

    fn add(&mut self, command: &Command) {
        match command {
            Command::CompleteOrder(order) => self.complete(order),
            Command::RefundOrder(refund) => {
                self.members.insert(refund.member_id);
                self.refunds.insert((refund.order_id.clone(), refund.refund_id.clone()));
                self.refunded.insert(refund.order_id.clone(), refund.member_id);
            }
            Command::Enrol(_, enrolment) => {
                self.external_ids.insert(enrolment.external_id.clone());
            }
            Command::EnrolWith(enrolment, first) => {
                self.external_ids.insert(enrolment.external_id.clone());
                match first {
                    First::Order(order) => self.complete(order),
                    First::Adjustment(adjustment) => self.adjust(adjustment),
                }
            }
            Command::ChangeProfile(id, _) => {
                self.members.insert(*id);
                self.profiles.insert(*id);
            }
            Command::ChangeMembership(id, change) => {
                self.members.insert(*id);
                self.profiles.insert(*id);
                if matches!(change, Change::Close | Change::Erase) {
                    self.all_points.insert(*id);
                }
            }
            Command::Redeem(request) => {
                self.members.insert(request.member_id);
                match &request.purpose {
                    Purpose::Order { points, .. } => add(&mut self.points, request.member_id, *points),
                    Purpose::Reward { reward_id, quantity } => {
                        self.rewards.insert(*reward_id);
                        let asked = self.redeemers.entry((request.member_id, *reward_id)).or_default();
                        *asked = asked.saturating_add(*quantity);
                    }
                }
            }
            Command::Capture(id, _) | Command::Void(id) | Command::Return(id, _) => {
                self.records.insert((id.journal(), id.uuid()));
            }
            Command::Donate(request) => {
                self.members.insert(request.member_id);
                self.causes.insert(request.cause_id);
                add(&mut self.points, request.member_id, request.points);
            }
            Command::Transfer(request) => {
                self.members.extend([request.from_member_id, request.to_member_id]);
                self.givers.insert(request.from_member_id);
                add(&mut self.points, request.from_member_id, request.points);
            }
            Command::AnswerTransfer(id, receiver, _) => {
                self.records.insert((id.journal(), id.uuid()));
                self.members.insert(*receiver);
            }
            Command::Adjust(adjustment) => self.adjust(adjustment),
            Command::ChangeReward(id, _) => {
                self.rewards.insert(*id);
            }
            Command::Settle(id) => {
                self.members.insert(*id);
            }
            Command::DefineReward(_) | Command::DefineCause(_) | Command::Publish(..) => {}
        }
    }

    fn complete(&mut self, order: &Order) {
        self.members.insert(order.member_id);
        self.orders.insert(order.order_id.clone());
        self.redemptions(&order.redemption_ids);
    }

    fn redemptions(&mut self, ids: &[RedemptionId]) {
        self.records.extend(ids.iter().map(|id| (id.journal(), id.uuid())));
    }

    fn adjust(&mut self, adjustment: &Adjustment) {
        self.members.insert(adjustment.member_id);
        let taken = adjustment.points.saturating_neg();
        match adjustment.account {
            Side::Active => add(&mut self.points, adjustment.member_id, taken),
            Side::Pending => add(&mut self.pending, adjustment.member_id, taken),
        }
    }

    /// Once it is known what an order earned: what a refund of it may take, and the redemptions that paid it.
    pub fn add_order(&mut self, member: MemberId, order: &OrderRecord) {
        let taken = order.points - order.reversal.covered + order.reversal.debt;
        add(&mut self.points, member, taken);
        // What it takes from the order's own lot, an adjustment of the same batch cannot.
        if self.pending.contains_key(&member) {
            add(&mut self.pending, member, taken);
        }
        self.redemptions(&order.redemptions);
    }

    /// Once it is known what a reward costs: what its redeemers may spend.
    pub fn add_reward(&mut self, reward: &Reward) {
        let asked = self.redeemers.iter().filter(|((_, id), _)| *id == reward.id);
        let asked: Vec<(MemberId, i64)> = asked.map(|((member, _), quantity)| (*member, *quantity)).collect();
        for (member, quantity) in asked {
            add(&mut self.points, member, reward.terms.points.saturating_mul(quantity));
        }
    }
}

fn add(asked: &mut BTreeMap<MemberId, i64>, member: MemberId, points: i64) {
    if points > 0 {
        let sum = asked.entry(member).or_default();
        *sum = sum.saturating_add(points);
    }
}
