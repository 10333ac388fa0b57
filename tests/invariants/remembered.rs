//! What a lane remembers is only believed while it is true: others who write, a clock that is moved, a head that is put
//! back. Each test fails when the condition that it is about is taken out of the statement, or nothing is forgotten.

use accrue::domain::movement::membership::Change;
use accrue::ledger::ChangeMembership;
use diesel::connection::SimpleConnection;
use serde_json::json;

use super::{code, decide, enrol, member, order, request};
use crate::support::{App, Database, NOON, Pair, at_once, instant, sql, wait_for};

const AT: &str = "2026-03-10T11:00:00Z";

#[test]
fn orders_of_members_who_are_remembered_look_nothing_up() {
    const ORDERS: usize = 200;
    let app = App::at(NOON);
    let id = member(1, 1);
    decide(&app.ledger, request("client:checkout", None, enrol(id, "ana")));
    for n in 0..ORDERS {
        let answer = decide(&app.ledger, request("client:checkout", None, order(id, &format!("A-{n}"), AT, "5")));
        assert_eq!(code(&answer), "done");
    }
    // A backend tells the statistics at its end, at the latest.
    let database = app.stop();
    let mut owner = database.owner();
    let inserted = "SELECT n_tup_ins FROM pg_stat_user_tables WHERE relname = 'orders'";
    wait_for("the statistics", || sql::number(&mut owner, inserted) == ORDERS as i64);
    for table in ["member", "orders"] {
        let read =
            format!("SELECT seq_scan + coalesce(idx_scan, 0) FROM pg_stat_user_tables WHERE relname = '{table}'");
        let read = sql::number(&mut owner, &read);
        assert!(read < 20, "{table} was read {read} times");
    }
    database.audit();
}

#[test]
fn what_another_service_did_to_a_member_counts_for_the_next_order() {
    let pair = Pair::at(NOON);
    let id = member(1, 1);
    let ask = |n: usize, command| code(&decide(&pair.app(n).ledger, request("client:operator", None, command)));
    let change = |n: usize, key: &str, change| {
        let change = ChangeMembership(id, change);
        code(&decide(&pair.app(n).ledger, request("client:operator", Some(key), change)))
    };
    assert_eq!(ask(0, enrol(id, "ana")), "done");
    for round in 0..5 {
        let orders = ["a", "b", "c"].map(|n| order(id, &format!("{n}-{round}"), AT, "5"));
        let [first, refused, last] = orders;
        assert_eq!(ask(round, first), "done");
        assert_eq!(change(round + 1, &format!("suspend-{round}"), Change::Suspend), "done");
        assert_eq!(ask(round, refused.clone()), "member_suspended");
        assert_eq!(change(round + 1, &format!("resume-{round}"), Change::Resume), "done");
        assert_eq!(ask(round, refused), "done");
        assert_eq!(ask(round + 1, last), "done");
    }
    let wallet = "SELECT pending FROM wallet";
    assert_eq!(sql::number(&mut pair.app(0).owner(), wallet), 15 * 5);
    pair.end();
}

#[test]
fn two_services_that_post_at_once_to_one_journal_take_turns() {
    const EACH: usize = 150;
    let pair = Pair::at(NOON);
    let ids = [1, 2, 3].map(|n| member(1, n));
    for (n, id) in ids.into_iter().enumerate() {
        decide(&pair.app(0).ledger, request("client:checkout", None, enrol(id, &format!("customer-{n}"))));
    }
    let posted = at_once(8, |thread| {
        let post = |n: usize| {
            let order = order(ids[n % 3], &format!("{thread}-{n}"), AT, "5");
            code(&decide(&pair.app(thread).ledger, request("client:checkout", None, order))) == "done"
        };
        (0..EACH).filter(|n| post(*n)).count()
    });
    assert_eq!(posted.into_iter().sum::<usize>(), 8 * EACH);
    assert_eq!(sql::number(&mut pair.app(0).owner(), "SELECT sum(pending)::bigint FROM wallet"), 8 * EACH as i64 * 5);
    pair.end();
}

