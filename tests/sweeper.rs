//! Sweepers write down what settling knows, once, and are never needed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use accrue::domain::ids::MemberId;
use accrue::domain::time;
use accrue::jobs::{SweepError, Sweeper, Swept, sweep_alone, sweep_once};
use accrue::ledger::{NoAnswer, Settle};
use accrue::postgres::connect;
use accrue::read::entries::{self, DueLine, StatementLine};
use accrue::read::{View, due};
use chrono::TimeDelta;
use diesel::PgConnection;
use diesel::connection::SimpleConnection;
use serde_json::json;

use crate::invariants::{code, decide, enrol, member, order, queue, request, wait_until_taken};
use crate::support::{App, Client, NOON, PROGRAM, Place, Running, instant, sql, wait_for};

/// All that was earned in March 2026 is active; it expires on 1 April 2027 in New York.
const LATER: &str = "2026-05-01T12:00:00Z";
const MUCH_LATER: &str = "2027-05-01T12:00:00Z";

fn reader(app: &App) -> PgConnection {
    connect::reader(&app.database.service_url()).unwrap()
}

fn sweep(app: &App) -> Swept {
    sweep_once(&mut reader(app), (&app.ledger, &app.clock), || false).unwrap()
}

fn settled(settled: u64) -> Swept {
    Swept { settled, failed: 0 }
}

// What a read says is due, from the oldest.
fn due_lines(app: &App, id: MemberId) -> Vec<DueLine> {
    let (programs, none) = (app.ledger.programs().book(), (None, 0));
    let (mut connection, clock) = (reader(app), &app.clock);
    let mut view = View { connection: &mut connection, clock, programs: &programs };
    let page = entries::statement(&mut view, id, Default::default(), none).unwrap();
    page.expect("the member is there").due.into_iter().rev().collect()
}

// What stands in the journal, from the oldest, but for what commands wrote.
fn swept_lines(app: &App, id: MemberId) -> Vec<DueLine> {
    let line = |line: StatementLine| {
        let StatementLine { kind, effective_at, points, balance_after, .. } = line;
        DueLine { kind, effective_at, points, balance_after }
    };
    let (programs, all) = (app.ledger.programs().book(), (None, i64::MAX));
    let (mut connection, clock) = (reader(app), &app.clock);
    let mut view = View { connection: &mut connection, clock, programs: &programs };
    let page = entries::statement(&mut view, id, Default::default(), all).unwrap();
    let by_time = |line: &DueLine| ["points.activated", "points.expired"].contains(&line.kind.as_str());
    page.expect("the member is there").entries.into_iter().rev().map(line).filter(by_time).collect()
}

// Enrols a member and posts these orders, each of five dollars, as many at once as the queue takes.
fn post(app: &App, id: MemberId, name: &str, occurred_at: impl Iterator<Item = String>) {
    decide(&app.ledger, request("client:checkout", None, enrol(id, name)));
    let orders = occurred_at.enumerate().map(|(n, at)| order(id, &format!("{name}-{n}"), &at, "5"));
    let waiting: Vec<_> = orders.map(|order| queue(&app.ledger, request("client:checkout", None, order))).collect();
    for answer in waiting {
        assert_eq!(code(&answer.blocking_recv().unwrap().unwrap()), "done");
    }
}

// So many seconds, one after the other, of the hour before.
fn seconds(count: i64) -> impl Iterator<Item = String> {
    (1..=count).map(|n| time::canonical(instant(NOON) - TimeDelta::seconds(n)))
}

fn entries_of_kind(app: &App, kind: &str) -> i64 {
    sql::number(&mut app.owner(), &format!("SELECT count(*) FROM entry WHERE kind = '{kind}'"))
}

