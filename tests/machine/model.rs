//! The naive model: what the rules say, in plain structs and obvious loops. No entries, no postings, nothing carried
//! along that could be counted anew.
//!
//! Of the ledger's own code it uses the commands, the calendar's periods, and the formula of a lot's id, by which lots
//! that end together are told apart.

mod giving;
mod keys;
mod lots;
mod membership;
mod orders;
mod refunds;
mod spending;
mod tiers;
mod time;
mod versions;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use accrue::domain::ids::{JournalId, MemberId, RedemptionId, TransferId};
use accrue::domain::movement::donation::CauseTerms;
use accrue::domain::movement::enrolment::Enrolment;
use accrue::domain::movement::order::Order;
use accrue::domain::movement::reward::{RewardPatch, RewardTerms};
use accrue::domain::program::Program;
use accrue::domain::time::Timestamp;
use accrue::ledger::{
    AnswerTransfer, AssignTier, ChangeMembership, ChangeProfile, ChangeRedemption, ChangeReward, Command, Enrol,
    EnrolWith, First, RedemptionChange, Request, Review, Settle,
};
use uuid::Uuid;

use self::keys::Seen;
pub use self::orders::Sale;
use self::tiers::Tier;

/// The most points that a wallet holds, and that anything counts.
pub const MOST: i64 = (1 << 53) - 1;

/// Done, or the code of a refusal.
pub type Verdict = Result<(), &'static str>;

/// What a request must be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// `done`, or the code of a refusal.
    pub code: &'static str,
    /// Was it answered before?
    pub replayed: bool,
}

/// What a wallet must hold, and its member's status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wallet {
    pub status: &'static str,
    /// The code of the tier.
    pub tier: Option<String>,
    pub active: i64,
    pub pending: i64,
    pub held: i64,
    pub debt: i64,
    pub earned: i64,
    pub spent: i64,
}

#[derive(Debug, Clone)]
pub struct Lot {
    pub id: Uuid,
    pub pending: i64,
    pub active: i64,
    pub held: i64,
    pub expired: i64,
    pub active_at: Timestamp,
    pub expires_at: Option<Timestamp>,
}

#[derive(Clone)]
pub struct Person {
    pub status: &'static str,
    pub lots: Vec<Lot>,
    pub debt: i64,
    pub earned: i64,
    pub spent: i64,
    pub joined_at: Timestamp,
    pub tier: Tier,
    /// The customer and the tags; none once erased.
    pub profile: Option<(String, Option<Vec<String>>)>,
}

/// Points from lots, in the order of taking.
pub type Takings = Vec<(Uuid, i64)>;

#[derive(Clone)]
pub struct Spending {
    pub id: RedemptionId,
    pub member: MemberId,
    /// Did the member make it by its own token?
    pub own: bool,
    pub status: &'static str,
    pub points: i64,
    pub captured: i64,
    pub returned: i64,
    pub order: Option<String>,
    pub reward: Option<(Uuid, i64)>,
    /// In cents; none where points have no value in money.
    pub value: Option<i128>,
    pub made_at: Timestamp,
    pub lapses_at: Option<Timestamp>,
    pub takings: Takings,
}

#[derive(Clone)]
pub struct Gift {
    pub id: TransferId,
    pub from: MemberId,
    pub to: MemberId,
    pub status: &'static str,
    pub points: i64,
    pub made_at: Timestamp,
    pub lapses_at: Option<Timestamp>,
    pub takings: Takings,
}

#[derive(Clone)]
pub struct Goods {
    pub terms: RewardTerms,
    pub supplied: Option<i64>,
}

/// Everything.
#[derive(Clone)]
pub struct Model {
    /// The present.
    pub now: Timestamp,
    pub people: BTreeMap<MemberId, Person>,
    pub spendings: Vec<Spending>,
    pub gifts: Vec<Gift>,
    pub sales: Vec<Sale>,
    pub rewards: BTreeMap<Uuid, Goods>,
    /// Causes, and what they were given.
    pub causes: BTreeMap<Uuid, (CauseTerms, i64)>,
    command: Uuid,
    /// The member that asks by its own token.
    own: Option<MemberId>,
    programs: Vec<(Timestamp, Arc<Program>)>,
    orders: BTreeMap<String, (JournalId, [u8; 32])>,
    refunds: BTreeMap<(String, String), Seen>,
    customers: BTreeMap<String, [u8; 32]>,
    keys: BTreeMap<(String, &'static str, String), Seen>,
}

impl Model {
    /// Nothing yet. The programmes are in the order in which they take effect.
    pub fn new(now: Timestamp, programs: Vec<(Timestamp, Arc<Program>)>) -> Self {
        Self {
            now,
            people: BTreeMap::new(),
            spendings: Vec::new(),
            gifts: Vec::new(),
            sales: Vec::new(),
            rewards: BTreeMap::new(),
            causes: BTreeMap::new(),
            command: Uuid::nil(),
            own: None,
            programs,
            orders: BTreeMap::new(),
            refunds: BTreeMap::new(),
            customers: BTreeMap::new(),
            keys: BTreeMap::new(),
        }
    }

