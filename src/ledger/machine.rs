//! The property machine in memory: random worlds, decided request by request against the naive model. What was decided
//! is then rebuilt from its entries alone, and decided once more.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use uuid::Uuid;

use self::naive::{BEGINNING, CHANGE, Expected, Pace, Planned, Wallet, World, cases, plan, quotes, worlds};
use super::answer::Remembered;
use super::batch::{Batch, Changes, Known, NewOrder, body};
use crate::domain::audit::{Auditor, Journal};
use crate::domain::decide::{Context, Working, orders_wanted};
use crate::domain::ids::{JournalId, MemberId};
use crate::domain::journal::account::Account;
use crate::domain::journal::entry::{Draft, Entry};
use crate::domain::member::Member;
use crate::domain::movement::membership::Change;
use crate::domain::movement::order::OrderReply;
use crate::domain::movement::quote::{self, Quote};
use crate::domain::program::{ProgramBook, ProgramVersion};
use crate::domain::refusal::Rejected;
use crate::domain::time::{self, EARLIEST, Timestamp};
use crate::ledger::{ChangeMembership, Command, EnrolWith, First, Outcome};
use crate::load::{Needs, State};

#[path = "../../tests/machine/mod.rs"]
mod naive;
mod spendable;

/// Every refusal that the model knows.
const ANSWERS: [&str; 53] = [
    "active_in_future",
    "amount_over_limit",
    "assignment_ends_in_past",
    "capture_over_held",
    "cause_not_found",
    "cause_not_open",
    "currency_mismatch",
    "direct_transfer_not_allowed",
    "done",
    "expires_before_active",
    "expires_in_past",
    "external_id_conflict",
    "hold_lapsed",
    "hold_of_shop",
    "idempotency_key_conflict",
    "insufficient_pending_points",
    "insufficient_points",
    "member_closed",
    "member_hold_too_long",
    "member_suspended",
    "no_tiers",
    "occurred_in_future",
    "order_conflict",
    "order_not_found",
    "order_without_items",
    "over_order_share",
    "paid_over_amount",
    "pending_not_in_future",
    "points_over_limit",
    "points_without_value",
    "points_worth_nothing",
    "receiver_not_active",
    "receiver_not_found",
    "redemption_not_found",
    "redemption_of_another_order",
    "redemption_state_conflict",
    "refund_conflict",
    "refund_items",
    "refund_over_items",
    "refund_over_order",
    "return_over_captured",
    "reward_captured_whole",
    "reward_limit_reached",
    "reward_not_available",
    "reward_not_found",
    "reward_out_of_stock",
    "reward_returned_in_units",
    "tier_required",
    "transfer_not_found",
    "transfer_over_daily_limit",
    "transfer_over_limit",
    "transfer_state_conflict",
    "unknown_tier",
];

/// How many operations there are, but for the publication of programmes.
const OPERATIONS: usize = 23;

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(4_000), ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_is_what_the_rules_say(
        world in prop_oneof![3 => worlds(Pace::Steady, 60), 1 => worlds(Pace::Bursts, 60)],
    ) {
        let played = play(&world)?;
        played.audit()?;
        // Invariant 10.
        prop_assert_eq!(played.entries, play(&world)?.entries);
    }
}

#[test]
fn worlds_come_to_every_answer_that_there_is() {
    let mut runner = TestRunner::deterministic();
    let mut answers = BTreeSet::new();
    for _ in 0..3_000 {
        let world = worlds(Pace::Steady, 60).new_tree(&mut runner).unwrap().current();
        answers.extend(plan(&world).iter().map(|planned| (planned.request.asked().operation(), planned.expected.code)));
    }
    let codes: BTreeSet<&str> = answers.iter().map(|(_, code)| *code).collect();
    let never: Vec<&str> = ANSWERS.into_iter().filter(|code| !codes.contains(code)).collect();
    assert!(never.is_empty(), "{never:?} are never answered");
    let operations = answers.iter().filter(|(_, code)| *code == "done").count();
    assert_eq!(operations, OPERATIONS, "every operation succeeds");
}

/// A ledger without a database: all that ever was is at hand.
struct Memory {
    state: State,
    known: Known,
    changes: Changes,
    programs: ProgramBook,
    /// Everything written, with its journal and time.
    entries: Vec<(JournalId, Timestamp, Draft)>,
}