#[test]
fn a_sweep_writes_what_reads_said_was_due_and_a_second_one_nothing() {
    let app = App::at(NOON);
    let ids: Vec<MemberId> = (1..=40).map(|n| member(1 + i16::from(n % 2), n)).collect();
    for (n, id) in (1..).zip(&ids) {
        post(&app, *id, &format!("customer-{n}"), seconds(n % 4));
    }
    assert_eq!(sweep(&app), settled(0), "nothing is due yet");
    let mut written: BTreeMap<MemberId, Vec<DueLine>> = BTreeMap::new();
    for at in [LATER, MUCH_LATER] {
        app.clock.set(instant(at));
        for id in &ids {
            written.entry(*id).or_default().extend(due_lines(&app, *id));
        }
        let wallets = |app: &App| -> Vec<_> {
            ids.iter().map(|id| app.checkout().get(&format!("/v1/members/{id}/wallet")).body).collect()
        };
        let before = wallets(&app);
        // A quarter of the members have no orders.
        assert_eq!(sweep(&app), settled(30));
        for id in &ids {
            assert_eq!(swept_lines(&app, *id), written[id]);
            assert_eq!(due_lines(&app, *id), []);
        }
        assert_eq!(wallets(&app), before);
        let rows = app.rows();
        assert_eq!(sweep(&app), settled(0));
        assert_eq!(app.rows(), rows);
    }
    let actors =
        sql::texts(&mut app.owner(), "SELECT DISTINCT actor FROM entry WHERE kind LIKE 'points.%ed' ORDER BY 1");
    assert_eq!(actors, ["client:checkout", "system"]);
    assert_eq!(sql::number(&mut app.owner(), "SELECT count(*) FROM wallet WHERE next_due_at IS NOT NULL"), 0);
}

#[test]
fn a_page_after_a_page_reaches_everyone_whose_points_fall_due_at_one_instant() {
    let app = App::at(NOON);
    let name = |n: i32| format!("customer-{n}");
    let ids: Vec<MemberId> = (0..2_500).map(|n| app.ledger.new_member_id(&name(n))).collect();
    let enrolling: Vec<_> = (0..)
        .zip(&ids)
        .map(|(n, id)| queue(&app.ledger, request("client:checkout", None, enrol(*id, &name(n)))))
        .collect();
    enrolling.into_iter().for_each(|answer| assert_eq!(code(&answer.blocking_recv().unwrap().unwrap()), "done"));
    let posting: Vec<_> = ids
        .iter()
        .map(|id| queue(&app.ledger, request("client:checkout", None, order(*id, &id.to_string(), NOON, "5"))))
        .collect();
    posting.into_iter().for_each(|answer| assert_eq!(code(&answer.blocking_recv().unwrap().unwrap()), "done"));
    app.clock.set(instant(LATER));
    assert_eq!(sweep(&app), settled(2_500));
    assert_eq!(entries_of_kind(&app, "points.activated"), 2_500);
}

#[test]
fn sweepers_and_orders_at_once_write_each_entry_once() {
    let app = App::at(NOON);
    let ids: Vec<MemberId> = (1..=60).map(|n| member(1 + i16::from(n % 2), n)).collect();
    for (n, id) in (1..).zip(&ids) {
        post(&app, *id, &format!("customer-{n}"), seconds(3));
    }
    app.clock.set(instant(MUCH_LATER));
    let expected: Vec<Vec<DueLine>> = ids.iter().map(|id| due_lines(&app, *id)).collect();
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| sweep(&app));
        }
        for (n, id) in ids.iter().enumerate() {
            let late = order(*id, &format!("late-{n}"), MUCH_LATER, "5");
            assert_eq!(code(&decide(&app.ledger, request("client:checkout", None, late))), "done");
        }
    });
    for (id, expected) in ids.iter().zip(&expected) {
        assert_eq!(&swept_lines(&app, *id), expected);
    }
    assert_eq!(entries_of_kind(&app, "points.activated"), 180);
    assert_eq!(entries_of_kind(&app, "points.expired"), 60);
}

// In how many transactions the entries were written.
fn transactions(app: &App, kind: &str) -> i64 {
    sql::number(&mut app.owner(), &format!("SELECT count(DISTINCT xmin::text) FROM entry WHERE kind = '{kind}'"))
}