#[test]
fn an_order_after_a_sandboxes_clock_was_moved_is_of_the_time_that_it_was_moved_to() {
    let database = Database::sandbox();
    let apps = [0, 1].map(|_| App::on(database.clone(), accrue::postgres::clock::Clock::database(), |_| {}));
    let id = member(1, 1);
    decide(&apps[0].ledger, request("client:checkout", None, enrol(id, "ana")));
    for n in 0..5 {
        let before = apps[n % 2].operator().get("/v1/sandbox/clock").body["now"].clone();
        let orders = ["a", "b"].map(|name| order(id, &format!("{name}-{n}"), AT, "5"));
        let [first, second] = orders;
        assert_eq!(code(&decide(&apps[n % 2].ledger, request("client:checkout", None, first))), "done");
        // Less than what a clock may be off without being noticed, and more.
        let by =
            instant(before.as_str().unwrap()) + chrono::TimeDelta::milliseconds(if n == 0 { 900 } else { 86_400_000 });
        let moved = apps[(n + 1) % 2].operator().ask("/v1/sandbox/clock", &json!({ "to": by }));
        assert_eq!(moved.status, 200, "{moved:?}");
        assert_eq!(code(&decide(&apps[n % 2].ledger, request("client:checkout", None, second))), "done");
        let recorded =
            "SELECT to_char(max(recorded_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') FROM entry";
        let recorded = sql::texts(&mut database.owner(), recorded).remove(0);
        assert!(instant(&recorded) >= by, "recorded at {recorded}, the clock was moved to {by}");
    }
    drop(apps);
}

#[test]
fn a_journal_that_is_put_back_under_a_running_service_is_read_anew() {
    let app = App::at(NOON);
    let (checkout, id) = (app.checkout(), app.enrol("ana"));
    let post = |name: &str| checkout.post("/v1/orders", &app.order(&id, name, AT, "5"));
    assert_eq!(post("A-1").status, 201);
    const TABLES: [&str; 8] =
        ["entry", "further_posting", "member", "wallet", "lot", "orders", "idempotency", "journal"];
    let mut owner = app.owner();
    let keep = TABLES.map(|table| format!("CREATE TABLE keep.{table} AS TABLE {table};")).concat();
    owner.batch_execute(&format!("CREATE SCHEMA keep; {keep}")).unwrap();
    for name in ["A-2", "A-3"] {
        assert_eq!(post(name).status, 201);
    }
    let triggers = |word: &str| {
        ["entry", "further_posting"].map(|table| format!("ALTER TABLE {table} {word} TRIGGER USER;")).concat()
    };
    let restore = TABLES.map(|table| format!("DELETE FROM {table}; INSERT INTO {table} SELECT * FROM keep.{table};"));
    let restore = format!("BEGIN; {} {} {} COMMIT", triggers("DISABLE"), restore.concat(), triggers("ENABLE"));
    owner.batch_execute(&restore).unwrap();
    assert_eq!(app.points(&id), [0, 5, 0, 0]);

    let again = post("A-3");
    assert_eq!((again.status, again.replayed()), (201, false), "{again:?}");
    assert_eq!(app.points(&id), [0, 10, 0, 0]);
    owner.batch_execute("DROP SCHEMA keep CASCADE").unwrap();
    app.audit();
}

#[test]
fn a_head_that_was_touched_by_hand_is_not_overwritten_by_what_is_remembered() {
    let app = App::at(NOON);
    let (checkout, id) = (app.checkout(), app.enrol("ana"));
    let post = |name: &str| checkout.post("/v1/orders", &app.order(&id, name, AT, "5"));
    let mut owner = app.owner();
    let mut head = |set: &str| {
        let journal = id.parse::<accrue::domain::ids::MemberId>().unwrap().journal();
        owner.batch_execute(&format!("UPDATE journal SET {set} WHERE id = {journal}")).unwrap();
    };
    assert_eq!(post("A-1").status, 201);
    for (n, (touched, back)) in [
        ("recorded_at = recorded_at + interval '1 hour'", "recorded_at = recorded_at - interval '1 hour'"),
        ("next_seq = next_seq - 1", "next_seq = next_seq + 1"),
    ]
    .into_iter()
    .enumerate()
    {
        head(touched);
        let answer = post(&format!("B-{n}"));
        assert!([500, 503].contains(&answer.status), "{answer:?}");
        head(back);
        wait_for("orders to be taken again", || post(&format!("B-{n}")).status == 201);
    }
    assert_eq!(app.points(&id), [0, 15, 0, 0]);
    app.audit();
}
