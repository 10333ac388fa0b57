//! From a world to requests, each with what it must be answered and what must be there after it.

mod names;
mod reviews;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use accrue::domain::ids::{MemberId, RedemptionId, TransferId};
use accrue::domain::movement::adjustment::{Adjustment, Reason, Side};
use accrue::domain::movement::assignment::{self, Assignment};
use accrue::domain::movement::donation::{CauseTerms, DonationRequest};
use accrue::domain::movement::enrolment::{Enrolment, ProfileChange};
use accrue::domain::movement::membership::Change;
use accrue::domain::movement::order::Order;
use accrue::domain::movement::redemption::{CaptureRequest, Purpose, RedemptionRequest};
use accrue::domain::movement::refund::RefundRequest;
use accrue::domain::movement::reward::{RewardKind, RewardLimit, RewardPatch, RewardRequest, RewardTerms};
use accrue::domain::movement::transfer::{Reply, TransferRequest};
use accrue::domain::quantity::Quantity;
use accrue::domain::record::items::{Item, RefundItem};
use accrue::domain::tier::Reviewed;
use accrue::domain::time::Timestamp;
use accrue::ledger::{
    AnswerTransfer, AssignTier, ChangeMembership, ChangeProfile, ChangeRedemption, ChangeReward, Command, Enrol,
    EnrolWith, First, RedemptionChange, Request,
};
use chrono::TimeDelta;
use rust_decimal::Decimal;
use uuid::Uuid;

use self::names::{client, customer, id, member_id, money, order_id};
use super::model::{Expected, MOST, Model, Spending, Wallet};
use super::rules::{BEGINNING, CHANGE, instant};
use super::steps::{Act, Joins, Step, Sum, Wait, World, ages, dates, holds};

/// A request, and what must come of it.
pub struct Planned {
    /// When it is decided.
    pub now: Timestamp,
    /// The request.
    pub request: Request,
    /// What it must be answered.
    pub expected: Expected,
    /// The wallets after it, as they are written down.
    pub wallets: BTreeMap<MemberId, Wallet>,
    /// The wallets as they really are: what is due by now is done.
    pub settled: BTreeMap<MemberId, Wallet>,
    /// How many of each reward are taken, as far as it is written down.
    pub taken: BTreeMap<Uuid, i64>,
    /// What each cause was given.
    pub given: BTreeMap<Uuid, i64>,
}

/// Resolves a world: every customer is enrolled, rewards and causes are there, and then its steps.
pub fn plan(world: &World) -> Vec<Planned> {
    let [first, second] = &world.rules;
    let (beginning, change) = (instant(BEGINNING), instant(CHANGE));
    let programs = vec![(beginning, first.program()), (change, second.program())];
    let model = Model::new(beginning, programs);
    let mut planner = Planner {
        model,
        journals: &world.journals,
        enrolled: BTreeMap::new(),
        reviewed: BTreeMap::new(),
        plan: Vec::new(),
    };
    planner.prepare();
    world.steps.iter().for_each(|step| planner.step(step));
    planner.plan
}

struct Planner<'a> {
    model: Model,
    journals: &'a [i16],
    /// How often each customer was enrolled.
    enrolled: BTreeMap<usize, u8>,
    /// How far the review of each journal is by each version.
    reviewed: BTreeMap<(i16, i32), Reviewed>,
    plan: Vec<Planned>,
}