fn play(world: &World) -> Result<Memory, TestCaseError> {
    let mut memory = Memory::new(world);
    for (n, planned) in plan(world).iter().enumerate() {
        let asked = format!("request {n}, {} at {}", planned.request.asked().operation(), planned.now);
        prop_assert_eq!(memory.decide(planned), planned.expected, "{}", asked);
        prop_assert_eq!(&memory.wallets(), &planned.wallets, "{}", asked);
        prop_assert_eq!(&memory.settled(planned.now), &planned.settled, "{}", asked);
        let taken: BTreeMap<Uuid, i64> =
            memory.state.counters.iter().map(|(id, counter)| (*id, counter.taken)).collect();
        prop_assert_eq!(&taken, &planned.taken, "{}", asked);
        let given: BTreeMap<Uuid, i64> = memory.state.causes.iter().map(|(id, cause)| (*id, cause.total)).collect();
        prop_assert_eq!(&given, &planned.given, "{}", asked);
    }
    Ok(memory)
}

impl Memory {
    fn new(world: &World) -> Self {
        let instants = [BEGINNING, CHANGE].map(|text| time::parse(text).unwrap());
        let versions = (1..).zip(&world.rules).zip(instants);
        let versions = versions.map(|((version, rules), effective_at)| ProgramVersion {
            version,
            effective_at,
            program: rules.program(),
        });
        let programs = ProgramBook::new(versions.collect()).unwrap();
        let (state, known, changes) = (State::default(), Known::default(), Changes::default());
        Self { state, known, changes, programs, entries: Vec::new() }
    }

    fn decide(&mut self, planned: &Planned) -> Expected {
        let quoted = self.quoted(planned);
        let (mut state, changes) = (std::mem::take(&mut self.state), std::mem::take(&mut self.changes));
        let mut known = std::mem::take(&mut self.known);
        if let Command::CompleteOrder(order) | Command::EnrolWith(EnrolWith(_, First::Order(order))) =
            &planned.request.command
        {
            keep_apart(&mut known, &changes, order.member_id.journal());
        }
        let next_seqs = BTreeMap::from([(0, 1), (1, 1), (2, 1)]);
        let written: BTreeMap<JournalId, usize> =
            changes.entries.iter().map(|(journal, drafts)| (*journal, drafts.len())).collect();
        let orders = changes.orders.len();
        let mut needs = Needs::default();
        planned.request.asked().needs(&mut needs);
        // Whoever loads them knows of no more orders than are wanted.
        for member in state.members.values_mut() {
            let coming = needs.coming.get(&member.id);
            member.orders_since = orders_wanted(member, coming, &self.programs, planned.now);
        }
        let (looked_for, missing) = (needs.members, BTreeSet::new());
        let (now, programs) = (planned.now, &self.programs);
        let mut batch = Batch { state, known, changes, looked_for, missing, next_seqs, now, programs };
        let answer = batch.decide(&planned.request).expect("there is no fault");
        assert!(batch.missing.is_empty(), "a command does not say that it needs {:?}", batch.missing);
        (self.state, self.known, self.changes) = (batch.state, batch.known, batch.changes);
        self.state.members.values_mut().for_each(|member| member.orders_since = Some(EARLIEST));
        for (journal, drafts) in &self.changes.entries {
            let new = drafts.iter().skip(written.get(journal).copied().unwrap_or_default());
            self.entries.extend(new.map(|draft| (*journal, planned.now, draft.clone())));
        }
        if let Some(quoted) = quoted.filter(|_| !answer.replayed) {
            quotes::agree(quoted, &answer.outcome);
        }
        let code = match answer.outcome {
            Outcome::Done(answer) => {
                for new in self.changes.orders.iter().skip(orders) {
                    assert_eq!(answered(new, &self.changes), answer, "as it was answered at first");
                }
                "done"
            }
            Outcome::Refused(refusal) => refusal.code(),
        };
        if let (Command::ChangeMembership(ChangeMembership(member, Change::Erase)), "done") =
            (&planned.request.command, code)
        {
            self.forget(*member);
        }
        Expected { code, replayed: answer.replayed }
    }

    // What an order of a member is quoted before it is decided.
    fn quoted(&self, planned: &Planned) -> Option<Result<Quote, Rejected>> {
        let Command::CompleteOrder(order) = &planned.request.command else { return None };
        let member = self.state.members.get(&order.member_id)?;
        let context = Context { now: planned.now, programs: &self.programs, command: Uuid::nil(), actor: "system" };
        let quoted = quote::quote(member, order, context);
        // No order is posted twice, so that only one with a new id can be tried.
        if let Ok(quoted) = &quoted
            && !member.orders.contains_key(&order.order_id)
        {
            spendable::check(member, order, context, quoted);
        }
        Some(quoted)
    }