    /// Takes a request in and says what it must be answered.
    pub fn take(&mut self, request: &Request) -> Expected {
        let key = request.key.clone().map(|key| (request.actor.clone(), request.asked().operation(), key));
        if let Some(seen) = key.as_ref().and_then(|key| self.keys.get(key)) {
            return seen.again(&request.hash, "idempotency_key_conflict");
        }
        let expected = self.known(request).unwrap_or_else(|| {
            let before = self.clone();
            self.command = request.id;
            self.own = request.actor.strip_prefix("member:").map(|id| id.parse().expect("a member's id"));
            match self.run(request) {
                Ok(()) => {
                    let members: Vec<MemberId> = self.people.keys().copied().collect();
                    members.into_iter().for_each(|member| self.let_claims_go(member));
                    Expected { code: "done", replayed: false }
                }
                // A refusal changes nothing, not even what time alone had made due.
                Err(code) => {
                    *self = before;
                    Expected { code, replayed: false }
                }
            }
        });
        if let Some(key) = key.filter(|_| keys::is_remembered(&request.command, expected.code)) {
            let personal = self.personal(&request.command, expected.code);
            self.keys.insert(key, Seen { hash: request.hash, code: expected.code, personal });
        }
        self.check();
        expected
    }

    /// The wallets as they are written down.
    pub fn wallets(&self) -> BTreeMap<MemberId, Wallet> {
        self.people.iter().map(|(id, person)| (*id, Wallet { tier: self.tier_of(*id), ..person.wallet() })).collect()
    }

    /// The wallets as they are now, whatever is written down.
    pub fn settled(&self) -> Self {
        let mut model = self.clone();
        for id in self.people.keys() {
            model.settle(*id);
        }
        model
    }

    /// How many of a reward are taken, as far as it is written down.
    pub fn taken(&self, reward: Uuid) -> i64 {
        let open = self.spendings.iter().filter(|spending| matches!(spending.status, "held" | "captured"));
        open.map(|spending| spending.kept_of(reward)).sum()
    }

    /// When something next falls due by time alone, after the present.
    pub fn next_due(&self) -> Option<Timestamp> {
        let dues = self.people.keys().flat_map(|id| self.due(*id));
        dues.map(|(at, ..)| at).filter(|at| *at > self.now).min()
    }

    fn run(&mut self, request: &Request) -> Verdict {
        match &request.command {
            Command::CompleteOrder(order) => self.complete(order, request.hash)?,
            Command::RefundOrder(refund) => {
                self.refund(refund)?;
                let key = (refund.order_id.clone(), refund.refund_id.clone());
                let personal = refund.items.is_some().then_some(refund.member_id);
                self.refunds.insert(key, Seen { hash: request.hash, code: "done", personal });
            }
            Command::Enrol(Enrol(id, enrolment)) => self.join(*id, enrolment),
            Command::EnrolWith(EnrolWith(enrolment, first)) => {
                if !self.people.contains_key(&first.member_id()) {
                    if self.customers.contains_key(&enrolment.external_id) {
                        return Err("external_id_conflict");
                    }
                    self.join(first.member_id(), enrolment);
                }
                match first {
                    First::Order(order) => self.complete(order, request.hash)?,
                    First::Adjustment(asked) => self.adjust(asked)?,
                }
            }
            Command::ChangeProfile(ChangeProfile(id, change)) => self.change_profile(*id, change)?,
            Command::ChangeMembership(ChangeMembership(id, change)) => self.change_membership(*id, *change)?,
            Command::Settle(Settle(id)) => self.settle(*id),
            Command::Redeem(asked) => self.redeem(asked)?,
            Command::ChangeRedemption(ChangeRedemption(id, change)) => match change {
                RedemptionChange::Capture(asked) => self.capture(*id, asked)?,
                RedemptionChange::Void => self.void(*id)?,
                RedemptionChange::Return(points) => self.give_back(*id, *points)?,
            },
            Command::Donate(asked) => self.donate(asked)?,
            Command::Transfer(asked) => self.transfer(asked)?,
            Command::AnswerTransfer(AnswerTransfer(id, reply)) => self.answer(*id, *reply)?,
            Command::Adjust(asked) => self.adjust(asked)?,
            Command::AssignTier(AssignTier(id, asked)) => self.assign(*id, asked)?,
            Command::DefineReward(asked) => {
                let goods = Goods { terms: asked.terms.clone(), supplied: asked.stock };
                self.rewards.insert(request.id, goods);
            }
            Command::ChangeReward(ChangeReward(id, patch)) => self.change_reward(*id, patch)?,
            Command::DefineCause(terms) => {
                self.causes.insert(request.id, (terms.clone(), 0));
            }
            Command::Review(Review { members, .. }) => members.iter().for_each(|member| self.review(*member)),
            Command::Publish(_) => unreachable!("worlds are given their programmes when they begin"),
        }
        Ok(())
    }

