//! A history that was changed and then chained anew. The hashes prove nothing then, unless a head was kept; what the
//! entries say must still fit.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use accrue::domain::audit::{Fault, Wrong};
use accrue::domain::ids::MemberId;
use accrue::domain::journal::account::Account;
use accrue::domain::journal::canonical;
use accrue::domain::journal::entry::{Entry, Hash, MAX_POINTS, hex};
use accrue::domain::journal::misfit::Misfit;
use accrue::read::verify::{self, NotVerified, Verified};
use chrono::TimeDelta;
use serde_json::{Value, json};
use uuid::Uuid;

use super::books::Books;

fn history() -> &'static [Entry] {
    static HISTORY: OnceLock<Vec<Entry>> = OnceLock::new();
    HISTORY.get_or_init(|| Books::new().entries().into_iter().map(|(entry, _)| entry).collect())
}

// The entries with the hashes that belong to them.
fn chained(entries: &[Entry]) -> Vec<(&Entry, Hash)> {
    let mut heads: BTreeMap<i16, Hash> = BTreeMap::new();
    let mut chained = Vec::new();
    for entry in entries {
        let head = heads.entry(entry.journal).or_insert([0; 32]);
        *head = entry.hash(head);
        chained.push((entry, *head));
    }
    chained
}

fn check(entries: &[Entry]) -> Result<Verified, NotVerified> {
    let line = |(entry, hash): (&Entry, Hash)| entry.export_line(&hash) + "\n";
    verify::export(chained(entries).into_iter().map(line).collect::<String>().as_bytes(), |_| {})
}

// The place of the first entry of this kind.
fn first(kind: &str) -> usize {
    history().iter().position(|entry| entry.kind == kind).unwrap_or_else(|| panic!("there is no {kind}"))
}

// The place of the last entry of this kind, and the place of the one before it of the same member.
fn last(kind: &str) -> (usize, usize) {
    let find = |until: usize, like: &dyn Fn(&Entry) -> bool| history()[..until].iter().rposition(like);
    let last = find(history().len(), &|entry| entry.kind == kind).unwrap_or_else(|| panic!("there is no {kind}"));
    let member = history()[last].member;
    let before = find(last, &|entry| entry.kind == kind && entry.member == member);
    (last, before.unwrap_or_else(|| panic!("there is one {kind} alone")))
}

fn payload(entry: &Entry) -> Value {
    serde_json::from_str(&entry.payload).expect("it is JSON")
}

// Changes a payload.
fn restate(entry: &mut Entry, change: impl FnOnce(&mut Value)) {
    let mut value = payload(entry);
    change(&mut value);
    entry.payload = canonical::to_string(&value).expect("it has a canonical form");
}

// Asserts that the entry at `place` is the first that is wrong once `change` was made to it.
#[track_caller]
fn expect(place: usize, change: impl FnOnce(&mut Entry), expected: Fault) {
    let mut entries = history().to_vec();
    change(&mut entries[place]);
    assert_ne!(entries, history(), "something was changed");
    expect_all(&entries, place, expected);
}