#[test]
fn more_lots_than_one_transaction_settles_are_settled_piece_by_piece() {
    let app = App::at(NOON);
    let id = member(1, 1);
    post(&app, id, "ana", seconds(2_100));
    app.clock.set(instant(MUCH_LATER));
    let expected = due_lines(&app, id);
    assert_eq!(expected.len(), 2_101, "an activation each and one expiry");
    assert_eq!(sweep(&app), settled(1));
    assert_eq!(swept_lines(&app, id), expected);
    assert_eq!((transactions(&app, "points.activated"), transactions(&app, "points.expired")), (2, 1));
    assert_eq!(sweep(&app), settled(0));
}

#[test]
fn lots_that_fall_due_at_one_instant_are_settled_together_however_many_they_are() {
    let app = App::at(NOON);
    let id = member(1, 1);
    post(&app, id, "ana", (0..2_500).map(|_| NOON.to_owned()));
    app.clock.set(instant(LATER));
    let expected = due_lines(&app, id);
    assert_eq!(expected.len(), 1);
    assert_eq!(sweep(&app), settled(1));
    assert_eq!(swept_lines(&app, id), expected);
    let postings = "SELECT count(*) FROM posting p JOIN entry e USING (journal, seq) WHERE e.kind = 'points.activated'";
    assert_eq!(sql::number(&mut app.owner(), postings), 2_500);
}

#[test]
fn a_batch_with_more_due_than_one_transaction_settles_is_decided_in_parts() {
    let app = App::at(NOON);
    let ids: Vec<MemberId> = (1..=4).map(|n| member(1, n)).collect();
    for (n, id) in (1..).zip(&ids) {
        post(&app, *id, &format!("customer-{n}"), seconds(700));
    }
    app.clock.set(instant(LATER));
    let expected: Vec<Vec<DueLine>> = ids.iter().map(|id| due_lines(&app, *id)).collect();
    let held = app.database.hold_heads();
    let first = queue(&app.ledger, request("system", None, Settle(member(1, 9))));
    wait_until_taken(&app.ledger);
    // These are one batch, with an order among them.
    let settling: Vec<_> = ids.iter().map(|id| queue(&app.ledger, request("system", None, Settle(*id)))).collect();
    let late = queue(&app.ledger, request("client:checkout", None, order(ids[3], "late", LATER, "5")));
    drop(held);
    for answer in settling.into_iter().chain([first, late]) {
        assert_eq!(code(&answer.blocking_recv().unwrap().unwrap()), "done");
    }
    for (id, expected) in ids.iter().zip(&expected) {
        assert_eq!(&swept_lines(&app, *id), expected);
    }
    assert_eq!(transactions(&app, "points.activated"), 2, "two parts");
}

#[test]
fn settling_nobody_or_nothing_changes_nothing() {
    let app = App::at(NOON);
    let id = member(1, 1);
    post(&app, id, "ana", seconds(1));
    let before = app.rows();
    for nothing in [id, member(1, 9), member(2, 9)] {
        assert_eq!(code(&decide(&app.ledger, request("system", None, Settle(nothing)))), "done");
    }
    let nowhere = decide(&app.ledger, request("system", None, Settle(member(99, 1))));
    assert_eq!(code(&nowhere), "member_not_found");
    assert_eq!(app.rows(), before);
}

#[test]
fn a_member_that_cannot_be_settled_is_passed_by() {
    let app = App::at(NOON);
    for n in 1..=5 {
        post(&app, member(1, n), &format!("customer-{n}"), seconds(i64::from(n)));
    }
    app.clock.set(instant(LATER));
    // The first of them in the order of the sweep.
    let id = member(1, 5);
    let wallet = |pending: i64| format!("UPDATE wallet SET pending = {pending} WHERE member = '{}'", id.uuid());
    // A lane remembers the members that it wrote, and looks at them again once it is opened anew.
    let reopened_with = |app: App, pending: i64| {
        let (clock, database) = (app.clock.clone(), app.stop());
        database.owner().batch_execute(&wallet(pending)).unwrap();
        App::on(database, clock, |_| {})
    };
    let app = reopened_with(app, 1);
    for expected in [Swept { settled: 4, failed: 1 }, Swept { settled: 0, failed: 1 }] {
        assert_eq!(sweep(&app), expected);
    }
    let app = reopened_with(app, 25);
    assert_eq!(sweep(&app), settled(1));
    assert_eq!(swept_lines(&app, id).len(), 5);
}