    fn complete(&mut self, order: &Order, hash: [u8; 32]) -> Verdict {
        self.order(order)?;
        let known = self.orders.insert(order.order_id.clone(), (order.member_id.journal(), hash));
        // Of another journal: whatever else there is to refuse comes first.
        if known.is_some() { Err("order_conflict") } else { Ok(()) }
    }

    // Enrolled in whatever way, a customer is known by the enrolment alone.
    fn join(&mut self, id: MemberId, enrolment: &Enrolment) {
        self.enrol(id, enrolment);
        let alone = Request::new(String::new(), None, Instant::now(), Enrol(id, enrolment.clone()));
        self.customers.insert(enrolment.external_id.clone(), alone.hash);
    }

    fn program_at(&self, at: Timestamp) -> Arc<Program> {
        let in_force = self.programs.iter().rfind(|(effective_at, _)| *effective_at <= at);
        Arc::clone(&in_force.unwrap_or(&self.programs[0]).1)
    }

    /// The programme in force.
    pub fn program(&self) -> Arc<Program> {
        self.program_at(self.now)
    }

    fn person(&mut self, id: MemberId) -> &mut Person {
        self.people.get_mut(&id).expect("it was looked for before")
    }

    // Of a member who is known.
    fn known_member(&self, id: MemberId) -> Verdict {
        if self.people.contains_key(&id) { Ok(()) } else { Err("member_not_found") }
    }

    fn may_begin(&self, id: MemberId) -> Verdict {
        match self.people[&id].status {
            "active" => Ok(()),
            "suspended" => Err("member_suspended"),
            _ => Err("member_closed"),
        }
    }

    fn change_reward(&mut self, id: Uuid, patch: &RewardPatch) -> Verdict {
        let taken = self.taken(id);
        let goods = self.rewards.get_mut(&id).ok_or("reward_not_found")?;
        if let Some(stock) = patch.stock {
            goods.supplied = stock.map(|stock| stock + taken);
        }
        goods.terms.points = patch.points.unwrap_or(goods.terms.points);
        Ok(())
    }

    // What must hold at any time.
    fn check(&self) {
        for (id, person) in &self.people {
            let Wallet { active, pending, held, debt, earned, spent, .. } = person.wallet();
            let lots = person.lots.iter().flat_map(|lot| [lot.pending, lot.active, lot.held]);
            let least = lots.chain([debt, earned, spent]).min().unwrap_or_default();
            assert!(least >= 0, "{id} has {least}");
            assert!(debt == 0 || active == 0, "{id} owes {debt} and has {active}");
            assert!(active + pending + held <= MOST, "{id} has too much");
            let set_aside: i64 = self.open(*id).map(|(_, points)| points).sum();
            assert_eq!(held, set_aside, "{id}");
        }
        for (id, goods) in &self.rewards {
            assert!(goods.supplied.is_none_or(|supplied| self.taken(*id) <= supplied), "{id} is oversold");
        }
    }
}

impl Spending {
    /// So many captured points come back.
    pub fn come_back(&mut self, points: i64) {
        self.returned += points;
        if self.returned == self.captured {
            self.status = "returned";
        }
    }

    pub fn must_be(&self, status: &str) -> Verdict {
        match self.status {
            found if found == status => Ok(()),
            "lapsed" => Err("hold_lapsed"),
            _ => Err("redemption_state_conflict"),
        }
    }

    /// How many of a reward it keeps: those that came back are no more among them.
    pub fn kept_of(&self, reward: Uuid) -> i64 {
        let quantity = self.reward.filter(|(id, _)| *id == reward).map_or(0, |(_, quantity)| quantity);
        if quantity == 0 { 0 } else { quantity - self.returned / (self.points / quantity) }
    }
}

impl Person {
    pub fn has_left(&self) -> bool {
        matches!(self.status, "closed" | "erased")
    }

    pub fn active(&self) -> i64 {
        self.lots.iter().map(|lot| lot.active).sum()
    }

    pub fn pending(&self) -> i64 {
        self.lots.iter().map(|lot| lot.pending).sum()
    }

    fn wallet(&self) -> Wallet {
        let Person { status, debt, earned, spent, .. } = *self;
        let held = self.lots.iter().map(|lot| lot.held).sum();
        Wallet { status, tier: None, active: self.active(), pending: self.pending(), held, debt, earned, spent }
    }
}