impl Planner<'_> {
    fn prepare(&mut self) {
        let day = |days| Some(instant(BEGINNING) + TimeDelta::days(days));
        let terms = |points, limit, available_from, available_until| RewardTerms {
            name: "Umbrella".to_owned(),
            kind: RewardKind::Product,
            points,
            limit,
            available_from,
            available_until,
            min_tier: None,
        };
        let month = "1M".parse().ok();
        let rewards = [
            (terms(5, None, None, None), Some(3)),
            (terms(20, Some(RewardLimit { quantity: 2, period: month }), None, None), None),
            (terms(3, Some(RewardLimit { quantity: 3, period: None }), day(10), day(200)), Some(4)),
        ];
        for (n, (mut terms, stock)) in rewards.into_iter().enumerate() {
            let has_it = self.model.program().tiers.as_ref().is_some_and(|tiers| tiers.place("silver").is_some());
            terms.min_tier = Some("silver".to_owned()).filter(|_| n == 2 && has_it);
            self.ask(None, Command::DefineReward(RewardRequest { terms, stock }));
        }
        for open_until in [None, day(30)] {
            let terms = CauseTerms { name: "Trees".to_owned(), goal: Some(100), open_from: None, open_until };
            self.ask(None, Command::DefineCause(terms));
        }
        for place in 0..self.journals.len() {
            let enrolment = self.enrolment(place);
            self.ask(None, enrolment);
        }
    }

    fn step(&mut self, step: &Step) {
        self.model.now = match step.wait {
            Wait::Seconds(seconds) => self.model.now + TimeDelta::seconds(seconds),
            Wait::UntilDue => self.model.next_due().unwrap_or(self.model.now),
        };
        let key = step.key.map(|key| format!("key-{key}"));
        match &step.act {
            Act::Again { back } => {
                let before = self.plan.len().checked_sub(usize::from(*back)).and_then(|n| self.plan.get(n));
                let before = before.map(|planned| &planned.request);
                if let Some((actor, key, command)) =
                    before.map(|before| (before.actor.clone(), before.key.clone(), before.command.clone()))
                {
                    // Members are made anew for every request.
                    let enrols = |place: &usize| matches!(&command, Command::Enrol(Enrol(_, e)) if e.external_id == customer(*place));
                    let place = (0..self.journals.len()).find(enrols);
                    let command = place.map_or(command, |place| self.enrolment(place));
                    self.ask_as(actor, key, command);
                }
            }
            Act::Review { journal, most } => {
                let review = self.review(self.journals[usize::from(*journal) % self.journals.len()], (*most).into());
                self.ask_as("system".to_owned(), None, review);
            }
            act => {
                let command = self.command(act);
                let own = self.own(act);
                self.ask_as(own.map_or_else(client, |member| format!("member:{member}")), key, command);
            }
        }
    }

    fn ask(&mut self, key: Option<String>, command: Command) {
        self.ask_as(client(), key, command);
    }

    fn ask_as(&mut self, actor: String, key: Option<String>, command: Command) {
        let deadline = Instant::now() + Duration::from_secs(600);
        let mut request = Request::new(actor, key, deadline, command);
        request.id = id(self.plan.len());
        let expected = self.model.take(&request);
        let model = &self.model;
        self.plan.push(Planned {
            now: model.now,
            request,
            expected,
            wallets: model.wallets(),
            settled: model.settled().wallets(),
            taken: model.rewards.keys().map(|id| (*id, model.taken(*id))).collect(),
            given: model.causes.iter().map(|(id, (_, given))| (*id, *given)).collect(),
        });
    }

    // The member that does it by its own token; none where a client does.
    fn own(&self, act: &Act) -> Option<MemberId> {
        match *act {
            Act::Pay { member, own: true, .. } | Act::Buy { member, own: true, .. } => Some(self.member(member)),
            Act::Void { own: true, by: Some(by), .. } | Act::Answer { by: Some(by), .. } => Some(self.member(by)),
            Act::Void { redemption, own: true, by: None } => {
                Some(pick(&self.model.spendings, redemption).map_or_else(|| self.member(0), |spending| spending.member))
            }
            _ => None,
        }
    }

    fn command(&mut self, act: &Act) -> Command {
        match *act {
            Act::Order { member, number, cents, age, items, ref paid_with, euros, joins } => {
                // Two of the one article.
                let half = money(i64::from(cents / 2));
                let amount = if items { half * Decimal::TWO } else { money(cents.into()) };
                let (sku, quantity) = ("umbrella".to_owned(), 2.into());
                let item = Item { sku, category: None, quantity, unit_price: Some(half), amount: None };
                let order = Order {
                    order_id: order_id(number),
                    member_id: self.member(member),
                    occurred_at: self.model.now + ages(age),
                    currency: if euros { "EUR" } else { "USD" }.parse().expect("a currency"),
                    amount,
                    discount: None,
                    channel: None,
                    items: items.then(|| vec![item]),
                    redemption_ids: paid_with.iter().map(|n| self.paying(member, &order_id(number), *n)).collect(),
                };
                self.joining(member, joins, First::Order(order))
            }
            Act::Refund { order, number, sum, items, by } => {
                let sale = pick(&self.model.sales, order);
                let left = sale.map_or(100, |sale| sale.amount - sale.refunded);
                let owner = sale.map_or_else(|| self.member(0), |sale| sale.member);
                let cents = self::sum(sum, i64::try_from(left).expect("orders are limited")).min(1_000_000_000_000);
                let cents = if sale.is_some_and(|sale| sale.amount == 0) && number < 9 { 0 } else { cents };
                let stranger = by.map(|by| self.member(by)).filter(|by| *by != owner);
                let quantity = items.map(u32::from).map(Quantity::from);
                Command::RefundOrder(RefundRequest {
                    order_id: sale.map_or_else(|| "order-none".to_owned(), |sale| sale.id.clone()),
                    member_id: stranger.unwrap_or(owner),
                    // Whose refund it is, is not a part of its key; the way in asks whose the order is.
                    refund_id: stranger.map_or_else(|| format!("R-{number}"), |_| format!("R-{}", self.plan.len())),
                    amount: money(cents),
                    items: quantity.map(|quantity| vec![RefundItem { sku: "umbrella".to_owned(), quantity }]),
                    occurred_at: None,
                })
            }
            Act::Pay { member, sum, order, order_cents, hold, .. } => {
                let (member_id, points) = self.points(member, sum);
                let (order_id, order_amount) = (order.map(order_id), order_cents.map(|cents| money(cents.into())));
                let purpose = Purpose::Order { points, order_id, order_amount };
                Command::Redeem(RedemptionRequest { member_id, purpose, hold: hold.map(holds) })
            }
            Act::Buy { member, reward, quantity, hold, .. } => {
                let purpose = Purpose::Reward { reward_id: id(reward.into()), quantity: quantity.into() };
                Command::Redeem(RedemptionRequest { member_id: self.member(member), purpose, hold: hold.map(holds) })
            }
            Act::Capture { redemption, sum, order } => {
                let asked = CaptureRequest { points: self.part(redemption, sum), order_id: order.map(order_id) };
                ChangeRedemption(self.redemption(redemption), RedemptionChange::Capture(asked)).into()
            }
            Act::Void { redemption, .. } => {
                ChangeRedemption(self.redemption(redemption), RedemptionChange::Void).into()
            }
            Act::Return { redemption, sum } => {
                let change = RedemptionChange::Return(self.part(redemption, sum));
                ChangeRedemption(self.redemption(redemption), change).into()
            }
            Act::Donate { member, cause, sum } => {
                let (member_id, points) = self.points(member, sum);
                Command::Donate(DonationRequest { member_id, cause_id: id(3 + usize::from(cause)), points })
            }
            Act::Give { from, to, sum, direct } => {
                let (from_member_id, points) = self.points(from, sum);
                // One that never was, in a journal that is not there.
                let to_member_id = if to == 5 { MemberId::new(9, id(0)) } else { self.member(to) };
                Command::Transfer(TransferRequest { from_member_id, to_member_id, points, message: None, direct })
            }
            Act::Answer { transfer, reply, .. } => {
                let id = pick(&self.model.gifts, transfer).map_or(TransferId::new(1, id(0)), |gift| gift.id);
                let reply = [Reply::Accept, Reply::Accept, Reply::Decline, Reply::Cancel][usize::from(reply)];
                AnswerTransfer(id, reply).into()
            }
            Act::Adjust { member, sum, down, pending, begins, ends, joins } => {
                let account = if pending { Side::Pending } else { Side::Active };
                let (member_id, points) = self.points_of(member, sum, account);
                let points = if down { -points } else { points };
                // What is taken has no dates: the way in refuses them.
                let at = |n: Option<u8>| n.filter(|_| !down).map(|n| self.model.now + dates(n));
                let (active_at, expires_at) = (at(begins), at(ends));
                let reason = Reason::Other;
                let asked = Adjustment { member_id, points, account, active_at, expires_at, reason, note: None };
                self.joining(member, joins, First::Adjustment(asked))
            }
            Act::Assign { member, tier, ends } => {
                let tier = ["silver", "gold", "platinum", "bronze"][usize::from(tier)].to_owned();
                let (until, reason) = (self.model.now + dates(ends), assignment::Reason::Goodwill);
                AssignTier(self.member(member), Assignment { tier, until, reason }).into()
            }
            Act::Membership { member, change } => {
                let change = [Change::Suspend, Change::Resume, Change::Close, Change::Erase][usize::from(change)];
                ChangeMembership(self.member(member), change).into()
            }
            Act::Profile { member, tag } => {
                let tags = Some(vec![format!("tag-{tag}")]);
                ChangeProfile(self.member(member), ProfileChange { birthday: None, tags }).into()
            }
            Act::Enrol { member } => self.enrolment(usize::from(member) % self.journals.len()),
            Act::Supply { reward, stock, points } => {
                let stock = Some(stock.map(i64::from));
                let patch = RewardPatch { stock, points: points.map(i64::from), ..RewardPatch::default() };
                ChangeReward(id(reward.into()), patch).into()
            }
            Act::Review { .. } | Act::Again { .. } => unreachable!("they are no requests of clients"),
        }
    }

    // The customer's member, or a new one if that was erased.
    fn enrolment(&mut self, place: usize) -> Command {
        let again = self.enrolled.get(&place).copied().unwrap_or_default();
        let known = self.model.people.get(&member_id(self.journals, place, again));
        let member = match known.map(|person| person.status) {
            // A new id, which comes to nothing while the customer is enrolled.
            Some("active" | "suspended" | "closed") => member_id(self.journals, place, 255),
            Some(_) => {
                self.enrolled.insert(place, again + 1);
                member_id(self.journals, place, again + 1)
            }
            None => member_id(self.journals, place, again),
        };
        let external_id = customer(place);
        Enrol(member, Enrolment { external_id, birthday: None, joined_at: None }).into()
    }

    // Something of a member, or of a customer who is enrolled with it.
    fn joining(&mut self, member: u8, joins: Option<Joins>, first: First) -> Command {
        let member_id = first.member_id();
        let Some(joins) = joins else { return first.of_member(member_id) };
        let Command::Enrol(Enrol(new, enrolment)) = self.enrolment(usize::from(member) % self.journals.len()) else {
            unreachable!("it is an enrolment")
        };
        let id = match joins {
            Joins::Anew => new,
            Joins::Again => member_id,
        };
        let first = match first {
            First::Order(order) => First::Order(Order { member_id: id, ..order }),
            First::Adjustment(asked) => First::Adjustment(Adjustment { member_id: id, ..asked }),
        };
        EnrolWith(enrolment, first).into()
    }

    fn member(&self, n: u8) -> MemberId {
        let place = usize::from(n) % self.journals.len();
        member_id(self.journals, place, self.enrolled.get(&place).copied().unwrap_or_default())
    }

    // A member and so many points, measured by those that are active now.
    fn points(&self, member: u8, sum: Sum) -> (MemberId, i64) {
        self.points_of(member, sum, Side::Active)
    }

    // The same, measured by those that are on one side.
    fn points_of(&self, member: u8, sum: Sum, side: Side) -> (MemberId, i64) {
        let member = self.member(member);
        let there = self.model.settled().people.get(&member).map_or(0, |person| match side {
            Side::Active => person.active(),
            Side::Pending => person.pending(),
        });
        (member, self::sum(sum, there))
    }

    fn redemption(&self, n: u8) -> RedemptionId {
        pick(&self.model.spendings, n).map_or_else(|| RedemptionId::new(1, id(0)), |spending| spending.id)
    }

    // Mostly one that the member holds for an order, or has spent for this one.
    fn paying(&self, member: u8, order_id: &str, n: u8) -> RedemptionId {
        let member = self.member(member);
        let own = self.model.spendings.iter().filter(|one| one.member == member && one.reward.is_none());
        let can_pay = |one: &&Spending| match one.status {
            "held" => true,
            "captured" => one.order.as_deref() == Some(order_id),
            _ => false,
        };
        let paying: Vec<RedemptionId> = own.filter(can_pay).map(|one| one.id).collect();
        pick(&paying, n).copied().filter(|_| !n.is_multiple_of(8)).unwrap_or_else(|| self.redemption(n))
    }

    fn part(&self, redemption: u8, sum: Option<Sum>) -> Option<i64> {
        let points = pick(&self.model.spendings, redemption).map_or(1, |spending| spending.points);
        sum.map(|sum| self::sum(sum, points))
    }
}

/// One of those that there are, more often a late one; seldom none.
fn pick<T>(all: &[T], n: u8) -> Option<&T> {
    all.iter().rev().cycle().nth(usize::from(n) % 61).filter(|_| n < 250)
}

fn sum(sum: Sum, there: i64) -> i64 {
    let sum = match sum {
        Sum::Some(points) => i64::from(points),
        Sum::Part(parts) if there < MOST / 8 => there * i64::from(parts) / 8,
        Sum::Part(_) => there,
        Sum::TooMuch => there.saturating_add(1),
        Sum::Absurd => MOST,
    };
    sum.clamp(1, MOST)
}
