//! What a decision may look at.

use std::collections::{BTreeMap, HashMap};

use uuid::Uuid;

use crate::domain::ids::MemberId;
use crate::domain::member::Member;
use crate::domain::movement::donation::Cause;
use crate::domain::movement::enrolment::Profile;
use crate::domain::movement::reward::{Reward, RewardTerms};
use crate::domain::record::counter::Counter;
use crate::domain::record::items::Purchase;

/// The state that was loaded, and is carried over from decision to decision.
#[derive(Default)]
pub struct State {
    /// Members as they stand, with what else decisions about them need; one that is absent does not exist.
    pub members: HashMap<MemberId, Member>,
    /// What is personal about the members of whom it is needed.
    pub profiles: HashMap<MemberId, Profile>,
    /// Whose the records are that were asked for by their ids.
    pub owners: HashMap<Uuid, MemberId>,
    /// What was bought with the orders that are refunded.
    pub purchases: HashMap<String, Purchase>,
    /// What rewards are.
    pub rewards: BTreeMap<Uuid, RewardTerms>,
    /// Counters that belong to no member: the stock of each of the rewards, and of what records take of.
    pub counters: BTreeMap<Uuid, Counter>,
    /// Causes, with what they were given so far.
    pub causes: HashMap<Uuid, Cause>,
}

impl State {
    /// A reward with its stock.
    pub fn reward(&self, id: Uuid) -> Option<Reward> {
        let (terms, stock) = (self.rewards.get(&id)?.clone(), self.counters.get(&id).copied()?);
        Some(Reward { id, terms, stock })
    }

    /// Takes up a reward with its stock.
    pub fn put_reward(&mut self, Reward { id, terms, stock }: Reward) {
        self.rewards.insert(id, terms);
        self.counters.insert(id, stock);
    }
}