#[track_caller]
fn expect_all(entries: &[Entry], place: usize, expected: Fault) {
    let Entry { journal, seq, .. } = entries[place];
    match check(entries) {
        Err(NotVerified::Entry(wrong)) => assert_eq!(wrong, Wrong { journal, seq, fault: expected }),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_was_not_changed_checks_out() {
    assert_eq!(check(history()).map(|verified| verified.members).unwrap(), members().len());
}

fn members() -> Vec<Uuid> {
    let enrolled = history().iter().filter(|entry| entry.kind == "member.enrolled");
    enrolled.filter_map(|entry| entry.member).collect()
}

#[test]
fn places_times_and_forms_must_follow_each_other() {
    let earned = first("points.earned");
    expect(earned, |entry| entry.v = 2, Fault::Version(2));
    expect(earned, |entry| entry.ledger = Uuid::from_u128(1), Fault::Ledger);
    expect(earned, |entry| entry.recorded_at -= TimeDelta::days(1), Fault::Backwards);
    let seq = history()[earned].seq;
    expect(earned, |entry| entry.seq += 1, Fault::Gap { found: seq + 1, expected: seq });
    let enrolled = first("member.enrolled");
    let unreadable = |entry: &mut Entry| restate(entry, |payload| payload["joined_at"] = json!("yesterday"));
    expect(enrolled, unreadable, Fault::NotCanonical);
}

#[test]
fn a_posting_moves_points_from_one_account_to_another() {
    let earned = first("points.earned");
    for points in [0, -5] {
        expect(earned, |entry| entry.postings[0].points = points, Fault::Unbalanced(0));
    }
    let within_one = |entry: &mut Entry| entry.postings[0].debit = entry.postings[0].credit.clone();
    expect(earned, within_one, Fault::Unbalanced(0));
}

#[test]
fn an_entry_states_what_its_kind_promises() {
    for (kind, path, key) in [
        ("points.donated", "", "donation"),
        ("points.donated", "/donation", "points"),
        ("points.donated", "/donation", "cause_id"),
        ("cause.defined", "/cause", "terms"),
        ("reward.defined", "/reward", "terms"),
        ("reward.defined", "/reward", "supplied"),
        ("program.published", "", "effective_at"),
    ] {
        let remove = |payload: &mut Value| {
            let object = payload.pointer_mut(path).and_then(Value::as_object_mut).expect("an object");
            object.remove(key).expect("it is there");
        };
        expect(first(kind), |entry| restate(entry, remove), Fault::Payload);
    }
}

#[test]
fn an_order_and_a_refund_are_recorded_once() {
    let (again, before) = last("points.earned");
    let order = payload(&history()[before])["order"]["order_id"].clone();
    let same = |payload: &mut Value| payload["order"]["order_id"] = order;
    expect(again, |entry| restate(entry, same), Fault::Twice);
    let (again, before) = last("order.refunded");
    let refund = payload(&history()[before])["refund"]["refund_id"].clone();
    let same = |payload: &mut Value| payload["refund"]["refund_id"] = refund;
    expect(again, |entry| restate(entry, same), Fault::Twice);
}

#[test]
fn an_entry_belongs_to_a_member_of_its_journal_who_joined_once() {
    let earned = first("points.earned");
    let journal = history()[earned].journal;
    let of = |id: &Uuid| MemberId::try_from(*id).expect("a member's id").journal();
    let elsewhere = members().into_iter().find(|id| of(id) != journal);
    let never_joined = MemberId::new(journal, Uuid::now_v7()).uuid();
    for member in [None, elsewhere, Some(never_joined), Some(Uuid::from_u128(1))] {
        expect(earned, |entry| entry.member = member, Fault::Member);
    }
    let enrolled = first("member.enrolled");
    let mut entries = history().to_vec();
    entries.insert(enrolled, history()[enrolled].clone());
    let journal = entries[enrolled].journal;
    entries[enrolled + 1..].iter_mut().filter(|entry| entry.journal == journal).for_each(|entry| entry.seq += 1);
    expect_all(&entries, enrolled + 1, Fault::Member);
}

#[test]
fn postings_and_facts_fit_the_member() {
    let fits = |place, change: &dyn Fn(&mut Entry), misfit| expect(place, change, Fault::Misfit(misfit));
    let (earned, captured) = (first("points.earned"), first("redemption.captured"));
    fits(captured, &|entry| entry.postings[0].points += 1_000_000, Misfit::Negative);
    fits(earned, &|entry| entry.postings[0].points = MAX_POINTS + 1, Misfit::TooLarge);
    let stranger = Uuid::from_u128(1);
    fits(earned, &|entry| entry.postings[0].lot = Some(stranger), Misfit::UnknownLot(stranger));
    let (again, before) = last("points.earned");
    let lot = payload(&history()[before])["lots"][0]["id"].clone();
    let exists = Misfit::LotExists(lot.as_str().and_then(|id| id.parse().ok()).expect("an id"));
    fits(again, &|entry| restate(entry, |payload| payload["lots"][0]["id"] = lot.clone()), exists);
    fits(earned, &|entry| restate(entry, |payload| payload["lots"] = json!("none")), Misfit::Lots);
    for (kind, fact) in [
        ("points.earned", "order"),
        ("order.refunded", "refund"),
        ("redemption.held", "redemption"),
        ("transfer.offered", "transfer"),
    ] {
        fits(first(kind), &|entry| restate(entry, |payload| payload[fact] = json!({})), Misfit::Fact(fact));
    }
    let of_another = |payload: &mut Value| payload["refund"]["order_id"] = json!("nobody's");
    fits(first("order.refunded"), &|entry| restate(entry, of_another), Misfit::UnknownOrder);
}

#[test]
fn an_entry_states_the_wallet_that_its_postings_make() {
    for (kind, part) in [("points.earned", "pending"), ("redemption.held", "held"), ("points.donated", "active")] {
        let other = |payload: &mut Value| {
            let points = payload["balance"][part].as_i64().expect("points");
            payload["balance"][part] = json!(points + 1);
        };
        expect(first(kind), |entry| restate(entry, other), Fault::Balance);
    }
    let none = |payload: &mut Value| drop(payload.as_object_mut().expect("an object").remove("balance"));
    expect(first("member.enrolled"), |entry| restate(entry, none), Fault::Balance);
}

#[test]
fn what_goes_out_of_one_journal_must_come_into_another() {
    let books = Books::new();
    let entries: Vec<Entry> = books.entries().into_iter().map(|(entry, _)| entry).collect();
    let mut changed = entries.clone();
    let received = changed.iter().position(|entry| entry.kind == "transfer.received").expect("a transfer was received");
    let Entry { journal, seq, .. } = changed[received];
    assert_eq!(changed[received].postings[0].debit, Account::Transit);
    // The receiver's wallet is the same wherever the points came from.
    changed[received].postings[0].debit = Account::Adjustment;
    let mut change = format!("UPDATE entry SET debit = 'adjustment' WHERE journal = {journal} AND seq = {seq};");
    for (entry, hash) in chained(&changed).into_iter().filter(|(entry, _)| entry.journal == journal) {
        let (seq, hash) = (entry.seq, hex(&hash));
        change += &format!(
            "UPDATE entry SET hash = decode('{hash}', 'hex') WHERE journal = {journal} AND seq = {seq};
             UPDATE journal SET head_hash = decode('{hash}', 'hex') WHERE id = {journal};"
        );
    }
    let (journal, fault) = books.wrong_projection(&change);
    assert_eq!((journal, fault.as_str()), (0, "the transit accounts of all journals sum to 7, not to zero"));
}