    // What the erasure removes from the tables, which the next batch would load.
    fn forget(&mut self, member: MemberId) {
        for new in self.changes.keys.iter().filter(|new| new.remembered.member == Some(member)) {
            self.known.keys.get_mut(&new.key).unwrap().hash = vec![0; 32];
        }
        for new in self.changes.refunds.iter().map(|new| &new.refund) {
            if new.member_id == member && new.items.is_some() {
                let key = (new.order_id.clone(), new.refund_id.clone());
                self.known.refunds.get_mut(&key).unwrap().hash = vec![0; 32];
            }
        }
        for new in self.changes.orders.iter_mut().filter(|new| new.order.member_id == member) {
            if new.order.items.take().is_some() {
                new.hash = [0; 32];
            }
            self.state.purchases.remove(&new.order.order_id);
        }
    }

    fn wallets(&self) -> BTreeMap<MemberId, Wallet> {
        self.state.members.iter().map(|(id, member)| (*id, wallet(member))).collect()
    }

    // Invariant 9.
    fn settled(&self, now: Timestamp) -> BTreeMap<MemberId, Wallet> {
        let context = Context { now, programs: &self.programs, command: Uuid::nil(), actor: "system" };
        let settled = self.state.members.iter().map(|(id, member)| {
            let mut work = Working::on(member, context);
            work.member.orders_since = orders_wanted(member, None, &self.programs, now);
            work.settle(now).expect("lots and wallet agree, and what is wanted is enough");
            (*id, wallet(&work.member))
        });
        settled.collect()
    }

    /// Invariants 2, 3, 6 and 7.
    fn audit(&self) -> Result<(), TestCaseError> {
        let (mut auditor, mut heads) = (Auditor::default(), BTreeMap::<JournalId, (i64, [u8; 32])>::new());
        for (journal, recorded_at, draft) in &self.entries {
            let (seq, hash) = heads.entry(*journal).or_insert((0, [0; 32]));
            *seq += 1;
            let entry = Entry::record(draft.clone(), (Uuid::nil(), *journal, *seq), *recorded_at).unwrap();
            *hash = entry.hash(hash);
            auditor.check(&entry, hash).map_err(|wrong| TestCaseError::fail(wrong.to_string()))?;
        }
        let rebuilt = auditor.journals().values().flat_map(|journal| &journal.members);
        let rebuilt: BTreeMap<&MemberId, &Member> = rebuilt.collect();
        prop_assert_eq!(rebuilt, self.state.members.iter().collect::<BTreeMap<_, _>>());
        for journal in auditor.journals().values() {
            prop_assert_eq!(sum(journal), 0);
        }
        let account = |account: &Account| -> i128 {
            let balances = auditor.journals().values().filter_map(|journal| journal.accounts.get(&account.to_string()));
            balances.sum()
        };
        prop_assert_eq!(account(&Account::Transit), 0);
        for cause in self.state.causes.values() {
            prop_assert_eq!(account(&cause.account()), i128::from(cause.total));
        }
        Ok(())
    }
}

// The orders of `journal`, and those that it would find elsewhere.
fn keep_apart(known: &mut Known, changes: &Changes, journal: JournalId) {
    (known.orders, known.orders_elsewhere) = (HashMap::new(), HashSet::new());
    for new in &changes.orders {
        let order = &new.order;
        if order.member_id.journal() == journal {
            known.orders.insert(order.order_id.clone(), Remembered::done(new.hash, &answered(new, changes)));
        } else {
            known.orders_elsewhere.insert(order.order_id.clone());
        }
    }
}

// What an order was answered: as it is stored, or as it follows from the entry.
fn answered(NewOrder { order, seq, response, .. }: &NewOrder, changes: &Changes) -> String {
    let follows = || {
        let entry = &changes.entries[&order.member_id.journal()][*seq as usize - 1];
        let payload = entry.payload.clone().into_text().unwrap();
        let reply = OrderReply::of_entry(order.order_id.clone(), order.member_id, &payload);
        body(&reply.expect("the entry states what is not stored"))
    };
    response.clone().unwrap_or_else(follows)
}

fn sum(journal: &Journal) -> i128 {
    let wallets = journal.members.values().map(|member| member.balances);
    let wallets = wallets.map(|wallet| wallet.active + wallet.pending + wallet.held - wallet.debt).map(i128::from);
    wallets.chain(journal.accounts.values().copied()).sum()
}

fn wallet(member: &Member) -> Wallet {
    Wallet {
        status: member.status.name(),
        tier: member.tier().map(ToOwned::to_owned),
        active: member.balances.active,
        pending: member.balances.pending,
        held: member.balances.held,
        debt: member.balances.debt,
        earned: member.lifetime.lifetime_earned,
        spent: member.lifetime.lifetime_spent,
    }
}