#[test]
fn one_instance_sweeps_and_the_others_leave_it_to_it() {
    let app = App::at(NOON);
    post(&app, member(1, 1), "ana", seconds(1));
    app.clock.set(instant(LATER));
    let (mut first, mut second) = (reader(&app), reader(&app));
    assert!(due::try_lock(&mut first).unwrap());
    let service = || (&*app.ledger, &app.clock);
    assert_eq!(sweep_alone(&mut second, service(), || false).unwrap(), None);
    // The lock goes with its connection, however that ends.
    drop(first);
    let mut swept = None;
    wait_for("the lock to be free", || {
        swept = sweep_alone(&mut second, service(), || false).unwrap();
        swept.is_some()
    });
    assert_eq!(swept, Some(settled(1)));
    assert!(due::try_lock(&mut reader(&app)).unwrap(), "a sweep that has ended holds no lock");
}

#[test]
fn a_sweep_that_is_stopped_or_gets_no_answer_ends_and_keeps_no_lock() {
    let app = App::at(NOON);
    for n in 1..=3 {
        post(&app, member(1, n), &format!("customer-{n}"), seconds(1));
    }
    app.clock.set(instant(LATER));
    let mut connection = reader(&app);
    let service = (&*app.ledger, &app.clock);
    assert_eq!(sweep_alone(&mut connection, service, || true).unwrap(), Some(settled(0)));
    app.ledger.close();
    let refused = sweep_alone(&mut connection, service, || false);
    assert!(matches!(refused, Err(SweepError::NoAnswer(NoAnswer::Unavailable))), "{refused:?}");
    assert!(due::try_lock(&mut reader(&app)).unwrap());
    assert_eq!(entries_of_kind(&app, "points.activated"), 0);
}

#[test]
fn a_sweeper_goes_on_by_itself_after_its_connection_was_lost() {
    let app = App::at(NOON);
    post(&app, member(1, 1), "ana", seconds(3));
    let (url, interval) = (app.database.service_url(), Duration::from_millis(20));
    let sweeper = Sweeper::start(Arc::clone(&app.ledger), url, app.clock.clone(), interval).unwrap();
    app.clock.set(instant(LATER));
    wait_for("the activations", || entries_of_kind(&app, "points.activated") == 3);
    app.database.end_backends();
    app.clock.set(instant(MUCH_LATER));
    wait_for("the expiry", || entries_of_kind(&app, "points.expired") == 1);
    drop(sweeper);
}

#[test]
fn a_service_sweeps_what_falls_due_and_counts_it() {
    let place = Place::new();
    let program = place.file("program.toml", PROGRAM);
    let service = Running::serve_with(&place, &program, &["--sandbox", "--sweep-interval", "1s"]);
    let operator = place.run(&["token", "--as", "operator"]).expect(0).out.trim().to_owned();
    let client = Client::new(service.base.clone(), Some(operator));
    let id = client.post("/v1/members", &json!({ "external_id": "ana" })).body["id"].as_str().unwrap().to_owned();
    let occurred_at = client.get("/v1/sandbox/clock").body["now"].clone();
    let order = json!({
        "order_id": "A-1", "member_id": id, "occurred_at": occurred_at, "currency": "USD", "amount": "5",
    });
    assert_eq!(client.post("/v1/orders", &order).status, 201);
    assert_eq!(client.post("/v1/sandbox/clock", &json!({ "advance": "2Y" })).status, 200);
    wait_for("the sweep", || client.get("/metrics").text.contains("\naccrue_swept_members_total 1\n"));
    let kinds: Vec<String> = client.get(&format!("/v1/members/{id}/entries")).body["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line["kind"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(kinds, ["points.expired", "points.activated", "points.earned", "member.enrolled"]);
    assert_eq!(service.terminate(), Some(0));
    place.run(&["verify"]).expect(0);
}
