//! What decisions need to look at, each thing once.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use crate::domain::decide::Coming;
use crate::domain::ids::{JournalId, MemberId, RedemptionId};
use crate::domain::movement::order::Order;
use crate::domain::movement::reward::RewardTerms;
use crate::domain::record::order::OrderRecord;

/// What the commands of a batch need to be decided.
#[derive(Debug, Default)]
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
    /// Orders that are posted now: what they earn is not known yet.
    pub posted: BTreeSet<String>,
    /// What is going to happen to members that may change their tiers.
    pub coming: BTreeMap<MemberId, Coming>,
    /// Orders that are refunded, with whose they are.
    pub refunded: BTreeMap<String, MemberId>,
    /// Records, each with its journal.
    pub records: BTreeSet<(JournalId, Uuid)>,
    /// Members whose transfers of the day count.
    pub givers: BTreeSet<MemberId>,
    /// Rewards, each with its counter.
    pub rewards: BTreeSet<Uuid>,
    /// Who redeems for which reward, and how many in all.
    pub redeemers: BTreeMap<(MemberId, Uuid), i64>,
    /// Causes.
    pub causes: BTreeSet<Uuid>,
}

impl Needs {
    /// Is nothing needed but the rows of members? Orders that are posted need nothing to be there.
    pub fn are_plain(&self) -> bool {
        let Self { members: _, posted: _, coming: _, profiles, points, pending, all_points, refunded, .. } = self;
        let Self { records, givers, rewards, redeemers, causes, .. } = self;
        let of_members = profiles.is_empty() && points.is_empty() && pending.is_empty() && all_points.is_empty();
        let named = refunded.is_empty() && records.is_empty() && rewards.is_empty() && causes.is_empty();
        of_members && named && givers.is_empty() && redeemers.is_empty()
    }

    /// An order of a member, posted now.
    pub fn order(&mut self, order: &Order) {
        self.members.insert(order.member_id);
        self.posted.insert(order.order_id.clone());
        self.redemptions(&order.redemption_ids);
        self.coming.entry(order.member_id).or_default().orders.push((order.occurred_at, order.amount));
    }

    /// Active points that may be taken of a member, besides those that others take.
    pub fn points(&mut self, member: MemberId, points: i64) {
        add(&mut self.points, member, points);
    }

    /// The same of pending ones.
    pub fn pending(&mut self, member: MemberId, points: i64) {
        add(&mut self.pending, member, points);
    }

    /// Redemptions that pay something, or paid it.
    pub fn redemptions(&mut self, ids: &[RedemptionId]) {
        self.records.extend(ids.iter().map(|id| (id.journal(), id.uuid())));
    }

    /// So many of a reward for a member.
    pub fn reward(&mut self, member: MemberId, reward: Uuid, quantity: i64) {
        self.rewards.insert(reward);
        let asked = self.redeemers.entry((member, reward)).or_default();
        *asked = asked.saturating_add(quantity);
    }

    // A refund of an order that is posted now may take whatever is there.
    pub(super) fn refunds_of_posted(&mut self) {
        let posted = self.refunded.iter().filter(|(order, _)| self.posted.contains(*order));
        self.all_points.extend(posted.map(|(_, member)| *member));
    }

    // Once it is known what an order earned: what a refund of it may take, and the redemptions that paid it.
    pub(super) fn refund_of(&mut self, member: MemberId, order: &OrderRecord) {
        let taken = order.points - order.reversal.covered + order.reversal.debt;
        self.points(member, taken);
        // What it takes from the order's own lot, an adjustment of the same batch cannot.
        if self.pending.contains_key(&member) {
            self.pending(member, taken);
        }
        self.redemptions(&order.redemptions);
    }

    // Once it is known what a reward costs: what its redeemers may spend.
    pub(super) fn cost_of(&mut self, reward: Uuid, terms: &RewardTerms) {
        let asked = self.redeemers.iter().filter(|((_, id), _)| *id == reward);
        let asked: Vec<(MemberId, i64)> = asked.map(|((member, _), quantity)| (*member, *quantity)).collect();
        for (member, quantity) in asked {
            self.points(member, terms.points.saturating_mul(quantity));
        }
    }
}

fn add(asked: &mut BTreeMap<MemberId, i64>, member: MemberId, points: i64) {
    if points > 0 {
        let sum = asked.entry(member).or_default();
        *sum = sum.saturating_add(points);
    }
}
