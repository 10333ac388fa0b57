use std::sync::Arc;

use chrono::TimeDelta;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::domain::ids::MemberId;
use crate::domain::journal::account::{Account, Part};
use crate::domain::journal::canonical::Json;
use crate::domain::journal::entry::Posting;
use crate::domain::movement::redemption::{self, Purpose, RedemptionRequest};
use crate::domain::movement::transfer::{self, TransferRequest};
use crate::domain::program::{Program, ProgramDocument, ProgramVersion};
use crate::domain::record::due::Due;
use crate::domain::time;

/// Lots as (points, hours until active, hours from then until expired or none).
type Lots = Vec<(i64, i64, Option<i64>)>;

proptest! {
    #[test]
    fn settling_twice_writes_what_settling_once_writes(lots in lots(), first in 0..200_i64, second in 0..200_i64) {
        let (first, second) = (first.min(second), first.max(second));
        let programs = programs();
        let member = member(&lots, &programs);
        let context = context(&programs);

        let mut twice = Working::on(&member, context);
        twice.settle(hour(first)).unwrap();
        twice.settle(hour(second)).unwrap();
        let mut once = Working::on(&member, context);
        once.settle(hour(second)).unwrap();

        prop_assert_eq!(&twice.member, &once.member);
        prop_assert_eq!(&twice.entries, &once.entries);
    }

    #[test]
    fn a_settled_member_has_what_each_lot_by_itself_would_have(lots in lots(), at in 0..200_i64) {
        let programs = programs();
        let mut work = Working::on(&member(&lots, &programs), context(&programs));
        work.settle(hour(at)).unwrap();

        let state = |(points, active, expires): &(i64, i64, Option<i64>)| match expires.map(|hours| active + hours) {
            Some(expires) if expires <= at => (0, 0),
            _ if *active <= at => (0, *points),
            _ => (*points, 0),
        };
        let (pending, active) = lots.iter().map(state).fold((0, 0), |sum, lot| (sum.0 + lot.0, sum.1 + lot.1));
        prop_assert_eq!((work.member.balances.pending, work.member.balances.active), (pending, active));
        prop_assert!(work.member.next_due_at().is_none_or(|due_at| due_at > hour(at)));
        prop_assert!(work.entries.is_sorted_by_key(|entry| (entry.effective_at, place(entry))));
    }

    #[test]
    fn entries_alone_rebuild_the_member(lots in lots(), at in 0..200_i64) {
        let programs = programs();
        let before = member(&lots, &programs);
        let mut work = Working::on(&before, context(&programs));
        work.settle(hour(at)).unwrap();

        let mut rebuilt = before;
        for entry in &work.entries {
            let text = entry.payload.clone().into_text().unwrap();
            let payload = Json::read(&text).unwrap();
            let lots = NewLot::all_from(&payload).unwrap();
            let fact = Fact::of(entry.kind.name(), entry.program_version, &payload, &lots).unwrap();
            rebuilt.apply(&fact, &entry.postings, &lots).unwrap();
            prop_assert_eq!(payload.get("balance").and_then(Json::to), Some(rebuilt.balances));
        }
        prop_assert_eq!(rebuilt, work.member);
    }
}

#[test]
fn lots_that_fall_due_together_share_an_entry() {
    let programs = programs();
    let mut work =
        Working::on(&member(&vec![(5, 1, Some(9)), (7, 1, Some(9)), (11, 2, None)], &programs), context(&programs));
    work.settle(hour(10)).unwrap();
    let written: Vec<(Kind, Timestamp, usize)> =
        work.entries.iter().map(|entry| (entry.kind, entry.effective_at, entry.postings.len())).collect();
    let expected =
        [(Kind::PointsActivated, hour(1), 2), (Kind::PointsActivated, hour(2), 1), (Kind::PointsExpired, hour(10), 2)];
    assert_eq!(written, expected);
}

#[test]
fn what_falls_due_at_one_instant_does_so_in_its_order() {
    let programs = programs();
    // A lot becomes active as another ends, and with it a hold and an offer of its points.
    let member = member(&vec![(5, 10, None), (10, 0, Some(10))], &programs);
    let mut work = Working::on(&member, context(&programs));
    work.settle(hour(1)).unwrap();
    let purpose = Purpose::Order { points: 3, order_id: None, order_amount: None };
    let hold = RedemptionRequest { member_id: member.id, purpose, hold: Some(TimeDelta::hours(10)) };
    redemption::redeem(&mut work, &hold, None).unwrap();
    let another = Context { command: Uuid::from_u128(8), ..context(&programs) };
    let mut work = Working::on(&work.member, another);
    let to_member_id = MemberId::new(1, Uuid::from_u128(9));
    let offer = TransferRequest { from_member_id: member.id, to_member_id, points: 4, message: None, direct: false };
    let receiver = Member::new(to_member_id, hour(0));
    let (mut transfer, _) = transfer::offer(&mut work, Some(&receiver), &offer).unwrap();
    transfer.lapses_at = Some(hour(10));
    work.member.records.insert(transfer.id.uuid(), transfer.into());
    work.entries.clear();

    work.settle(hour(10)).unwrap();

    // A tier comes before all of these.
    let written: Vec<Kind> = work.entries.iter().map(|entry| entry.kind).collect();
    assert_eq!(written, Due::ALL.map(Due::kind)[1..]);
}

#[test]
fn kinds_are_in_the_order_of_their_names() {
    assert!(Kind::ALL.is_sorted_by_key(|kind| kind.name()));
}

fn place(entry: &Draft) -> Option<usize> {
    Due::ALL.iter().position(|due| due.kind() == entry.kind)
}

fn lots() -> impl Strategy<Value = Lots> {
    prop::collection::vec((1..1_000_i64, 0..100_i64, prop::option::of(0..100_i64)), 0..12)
}

fn member(lots: &Lots, programs: &ProgramBook) -> Member {
    let member = Member::new(MemberId::new(1, Uuid::now_v7()), hour(0));
    let mut work = Working::on(&member, context(programs));
    for (n, (points, active, expires)) in lots.iter().enumerate() {
        let id = Uuid::from_u128(n as u128 + 1);
        let lot = NewLot { id, active_at: hour(*active), expires_at: expires.map(|hours| hour(active + hours)) };
        let credit = Account::Member(Part::Pending);
        let posting = Posting { debit: Account::Issuance, credit, points: *points, lot: Some(id) };
        let event = Event::new(Kind::PointsEarned, Fact::Nothing).with_postings(vec![posting]);
        work.post(Event { lots: vec![lot], ..event }).unwrap();
    }
    work.member
}

fn programs() -> ProgramBook {
    let document = ProgramDocument::from_toml(include_str!("../../cli/program.toml")).unwrap();
    let program = Arc::new(Program::compile(&document).unwrap());
    ProgramBook::new(vec![ProgramVersion { version: 1, effective_at: hour(0), program }]).unwrap()
}

fn context(programs: &ProgramBook) -> Context<'_> {
    Context { now: hour(0), programs, command: Uuid::from_u128(7), actor: "client:test" }
}

fn hour(hours: i64) -> Timestamp {
    time::parse("2026-01-01T00:00:00Z").unwrap() + TimeDelta::hours(hours)
}
